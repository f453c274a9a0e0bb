//! The receiving task on the network's runtime: datagrams in, whole frames out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock;
use super::counters::{CallCounters, SendSwitches};
use crate::media::{LeafIndex, RingSender, Stream, Timestamp};
use crate::transport::parity::{Rebuilder, Rebuilt};
use crate::transport::rate::recorder::ArrivalRecorder;
use crate::transport::reassemble::{Frame, Reassembler};
use crate::transport::ways::Way;
use crate::wire::feedback::Feedback;
use crate::wire::packet::PacketHeader;
use crate::wire::parity::Parity;

/// How long a whole video frame waits for what it is predicted from, beyond the three round trips that it takes to tell of a
/// loss and have it mended, or to find that lost too.
const VIDEO_PATIENCE: Duration = Duration::from_millis(60);
/// How long it waits at most.
const MOST_PATIENCE: Duration = Duration::from_millis(350);
/// How long it waits while the sender changes from one way to another: as long as the slower may take longer.
const HANDOVER_PATIENCE: Duration = Duration::from_millis(250);
/// How long after such a change packets of the other way may come.
const HANDOVER: Duration = Duration::from_millis(500);
/// Leaves of a call. Each has a place of its own: what a relay sends back to its sender takes nothing away from the peer's.
const LEAVES: usize = 2;
/// How often the task looks at its clock when nothing comes.
const NAP: Duration = Duration::from_millis(200);

/// Receives from the relay and from the direct way at the same time: what is on its way over one when the sender changes
/// to the other is not lost.
pub struct ReceiveTask {
    /// Connections, the newest of each way counting.
    pub ways: mpsc::Receiver<(Way, quinn::Connection)>,
    /// Whole frames, in order.
    pub out: RingSender<Frame>,
    /// What arrived, to be told to the peer. Full: newest dropped, the next one repeats it.
    pub reports: RingSender<Feedback>,
    /// The call is over.
    pub switches: Arc<SendSwitches>,
    /// What came which way.
    pub counters: Arc<CallCounters>,
}

impl ReceiveTask {
    /// Runs until the call is over.
    pub async fn run(mut self) {
        let mut video: [_; LEAVES] = std::array::from_fn(|_| Reassembler::new(VIDEO_PATIENCE));
        let mut rebuilders: [_; LEAVES] = std::array::from_fn(|_| Rebuilder::default());
        let mut arrivals = ArrivalRecorder::default();
        let (mut relay, mut direct) = (None, None);
        // The way of the newest packet, and until when packets of the other may still come.
        let (mut newest, mut patient_until) = (None, Timestamp::ZERO);
        while !self.switches.stopped() {
            let due = video.iter().filter_map(Reassembler::poll_timeout).chain(arrivals.poll_timeout()).min();
            let pause = due.map_or(NAP, |at| at.since(clock::now()).min(NAP));
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
            if let Some((way, packet)) = &received {
                self.counters.traffic(*way == Way::Direct).count(packet.len());
            }
            let mut rebuilt = Vec::new();
            if let Some((way, packet)) = received {
                if let Some((header, payload)) = PacketHeader::read(&packet)
                    && let Some(leaf) = leaf_of(header.frame.leaf)
                {
                    arrivals.handle_packet(header.number, header.frame.stream != Stream::Feedback, now);
                    if header.frame.stream == Stream::Video {
                        if newest.replace(way).is_some_and(|before| before != way) {
                            patient_until = now + HANDOVER;
                        }
                        let connection = if way == Way::Direct { direct.as_ref() } else { relay.as_ref() };
                        let least = if now < patient_until { HANDOVER_PATIENCE } else { VIDEO_PATIENCE };
                        video[leaf].set_patience(patience(way, connection).max(least));
                        rebuilt = rebuilders[leaf].handle_packet(&header, payload);
                        video[leaf].handle_packet(header, payload, now);
                    } else if header.fragments == 1 {
                        // Sound is one packet a frame and has a jitter buffer of its own: nothing waits here.
                        let sealed = payload.to_vec();
                        let frame = Frame { header: header.frame, sealed, first_packet: now, complete: now };
                        let _ = self.out.push(frame);
                    }
                } else if let Some(parity) = Parity::read(&packet)
                    && let Some(leaf) = leaf_of(parity.leaf)
                {
                    arrivals.handle_packet(parity.number, true, now);
                    rebuilt = rebuilders[leaf].handle_parity(parity);
                }
            }
            for Rebuilt { header, payload } in rebuilt {
                self.counters.rebuilt.count();
                if let Some(leaf) = leaf_of(header.frame.leaf) {
                    video[leaf].handle_packet(header, &payload, now);
                }
            }
            for video in &mut video {
                while let Some(frame) = video.poll_frame(now) {
                    let _ = self.out.push(frame);
                }
            }
            if let Some(report) = arrivals.poll_feedback(now) {
                let _ = self.reports.push(report);
            }
        }
    }
}

/// The place of a leaf of this call.
fn leaf_of(leaf: LeafIndex) -> Option<usize> {
    Some(usize::from(leaf.0)).filter(|leaf| *leaf < LEAVES)
}

/// How long what is missing may be mended on this way. Behind a relay there is another connection, taken to be as long.
fn patience(way: Way, connection: Option<&quinn::Connection>) -> Duration {
    let round_trip = connection.map_or(Duration::ZERO, quinn::Connection::rtt);
    let round_trips = if way == Way::Direct { 3 } else { 6 };
    (VIDEO_PATIENCE + round_trip * round_trips).min(MOST_PATIENCE)
}

/// The next datagram; `None` when the connection is gone; never without one.
async fn datagram(way: Option<&quinn::Connection>) -> Option<bytes::Bytes> {
    match way {
        Some(way) => way.read_datagram().await.ok(),
        None => std::future::pending().await,
    }
}
