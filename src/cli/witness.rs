//! What a call without a window writes down of its frames: the log of those sent and shown, the trace, and the recording.
//!
//! Log and trace tell when the peer's pictures were shown: they are drawn, offscreen as the bench does it, and the boundary is
//! `gpu_done`. Whoever asks for neither has nothing drawn, since without a GPU that takes as much of the processor as the
//! rest of the call. On a machine that cannot draw the boundary is `decoded`, and each line of the log says so.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::MediaArgs;
use super::exit::{CliError, Exit};
use super::one_way::{OneWay, OneWayStats};
use super::tracer::Tracer;
use super::{FrameLog, Recorder};
use crate::engine::clock;
use crate::engine::handle::EngineHandle;
use crate::media::{ClockOffset, Doorbell, FrameId, Stage, Stamps, VideoFrame};
use crate::render::{Gpu, Presenter, RenderError};

/// Longest wait for what the GPU still draws when the call is over.
const LAST_PICTURE: Duration = Duration::from_millis(100);

/// Opens the GPU if a log or a trace is asked for. Without any adapter, software included, there is none to be had.
pub fn open_gpu(media: &MediaArgs) -> Result<Option<Gpu>, CliError> {
    if media.frame_log.is_none() && media.trace.is_none() {
        return Ok(None);
    }
    match Gpu::open() {
        Ok(gpu) => Ok(Some(gpu)),
        Err(error @ RenderError::NoAdapter { .. }) => {
            eprintln!("log and trace will say when pictures were decoded, not when they were drawn: {error}");
            Ok(None)
        }
        Err(error) => Err(CliError::new(Exit::NoDevice, error)),
    }
}

/// Writes down what flows in one call.
pub struct Witness {
    log: Option<FrameLog>,
    recorder: Option<Recorder>,
    tracer: Option<Tracer>,
    /// Where they lie.
    log_path: PathBuf,
    recorder_path: PathBuf,
    trace_path: PathBuf,
    /// What pictures are drawn with.
    gpu: Option<String>,
    presenter: Option<Presenter>,
    /// Pictures that the GPU still draws.
    drawing: usize,
    bell: Arc<Doorbell>,
    figures: OneWay,
    /// The peer's clock, as it is known now.
    pub clock: Option<ClockOffset>,
}

impl Witness {
    /// Begins the files that are asked for; what was in them is gone. Pictures are drawn on `gpu`, if there is one; `bell` is rung whenever one is done.
    pub fn new(media: &MediaArgs, gpu: Option<&Gpu>, bell: &Arc<Doorbell>) -> Result<Self, CliError> {
        let named = |path: &Path, error: io::Error| CliError::failure(format!("{}: {error}", path.display()));
        let log = media.frame_log.as_deref();
        let log = log.map(|path| FrameLog::create(path).map_err(|error| named(path, error))).transpose()?;
        let recorder = media.record.as_deref();
        let recorder =
            recorder.map(|path| Recorder::create(path, media.fps).map_err(|error| named(path, error))).transpose()?;
        let presenter = gpu.map(|gpu| Presenter::new(gpu.clone(), Arc::clone(bell)));
        let mut presenter = presenter.transpose().map_err(CliError::failure)?;
        if let (Some(presenter), Some(_)) = (&mut presenter, &media.trace) {
            presenter.time_passes();
        }
        let log_path = media.frame_log.clone().unwrap_or_default();
        let recorder_path = media.record.clone().unwrap_or_default();
        Ok(Self {
            log,
            recorder,
            tracer: media.trace.is_some().then(Tracer::new),
            log_path,
            recorder_path,
            trace_path: media.trace.clone().unwrap_or_default(),
            gpu: gpu.map(|gpu| gpu.name().to_owned()),
            presenter,
            drawing: 0,
            bell: Arc::clone(bell),
            figures: OneWay::default(),
            clock: None,
        })
    }

    /// Takes what has come since; to be called whenever the bell rang.
    pub fn serve(&mut self, handle: &mut EngineHandle) -> Result<(), CliError> {
        while let Some(frame) = handle.sent.pop() {
            if let Some(log) = &mut self.log {
                log.sent(frame.id, &frame.stamps).map_err(full(&self.log_path))?;
            }
            if let Some(tracer) = &mut self.tracer {
                tracer.sent(frame);
            }
        }
        self.collect()?;
        while let Some(late) = handle.late.pop() {
            self.figures.add(&late);
            if let Some(tracer) = &mut self.tracer {
                tracer.add(&late);
            }
        }
        // What comes while the GPU is behind stays in its slot, for a newer one to take its place.
        while self.presenter.as_ref().is_none_or(Presenter::has_room)
            && let Some(frame) = handle.remote.take()
        {
            if let Some(recorder) = &mut self.recorder {
                recorder.add(&frame.picture).map_err(full(&self.recorder_path))?;
            }
            self.show(frame)?;
        }
        Ok(())
    }

    /// Waits for what is still being drawn, and ends the files: each of them, also if the other cannot be. Gives how long the
    /// peer's pictures took.
    pub fn finish(mut self) -> (OneWayStats, Result<(), CliError>) {
        let drawn = self.await_drawn();
        let logged = self.log.map_or(Ok(()), |log| log.finish().map_err(full(&self.log_path)));
        let recorded = self.recorder.map_or(Ok(()), |recorder| recorder.finish().map_err(full(&self.recorder_path)));
        let write = |tracer: &Tracer| {
            let mut out = BufWriter::new(File::create(&self.trace_path)?);
            tracer.write(self.gpu.as_deref(), &mut out)
        };
        let traced = self.tracer.as_ref().map_or(Ok(()), |tracer| write(tracer).map_err(full(&self.trace_path)));
        (self.figures.finish(), drawn.and(logged).and(recorded).and(traced))
    }

    fn await_drawn(&mut self) -> Result<(), CliError> {
        let deadline = clock::now() + LAST_PICTURE;
        while self.drawing > 0 && clock::now() < deadline {
            self.bell.wait(Some(LAST_PICTURE));
            self.collect()?;
        }
        Ok(())
    }

    fn show(&mut self, frame: VideoFrame) -> Result<(), CliError> {
        let Some(presenter) = &mut self.presenter else {
            return self.note(frame.id, &frame.stamps, Stage::Decoded);
        };
        match presenter.show(frame) {
            Ok(()) => self.drawing += 1,
            Err(error) => self.draw_no_more(&error),
        }
        Ok(())
    }

    /// Notes the pictures that the GPU has finished.
    fn collect(&mut self) -> Result<(), CliError> {
        while let Some(presenter) = &mut self.presenter {
            match presenter.poll_shown() {
                Ok(Some((id, stamps))) => {
                    self.drawing -= 1;
                    self.note(id, &stamps, Stage::GpuDone)?;
                }
                Ok(None) => {
                    if let Some(tracer) = &mut self.tracer {
                        std::iter::from_fn(|| presenter.poll_timed()).for_each(|(id, took)| tracer.timed(id, took));
                    }
                    return Ok(());
                }
                Err(error) => self.draw_no_more(&error),
            }
        }
        Ok(())
    }

    /// A picture passed the boundary.
    fn note(&mut self, id: FrameId, stamps: &Stamps, boundary: Stage) -> Result<(), CliError> {
        self.figures.shown(id, *stamps, boundary, self.clock);
        if let Some(tracer) = &mut self.tracer {
            tracer.shown(id, stamps, self.clock);
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        log.shown(id, stamps, boundary, self.clock).map_err(full(&self.log_path))
    }

    /// The call outlives its GPU, and pictures that are too large for it.
    fn draw_no_more(&mut self, error: &RenderError) {
        eprintln!("from here on log and trace say when pictures were decoded, not when they were drawn: {error}");
        (self.presenter, self.drawing) = (None, 0);
    }
}

/// A file that cannot be written any further.
fn full(path: &Path) -> impl Fn(io::Error) -> CliError {
    move |error| CliError::failure(format!("{}: {error}; make room, or name another file", path.display()))
}
