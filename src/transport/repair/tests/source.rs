//! Where the frames of a call on virtual time come from and go to: recorded sizes, or a real encoder (`encoded`).

use std::sync::LazyLock;
use std::time::Duration;

use super::harness::FRAME;
use crate::media::{FrameId, Timestamp};

/// What sealing adds to a frame.
pub const SEAL: usize = 60;
/// How much larger a frame is that is predicted from an older one.
const MENDING_SIZE: f64 = 1.3;

/// Recorded sizes over their mean; the keyframe first.
static SIZES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let lines = include_str!("../../rate/tests/aom-360p-600kbps.txt").lines().filter(|line| !line.starts_with('#'));
    let sizes: Vec<f64> = lines.map(|line| line.parse().unwrap()).collect();
    let mean = sizes[1..].iter().sum::<f64>() / (sizes.len() - 1) as f64;
    sizes.iter().map(|size| size / mean).collect()
});

/// What is wanted of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub id: FrameId,
    /// Rate of the video from this frame on.
    pub kbps: f64,
    pub keyframe: bool,
    /// The newest frame that the other side can predict from.
    pub acknowledged: Option<FrameId>,
    /// It is to be predicted from that one.
    pub from_acknowledged: bool,
}

/// Encodes at one end, and is shown at the other what arrived.
pub trait Source {
    /// There is a picture, and the path takes so much video. False: it is left out.
    fn capture(&mut self, allowed_kbps: u32, now: Timestamp) -> bool;

    /// From one frame to the next.
    fn interval(&self) -> Duration;

    /// Encodes that picture: the sealed frame, and which one it needs.
    fn encode(&mut self, wanted: Wanted) -> (Option<FrameId>, Vec<u8>);

    /// A frame has come out at the other end, and what it needs before it.
    fn show(&mut self, id: FrameId, sealed: &[u8]);
}

/// Frames of recorded sizes, in proportion to the rate.
pub struct Recorded {
    encoded: usize,
    /// Bytes by which frames were larger than they should have been, and most of them that are remembered.
    owed: f64,
    most_owed: f64,
}

impl Recorded {
    pub const fn new(max_bps: f64) -> Self {
        Self { encoded: 0, owed: 0.0, most_owed: max_bps / 80.0 }
    }
}

impl Source for Recorded {
    fn capture(&mut self, _allowed_kbps: u32, _now: Timestamp) -> bool {
        true
    }

    fn interval(&self) -> Duration {
        FRAME
    }

    fn encode(&mut self, wanted: Wanted) -> (Option<FrameId>, Vec<u8>) {
        let Wanted { id, kbps, keyframe, acknowledged, from_acknowledged } = wanted;
        let reference = match (keyframe, from_acknowledged) {
            (true, _) => None,
            (_, true) => acknowledged,
            _ => id.0.checked_sub(1).map(FrameId),
        };
        let recorded = SIZES[1 + self.encoded % (SIZES.len() - 1)];
        let ratio = match reference {
            None => SIZES[0],
            Some(reference) if reference.next() != id => recorded * MENDING_SIZE,
            Some(_) => recorded,
        };
        self.encoded += 1;
        let wanted = kbps * 125.0 * FRAME.as_secs_f64();
        let paid = self.owed.min(wanted * 0.5);
        let size = ((wanted - paid) * ratio).max(60.0);
        self.owed = (self.owed - paid + size - (wanted - paid)).clamp(0.0, self.most_owed);
        (reference, (0..size as usize + SEAL).map(|at| (at as u32 ^ id.0) as u8).collect())
    }

    fn show(&mut self, id: FrameId, sealed: &[u8]) {
        assert!(sealed.iter().enumerate().all(|(at, byte)| *byte == (at as u32 ^ id.0) as u8));
    }
}
