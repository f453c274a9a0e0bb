//! How loud something is, as a share of what a meter shows.

/// The quietest level that shows.
const FLOOR_DBFS: f32 = -60.0;

/// 0 for silence (and for what is no number), 1 for full scale; linear in decibels, as ears are.
#[must_use]
pub fn share(level_dbfs: f32) -> f32 {
    let share = 1.0 - level_dbfs / FLOOR_DBFS;
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_shows_nothing_and_full_scale_everything() {
        for (level_dbfs, expected) in
            [(f32::NEG_INFINITY, 0.0), (-80.0, 0.0), (-30.0, 0.5), (0.0, 1.0), (6.0, 1.0), (f32::NAN, 0.0)]
        {
            assert!((share(level_dbfs) - expected).abs() < 1e-6, "{level_dbfs}");
        }
    }
}
