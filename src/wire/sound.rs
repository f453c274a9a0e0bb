//! What is sealed of 20 ms of sound: when its first sample was at the microphone (i64 nanoseconds of the sender's clock,
//! little-endian; 0: there was no microphone), then the Opus packet. Always of the same length, because the packet is.

use crate::media::Timestamp;

/// Appends the bytes.
pub fn write(captured: Timestamp, packet: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&captured.as_nanos().to_le_bytes());
    out.extend_from_slice(packet);
}

/// The capture time and the packet; `None` for what is too short to hold both.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (captured, packet) = bytes.split_first_chunk::<8>()?;
    (!packet.is_empty()).then_some((Timestamp::from_nanos(i64::from_le_bytes(*captured)), packet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_else(nanos: i64, packet in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = Vec::new();
            write(Timestamp::from_nanos(nanos), &packet, &mut bytes);
            let expected = (!packet.is_empty()).then_some((Timestamp::from_nanos(nanos), packet.as_slice()));
            prop_assert_eq!(read(&bytes), expected);
            prop_assert_eq!(read(&bytes[..bytes.len().min(7)]), None);
        }
    }
}
