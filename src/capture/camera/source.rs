//! A camera as a source: opened in the format that comes closest, watched, and opened again when it has gone silent or
//! came back.
//!
//! Opening and reading may block in a driver for as long as the driver likes. So a thread of the device's own, `camera`,
//! does both and puts what it reads into a slot: one raw frame waits, a newer one replaces it. Whoever calls
//! [`VideoSource::next`] waits for it with a limit and converts it. A thread that has gone silent is left to itself: it
//! ends when its driver lets it go, and there are never more than [`MOST_LEFT`] such. What is wrong meanwhile is in
//! [`VideoSource::trouble`]; the call goes on without a picture.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::watch::{Watch, Wish};
use super::{CameraSystem, choose_format, find};
use crate::capture::convert::{Converter, RawFrame};
use crate::capture::{CaptureError, Captured, LONGEST_WAIT, Lamp, POOL_PICTURES, SourceFormat, VideoSource};
use crate::engine::clock;
use crate::media::{Doorbell, FrameId, PicturePool, PoolCounts, SlotReader, SlotWriter, Timestamp, slot};

/// Most threads that hang in a driver before a camera is not opened again.
const MOST_LEFT: usize = 3;
/// A camera whose frames were all damaged for this many in a row is in trouble.
const DAMAGED_IN_A_ROW: u64 = 30;
/// How long a closing waits for the device: most give a frame, and so their thread back, within this time.
const CLOSING: Duration = Duration::from_millis(300);
/// How often a closing looks.
const CLOSING_STEP: Duration = Duration::from_millis(5);

/// What the device's thread has to say; a failure is its last word.
enum Report {
    Frame(RawFrame),
    Failed(CaptureError),
}

/// A device and its thread.
struct Running {
    stop: Arc<AtomicBool>,
    name: Arc<OnceLock<String>>,
    reports: SlotReader<Report>,
    bell: Arc<Doorbell>,
    thread: JoinHandle<()>,
}

/// A camera as a source.
pub struct CameraSource {
    system: Arc<dyn CameraSystem>,
    wanted: Option<String>,
    format: SourceFormat,
    lamp: Lamp,
    running: Option<Running>,
    left: Vec<JoinHandle<()>>,
    watch: Watch,
    trouble: Option<CaptureError>,
    damaged: u64,
    damaged_in_a_row: u64,
    converter: Converter,
    pool: PicturePool,
}

impl CameraSource {
    /// A camera by name, or the system's first. Opens nothing yet: the first [`VideoSource::next`] does. `lamp` is lit
    /// while the device is open.
    #[must_use]
    pub fn new(system: Arc<dyn CameraSystem>, wanted: Option<String>, format: SourceFormat, lamp: Lamp) -> Self {
        Self {
            system,
            wanted,
            format,
            lamp,
            running: None,
            left: Vec::new(),
            watch: Watch::default(),
            trouble: None,
            damaged: 0,
            damaged_in_a_row: 0,
            converter: Converter::default(),
            pool: PicturePool::new(POOL_PICTURES),
        }
    }

    fn start(&mut self, now: Timestamp) {
        self.left.retain(|thread| !thread.is_finished());
        if self.left.len() >= MOST_LEFT {
            return self.fail(CaptureError::Stuck, now);
        }
        let bell = Arc::new(Doorbell::new());
        bell.attend();
        let (mut writer, reports) = slot(Arc::clone(&bell));
        let (stop, name) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let job = Job {
            system: Arc::clone(&self.system),
            wanted: self.wanted.clone(),
            format: self.format,
            lamp: Arc::clone(&self.lamp),
            stop: Arc::clone(&stop),
            name: Arc::clone(&name),
        };
        let thread = Builder::new().name("camera".into()).spawn(move || {
            if let Err(error) = job.run(&mut writer) {
                writer.write(Report::Failed(error));
            }
        });
        match thread {
            Ok(thread) => {
                self.watch.handle_opening(now);
                self.running = Some(Running { stop, name, reports, bell, thread });
            }
            Err(error) => self.fail(CaptureError::Camera { name: "camera".into(), why: error.to_string() }, now),
        }
    }

    /// The device's thread is told to end and no longer listened to.
    fn leave(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.store(true, Ordering::Release);
            self.left.push(running.thread);
        }
    }

    fn fail(&mut self, error: CaptureError, now: Timestamp) {
        self.leave();
        self.watch.handle_closed(now);
        self.trouble = Some(error);
    }

    fn take(&mut self, raw: &RawFrame, now: Timestamp) -> Option<Captured> {
        self.watch.handle_frame(now);
        match self.converter.convert(raw, &mut self.pool) {
            Ok(picture) => {
                self.damaged_in_a_row = 0;
                self.trouble = None;
                let picture = picture?;
                (self.format.width, self.format.height) = (picture.width(), picture.height());
                Some(Captured { picture, captured: raw.captured, converted: clock::now() })
            }
            Err(error) => {
                self.damaged += 1;
                self.damaged_in_a_row += 1;
                if self.damaged_in_a_row >= DAMAGED_IN_A_ROW {
                    self.trouble = Some(CaptureError::Frames(error));
                }
                None
            }
        }
    }
}

impl VideoSource for CameraSource {
    fn name(&self) -> &str {
        let opened = self.running.as_ref().and_then(|running| running.name.get());
        opened.map(String::as_str).or(self.wanted.as_deref()).unwrap_or("camera")
    }

    fn format(&self) -> SourceFormat {
        self.format
    }

    fn next(&mut self, _id: FrameId) -> Result<Option<Captured>, CaptureError> {
        let now = clock::now();
        match self.watch.poll(now) {
            Wish::Open => self.start(now),
            Wish::GiveUp => {
                let name = self.name().to_owned();
                self.fail(CaptureError::Silent { name }, now);
            }
            Wish::Pause => std::thread::sleep(LONGEST_WAIT),
            Wish::Read => {}
        }
        let Some(running) = &mut self.running else { return Ok(None) };
        // Asked before the slot, so that a last word is not overlooked.
        let ended = running.thread.is_finished();
        let report = running.reports.take().or_else(|| {
            running.bell.wait((!ended).then_some(LONGEST_WAIT).or(Some(Duration::ZERO)));
            running.reports.take()
        });
        let now = clock::now();
        match report {
            Some(Report::Frame(raw)) => return Ok(self.take(&raw, now)),
            Some(Report::Failed(error)) => self.fail(error, now),
            // It ended without a word: the driver's library has panicked.
            None if ended => self.fail(CaptureError::Stuck, now),
            None => {}
        }
        Ok(None)
    }

    fn trouble(&self) -> Option<&CaptureError> {
        self.trouble.as_ref()
    }

    fn damaged(&self) -> u64 {
        self.damaged
    }

    fn pool(&self) -> PoolCounts {
        self.pool.counts()
    }
}

impl Drop for CameraSource {
    fn drop(&mut self) {
        self.leave();
        let until = clock::now() + CLOSING;
        while self.left.iter().any(|thread| !thread.is_finished()) && clock::now() < until {
            std::thread::sleep(CLOSING_STEP);
        }
    }
}

/// What the device's thread does.
struct Job {
    system: Arc<dyn CameraSystem>,
    wanted: Option<String>,
    format: SourceFormat,
    lamp: Lamp,
    stop: Arc<AtomicBool>,
    name: Arc<OnceLock<String>>,
}

impl Job {
    fn run(self, reports: &mut SlotWriter<Report>) -> Result<(), CaptureError> {
        let name = find(self.system.as_ref(), self.wanted.as_deref())?;
        let _ = self.name.set(name.clone());
        if self.stop.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut device = self.system.open(&name)?;
        let _lit = (self.lamp)();
        let offered = device.formats()?;
        let format = choose_format(&offered, self.format).ok_or(CaptureError::NoFormat { name })?;
        tracing::info!(?format, "camera opened");
        device.start(format)?;
        while !self.stop.load(Ordering::Acquire) {
            reports.write(Report::Frame(device.read()?));
        }
        Ok(())
    }
}
