//! The CPU twin of the shaders: the same maths in the same order, one pixel at a time, to check the GPU against.

use super::fit::Placement;
use super::{Image, ViewSettings, colour};
use crate::media::{Picture, Plane};

/// What `shaders/fill.wgsl` makes of a picture.
#[must_use]
pub fn fill(picture: &Picture) -> Image {
    let twin = Twin::new(picture);
    let (width, height) = (picture.width(), picture.height());
    let mut rgba = Vec::with_capacity(4 * width as usize * height as usize);
    for y in 0..height {
        for x in 0..width {
            let [red, green, blue] = twin.rgb_at(twin.luma.at(x as usize, y as usize), centre(x, y));
            rgba.extend_from_slice(&[red, green, blue, 1.0].map(code));
        }
    }
    Image { width, height, rgba }
}

/// What `shaders/view.wgsl` makes of a picture in `rect_px` (left, top, right, bottom) of a transparent target.
#[must_use]
pub fn view(picture: &Picture, rect_px: [f32; 4], target_px: [u32; 2], settings: ViewSettings) -> Image {
    let twin = Twin::new(picture);
    let placement = Placement::new((picture.width(), picture.height()), rect_px, settings.fit, settings.mirror);
    let [left, top, right, bottom] = placement.place;
    let [first, above, last, below] = placement.source;
    let [width, height] = placement.size();
    let radius_px = settings.radius_px.clamp(0.0, width.min(height) / 2.0);
    let mut rgba = Vec::with_capacity(4 * target_px[0] as usize * target_px[1] as usize);
    for y in 0..target_px[1] {
        for x in 0..target_px[0] {
            let [px, py] = centre(x, y);
            if px < left || px >= right || py < top || py >= bottom {
                rgba.extend_from_slice(&[0; 4]);
                continue;
            }
            let inside = [px - left, py - top];
            let sample = [mix(first, last, inside[0] / width), mix(above, below, inside[1] / height)];
            let distance = rounded_rectangle(inside, [width / 2.0, height / 2.0], radius_px);
            let cover = if radius_px > 0.0 { (0.5 - distance).clamp(0.0, 1.0) } else { 1.0 };
            let [red, green, blue] = twin.rgb_at(twin.luma.blend(sample), sample);
            let dim = settings.brightness * cover;
            rgba.extend_from_slice(&[red * dim, green * dim, blue * dim, cover].map(code));
        }
    }
    Image { width: target_px[0], height: target_px[1], rgba }
}

struct Twin<'a> {
    rows: [[f32; 4]; 3],
    luma: Samples<'a>,
    cb: Samples<'a>,
    cr: Samples<'a>,
}

impl<'a> Twin<'a> {
    fn new(picture: &'a Picture) -> Self {
        let samples = |plane: Plane| {
            let (width, height) = plane.size(picture.width(), picture.height());
            let (bytes, stride) = picture.plane(plane);
            Samples { bytes, stride, width: width as usize, height: height as usize }
        };
        Self {
            rows: colour::rows(picture.colour()),
            luma: samples(Plane::Y),
            cb: samples(Plane::U),
            cr: samples(Plane::V),
        }
    }

    fn rgb_at(&self, luma: f32, at: [f32; 2]) -> [f32; 3] {
        let chroma = [at[0] * 0.5, at[1] * 0.5];
        let sample = [luma, self.cb.blend(chroma), self.cr.blend(chroma), 1.0];
        self.rows.map(|row| row.iter().zip(sample).map(|(number, sample)| number * sample).sum::<f32>().clamp(0.0, 1.0))
    }
}

/// One plane as normalised numbers.
struct Samples<'a> {
    bytes: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl Samples<'_> {
    fn at(&self, x: usize, y: usize) -> f32 {
        f32::from(self.bytes[y * self.stride + x]) / 255.0
    }

    /// Blend of the four samples around `at`.
    fn blend(&self, at: [f32; 2]) -> f32 {
        let (left, right, across) = corner(at[0], self.width);
        let (top, bottom, down) = corner(at[1], self.height);
        let above = mix(self.at(left, top), self.at(right, top), across);
        let below = mix(self.at(left, bottom), self.at(right, bottom), across);
        mix(above, below, down)
    }
}

fn corner(at: f32, size: usize) -> (usize, usize, f32) {
    let low = (at - 0.5).floor();
    let last = size as i64 - 1;
    let first = low as i64;
    (first.clamp(0, last) as usize, (first + 1).clamp(0, last) as usize, at - 0.5 - low)
}

fn rounded_rectangle(at: [f32; 2], half_size: [f32; 2], radius: f32) -> f32 {
    let [x, y] = [0, 1].map(|axis: usize| (at[axis] - half_size[axis]).abs() - half_size[axis] + radius);
    x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
}

fn centre(x: u32, y: u32) -> [f32; 2] {
    [x as f32 + 0.5, y as f32 + 0.5]
}

fn mix(from: f32, to: f32, weight: f32) -> f32 {
    from * (1.0 - weight) + to * weight
}

fn code(value: f32) -> u8 {
    (value * 255.0).round() as u8
}
