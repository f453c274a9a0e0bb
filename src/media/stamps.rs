//! The frame ledger's record: when a frame passed each stage of its way.

use std::time::Duration;

use super::{ClockOffset, Timestamp};

/// The stages of a frame's way, in order. Names say what is known and no more: `GpuDone` is the GPU's
/// completion, not light; `PresentRequested` is the hand-over to the window system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// The picture was handed over by the camera, file or pattern.
    Captured,
    /// It was I420.
    Converted,
    /// The encoder was called with it.
    EncodeStart,
    /// Its bitstream came out of the encoder.
    Encoded,
    /// It was sealed.
    Sealed,
    /// Its first packet was given to the transport.
    FirstPacketSent,
    /// Its last packet was given to the transport.
    LastPacketSent,
    /// The receiver read its first packet.
    FirstPacketReceived,
    /// All of it had arrived.
    Complete,
    /// It was opened and authentic.
    Opened,
    /// The decoder was called with it.
    DecodeStart,
    /// Its picture came out of the decoder.
    Decoded,
    /// Its planes began their way to the GPU.
    UploadStart,
    /// The draw was submitted.
    Submitted,
    /// The GPU had finished it.
    GpuDone,
    /// The window system was asked to show it.
    PresentRequested,
}

/// All stages in order.
pub const STAGES: [Stage; 16] = [
    Stage::Captured,
    Stage::Converted,
    Stage::EncodeStart,
    Stage::Encoded,
    Stage::Sealed,
    Stage::FirstPacketSent,
    Stage::LastPacketSent,
    Stage::FirstPacketReceived,
    Stage::Complete,
    Stage::Opened,
    Stage::DecodeStart,
    Stage::Decoded,
    Stage::UploadStart,
    Stage::Submitted,
    Stage::GpuDone,
    Stage::PresentRequested,
];

impl Stage {
    /// The name used in tables, CSV and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Converted => "converted",
            Self::EncodeStart => "encode_start",
            Self::Encoded => "encoded",
            Self::Sealed => "sealed",
            Self::FirstPacketSent => "first_packet_sent",
            Self::LastPacketSent => "last_packet_sent",
            Self::FirstPacketReceived => "first_packet_received",
            Self::Complete => "complete",
            Self::Opened => "opened",
            Self::DecodeStart => "decode_start",
            Self::Decoded => "decoded",
            Self::UploadStart => "upload_start",
            Self::Submitted => "submitted",
            Self::GpuDone => "gpu_done",
            Self::PresentRequested => "present_requested",
        }
    }
}

/// One time for each stage; a stage that was not reached (or not reported) has none. Fixed size, no allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps([Timestamp; STAGES.len()]);

impl Stamps {
    /// A record without any stamp.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `stage` was passed at `at`.
    pub fn set(&mut self, stage: Stage, at: Timestamp) {
        self.0[stage as usize] = at;
    }

    /// When `stage` was passed.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Option<Timestamp> {
        let at = self.0[stage as usize];
        (at != Timestamp::ZERO).then_some(at)
    }

    /// Time from `stage` to `now`; none at all if it was not passed.
    #[must_use]
    pub fn since(&self, stage: Stage, now: Timestamp) -> Duration {
        self.get(stage).map_or(Duration::ZERO, |at| now.since(at))
    }

    /// Takes over the stages that `other` has passed.
    pub fn add(&mut self, other: &Self) {
        for stage in STAGES {
            if let Some(at) = other.get(stage) {
                self.set(stage, at);
            }
        }
    }

    /// A received frame's record with the sender's stages on our clock; without them, where that is not known.
    #[must_use]
    pub fn on_our_clock(mut self, theirs: Option<ClockOffset>) -> Self {
        for stage in STAGES.into_iter().filter(|stage| *stage <= Stage::LastPacketSent) {
            let at = self.get(stage).zip(theirs).map(|(at, clock)| clock.to_ours(at));
            self.set(stage, at.unwrap_or_default());
        }
        self
    }

    /// Milliseconds from one stage to another, if both were passed.
    #[must_use]
    pub fn millis(&self, from: Stage, to: Stage) -> Option<f64> {
        Some(self.get(to)?.millis_since(self.get(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stages_that_were_passed_have_a_time() {
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, Timestamp::from_nanos(1_000_000));
        stamps.set(Stage::Encoded, Timestamp::from_nanos(4_000_000));
        assert_eq!(stamps.millis(Stage::Captured, Stage::Encoded), Some(3.0));
        assert_eq!(stamps.millis(Stage::Captured, Stage::GpuDone), None);
    }

    #[test]
    fn a_senders_stages_are_brought_to_our_clock_or_left_out() {
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, Timestamp::from_nanos(5_001_000_000));
        stamps.set(Stage::Decoded, Timestamp::from_nanos(21_000_000));
        let clock = ClockOffset { ahead_ns: 5_000_000_000, error: Duration::from_millis(1) };
        assert_eq!(stamps.on_our_clock(Some(clock)).millis(Stage::Captured, Stage::Decoded), Some(20.0));
        assert_eq!(stamps.on_our_clock(None).millis(Stage::Captured, Stage::Decoded), None);
        assert_eq!(stamps.on_our_clock(None).get(Stage::Decoded), stamps.get(Stage::Decoded));
    }

    #[test]
    fn the_list_of_stages_is_in_order_and_complete() {
        for (index, stage) in STAGES.iter().enumerate() {
            assert_eq!(*stage as usize, index);
        }
    }
}
