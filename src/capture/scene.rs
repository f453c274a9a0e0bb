//! The pictures that the test pattern is put together from, drawn once: a room with shelf, window and plant, a person,
//! and balls. Detail and texture are what a webcam sees, so that rates and times measured on it mean something.

use std::ops::Range;

/// An I420 layer of even size, rows without padding; luma within [`DARKEST`] and [`LIGHTEST`].
pub(super) struct Layer {
    pub width: usize,
    pub height: usize,
    /// Luma, Cb, Cr.
    pub planes: [Vec<u8>; 3],
    /// For each luma row the part that is not transparent.
    pub spans: Vec<Range<usize>>,
}

/// Darkest luma of a layer: leaves room for noise above video black.
pub(super) const DARKEST: u8 = 20;
/// Lightest luma of a layer: leaves room for noise below video white.
pub(super) const LIGHTEST: u8 = 228;

/// Luma 0–1, blue and red difference −0.5–0.5.
#[derive(Clone, Copy)]
struct Tint(f32, f32, f32);

impl Layer {
    fn paint(width: usize, height: usize, tint: impl Fn(usize, usize) -> Tint) -> Self {
        let (width, height) = (width.max(2).next_multiple_of(2), height.max(2).next_multiple_of(2));
        let mut planes = [vec![0; width * height], vec![0; width * height / 4], vec![0; width * height / 4]];
        for y in 0..height {
            for x in 0..width {
                let Tint(luma, cb, cr) = tint(x, y);
                let range = f32::from(LIGHTEST - DARKEST);
                planes[0][y * width + x] = (f32::from(DARKEST) + luma.clamp(0.0, 1.0) * range) as u8;
                if x % 2 == 0 && y % 2 == 0 {
                    let place = (y / 2) * (width / 2) + x / 2;
                    planes[1][place] = (128.0 + cb.clamp(-0.5, 0.5) * 224.0) as u8;
                    planes[2][place] = (128.0 + cr.clamp(-0.5, 0.5) * 224.0) as u8;
                }
            }
        }
        Self { width, height, planes, spans: vec![0..width; height] }
    }

    fn cut(mut self, span: impl Fn(usize) -> Range<usize>) -> Self {
        for (y, out) in self.spans.iter_mut().enumerate() {
            let span = span(y);
            // Even ends: chroma is cut at the same place.
            *out = span.start.min(self.width) & !1..span.end.min(self.width) & !1;
        }
        self
    }
}

/// The room behind the person.
pub(super) fn room(width: usize, height: usize) -> Layer {
    let (w, h) = (width as f32, height as f32);
    Layer::paint(width, height, |x, y| {
        let (u, v) = (x as f32 / w, y as f32 / h);
        let grain = texture(x, y, 3, 1) - 0.5;
        if (0.04..0.34).contains(&u) && (0.22..0.92).contains(&v) {
            shelf(u, v, x, y)
        } else if (0.68..0.94).contains(&u) && (0.2..0.62).contains(&v) {
            window(u, v, x, y)
        } else if (u - 0.86).powi(2) / 0.009 + (v - 0.8).powi(2) / 0.03 < 1.0 {
            let leaf = texture(x, y, 6, 7);
            Tint(0.12 + 0.55 * leaf * leaf, -0.12, -0.13)
        } else {
            let paper = texture(x, y, 48, 2) * 0.1 + grain * 0.06;
            Tint(0.5 + 0.16 * u - 0.22 * v + paper, -0.02 - 0.03 * u, 0.03)
        }
    })
}

/// Books of different height, width and colour on four boards.
fn shelf(u: f32, v: f32, x: usize, y: usize) -> Tint {
    let (board, within) = (((v - 0.22) / 0.175) as u32, ((v - 0.22) / 0.175).fract());
    let place = (u - 0.04) / 0.3 * 22.0 + hash(board, 0, 3) * 0.7;
    let book = place as u32;
    let wood = texture(x, y, 10, 4) * 0.08;
    if within > 0.93 || within < 0.16 + 0.2 * hash(book, board, 5) {
        return Tint(0.18 + wood, -0.05, 0.06);
    }
    let edge = if place.fract() < 0.12 { -0.15 } else { 0.0 };
    let title = if (0.5..0.62).contains(&within) && (0.3..0.75).contains(&place.fract()) { 0.25 } else { 0.0 };
    let light = 0.2 + 0.5 * hash(book, board, 6);
    Tint(light + edge + title + wood, hash(book, board, 8) * 0.36 - 0.18, hash(book, board, 9) * 0.36 - 0.16)
}

/// Four panes with a bright sky and the tops of trees.
fn window(u: f32, v: f32, x: usize, y: usize) -> Tint {
    let (across, down) = ((u - 0.68) / 0.26, (v - 0.2) / 0.42);
    let bar = |t: f32| !(0.05..0.95).contains(&t) || (0.48..0.52).contains(&t);
    if bar(across) || bar(down) {
        return Tint(0.82, 0.0, 0.0);
    }
    let tree = 0.55 + 0.25 * texture(x, 0, 30, 11);
    if down > tree {
        Tint(0.22 + 0.3 * texture(x, y, 4, 12), -0.08, -0.07)
    } else {
        Tint(0.86 + 0.12 * texture(x, y, 40, 13) - 0.1 * down, 0.09, -0.05)
    }
}

/// Head and shoulders, `height` samples high.
pub(super) fn person(height: usize) -> Layer {
    let height = height.max(8);
    let width = height * 10 / 9;
    let (w, h) = (width as f32, height as f32);
    // The head is an ellipse of 0.46 × 0.62 in units of the height, the body a flattened one below.
    let head = move |x: f32, y: f32| ((x - w / 2.0) / (0.23 * h)).powi(2) + ((y - 0.32 * h) / (0.31 * h)).powi(2);
    let body = move |x: f32, y: f32| ((x - w / 2.0) / (0.54 * h)).powi(2) + ((y - 1.05 * h) / (0.43 * h)).powi(2);
    let layer = Layer::paint(width, height, move |x, y| {
        let (px, py) = (x as f32, y as f32);
        let skin = texture(x, y, 5, 21) * 0.05;
        let face = head(px, py);
        if face < 1.0 {
            let hairline = 0.17 + 0.05 * texture(x, 0, 9, 22);
            if py < hairline * h || (face > 0.78 && py < 0.34 * h) {
                return Tint(0.1 + 0.22 * texture(x * 3, y / 4, 3, 23), -0.03, 0.03);
            }
            let side = (px - w / 2.0) / (0.23 * h);
            return Tint(0.66 - 0.2 * side * side - 0.1 * side + skin, -0.08, 0.11);
        }
        let knit = if (x / 3 + y / 2) % 3 == 0 { 0.06 } else { 0.0 };
        Tint(0.3 + knit + 0.12 * texture(x, y, 14, 24) - 0.08 * body(px, py), 0.1, -0.05)
    });
    let half_width = move |y: usize| {
        let y = y as f32;
        let head = (1.0 - ((y - 0.32 * h) / (0.31 * h)).powi(2)).max(0.0).sqrt() * 0.23 * h;
        let neck = if (0.5 * h..0.75 * h).contains(&y) { 0.1 * h } else { 0.0 };
        let body = (1.0 - ((y - 1.05 * h) / (0.43 * h)).powi(2)).max(0.0).sqrt() * 0.54 * h;
        head.max(neck).max(body)
    };
    layer.cut(move |y| ((w / 2.0 - half_width(y)) as usize)..((w / 2.0 + half_width(y)) as usize))
}

/// A marbled ball of one colour.
pub(super) fn ball(diameter: usize, blue: f32, red: f32) -> Layer {
    let diameter = diameter.max(4);
    let radius = diameter as f32 / 2.0;
    let half = move |y: usize| (radius * radius - (y as f32 + 0.5 - radius).powi(2)).max(0.0).sqrt();
    Layer::paint(diameter, diameter, move |x, y| {
        let (dx, dy) = ((x as f32 - radius) / radius, (y as f32 - radius) / radius);
        let shine = 1.0 - ((dx + 0.3).powi(2) + (dy + 0.3).powi(2)).sqrt();
        let veins = texture(x, y, 7, 31);
        Tint(0.25 + 0.4 * shine + 0.2 * veins, blue * (0.6 + 0.4 * veins), red * (0.6 + 0.4 * veins))
    })
    .cut(move |y| ((radius - half(y)) as usize)..((radius + half(y)) as usize))
}

/// Values of noise like an image sensor's: mostly −1, 0 and 1, never beyond ±3, as wrapping bytes.
pub(super) fn sensor_noise(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|index| {
            let sum = (0..4).map(|part| hash(index, part, 41)).sum::<f32>() - 2.0;
            (sum * 2.0).round().clamp(-3.0, 3.0) as i8 as u8
        })
        .collect()
}

/// Smooth noise, 0–1: two octaves of values on a lattice of `scale` samples.
fn texture(x: usize, y: usize, scale: usize, seed: u32) -> f32 {
    let fine = (scale / 2).max(1);
    0.65 * lattice(x, y, scale.max(1), seed) + 0.35 * lattice(x, y, fine, seed ^ 0x5555)
}

fn lattice(x: usize, y: usize, scale: usize, seed: u32) -> f32 {
    let (left, top) = ((x / scale) as u32, (y / scale) as u32);
    let (fx, fy) = ((x % scale) as f32 / scale as f32, (y % scale) as f32 / scale as f32);
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t * t * (3.0 - 2.0 * t);
    let upper = mix(hash(left, top, seed), hash(left + 1, top, seed), fx);
    let lower = mix(hash(left, top + 1, seed), hash(left + 1, top + 1, seed), fx);
    mix(upper, lower, fy)
}

/// A fixed number in 0–1 for each place and seed.
fn hash(x: u32, y: u32, seed: u32) -> f32 {
    scramble(x.wrapping_mul(0x9E37_79B1) ^ scramble(y.wrapping_add(seed.wrapping_mul(0x85EB_CA6B)))) as f32
        / u32::MAX as f32
}

/// Mixes all bits of a number into all others (multiply, xor-shift).
pub(super) const fn scramble(mut value: u32) -> u32 {
    value ^= value >> 16;
    value = value.wrapping_mul(0x7FEB_352D);
    value ^= value >> 15;
    value = value.wrapping_mul(0x846C_A68B);
    value ^ value >> 16
}
