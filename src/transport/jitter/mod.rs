//! Jitter buffer for sound: packets come when the network likes, 20 ms are wanted whenever the speaker has room.
//!
//! Inputs: `handle_packet` from the network, `poll` from the player, `handle_stretched` from whoever stretched. Output:
//! what to play next and how fast. Delay is steered by *slack*, the time that packets lie here before they are wanted:
//! one in a hundred may have less than [`MARGIN`], no more is kept. Small errors, such as those of two clocks that do
//! not run alike, are met by a trim of the playing rate, larger ones by stretching.
//!
//! Bounded: at most [`MAX_HELD`] packets; above it the oldest is dropped, because sound that old is no conversation.

mod pace;

use std::collections::BTreeMap;
use std::time::Duration;

pub use pace::{MARGIN, Pace, Stretch};

use self::pace::Pacer;
use crate::media::{FrameId, Timestamp};

/// Time in one packet.
pub const BLOCK: Duration = Duration::from_millis(20);
/// Most packets that are held: half a second.
pub const MAX_HELD: usize = 25;
/// A gap longer than this is jumped over instead of made up for.
const LONGEST_GAP: u64 = 10;
/// Packets kept of a burst that comes when the network was away for longer than that: sound is live again at once.
const FRESH: usize = 2;
/// So many made-up blocks in a row are silence in any case.
const FADED: u32 = 25;

/// What to play in the next 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playout<T> {
    /// Nothing: nothing has come yet, or nothing for long.
    Silence,
    /// This packet.
    Play(T),
    /// Something like what went before: the packet is lost or late.
    Conceal,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterCounts {
    /// Packets played.
    pub played: u64,
    /// Blocks made up for packets that were lost or late.
    pub concealed: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets dropped because too many waited.
    pub dropped: u64,
    /// Sound that was left out or repeated so as to catch up or to wait.
    pub stretched: Duration,
}

/// The jitter buffer of one sender.
#[derive(Debug)]
pub struct JitterBuffer<T> {
    held: BTreeMap<u64, (T, Timestamp)>,
    /// Number of the packet that is wanted next.
    next: Option<u64>,
    /// Blocks made up while nothing at all was here: either their packets are lost, or all are late.
    stalled: u32,
    /// Blocks for which, after the network was away, only the newest packets are kept.
    settling: u32,
    last_poll: Timestamp,
    pacer: Pacer,
    counts: JitterCounts,
}

impl<T> Default for JitterBuffer<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            next: None,
            stalled: 0,
            settling: 0,
            last_poll: Timestamp::ZERO,
            pacer: Pacer::default(),
            counts: JitterCounts::default(),
        }
    }
}

impl<T> JitterBuffer<T> {
    /// Takes a packet.
    pub fn handle_packet(&mut self, id: FrameId, packet: T, now: Timestamp) {
        let number = self.extend(id);
        if let Some(next) = self.next
            && number < next
        {
            self.counts.late += 1;
            let behind = u32::try_from(next - 1 - number).unwrap_or(u32::MAX);
            let wanted = self.last_poll - BLOCK.saturating_mul(behind);
            self.pacer.note_late(now.since(wanted));
            return;
        }
        self.held.entry(number).or_insert((packet, now));
        while self.held.len() > MAX_HELD {
            self.held.pop_first();
            self.counts.dropped += 1;
            let oldest = self.held.first_key_value().map(|(&number, _)| number);
            if self.next.is_some() {
                self.next = oldest;
                self.pacer.shift_earlier(BLOCK);
            }
        }
    }

    /// What to play in the next 20 ms, and how. `wanted`: since when there has been room for them, which may be before packets came
    /// that are played now. That, and not when somebody noticed, moves on evenly, and so is what slack is measured by.
    pub fn poll(&mut self, wanted: Timestamp) -> (Playout<T>, Pace) {
        self.last_poll = wanted;
        let Some((&first, _)) = self.held.first_key_value() else {
            let playout = if self.next.is_none() || self.stalled >= FADED { Playout::Silence } else { self.conceal() };
            if self.next.is_some() {
                self.stalled = self.stalled.saturating_add(1);
            }
            return (playout, self.pacer.steady());
        };
        let next = self.settle_stall(first);
        if self.settling > 0 {
            self.settling -= 1;
            return self.poll_fresh();
        }
        if first > next && first - next <= LONGEST_GAP {
            self.next = Some(next + 1);
            return (self.conceal(), self.pacer.steady());
        }
        let Some((number, (packet, arrived))) = self.held.pop_first() else {
            return (Playout::Silence, self.pacer.steady());
        };
        self.next = Some(number + 1);
        self.counts.played += 1;
        self.pacer.note(wanted.millis_since(arrived) as f32);
        (Playout::Play(packet), self.pacer.decide())
    }

    /// The packet right behind the one that is to be concealed, if it is here already.
    #[must_use]
    pub fn following(&self) -> Option<&T> {
        self.next.and_then(|next| self.held.get(&next)).map(|(packet, _)| packet)
    }

    /// Packets are to lie here longer than their jitter asks for, by so much.
    pub fn set_extra(&mut self, extra: Duration) {
        self.pacer.set_extra(extra);
    }

    /// Tells by how much the last block was made longer, or shorter if `longer` is not so.
    pub fn handle_stretched(&mut self, by: Duration, longer: bool) {
        self.counts.stretched += by;
        if longer {
            self.pacer.shift_later(by);
        } else {
            self.pacer.shift_earlier(by);
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> JitterCounts {
        self.counts
    }

    /// Packets that wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Plays the oldest of the newest packets.
    fn poll_fresh(&mut self) -> (Playout<T>, Pace) {
        while self.held.len() > FRESH {
            self.held.pop_first();
            self.counts.dropped += 1;
        }
        let Some((number, (packet, _))) = self.held.pop_first() else {
            return (Playout::Silence, self.pacer.steady());
        };
        self.next = Some(number + 1);
        self.counts.played += 1;
        (Playout::Play(packet), self.pacer.steady())
    }

    fn conceal(&mut self) -> Playout<T> {
        self.counts.concealed += 1;
        Playout::Conceal
    }

    /// Now that `first` is here: what was made up in the meantime stands for packets that are lost; what is left of it
    /// has delayed everything behind. Gives the number that is wanted.
    fn settle_stall(&mut self, first: u64) -> u64 {
        let next = self.next.unwrap_or(first).min(first);
        let lost = u64::from(self.stalled).min(first - next);
        let delayed = self.stalled - lost as u32;
        if u64::from(delayed) > LONGEST_GAP {
            // The sender was away: what was known about the path is old.
            self.pacer.forget();
            self.settling = LONGEST_GAP as u32;
        } else {
            self.pacer.shift_later(BLOCK * delayed);
        }
        self.stalled = 0;
        next + lost
    }

    /// The number without its wrap-around, near the one that is expected.
    fn extend(&self, id: FrameId) -> u64 {
        const START: u64 = 1 << 32;
        let reference = self.next.or_else(|| self.held.first_key_value().map(|(&first, _)| first));
        match reference {
            None => START + u64::from(id.0),
            Some(reference) => {
                let ahead = id.0.wrapping_sub(reference as u32).cast_signed();
                reference.saturating_add_signed(i64::from(ahead))
            }
        }
    }
}

#[cfg(test)]
mod tests;
