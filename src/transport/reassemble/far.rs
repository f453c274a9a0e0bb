//! Frames whose numbers are far from those that are expected.
//!
//! Such a number is a forgery, or the stream went on while nothing came. Nobody can tell before the frame is opened, so
//! they are kept aside. The reassembler follows them once [`RUN`] frames in a row have come whole and nothing has come of
//! where it was for [`SILENCE`]: a forged packet alone makes no real frame late.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Contradiction, Partial};
use crate::media::Timestamp;
use crate::wire::packet::PacketHeader;

/// Whole frames in a row.
const RUN: u64 = 3;
/// How long nothing has come of where the stream was.
pub const SILENCE: Duration = Duration::from_secs(1);
/// A frame this much behind is late and not far away: no network holds packets back for so long.
pub const LATE: u64 = 1024;

/// What is kept aside. Its owner keeps it bounded.
pub struct Far {
    partial: BTreeMap<u64, Partial>,
    bytes: usize,
}

impl Far {
    pub const fn new() -> Self {
        Self { partial: BTreeMap::new(), bytes: 0 }
    }

    /// Takes a packet.
    pub fn add(
        &mut self,
        number: u64,
        header: &PacketHeader,
        payload: &[u8],
        now: Timestamp,
    ) -> Result<(), Contradiction> {
        let partial = self.partial.entry(number).or_insert_with(|| Partial::new(header, now));
        self.bytes += partial.add(header, payload, now)?;
        Ok(())
    }

    /// The first number of a long enough run of whole frames that the frame `number` belongs to.
    pub fn run_through(&self, number: u64) -> Option<u64> {
        let is_whole = |number: &u64| self.partial.get(number).is_some_and(|partial| partial.complete.is_some());
        let before = (1..=number).map(|back| number - back).take_while(is_whole).count() as u64;
        let from_here = (number..=u64::MAX).take_while(is_whole).count() as u64;
        (from_here > 0 && before + from_here >= RUN).then(|| number - before)
    }

    /// The frames from `first` on, as far as they belong together; the others are forgotten.
    pub fn take_from(&mut self, first: u64) -> BTreeMap<u64, Partial> {
        self.bytes = 0;
        let mut taken = std::mem::take(&mut self.partial);
        taken.retain(|number, _| (first..=first.saturating_add(super::MAX_PARTIAL as u64)).contains(number));
        taken
    }

    /// Forgets the frame that came first; false if there is none.
    pub fn forget_oldest(&mut self) -> bool {
        let oldest = self.partial.iter().min_by_key(|(_, partial)| partial.first_packet).map(|(&number, _)| number);
        let Some(partial) = oldest.and_then(|number| self.partial.remove(&number)) else { return false };
        self.bytes -= partial.bytes;
        true
    }

    /// Bytes and frames kept aside.
    pub fn held(&self) -> (usize, usize) {
        (self.bytes, self.partial.len())
    }
}
