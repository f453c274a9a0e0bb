//! The GPU against its CPU twin, and what is seen of mirror, letterbox, corners, strides and changing sizes.

use std::sync::Arc;

use super::offscreen::FORMAT;
use super::*;
use crate::media::{
    Colour, Doorbell, FrameId, Matrix, Picture, PicturePool, Plane, PlaneStore, Range, Stage, Stamps, VideoFrame, slot,
};

const COLOURS: [Colour; 4] = [
    Colour { matrix: Matrix::Bt601, range: Range::Limited },
    Colour { matrix: Matrix::Bt601, range: Range::Full },
    Colour { matrix: Matrix::Bt709, range: Range::Limited },
    Colour { matrix: Matrix::Bt709, range: Range::Full },
];

/// A picture whose planes hold `sample(plane, x, y)`.
pub(super) fn picture(width: u32, height: u32, colour: Colour, sample: impl Fn(Plane, u32, u32) -> u8) -> Picture {
    let mut pool = PicturePool::new(1);
    let mut picture = pool.acquire(width, height, colour).unwrap();
    for (plane, (bytes, stride)) in Plane::ALL.into_iter().zip(picture.planes_mut()) {
        let (plane_width, plane_height) = plane.size(width, height);
        for y in 0..plane_height {
            for x in 0..plane_width {
                bytes[y as usize * stride + x as usize] = sample(plane, x, y);
            }
        }
    }
    pool.finish(picture)
}

pub(super) fn noise(width: u32, height: u32, colour: Colour) -> Picture {
    picture(width, height, colour, |plane, x, y| {
        let seed = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)).wrapping_add(plane as u32 * 977);
        (seed ^ (seed >> 13)).wrapping_mul(2_246_822_519).to_le_bytes()[2]
    })
}

/// Draws pictures of one form by both pipelines.
struct Painter {
    gpu: Gpu,
    textures: PictureTextures,
    fill: FillPipeline,
    view: ViewPipeline,
}

impl Painter {
    fn new(form: Form) -> Self {
        let gpu = Gpu::open().unwrap();
        let textures = PictureTextures::new(&gpu.device, form);
        let fill = FillPipeline::new(&gpu.device, FORMAT, form);
        let view = ViewPipeline::new(&gpu.device, FORMAT, form);
        Self { gpu, textures, fill, view }
    }

    fn both() -> [Self; 2] {
        Form::ALL.map(Self::new)
    }

    fn fill(&mut self, picture: &Picture) -> Image {
        self.textures.upload(&self.gpu.device, &self.gpu.queue, picture).unwrap();
        let target = Offscreen::new(&self.gpu, picture.width(), picture.height()).unwrap();
        self.submit(|this, encoder| {
            let pass = &mut target.pass(encoder, Some(wgpu::Color::TRANSPARENT));
            this.fill.draw(pass, this.textures.bindings().unwrap());
        });
        target.read(&self.gpu).unwrap()
    }

    fn view(&mut self, picture: &Picture, rect_px: [f32; 4], target_px: [u32; 2], settings: ViewSettings) -> Image {
        self.textures.upload(&self.gpu.device, &self.gpu.queue, picture).unwrap();
        let target = Offscreen::new(&self.gpu, target_px[0], target_px[1]).unwrap();
        let mut rectangle = self.view.rectangle(&self.gpu.device);
        rectangle.place(&self.gpu.queue, (picture.width(), picture.height()), rect_px, target_px, settings);
        self.submit(|this, encoder| {
            let pass = &mut target.pass(encoder, Some(wgpu::Color::TRANSPARENT));
            this.view.draw(pass, this.textures.bindings().unwrap(), &rectangle);
        });
        target.read(&self.gpu).unwrap()
    }

    fn submit(&self, record: impl FnOnce(&Self, &mut wgpu::CommandEncoder)) {
        let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(self, &mut encoder);
        self.gpu.queue.submit([encoder.finish()]);
    }
}

pub(super) fn largest_difference(one: &Image, other: &Image) -> u8 {
    assert_eq!((one.width, one.height), (other.width, other.height));
    one.rgba.iter().zip(&other.rgba).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// By how many codes a form may differ from the twin. Planes: by rounding. RGBA: its converter works with integers and
/// gives each chroma sample to its four luma samples, unblended.
const fn tolerance(form: Form) -> u8 {
    match form {
        Form::Planes => 1,
        Form::Ready => 2,
    }
}

/// The darkest luma on which a form agrees with the twin: the converter to RGBA takes what is blacker than black as black
/// before it adds the chroma.
const fn darkest(form: Form, colour: Colour) -> u8 {
    match (form, colour.range) {
        (Form::Planes, _) | (_, Range::Full) => 0,
        (Form::Ready, Range::Limited) => 16,
    }
}

#[test]
fn the_gpu_agrees_with_its_twin_on_every_colour() {
    for form in Form::ALL {
        let mut painter = Painter::new(form);
        for colour in COLOURS {
            // Each pair of chroma codes once, with four of 64 lumas each time: 16 pictures of 512 × 512.
            for part in 0..16 {
                let sweep = picture(512, 512, colour, |plane, x, y| match plane {
                    Plane::Y => (((part * 4 + (y & 1) * 2 + (x & 1)) * 255 / 63) as u8).max(darkest(form, colour)),
                    Plane::U => x as u8,
                    Plane::V => y as u8,
                });
                let difference = largest_difference(&painter.fill(&sweep), &cpu::fill(&sweep));
                assert!(difference <= tolerance(form), "{form:?}, {colour:?}, part {part}: {difference}");
            }
        }
    }
}

#[test]
fn the_gpu_agrees_with_its_twin_on_odd_sizes() {
    let mut painter = Painter::new(Form::Planes);
    for (width, height) in [(1, 1), (2, 1), (1, 3), (5, 3), (63, 65), (127, 31), (641, 361)] {
        for colour in COLOURS {
            let picture = noise(width, height, colour);
            let difference = largest_difference(&painter.fill(&picture), &cpu::fill(&picture));
            assert!(difference <= 1, "{width}×{height}, {colour:?}: {difference}");
        }
    }
}

#[test]
fn what_the_processor_converts_agrees_with_the_twin_on_odd_sizes() {
    let mut painter = Painter::new(Form::Ready);
    for (width, height) in [(1, 1), (2, 1), (1, 3), (5, 3), (63, 65), (127, 31), (641, 361)] {
        for colour in COLOURS {
            // Flat chroma: the converter does not blend it.
            let picture = picture(width, height, colour, |plane, x, y| match plane {
                Plane::Y => 16 + ((7 * x + 5 * y) % 220) as u8,
                Plane::U => 90,
                Plane::V => 170,
            });
            let difference = largest_difference(&painter.fill(&picture), &cpu::fill(&picture));
            assert!(difference <= tolerance(Form::Ready), "{width}×{height}, {colour:?}: {difference}");
        }
    }
}

#[test]
fn the_gpu_agrees_with_its_twin_on_scaled_mirrored_rounded_and_dimmed_pictures() {
    let mut painter = Painter::new(Form::Planes);
    let picture = picture(64, 36, Colour::default(), |plane, x, y| match plane {
        Plane::Y => (40 + 2 * x + y) as u8,
        Plane::U => (90 + x) as u8,
        Plane::V => (160 - y) as u8,
    });
    for fit in [Fit::Letterbox, Fit::Cover] {
        for mirror in [false, true] {
            let settings = ViewSettings { fit, mirror, radius_px: 12.0, brightness: 0.6 };
            let rect = [8.0, 4.0, 108.0, 92.0];
            let seen = painter.view(&picture, rect, [120, 100], settings);
            let twin = cpu::view(&picture, rect, [120, 100], settings);
            // One for rounding, one for where the rasteriser's interpolation and the twin's differ in a last bit.
            assert!(largest_difference(&seen, &twin) <= 2, "{fit:?}, mirror {mirror}");
        }
    }
}

#[test]
fn a_mirrored_picture_is_seen_from_right_to_left() {
    for mut painter in Painter::both() {
        let picture = noise(32, 16, Colour::default());
        let rect = [0.0, 0.0, 32.0, 16.0];
        let straight = painter.view(&picture, rect, [32, 16], ViewSettings::default());
        let mirrored = painter.view(&picture, rect, [32, 16], ViewSettings { mirror: true, ..ViewSettings::default() });
        for y in 0..16 {
            for x in 0..32 {
                let (one, other) = (straight.pixel(x, y), mirrored.pixel(31 - x, y));
                assert!(one.iter().zip(other).all(|(a, b)| a.abs_diff(b) <= 1), "{x},{y}: {one:?} {other:?}");
            }
        }
    }
}

#[test]
fn a_letterbox_leaves_the_rest_of_its_rectangle_alone() {
    for mut painter in Painter::both() {
        let white = picture(64, 32, Colour::default(), |plane, _, _| if plane == Plane::Y { 235 } else { 128 });
        let seen = painter.view(&white, [0.0, 0.0, 64.0, 64.0], [64, 64], ViewSettings::default());
        for (y, wanted) in [(15, [0; 4]), (16, [255; 4]), (47, [255; 4]), (48, [0; 4])] {
            assert_eq!(seen.pixel(32, y), wanted, "row {y}");
        }
    }
}

#[test]
fn rounded_corners_are_transparent_and_smooth() {
    for mut painter in Painter::both() {
        let white = picture(64, 64, Colour::default(), |plane, _, _| if plane == Plane::Y { 235 } else { 128 });
        let settings = ViewSettings { radius_px: 16.0, ..ViewSettings::default() };
        let seen = painter.view(&white, [0.0, 0.0, 64.0, 64.0], [64, 64], settings);
        for (x, y) in [(0, 0), (63, 0), (0, 63), (63, 63)] {
            assert_eq!(seen.pixel(x, y), [0; 4], "corner {x},{y}");
        }
        assert_eq!(seen.pixel(32, 0), [255; 4]);
        assert_eq!(seen.pixel(0, 32), [255; 4]);
        let between = (0..16).flat_map(|y| (0..16).map(move |x| (x, y))).filter(|(x, y)| {
            let [red, _, _, alpha] = seen.pixel(*x, *y);
            assert_eq!(red, alpha, "premultiplied at {x},{y}");
            (1..255).contains(&alpha)
        });
        assert!(between.count() >= 8, "the arc is not antialiased");
    }
}

#[test]
fn a_dimmed_picture_is_darker_and_as_opaque() {
    for mut painter in Painter::both() {
        let white = picture(8, 8, Colour::default(), |plane, _, _| if plane == Plane::Y { 235 } else { 128 });
        let settings = ViewSettings { brightness: 0.4, ..ViewSettings::default() };
        let seen = painter.view(&white, [0.0, 0.0, 8.0, 8.0], [8, 8], settings);
        assert_eq!(seen.pixel(4, 4), [102, 102, 102, 255]);
    }
}

/// The planes of another picture with rows that lie further apart.
struct Wide(Picture, [Vec<u8>; 3]);

impl Wide {
    const GAP: usize = 37;

    fn new(picture: &Picture) -> Self {
        let planes = Plane::ALL.map(|plane| {
            picture.rows(plane).flat_map(|row| row.iter().copied().chain([0xAA; Self::GAP])).collect::<Vec<u8>>()
        });
        Self(picture.clone(), planes)
    }
}

impl PlaneStore for Wide {
    fn plane(&self, plane: Plane) -> (&[u8], usize) {
        let width = plane.size(self.0.width(), self.0.height()).0 as usize;
        let bytes = &self.1[plane as usize];
        (&bytes[..bytes.len() - Self::GAP], width + Self::GAP)
    }
}

#[test]
fn rows_may_lie_further_apart_than_they_are_wide() {
    for mut painter in Painter::both() {
        let picture = noise(53, 31, Colour::default());
        let store: Arc<dyn PlaneStore> = Arc::new(Wide::new(&picture));
        let wide = Picture::from_store(53, 31, Colour::default(), store).unwrap();
        assert_eq!(painter.fill(&wide), painter.fill(&picture));
    }
}

#[test]
fn size_and_colour_may_change_from_picture_to_picture() {
    // Flat chroma, on which both forms agree with the twin.
    let flat = |size, colour| {
        let luma = |x, y| (16 + (3 * x + y) % 220) as u8;
        picture(size, size, colour, |plane, x, y| if plane == Plane::Y { luma(x, y) } else { 100 })
    };
    for form in Form::ALL {
        let mut painter = Painter::new(form);
        for (size, colour) in [(64, 0), (64, 3), (16, 3), (64, 1)] {
            let picture = flat(size, COLOURS[colour]);
            let difference = largest_difference(&painter.fill(&picture), &cpu::fill(&picture));
            assert!(difference <= tolerance(form), "{form:?}, {size}, {colour}: {difference}");
        }
    }
}

#[test]
fn the_twin_agrees_with_another_converter() {
    for colour in COLOURS {
        // Flat chroma and no luma below black: the other converter does not blend the one and cuts the other off.
        let flat = picture(64, 64, colour, |plane, x, y| match plane {
            Plane::Y => (16 + (x + 64 * y) % 220) as u8,
            Plane::U => 90,
            Plane::V => 170,
        });
        let mut rgba = vec![0; 4 * 64 * 64];
        ready::convert(&flat, &mut rgba).unwrap();
        let other = Image { width: 64, height: 64, rgba };
        assert!(largest_difference(&cpu::fill(&flat), &other) <= 2, "{colour:?}");
    }
}

#[test]
fn every_frame_that_is_shown_comes_back_with_its_stamps_in_order() {
    let bell = Arc::new(Doorbell::new());
    let (mut frames, mut newest) = slot(Arc::clone(&bell));
    let mut presenter = Presenter::new(Gpu::open().unwrap(), Arc::clone(&bell)).unwrap();
    bell.attend();
    let picture = noise(64, 36, Colour::default());
    let mut seen = Vec::new();
    for number in 0..20 {
        frames.write(VideoFrame { id: FrameId(number), stamps: Stamps::new(), picture: picture.clone() });
        while seen.len() <= number as usize {
            presenter.serve(&mut newest, |id, stamps| seen.push((id, stamps))).unwrap();
            if seen.len() <= number as usize {
                bell.wait(None);
            }
        }
    }
    for (number, (id, stamps)) in seen.into_iter().enumerate() {
        assert_eq!(id, FrameId(number as u32));
        let times = [Stage::UploadStart, Stage::Submitted, Stage::GpuDone].map(|stage| stamps.get(stage).unwrap());
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(stamps.get(Stage::PresentRequested), None, "nothing was presented");
    }
    assert_eq!(presenter.picture().unwrap().unwrap(), Painter::new(Form::of(&Gpu::open().unwrap())).fill(&picture));
}

#[test]
fn what_the_gpu_takes_for_a_picture_is_read_with_the_next_one_if_it_has_timers() {
    let bell = Arc::new(Doorbell::new());
    let gpu = Gpu::open().unwrap();
    let has_timers = gpu.timers().contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);
    let is_software = gpu.is_software();
    let mut presenter = Presenter::new(gpu, Arc::clone(&bell)).unwrap();
    bell.attend();
    let picture = noise(64, 36, Colour::default());
    let show = |presenter: &mut Presenter, ids: std::ops::Range<u32>| {
        let mut timed = Vec::new();
        for number in ids {
            presenter
                .show(VideoFrame { id: FrameId(number), stamps: Stamps::new(), picture: picture.clone() })
                .unwrap();
            while presenter.poll_shown().unwrap().is_none() {
                bell.wait(Some(std::time::Duration::from_millis(20)));
            }
            timed.extend(std::iter::from_fn(|| presenter.poll_timed()));
        }
        timed
    };
    assert_eq!(show(&mut presenter, 0..5), [], "nobody has asked");
    presenter.time_passes();
    assert_eq!(show(&mut presenter, 5..10).is_empty(), is_software || !has_timers);
    presenter.time_all_passes();
    let timed = show(&mut presenter, 10..20);
    assert_eq!(timed.is_empty(), !has_timers);
    assert!(timed.is_sorted_by_key(|(id, _)| *id) && timed.iter().all(|(id, _)| (10..19).contains(&id.0)), "{timed:?}");
    assert!(timed.iter().all(|(_, took)| *took < std::time::Duration::from_secs(10)), "{timed:?}");
}

#[test]
fn while_the_gpu_is_busy_the_newest_frame_wins() {
    let bell = Arc::new(Doorbell::new());
    let (mut frames, mut newest) = slot(Arc::clone(&bell));
    let mut presenter = Presenter::new(Gpu::open().unwrap(), bell).unwrap();
    let picture = noise(16, 16, Colour::default());
    let frame = |number| VideoFrame { id: FrameId(number), stamps: Stamps::new(), picture: picture.clone() };
    for number in 0..presenter::IN_FLIGHT as u32 {
        presenter.show(frame(number)).unwrap();
    }
    assert!(!presenter.has_room());
    (10..20).for_each(|number| frames.write(frame(number)));
    let mut seen = Vec::new();
    while seen.len() < presenter::IN_FLIGHT + 1 {
        presenter.serve(&mut newest, |id, _| seen.push(id.0)).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(seen, [0, 1, 19]);
}

#[test]
fn a_saved_picture_has_the_pixels_that_were_drawn() {
    let image = Painter::new(Form::Planes).fill(&noise(20, 10, Colour::default()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    image.save_png(&path).unwrap();
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap())).read_info().unwrap();
    let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut rgba).unwrap();
    assert_eq!(rgba, image.rgba);
    let error = image.save_png(&folder.path().join("missing/picture.png")).unwrap_err();
    assert!(error.to_string().contains("missing/picture.png"), "{error}");
}
