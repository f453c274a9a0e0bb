//! Pictures made smaller before they are encoded, and larger again to be compared: each sample is the mean of the area that it
//! covers, or a mixture of its two neighbours.

use super::{MAX_DIMENSION, Picture, PictureMut, PicturePool, Plane};

/// Bits of a weight; those of one sample make one together.
const ONE_BITS: u32 = 8;
const ONE: u32 = 1 << ONE_BITS;

/// Scales pictures to one size. Memory is taken when sizes change, and not again.
pub struct Scaler {
    pool: PicturePool,
    /// Size of pictures before and after.
    sizes: Option<[(u32, u32); 2]>,
    luma: [Axis; 2],
    chroma: [Axis; 2],
    /// A row of the new height and the old width, and beyond its end as many zeros as a sample has parts.
    row: Vec<u16>,
}

/// Which samples make up each new one along an axis: all are made of the same number, some of them with weight zero.
#[derive(Default)]
struct Axis {
    /// The first of them.
    first: Vec<u32>,
    parts: usize,
    weights: Vec<u16>,
}

impl Scaler {
    /// A scaler whose pictures are given back before `in_use` more of them are made.
    #[must_use]
    pub fn new(in_use: usize) -> Self {
        let (luma, chroma) = Default::default();
        Self { pool: PicturePool::new(in_use), sizes: None, luma, chroma, row: Vec::new() }
    }

    /// The picture at another size, at its own that very picture. `None` if the size is zero or too large, or if too many
    /// pictures are in use.
    pub fn scale(&mut self, picture: &Picture, (width, height): (u32, u32)) -> Option<Picture> {
        let from = (picture.width(), picture.height());
        if from == (width, height) {
            return Some(picture.clone());
        }
        if width == 0 || height == 0 || width > MAX_DIMENSION || height > MAX_DIMENSION {
            return None;
        }
        let sizes = [from, (width, height)];
        if self.sizes != Some(sizes) {
            self.prepare(sizes);
        }
        let mut scaled = self.pool.acquire(width, height, picture.colour())?;
        self.fill(picture, &mut scaled);
        Some(self.pool.finish(scaled))
    }

    fn prepare(&mut self, sizes: [(u32, u32); 2]) {
        let [from, to] = sizes;
        let axes = |plane: Plane| {
            let (from, to) = (plane.size(from.0, from.1), plane.size(to.0, to.1));
            [Axis::new(from.0, to.0), Axis::new(from.1, to.1)]
        };
        (self.luma, self.chroma) = (axes(Plane::Y), axes(Plane::U));
        self.row.clear();
        self.row.resize(from.0 as usize + self.luma[0].parts.max(self.chroma[0].parts), 0);
        self.sizes = Some(sizes);
    }

    fn fill(&mut self, picture: &Picture, scaled: &mut PictureMut) {
        let (width, height) = (scaled.width(), scaled.height());
        for (plane, (target, target_stride)) in Plane::ALL.into_iter().zip(scaled.planes_mut()) {
            let [across, down] = if plane == Plane::Y { &self.luma } else { &self.chroma };
            let (old_width, _) = plane.size(picture.width(), picture.height());
            let (new_width, new_height) = plane.size(width, height);
            let (source, stride) = picture.plane(plane);
            self.row.fill(0);
            for (y, target) in target.chunks_mut(target_stride).take(new_height as usize).enumerate() {
                let row = &mut self.row[..old_width as usize];
                row.fill(0);
                for (&weight, source) in down.weights(y).iter().zip(source.chunks(stride).skip(down.first[y] as usize))
                {
                    for (sum, &sample) in row.iter_mut().zip(source) {
                        *sum += u16::from(sample) * weight;
                    }
                }
                let target = &mut target[..new_width as usize];
                match across.parts {
                    ..=2 => across.mix::<2>(&self.row, target),
                    3 => across.mix::<3>(&self.row, target),
                    4 => across.mix::<4>(&self.row, target),
                    _ => across.mix_any(&self.row, target),
                }
            }
        }
    }
}

impl Axis {
    fn new(from: u32, to: u32) -> Self {
        // What a new sample covers, in old ones: at least one, so that it grows smoothly.
        let ratio = f64::from(from) / f64::from(to);
        let reach = ratio.max(1.0) / 2.0;
        let cover = |at: u32| {
            let middle = (f64::from(at) + 0.5) * ratio;
            let (begin, end) = ((middle - reach).max(0.0), (middle + reach).min(f64::from(from)));
            let first = ((begin + 1e-6) as u32).min(from - 1);
            let past = ((end - 1e-6).ceil() as u32).clamp(first + 1, from);
            (begin, end, first, past)
        };
        let parts = (0..to).map(cover).map(|(.., first, past)| (past - first) as usize).max().unwrap_or(1).max(2);
        let mut axis = Self { first: Vec::new(), parts, weights: Vec::new() };
        for (begin, end, first, past) in (0..to).map(cover) {
            axis.first.push(first);
            let covered = |it: u32| (end.min(f64::from(it) + 1.0) - begin.max(f64::from(it))).max(0.0);
            let sum: f64 = (first..past).map(covered).sum();
            let (mut given, mut before) = (0.0, 0);
            for it in (first..).take(parts) {
                given += if it < past { covered(it) / sum * f64::from(ONE) } else { 0.0 };
                let up_to = (given.round() as u32).min(ONE);
                axis.weights.push((up_to - std::mem::replace(&mut before, up_to)) as u16);
            }
        }
        axis
    }

    fn weights(&self, at: usize) -> &[u16] {
        &self.weights[at * self.parts..][..self.parts]
    }

    /// Fills `target` from sums of rows, each sample being made of `N`.
    fn mix<const N: usize>(&self, row: &[u16], target: &mut [u8]) {
        let (weights, _) = self.weights.as_chunks::<N>();
        for ((target, &first), weights) in target.iter_mut().zip(&self.first).zip(weights) {
            let samples = &row[first as usize..][..N];
            let sum: u32 = samples.iter().zip(weights).map(|(&it, &weight)| u32::from(it) * u32::from(weight)).sum();
            *target = rounded(sum);
        }
    }

    fn mix_any(&self, row: &[u16], target: &mut [u8]) {
        for ((target, &first), weights) in target.iter_mut().zip(&self.first).zip(self.weights.chunks(self.parts)) {
            let samples = row[first as usize..].iter().zip(weights);
            *target = rounded(samples.map(|(&it, &weight)| u32::from(it) * u32::from(weight)).sum());
        }
    }
}

const fn rounded(sum: u32) -> u8 {
    ((sum + ONE * ONE / 2) >> (2 * ONE_BITS)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Colour;

    fn picture(width: u32, height: u32, sample: impl Fn(usize, usize) -> u8) -> Picture {
        let mut pool = PicturePool::new(1);
        let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
        for (plane, stride) in picture.planes_mut() {
            for (y, row) in plane.chunks_mut(stride).enumerate() {
                row.iter_mut().enumerate().for_each(|(x, it)| *it = sample(x, y));
            }
        }
        pool.finish(picture)
    }

    #[test]
    fn one_colour_stays_that_colour_at_every_size() {
        for level in [0, 1, 127, 255] {
            let plain = picture(50, 38, |_, _| level);
            for size in [(25, 19), (37, 28), (49, 37), (12, 9), (1, 1), (100, 76), (61, 40)] {
                let scaled = Scaler::new(1).scale(&plain, size).unwrap();
                assert_eq!((scaled.width(), scaled.height()), size);
                assert!(
                    Plane::ALL.iter().all(|&plane| scaled.rows(plane).flatten().all(|&it| it == level)),
                    "{size:?}"
                );
            }
        }
    }

    #[test]
    fn half_a_size_is_the_mean_of_four_and_three_quarters_keep_an_edge_in_its_place() {
        let ramp = picture(8, 8, |x, y| (x * 16 + y * 4) as u8);
        let half = Scaler::new(1).scale(&ramp, (4, 4)).unwrap();
        let row: Vec<u8> = half.rows(Plane::Y).nth(1).unwrap().to_vec();
        assert_eq!(row, [18, 50, 82, 114], "means of x and x + 1, of rows 2 and 3");
        let edge = picture(64, 64, |x, _| if x < 32 { 0 } else { 200 });
        let scaled = Scaler::new(1).scale(&edge, (48, 48)).unwrap();
        for row in scaled.rows(Plane::Y) {
            assert!(row[..24].iter().all(|&it| it == 0) && row[24..].iter().all(|&it| it == 200), "{row:?}");
        }
    }

    #[test]
    fn smaller_and_larger_again_a_smooth_picture_is_nearly_the_same() {
        let smooth = picture(64, 48, |x, y| (40 + x * 2 + y) as u8);
        for size in [(48, 36), (32, 24), (16, 12)] {
            let small = Scaler::new(1).scale(&smooth, size).unwrap();
            let back = Scaler::new(1).scale(&small, (64, 48)).unwrap();
            let pairs = smooth.rows(Plane::Y).flatten().zip(back.rows(Plane::Y).flatten());
            let mean = pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / (64.0 * 48.0);
            assert!(mean < 1.5, "{mean} at {size:?}");
        }
    }

    #[test]
    fn its_own_size_is_the_very_picture_and_no_size_is_none() {
        let mut scaler = Scaler::new(1);
        let small = picture(16, 16, |_, _| 9);
        let same = scaler.scale(&small, (16, 16)).unwrap();
        assert_eq!(same.plane(Plane::Y).0.as_ptr(), small.plane(Plane::Y).0.as_ptr());
        assert!(scaler.scale(&small, (0, 4)).is_none() && scaler.scale(&small, (MAX_DIMENSION + 1, 4)).is_none());
    }

    #[test]
    fn no_more_pictures_are_made_than_may_be_in_use() {
        let mut scaler = Scaler::new(1);
        let full = picture(32, 32, |_, _| 9);
        let first = scaler.scale(&full, (16, 16)).unwrap();
        assert!(scaler.scale(&full, (16, 16)).is_none());
        let at = first.plane(Plane::Y).0.as_ptr();
        drop(first);
        assert_eq!(scaler.scale(&full, (16, 16)).unwrap().plane(Plane::Y).0.as_ptr(), at, "the same memory again");
    }
}
