//! Video in the window: draws the newest frame of a stream inside egui's own pass.
//!
//! ```text
//!  ui:       view.set_frame(newest)   view.paint(painter, rect, look)        view.poll_shown()
//!  egui-wgpu:                         prepare: upload, if the frame is new
//!                                     paint:   one draw call
//!                                     drop:    the window system has it
//! ```
//!
//! Nothing repaints on its own. Whoever owns the window asks for it when a picture came:
//! `handle.remote_bell.attend_with({ let ctx = ctx.clone(); move || ctx.request_repaint() })`, which runs on the decoding
//! thread and only marks the window as due. A frame that is painted again (for input, a moving meter) is not uploaded
//! again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::offscreen::FORMAT;
use super::pipeline::ViewRectangle;
use super::ui_frames::UiFrames;
use super::watch::{GpuWatch, Watched};
use super::{Fit, Form, Gpu, PictureTextures, RenderError, ViewPipeline, ViewSettings};
use crate::engine::clock;
use crate::media::{FrameId, Stage, Stamps, Timestamp, VideoFrame};

/// Records of frames that wait for their last stamp or to be collected. Full: the oldest is forgotten.
const RECORDS: usize = 16;

/// What all views of one window share: the device, the pipeline, the thread `gpu-poll`.
pub struct VideoPainter {
    gpu: Gpu,
    pipeline: ViewPipeline,
    watch: GpuWatch,
    ui_frames: UiFrames,
    /// Whether what is painted is handed to a window system afterwards.
    presents: bool,
}

impl VideoPainter {
    /// For the window that eframe has opened (`CreationContext::wgpu_render_state`).
    pub fn of_window(state: &egui_wgpu::RenderState) -> Result<Arc<Self>, RenderError> {
        Self::new(Gpu::of_window(state), state.target_format, true)
    }

    /// For an [`super::EguiOffscreen`] on the same `gpu`.
    pub fn offscreen(gpu: &Gpu) -> Result<Arc<Self>, RenderError> {
        Self::new(gpu.clone(), FORMAT, false)
    }

    fn new(gpu: Gpu, format: wgpu::TextureFormat, presents: bool) -> Result<Arc<Self>, RenderError> {
        let pipeline = ViewPipeline::new(&gpu.device, format, Form::of(&gpu));
        let watch = GpuWatch::start(gpu.device.clone())?;
        Ok(Arc::new(Self { gpu, pipeline, watch, ui_frames: UiFrames::default(), presents }))
    }

    /// What it draws with.
    #[must_use]
    pub const fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The records of the window's own frames, which [`super::UiFrameHook`] makes.
    #[must_use]
    pub const fn ui_frames(&self) -> &UiFrames {
        &self.ui_frames
    }

    /// Has the completion of what is being recorded told when it comes.
    pub(super) fn watch(&self) -> Option<Watched> {
        self.watch.begin()
    }
}

/// How a view looks, in egui's points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoLook {
    /// Letterbox or cover.
    pub fit: Fit,
    /// Left and right exchanged: for the self-view, as in a mirror.
    pub mirror: bool,
    /// Radius of the corners in points.
    pub radius: f32,
    /// 1 as it is, 0 black; below 1 while reconnecting, so that an old picture is not taken for a live one.
    pub brightness: f32,
}

impl Default for VideoLook {
    fn default() -> Self {
        Self { fit: Fit::Letterbox, mirror: false, radius: 0.0, brightness: 1.0 }
    }
}

/// One stream in the window; the self-view is another. Painted at one place in each UI frame.
pub struct VideoView {
    painter: Arc<VideoPainter>,
    state: Arc<Mutex<State>>,
    /// Its pictures stand in the records of the window's frames.
    is_recorded: bool,
}

struct State {
    textures: PictureTextures,
    rectangle: ViewRectangle,
    /// The newest frame, as long as it has not gone up.
    fresh: Option<VideoFrame>,
    /// Size of the newest frame, uploaded or not.
    size: Option<(u32, u32)>,
    records: VecDeque<Arc<Record>>,
    complained: bool,
}

/// What becomes known of a frame bit by bit, on different threads.
struct Record {
    id: FrameId,
    stamps: Stamps,
    gpu_done: AtomicI64,
    handed_over: AtomicI64,
    painted: AtomicBool,
    closed: AtomicBool,
}

impl VideoView {
    /// An empty view: paints nothing until it has a frame.
    #[must_use]
    pub fn new(painter: Arc<VideoPainter>) -> Self {
        let device = &painter.gpu.device;
        let state = State {
            textures: PictureTextures::new(device, painter.pipeline.form()),
            rectangle: painter.pipeline.rectangle(device),
            fresh: None,
            size: None,
            records: VecDeque::with_capacity(RECORDS),
            complained: false,
        };
        Self { painter, state: Arc::new(Mutex::new(state)), is_recorded: false }
    }

    /// The same, for the view whose pictures are to stand in the records of the window's frames.
    #[must_use]
    pub fn recorded(painter: Arc<VideoPainter>) -> Self {
        Self { is_recorded: true, ..Self::new(painter) }
    }

    /// Takes the newest frame; one that was never painted is forgotten. The next [`VideoView::paint`] shows it.
    pub fn set_frame(&mut self, frame: VideoFrame) {
        let mut state = lock(&self.state);
        state.size = Some((frame.picture.width(), frame.picture.height()));
        state.fresh = Some(frame);
    }

    /// Forgets the picture: the camera went off or the call is over.
    pub fn clear(&mut self) {
        let mut state = lock(&self.state);
        state.fresh = None;
        state.size = None;
    }

    /// Width and height of the newest frame; `None` when there is nothing to show.
    #[must_use]
    pub fn picture_size(&self) -> Option<(u32, u32)> {
        lock(&self.state).size
    }

    /// Pictures that went to the GPU so far.
    #[must_use]
    pub fn uploads(&self) -> u64 {
        lock(&self.state).textures.uploads()
    }

    /// Paints the newest frame into `rect`, over what is there; nothing if there is none.
    pub fn paint(&self, painter: &egui::Painter, rect: egui::Rect, look: VideoLook) {
        if self.picture_size().is_none() || !rect.is_positive() || !painter.clip_rect().intersects(rect) {
            return;
        }
        let callback = VideoCallback {
            painter: Arc::clone(&self.painter),
            state: Arc::clone(&self.state),
            rect,
            look,
            is_recorded: self.is_recorded,
            shown: Mutex::new(None),
        };
        painter.add(egui_wgpu::Callback::new_paint_callback(rect, callback));
    }

    /// A frame whose way through the window is over, with its record, oldest first: [`Stage::UploadStart`],
    /// [`Stage::GpuDone`] and, in a real window, [`Stage::PresentRequested`], which is when the hand-over to the window
    /// system had returned. [`Stage::Submitted`] is not known here: egui submits the whole window at once.
    pub fn poll_shown(&mut self) -> Option<(FrameId, Stamps)> {
        let records = &mut lock(&self.state).records;
        while records.front().is_some_and(|record| record.is_complete()) {
            let record = records.pop_front()?;
            if record.painted.load(Ordering::Acquire) {
                return Some((record.id, record.stamps()));
            }
        }
        None
    }
}

impl Record {
    fn new(id: FrameId, stamps: Stamps) -> Self {
        let time = || AtomicI64::new(Timestamp::ZERO.as_nanos());
        let no = || AtomicBool::new(false);
        Self { id, stamps, gpu_done: time(), handed_over: time(), painted: no(), closed: no() }
    }

    /// Whether nothing more will become known.
    fn is_complete(&self) -> bool {
        self.closed.load(Ordering::Acquire)
            && (self.gpu_done.load(Ordering::Acquire) != 0 || !self.painted.load(Ordering::Acquire))
    }

    fn stamps(&self) -> Stamps {
        let mut stamps = self.stamps;
        for (stage, at) in [(Stage::GpuDone, &self.gpu_done), (Stage::PresentRequested, &self.handed_over)] {
            stamps.set(stage, Timestamp::from_nanos(at.load(Ordering::Acquire)));
        }
        stamps
    }
}

impl State {
    /// Sends the newest frame up if it is not there yet; gives the record to be completed.
    fn upload(&mut self, gpu: (&wgpu::Device, &wgpu::Queue)) -> Option<Arc<Record>> {
        let VideoFrame { id, mut stamps, picture } = self.fresh.take()?;
        stamps.set(Stage::UploadStart, clock::now());
        if let Err(error) = self.textures.upload(gpu.0, gpu.1, &picture) {
            // Said once, not thirty times a second.
            if !std::mem::replace(&mut self.complained, true) {
                tracing::warn!(%error, "picture not shown");
            }
            return None;
        }
        let record = Arc::new(Record::new(id, stamps));
        if self.records.len() == RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(Arc::clone(&record));
        Some(record)
    }
}

/// One painting of a view. Lives from [`VideoView::paint`] until the window system has the UI frame.
struct VideoCallback {
    painter: Arc<VideoPainter>,
    state: Arc<Mutex<State>>,
    rect: egui::Rect,
    look: VideoLook,
    is_recorded: bool,
    /// The frame that this painting shows for the first time.
    shown: Mutex<Option<(Arc<Record>, Option<Watched>)>>,
}

impl egui_wgpu::CallbackTrait for VideoCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &egui_wgpu::ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        _: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let mut state = lock(&self.state);
        if let Some(record) = state.upload((device, queue)) {
            if self.is_recorded {
                self.painter.ui_frames.note_shown(record.id);
            }
            let watched = self.painter.watch();
            *lock(&self.shown) = Some((Arc::clone(&record), watched.clone()));
            encoder.on_submitted_work_done(move || {
                record.gpu_done.store(clock::now().as_nanos(), Ordering::Release);
                if let Some(watched) = watched {
                    watched.done();
                }
            });
        }
        if let Some(size) = state.textures.size() {
            let scale = screen.pixels_per_point;
            let rect = self.rect;
            let rect_px = [rect.min.x, rect.min.y, rect.max.x, rect.max.y].map(|edge| (edge * scale).round());
            let settings = ViewSettings {
                fit: self.look.fit,
                mirror: self.look.mirror,
                radius_px: self.look.radius * scale,
                brightness: self.look.brightness,
            };
            state.rectangle.place(queue, size, rect_px, screen.size_in_pixels, settings);
        }
        Vec::new()
    }

    fn paint(
        &self,
        info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &egui_wgpu::CallbackResources,
    ) {
        let state = lock(&self.state);
        // Places are given in pixels of the whole target, also where the rectangle sticks out of it.
        let [width, height] = info.screen_size_px;
        pass.set_viewport(0.0, 0.0, width as f32, height as f32, 0.0, 1.0);
        let Some(bindings) = state.textures.bindings() else { return };
        self.painter.pipeline.draw(pass, bindings, &state.rectangle);
        if let Some((record, _)) = &*lock(&self.shown) {
            record.painted.store(true, Ordering::Release);
        }
    }
}

impl Drop for VideoCallback {
    /// The UI frame's shapes are dropped right after the window system was asked to show them.
    fn drop(&mut self) {
        let Some((record, watched)) = lock(&self.shown).take() else { return };
        if self.painter.presents && record.painted.load(Ordering::Acquire) {
            record.handed_over.store(clock::now().as_nanos(), Ordering::Release);
        }
        record.closed.store(true, Ordering::Release);
        if let Some(watched) = watched {
            watched.handed_over();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
