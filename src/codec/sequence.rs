//! The colour description in an AV1 sequence header (AV1 specification, 5.5), for a decoder that does not hand it on.
//!
//! Total and bounded: a temporal unit is read to its end at most, and what is cut off or nonsense gives nothing.

use crate::media::{Colour, Matrix, Range};

/// `OBU_SEQUENCE_HEADER`.
const SEQUENCE_HEADER: u8 = 1;
/// `MC_BT_709`.
const BT_709: u32 = 1;
/// Primaries, transfer and matrix that together say sRGB, which is always full range.
const SRGB: [u32; 3] = [1, 13, 0];

/// The colour description of a temporal unit that has a sequence header.
#[must_use]
pub fn colour_of(mut unit: &[u8]) -> Option<Colour> {
    while let Some((&header, rest)) = unit.split_first() {
        let (kind, extended, sized) = (header >> 3 & 15, header & 4 != 0, header & 2 != 0);
        let rest = if extended { rest.get(1..)? } else { rest };
        let (size, rest) = if sized { leb128(rest)? } else { (rest.len(), rest) };
        let payload = rest.get(..size)?;
        if kind == SEQUENCE_HEADER {
            return parse(&mut Bits { bytes: payload, at: 0 });
        }
        unit = &rest[size..];
    }
    None
}

/// A number in seven bits a byte, least first, and what is behind it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// Bits from the most significant on.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0_u32, |value, _| {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    fn flag(&mut self) -> Option<bool> {
        self.read(1).map(|bit| bit == 1)
    }

    /// `uvlc()`, value not needed.
    fn skip_uvlc(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        self.read(if zeros < 32 { zeros } else { 0 }).map(drop)
    }
}

fn parse(bits: &mut Bits) -> Option<Colour> {
    let profile = bits.read(3)?;
    let _still = bits.flag()?;
    let reduced = bits.flag()?;
    if reduced {
        bits.read(5)?;
    } else {
        skip_operating_points(bits)?;
    }
    let (width_bits, height_bits) = (bits.read(4)? as usize + 1, bits.read(4)? as usize + 1);
    bits.read(width_bits)?;
    bits.read(height_bits)?;
    if !reduced && bits.flag()? {
        bits.read(4 + 3)?;
    }
    // Large superblocks, filter-intra, intra edge filter.
    bits.read(3)?;
    if !reduced {
        skip_tools(bits)?;
    }
    // Super-resolution, CDEF, loop restoration.
    bits.read(3)?;
    colour_config(bits, profile)
}

fn skip_operating_points(bits: &mut Bits) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.read(32)?;
        bits.read(32)?;
        if bits.flag()? {
            bits.skip_uvlc()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.read(5)? as usize + 1);
            bits.read(32)?;
            bits.read(5 + 5)?;
        }
    }
    let display_delay = bits.flag()?;
    for _ in 0..=bits.read(5)? {
        bits.read(12)?;
        if bits.read(5)? > 7 {
            bits.read(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.read(delay_bits)?;
            bits.read(delay_bits)?;
            bits.read(1)?;
        }
        if display_delay && bits.flag()? {
            bits.read(4)?;
        }
    }
    Some(())
}

fn skip_tools(bits: &mut Bits) -> Option<()> {
    // Inter-intra, masked, warped, dual filter.
    bits.read(4)?;
    let order_hint = bits.flag()?;
    if order_hint {
        bits.read(2)?;
    }
    let screen_content = bits.flag()? || bits.flag()?;
    if screen_content && !bits.flag()? {
        bits.read(1)?;
    }
    if order_hint {
        bits.read(3)?;
    }
    Some(())
}

fn colour_config(bits: &mut Bits, profile: u32) -> Option<Colour> {
    let high = bits.flag()?;
    if profile == 2 && high {
        bits.read(1)?;
    }
    let mono = profile != 1 && bits.flag()?;
    let description = if bits.flag()? { [bits.read(8)?, bits.read(8)?, bits.read(8)?] } else { [2; 3] };
    let full = (!mono && description == SRGB) || bits.flag()?;
    Some(Colour {
        matrix: if description[2] == BT_709 { Matrix::Bt709 } else { Matrix::Bt601 },
        range: if full { Range::Full } else { Range::Limited },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes what [`Bits`] reads; the fields that do not matter here come from `noise`.
    struct Writer {
        bytes: Vec<u8>,
        used: usize,
        noise: std::iter::Cycle<std::vec::IntoIter<u32>>,
    }

    impl Writer {
        fn put(&mut self, count: usize, value: u32) {
            for place in (0..count).rev() {
                if self.used.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                *self.bytes.last_mut().unwrap() |= ((value >> place & 1) as u8) << (7 - self.used % 8);
                self.used += 1;
            }
        }

        fn flag(&mut self, value: bool) -> bool {
            self.put(1, value.into());
            value
        }

        fn any(&mut self, count: usize) -> u32 {
            let value = self.noise.next().unwrap() & (u32::MAX >> (32 - count));
            self.put(count, value);
            value
        }

        fn any_flag(&mut self) -> bool {
            self.any(1) == 1
        }

        /// `timing_info()`, `decoder_model_info()` and the operating points.
        fn operating_points(&mut self) {
            let mut delay_bits = None;
            if self.any_flag() {
                self.any(32);
                self.any(32);
                if self.any_flag() {
                    let zeros = self.noise.next().unwrap() as usize % 32;
                    self.put(zeros, 0);
                    self.put(1, 1);
                    self.put(zeros, 7);
                }
                if self.any_flag() {
                    delay_bits = Some(self.any(5) as usize + 1);
                    self.any(32);
                    self.any(10);
                }
            }
            let display_delay = self.any_flag();
            for _ in 0..=self.any(5) {
                self.any(12);
                if self.any(5) > 7 {
                    self.any(1);
                }
                if let Some(bits) = delay_bits
                    && self.any_flag()
                {
                    self.any(bits);
                    self.any(bits);
                    self.any(1);
                }
                if display_delay && self.any_flag() {
                    self.any(4);
                }
            }
        }

        /// What a stream of several pictures says about its tools.
        fn tools(&mut self) {
            self.any(4);
            let order_hint = self.any_flag();
            if order_hint {
                self.any(2);
            }
            let chosen_by_frame = self.any_flag();
            if (chosen_by_frame || self.any_flag()) && !self.any_flag() {
                self.any(1);
            }
            if order_hint {
                self.any(3);
            }
        }

        fn header(&mut self, profile: u32, reduced: bool, description: Option<[u8; 3]>, full: bool) {
            self.put(3, profile);
            self.any(1);
            if self.flag(reduced) {
                self.any(5);
            } else {
                self.operating_points();
            }
            let (width_bits, height_bits) = (self.any(4) as usize + 1, self.any(4) as usize + 1);
            self.any(width_bits);
            self.any(height_bits);
            if !reduced && self.any_flag() {
                self.any(7);
            }
            self.any(3);
            if !reduced {
                self.tools();
            }
            self.any(3);
            if self.any_flag() && profile == 2 {
                self.any(1);
            }
            let mono = profile != 1 && self.any_flag();
            if self.flag(description.is_some()) {
                description.into_iter().flatten().for_each(|code| self.put(8, code.into()));
            }
            if mono || description != Some([1, 13, 0]) {
                self.flag(full);
            }
        }
    }

    fn noise() -> impl Strategy<Value = Vec<u32>> {
        proptest::collection::vec(any::<u32>(), 1..60)
    }

    fn description() -> impl Strategy<Value = Option<[u8; 3]>> {
        prop_oneof![Just(None), Just(Some([1, 13, 0])), Just(Some([1, 1, 1])), any::<[u8; 3]>().prop_map(Some)]
    }

    proptest! {
        #[test]
        fn the_colour_is_found_whatever_else_a_header_says(
            (noise, profile, reduced) in (noise(), 0..3_u32, any::<bool>()),
            (description, full, extended) in (description(), any::<bool>(), any::<bool>()),
        ) {
            let mut out = Writer { bytes: Vec::new(), used: 0, noise: noise.into_iter().cycle() };
            // sRGB is full range, written or not.
            let full = full || description == Some([1, 13, 0]);
            out.header(profile, reduced, description, full);
            // Behind a temporal delimiter; a length may take more bytes than it needs.
            let mut unit = vec![0x12, 0, SEQUENCE_HEADER << 3 | u8::from(extended) << 2 | 2];
            unit.extend(extended.then_some(0));
            unit.extend([out.bytes.len() as u8 | 0x80, (out.bytes.len() >> 7) as u8]);
            unit.extend(out.bytes);
            let matrix = if description.is_some_and(|codes| codes[2] == 1) { Matrix::Bt709 } else { Matrix::Bt601 };
            let range = if full { Range::Full } else { Range::Limited };
            prop_assert_eq!(colour_of(&unit), Some(Colour { matrix, range }));
            for length in 0..unit.len() {
                prop_assert_eq!(colour_of(&unit[..length]), None, "cut off at {}", length);
            }
        }

        #[test]
        fn any_bytes_behind_the_start_of_a_header_are_read_to_an_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..127),
        ) {
            let mut unit = vec![SEQUENCE_HEADER << 3 | 2, bytes.len() as u8];
            unit.extend(bytes);
            let _ = colour_of(&unit);
            unit[1] = unit[1].saturating_add(1);
            prop_assert_eq!(colour_of(&unit), None, "longer than the unit");
        }
    }
}
