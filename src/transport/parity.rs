//! Parity over the last packets of several frames: made where they are sent, used where one of them is missing.
//!
//! Each parity packet is the exclusive or of every `apart`-th of the last packets, so that a burst of losses takes at most one
//! from each, and one is what it can replace; what is missing from several is found one after the other. Whoever makes parity
//! up makes packets up, as he could without it: what comes of that does not open.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::media::{LeafIndex, Stream};
use crate::wire::packet::{FrameHeader, HEADER_LEN, PacketHeader};
use crate::wire::parity::{EXTRA_LEN, MAX_COVERED, Parity, Part};

/// Furthest apart that covered packets are.
pub const MAX_APART: usize = 8;
/// Packets remembered on either side: what one parity packet reaches back over, and what may come in between.
const REMEMBERED: usize = MAX_COVERED * MAX_APART + 32;
/// Parity packets that wait because more than one packet is missing. Full: the oldest makes room.
pub const MOST_WAITING: usize = 16;
/// Longest packet that is remembered; longer ones are not covered.
const MAX_PACKET_LEN: usize = 1_452;

/// How parity is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Packets that one covers, and that are sent before the next: 1 to [`MAX_COVERED`]. Without a common
    /// divisor with `apart`, each packet is covered once.
    pub each: usize,
    /// Distance of the covered packets: 1 to [`MAX_APART`].
    pub apart: usize,
}

/// Makes parity where packets are sent.
#[derive(Debug, Default)]
pub struct ParityMaker {
    /// The newest last.
    recent: VecDeque<(Part, Bytes)>,
    since: usize,
}

impl ParityMaker {
    /// A packet is sent for the first time. Gives the parity that is to follow, if it is time for one; it has no number yet
    /// and is no longer than `max_len`.
    pub fn handle_packet(
        &mut self,
        part: Part,
        packet: Bytes,
        spread: Option<Spread>,
        max_len: usize,
    ) -> Option<Parity> {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((part, packet));
        self.since += 1;
        let Spread { each, apart } = spread.filter(|spread| self.since >= spread.each)?;
        self.since = 0;
        let fits = |packet: &Bytes| Parity::len(each, packet.len()) <= max_len;
        let is_near = |it: &Part| part.frame.0.wrapping_sub(it.frame.0) <= 255;
        let covered = |(it, packet): &&(Part, Bytes)| fits(packet) && is_near(it);
        // None of the very last ones: a burst would take them and the parity.
        let newest_first = self.recent.iter().rev().skip(apart - 1).step_by(apart).take(each).filter(covered);
        let mut parity: Option<Parity> = None;
        for (part, packet) in newest_first {
            let Some((header, payload)) = PacketHeader::read(packet) else { continue };
            let parity = parity.get_or_insert_with(|| Parity {
                leaf: header.frame.leaf,
                number: 0,
                covered: Vec::with_capacity(each),
                lengths: 0,
                sum: Vec::new(),
            });
            parity.covered.push(*part);
            parity.lengths ^= payload.len() as u16;
            add(&mut parity.sum, &extra(&header), payload);
        }
        parity.map(|mut parity| {
            parity.covered.reverse();
            parity
        })
    }
}

/// A packet that did not come and was rebuilt from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its header, without a number.
    pub header: PacketHeader,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// Parity of which more than one packet is missing.
#[derive(Debug)]
struct Unsolved {
    missing: Vec<Part>,
    lengths: u16,
    sum: Vec<u8>,
}

impl Unsolved {
    /// Takes a packet out that is here.
    fn take_out(&mut self, known: &Known) {
        if let Some(at) = self.missing.iter().position(|part| *part == known.part) {
            self.missing.swap_remove(at);
            self.lengths ^= known.payload.len() as u16;
            add(&mut self.sum, &known.extra, &known.payload);
        }
    }

    /// The one packet that is missing. `None`: the parity was not made of real packets.
    fn rebuild(self, leaf: LeafIndex) -> Option<Rebuilt> {
        let [part] = *self.missing.as_slice() else { return None };
        let (extra, rest) = self.sum.split_first_chunk::<EXTRA_LEN>()?;
        let (payload, beyond) = rest.split_at_checked(usize::from(self.lengths))?;
        let [back, c0, c1] = *extra;
        let frame = FrameHeader { leaf, stream: Stream::Video, back, id: part.frame };
        let header =
            PacketHeader { frame, fragment: part.fragment, fragments: u16::from_be_bytes([c0, c1]), number: 0 };
        let is_one = header.is_valid() && !payload.is_empty() && beyond.iter().all(|byte| *byte == 0);
        is_one.then(|| Rebuilt { header, payload: payload.to_vec() })
    }
}

/// A packet that is here.
#[derive(Debug)]
struct Known {
    part: Part,
    extra: [u8; EXTRA_LEN],
    payload: Vec<u8>,
}

/// Rebuilds packets of one sender where they are received.
#[derive(Debug, Default)]
pub struct Rebuilder {
    /// The newest last; buffers are used again.
    recent: VecDeque<Known>,
    waiting: VecDeque<Unsolved>,
}

impl Rebuilder {
    /// A video packet has come. Gives what can be rebuilt with it.
    pub fn handle_packet(&mut self, header: &PacketHeader, payload: &[u8]) -> Vec<Rebuilt> {
        if HEADER_LEN + payload.len() <= MAX_PACKET_LEN {
            self.remember(header, payload);
        }
        self.solve(header.frame.leaf)
    }

    /// Parity has come. Gives what can be rebuilt with it.
    pub fn handle_parity(&mut self, parity: Parity) -> Vec<Rebuilt> {
        let Parity { leaf, covered, lengths, sum, .. } = parity;
        if sum.len() > MAX_PACKET_LEN {
            return Vec::new();
        }
        let mut unsolved = Unsolved { missing: covered, lengths, sum };
        for known in &self.recent {
            unsolved.take_out(known);
        }
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(unsolved);
        self.solve(leaf)
    }

    /// Parity packets that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn solve(&mut self, leaf: LeafIndex) -> Vec<Rebuilt> {
        let mut solved = Vec::new();
        loop {
            self.waiting.retain(|unsolved| !unsolved.missing.is_empty());
            let Some(at) = self.waiting.iter().position(|unsolved| unsolved.missing.len() == 1) else { return solved };
            if let Some(rebuilt) = self.waiting.remove(at).and_then(|unsolved| unsolved.rebuild(leaf)) {
                self.remember(&rebuilt.header, &rebuilt.payload);
                solved.push(rebuilt);
            }
        }
    }

    /// Keeps a packet that is here, unless it is kept already, and takes it out of the parity that waits.
    fn remember(&mut self, header: &PacketHeader, payload: &[u8]) {
        let part = Part { frame: header.frame.id, fragment: header.fragment };
        if self.recent.iter().rev().any(|known| known.part == part) {
            return;
        }
        let full = self.recent.len() == REMEMBERED;
        let oldest = if full { self.recent.pop_front() } else { None };
        let mut buffer = oldest.map(|known| known.payload).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(payload);
        let known = Known { part, extra: extra(header), payload: buffer };
        for unsolved in &mut self.waiting {
            unsolved.take_out(&known);
        }
        self.recent.push_back(known);
    }
}

/// What a packet says beyond which one it is, in front of its payload.
fn extra(header: &PacketHeader) -> [u8; EXTRA_LEN] {
    let [c0, c1] = header.fragments.to_be_bytes();
    [header.frame.back, c0, c1]
}

/// Exclusive or; the shorter counts as if zeros followed.
fn add(sum: &mut Vec<u8>, extra: &[u8], payload: &[u8]) {
    sum.resize(sum.len().max(extra.len() + payload.len()), 0);
    sum.iter_mut().zip(extra.iter().chain(payload)).for_each(|(sum, byte)| *sum ^= byte);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FrameId;
    use crate::transport::packetise::packetise;
    use proptest::prelude::*;

    const MAX_LEN: usize = 1_200;

    /// Packets of so many frames, from a number near the wrap-around on.
    fn packets(frames: u32) -> Vec<(Part, Bytes)> {
        let mut packets = Vec::new();
        for n in 0..frames {
            let id = FrameId((u32::MAX - 5).wrapping_add(n));
            let frame = FrameHeader { leaf: LeafIndex(1), stream: Stream::Video, back: u8::from(n > 0), id };
            let sealed: Vec<u8> = (0..300 + n * 997 % 3_000).map(|at| (at * 7 + n) as u8).collect();
            packetise(frame, &sealed, MAX_LEN - 60, |fragment, packet| {
                packets.push((Part { frame: id, fragment }, Bytes::from(packet)));
            });
        }
        packets
    }

    enum Sent {
        Media(usize),
        Parity(Parity),
    }

    fn send(packets: &[(Part, Bytes)], spread: Spread) -> Vec<Sent> {
        let (mut maker, mut sent) = (ParityMaker::default(), Vec::new());
        for (at, (part, packet)) in packets.iter().enumerate() {
            sent.push(Sent::Media(at));
            let parity = maker.handle_packet(*part, packet.clone(), Some(spread), MAX_LEN);
            sent.extend(parity.map(|parity| {
                let bytes = parity.to_bytes();
                assert!(bytes.len() <= MAX_LEN);
                Sent::Parity(Parity::read(&bytes).unwrap())
            }));
        }
        sent
    }

    /// Which packets the other side has, and whether all that it rebuilt is as it was sent.
    fn receive(packets: &[(Part, Bytes)], sent: Vec<Sent>, lost: impl Fn(usize) -> bool) -> Vec<bool> {
        let (mut rebuilder, mut has) = (Rebuilder::default(), vec![false; packets.len()]);
        for (_, sent) in sent.into_iter().enumerate().filter(|(at, _)| !lost(*at)) {
            let rebuilt = match sent {
                Sent::Media(at) => {
                    has[at] = true;
                    let (header, payload) = PacketHeader::read(&packets[at].1).unwrap();
                    rebuilder.handle_packet(&header, payload)
                }
                Sent::Parity(parity) => rebuilder.handle_parity(parity),
            };
            for Rebuilt { header, payload } in rebuilt {
                let part = Part { frame: header.frame.id, fragment: header.fragment };
                let at = packets.iter().position(|(it, _)| *it == part).unwrap();
                assert_eq!([header.to_bytes().as_slice(), &payload].concat(), packets[at].1);
                assert!(!std::mem::replace(&mut has[at], true), "rebuilt though it was there");
            }
            assert!(rebuilder.waiting() <= MOST_WAITING && rebuilder.recent.len() <= REMEMBERED);
        }
        has
    }

    fn spread() -> impl Strategy<Value = Spread> {
        let once = |(each, apart): &(usize, usize)| (2..=*apart).all(|n| each % n != 0 || apart % n != 0);
        let pairs = (1..=MAX_COVERED, 1..=MAX_APART).prop_filter("each packet is covered once", once);
        pairs.prop_map(|(each, apart)| Spread { each, apart })
    }

    proptest! {
        /// Wherever it begins, and parity may be among what is lost.
        #[test]
        fn a_burst_no_longer_than_packets_are_apart_is_rebuilt(spread in spread(), begin in 0_usize..150) {
            let packets = packets(150);
            let sent = send(&packets, spread);
            let lost = begin..begin + spread.apart;
            let has = receive(&packets, sent, |at| lost.contains(&at));
            prop_assert!(has[..200].iter().all(|has| *has), "{spread:?} {lost:?}");
        }

        #[test]
        fn beyond_its_strength_nothing_wrong_comes_out(
            spread in spread(),
            fates in proptest::collection::vec(0_u8..100, 300),
            loss in 0_u8..60,
        ) {
            let packets = packets(100);
            let sent = send(&packets, spread);
            // What comes out is compared with what was sent inside.
            receive(&packets, sent, |at| fates.get(at).is_some_and(|fate| *fate < loss));
        }

        #[test]
        fn forged_parity_gives_packets_that_fit_or_none(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 20..200), 1_u8..5, any::<bool>()), 1..60),
        ) {
            let mut rebuilder = Rebuilder::default();
            for (mut bytes, count, parity) in pieces {
                let kind = 1 << 4 | u8::from(parity);
                (bytes[0], bytes[1], bytes[2], bytes[3], bytes[16]) = (kind, 1, 1, count, 0);
                bytes[4..8].fill(0);
                bytes[8..12].copy_from_slice(&[0, count - 1, 0, count]);
                let rebuilt = if parity {
                    bytes[10..12].fill(0);
                    Parity::read(&bytes).map(|parity| rebuilder.handle_parity(parity))
                } else {
                    PacketHeader::read(&bytes).map(|(header, payload)| rebuilder.handle_packet(&header, payload))
                };
                for Rebuilt { header, payload } in rebuilt.into_iter().flatten() {
                    let packet = [header.to_bytes().as_slice(), &payload].concat();
                    prop_assert_eq!(PacketHeader::read(&packet), Some((header, payload.as_slice())));
                }
                prop_assert!(rebuilder.waiting() <= MOST_WAITING && rebuilder.recent.len() <= REMEMBERED);
            }
        }
    }

    #[test]
    fn without_a_spread_there_is_no_parity() {
        let mut maker = ParityMaker::default();
        for (part, packet) in packets(50) {
            assert_eq!(maker.handle_packet(part, packet, None, MAX_LEN), None);
        }
        assert!(maker.recent.len() <= REMEMBERED);
    }
}
