//! How far a shown picture is from the one that was captured: PSNR and SSIM of the luma plane.

use crate::media::{Picture, Plane};

/// Side of the SSIM windows, and the distance between them.
const WINDOW: usize = 8;

/// Peak signal-to-noise ratio of luma in dB; 99 for equal pictures, nothing for pictures of different sizes.
#[must_use]
pub fn psnr_y(one: &Picture, other: &Picture) -> Option<f64> {
    if !same_size(one, other) {
        return None;
    }
    let mut squares = 0_u64;
    for (a, b) in one.rows(Plane::Y).zip(other.rows(Plane::Y)) {
        squares += a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum::<u64>();
    }
    let samples = f64::from(one.width()) * f64::from(one.height());
    Some(if squares == 0 { 99.0 } else { 10.0 * (255.0 * 255.0 * samples / squares as f64).log10() })
}

/// Structural similarity of luma (Wang et al. 2004) over windows of 8×8 without overlap, 1 for equal pictures; nothing
/// for pictures of different sizes or smaller than a window.
#[must_use]
pub fn ssim_y(one: &Picture, other: &Picture) -> Option<f64> {
    if !same_size(one, other) {
        return None;
    }
    let (one, other): (Vec<_>, Vec<_>) = (one.rows(Plane::Y).collect(), other.rows(Plane::Y).collect());
    let (mut sum, mut windows) = (0.0, 0.0);
    for (one, other) in one.chunks_exact(WINDOW).zip(other.chunks_exact(WINDOW)) {
        for x in (0..one[0].len() / WINDOW).map(|window| window * WINDOW) {
            let pairs = one.iter().zip(other).flat_map(|(a, b)| a[x..x + WINDOW].iter().zip(&b[x..x + WINDOW]));
            sum += ssim(pairs.map(|(&a, &b)| (f64::from(a), f64::from(b))));
            windows += 1.0;
        }
    }
    (windows > 0.0).then(|| sum / windows)
}

/// Structural similarity in decibels, as it is used for video calls: 10 for 0.9, 20 for 0.99; 99 at most.
#[must_use]
pub fn ssim_db(ssim: f64) -> f64 {
    if ssim < 1.0 { (-10.0 * (1.0 - ssim).log10()).min(99.0) } else { 99.0 }
}

fn ssim(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let (mut n, mut a, mut b, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in pairs {
        n += 1.0;
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    let (a, b) = (a / n, b / n);
    let (variance_a, variance_b, covariance) = (aa / n - a * a, bb / n - b * b, ab / n - a * b);
    (2.0 * a * b + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (variance_a + variance_b + C2))
}

fn same_size(one: &Picture, other: &Picture) -> bool {
    (one.width(), one.height()) == (other.width(), other.height())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, PicturePool};

    fn ramp(width: u32, height: u32, add: u8) -> Picture {
        let mut pool = PicturePool::new(1);
        let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
        let [(luma, stride), ..] = picture.planes_mut();
        for (y, row) in luma.chunks_mut(stride).enumerate() {
            row.iter_mut().enumerate().for_each(|(x, sample)| *sample = (x * 3 + y * 5) as u8 / 2 + add);
        }
        pool.finish(picture)
    }

    #[test]
    fn equal_pictures_are_perfect_and_others_less() {
        let picture = ramp(65, 33, 0);
        assert_eq!((psnr_y(&picture, &picture), ssim_y(&picture, &picture)), (Some(99.0), Some(1.0)));
        let brighter = ramp(65, 33, 4);
        let psnr = psnr_y(&picture, &brighter).unwrap();
        assert!((psnr - 20.0 * (255.0_f64 / 4.0).log10()).abs() < 1e-9, "{psnr}");
        let ssim = ssim_y(&picture, &brighter).unwrap();
        assert!((0.9..1.0).contains(&ssim), "{ssim}");
    }

    #[test]
    fn likeness_in_decibels_has_an_end() {
        assert!((ssim_db(0.9) - 10.0).abs() < 1e-9 && (ssim_db(0.999) - 30.0).abs() < 1e-9);
        assert_eq!((ssim_db(1.0), ssim_db(0.0)), (99.0, 0.0));
    }

    #[test]
    fn what_cannot_be_compared_has_no_figure() {
        assert_eq!(psnr_y(&ramp(64, 32, 0), &ramp(32, 32, 0)), None);
        assert_eq!(ssim_y(&ramp(6, 32, 0), &ramp(6, 32, 0)), None);
    }
}
