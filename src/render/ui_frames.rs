//! Records of the window's own frames: why each was drawn, what each part of it took, which picture it showed.
//!
//! ```text
//!  input_hook      output_hook      tessellated()   finish_prepare     paint of the first   paint of the last     dropped
//!  began ──layout──▶ laid_out ──triangles──▶ tessellated ──upload──▶ uploaded ──acquire──▶ acquired ──record──▶ recorded
//!                                                                                   ──submit and present──▶ handed_over
//! ```
//!
//! A hook of egui sees a frame begin and end; it puts an empty callback before and behind everything that is drawn, and these
//! see the rest. The ring is made once and holds the last [`FRAMES`] records. While nobody looks nothing is recorded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::gpu_timer::GpuTimer;
use super::view::VideoPainter;
use super::watch::Watched;
use crate::engine::clock;
use crate::media::{FrameId, Timestamp};

/// Records that are kept. Full: the oldest is forgotten, and counted if nobody had it.
pub const FRAMES: usize = 128;
/// The GPU's time of a frame is read with the frame after it; it is waited for until there are so many.
const PATIENCE: usize = 4;

/// Why a frame of the window was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// The person did something, or the window was changed.
    Input = 1,
    /// A new picture.
    Picture = 2,
    /// The engine has something else to show.
    News = 4,
    /// The figures were due.
    Hud = 8,
}

/// All causes of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes(u8);

impl Causes {
    /// One more.
    pub const fn add(&mut self, cause: Cause) {
        self.0 |= cause as u8;
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn has(self, cause: Cause) -> bool {
        self.0 & cause as u8 != 0
    }

    /// Their names; `timer` if nothing else is known: an animation, or a time that was waited for.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named =
            [(Cause::Input, "input"), (Cause::Picture, "picture"), (Cause::News, "news"), (Cause::Hud, "figures")];
        let timer = (self.0 == 0).then_some("timer");
        named.into_iter().filter(move |(cause, _)| self.has(*cause)).map(|(_, name)| name).chain(timer)
    }
}

/// One frame of the window. A time that is not known is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UiFrame {
    /// Counted from 1.
    pub number: u64,
    /// Why.
    pub causes: Causes,
    /// egui took the input.
    pub began: Timestamp,
    /// The screens were laid out.
    pub laid_out: Timestamp,
    /// Shapes had become triangles; telling the window system of cursor and clipboard is in it.
    pub tessellated: Timestamp,
    /// Triangles and pictures were given to the GPU's queue.
    pub uploaded: Timestamp,
    /// The window system had given a surface to draw on; offscreen nobody waits for one.
    pub acquired: Timestamp,
    /// All draw calls were recorded.
    pub recorded: Timestamp,
    /// Submitted, and in a window handed over to the window system.
    pub handed_over: Timestamp,
    /// The GPU had finished it.
    pub gpu_done: Timestamp,
    /// Draw calls at most: what has no triangles in the end is not drawn.
    pub draw_calls: u32,
    /// What the GPU took for the pass by its own clock; nothing where it has no timers within passes.
    pub gpu: Option<Duration>,
    /// The picture of the peer that this frame showed for the first time.
    pub shown: Option<FrameId>,
}

/// The records of one window. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct UiFrames(Arc<Shared>);

#[derive(Default)]
struct Shared {
    on: AtomicBool,
    ring: Mutex<Ring>,
}

struct Ring {
    frames: VecDeque<UiFrame>,
    /// Number of the newest.
    newest: u64,
    /// Number of the last that was given out.
    polled: u64,
    missed: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { frames: VecDeque::with_capacity(FRAMES), newest: 0, polled: 0, missed: 0 }
    }
}

impl UiFrames {
    /// Begins or ends recording.
    pub fn set_on(&self, on: bool) {
        self.0.on.store(on, Ordering::Relaxed);
    }

    /// Whether frames are recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::Relaxed)
    }

    /// Notes why the frame that is being made is made.
    pub fn note_cause(&self, cause: Cause) {
        self.newest(|frame| frame.causes.add(cause));
    }

    /// Notes that the shapes of the frame that is being made have become triangles.
    pub fn note_tessellated(&self) {
        self.newest(|frame| frame.tessellated = clock::now());
    }

    /// Notes that the frame that is being made shows this picture of the peer for the first time.
    pub(super) fn note_shown(&self, id: FrameId) {
        self.newest(|frame| frame.shown = Some(id));
    }

    /// Notes what the GPU took.
    pub(super) fn note_gpu(&self, number: u64, took: Duration) {
        self.with(number, |frame| frame.gpu = Some(took));
    }

    /// The next record that is complete, oldest first. One that was never drawn is left out.
    #[must_use]
    pub fn poll(&self) -> Option<UiFrame> {
        let Ring { frames, newest, polled, missed } = &mut *lock(&self.0.ring);
        let after = *polled;
        for frame in frames.iter().filter(|frame| frame.number > after) {
            let is_drawn = frame.handed_over != Timestamp::ZERO;
            let is_over = *newest >= frame.number + PATIENCE as u64;
            if !is_over && (!is_drawn || frame.gpu_done == Timestamp::ZERO || frame.gpu.is_none()) {
                return None;
            }
            *missed += frame.number - *polled - 1;
            *polled = frame.number;
            if is_drawn {
                return Some(*frame);
            }
        }
        None
    }

    /// Records that were overwritten before anybody had them.
    #[must_use]
    pub fn missed(&self) -> u64 {
        lock(&self.0.ring).missed
    }

    fn begin(&self, is_input: bool) {
        let ring = &mut *lock(&self.0.ring);
        if ring.frames.len() == FRAMES {
            ring.frames.pop_front();
        }
        ring.newest += 1;
        let mut frame = UiFrame { number: ring.newest, began: clock::now(), ..UiFrame::default() };
        if is_input {
            frame.causes.add(Cause::Input);
        }
        ring.frames.push_back(frame);
    }

    fn newest(&self, change: impl FnOnce(&mut UiFrame)) {
        if self.is_on()
            && let Some(frame) = lock(&self.0.ring).frames.back_mut()
        {
            change(frame);
        }
    }

    fn with(&self, number: u64, change: impl FnOnce(&mut UiFrame)) {
        let mut ring = lock(&self.0.ring);
        if let Some(frame) = ring.frames.iter_mut().rev().find(|frame| frame.number == number) {
            change(frame);
        }
    }
}

/// egui's hook that makes the records.
pub struct UiFrameHook {
    painter: Arc<VideoPainter>,
    timer: Option<Arc<Mutex<GpuTimer>>>,
}

impl UiFrameHook {
    /// For the window in which `painter` draws; to be given to `egui::Context::add_plugin`. The GPU is not timed where it is the
    /// processor: a rasteriser ends at each timer what it has begun, and draws the window four times more slowly for it.
    #[must_use]
    pub fn new(painter: &Arc<VideoPainter>) -> Self {
        Self::with(painter, !painter.gpu().is_software())
    }

    fn with(painter: &Arc<VideoPainter>, timed: bool) -> Self {
        let timer = GpuTimer::new(painter.gpu()).filter(|_| timed).map(|timer| Arc::new(Mutex::new(timer)));
        Self { painter: Arc::clone(painter), timer }
    }

    /// As [`UiFrameHook::new`], with timers whatever they cost.
    #[cfg(test)]
    pub(super) fn timed(painter: &Arc<VideoPainter>) -> Self {
        Self::with(painter, true)
    }

    /// The records.
    #[must_use]
    pub fn frames(&self) -> &UiFrames {
        self.painter.ui_frames()
    }
}

impl egui::Plugin for UiFrameHook {
    fn debug_name(&self) -> &'static str {
        "frame records"
    }

    fn input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        // A layout that is done anew belongs to the same frame.
        if self.frames().is_on() && ctx.current_pass_index() == 0 {
            self.frames().begin(!input.events.is_empty());
        }
    }

    fn output_hook(&mut self, ctx: &egui::Context, output: &mut egui::FullOutput) {
        let frames = self.frames();
        if !frames.is_on() {
            return;
        }
        let draw_calls = draw_calls(&output.shapes);
        let mut number = 0;
        frames.newest(|frame| {
            (frame.laid_out, frame.draw_calls) = (clock::now(), draw_calls);
            number = frame.number;
        });
        let rect = ctx.viewport_rect();
        let shape = |is_last| {
            let (painter, timer) = (Arc::clone(&self.painter), self.timer.clone());
            let probe = Probe { painter, timer, number, is_last, watched: Mutex::new(None) };
            let callback = egui_wgpu::Callback::new_paint_callback(rect, probe);
            egui::epaint::ClippedShape {
                clip_rect: rect,
                shape: callback.into(),
                transform_after_tessellation: egui::emath::TSTransform::IDENTITY,
            }
        };
        output.shapes.insert(0, shape(false));
        output.shapes.push(shape(true));
    }
}

/// Runs of shapes that the tessellator makes one mesh of, and callbacks.
fn draw_calls(shapes: &[egui::epaint::ClippedShape]) -> u32 {
    fn count(shape: &egui::Shape, clip: egui::Rect, last: &mut Option<(egui::Rect, egui::TextureId)>, calls: &mut u32) {
        match shape {
            egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| count(shape, clip, last, calls)),
            egui::Shape::Callback(_) => {
                *calls += 1;
                *last = None;
            }
            egui::Shape::Noop => {}
            shape => {
                let mesh = Some((clip, shape.texture_id()));
                *calls += u32::from(*last != mesh);
                *last = mesh;
            }
        }
    }
    let (mut last, mut calls) = (None, 0);
    for clipped in shapes.iter().filter(|clipped| clipped.clip_rect.is_positive()) {
        count(&clipped.shape, clipped.clip_rect, &mut last, &mut calls);
    }
    calls
}

/// What stands before and behind all that is drawn.
struct Probe {
    painter: Arc<VideoPainter>,
    timer: Option<Arc<Mutex<GpuTimer>>>,
    number: u64,
    is_last: bool,
    /// Makes the GPU's completion be told when it comes.
    watched: Mutex<Option<Watched>>,
}

impl Probe {
    fn note(&self, change: impl FnOnce(&mut UiFrame)) {
        self.painter.ui_frames().with(self.number, change);
    }
}

impl egui_wgpu::CallbackTrait for Probe {
    fn prepare(
        &self,
        _: &wgpu::Device,
        _: &wgpu::Queue,
        _: &egui_wgpu::ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        _: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if !self.is_last {
            if let Some(timer) = &self.timer {
                let frames = self.painter.ui_frames().clone();
                lock(timer).resolve(encoder, move |number, took| frames.note_gpu(number, took));
            }
            return Vec::new();
        }
        let (frames, number, watched) = (self.painter.ui_frames().clone(), self.number, self.painter.watch());
        lock(&self.watched).clone_from(&watched);
        encoder.on_submitted_work_done(move || {
            frames.with(number, |frame| frame.gpu_done = clock::now());
            if let Some(watched) = watched {
                watched.done();
            }
        });
        Vec::new()
    }

    fn finish_prepare(
        &self,
        _: &wgpu::Device,
        _: &wgpu::Queue,
        _: &mut wgpu::CommandEncoder,
        _: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if self.is_last {
            self.note(|frame| frame.uploaded = clock::now());
        }
        Vec::new()
    }

    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &egui_wgpu::CallbackResources,
    ) {
        if let Some(timer) = &self.timer {
            let mut timer = lock(timer);
            if self.is_last { timer.end(pass, self.number) } else { timer.begin(pass, self.number) }
        }
        let now = clock::now();
        self.note(|frame| if self.is_last { frame.recorded = now } else { frame.acquired = now });
    }
}

impl Drop for Probe {
    /// What was drawn is dropped right after it was submitted and, in a window, given to the window system.
    fn drop(&mut self) {
        if !self.is_last {
            return;
        }
        let now = clock::now();
        self.note(|frame| {
            if frame.recorded != Timestamp::ZERO {
                frame.handed_over = now;
            }
        });
        if let Some(watched) = lock(&self.watched).take() {
            watched.handed_over();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(frames: &UiFrames, gpu: bool) {
        frames.begin(false);
        let number = lock(&frames.0.ring).newest;
        frames.with(number, |frame| (frame.handed_over, frame.gpu_done) = (clock::now(), clock::now()));
        if gpu {
            frames.note_gpu(number, Duration::from_millis(1));
        }
    }

    #[test]
    fn records_come_out_once_in_order_and_what_is_overwritten_is_counted() {
        let frames = UiFrames::default();
        frames.set_on(true);
        drawn(&frames, true);
        frames.begin(true);
        assert_eq!(frames.poll().map(|frame| frame.number), Some(1));
        assert_eq!(frames.poll(), None, "the second is being made");
        for _ in 0..2 * FRAMES {
            drawn(&frames, true);
        }
        let numbers: Vec<_> = std::iter::from_fn(|| frames.poll()).map(|frame| frame.number).collect();
        assert_eq!((numbers.len(), numbers[0], frames.missed()), (FRAMES, FRAMES as u64 + 3, FRAMES as u64 + 1));
        assert!(numbers.is_sorted());
    }

    #[test]
    fn without_timers_a_record_waits_for_a_few_frames_and_has_none() {
        let frames = UiFrames::default();
        frames.set_on(true);
        (0..PATIENCE).for_each(|_| drawn(&frames, false));
        assert_eq!(frames.poll(), None);
        drawn(&frames, false);
        assert_eq!(frames.poll().map(|frame| (frame.number, frame.gpu)), Some((1, None)));
    }

    #[test]
    fn causes_have_names_and_nothing_known_is_a_timer() {
        let mut causes = Causes::default();
        assert_eq!(causes.names().collect::<Vec<_>>(), ["timer"]);
        causes.add(Cause::Hud);
        causes.add(Cause::Picture);
        assert_eq!(causes.names().collect::<Vec<_>>(), ["picture", "figures"]);
    }

    #[test]
    fn recording_allocates_nothing() {
        let frames = UiFrames::default();
        frames.set_on(true);
        let before = lock(&frames.0.ring).frames.capacity();
        let used = allocation_counter::measure(|| {
            for _ in 0..3 * FRAMES {
                drawn(&frames, true);
                frames.note_cause(Cause::Picture);
                let _ = frames.poll();
            }
        });
        assert_eq!((used.count_total, lock(&frames.0.ring).frames.capacity()), (0, before));
    }
}
