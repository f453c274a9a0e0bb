//! The clear header of a media datagram: 16 bytes that the relay may read, in front of one fragment of a sealed frame.
//!
//! ```text
//! 0      version (high 4 bits) and kind (low 4 bits)
//! 1      leaf of the sender
//! 2      stream
//! 3      frames back to the one that this is predicted from; 0: from none, decoding can start here
//! 4–7    frame number
//! 8–9    fragment number      10–11  fragments of the frame
//! 12–15  packet number of the sender on this path
//! ```
//! All big-endian. Leaf, stream, reference and frame number are authenticated with the frame ([`FrameHeader::metadata`]).

use crate::media::{FrameId, LeafIndex, Stream};

/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// Where the packet's number is in it, to its end.
pub const NUMBER_AT: usize = 12;
/// Most fragments of a frame: 1 MiB and a half, more than any frame that calls send.
pub const MAX_FRAGMENTS: u16 = 1400;

const VERSION_AND_KIND: u8 = 1 << 4;

/// What all fragments of a frame have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Sender.
    pub leaf: LeafIndex,
    /// Stream.
    pub stream: Stream,
    /// Frames back to the one that this is predicted from; 0: from none, decoding can start here.
    pub back: u8,
    /// Number of the frame in its stream.
    pub id: FrameId,
}

impl FrameHeader {
    /// The bytes that are authenticated with the frame.
    #[must_use]
    pub const fn metadata(self) -> [u8; 7] {
        let [a, b, c, d] = self.id.0.to_be_bytes();
        [self.leaf.0, self.stream as u8, self.back, a, b, c, d]
    }

    /// The frame that this is predicted from; none: decoding can start here.
    #[must_use]
    pub const fn reference(self) -> Option<FrameId> {
        if self.back == 0 { None } else { Some(FrameId(self.id.0.wrapping_sub(self.back as u32))) }
    }
}

/// The whole header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Which frame.
    pub frame: FrameHeader,
    /// Which part of it, from 0.
    pub fragment: u16,
    /// How many parts, 1 to [`MAX_FRAGMENTS`].
    pub fragments: u16,
    /// Number of the packet on its path.
    pub number: u32,
}

impl PacketHeader {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = VERSION_AND_KIND;
        bytes[1..8].copy_from_slice(&self.frame.metadata());
        bytes[8..10].copy_from_slice(&self.fragment.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.fragments.to_be_bytes());
        bytes[NUMBER_AT..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Whether the numbers of its parts make sense.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.fragment < self.fragments && self.fragments <= MAX_FRAGMENTS
    }

    /// Reads a packet: its header and the fragment behind it. `None` for what is not one.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (header, payload) = packet.split_first_chunk::<HEADER_LEN>()?;
        let [first, leaf, stream, back, i0, i1, i2, i3, f0, f1, c0, c1, n0, n1, n2, n3] = *header;
        let frame = FrameHeader {
            leaf: LeafIndex(leaf),
            stream: Stream::from_u8(stream)?,
            back,
            id: FrameId(u32::from_be_bytes([i0, i1, i2, i3])),
        };
        let fragment = u16::from_be_bytes([f0, f1]);
        let fragments = u16::from_be_bytes([c0, c1]);
        let number = u32::from_be_bytes([n0, n1, n2, n3]);
        let header = Self { frame, fragment, fragments, number };
        (first == VERSION_AND_KIND && header.is_valid() && !payload.is_empty()).then_some((header, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(leaf: u8, id: u32, back: u8, fragment in 0..MAX_FRAGMENTS, number: u32) {
            for stream in Stream::ALL {
                let frame = FrameHeader { leaf: LeafIndex(leaf), stream, back, id: FrameId(id) };
                let header = PacketHeader { frame, fragment, fragments: fragment + 1, number };
                let packet = [header.to_bytes().as_slice(), b"payload"].concat();
                prop_assert_eq!(PacketHeader::read(&packet), Some((header, b"payload".as_slice())));
            }
        }

        #[test]
        fn any_bytes_give_a_packet_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some((header, payload)) = PacketHeader::read(&bytes) {
                prop_assert_eq!([header.to_bytes().as_slice(), payload].concat(), bytes);
            }
        }
    }
}
