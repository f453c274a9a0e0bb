//! The run: one thread shows labels in a window, one looks at what the camera sees of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, sleep};
use std::time::Duration;

use super::find::{Finder, Look};
use super::sightings::{Match, Sighted, Sightings};
use super::target::{self, PICTURE};
use crate::bench::call::BenchError;
use crate::bench::summary::Durations;
use crate::capture::barcode::Label;
use crate::capture::{POOL_PICTURES, VideoSource};
use crate::engine::clock;
use crate::engine::sources::OpenSource;
use crate::media::{Colour, Doorbell, FrameId, PicturePool, SlotWriter, Stage, Stamps, Timestamp, VideoFrame, slot};
use crate::ui::{Presented, show_pictures};

/// Shortest time that a label stands: three pictures of a camera that gives thirty a second, so that one of them sees it whole.
pub const HOLD: Duration = Duration::from_millis(100);
/// Longest: by chance up to a third more, so that the camera meets the labels at all times between two of its pictures.
pub const LONGEST_HOLD: Duration = Duration::from_millis(133);
/// A camera that has given nothing for so long and says why is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether the window is there.
const NAP: Duration = Duration::from_millis(5);
/// The window's size in points.
const WINDOW: [f32; 2] = [PICTURE.0 as f32, PICTURE.1 as f32];

/// What is to be measured.
pub struct OpticalBench {
    /// What looks at the window.
    pub eye: OpenSource,
    /// It is a camera; else a recording stands in for one.
    pub is_camera: bool,
    /// Length of the measurement, from the first label that is read.
    pub seconds: u64,
    /// How long the first label is waited for.
    pub wait: Duration,
    /// Set to end the run early.
    pub stop: Arc<AtomicBool>,
}

/// What was measured.
pub struct OpticalMeasured {
    /// What looked.
    pub source: String,
    /// It is a camera.
    pub is_camera: bool,
    /// Size of its pictures.
    pub size: (u32, u32),
    /// Times from the window's hand-over of a label to the camera's picture of it, in milliseconds.
    pub times: Durations,
    /// What became of the labels.
    pub labels: Sighted,
    /// Pictures that were looked at: since the first label was read, or all, if none was.
    pub pictures: Pictures,
    /// Times between these pictures, in milliseconds.
    pub intervals: Durations,
    /// What the window's frames take when they follow each other at once.
    pub window_frame: Option<Duration>,
    /// Name and interface of the GPU.
    pub gpu: (String, String),
    /// What is wrong with the camera.
    pub trouble: Option<String>,
}

/// Pictures of the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pictures {
    /// Looked at.
    pub seen: u64,
    /// With a label that could be read.
    pub read: u64,
    /// With the frame, but a label that could not: two in one exposure, unsharp, covered in part.
    pub unreadable: u64,
}

/// When the label after this one takes its place.
#[must_use]
pub fn hold(number: u32) -> Duration {
    let spread = LONGEST_HOLD.saturating_sub(HOLD).as_micros() as u64;
    // The golden ratio's multiples lie evenly between 0 and 1, whatever their count.
    let share = u64::from(number.wrapping_mul(0x9E37_79B9));
    HOLD + Duration::from_micros((spread * share) >> 32)
}

/// What the threads share.
struct Shared {
    sightings: Mutex<Sightings>,
    window: Mutex<(Option<Duration>, (String, String))>,
    /// The window is there, and draws.
    drawing: AtomicBool,
    over: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpticalBench {
    /// Opens the window and measures. `progress` is told the seconds that have passed since the first label was read. Who
    /// closes the window ends it.
    pub fn run(self, progress: impl Fn(u64) + Send) -> Result<OpticalMeasured, BenchError> {
        let by = if self.is_camera { Match::Whole } else { Match::Number };
        let shared = Shared {
            sightings: Mutex::new(Sightings::new(by)),
            window: Mutex::default(),
            drawing: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        let bell = Arc::new(Doorbell::new());
        let (writer, pictures) = slot(Arc::clone(&bell));
        let closing = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&shared);
        let tell = Box::new(move |presented| told.take(presented));
        let seen = std::thread::scope(|scope| {
            Builder::new().name("label".into()).spawn_scoped(scope, || show_labels(writer, &shared))?;
            let (ending, woken) = (Arc::clone(&closing), Arc::clone(&bell));
            let (shared, is_camera) = (&shared, self.is_camera);
            let watching = Builder::new().name("capture".into()).spawn_scoped(scope, move || {
                let seen = self.watch(shared, progress);
                shared.over.store(true, Ordering::Release);
                ending.store(true, Ordering::Release);
                woken.ring();
                seen
            });
            let watching = watching.inspect_err(|_| shared.over.store(true, Ordering::Release))?;
            let window = show_pictures("Visavis optical self-test", WINDOW, (pictures, &bell), tell, closing);
            shared.over.store(true, Ordering::Release);
            let seen = watching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            window?;
            Ok::<_, BenchError>((seen?, is_camera))
        });
        let (Watched { source, size, pictures, intervals, trouble }, is_camera) = seen?;
        let sightings = lock(&shared.sightings);
        let (window_frame, gpu) = lock(&shared.window).clone();
        let (times, labels) = (sightings.durations().clone(), sightings.counts());
        Ok(OpticalMeasured { source, is_camera, size, times, labels, pictures, intervals, window_frame, gpu, trouble })
    }

    /// Looks at the camera's pictures until the time is over.
    fn watch(mut self, shared: &Shared, progress: impl Fn(u64)) -> Result<Watched, BenchError> {
        let source = &mut *self.eye.source;
        let mut watched = Watched::default();
        let mut finder = Finder::default();
        let began = clock::now();
        shared.await_window(|| self.stop.load(Ordering::Acquire) || clock::now().since(began) >= self.wait);
        let (began, mut first, mut before) = (clock::now(), None, None);
        for number in 0.. {
            let now = clock::now();
            if self.stop.load(Ordering::Acquire) {
                return Err(BenchError::Stopped);
            }
            let is_over = match first {
                None => now.since(began) >= self.wait || watched.is_hopeless(source, now.since(began)),
                Some(first) => {
                    progress(now.since(first).as_secs());
                    now.since(first) >= Duration::from_secs(self.seconds)
                }
            };
            if is_over || shared.over.load(Ordering::Acquire) {
                break;
            }
            let Some(captured) = source.next(FrameId(number))? else { continue };
            watched.size = (captured.picture.width(), captured.picture.height());
            let look = finder.look(&captured.picture);
            if first.is_none() && matches!(look, Look::Read(_)) {
                // What was seen while the camera was being pointed does not count.
                (first, before) = (Some(now), None);
                (watched.pictures, watched.intervals) = (Pictures::default(), Durations::default());
            }
            watched.note(look, captured.captured, &mut before);
            if let Look::Read(label) = look {
                lock(&shared.sightings).seen(label, captured.captured);
            }
        }
        source.name().clone_into(&mut watched.source);
        watched.trouble = source.trouble().map(ToString::to_string);
        Ok(watched)
    }
}

/// What was seen of the camera's pictures.
#[derive(Default)]
struct Watched {
    source: String,
    size: (u32, u32),
    pictures: Pictures,
    intervals: Durations,
    trouble: Option<String>,
}

impl Watched {
    /// The camera has given nothing yet, and something is wrong with it.
    fn is_hopeless(&self, source: &dyn VideoSource, after: Duration) -> bool {
        self.pictures.seen == 0 && source.trouble().is_some() && after >= PATIENCE
    }

    fn note(&mut self, look: Look, at: Timestamp, before: &mut Option<Timestamp>) {
        self.pictures.seen += 1;
        self.pictures.read += u64::from(matches!(look, Look::Read(_)));
        self.pictures.unreadable += u64::from(look == Look::Unreadable);
        if let Some(before) = before.replace(at) {
            self.intervals.add(at.millis_since(before));
        }
    }
}

impl Shared {
    /// Waits until the window draws; not after the end, or when `enough`.
    fn await_window(&self, enough: impl Fn() -> bool) {
        while !self.drawing.load(Ordering::Acquire) && !self.over.load(Ordering::Acquire) && !enough() {
            sleep(NAP);
        }
    }

    fn take(&self, presented: Presented) {
        match presented {
            Presented::Picture(id, stamps) => {
                if let Some(at) = stamps.get(Stage::PresentRequested) {
                    lock(&self.sightings).shown(id, at);
                }
            }
            Presented::Pace(frame) => {
                lock(&self.window).0 = Some(frame);
                self.drawing.store(true, Ordering::Release);
            }
            Presented::On { gpu, backend } => lock(&self.window).1 = (gpu, backend),
        }
    }
}

/// Draws one label after the other. Those that the window does not come to are never shown, and never counted.
fn show_labels(mut pictures: SlotWriter<VideoFrame>, shared: &Shared) {
    let mut pool = PicturePool::new(POOL_PICTURES);
    shared.await_window(|| false);
    for number in 0.. {
        let begun = clock::now();
        if shared.over.load(Ordering::Acquire) {
            return;
        }
        if let Some(mut picture) = pool.acquire(PICTURE.0, PICTURE.1, Colour::default()) {
            let (id, captured) = (FrameId(number), begun);
            let label = Label { id, captured };
            target::draw(label, &mut picture);
            lock(&shared.sightings).drawn(label);
            let mut stamps = Stamps::new();
            stamps.set(Stage::Captured, captured);
            pictures.write(VideoFrame { id, stamps, picture: pool.finish(picture) });
        }
        // After a stall nothing is made up for: each label stands for as long as it is said to.
        sleep((begun + hold(number)).since(clock::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_for_lengths_that_are_spread_evenly() {
        let lengths: Vec<_> = (0..1_000).map(hold).collect();
        assert!(lengths.iter().all(|length| (HOLD..LONGEST_HOLD).contains(length)));
        let thirds = [0, 11, 22].map(|ms| {
            let from = HOLD + Duration::from_millis(ms);
            lengths.iter().filter(|length| (from..from + Duration::from_millis(11)).contains(length)).count()
        });
        assert!(thirds.iter().all(|count| (320..350).contains(count)), "{thirds:?}");
    }
}
