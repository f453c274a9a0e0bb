//! The receiving task on the network's runtime: datagrams in, whole frames out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock;
use super::counters::SendSwitches;
use crate::media::{RingSender, Stream, Timestamp};
use crate::transport::reassemble::{Frame, Reassembler};
use crate::transport::ways::Way;
use crate::wire::packet::PacketHeader;

/// How long a whole video frame waits for an earlier one.
const VIDEO_PATIENCE: Duration = Duration::from_millis(30);
/// How long it waits while the sender changes from one way to another: as long as the slower may take longer.
const HANDOVER_PATIENCE: Duration = Duration::from_millis(250);
/// How long after such a change packets of the other way may come.
const HANDOVER: Duration = Duration::from_millis(500);
/// How often the task looks at its clock when nothing comes.
const NAP: Duration = Duration::from_millis(200);

/// Receives from the relay and from the direct way at the same time: what is on its way over one when the sender changes
/// to the other is not lost.
pub struct ReceiveTask {
    /// Connections, the newest of each way counting.
    pub ways: mpsc::Receiver<(Way, quinn::Connection)>,
    /// Whole frames, in order.
    pub out: RingSender<Frame>,
    /// The call is over.
    pub switches: Arc<SendSwitches>,
}

impl ReceiveTask {
    /// Runs until the call is over.
    pub async fn run(mut self) {
        let mut video = Reassembler::new(VIDEO_PATIENCE);
        let (mut relay, mut direct) = (None, None);
        // The way of the newest packet, and until when packets of the other may still come.
        let (mut newest, mut patient_until) = (None, Timestamp::ZERO);
        while !self.switches.stopped() {
            let pause = video.poll_timeout().map_or(NAP, |at| at.since(clock::now()).min(NAP));
            let received = tokio::select! {
                new = self.ways.recv() => {
                    match new {
                        Some((Way::Relay, new)) => relay = Some(new),
                        Some((Way::Direct, new)) => direct = Some(new),
                        None => return,
                    }
                    continue;
                }
                packet = datagram(relay.as_ref()) => {
                    relay = relay.filter(|_| packet.is_some());
                    packet.map(|packet| (Way::Relay, packet))
                }
                packet = datagram(direct.as_ref()) => {
                    direct = direct.filter(|_| packet.is_some());
                    packet.map(|packet| (Way::Direct, packet))
                }
                () = tokio::time::sleep(pause) => None,
            };
            let now = clock::now();
            if let Some((way, packet)) = received
                && let Some((header, payload)) = PacketHeader::read(&packet)
            {
                if header.frame.stream == Stream::Video {
                    if newest.replace(way).is_some_and(|before| before != way) {
                        patient_until = now + HANDOVER;
                    }
                    video.set_patience(if now < patient_until { HANDOVER_PATIENCE } else { VIDEO_PATIENCE });
                    video.handle_packet(header, payload, now);
                } else if header.fragments == 1 {
                    // Sound is one packet a frame and has a jitter buffer of its own: nothing waits here.
                    let sealed = payload.to_vec();
                    let frame = Frame { header: header.frame, sealed, first_packet: now, complete: now };
                    let _ = self.out.push(frame);
                }
            }
            while let Some(frame) = video.poll_frame(now) {
                let _ = self.out.push(frame);
            }
        }
    }
}

/// The next datagram; `None` when the connection is gone; never without one.
async fn datagram(way: Option<&quinn::Connection>) -> Option<bytes::Bytes> {
    match way {
        Some(way) => way.read_datagram().await.ok(),
        None => std::future::pending().await,
    }
}
