//! The sender's part of the frame ledger as it travels, sealed, in front of each video frame.
//!
//! 45 bytes, little-endian: capture time (i64 nanoseconds of the sender's clock), then three durations of this frame and three
//! of an earlier one in microseconds after its own capture (u32, 0 = not passed): a frame cannot carry the times that come after
//! its sealing, so they ride in the next. Then how many frames back that is (u8, 0 = none has left since), and how far the
//! sender takes the receiver's clock to be ahead of its own (i64 nanoseconds) with the error of that (u32 microseconds, 0 = not
//! known).

use std::time::Duration;

use crate::media::{ClockOffset, FrameId, Stage, Stamps, Timestamp};

/// Bytes of the record.
pub const RECORD_LEN: usize = 8 + 4 * FIELDS + 1 + 8 + 4;

const FIELDS: usize = OWN.len() + EARLIER.len();
const OWN: [Stage; 3] = [Stage::Converted, Stage::EncodeStart, Stage::Encoded];
const EARLIER: [Stage; 3] = [Stage::Sealed, Stage::FirstPacketSent, Stage::LastPacketSent];

/// What a sender tells of a frame and of one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderRecord {
    /// This frame, as far as `Encoded`.
    pub own: Stamps,
    /// The newest frame whose last packet had left.
    pub earlier: Option<Earlier>,
    /// The receiver's clock, as the sender knows it.
    pub clock: Option<ClockOffset>,
}

/// The times of an earlier frame that came after its sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// How many frames ago it was sent, at least one.
    pub back: u8,
    /// Sealed, first and last packet sent, counted from its capture time as the receiver knows it.
    after: [Option<Duration>; 3],
}

impl Earlier {
    /// The stamps that it adds to those of its frame, which was captured at `captured`.
    #[must_use]
    pub fn stamps(&self, captured: Timestamp) -> Stamps {
        let mut stamps = Stamps::new();
        for (stage, after) in EARLIER.into_iter().zip(self.after) {
            if let Some(after) = after {
                stamps.set(stage, captured + after);
            }
        }
        stamps
    }
}

impl SenderRecord {
    /// The record for the frame `id` with the stamps `own`, after `earlier` has left.
    #[must_use]
    pub fn new(id: FrameId, own: &Stamps, earlier: Option<(FrameId, &Stamps)>, clock: Option<ClockOffset>) -> Self {
        let earlier = earlier.and_then(|(earlier, stamps)| {
            let captured = stamps.get(Stage::Captured)?;
            let back = u8::try_from(id.0.wrapping_sub(earlier.0)).ok().filter(|back| *back > 0)?;
            Some(Earlier { back, after: EARLIER.map(|stage| stamps.get(stage).map(|at| at.since(captured))) })
        });
        Self { own: *own, earlier, clock }
    }

    /// Appends the bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let captured = self.own.get(Stage::Captured).unwrap_or_default();
        out.extend_from_slice(&captured.as_nanos().to_le_bytes());
        let own = OWN.map(|stage| self.own.get(stage).map(|at| at.since(captured)));
        let (back, earlier) = self.earlier.map_or((0, [None; 3]), |earlier| (earlier.back, earlier.after));
        for after in own.into_iter().chain(earlier) {
            out.extend_from_slice(&micros_on_wire(after).to_le_bytes());
        }
        out.push(back);
        out.extend_from_slice(&self.clock.map_or(0, |clock| clock.ahead_ns).to_le_bytes());
        // Rounded up: an error may be told too large, never too small.
        let error = self.clock.map(|clock| clock.error + Duration::from_nanos(999));
        out.extend_from_slice(&micros_on_wire(error).to_le_bytes());
    }

    /// Reads the record at the beginning of `bytes`; gives it and the rest, or nothing if there are too few bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_at_checked(RECORD_LEN)?;
        let (captured, fields) = head.split_first_chunk::<8>()?;
        let captured = Timestamp::from_nanos(i64::from_le_bytes(*captured));
        let (times, fields) = fields.split_at_checked(4 * FIELDS)?;
        let mut durations = [None; FIELDS];
        for (duration, field) in durations.iter_mut().zip(times.chunks_exact(4)) {
            *duration = duration_on_wire(field);
        }
        let mut own = Stamps::new();
        own.set(Stage::Captured, captured);
        for (stage, after) in OWN.into_iter().zip(durations) {
            if let Some(after) = after {
                own.set(stage, captured + after);
            }
        }
        let (back, clock) = fields.split_first()?;
        let earlier = (*back > 0).then_some(Earlier { back: *back, after: [durations[3], durations[4], durations[5]] });
        let (ahead_ns, error) = clock.split_first_chunk::<8>()?;
        let ahead_ns = i64::from_le_bytes(*ahead_ns);
        let clock = duration_on_wire(error).map(|error| ClockOffset { ahead_ns, error });
        Some((Self { own, earlier, clock }, rest))
    }
}

fn duration_on_wire(field: &[u8]) -> Option<Duration> {
    let micros = u32::from_le_bytes(field.try_into().ok()?);
    (micros != 0).then(|| Duration::from_micros(u64::from(micros)))
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
    fn a_frame_with_an_earlier_one_and_the_clock_arrives_as_it_was_sent() {
        let mut earlier = stamps(1_000_000);
        for (stage, at) in EARLIER.into_iter().zip([2_000_000, 2_500_000, 2_600_000]) {
            earlier.set(stage, Timestamp::from_nanos(at));
        }
        let clock = ClockOffset { ahead_ns: -77_000, error: Duration::from_micros(350) };
        let (id, own) = (FrameId(1), stamps(34_000_000));
        let sent = SenderRecord::new(id, &own, Some((FrameId(u32::MAX), &earlier)), Some(clock));
        let mut bytes = Vec::new();
        sent.write(&mut bytes);
        bytes.extend_from_slice(b"frame");
        assert_eq!(bytes.len(), RECORD_LEN + 5);

        let (record, rest) = SenderRecord::read(&bytes).unwrap();
        assert_eq!((record, rest), (sent, &b"frame"[..]));
        let told = record.earlier.unwrap();
        assert_eq!(told.back, 2);
        let late = told.stamps(Timestamp::from_nanos(1_000_000));
        for stage in EARLIER {
            assert_eq!(late.get(stage), earlier.get(stage));
        }
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let own = stamps(1);
        for far in [FrameId(1000), FrameId(744 - 1), FrameId(1001)] {
            let sent = SenderRecord::new(FrameId(1000), &own, Some((far, &own)), None);
            assert_eq!((sent.earlier, sent.clock), (None, None), "{far:?}");
            let mut bytes = Vec::new();
            sent.write(&mut bytes);
            assert_eq!(SenderRecord::read(&bytes).unwrap().0, sent);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_record_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let read = SenderRecord::read(&bytes);
            prop_assert_eq!(read.is_some(), bytes.len() >= RECORD_LEN);
        }
    }
}
