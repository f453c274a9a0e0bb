//! The SFrame header (RFC 9605 §4.3): key id and counter, one to seventeen bytes.

/// Longest header.
pub const MAX_HEADER_LEN: usize = 17;

/// Appends the header of `kid` and `counter`.
pub fn write(kid: u64, counter: u64, out: &mut Vec<u8>) {
    let (kid_bits, kid_bytes) = field(kid);
    let (counter_bits, counter_bytes) = field(counter);
    out.push(kid_bits << 4 | counter_bits);
    out.extend_from_slice(&kid.to_be_bytes()[8 - kid_bytes..]);
    out.extend_from_slice(&counter.to_be_bytes()[8 - counter_bytes..]);
}

/// Reads a header in its one valid (shortest) form; gives key id, counter and the header's length.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let (&config, rest) = bytes.split_first()?;
    let (kid, rest) = read_field(config >> 4, rest)?;
    let (counter, rest) = read_field(config & 0x0f, rest)?;
    Some((kid, counter, bytes.len() - rest.len()))
}

/// Four bits of the config byte, and how many bytes follow: small values stand in the bits themselves.
fn field(value: u64) -> (u8, usize) {
    if value < 8 {
        return (value as u8, 0);
    }
    let bytes = (64 - value.leading_zeros()).div_ceil(8) as usize;
    (0x08 | (bytes - 1) as u8, bytes)
}

fn read_field(bits: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    if bits & 0x08 == 0 {
        return Some((u64::from(bits), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(bits & 0x07) + 1)?;
    let value = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    (field(value) == (bits, bytes.len())).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(kid: u64, counter: u64, shift in 0_u32..64) {
            let (kid, counter) = (kid >> shift, counter >> (63 - shift));
            let mut bytes = Vec::new();
            write(kid, counter, &mut bytes);
            prop_assert!(bytes.len() <= MAX_HEADER_LEN);
            prop_assert_eq!(read(&bytes), Some((kid, counter, bytes.len())));
        }

        #[test]
        fn any_bytes_give_a_header_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Some((kid, counter, length)) = read(&bytes) {
                let mut again = Vec::new();
                write(kid, counter, &mut again);
                prop_assert_eq!(&again, &bytes[..length]);
            }
        }
    }
}
