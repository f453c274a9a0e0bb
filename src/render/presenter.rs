//! Shows frames without a window and says when the GPU had finished each: the headless end of a frame's way.
//!
//! At most [`IN_FLIGHT`] frames are with the GPU. A frame that comes while the GPU is that far behind stays in its
//! slot, where a newer one takes its place: see [`Presenter::serve`].

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::gpu_timer::GpuTimer;
use super::offscreen::FORMAT;
use super::{FillPipeline, Form, Gpu, Image, Offscreen, PictureTextures, RenderError};
use crate::engine::clock;
use crate::media::{Doorbell, FrameId, RingReceiver, RingSender, SlotReader, Stage, Stamps, VideoFrame, ring};

/// Frames that may be with the GPU at once: one being drawn, one that goes up meanwhile.
pub const IN_FLIGHT: usize = 2;

/// Times of passes that wait to be collected. Full: the oldest is forgotten.
const TIMED: usize = 16;

/// Draws each frame at its own size into an offscreen target.
///
/// The thread `gpu-poll` sleeps until the GPU has finished a submission and stamps it at once; it ends with the
/// presenter. Nothing here reads pixels back: [`Presenter::picture`] does, when asked.
pub struct Presenter {
    gpu: Gpu,
    textures: PictureTextures,
    pipeline: FillPipeline,
    target: Option<Offscreen>,
    with_gpu: usize,
    submitted: Option<SyncSender<Submitted>>,
    done: RingReceiver<Done>,
    watcher: Option<JoinHandle<()>>,
    timer: Option<GpuTimer>,
    timed: Arc<Mutex<VecDeque<(FrameId, Duration)>>>,
}

struct Submitted {
    submission: wgpu::SubmissionIndex,
    id: FrameId,
    stamps: Stamps,
}

struct Done {
    id: FrameId,
    stamps: Stamps,
    error: Option<wgpu::PollError>,
}

impl Presenter {
    /// A presenter on `gpu`; `bell` is rung whenever the GPU has finished a frame.
    pub fn new(gpu: Gpu, bell: Arc<Doorbell>) -> Result<Self, RenderError> {
        let (submitted, submissions) = sync_channel(IN_FLIGHT);
        let (finished, done) = ring("gpu done", IN_FLIGHT, bell);
        let device = gpu.device.clone();
        let watcher = Builder::new()
            .name("gpu-poll".into())
            .spawn(move || watch(&device, &submissions, finished))
            .map_err(RenderError::Thread)?;
        let form = Form::of(&gpu);
        let textures = PictureTextures::new(&gpu.device, form);
        let pipeline = FillPipeline::new(&gpu.device, FORMAT, form);
        Ok(Self {
            gpu,
            textures,
            pipeline,
            target: None,
            with_gpu: 0,
            submitted: Some(submitted),
            done,
            watcher: Some(watcher),
            timer: None,
            timed: Arc::default(),
        })
    }

    /// Has the GPU time its passes by its own clock from now on, for [`Presenter::poll_timed`]: where it has timers within passes,
    /// and is not the processor itself, which has no clock of its own.
    pub fn time_passes(&mut self) {
        if !self.gpu.is_software() {
            self.time_all_passes();
        }
    }

    /// The same, whatever the GPU is.
    pub(super) fn time_all_passes(&mut self) {
        self.timer = GpuTimer::new(&self.gpu);
    }

    /// What the GPU took for a frame by its own clock, oldest first; read with the commands of the frame after it.
    pub fn poll_timed(&mut self) -> Option<(FrameId, Duration)> {
        lock(&self.timed).pop_front()
    }

    /// Collects what the GPU has finished into `shown`, and shows the newest frame of `frames` if there is one and the
    /// GPU has room. To be called whenever a bell rang.
    pub fn serve(
        &mut self,
        frames: &mut SlotReader<VideoFrame>,
        mut shown: impl FnMut(FrameId, Stamps),
    ) -> Result<(), RenderError> {
        while let Some((id, stamps)) = self.poll_shown()? {
            shown(id, stamps);
        }
        if self.has_room()
            && let Some(frame) = frames.take()
        {
            self.show(frame)?;
        }
        Ok(())
    }

    /// Whether the GPU can be given another frame.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.with_gpu < IN_FLIGHT
    }

    /// Uploads and draws a frame; returns when the GPU has been told, not when it is done. Waits for the GPU when it has
    /// no room.
    pub fn show(&mut self, frame: VideoFrame) -> Result<(), RenderError> {
        let VideoFrame { id, mut stamps, picture } = frame;
        stamps.set(Stage::UploadStart, clock::now());
        let Gpu { device, queue, .. } = &self.gpu;
        self.textures.upload(device, queue, &picture)?;
        let size = (picture.width(), picture.height());
        drop(picture);
        let target = match self.target.take().filter(|target| target.size() == size) {
            Some(target) => target,
            None => Offscreen::new(&self.gpu, size.0, size.1)?,
        };
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("presenter") });
        if let Some(timer) = &mut self.timer {
            let timed = Arc::clone(&self.timed);
            timer.resolve(&mut encoder, move |number, took| note_timed(&timed, FrameId(number as u32), took));
        }
        // Every pixel is drawn, so what was there is neither loaded nor worth a look.
        let mut pass = target.pass(&mut encoder, Some(wgpu::Color::BLACK));
        if let Some(timer) = &mut self.timer {
            timer.begin(&mut pass, id.0.into());
        }
        if let Some(bindings) = self.textures.bindings() {
            self.pipeline.draw(&mut pass, bindings);
        }
        if let Some(timer) = &mut self.timer {
            timer.end(&mut pass, id.0.into());
        }
        drop(pass);
        self.target = Some(target);
        let submission = queue.submit([encoder.finish()]);
        stamps.set(Stage::Submitted, clock::now());
        self.with_gpu += 1;
        let gone = || RenderError::Lost("the thread gpu-poll has ended".to_owned());
        let submitted = self.submitted.as_ref().ok_or_else(gone)?;
        submitted.send(Submitted { submission, id, stamps }).map_err(|_| gone())
    }

    /// A frame that the GPU has finished, with its record up to [`Stage::GpuDone`], oldest first.
    pub fn poll_shown(&mut self) -> Result<Option<(FrameId, Stamps)>, RenderError> {
        let Some(Done { id, stamps, error }) = self.done.pop() else { return Ok(None) };
        self.with_gpu = self.with_gpu.saturating_sub(1);
        match error {
            Some(error) => Err(RenderError::Lost(error.to_string())),
            None => Ok(Some((id, stamps))),
        }
    }

    /// The last picture as it was drawn; waits for the GPU. `None` before the first.
    pub fn picture(&self) -> Result<Option<Image>, RenderError> {
        self.target.as_ref().map(|target| target.read(&self.gpu)).transpose()
    }

    /// What it draws with.
    #[must_use]
    pub const fn gpu(&self) -> &Gpu {
        &self.gpu
    }
}

impl Drop for Presenter {
    fn drop(&mut self) {
        drop(self.submitted.take());
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn note_timed(timed: &Mutex<VecDeque<(FrameId, Duration)>>, id: FrameId, took: Duration) {
    let mut timed = lock(timed);
    if timed.len() == TIMED {
        timed.pop_front();
    }
    timed.push_back((id, took));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread `gpu-poll`: sleeps in the driver until the oldest submission is done.
fn watch(device: &wgpu::Device, submissions: &Receiver<Submitted>, mut finished: RingSender<Done>) {
    while let Ok(Submitted { submission, id, mut stamps }) = submissions.recv() {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        let error = device.poll(wait).err();
        if error.is_none() {
            stamps.set(Stage::GpuDone, clock::now());
        }
        // Room is certain: the ring holds as many as can be in flight.
        let _ = finished.push(Done { id, stamps, error });
    }
}
