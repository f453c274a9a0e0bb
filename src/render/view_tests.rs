//! Video inside egui's own pass: where it lies, when it goes up, what is known of it afterwards.

use std::time::Duration;

use super::tests::{largest_difference, noise, picture};
use super::*;
use crate::engine::clock;
use crate::media::{Colour, FrameId, Picture, Plane, Stage, Stamps, VideoFrame};

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

struct Window {
    egui: EguiOffscreen,
    view: VideoView,
}

impl Window {
    fn new() -> Self {
        let gpu = Gpu::open().unwrap();
        let view = VideoView::new(VideoPainter::offscreen(&gpu).unwrap());
        Self { egui: EguiOffscreen::new(gpu, WIDTH, HEIGHT, 2.0).unwrap(), view }
    }

    fn set(&mut self, number: u32, picture: &Picture) {
        self.view.set_frame(VideoFrame { id: FrameId(number), stamps: Stamps::new(), picture: picture.clone() });
    }

    fn paint(&mut self, rect: egui::Rect, look: VideoLook) {
        let Self { egui, view } = self;
        egui.frame(clock::now(), |ui| view.paint(ui.painter(), rect, look));
    }

    /// Waits for the next frame that was shown.
    fn shown(&mut self) -> (FrameId, Stamps) {
        for _ in 0..1_000 {
            if let Some(shown) = self.view.poll_shown() {
                return shown;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no frame was shown within five seconds");
    }
}

fn rect(left: f32, top: f32, right: f32, bottom: f32) -> egui::Rect {
    egui::Rect::from_min_max(egui::pos2(left, top), egui::pos2(right, bottom))
}

fn slope() -> Picture {
    picture(64, 36, Colour::default(), |plane, x, y| match plane {
        Plane::Y => (40 + 2 * x + y) as u8,
        Plane::U => (90 + x) as u8,
        Plane::V => (160 - y) as u8,
    })
}

#[test]
fn video_lies_in_its_rectangle_of_the_egui_frame() {
    let mut window = Window::new();
    window.set(0, &slope());
    let look = VideoLook { radius: 6.0, mirror: true, fit: Fit::Cover, brightness: 0.8 };
    window.paint(rect(10.0, 5.0, 70.0, 50.0), look);
    // Two pixels to a point.
    let settings = ViewSettings { radius_px: 12.0, mirror: true, fit: Fit::Cover, brightness: 0.8 };
    let twin = cpu::view(&slope(), [20.0, 10.0, 140.0, 100.0], [WIDTH, HEIGHT], settings);
    assert!(largest_difference(&window.egui.picture().unwrap(), &twin) <= 2);
}

#[test]
fn video_that_sticks_out_of_the_window_is_cut_and_not_squeezed() {
    let mut window = Window::new();
    window.set(0, &slope());
    window.paint(rect(-40.0, -20.0, 60.0, 40.0), VideoLook::default());
    let twin = cpu::view(&slope(), [-80.0, -40.0, 120.0, 80.0], [WIDTH, HEIGHT], ViewSettings::default());
    assert!(largest_difference(&window.egui.picture().unwrap(), &twin) <= 2);
}

#[test]
fn a_frame_goes_up_once_however_often_it_is_painted() {
    let mut window = Window::new();
    let place = rect(0.0, 0.0, 80.0, 60.0);
    for number in 0..3 {
        window.set(number, &slope());
        for _ in 0..5 {
            window.paint(place, VideoLook::default());
        }
    }
    assert_eq!(window.view.uploads(), 3);
}

#[test]
fn of_frames_that_come_between_two_paintings_only_the_newest_goes_up() {
    let mut window = Window::new();
    (0..9).for_each(|number| window.set(number, &slope()));
    window.paint(rect(0.0, 0.0, 80.0, 60.0), VideoLook::default());
    assert_eq!(window.view.uploads(), 1);
    assert_eq!(window.shown().0, FrameId(8));
    assert!(window.view.poll_shown().is_none());
}

#[test]
fn a_shown_frame_says_when_the_gpu_was_done_and_claims_no_presentation() {
    let mut window = Window::new();
    for number in 0..20 {
        window.set(number, &slope());
        window.paint(rect(0.0, 0.0, 80.0, 60.0), VideoLook::default());
        let (id, stamps) = window.shown();
        assert_eq!(id, FrameId(number));
        assert!(stamps.get(Stage::UploadStart).unwrap() <= stamps.get(Stage::GpuDone).unwrap());
        assert_eq!((stamps.get(Stage::Submitted), stamps.get(Stage::PresentRequested)), (None, None));
    }
}

#[test]
fn a_frame_outside_of_what_is_painted_is_not_shown() {
    let mut window = Window::new();
    window.set(0, &slope());
    window.paint(rect(500.0, 500.0, 600.0, 600.0), VideoLook::default());
    window.egui.picture().unwrap();
    assert!(window.view.poll_shown().is_none());
    assert_eq!(window.view.uploads(), 0);
}

#[test]
fn after_clearing_nothing_is_painted() {
    let mut window = Window::new();
    window.set(0, &noise(32, 32, Colour::default()));
    window.paint(rect(0.0, 0.0, 80.0, 60.0), VideoLook::default());
    window.view.clear();
    assert_eq!(window.view.picture_size(), None);
    window.paint(rect(0.0, 0.0, 80.0, 60.0), VideoLook::default());
    assert!(window.egui.picture().unwrap().rgba.iter().all(|byte| *byte == 0));
}

#[test]
fn two_views_of_one_window_show_two_pictures() {
    let mut window = Window::new();
    let mut other = VideoView::new(VideoPainter::offscreen(window.egui.gpu()).unwrap());
    let grey = |code| picture(8, 8, Colour::default(), move |plane, _, _| if plane == Plane::Y { code } else { 128 });
    window.set(0, &grey(235));
    other.set_frame(VideoFrame { id: FrameId(0), stamps: Stamps::new(), picture: grey(16) });
    let Window { egui, view } = &mut window;
    egui.frame(clock::now(), |ui| {
        view.paint(ui.painter(), rect(0.0, 0.0, 40.0, 40.0), VideoLook::default());
        other.paint(ui.painter(), rect(40.0, 0.0, 80.0, 40.0), VideoLook::default());
    });
    let seen = egui.picture().unwrap();
    assert_eq!(seen.pixel(40, 40), [255; 4]);
    assert_eq!(seen.pixel(120, 40), [0, 0, 0, 255]);
}

#[test]
fn a_frame_of_the_window_says_what_its_parts_took_and_which_picture_it_showed() {
    let gpu = Gpu::open().unwrap();
    let painter = VideoPainter::offscreen(&gpu).unwrap();
    let has_timers = gpu.timers().contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);
    let view = VideoView::recorded(std::sync::Arc::clone(&painter));
    let mut window = Window { egui: EguiOffscreen::new(gpu, WIDTH, HEIGHT, 2.0).unwrap(), view };
    window.egui.context().add_plugin(UiFrameHook::timed(&painter));
    let frames = painter.ui_frames().clone();
    let mut paint = |number: Option<u32>| {
        if let Some(number) = number {
            window.set(number, &slope());
        }
        window.paint(rect(10.0, 10.0, 70.0, 50.0), VideoLook::default());
        window.egui.settle().unwrap();
    };
    paint(Some(1));
    assert_eq!(frames.poll(), None, "nobody looks, nothing is recorded");
    frames.set_on(true);
    for number in 2..12 {
        paint((number % 2 == 0).then_some(number));
    }
    let seen: Vec<_> = std::iter::from_fn(|| frames.poll()).collect();
    assert!(seen.len() >= 5, "{seen:?}");
    for frame in &seen {
        let parts = [frame.began, frame.laid_out, frame.tessellated, frame.uploaded, frame.acquired, frame.recorded];
        assert!(parts.is_sorted() && frame.began.as_nanos() > 0 && frame.recorded <= frame.handed_over, "{frame:?}");
        assert!(frame.gpu_done >= frame.recorded && frame.draw_calls >= 1, "{frame:?}");
        assert_eq!(frame.shown, (frame.number % 2 == 1).then_some(FrameId(frame.number as u32 + 1)));
    }
    if has_timers {
        assert!(seen.iter().any(|frame| frame.gpu.is_some_and(|took| !took.is_zero())), "{seen:?}");
    } else {
        assert!(seen.iter().all(|frame| frame.gpu.is_none()), "{seen:?}");
    }
}
