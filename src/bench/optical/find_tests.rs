//! The finder on pictures that a camera could have taken, made from a label that is known; and on those that show none.

use proptest::prelude::*;

use super::find::{Finder, Look};
use super::geometry::{Corners, Perspective, Point};
use super::target::{self, PICTURE};
use crate::capture::SourceFormat;
use crate::capture::barcode::Label;
use crate::capture::pattern::Pattern;
use crate::media::{Colour, FrameId, Picture, PicturePool, Plane, Timestamp};

const LABEL: Label = Label { id: FrameId(1_234), captured: Timestamp::from_nanos(98_765_432_109_000) };
const OTHER: Label = Label { id: FrameId(1_235), captured: Timestamp::from_nanos(98_765_532_777_000) };

/// A camera that looks at a screen.
#[derive(Clone, Copy)]
struct View {
    width: u32,
    height: u32,
    /// Where the corners of the window's picture are, margin included.
    corners: Corners,
    /// Radius of what a point of the screen becomes.
    blur: f32,
    /// Lightness of black, and what white adds to it.
    black: f32,
    white: f32,
    /// What is lost of that from the left to the right edge.
    shade: f32,
    /// Most that noise adds or takes.
    noise: f32,
    /// Lightness around the screen.
    around: f32,
}

/// Straight from the front, the picture `scale` times as large, its middle at the middle of 640 × 480.
fn front(scale: f32) -> View {
    let (across, down) = (PICTURE.0 as f32 * scale / 2.0, PICTURE.1 as f32 * scale / 2.0);
    let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
    let corners = corners.map(|(x, y)| Point { x: 320.0 + x * across, y: 240.0 + y * down });
    let (black, white) = (30.0, 180.0);
    View { width: 640, height: 480, corners, blur: 0.5, black, white, shade: 0.0, noise: 4.0, around: 90.0 }
}

impl View {
    fn moved(mut self, x: f32, y: f32) -> Self {
        self.corners = self.corners.map(|corner| Point { x: corner.x + x, y: corner.y + y });
        self
    }

    fn turned(mut self, degrees: f32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        self.corners = self.corners.map(|Point { x, y }| {
            let (x, y) = (x - 320.0, y - 240.0);
            Point { x: 320.0 + x * cos - y * sin, y: 240.0 + x * sin + y * cos }
        });
        self
    }

    fn in_a_mirror(mut self) -> Self {
        self.corners = self.corners.map(|corner| Point { x: self.width as f32 - corner.x, ..corner });
        self
    }

    /// A larger picture of the same.
    fn finer(mut self, by: f32) -> Self {
        (self.width, self.height) = ((self.width as f32 * by) as u32, (self.height as f32 * by) as u32);
        self.corners = self.corners.map(|Point { x, y }| Point { x: x * by, y: y * by });
        self.blur *= by;
        self
    }

    /// The picture that the camera takes of what `screen` shows (0 black, 1 white).
    fn picture(&self, screen: impl Fn(f32, f32) -> f32) -> Picture {
        let perspective = Perspective::new(&self.corners).unwrap();
        let steps = [-0.75, -0.25, 0.25, 0.75];
        grey(self.width, self.height, |x, y| {
            let places = steps.iter().flat_map(|down| steps.iter().map(move |across| (across, down)));
            let light: f32 = places
                .map(|(across, down)| {
                    let (x, y) = (x as f32 + 0.5 + across * self.blur, y as f32 + 0.5 + down * self.blur);
                    let (u, v) = perspective.back(Point { x, y });
                    if (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                        self.black + self.white * screen(u, v)
                    } else {
                        self.around
                    }
                })
                .sum();
            let noise = (scramble(x, y, 7) - 0.5) * 2.0 * self.noise;
            light / 16.0 * (1.0 - self.shade * x as f32 / self.width as f32) + noise
        })
    }

    fn look(&self, label: Label) -> Look {
        Finder::default().look(&self.picture(screen(label)))
    }
}

/// A number from 0 to 1 that looks like chance.
fn scramble(x: u32, y: u32, seed: u32) -> f32 {
    let mixed = (x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed).wrapping_mul(0xC2B2_AE3D);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x27D4_EB2F);
    (mixed >> 8) as f32 / (1 << 24) as f32
}

fn grey(width: u32, height: u32, lightness: impl Fn(u32, u32) -> f32) -> Picture {
    let mut pool = PicturePool::new(1);
    let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
    let [(luma, stride), ..] = picture.planes_mut();
    for (y, row) in luma.chunks_mut(stride).enumerate() {
        for (x, sample) in row.iter_mut().enumerate().take(width as usize) {
            *sample = lightness(x as u32, y as u32).clamp(0.0, 255.0) as u8;
        }
    }
    pool.finish(picture)
}

/// What the window shows, by places from 0 to 1.
fn screen(label: Label) -> impl Fn(f32, f32) -> f32 {
    let mut pool = PicturePool::new(1);
    let mut picture = pool.acquire(PICTURE.0, PICTURE.1, Colour::default()).unwrap();
    target::draw(label, &mut picture);
    let picture = pool.finish(picture);
    move |u, v| {
        let (luma, stride) = picture.plane(Plane::Y);
        let (x, y) = ((u * PICTURE.0 as f32) as usize, (v * PICTURE.1 as f32) as usize);
        (f32::from(luma[y * stride + x]) - 16.0) / 219.0
    }
}

#[test]
fn it_is_found_near_and_far_and_wherever_it_is() {
    for scale in [0.85, 0.6, 0.4, 0.25, 0.18] {
        assert_eq!(front(scale).look(LABEL), Look::Read(LABEL), "{scale}");
    }
    for (x, y) in [(-190.0, -140.0), (190.0, -140.0), (-190.0, 140.0), (193.3, 141.7)] {
        assert_eq!(front(0.33).moved(x, y).look(LABEL), Look::Read(LABEL), "{x},{y}");
    }
    for by in [2.0, 3.0] {
        assert_eq!(front(0.4).finer(by).look(LABEL), Look::Read(LABEL), "{by} times as many samples each way");
    }
}

#[test]
fn it_is_read_dim_glaring_shaded_and_noisy() {
    let view = front(0.45);
    for (black, white, around) in [(20.0, 35.0, 25.0), (120.0, 60.0, 60.0), (10.0, 245.0, 0.0), (60.0, 120.0, 255.0)] {
        let view = View { black, white, around, noise: 2.0, ..view };
        assert_eq!(view.look(LABEL), Look::Read(LABEL), "{black} + {white} in {around}");
    }
    for shade in [0.3, 0.6] {
        assert_eq!(View { shade, ..view }.look(LABEL), Look::Read(LABEL), "{shade}");
    }
    assert_eq!(View { noise: 25.0, ..view }.look(LABEL), Look::Read(LABEL), "noise");
}

#[test]
fn it_is_read_out_of_focus_as_long_as_its_cells_are_apart() {
    // A unit is 18 samples here.
    for blur in [2.0, 5.0, 8.0] {
        assert_eq!(View { blur, ..front(0.45) }.look(LABEL), Look::Read(LABEL), "{blur}");
    }
    let look = View { blur: 20.0, ..front(0.45) }.look(LABEL);
    assert!(!matches!(look, Look::Read(_)), "{look:?}");
}

#[test]
fn it_is_read_turned_from_the_side_upside_down_and_in_a_mirror() {
    for degrees in [-25.0, -8.0, 3.0, 15.0, 25.0, 180.0, 188.0] {
        assert_eq!(front(0.45).turned(degrees).look(LABEL), Look::Read(LABEL), "{degrees} degrees");
        assert_eq!(front(0.45).turned(degrees).in_a_mirror().look(LABEL), Look::Read(LABEL), "{degrees}, in a mirror");
    }
    let corners = [(150.0, 60.0), (480.0, 130.0), (470.0, 330.0), (130.0, 400.0)].map(|(x, y)| Point { x, y });
    assert_eq!(View { corners, ..front(1.0) }.look(LABEL), Look::Read(LABEL), "from the side");
}

#[test]
fn a_finder_that_has_found_one_finds_the_next() {
    let mut finder = Finder::default();
    for (view, label) in [(front(0.5), LABEL), (front(0.3).moved(50.0, 20.0), OTHER), (front(0.7).finer(2.0), LABEL)] {
        assert_eq!(finder.look(&view.picture(screen(label))), Look::Read(label));
    }
}

#[test]
fn a_label_that_is_damaged_covered_or_shines_through_the_next_is_not_read() {
    let whole = screen(LABEL);
    let view = front(0.5);
    let look = |screen: &dyn Fn(f32, f32) -> f32| Finder::default().look(&view.picture(screen));
    // Cells are 1/18 by 1/14 of the picture; each by itself is missed.
    for index in (0..96).step_by(7) {
        let (x, y) = (index % 12 + 3, index / 12 + 3);
        let flipped = |u: f32, v: f32| {
            let is_it = ((u * 18.0) as usize, (v * 14.0) as usize) == (x, y);
            if is_it { 1.0 - whole(u, v) } else { whole(u, v) }
        };
        assert_eq!(look(&flipped), Look::Unreadable, "cell {index}");
    }
    let other = screen(OTHER);
    let blended = look(&|u, v| f32::midpoint(whole(u, v), other(u, v)));
    assert_eq!(blended, Look::Unreadable, "two labels in one exposure");
    let torn = look(&|u, v| if v < 0.5 { whole(u, v) } else { other(u, v) });
    assert_eq!(torn, Look::Unreadable, "the upper half of one, the lower of the other");
    let covered = look(&|u, v| if u > 0.3 && v > 0.6 { 0.4 } else { whole(u, v) });
    assert!(!matches!(covered, Look::Read(_)), "{covered:?}");
}

#[test]
fn pictures_without_it_give_nothing() {
    let mut finder = Finder::default();
    let mut nothing = |what: &str, picture: &Picture| assert_eq!(finder.look(picture), Look::Nothing, "{what}");
    for seed in 0..10 {
        nothing("noise", &grey(320, 240, |x, y| scramble(x, y, seed) * 255.0));
        nothing("coarse noise", &grey(320, 240, |x, y| scramble(x / 16, y / 16, seed) * 255.0));
    }
    nothing("grey", &grey(640, 480, |_, _| 128.0));
    nothing("a slope", &grey(640, 480, |x, y| (x + y) as f32 / 5.0));
    nothing("stripes", &grey(640, 480, |x, _| if x % 40 < 20 { 20.0 } else { 220.0 }));
    nothing("a chessboard", &grey(640, 480, |x, y| if (x / 40 + y / 40) % 2 == 0 { 20.0 } else { 220.0 }));
    nothing("tiny", &grey(16, 16, |x, _| x as f32 * 15.0));
    nothing(
        "a light rectangle",
        &front(0.5).picture(|u, v| f32::from(u8::from((0.1..0.9).contains(&u) && (0.1..0.9).contains(&v)))),
    );
    let pattern = Pattern::new(SourceFormat::new(640, 360, 30)).unwrap();
    let mut pool = PicturePool::new(1);
    let mut picture = pool.acquire(640, 360, Colour::default()).unwrap();
    pattern.draw(FrameId(5), Timestamp::from_nanos(5_000), &mut picture);
    nothing("the test pattern, whose label is another", &pool.finish(picture));
}

#[test]
fn an_empty_frame_is_seen_and_not_read() {
    let frame = |u: f32, v: f32| {
        let (x, y) = ((u * 18.0) as usize, (v * 14.0) as usize);
        f32::from(u8::from((1..=16).contains(&x) && (1..=12).contains(&y) && (x == 1 || x == 16 || y == 1 || y == 12)))
    };
    assert_eq!(Finder::default().look(&front(0.5).picture(frame)), Look::Unreadable);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_picture_gives_an_answer(
        (width, height) in (1_u32..260, 1_u32..200),
        bytes in proptest::collection::vec(any::<u8>(), 1..400),
        block in 1_u32..30,
    ) {
        let picture = grey(width, height, |x, y| {
            f32::from(bytes[((y / block * 31 + x / block) as usize) % bytes.len()])
        });
        prop_assert!(!matches!(Finder::default().look(&picture), Look::Read(_)));
    }
}
