//! Puts frames of one sender's stream together from packets that come in any order, twice, or never.
//!
//! Bounded: at most [`MAX_PARTIAL`] frames and [`MAX_PARTIAL_BYTES`] are held, none longer than [`MAX_AGE`]. Whole frames
//! come out in order. One that is predicted from what came out already waits for nothing: those before it are given up.
//! Any other waits for them, but only so long ([`Reassembler::new`]).
//!
//! Nothing here is authenticated yet, so a frame number from far away moves nothing: see [`far`].

mod far;

use std::collections::BTreeMap;
use std::time::Duration;

use self::far::Far;
use crate::media::{FrameId, RecentFrames, Timestamp};
use crate::wire::packet::{FrameHeader, PacketHeader};

/// Frames held at one time.
pub const MAX_PARTIAL: usize = 32;
/// Bytes held at one time.
pub const MAX_PARTIAL_BYTES: usize = 4 << 20;
/// Longest time that a frame's packets are held.
pub const MAX_AGE: Duration = Duration::from_millis(400);

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its header.
    pub header: FrameHeader,
    /// Its sealed bytes.
    pub sealed: Vec<u8>,
    /// When its first packet came.
    pub first_packet: Timestamp,
    /// When it was whole.
    pub complete: Timestamp,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Frames that never became whole, or whose every packet was lost.
    pub lost: u64,
    /// Packets that contradict others of their frame.
    pub contradictory: u64,
    /// Packets of frames that were given out or given up already.
    pub late: u64,
}

struct Partial {
    header: FrameHeader,
    parts: Vec<Option<Box<[u8]>>>,
    missing: u16,
    bytes: usize,
    first_packet: Timestamp,
    complete: Option<Timestamp>,
}

/// A packet does not fit the others of its frame.
#[derive(Debug, PartialEq, Eq)]
struct Contradiction;

impl Partial {
    fn new(header: &PacketHeader, now: Timestamp) -> Self {
        Self {
            header: header.frame,
            parts: vec![None; usize::from(header.fragments)],
            missing: header.fragments,
            bytes: 0,
            first_packet: now,
            complete: None,
        }
    }

    /// Takes a packet. Gives how many bytes are held more.
    fn add(&mut self, header: &PacketHeader, payload: &[u8], now: Timestamp) -> Result<usize, Contradiction> {
        if self.header != header.frame || self.parts.len() != usize::from(header.fragments) {
            return Err(Contradiction);
        }
        let part = &mut self.parts[usize::from(header.fragment)];
        if part.is_some() {
            return Ok(0);
        }
        *part = Some(payload.into());
        self.missing -= 1;
        self.bytes += payload.len();
        if self.missing == 0 {
            self.complete = Some(now);
        }
        Ok(payload.len())
    }
}

/// One stream of one sender.
pub struct Reassembler {
    patience: Duration,
    /// Frames from `next` on, by their distance from the stream's first frame.
    partial: BTreeMap<u64, Partial>,
    next: Option<u64>,
    /// Frames that came out.
    given: RecentFrames,
    /// When the last packet near `next` came.
    heard: Timestamp,
    far: Far,
    held_bytes: usize,
    losses: Losses,
}

impl Reassembler {
    /// A reassembler that holds a whole frame back at most `patience` for the frames before it.
    #[must_use]
    pub const fn new(patience: Duration) -> Self {
        Self {
            patience,
            partial: BTreeMap::new(),
            next: None,
            given: RecentFrames::new(),
            heard: Timestamp::ZERO,
            far: Far::new(),
            held_bytes: 0,
            losses: Losses { lost: 0, contradictory: 0, late: 0 },
        }
    }

    /// From now on a whole frame is held back at most `patience`.
    pub const fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Takes a packet of this stream.
    pub fn handle_packet(&mut self, header: PacketHeader, payload: &[u8], now: Timestamp) {
        let number = self.extend(header.frame.id);
        if !self.is_near(number) {
            self.handle_far(number, header, payload, now);
            return;
        }
        self.heard = now;
        if self.next.is_some_and(|next| number < next) {
            self.losses.late += 1;
            return;
        }
        let partial = self.partial.entry(number).or_insert_with(|| Partial::new(&header, now));
        match partial.add(&header, payload, now) {
            Ok(added) => self.held_bytes += added,
            Err(Contradiction) => self.losses.contradictory += 1,
        }
        self.stay_bounded();
    }

    /// Takes a packet whose number is far from those that are expected, and follows it there if that is where the stream
    /// is now.
    fn handle_far(&mut self, number: u64, header: PacketHeader, payload: &[u8], now: Timestamp) {
        if self.far.add(number, &header, payload, now) == Err(Contradiction) {
            self.losses.contradictory += 1;
        }
        if now.since(self.heard) >= far::SILENCE
            && let Some(first) = self.far.run_through(number)
        {
            self.losses.lost += self.reference().map_or(0, |expected| first.saturating_sub(expected));
            self.partial = self.far.take_from(first);
            self.held_bytes = self.partial.values().map(|partial| partial.bytes).sum();
            self.next = Some(first);
            self.heard = now;
        }
        self.stay_bounded();
    }

    /// Within the limits; what is far away goes first.
    fn stay_bounded(&mut self) {
        loop {
            let (bytes, frames) = self.held();
            if bytes <= MAX_PARTIAL_BYTES && frames <= MAX_PARTIAL {
                return;
            }
            if !self.far.forget_oldest() {
                self.give_up_first();
            }
        }
    }

    /// The next frame in order, if it is whole; one behind it that needs none of those before it; or the next that is whole,
    /// if those before it have been waited for long enough.
    pub fn poll_frame(&mut self, now: Timestamp) -> Option<Frame> {
        loop {
            let (&first, partial) = self.partial.first_key_value()?;
            if partial.complete.is_some() && self.next.is_none_or(|next| next == first) {
                return self.give_out(first);
            }
            if let Some(number) = self.first_decodable() {
                return self.give_out(number);
            }
            if let Some(complete) = partial.complete {
                return (now.since(complete) >= self.patience).then(|| self.give_out(first)).flatten();
            }
            // The first is not whole. Is a later one, and has it waited long enough?
            let overtaken = self
                .partial
                .values()
                .any(|later| later.complete.is_some_and(|complete| now.since(complete) >= self.patience));
            if !overtaken && now.since(partial.first_packet) < MAX_AGE {
                return None;
            }
            self.give_up_first();
        }
    }

    /// The first whole frame that is predicted from what came out, or from nothing.
    fn first_decodable(&self) -> Option<u64> {
        let is_ready = |partial: &Partial| {
            let reference = partial.header.reference();
            partial.complete.is_some() && reference.is_none_or(|reference| self.given.contains(reference))
        };
        self.partial.iter().find(|(_, partial)| is_ready(partial)).map(|(&number, _)| number)
    }

    /// When [`Reassembler::poll_frame`] should be asked again though no packet came: a frame's patience or age runs out.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = |partial: &Partial| match partial.complete {
            Some(complete) => complete + self.patience,
            None => partial.first_packet + MAX_AGE,
        };
        self.partial.values().map(due).min()
    }

    /// What was lost so far.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }

    /// Bytes and frames held now.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        let (bytes, frames) = self.far.held();
        (self.held_bytes + bytes, self.partial.len() + frames)
    }

    fn give_out(&mut self, number: u64) -> Option<Frame> {
        while self.partial.first_key_value().is_some_and(|(&first, _)| first < number) {
            self.give_up_first();
        }
        let partial = self.partial.remove(&number)?;
        self.held_bytes -= partial.bytes;
        self.given.insert(partial.header.id);
        if let Some(next) = self.next {
            self.losses.lost += number - next;
        }
        self.next = Some(number + 1);
        let mut sealed = Vec::with_capacity(partial.bytes);
        for part in partial.parts.into_iter().flatten() {
            sealed.extend_from_slice(&part);
        }
        let complete = partial.complete?;
        Some(Frame { header: partial.header, sealed, first_packet: partial.first_packet, complete })
    }

    fn give_up_first(&mut self) {
        if let Some((number, partial)) = self.partial.pop_first() {
            self.held_bytes -= partial.bytes;
            self.losses.lost += 1 + number - self.next.unwrap_or(number);
            self.next = Some(number + 1);
        }
    }

    /// The number that is expected, or the first that came.
    fn reference(&self) -> Option<u64> {
        self.next.or_else(|| self.partial.first_key_value().map(|(&first, _)| first))
    }

    /// Whether a frame of this number may come now: one that is a little ahead, or late.
    fn is_near(&self, number: u64) -> bool {
        self.reference()
            .is_none_or(|reference| number <= reference + MAX_PARTIAL as u64 && number + far::LATE >= reference)
    }

    /// The frame number without its wrap-around, near the one that is expected. Numbers before the first one seen fall
    /// below it and are late.
    fn extend(&self, id: FrameId) -> u64 {
        const START: u64 = 1 << 48;
        match self.reference() {
            None => START + u64::from(id.0),
            Some(reference) => {
                let ahead = id.0.wrapping_sub(reference as u32).cast_signed();
                reference.saturating_add_signed(i64::from(ahead))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{LeafIndex, Stream};
    use crate::transport::packetise::packetise;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    fn header(id: u32) -> FrameHeader {
        FrameHeader { leaf: LeafIndex(1), stream: Stream::Video, back: u8::from(id != 0), id: FrameId(id) }
    }

    fn frame_bytes(id: u32) -> Vec<u8> {
        (0..500 + id as usize * 37 % 5000).map(|at| (at as u8) ^ id as u8).collect()
    }

    fn packets(id: u32) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        packetise(header(id), &frame_bytes(id), 1150, |_, packet| packets.push(packet));
        packets
    }

    fn feed(reassembler: &mut Reassembler, packet: &[u8], now: Timestamp) {
        if let Some((header, payload)) = PacketHeader::read(packet) {
            reassembler.handle_packet(header, payload, now);
        }
    }

    fn feed_all(reassembler: &mut Reassembler, id: u32, now: Timestamp) {
        for packet in packets(id) {
            feed(reassembler, &packet, now);
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(1) + Duration::from_millis(millis)
    }

    #[test]
    fn a_frame_is_out_with_its_last_packet() {
        let mut reassembler = Reassembler::new(PATIENCE);
        for id in 0..5 {
            for packet in packets(id) {
                assert!(reassembler.poll_frame(at(1)).is_none());
                feed(&mut reassembler, &packet, at(1));
            }
            assert_eq!(reassembler.poll_frame(at(1)).unwrap().sealed, frame_bytes(id));
        }
        assert_eq!((reassembler.losses(), reassembler.held()), (Losses::default(), (0, 0)));
    }

    #[test]
    fn a_late_frame_is_waited_for_but_not_for_long() {
        let mut reassembler = Reassembler::new(PATIENCE);
        feed_all(&mut reassembler, 0, at(0));
        assert!(reassembler.poll_frame(at(0)).is_some());
        feed_all(&mut reassembler, 2, at(0));
        assert!(reassembler.poll_frame(at(19)).is_none());
        assert_eq!(reassembler.poll_timeout(), Some(at(20)));
        assert_eq!(reassembler.poll_frame(at(20)).unwrap().header.id, FrameId(2));
        feed_all(&mut reassembler, 1, at(21));
        assert!(reassembler.poll_frame(at(100)).is_none());
        assert_eq!(reassembler.losses().lost, 1);
    }

    #[test]
    fn a_frame_that_needs_none_of_the_missing_ones_waits_for_none() {
        let mut reassembler = Reassembler::new(PATIENCE);
        let feed_with = |reassembler: &mut Reassembler, id: u32, back: u8| {
            let header = FrameHeader { back, ..header(id) };
            let mut packets = Vec::new();
            packetise(header, &frame_bytes(id), 1150, |_, packet| packets.push(packet));
            for packet in packets {
                feed(reassembler, &packet, at(0));
            }
        };
        feed_all(&mut reassembler, 0, at(0));
        assert_eq!(out(&mut reassembler, at(0)), [0]);
        // 1 is lost, 2 is predicted from it, 3 from 0.
        feed_with(&mut reassembler, 2, 1);
        assert_eq!(out(&mut reassembler, at(0)), [0_u32; 0]);
        feed_with(&mut reassembler, 3, 3);
        feed_with(&mut reassembler, 4, 1);
        assert_eq!(out(&mut reassembler, at(0)), [3, 4]);
        // A keyframe neither.
        feed_with(&mut reassembler, 6, 0);
        assert_eq!(out(&mut reassembler, at(0)), [6]);
        assert_eq!((reassembler.losses().lost, reassembler.held()), (3, (0, 0)));
    }

    #[test]
    fn a_frame_on_the_slower_way_is_waited_for_while_the_way_changes() {
        let mut reassembler = Reassembler::new(PATIENCE);
        feed_all(&mut reassembler, 0, at(0));
        assert!(reassembler.poll_frame(at(0)).is_some());
        reassembler.set_patience(Duration::from_millis(250));
        feed_all(&mut reassembler, 2, at(0));
        assert!(reassembler.poll_frame(at(150)).is_none());
        feed_all(&mut reassembler, 1, at(150));
        let order: Vec<_> =
            std::iter::from_fn(|| reassembler.poll_frame(at(150))).map(|frame| frame.header.id.0).collect();
        assert_eq!((order, reassembler.losses()), (vec![1, 2], Losses::default()));
    }

    #[test]
    fn numbers_wrap_around() {
        let mut reassembler = Reassembler::new(PATIENCE);
        for id in [u32::MAX - 1, u32::MAX, 0, 1] {
            feed_all(&mut reassembler, id, at(0));
            assert_eq!(reassembler.poll_frame(at(0)).unwrap().header.id, FrameId(id));
        }
        assert_eq!(reassembler.losses(), Losses::default());
    }

    /// What anybody on the way can make: a whole frame of one packet.
    fn forge(reassembler: &mut Reassembler, id: u32, now: Timestamp) {
        let packet = PacketHeader { frame: header(id), fragment: 0, fragments: 1, number: id };
        reassembler.handle_packet(packet, b"forged", now);
    }

    fn out(reassembler: &mut Reassembler, now: Timestamp) -> Vec<u32> {
        std::iter::from_fn(|| reassembler.poll_frame(now)).map(|frame| frame.header.id.0).collect()
    }

    #[test]
    fn a_stream_that_goes_on_elsewhere_after_a_silence_is_followed_with_all_its_frames() {
        let mut reassembler = Reassembler::new(PATIENCE);
        feed_all(&mut reassembler, 0, at(0));
        assert_eq!(out(&mut reassembler, at(0)), [0]);
        for id in [100, 101] {
            feed_all(&mut reassembler, id, at(2000));
            assert_eq!(out(&mut reassembler, at(2000)), [0_u32; 0], "two frames may be forged by chance");
        }
        feed_all(&mut reassembler, 102, at(2001));
        assert_eq!(out(&mut reassembler, at(2001)), [100, 101, 102]);
        feed_all(&mut reassembler, 103, at(2002));
        assert_eq!(out(&mut reassembler, at(2002)), [103]);
        assert_eq!((reassembler.losses().lost, reassembler.held()), (99, (0, 0)));
    }

    #[test]
    fn a_stream_that_was_forged_away_in_a_silence_comes_back() {
        let mut reassembler = Reassembler::new(PATIENCE);
        feed_all(&mut reassembler, 0, at(0));
        assert_eq!(out(&mut reassembler, at(0)), [0]);
        for id in 1_000_000..1_000_003 {
            forge(&mut reassembler, id, at(1500));
        }
        assert_eq!(out(&mut reassembler, at(1500)).len(), 3);
        for id in 1..200 {
            feed_all(&mut reassembler, id, at(1500 + u64::from(id) * 33));
        }
        assert_eq!(out(&mut reassembler, at(9000)).last(), Some(&199));
    }

    proptest! {
        #[test]
        fn forged_numbers_from_far_away_cost_no_frame(
            forged in proptest::collection::vec((MAX_PARTIAL as u32 + 100..u32::MAX - 2000, 0_u32..50, 1_u32..8), 1..60),
        ) {
            let mut reassembler = Reassembler::new(PATIENCE);
            for id in 0..50 {
                feed_all(&mut reassembler, id, at(u64::from(id) * 33));
                let now = at(u64::from(id) * 33 + 5);
                prop_assert_eq!(out(&mut reassembler, now), [id]);
                for (first, _, frames) in forged.iter().filter(|(_, after, _)| *after == id) {
                    for forged in *first..first + frames {
                        forge(&mut reassembler, forged, now);
                    }
                }
                prop_assert!(reassembler.held().1 <= MAX_PARTIAL);
                prop_assert_eq!(out(&mut reassembler, now), [0_u32; 0]);
            }
            prop_assert_eq!(reassembler.losses(), Losses::default());
        }

        #[test]
        fn whatever_the_network_does_no_wrong_frame_comes_out(
            steps in proptest::collection::vec((0_u32..60, any::<prop::sample::Index>(), 0_u64..3000, any::<bool>(), 0_u8..20), 1..300),
        ) {
            let mut reassembler = Reassembler::new(PATIENCE);
            let mut now = 0;
            let mut last = None;
            for (id, which, pause, duplicate, cut) in steps {
                now += pause / 100;
                let packets = packets(id);
                let packet = which.get(&packets);
                feed(&mut reassembler, packet, at(now));
                if duplicate {
                    feed(&mut reassembler, packet, at(now));
                }
                // A packet cut short in its header is none.
                feed(&mut reassembler, &packet[..usize::from(cut).min(16)], at(now));
                while let Some(frame) = reassembler.poll_frame(at(now)) {
                    prop_assert_eq!(&frame.sealed, &frame_bytes(frame.header.id.0));
                    prop_assert!(last.is_none_or(|last| last < frame.header.id));
                    last = Some(frame.header.id);
                }
                let (bytes, frames) = reassembler.held();
                prop_assert!(bytes <= MAX_PARTIAL_BYTES && frames <= MAX_PARTIAL);
            }
        }

        #[test]
        fn hostile_packets_stay_bounded(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 16..60), 1..300)) {
            let mut reassembler = Reassembler::new(PATIENCE);
            for (step, mut packet) in packets.into_iter().enumerate() {
                packet[0] = 1 << 4;
                packet[2] = 1;
                packet[3] &= 1;
                feed(&mut reassembler, &packet, at(step as u64));
                while reassembler.poll_frame(at(step as u64)).is_some() {}
                prop_assert!(reassembler.held().1 <= MAX_PARTIAL);
            }
        }
    }
}
