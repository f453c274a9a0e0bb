//! How large everything in the window is.

use serde::{Deserialize, Serialize};

/// Size of text and controls in percent of what is usual, from 80 to 200 in steps of 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u16", into = "u16")]
pub struct Zoom(u16);

const LEAST_PERCENT: u16 = 80;
const MOST_PERCENT: u16 = 200;
const STEP_PERCENT: u16 = 10;

impl Zoom {
    /// In percent.
    #[must_use]
    pub const fn percent(self) -> u16 {
        self.0
    }

    /// As a factor.
    #[must_use]
    pub fn factor(self) -> f32 {
        f32::from(self.0) / 100.0
    }

    /// One step larger, if that is not too large.
    #[must_use]
    pub fn larger(self) -> Option<Self> {
        Some(self.0 + STEP_PERCENT).filter(|percent| *percent <= MOST_PERCENT).map(Self)
    }

    /// One step smaller, if that is not too small.
    #[must_use]
    pub fn smaller(self) -> Option<Self> {
        Some(self.0 - STEP_PERCENT).filter(|percent| *percent >= LEAST_PERCENT).map(Self)
    }
}

impl Default for Zoom {
    fn default() -> Self {
        Self(100)
    }
}

impl From<u16> for Zoom {
    /// The nearest that there is.
    fn from(percent: u16) -> Self {
        let steps = (percent.clamp(LEAST_PERCENT, MOST_PERCENT) + STEP_PERCENT / 2) / STEP_PERCENT;
        Self(steps * STEP_PERCENT)
    }
}

impl From<Zoom> for u16 {
    fn from(zoom: Zoom) -> Self {
        zoom.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_in_steps_and_no_further_than_its_ends() {
        let larger: Vec<_> =
            std::iter::successors(Some(Zoom::default()), |zoom| zoom.larger()).map(u16::from).collect();
        assert_eq!(larger, [100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200]);
        let smaller: Vec<_> =
            std::iter::successors(Some(Zoom::default()), |zoom| zoom.smaller()).map(u16::from).collect();
        assert_eq!(smaller, [100, 90, 80]);
    }

    #[test]
    fn a_size_that_somebody_wrote_into_the_file_is_brought_within_them() {
        for (written, percent) in [(0, 80), (84, 80), (85, 90), (133, 130), (9_999, 200)] {
            assert_eq!(Zoom::from(written).percent(), percent);
        }
    }
}
