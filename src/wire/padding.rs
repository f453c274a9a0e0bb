//! Sizes of sealed pictures, rounded up so that they tell little of what is in them.
//!
//! A padded length keeps only as many leading bits as the length of its own length (Padmé; Nikitin et al., PETS 2019): at
//! most 12 % more, and a few lengths for each power of two. Behind the data stands a byte 0x80, then zeros (ISO/IEC 7816-4).

/// Least bytes of a padded picture: how still a scene is does not show below.
pub const LEAST: usize = 256;

const MARK: u8 = 0x80;

/// Pads what is in `data`.
pub fn pad(data: &mut Vec<u8>) {
    data.push(MARK);
    data.resize(padded_len(data.len()), 0);
}

/// What was padded; nothing if it was not.
#[must_use]
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let mark = padded.iter().rposition(|byte| *byte != 0)?;
    (padded[mark] == MARK).then(|| &padded[..mark])
}

/// The length that `len` bytes are padded to.
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    if len <= LEAST {
        return LEAST;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let low = (1 << (exponent - kept)) - 1;
    (len + low) & !low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_few_and_cost_little() {
        let mut lengths: Vec<_> = (1..=65_536).map(padded_len).collect();
        assert!(lengths.iter().zip(1..).all(|(padded, len)| *padded >= len && *padded <= LEAST.max(len * 113 / 100)));
        lengths.dedup();
        assert!(lengths.len() < 140, "{}", lengths.len());
    }

    proptest! {
        #[test]
        fn what_is_padded_comes_back(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut padded = data.clone();
            pad(&mut padded);
            prop_assert_eq!(padded.len(), padded_len(data.len() + 1));
            prop_assert_eq!(unpad(&padded), Some(data.as_slice()));
        }

        #[test]
        fn any_bytes_give_data_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(data) = unpad(&bytes) {
                prop_assert!(data.len() < bytes.len());
            }
        }
    }
}
