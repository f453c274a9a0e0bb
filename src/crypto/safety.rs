//! Digits that two people compare: the safety number of their accounts, the code of the running call.

use sha2::{Digest, Sha256, Sha512};

/// Sixty digits over both root keys in twelve groups of five, the same on both sides.
#[must_use]
pub fn safety_number(one: &[u8; 32], other: &[u8; 32]) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let digest =
        Sha512::new().chain_update(b"visavis safety number 1\0").chain_update(low).chain_update(high).finalize();
    digits(&digest[..60], 100_000, 5)
}

/// Eight digits of the epoch authenticator in two groups of four, to be read aloud.
#[must_use]
pub fn in_call_code(authenticator: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"visavis in-call code 1\0").chain_update(authenticator).finalize();
    digits(&digest[..10], 10_000, 4)
}

/// A group of digits from each five bytes: 40 bits make the bias of the remainder negligible.
fn digits(bytes: &[u8], modulus: u64, width: usize) -> String {
    let group = |chunk: &[u8]| {
        let number = chunk.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)) % modulus;
        format!("{number:0width$}")
    };
    bytes.chunks(5).map(group).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_sixty_digits() {
        let number = safety_number(&[1; 32], &[2; 32]);
        assert_eq!(number, safety_number(&[2; 32], &[1; 32]));
        assert_ne!(number, safety_number(&[2; 32], &[3; 32]));
        assert_eq!(number.bytes().filter(u8::is_ascii_digit).count(), 60);
        assert_eq!(number.split(' ').count(), 12);
    }

    #[test]
    fn the_code_has_two_groups_of_four() {
        let code = in_call_code(b"authenticator");
        assert_eq!(code.len(), 9);
        assert_ne!(code, in_call_code(b"another"));
    }
}
