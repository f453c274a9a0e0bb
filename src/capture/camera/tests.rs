//! A camera source over cameras that do as a test says: they come, go, fall silent, fail and give nonsense.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::source::CameraSource;
use super::*;
use crate::capture::{Captured, Lamp, VideoSource};
use crate::engine::clock;
use crate::media::{FrameId, Plane, Timestamp};

/// What a camera does from now on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Works,
    GivesNonsense,
    IsSilent,
    Fails,
    Panics,
}

/// The cameras of a test.
pub struct Cameras {
    names: Mutex<Vec<String>>,
    mood: Mutex<Mood>,
    opened: AtomicUsize,
    lit: Arc<AtomicUsize>,
    over: AtomicBool,
}

impl Cameras {
    /// Cameras that work.
    #[must_use]
    pub fn new(names: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            names: Mutex::new(names.iter().map(|name| (*name).to_owned()).collect()),
            mood: Mutex::new(Mood::Works),
            opened: AtomicUsize::new(0),
            lit: Arc::default(),
            over: AtomicBool::new(false),
        })
    }

    fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn set_names(&self, names: &[&str]) {
        *self.names.lock().unwrap() = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// How often one was opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Acquire)
    }

    fn lit(&self) -> usize {
        self.lit.load(Ordering::Acquire)
    }

    /// As the system that a source is given.
    pub fn system(self: &Arc<Self>) -> Arc<dyn CameraSystem> {
        Arc::new(Handle(Arc::clone(self)))
    }

    fn source(self: &Arc<Self>, wanted: Option<&str>) -> CameraSource {
        struct Lit(Arc<AtomicUsize>);
        impl Drop for Lit {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let lit = Arc::clone(&self.lit);
        let lamp: Lamp = Arc::new(move || {
            lit.fetch_add(1, Ordering::AcqRel);
            Box::new(Lit(Arc::clone(&lit)))
        });
        CameraSource::new(self.system(), wanted.map(str::to_owned), SourceFormat::new(64, 36, 30), lamp)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

struct Handle(Arc<Cameras>);

impl CameraSystem for Handle {
    fn names(&self) -> Result<Vec<String>, CaptureError> {
        Ok(self.0.names.lock().unwrap().clone())
    }

    fn open(&self, name: &str) -> Result<Box<dyn CameraDevice>, CaptureError> {
        assert!(self.0.names.lock().unwrap().iter().any(|known| known == name));
        self.0.opened.fetch_add(1, Ordering::AcqRel);
        Ok(Box::new(Device { cameras: Arc::clone(&self.0), name: name.to_owned() }))
    }
}

struct Device {
    cameras: Arc<Cameras>,
    name: String,
}

impl CameraDevice for Device {
    fn formats(&mut self) -> Result<Vec<CameraFormat>, CaptureError> {
        Ok(vec![CameraFormat { encoding: Encoding::Nv12, width: 64, height: 48, fps: 30 }])
    }

    fn start(&mut self, format: CameraFormat) -> Result<(), CaptureError> {
        assert_eq!(format.height, 48);
        Ok(())
    }

    fn read(&mut self) -> Result<RawFrame, CaptureError> {
        std::thread::sleep(Duration::from_millis(5));
        let frame = |bytes: usize| RawFrame {
            data: vec![77; bytes].into(),
            encoding: Encoding::Nv12,
            width: 64,
            height: 48,
            captured: clock::now(),
        };
        let mood = *self.cameras.mood.lock().unwrap();
        match mood {
            Mood::Works => Ok(frame(64 * 48 * 3 / 2)),
            Mood::GivesNonsense => Ok(frame(100)),
            Mood::Fails => Err(CaptureError::Camera { name: self.name.clone(), why: "no such device".into() }),
            Mood::Panics => panic!("a driver's library at its end"),
            Mood::IsSilent => {
                while *self.cameras.mood.lock().unwrap() == Mood::IsSilent && !self.cameras.over.load(Ordering::Acquire)
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(CaptureError::Camera { name: self.name.clone(), why: "woken up".into() })
            }
        }
    }
}

/// Calls the source until `done`; fails after more time than any watchdog takes.
fn run_until(source: &mut CameraSource, mut done: impl FnMut(&CameraSource, Option<&Captured>) -> bool) {
    let until = clock::now() + Duration::from_secs(30);
    loop {
        let captured = source.next(FrameId(0)).unwrap();
        if done(source, captured.as_ref()) {
            return;
        }
        assert!(clock::now() < until, "in vain; trouble: {:?}", source.trouble());
    }
}

fn run_until_picture(source: &mut CameraSource) {
    run_until(source, |_, captured| captured.is_some());
}

#[test]
fn a_camera_gives_pictures_and_its_lamp_is_lit_exactly_while_it_is_open() {
    let cameras = Cameras::new(&["First", "Second"]);
    let mut source = cameras.source(None);
    assert_eq!((cameras.opened(), cameras.lit()), (0, 0), "nothing opens before the first picture is asked for");
    run_until(&mut source, |_, captured| {
        captured.is_some_and(|captured| {
            assert_eq!((captured.picture.width(), captured.picture.height()), (64, 48));
            assert!(captured.picture.rows(Plane::V).flatten().all(|sample| *sample == 77));
            assert!(Timestamp::ZERO < captured.captured && captured.captured <= captured.converted);
            true
        })
    });
    assert_eq!((source.name(), source.format().height), ("First", 48));
    assert_eq!((cameras.opened(), cameras.lit()), (1, 1));
    drop(source);
    assert_eq!((cameras.opened(), cameras.lit()), (1, 0));
}

#[test]
fn a_camera_is_chosen_by_its_name_and_a_wrong_name_is_answered_with_the_right_ones() {
    let cameras = Cameras::new(&["First", "Second"]);
    let mut source = cameras.source(Some("Second"));
    run_until_picture(&mut source);
    assert_eq!(source.name(), "Second");
    let mut source = cameras.source(Some("Third"));
    run_until(&mut source, |source, _| source.trouble().is_some());
    let words = source.trouble().unwrap().to_string();
    assert!(words.contains("Third") && words.contains("First, Second"), "{words}");
}

#[test]
fn a_missing_camera_is_said_and_used_as_soon_as_it_is_plugged_in() {
    let cameras = Cameras::new(&[]);
    let mut source = cameras.source(None);
    run_until(&mut source, |source, _| source.trouble() == Some(&CaptureError::NoCamera));
    cameras.set_names(&["Late"]);
    run_until_picture(&mut source);
    assert_eq!((source.trouble(), source.name(), cameras.lit()), (None, "Late", 1));
}

#[test]
fn a_camera_that_is_pulled_out_is_let_go_and_taken_again_when_it_is_back() {
    let cameras = Cameras::new(&["Cam"]);
    let mut source = cameras.source(None);
    run_until_picture(&mut source);
    cameras.set_names(&[]);
    cameras.set_mood(Mood::Fails);
    run_until(&mut source, |source, _| matches!(source.trouble(), Some(CaptureError::Camera { .. })));
    run_until(&mut source, |source, _| source.trouble() == Some(&CaptureError::NoCamera));
    assert_eq!(cameras.lit(), 0);
    cameras.set_mood(Mood::Works);
    cameras.set_names(&["Cam"]);
    run_until_picture(&mut source);
    assert_eq!((source.trouble(), cameras.opened(), cameras.lit()), (None, 2, 1));
}

#[test]
fn a_camera_that_falls_silent_is_left_and_opened_again() {
    let cameras = Cameras::new(&["Cam"]);
    let mut source = cameras.source(None);
    run_until_picture(&mut source);
    cameras.set_mood(Mood::IsSilent);
    run_until(
        &mut source,
        |source, _| matches!(source.trouble(), Some(CaptureError::Silent { name }) if name == "Cam"),
    );
    cameras.set_mood(Mood::Works);
    run_until_picture(&mut source);
    assert_eq!((source.trouble(), cameras.opened(), cameras.lit()), (None, 2, 1));
}

#[test]
fn damaged_frames_are_left_out_counted_and_at_last_said() {
    let cameras = Cameras::new(&["Cam"]);
    let mut source = cameras.source(None);
    run_until_picture(&mut source);
    cameras.set_mood(Mood::GivesNonsense);
    run_until(&mut source, |source, _| source.damaged() == 5);
    assert_eq!(source.trouble(), None, "a few are nothing to speak of");
    run_until(&mut source, |source, _| matches!(source.trouble(), Some(CaptureError::Frames(_))));
    cameras.set_mood(Mood::Works);
    run_until_picture(&mut source);
    assert_eq!((source.trouble(), cameras.opened()), (None, 1));
}

#[test]
fn a_panic_below_is_trouble_and_not_the_end() {
    let cameras = Cameras::new(&["Cam"]);
    let mut source = cameras.source(None);
    cameras.set_mood(Mood::Panics);
    run_until(&mut source, |source, _| source.trouble() == Some(&CaptureError::Stuck));
    cameras.set_mood(Mood::Works);
    run_until_picture(&mut source);
    assert_eq!((source.trouble(), cameras.lit()), (None, 1));
}

fn format(encoding: Encoding, width: u32, height: u32, fps: u32) -> CameraFormat {
    CameraFormat { encoding, width, height, fps }
}

#[test]
fn the_exact_size_and_rate_win_over_a_cheaper_encoding() {
    let wanted = SourceFormat::new(1280, 720, 30);
    let exact = format(Encoding::Mjpeg, 1280, 720, 30);
    let offered = [
        format(Encoding::Yuyv, 1280, 720, 10),
        format(Encoding::Yuyv, 640, 480, 30),
        format(Encoding::Mjpeg, 1920, 1080, 30),
        exact,
    ];
    assert_eq!(choose_format(&offered, wanted), Some(exact));
    let cheaper = format(Encoding::Nv12, 1280, 720, 30);
    assert_eq!(choose_format(&[offered[3], cheaper, offered[0]], wanted), Some(cheaper));
}

#[test]
fn without_the_exact_size_the_next_larger_one_wins() {
    let offered = [
        format(Encoding::Yuyv, 320, 240, 30),
        format(Encoding::Yuyv, 640, 480, 30),
        format(Encoding::Mjpeg, 1280, 720, 60),
    ];
    assert_eq!(choose_format(&offered, SourceFormat::new(640, 360, 30)), Some(offered[1]));
    assert_eq!(choose_format(&offered[..1], SourceFormat::new(640, 360, 30)), Some(offered[0]));
    assert_eq!(choose_format(&offered, SourceFormat::new(3840, 2160, 60)), Some(offered[2]));
}

#[test]
fn impossible_formats_are_never_chosen() {
    let wanted = SourceFormat::new(640, 360, 30);
    let bad = [
        format(Encoding::Yuyv, 640, 360, 0),
        format(Encoding::Yuyv, 8, 8, 30),
        format(Encoding::Nv12, u32::MAX, 360, 30),
    ];
    assert_eq!(choose_format(&bad, wanted), None);
    assert_eq!(choose_format(&[], wanted), None);
}
