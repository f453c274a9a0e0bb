//! When packets arrived, told back to their sender: what congestion control lives on.
//!
//! ```text
//! 0–3    number of the first packet spoken of
//! 4–11   arrival of the earliest one, in ticks of the receiver's clock
//! 12–13  ticks from the newest arrival to the sending of this
//! 14…    two bytes a packet: ticks after the earliest, or ffff: not arrived (yet)
//! ```
//! All big-endian. Reports overlap, so that a lost one leaves no gap.

use std::time::Duration;

/// Most packets that one report speaks of.
pub const MAX_REPORTED: usize = 480;
/// Unit of its times.
pub const TICK: Duration = Duration::from_micros(32);

const HEADER_LEN: usize = 14;
const MISSING: u16 = u16::MAX;

/// Arrival times of a run of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Number of the first.
    pub first: u32,
    /// Ticks of the receiver's clock at the earliest arrival.
    pub earliest: u64,
    /// Ticks from the newest arrival to the sending of this.
    pub held: u16,
    /// For each packet from the first on: ticks after the earliest arrival, or nothing if it has not arrived. At most
    /// [`MAX_REPORTED`], at least one, each below `u16::MAX`.
    pub arrivals: Vec<Option<u16>>,
}

impl Feedback {
    /// Appends the bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.earliest.to_be_bytes());
        out.extend_from_slice(&self.held.to_be_bytes());
        for arrival in self.arrivals.iter().take(MAX_REPORTED) {
            out.extend_from_slice(&arrival.unwrap_or(MISSING).to_be_bytes());
        }
    }

    /// Reads a report. `None` for what is not one.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (header, entries) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let (first, times) = header.split_first_chunk::<4>()?;
        let (earliest, held) = times.split_first_chunk::<8>()?;
        let (entries, rest) = entries.as_chunks::<2>();
        if entries.is_empty() || entries.len() > MAX_REPORTED || !rest.is_empty() {
            return None;
        }
        let arrival = |entry: &[u8; 2]| Some(u16::from_be_bytes(*entry)).filter(|ticks| *ticks != MISSING);
        Some(Self {
            first: u32::from_be_bytes(*first),
            earliest: u64::from_be_bytes(*earliest),
            held: u16::from_be_bytes(held.try_into().ok()?),
            arrivals: entries.iter().map(arrival).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            first: u32,
            earliest: u64,
            held: u16,
            arrivals in proptest::collection::vec(proptest::option::of(0..u16::MAX), 1..MAX_REPORTED),
        ) {
            let feedback = Feedback { first, earliest, held, arrivals };
            let mut bytes = Vec::new();
            feedback.write(&mut bytes);
            prop_assert_eq!(Feedback::read(&bytes), Some(feedback));
        }

        #[test]
        fn any_bytes_give_a_report_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
            if let Some(feedback) = Feedback::read(&bytes) {
                let mut again = Vec::new();
                feedback.write(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
