//! The receiving task on the network's runtime: datagrams in, whole frames out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock;
use super::counters::SendSwitches;
use crate::media::{RingSender, Stream};
use crate::transport::reassemble::{Frame, Reassembler};
use crate::wire::packet::PacketHeader;

/// How long a whole video frame waits for an earlier one.
const VIDEO_PATIENCE: Duration = Duration::from_millis(30);
/// How often the task looks at its clock when nothing comes.
const NAP: Duration = Duration::from_millis(200);

/// Receives from the newest connection.
pub struct ReceiveTask {
    /// Connections, the newest counting.
    pub ways: mpsc::Receiver<quinn::Connection>,
    /// Whole frames, in order.
    pub out: RingSender<Frame>,
    /// The call is over.
    pub switches: Arc<SendSwitches>,
}

impl ReceiveTask {
    /// Runs until the call is over.
    pub async fn run(mut self) {
        let mut video = Reassembler::new(VIDEO_PATIENCE);
        let mut way: Option<quinn::Connection> = None;
        while !self.switches.stopped() {
            let pause = video.poll_timeout().map_or(NAP, |at| at.since(clock::now()).min(NAP));
            tokio::select! {
                new = self.ways.recv() => match new {
                    Some(new) => way = Some(new),
                    None => return,
                },
                packet = datagram(way.as_ref()) => match packet {
                    Some(packet) => {
                        if let Some((header, payload)) = PacketHeader::read(&packet)
                            && header.frame.stream == Stream::Video
                        {
                            video.handle_packet(header, payload, clock::now());
                        }
                    }
                    None => way = None,
                },
                () = tokio::time::sleep(pause) => {}
            }
            while let Some(frame) = video.poll_frame(clock::now()) {
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
