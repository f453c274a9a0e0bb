//! The model's dice: one small generator and whole numbers only, so that a seed means the same on every machine.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end` - 1; 0 if there is none.
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }

    /// Whether something of this chance happens.
    pub const fn happens(&mut self, chance: Chance) -> bool {
        // A chance of nothing throws no dice, so that what is not asked for changes nothing.
        chance.0 > 0 && self.below(Chance::ONE as u64) < chance.0 as u64
    }

    /// How many milliseconds something lasts that ends in each of them with the same chance: at least one, `mean_ms` on
    /// average.
    pub const fn memoryless_ms(&mut self, mean_ms: u64) -> u64 {
        let mut lasted = 1;
        while self.below(mean_ms) > 0 {
            lasted += 1;
        }
        lasted
    }
}

/// A probability in parts of a thousand million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    const ONE: u32 = 1_000_000_000;
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(Self::ONE);

    /// From millionths of a hundredth: 2 % is 2,000,000. More than all is all.
    #[must_use]
    pub const fn from_micro_percent(micro_percent: u64) -> Self {
        let parts = micro_percent.saturating_mul(10);
        if parts < Self::ONE as u64 { Self(parts as u32) } else { Self::ALWAYS }
    }

    /// `part` in `whole`; never if the whole is nothing. More than all is all.
    #[must_use]
    pub const fn ratio(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::NEVER;
        }
        let parts = part as u128 * Self::ONE as u128 / whole as u128;
        if parts < Self::ONE as u128 { Self(parts as u32) } else { Self::ALWAYS }
    }

    /// Parts of a thousand million.
    #[must_use]
    pub const fn parts(self) -> u64 {
        self.0 as u64
    }

    /// Parts of a thousand million in which it does not happen.
    #[must_use]
    pub const fn complement(self) -> u64 {
        (Self::ONE - self.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence_comes_out() {
        let mut random = Random::new(1_234_567);
        let drawn: [u64; 3] = std::array::from_fn(|_| random.next());
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn chances_come_true_as_often_as_they_say() {
        let mut random = Random::new(1);
        let chance = Chance::from_micro_percent(2_000_000);
        let happened = (0..100_000).filter(|_| random.happens(chance)).count();
        assert!((1_900..2_100).contains(&happened), "{happened}");
        assert!(!random.happens(Chance::NEVER) && random.happens(Chance::ALWAYS));
    }

    #[test]
    fn memoryless_spans_have_their_mean() {
        let mut random = Random::new(2);
        let sum: u64 = (0..2_000).map(|_| random.memoryless_ms(50)).sum();
        assert!((45..55).contains(&(sum / 2_000)), "{}", sum / 2_000);
        assert_eq!(random.memoryless_ms(1), 1);
    }
}
