//! The sender's part of the frame ledger as it travels, sealed, in front of each video frame.
//!
//! 32 bytes, little-endian: capture time (i64 nanoseconds of the sender's clock), then three durations of this frame
//! and three of the previous one in microseconds after its own capture (u32, 0 = not passed): a frame cannot carry the
//! times that come after its sealing, so they ride in the next.

use std::time::Duration;

use crate::media::{Stage, Stamps, Timestamp};

/// Bytes of the record.
pub const RECORD_LEN: usize = 8 + 4 * FIELDS;

const FIELDS: usize = OWN.len() + PREVIOUS.len();
const OWN: [Stage; 3] = [Stage::Converted, Stage::EncodeStart, Stage::Encoded];
const PREVIOUS: [Stage; 3] = [Stage::Sealed, Stage::FirstPacketSent, Stage::LastPacketSent];

/// What a sender tells of a frame and of the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderRecord {
    /// This frame, as far as `Encoded`.
    pub own: Stamps,
    /// The previous frame: its times after sealing, counted from its capture time as the receiver knows it.
    pub previous: [Option<Duration>; 3],
}

impl SenderRecord {
    /// The record for a frame with the stamps `own`, sent after one with the stamps `previous`.
    #[must_use]
    pub fn new(own: &Stamps, previous: Option<&Stamps>) -> Self {
        let mut record = Self { own: *own, previous: [None; 3] };
        if let Some(previous) = previous
            && let Some(captured) = previous.get(Stage::Captured)
        {
            record.previous = PREVIOUS.map(|stage| previous.get(stage).map(|at| at.since(captured)));
        }
        record
    }

    /// Adds what this record tells of the previous frame to that frame's own stamps.
    pub fn complete_previous(&self, stamps: &mut Stamps) {
        let Some(captured) = stamps.get(Stage::Captured) else { return };
        for (stage, after) in PREVIOUS.into_iter().zip(self.previous) {
            if let Some(after) = after {
                stamps.set(stage, captured + after);
            }
        }
    }

    /// Appends the bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let captured = self.own.get(Stage::Captured).unwrap_or_default();
        out.extend_from_slice(&captured.as_nanos().to_le_bytes());
        let own = OWN.map(|stage| self.own.get(stage).map(|at| at.since(captured)));
        for after in own.into_iter().chain(self.previous) {
            out.extend_from_slice(&micros_on_wire(after).to_le_bytes());
        }
    }

    /// Reads the record at the beginning of `bytes`; gives it and the rest, or nothing if there are too few bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_at_checked(RECORD_LEN)?;
        let (captured, fields) = head.split_at(8);
        let captured = Timestamp::from_nanos(i64::from_le_bytes(captured.try_into().ok()?));
        let mut durations = [None; FIELDS];
        for (duration, field) in durations.iter_mut().zip(fields.chunks_exact(4)) {
            let micros = u32::from_le_bytes(field.try_into().ok()?);
            *duration = (micros != 0).then(|| Duration::from_micros(u64::from(micros)));
        }
        let mut own = Stamps::new();
        own.set(Stage::Captured, captured);
        for (stage, after) in OWN.into_iter().zip(durations) {
            if let Some(after) = after {
                own.set(stage, captured + after);
            }
        }
        Some((Self { own, previous: [durations[3], durations[4], durations[5]] }, rest))
    }
}

/// Zero means "not passed", so what took less than a microsecond is told as one.
fn micros_on_wire(after: Option<Duration>) -> u32 {
    after.map_or(0, |after| u32::try_from(after.as_micros()).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamps(base: i64) -> Stamps {
        let mut stamps = Stamps::new();
        for (index, stage) in
            [Stage::Captured, Stage::Converted, Stage::EncodeStart, Stage::Encoded].into_iter().enumerate()
        {
            stamps.set(stage, Timestamp::from_nanos(base + index as i64 * 250_000));
        }
        stamps
    }

    #[test]
    fn a_frame_and_its_predecessor_arrive_as_they_were_sent() {
        let mut previous = stamps(1_000_000);
        for (stage, at) in PREVIOUS.into_iter().zip([2_000_000, 2_500_000, 2_600_000]) {
            previous.set(stage, Timestamp::from_nanos(at));
        }
        let mut bytes = Vec::new();
        SenderRecord::new(&stamps(34_000_000), Some(&previous)).write(&mut bytes);
        bytes.extend_from_slice(b"frame");
        assert_eq!(bytes.len(), RECORD_LEN + 5);

        let (record, rest) = SenderRecord::read(&bytes).unwrap();
        assert_eq!(rest, b"frame");
        assert_eq!(record.own, stamps(34_000_000));
        let mut known = stamps(1_000_000);
        record.complete_previous(&mut known);
        assert_eq!(known, previous);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_record_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let read = SenderRecord::read(&bytes);
            prop_assert_eq!(read.is_some(), bytes.len() >= RECORD_LEN);
        }
    }
}
