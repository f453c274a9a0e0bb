//! Finds the target in a camera's picture and reads its label, wherever it is, a little turned, unsharp, dim, from the side,
//! or seen in a mirror.
//!
//! The picture is cut at several heights of lightness; a light patch whose outline is a rectangle seen by a camera, light all
//! round and dark all round within that, is the frame. Its edges are placed to a fraction of a sample, the cells are compared
//! with what is light and dark beside them, and the label's check sum has the last word.
//!
//! Any picture is worth a look: the work is bounded by its size, and nothing is taken for a label because it looks like one.

use super::geometry::{Corners, Perspective, Point, crossing, is_convex};
use super::target::{COLUMNS, FRAME_HEIGHT, FRAME_WIDTH, ROWS};
use crate::capture::barcode::{BYTES, Label, decode};
use crate::media::{Picture, Plane};

/// The frame is looked for in a picture that is at most this large; the cells are read from the picture itself.
const LARGEST: (usize, usize) = (640, 480);
/// Smallest frame, in samples of that picture: three for each unit.
const SMALLEST: (usize, usize) = (3 * FRAME_WIDTH, 3 * FRAME_HEIGHT);
/// Most patches that are looked at for each height of lightness.
const PATCHES: usize = 32;
/// Heights of lightness at which a picture is cut, between its darkest and its lightest.
const CUTS: [f32; 5] = [0.5, 0.35, 0.65, 0.2, 0.8];
/// Least distance between dark and light.
const CONTRAST: f32 = 20.0;
/// How much of an outline has to be light, or dark.
const OUTLINE: f32 = 0.9;
/// A cell that is no further from the middle between dark and light is neither: two labels shine through each other.
const DOUBT: f32 = 0.08;

/// What was seen in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// No frame.
    Nothing,
    /// A frame whose cells cannot be read.
    Unreadable,
    /// A label.
    Read(Label),
}

/// Lightness in memory that is used again from picture to picture.
#[derive(Default)]
pub struct Finder {
    small: Vec<u8>,
    soft: Vec<u8>,
    /// Of each sample: whether it belongs to a patch that was looked at.
    seen: Vec<bool>,
    stack: Vec<u32>,
    /// The cut that found the last one.
    last_cut: usize,
}

impl Finder {
    /// Looks at a picture.
    pub fn look(&mut self, picture: &Picture) -> Look {
        let (luma, stride) = picture.plane(Plane::Y);
        let full = Luma { samples: luma, stride, width: picture.width() as usize, height: picture.height() as usize };
        let by = full.width.div_ceil(LARGEST.0).max(full.height.div_ceil(LARGEST.1)).max(1);
        let (width, height) = (full.width / by, full.height / by);
        if width < SMALLEST.0 || height < SMALLEST.1 {
            return Look::Nothing;
        }
        let mut small = std::mem::take(&mut self.small);
        shrink(&full, by, (width, height), &mut self.soft);
        soften(&self.soft, (width, height), &mut small);
        let look = self.look_small(&Luma { samples: &small, stride: width, width, height }, &full, by as f32);
        self.small = small;
        look
    }

    fn look_small(&mut self, small: &Luma<'_>, full: &Luma<'_>, by: f32) -> Look {
        let (darkest, lightest) = small.range();
        if f32::from(lightest) - f32::from(darkest) < CONTRAST {
            return Look::Nothing;
        }
        let mut look = Look::Nothing;
        for number in 0..CUTS.len() {
            let cut = (self.last_cut + number) % CUTS.len();
            let height = f32::from(darkest) + (f32::from(lightest) - f32::from(darkest)) * CUTS[cut];
            match self.look_at(height as u8, small, full, by) {
                Look::Nothing => {}
                Look::Unreadable => look = Look::Unreadable,
                found @ Look::Read(_) => {
                    self.last_cut = cut;
                    return found;
                }
            }
        }
        look
    }

    /// Looks at the patches that are lighter than `cut`.
    fn look_at(&mut self, cut: u8, small: &Luma<'_>, full: &Luma<'_>, by: f32) -> Look {
        self.seen.clear();
        self.seen.resize(small.width * small.height, false);
        let (mut look, mut patches) = (Look::Nothing, 0);
        for start in 0..small.samples.len() {
            if self.seen[start] || small.samples[start] <= cut {
                continue;
            }
            let patch = self.patch(start, cut, small);
            if !patch.may_be_frame() {
                continue;
            }
            patches += 1;
            if patches > PATCHES {
                break;
            }
            let Some(corners) = sharpen(small, patch.corners()) else { continue };
            let corners = corners.map(|Point { x, y }| Point { x: x * by, y: y * by });
            match read(full, &corners) {
                Look::Nothing => {}
                Look::Unreadable => look = Look::Unreadable,
                found @ Look::Read(_) => return found,
            }
        }
        look
    }

    /// All that is light and hangs together with the sample `start`.
    fn patch(&mut self, start: usize, cut: u8, small: &Luma<'_>) -> Patch {
        let mut patch = Patch::new(start % small.width, start / small.width);
        self.seen[start] = true;
        self.stack.clear();
        self.stack.push(start as u32);
        while let Some(at) = self.stack.pop() {
            let at = at as usize;
            let (x, y) = (at % small.width, at / small.width);
            patch.add(x, y);
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < small.width).then(|| at + 1),
                (y > 0).then(|| at - small.width),
                (y + 1 < small.height).then(|| at + small.width),
            ];
            for next in beside.into_iter().flatten() {
                if !self.seen[next] && small.samples[next] > cut {
                    self.seen[next] = true;
                    self.stack.push(next as u32);
                }
            }
        }
        patch
    }
}

/// A patch that hangs together: how large it is, and its outermost samples.
struct Patch {
    count: usize,
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    /// Outermost towards upper left, upper right, lower right, lower left.
    outermost: [(isize, isize); 4],
}

impl Patch {
    const fn new(x: usize, y: usize) -> Self {
        Self { count: 0, left: x, right: x, top: y, bottom: y, outermost: [(x as isize, y as isize); 4] }
    }

    fn add(&mut self, x: usize, y: usize) {
        self.count += 1;
        (self.left, self.right) = (self.left.min(x), self.right.max(x));
        (self.top, self.bottom) = (self.top.min(y), self.bottom.max(y));
        let (x, y) = (x as isize, y as isize);
        let towards: [fn(isize, isize) -> isize; 4] = [|x, y| -x - y, |x, y| x - y, |x, y| x + y, |x, y| y - x];
        for (outermost, far) in self.outermost.iter_mut().zip(towards) {
            if far(x, y) > far(outermost.0, outermost.1) {
                *outermost = (x, y);
            }
        }
    }

    /// Large enough, and neither a line nor full: the frame is a quarter of what is within it.
    const fn may_be_frame(&self) -> bool {
        let (width, height) = (self.right - self.left + 1, self.bottom - self.top + 1);
        let within = width * height;
        width >= SMALLEST.0 && height >= SMALLEST.1 && self.count * 10 >= within && self.count * 10 <= within * 6
    }

    fn corners(&self) -> Corners {
        // From the middle of the outermost samples to their outer edges.
        let out = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let mut corners = [Point::default(); 4];
        for (corner, ((x, y), (right, down))) in corners.iter_mut().zip(self.outermost.iter().zip(out)) {
            *corner = Point { x: *x as f32 + right, y: *y as f32 + down };
        }
        corners
    }
}

/// Samples of one plane.
struct Luma<'a> {
    samples: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl Luma<'_> {
    /// The lightness between samples; outside, that of the edge.
    fn at(&self, Point { x, y }: Point) -> f32 {
        let place = |at: f32, end: usize| {
            let at = (at - 0.5).clamp(0.0, (end - 1) as f32);
            let first = (at as usize).min(end.saturating_sub(2));
            (first, (first + 1).min(end - 1), at - first as f32)
        };
        let ((left, right, across), (top, bottom, down)) = (place(x, self.width), place(y, self.height));
        let sample = |x: usize, y: usize| f32::from(self.samples[y * self.stride + x]);
        let row = |y: usize| sample(left, y) + (sample(right, y) - sample(left, y)) * across;
        row(top) + (row(bottom) - row(top)) * down
    }

    fn is_inside(&self, Point { x, y }: Point) -> bool {
        x >= 0.0 && y >= 0.0 && x <= self.width as f32 && y <= self.height as f32
    }

    /// Dark and light, the outermost samples on each side left out: fewer than the smallest frame has.
    fn range(&self) -> (u8, u8) {
        let mut counts = [0_usize; 256];
        self.samples.iter().for_each(|sample| counts[usize::from(*sample)] += 1);
        let few = self.samples.len() / 2_000;
        let reach = |levels: &mut dyn Iterator<Item = usize>| {
            let mut sum = 0;
            for level in levels {
                sum += counts[level];
                if sum > few {
                    return level as u8;
                }
            }
            0
        };
        (reach(&mut (0..256)), reach(&mut (0..256).rev()))
    }
}

/// Means of `by` × `by` samples.
fn shrink(full: &Luma<'_>, by: usize, (width, height): (usize, usize), small: &mut Vec<u8>) {
    small.clear();
    let each = (by * by) as u32;
    for y in 0..height {
        let rows = |down: usize| &full.samples[(y * by + down) * full.stride..][..width * by];
        if by == 1 {
            small.extend_from_slice(rows(0));
            continue;
        }
        small.extend((0..width).map(|x| {
            let sum: u32 =
                (0..by).map(|down| rows(down)[x * by..][..by].iter().map(|it| u32::from(*it)).sum::<u32>()).sum();
            (sum / each) as u8
        }));
    }
}

/// Means of 3 × 3 samples, the middle counting twice each way: what is left of noise would tear outlines.
fn soften(from: &[u8], (width, height): (usize, usize), to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(from);
    for y in 1..height - 1 {
        let [above, here, below] = [y - 1, y, y + 1].map(|y| &from[y * width..][..width]);
        let column = |x: usize| u32::from(above[x]) + 2 * u32::from(here[x]) + u32::from(below[x]);
        for (x, sample) in to[y * width..][..width].iter_mut().enumerate().take(width - 1).skip(1) {
            *sample = ((column(x - 1) + 2 * column(x) + column(x + 1)) / 16) as u8;
        }
    }
}

/// Places the edges of an outline to a fraction of a sample: along each side it is looked where dark becomes light, and a line
/// is laid through these places. Nothing if it is no outline of a rectangle.
fn sharpen(small: &Luma<'_>, corners: Corners) -> Option<Corners> {
    if !is_convex(&corners, (SMALLEST.0 * SMALLEST.1) as f32 / 2.0) {
        return None;
    }
    let mut lines = [(Point::default(), Point::default()); 4];
    for (side, line) in lines.iter_mut().enumerate() {
        let (from, to) = (corners[side], corners[(side + 1) % 4]);
        let length = from.distance(to);
        let units = if side % 2 == 0 { FRAME_WIDTH } else { FRAME_HEIGHT } as f32;
        if length < units {
            return None;
        }
        // Clockwise, so that outside is to the left.
        let out = Point { x: (to.y - from.y) / length, y: (from.x - to.x) / length };
        let reach = 0.8 * (length / units).min(10.0);
        let crossings: Vec<_> = (0..20)
            .filter_map(|number| {
                let along = 0.05 + 0.9 * number as f32 / 19.0;
                Some((along, crossing_at(small, from.towards(to, along), out, reach)?))
            })
            .collect();
        let (begin, end) = fit(&crossings)?;
        let moved = |point: Point, by: f32| Point { x: point.x + out.x * by, y: point.y + out.y * by };
        *line = (moved(from, begin), moved(to, end));
    }
    let corner = |side: usize| crossing(lines[(side + 3) % 4], lines[side]);
    let corners = [corner(0)?, corner(1)?, corner(2)?, corner(3)?];
    is_convex(&corners, (SMALLEST.0 * SMALLEST.1) as f32 / 2.0).then_some(corners)
}

/// How far outwards of `at` (negative: inwards) light becomes dark, within `reach`.
fn crossing_at(small: &Luma<'_>, at: Point, out: Point, reach: f32) -> Option<f32> {
    const STEPS: usize = 16;
    let distance = |step: usize| reach * (step as f32 / (STEPS / 2) as f32 - 1.0);
    let mut levels = [0.0_f32; STEPS + 1];
    for (step, level) in levels.iter_mut().enumerate() {
        *level = small.at(Point { x: at.x + out.x * distance(step), y: at.y + out.y * distance(step) });
    }
    let lightest = levels.iter().copied().fold(f32::MIN, f32::max);
    let outside = levels[STEPS];
    let middle = f32::midpoint(lightest, outside);
    if lightest - outside < CONTRAST / 2.0 {
        return None;
    }
    // From outside inwards: the frame's other edge is further in.
    let step = (1..=STEPS).rev().find(|step| levels[step - 1] > middle)?;
    let share = (levels[step - 1] - middle) / (levels[step - 1] - levels[step]).max(1e-3);
    Some(distance(step - 1) + share.clamp(0.0, 1.0) * (distance(step) - distance(step - 1)))
}

/// The straight line through most of these places (share of the way, distance): its distance at the beginning and the end. What
/// is far off the first line is left out of the second.
fn fit(places: &[(f32, f32)]) -> Option<(f32, f32)> {
    let line = |places: &mut dyn Iterator<Item = &(f32, f32)>| {
        let (mut n, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (along, off) in places {
            (n, x, y, xx, xy) = (n + 1.0, x + along, y + off, xx + along * along, xy + along * off);
        }
        let den = n * xx - x * x;
        (n >= 8.0 && den > 1e-3).then(|| {
            let slope = (n * xy - x * y) / den;
            let begin = (y - slope * x) / n;
            (begin, begin + slope)
        })
    };
    let (begin, end) = line(&mut places.iter())?;
    let off = |(along, off): &(f32, f32)| (off - (begin + (end - begin) * along)).abs();
    let limit = places.iter().map(off).sum::<f32>() / places.len() as f32 * 2.0 + 0.05;
    line(&mut places.iter().filter(|place| off(place) <= limit))
}

/// Lightness as a plane over the target: shade and vignettes are that nearly enough.
struct Shade {
    middle: f32,
    across: f32,
    down: f32,
}

impl Shade {
    /// Through levels at places that lie all round the middle of the square.
    fn through(levels: &[(f32, f32, f32)]) -> Self {
        let sum = |of: fn(&(f32, f32, f32)) -> f32| levels.iter().map(of).sum::<f32>();
        Self {
            middle: sum(|it| it.2) / levels.len().max(1) as f32,
            across: sum(|it| (it.0 - 0.5) * it.2) / sum(|it| (it.0 - 0.5).powi(2)).max(1e-3),
            down: sum(|it| (it.1 - 0.5) * it.2) / sum(|it| (it.1 - 0.5).powi(2)).max(1e-3),
        }
    }

    fn at(&self, u: f32, v: f32) -> f32 {
        self.middle + self.across * (u - 0.5) + self.down * (v - 0.5)
    }
}

/// Reads what is in a frame with these corners.
fn read(full: &Luma<'_>, corners: &Corners) -> Look {
    let Some(perspective) = Perspective::new(corners) else { return Look::Nothing };
    if !corners.iter().all(|corner| full.is_inside(*corner)) {
        return Look::Nothing;
    }
    // Means over a part of a unit, which begins there in units.
    let level = |x: f32, y: f32, part: f32| {
        let steps = [-0.5, -0.25, 0.0, 0.25, 0.5].map(|step| step * part);
        let places = steps.iter().flat_map(|down| steps.iter().map(move |across| (across, down)));
        let sum: f32 = places
            .map(|(across, down)| {
                let (u, v) = ((x + 0.5 + across) / FRAME_WIDTH as f32, (y + 0.5 + down) / FRAME_HEIGHT as f32);
                full.at(perspective.place(u, v))
            })
            .sum();
        sum / 25.0
    };
    let (light, dark) = (outline(0, &level), outline(1, &level));
    let (lights, darks) = (Shade::through(&light), Shade::through(&dark));
    let middle = |u: f32, v: f32| f32::midpoint(lights.at(u, v), darks.at(u, v));
    let share = |levels: &[(f32, f32, f32)], is_light: bool| {
        let right = levels.iter().filter(|(u, v, level)| (*level > middle(*u, *v)) == is_light);
        right.count() as f32 / levels.len().max(1) as f32
    };
    if lights.middle - darks.middle < CONTRAST || share(&light, true) < OUTLINE || share(&dark, false) < OUTLINE {
        return Look::Nothing;
    }
    let mut cells = [false; COLUMNS * ROWS];
    for (index, cell) in cells.iter_mut().enumerate() {
        let (x, y) = ((index % COLUMNS + 2) as f32, (index / COLUMNS + 2) as f32);
        let (u, v) = ((x + 0.5) / FRAME_WIDTH as f32, (y + 0.5) / FRAME_HEIGHT as f32);
        let (low, high) = (darks.at(u, v), lights.at(u, v));
        let height = (level(x, y, 0.5) - low) / (high - low).max(1.0);
        if (height - 0.5).abs() < DOUBT {
            return Look::Unreadable;
        }
        *cell = height > 0.5;
    }
    label(&cells).map_or(Look::Unreadable, Look::Read)
}

/// Levels all round, this many units within the outer edge: (u, v, level).
fn outline(within: usize, level: &impl Fn(f32, f32, f32) -> f32) -> Vec<(f32, f32, f32)> {
    let (right, bottom) = (FRAME_WIDTH - 1 - within, FRAME_HEIGHT - 1 - within);
    let across = (within..=right).flat_map(|x| [(x, within), (x, bottom)]);
    let down = (within + 1..bottom).flat_map(|y| [(within, y), (right, y)]);
    let place = |(x, y): (usize, usize)| {
        let (x, y) = (x as f32, y as f32);
        ((x + 0.5) / FRAME_WIDTH as f32, (y + 0.5) / FRAME_HEIGHT as f32, level(x, y, 0.4))
    };
    across.chain(down).map(place).collect()
}

/// The label of these cells, as they are, upside down, or either of them in a mirror.
fn label(cells: &[bool; COLUMNS * ROWS]) -> Option<Label> {
    [(false, false), (true, false), (true, true), (false, true)].into_iter().find_map(|(mirrored, upside_down)| {
        let mut bytes = [0_u8; BYTES];
        for (index, cell) in cells.iter().enumerate() {
            let (x, y) = (index % COLUMNS, index / COLUMNS);
            let x = if mirrored { COLUMNS - 1 - x } else { x };
            let y = if upside_down { ROWS - 1 - y } else { y };
            let index = y * COLUMNS + x;
            bytes[index / 8] |= u8::from(*cell) << (7 - index % 8);
        }
        decode(bytes)
    })
}
