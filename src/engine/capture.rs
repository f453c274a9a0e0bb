//! The capturing thread: a source's pictures to the encoder and to the self-view, in a call or for a look at oneself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::config::{VideoChoice, VideoSettings};
use super::counters::{CallCounters, SendSwitches};
use super::handle::{DeviceOpens, DeviceState};
use super::sources::{OpenSource, open_source};
use crate::call::CaptureGrant;
use crate::capture::camera::CameraSystem;
use crate::capture::{CaptureError, Captured, VideoSource};
use crate::media::{FrameId, SlotWriter, Stage, Stamps, VideoFrame};

/// How long the thread sleeps while there is nothing to do.
const NAP: Duration = Duration::from_millis(50);

/// What control and the capturing thread share: which source is wanted, and how it is.
#[derive(Debug)]
pub struct SourceShare {
    choice: Mutex<VideoChoice>,
    /// Grows with each choice.
    choices: AtomicU64,
    state: Mutex<DeviceState>,
}

impl SourceShare {
    /// For a source that is not open yet.
    #[must_use]
    pub fn new(choice: VideoChoice) -> Self {
        Self { choice: Mutex::new(choice), choices: AtomicU64::new(0), state: Mutex::default() }
    }

    /// From now on another source is wanted; chosen again, a source that failed is tried again.
    pub fn choose(&self, choice: VideoChoice) {
        *self.choice.lock().unwrap_or_else(PoisonError::into_inner) = choice;
        self.choices.fetch_add(1, Ordering::Release);
    }

    /// How the source is.
    #[must_use]
    pub fn state(&self) -> DeviceState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn choice(&self) -> VideoChoice {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_off(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = DeviceState::Off;
    }

    fn set_open(&self, name: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*state, DeviceState::Open { name: known } if **known == *name) {
            *state = DeviceState::Open { name: name.into() };
        }
    }

    fn set_missing(&self, error: &CaptureError) {
        let why = error.to_string();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*state, DeviceState::Missing { why: known } if **known == *why) {
            tracing::warn!(%error, "no picture of one's own");
            *state = DeviceState::Missing { why: why.into() };
        }
    }
}

/// The capturing thread. The source is open only while the camera is on.
pub struct CaptureThread {
    /// The proof that somebody said yes.
    pub grant: CaptureGrant,
    /// Which source is wanted, and how it is.
    pub share: Arc<SourceShare>,
    /// The cameras that can be chosen.
    pub cameras: Arc<dyn CameraSystem>,
    /// Size and rate.
    pub video: VideoSettings,
    /// To the encoder, if there is a call.
    pub pictures: Option<SlotWriter<VideoFrame>>,
    /// To the self-view.
    pub local: SlotWriter<VideoFrame>,
    /// Counts openings.
    pub opens: Arc<DeviceOpens>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl CaptureThread {
    /// Runs until it is told to stop; gives the self-view's slot back.
    pub fn run(mut self) -> SlotWriter<VideoFrame> {
        let mut open: Option<OpenSource> = None;
        let mut id = FrameId(0);
        let mut choices = self.share.choices.load(Ordering::Acquire);
        let mut broken = false;
        while !self.switches.stopped() {
            let wanted = self.switches.camera.load(Ordering::Acquire);
            let newest = self.share.choices.load(Ordering::Acquire);
            if !wanted || newest != choices {
                (open, broken, choices) = (None, false, newest);
                self.share.set_off();
            }
            if !wanted || broken {
                std::thread::sleep(NAP);
                continue;
            }
            let result = match &mut open {
                Some(open) => self.step(open.source.as_mut(), &mut id),
                None => open_source(&self.grant, &self.share.choice(), self.video, &self.cameras, &self.opens)
                    .map(|opened| open = Some(opened)),
            };
            if let Err(error) = result {
                self.share.set_missing(&error);
                (open, broken) = (None, true);
            }
        }
        drop(open);
        self.share.set_off();
        self.local
    }

    /// The next picture of an open source, if one comes.
    fn step(&mut self, source: &mut dyn VideoSource, id: &mut FrameId) -> Result<(), CaptureError> {
        let damaged = source.damaged();
        if let Some(captured) = source.next(*id)? {
            self.share.set_open(source.name());
            self.pass_on(*id, captured);
            *id = id.next();
        }
        self.counters.damaged.add(source.damaged() - damaged);
        self.counters.set_pool(source.pool());
        if let Some(trouble) = source.trouble() {
            self.share.set_missing(trouble);
        }
        Ok(())
    }

    fn pass_on(&mut self, id: FrameId, captured: Captured) {
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, captured.captured);
        stamps.set(Stage::Converted, captured.converted);
        let frame = VideoFrame { id, stamps, picture: captured.picture };
        if let Some(pictures) = &mut self.pictures {
            pictures.write(frame.clone());
        }
        self.local.write(frame);
        self.counters.captured.count();
    }
}

#[cfg(test)]
mod tests {
    use std::thread::JoinHandle;

    use super::*;
    use crate::call::UserConsent;
    use crate::capture::barcode;
    use crate::capture::camera::tests::Cameras;
    use crate::engine::clock;
    use crate::media::{SlotReader, slot};

    struct Running {
        share: Arc<SourceShare>,
        opens: Arc<DeviceOpens>,
        switches: Arc<SendSwitches>,
        counters: Arc<CallCounters>,
        pictures: SlotReader<VideoFrame>,
        local: SlotReader<VideoFrame>,
        thread: Option<JoinHandle<SlotWriter<VideoFrame>>>,
    }

    impl Running {
        fn start(choice: VideoChoice, cameras: &Arc<Cameras>) -> Self {
            let (to_encoder, pictures) = slot(Arc::default());
            let (to_window, local) = slot(Arc::default());
            let share = Arc::new(SourceShare::new(choice));
            let opens = Arc::new(DeviceOpens::default());
            let switches = Arc::new(SendSwitches::new((true, true), &VideoSettings::new(160, 90, 60)));
            let counters = Arc::new(CallCounters::default());
            let thread = CaptureThread {
                grant: CaptureGrant::for_preview(UserConsent::given_by_person()),
                share: Arc::clone(&share),
                cameras: cameras.system(),
                video: VideoSettings::new(160, 90, 60),
                pictures: Some(to_encoder),
                local: to_window,
                opens: Arc::clone(&opens),
                switches: Arc::clone(&switches),
                counters: Arc::clone(&counters),
            };
            let thread = std::thread::Builder::new().name("capture".into()).spawn(move || thread.run()).unwrap();
            Self { share, opens, switches, counters, pictures, local, thread: Some(thread) }
        }

        fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
            let deadline = clock::now() + Duration::from_secs(30);
            while !holds(self) {
                assert!(clock::now() < deadline, "in vain: {what}; {:?}", self.share.state());
                std::thread::sleep(Duration::from_millis(2));
            }
        }

        fn stop(&mut self) {
            self.switches.stop.store(true, Ordering::Release);
            self.thread.take().unwrap().join().unwrap();
        }
    }

    #[test]
    fn the_device_is_closed_while_the_camera_is_off_and_opened_anew_when_it_is_on_again() {
        let mut running = Running::start(VideoChoice::Device(None), &Cameras::new(&["Cam"]));
        running.until("a picture", |running| running.pictures.take().is_some());
        assert_eq!((running.opens.counts().0, running.opens.open_now().0), (1, true));
        assert_eq!(running.share.state(), DeviceState::Open { name: "Cam".into() });
        running.switches.camera.store(false, Ordering::Release);
        running.until("closed", |running| !running.opens.open_now().0 && running.share.state() == DeviceState::Off);
        running.pictures.take();
        running.switches.camera.store(true, Ordering::Release);
        running.until("a picture again", |running| running.pictures.take().is_some());
        assert_eq!((running.opens.counts().0, running.opens.open_now().0), (2, true));
        running.stop();
        assert_eq!((running.opens.counts().0, running.opens.open_now().0), (2, false));
    }

    #[test]
    fn another_source_can_be_chosen_while_it_runs_and_frames_go_on_counting() {
        let mut running = Running::start(VideoChoice::Device(None), &Cameras::new(&["Cam"]));
        let mut last = FrameId(0);
        running.until("some pictures", |running| {
            last = running.pictures.take().map_or(last, |frame| frame.id);
            last.0 > 3
        });
        running.share.choose(VideoChoice::Pattern);
        running.until("the pattern", |running| {
            let Some(frame) = running.local.take() else { return false };
            let Some(label) = barcode::read(&frame.picture) else { return false };
            label.id == frame.id && frame.id.0 > last.0
        });
        assert_eq!(running.share.state(), DeviceState::Open { name: "pattern".into() });
        assert_eq!(running.opens.open_now(), (true, false));
        running.stop();
    }

    #[test]
    fn what_is_missing_is_said_and_a_new_choice_heals() {
        let mut running = Running::start(VideoChoice::File("/nowhere/clip.y4m".into()), &Cameras::new(&[]));
        let missing = |running: &mut Running, word: &str| matches!(running.share.state(), DeviceState::Missing { why } if why.contains(word));
        running.until("the file is missing", |running| missing(running, "clip.y4m"));
        running.share.choose(VideoChoice::Device(None));
        running.until("the camera is missing", |running| missing(running, "no camera was found"));
        running.share.choose(VideoChoice::None);
        running.until("there is no choice", |running| missing(running, "no camera is chosen"));
        assert_eq!((running.opens.counts().0, running.counters.captured.get()), (0, 0));
        running.share.choose(VideoChoice::Pattern);
        running.until("a picture", |running| running.pictures.take().is_some());
        running.stop();
    }
}
