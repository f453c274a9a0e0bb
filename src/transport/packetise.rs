//! Cuts a sealed frame into packets that fit a path.

use crate::wire::packet::{FrameHeader, HEADER_LEN, MAX_FRAGMENTS, PacketHeader};

/// Smallest packet that a path may ask for.
pub const MIN_PACKET_LEN: usize = HEADER_LEN + 64;

/// Numbers the packets of one path.
#[derive(Debug, Default)]
pub struct Packetiser {
    next: u32,
}

impl Packetiser {
    /// Cuts `sealed` into packets of at most `max_len` bytes, of nearly equal size, and hands each to `send`. Gives
    /// their number; 0 if the frame is empty or would need more than [`MAX_FRAGMENTS`].
    pub fn packetise(
        &mut self,
        frame: FrameHeader,
        sealed: &[u8],
        max_len: usize,
        mut send: impl FnMut(Vec<u8>),
    ) -> u16 {
        let room = max_len.max(MIN_PACKET_LEN) - HEADER_LEN;
        let Ok(fragments) = u16::try_from(sealed.len().div_ceil(room)) else { return 0 };
        if fragments == 0 || fragments > MAX_FRAGMENTS {
            return 0;
        }
        // Every fragment but the last has the same length, so that each one's place follows from its number.
        let length = sealed.len().div_ceil(usize::from(fragments));
        for (fragment, payload) in (0..fragments).zip(sealed.chunks(length)) {
            let header = PacketHeader { frame, fragment, fragments, number: self.next };
            self.next = self.next.wrapping_add(1);
            let mut packet = Vec::with_capacity(HEADER_LEN + payload.len());
            packet.extend_from_slice(&header.to_bytes());
            packet.extend_from_slice(payload);
            send(packet);
        }
        fragments
    }
}
