//! The test pattern: a person moving before a room, balls flying through it, sensor noise over all, and the
//! [label](super::barcode) that says which frame it is. The same frame number always gives the same picture but for
//! the label's time.

use std::time::Duration;

use super::scene::{self, Layer};
use super::{CaptureError, Captured, LONGEST_WAIT, POOL_PICTURES, SourceFormat, VideoSource, barcode};
use crate::engine::clock;
use crate::media::{Colour, FrameId, PictureMut, PicturePool, PoolCounts, Timestamp};

/// Draws the pattern for one size.
pub struct Pattern {
    width: usize,
    height: usize,
    interval: Duration,
    /// Larger than the picture by [`Self::sway`] on each side.
    room: Layer,
    sway: usize,
    person: Layer,
    balls: [Layer; 3],
    noise: Vec<u8>,
}

/// How many different stretches of noise a row can get.
const NOISE_OFFSETS: usize = 2048;

impl Pattern {
    /// Prepares the pattern; takes some tens of milliseconds for a high-definition picture.
    pub fn new(format: SourceFormat) -> Result<Self, CaptureError> {
        if !format.is_supported() {
            return Err(CaptureError::Size { width: format.width, height: format.height });
        }
        let (width, height) = (format.width as usize, format.height as usize);
        let sway = (height / 40).next_multiple_of(2).max(2);
        Ok(Self {
            width,
            height,
            interval: format.interval,
            room: scene::room(width + 2 * sway + 2, height + 2 * sway + 2),
            sway,
            person: scene::person(height * 4 / 5),
            balls: [(5, 0.4, -0.2), (7, -0.3, 0.4), (9, -0.35, -0.25)]
                .map(|(part, blue, red)| scene::ball(height / part, blue, red)),
            noise: scene::sensor_noise(width + NOISE_OFFSETS),
        })
    }

    /// Draws frame `id`, labelled as captured at `captured`.
    ///
    /// # Panics
    /// If the picture's size is not the pattern's.
    pub fn draw(&self, id: FrameId, captured: Timestamp, picture: &mut PictureMut) {
        assert_eq!((picture.width() as usize, picture.height() as usize), (self.width, self.height));
        let seconds = self.interval.as_secs_f64() * f64::from(id.0);
        // Angle of something that comes back every `period` seconds.
        let angle = |period: f64| (seconds / period).fract() as f32 * std::f32::consts::TAU;
        let (width, height) = (self.width as f32, self.height as f32);

        let sway = self.sway as f32;
        let room_at = Place {
            x: -sway as isize + (sway * angle(7.0).sin()) as isize,
            y: -sway as isize + (sway * 0.6 * angle(5.3).sin()) as isize,
        };
        self.put(&self.room, room_at, id, picture);

        let person_at = Place {
            x: (width * (0.5 + 0.07 * angle(4.1).sin()) - self.person.width as f32 / 2.0) as isize,
            y: self.height as isize - self.person.height as isize + (height * 0.03 * (1.0 + angle(2.3).sin())) as isize,
        };
        self.put(&self.person, person_at, id, picture);
        self.features(person_at, angle(0.37).sin(), angle(3.0), picture);

        for (index, ball) in self.balls.iter().enumerate() {
            let lane = index as f64;
            let across = angle(2.9 + lane).sin();
            let bounce = angle(1.7 + 0.4 * lane).sin().abs();
            let at = Place {
                x: ((width - ball.width as f32) * (0.5 + 0.5 * across)) as isize,
                y: ((height - ball.height as f32) * (0.95 - 0.55 * bounce)) as isize,
            };
            self.put(ball, at, id, picture);
        }
        barcode::draw(barcode::Label { id, captured }, picture);
    }

    /// Copies a layer, clipped to the picture, with fresh noise on its luma.
    fn put(&self, layer: &Layer, at: Place, id: FrameId, picture: &mut PictureMut) {
        let [(luma, luma_stride), (cb, cb_stride), (cr, cr_stride)] = picture.planes_mut();
        let first = at.y.min(0).unsigned_abs();
        for (row, span) in layer.spans.iter().enumerate().skip(first) {
            let y = at.y + row as isize;
            if y >= self.height as isize {
                break;
            }
            let y = y.unsigned_abs();
            let Some(cut) = at.clip(span.start, span.end, self.width) else { continue };
            let source = &layer.planes[0][row * layer.width + cut.from..][..cut.length];
            let target = &mut luma[y * luma_stride + cut.to..][..cut.length];
            let offset = scene::scramble(id.0.wrapping_mul(0x1_0001) ^ (y as u32) << 8) as usize % NOISE_OFFSETS;
            let noise = &self.noise[offset + cut.to..][..cut.length];
            for ((target, source), noise) in target.iter_mut().zip(source).zip(noise) {
                *target = source.wrapping_add(*noise);
            }
            if y.is_multiple_of(2) {
                let half = Place { x: at.x.div_euclid(2), y: 0 };
                let Some(cut) = half.clip(span.start / 2, span.end / 2, self.width.div_ceil(2)) else { continue };
                let from = row / 2 * (layer.width / 2) + cut.from;
                cb[y / 2 * cb_stride + cut.to..][..cut.length].copy_from_slice(&layer.planes[1][from..][..cut.length]);
                cr[y / 2 * cr_stride + cut.to..][..cut.length].copy_from_slice(&layer.planes[2][from..][..cut.length]);
            }
        }
    }

    /// Eyes that look about and a mouth that talks.
    fn features(&self, at: Place, speech: f32, gaze: f32, picture: &mut PictureMut) {
        let unit = self.person.height as f32;
        let (middle, top) = (at.x as f32 + self.person.width as f32 / 2.0, at.y as f32);
        let look = 0.012 * unit * gaze.sin();
        let mut oval = |x: f32, y: f32, across: f32, down: f32, value: u8| {
            let [(luma, stride), ..] = picture.planes_mut();
            for row in (y - down).max(0.0) as usize..(y + down).max(0.0) as usize {
                let half = (1.0 - ((row as f32 - y) / down).powi(2)).max(0.0).sqrt() * across;
                let (left, right) = ((x - half).max(0.0) as usize, (x + half).max(0.0) as usize);
                if row < self.height && left < right {
                    luma[row * stride + left.min(self.width)..row * stride + right.min(self.width)].fill(value);
                }
            }
        };
        for side in [-1.0, 1.0] {
            let x = middle + side * 0.085 * unit;
            oval(x, top + 0.3 * unit, 0.035 * unit, 0.018 * unit, 205);
            oval(x + look, top + 0.3 * unit, 0.014 * unit, 0.016 * unit, 30);
        }
        oval(middle, top + 0.47 * unit, 0.065 * unit, (0.012 + 0.02 * speech.abs()) * unit, 60);
    }
}

/// Where a layer's upper left corner is in the picture.
#[derive(Clone, Copy)]
struct Place {
    x: isize,
    y: isize,
}

/// A part of a row: `length` samples from `from` of the layer at `to` of the picture.
struct Cut {
    from: usize,
    to: usize,
    length: usize,
}

impl Place {
    fn clip(self, start: usize, end: usize, width: usize) -> Option<Cut> {
        let start = (start as isize).max(-self.x);
        let end = (end as isize).min(width as isize - self.x);
        (start < end).then(|| Cut {
            from: start.unsigned_abs(),
            to: (start + self.x).unsigned_abs(),
            length: (end - start).unsigned_abs(),
        })
    }
}

/// The pattern as a source, paced by the clock like a camera: a picture that nobody waited for is skipped.
pub struct PatternSource {
    pattern: Pattern,
    format: SourceFormat,
    pool: PicturePool,
    next_at: Option<Timestamp>,
}

impl PatternSource {
    /// A source of `format`.
    pub fn new(format: SourceFormat) -> Result<Self, CaptureError> {
        Ok(Self { pattern: Pattern::new(format)?, format, pool: PicturePool::new(POOL_PICTURES), next_at: None })
    }
}

impl VideoSource for PatternSource {
    fn name(&self) -> &'static str {
        "pattern"
    }

    fn format(&self) -> SourceFormat {
        self.format
    }

    fn next(&mut self, id: FrameId) -> Result<Option<Captured>, CaptureError> {
        if !wait_for_tick(&mut self.next_at, self.format.interval) {
            return Ok(None);
        }
        let captured = clock::now();
        let SourceFormat { width, height, .. } = self.format;
        let Some(mut picture) = self.pool.acquire(width, height, Colour::default()) else { return Ok(None) };
        self.pattern.draw(id, captured, &mut picture);
        let picture = self.pool.finish(picture);
        Ok(Some(Captured { picture, captured, converted: clock::now() }))
    }

    fn pool(&self) -> PoolCounts {
        self.pool.counts()
    }
}

/// Sleeps until the next multiple of `interval`; false if that is further off than [`LONGEST_WAIT`] and only part of
/// the way was slept. Ticks that passed unseen are left out, not caught up with.
pub(super) fn wait_for_tick(next_at: &mut Option<Timestamp>, interval: Duration) -> bool {
    let now = clock::now();
    let at = *next_at.get_or_insert(now);
    let wait = at.since(now);
    if wait > LONGEST_WAIT {
        std::thread::sleep(LONGEST_WAIT);
        return false;
    }
    std::thread::sleep(wait);
    let late = now.since(at);
    let passed = late.as_nanos() / interval.as_nanos().max(1) + 1;
    *next_at = Some(at + interval * u32::try_from(passed).unwrap_or(u32::MAX));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Picture, Plane};

    fn frame(width: u32, height: u32, id: u32) -> Picture {
        let pattern = Pattern::new(SourceFormat::new(width, height, 30)).unwrap();
        let mut pool = PicturePool::new(1);
        let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
        for (plane, _) in picture.planes_mut() {
            plane.fill(1);
        }
        pattern.draw(FrameId(id), Timestamp::from_nanos(5_000_000), &mut picture);
        pool.finish(picture)
    }

    #[test]
    fn every_size_is_filled_to_the_last_sample_with_legal_values() {
        for (width, height) in [(16, 16), (17, 19), (161, 91), (320, 180), (640, 360), (90, 400), (1000, 50)] {
            for id in [0, 40, 171] {
                let picture = frame(width, height, id);
                for plane in Plane::ALL {
                    let legal = picture.rows(plane).flatten().all(|sample| (16..=240).contains(sample));
                    assert!(legal, "{width}×{height}, {plane:?} of frame {id}");
                }
            }
        }
    }

    #[test]
    fn it_moves_and_has_detail() {
        let (first, second) = (frame(640, 360, 10), frame(640, 360, 11));
        let pairs = || first.rows(Plane::Y).flatten().zip(second.rows(Plane::Y).flatten());
        let moved = pairs().filter(|(a, b)| a.abs_diff(**b) > 8).count();
        assert!(moved > 640 * 360 / 50, "only {moved} samples changed visibly");
        let steps = first.rows(Plane::Y).flat_map(|row| row.windows(2)).filter(|pair| pair[0].abs_diff(pair[1]) > 6);
        assert!(steps.count() > 640 * 360 / 50, "too smooth");
    }

    #[test]
    fn the_same_number_gives_the_same_picture() {
        let (first, second) = (frame(320, 180, 77), frame(320, 180, 77));
        for plane in Plane::ALL {
            assert!(first.rows(plane).eq(second.rows(plane)));
        }
    }

    #[test]
    fn its_label_is_read() {
        let label = barcode::read(&frame(640, 360, 99)).unwrap();
        assert_eq!((label.id, label.captured.as_micros()), (FrameId(99), 5_000));
    }

    #[test]
    fn unsupported_sizes_are_refused() {
        for (width, height) in [(15, 16), (16, 0), (4097, 64)] {
            let format = SourceFormat::new(width, height, 30);
            assert_eq!(Pattern::new(format).err(), Some(CaptureError::Size { width, height }));
        }
    }

    #[test]
    fn the_source_numbers_paces_and_gives_nothing_when_all_pictures_are_held() {
        let mut source = PatternSource::new(SourceFormat::new(160, 90, 200)).unwrap();
        let held: Vec<_> = (0..POOL_PICTURES as u32).map(|id| source.next(FrameId(id)).unwrap().unwrap()).collect();
        for (id, captured) in held.iter().enumerate() {
            let label = barcode::read(&captured.picture).unwrap();
            assert_eq!(label.id, FrameId(id as u32));
            assert_eq!(label.captured.as_micros(), captured.captured.as_micros());
            assert!(captured.converted >= captured.captured);
        }
        let took = held[held.len() - 1].captured.since(held[0].captured);
        assert!(took >= Duration::from_millis(5) * (POOL_PICTURES as u32 - 2), "not paced: {took:?}");
        assert!(source.next(FrameId(100)).unwrap().is_none());
        drop(held);
        assert!(source.next(FrameId(101)).unwrap().is_some());
    }

    #[test]
    fn a_slow_source_does_not_block_for_a_whole_interval() {
        let mut source =
            PatternSource::new(SourceFormat { interval: Duration::from_mins(1), ..SourceFormat::new(160, 90, 1) })
                .unwrap();
        assert!(source.next(FrameId(0)).unwrap().is_some());
        assert!(source.next(FrameId(1)).unwrap().is_none());
    }
}
