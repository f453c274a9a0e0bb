//! A parity packet: the exclusive or of several video packets of several frames, from which any one of them can be had if
//! the others are there. It is made of sealed bytes, so what it gives still has to open.
//!
//! ```text
//! 0      version (high 4 bits) and kind (low 4 bits)
//! 1      leaf of the sender
//! 2      stream
//! 3      packets covered
//! 4–7    frame number of the first of them
//! 8–9    exclusive or of their lengths      10–11  zero
//! 12–15  packet number of the sender on this path
//! 16…    three bytes each: frames after the first one (one byte), fragment number; ascending
//! then   the exclusive or of what they say beyond that: frames back to the reference, fragments of the frame, payload
//! ```
//! All big-endian; the shorter ones count as if zeros followed.

use super::packet::{HEADER_LEN, NUMBER_AT, PacketHeader};
use crate::media::{FrameId, LeafIndex, Stream};

/// Most packets that one covers.
pub const MAX_COVERED: usize = 16;
/// What a packet says beyond which one it is, in front of its payload.
pub const EXTRA_LEN: usize = 3;
const ENTRY_LEN: usize = 3;
const VERSION_AND_KIND: u8 = 1 << 4 | 1;

/// Which packet: a part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The frame.
    pub frame: FrameId,
    /// Which part of it.
    pub fragment: u16,
}

/// A parity packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parity {
    /// Sender of what is covered.
    pub leaf: LeafIndex,
    /// Number of the packet on its path.
    pub number: u32,
    /// What is covered: one to [`MAX_COVERED`], each after the one before, within 255 frames.
    pub covered: Vec<Part>,
    /// Exclusive or of the lengths of their payloads.
    pub lengths: u16,
    /// Exclusive or of the rest. At least [`EXTRA_LEN`] and a byte.
    pub sum: Vec<u8>,
}

impl Parity {
    /// Bytes of one over so many packets of which the longest has `longest` bytes with its header.
    #[must_use]
    pub const fn len(covered: usize, longest: usize) -> usize {
        covered * ENTRY_LEN + EXTRA_LEN + longest
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let first = self.covered.first().map_or(FrameId(0), |part| part.frame);
        let mut bytes = Vec::with_capacity(Self::len(self.covered.len(), HEADER_LEN + self.sum.len()));
        bytes.extend_from_slice(&[VERSION_AND_KIND, self.leaf.0, Stream::Video as u8, self.covered.len() as u8]);
        bytes.extend_from_slice(&first.0.to_be_bytes());
        bytes.extend_from_slice(&self.lengths.to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        for part in &self.covered {
            bytes.push(part.frame.0.wrapping_sub(first.0) as u8);
            bytes.extend_from_slice(&part.fragment.to_be_bytes());
        }
        bytes.extend_from_slice(&self.sum);
        bytes
    }

    /// Reads one. `None` for what is not one.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<HEADER_LEN>()?;
        let [kind, leaf, stream, count, i0, i1, i2, i3, l0, l1, z0, z1, ..] = *header;
        let count = usize::from(count);
        let is_one = kind == VERSION_AND_KIND && stream == Stream::Video as u8 && [z0, z1] == [0; 2];
        if !is_one || !(1..=MAX_COVERED).contains(&count) {
            return None;
        }
        let (entries, sum) = rest.split_at_checked(count * ENTRY_LEN)?;
        let (entries, _) = entries.as_chunks::<ENTRY_LEN>();
        let first = u32::from_be_bytes([i0, i1, i2, i3]);
        let ascending = entries.windows(2).all(|pair| pair[0] < pair[1]);
        if entries.first()?[0] != 0 || !ascending || sum.len() <= EXTRA_LEN {
            return None;
        }
        let part = |&[ahead, f0, f1]: &[u8; ENTRY_LEN]| Part {
            frame: FrameId(first.wrapping_add(u32::from(ahead))),
            fragment: u16::from_be_bytes([f0, f1]),
        };
        Some(Self {
            leaf: LeafIndex(leaf),
            number: u32::from_be_bytes(*header[NUMBER_AT..].first_chunk()?),
            covered: entries.iter().map(part).collect(),
            lengths: u16::from_be_bytes([l0, l1]),
            sum: sum.to_vec(),
        })
    }
}

/// Who a packet of either kind says that it is from.
#[must_use]
pub fn sender(packet: &[u8]) -> Option<LeafIndex> {
    let media = PacketHeader::read(packet).map(|(header, _)| header.frame.leaf);
    media.or_else(|| Parity::read(packet).map(|parity| parity.leaf))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (leaf, number, lengths, first) in any::<(u8, u32, u16, u32)>(),
            parts in proptest::collection::btree_set((0_u8..=255, any::<u16>()), 1..=MAX_COVERED),
            sum in proptest::collection::vec(any::<u8>(), EXTRA_LEN + 1..60),
        ) {
            let base = parts.first().map_or(0, |part| part.0);
            let part = |(ahead, fragment): (u8, u16)| {
                Part { frame: FrameId(first.wrapping_add(u32::from(ahead - base))), fragment }
            };
            let covered = parts.into_iter().map(part).collect();
            let parity = Parity { leaf: LeafIndex(leaf), number, covered, lengths, sum };
            let bytes = parity.to_bytes();
            prop_assert_eq!(bytes.len(), Parity::len(parity.covered.len(), HEADER_LEN + parity.sum.len() - EXTRA_LEN));
            prop_assert_eq!(sender(&bytes), Some(LeafIndex(leaf)));
            prop_assert!(PacketHeader::read(&bytes).is_none(), "no media packet");
            prop_assert_eq!(Parity::read(&bytes), Some(parity));
        }

        #[test]
        fn any_bytes_give_a_parity_packet_or_nothing(mut bytes in proptest::collection::vec(any::<u8>(), 0..90), like in any::<bool>()) {
            if like && bytes.len() > 16 {
                (bytes[0], bytes[2], bytes[3], bytes[16]) = (VERSION_AND_KIND, 1, 1 + bytes[3] % 4, 0);
                bytes[10..12].fill(0);
            }
            if let Some(parity) = Parity::read(&bytes) {
                prop_assert_eq!(parity.to_bytes(), bytes);
            }
        }
    }
}
