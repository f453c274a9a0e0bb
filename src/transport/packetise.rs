//! Cuts a sealed frame into packets that fit a path, and numbers them when they leave.

use crate::wire::packet::{FrameHeader, HEADER_LEN, MAX_FRAGMENTS, NUMBER_AT, PacketHeader};

/// Smallest packet that a path may ask for.
pub const MIN_PACKET_LEN: usize = HEADER_LEN + 64;

/// Cuts `sealed` into packets of at most `max_len` bytes, of nearly equal size, and hands each to `take`: which part of the
/// frame it is, and its bytes, which have no number yet. Gives how many there are; 0 if the frame is empty or would need more
/// than [`MAX_FRAGMENTS`].
pub fn packetise(frame: FrameHeader, sealed: &[u8], max_len: usize, mut take: impl FnMut(u16, Vec<u8>)) -> u16 {
    let room = max_len.max(MIN_PACKET_LEN) - HEADER_LEN;
    let fragments = u16::try_from(sealed.len().div_ceil(room)).unwrap_or(u16::MAX);
    if fragments == 0 || fragments > MAX_FRAGMENTS {
        return 0;
    }
    // Every fragment but the last has the same length, so that each one's place follows from its number.
    let length = sealed.len().div_ceil(usize::from(fragments));
    for (fragment, payload) in (0..fragments).zip(sealed.chunks(length)) {
        let header = PacketHeader { frame, fragment, fragments, number: 0 };
        let mut packet = Vec::with_capacity(HEADER_LEN + payload.len());
        packet.extend_from_slice(&header.to_bytes());
        packet.extend_from_slice(payload);
        take(fragment, packet);
    }
    fragments
}

/// Numbers the packets of a sender in the order in which they leave, so that it is known which of two copies arrived.
#[derive(Debug, Default)]
pub struct PacketNumbers {
    next: u32,
}

impl PacketNumbers {
    /// The number that was given last.
    #[must_use]
    pub const fn last(&self) -> u32 {
        self.next.wrapping_sub(1)
    }

    /// Gives a packet that leaves now the next number, the first time as well as again.
    pub fn stamp(&mut self, packet: &mut [u8]) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        if let Some(at) = packet.get_mut(NUMBER_AT..HEADER_LEN) {
            at.copy_from_slice(&number.to_be_bytes());
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{FrameId, LeafIndex, Stream};

    #[test]
    fn a_packet_that_is_sent_again_differs_in_its_number_only() {
        let frame = FrameHeader { leaf: LeafIndex(1), stream: Stream::Video, back: 1, id: FrameId(7) };
        let (mut numbers, mut packets) = (PacketNumbers::default(), Vec::new());
        let count = packetise(frame, &[3; 3000], 1200, |_, packet| packets.push(packet));
        for (expected, packet) in (0..).zip(&mut packets) {
            assert_eq!(numbers.stamp(packet), expected);
        }
        assert_eq!((count, packets.len()), (3, 3));
        let mut again = packets[1].clone();
        assert_eq!(numbers.stamp(&mut again), 3);
        let (before, payload) = PacketHeader::read(&packets[1]).unwrap();
        assert_eq!(before.number, 1);
        assert_eq!(PacketHeader::read(&again), Some((PacketHeader { number: 3, ..before }, payload)));
    }

    #[test]
    fn what_is_empty_or_too_large_gives_no_packet() {
        let frame = FrameHeader { leaf: LeafIndex(1), stream: Stream::Video, back: 1, id: FrameId(7) };
        for length in [0, 1 << 30] {
            assert_eq!(packetise(frame, &vec![0; length], 1200, |_, _| panic!("a packet")), 0);
        }
    }
}
