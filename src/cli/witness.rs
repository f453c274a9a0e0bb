//! What a call without a window writes down of its frames: the log of those sent and shown, and the recording.
//!
//! A log tells when the peer's pictures were shown: they are drawn, offscreen as the bench does it, and the boundary is
//! `gpu_done`. Whoever asks for no log has nothing drawn, since without a GPU that takes as much of the processor as the
//! rest of the call. On a machine that cannot draw the boundary is `decoded`, and each line of the log says so.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::MediaArgs;
use super::exit::{CliError, Exit};
use super::{FrameLog, Recorder};
use crate::engine::clock;
use crate::engine::handle::EngineHandle;
use crate::media::{Doorbell, Stage, VideoFrame};
use crate::render::{Gpu, Presenter, RenderError};

/// Longest wait for what the GPU still draws when the call is over.
const LAST_PICTURE: Duration = Duration::from_millis(100);

/// Opens the GPU if a log is asked for. Without any adapter, software included, there is none to be had.
pub fn open_gpu(media: &MediaArgs) -> Result<Option<Gpu>, CliError> {
    if media.frame_log.is_none() {
        return Ok(None);
    }
    match Gpu::open() {
        Ok(gpu) => Ok(Some(gpu)),
        Err(error @ RenderError::NoAdapter { .. }) => {
            eprintln!("the frame log will say when pictures were decoded, not when they were drawn: {error}");
            Ok(None)
        }
        Err(error) => Err(CliError::new(Exit::NoDevice, error)),
    }
}

/// Writes down what flows in one call.
pub struct Witness {
    log: Option<FrameLog>,
    recorder: Option<Recorder>,
    presenter: Option<Presenter>,
    /// Pictures that the GPU still draws.
    drawing: usize,
    bell: Arc<Doorbell>,
}

impl Witness {
    /// Begins the files that are asked for; what was in them is gone. Pictures are drawn on `gpu`, if there is one and a
    /// log; `bell` is rung whenever one is done.
    pub fn new(media: &MediaArgs, gpu: Option<&Gpu>, bell: &Arc<Doorbell>) -> Result<Self, CliError> {
        let named = |path: &Path, error: io::Error| CliError::failure(format!("{}: {error}", path.display()));
        let log = media.frame_log.as_deref();
        let log = log.map(|path| FrameLog::create(path).map_err(|error| named(path, error))).transpose()?;
        let recorder = media.record.as_deref();
        let recorder =
            recorder.map(|path| Recorder::create(path, media.fps).map_err(|error| named(path, error))).transpose()?;
        let presenter = gpu.filter(|_| log.is_some()).map(|gpu| Presenter::new(gpu.clone(), Arc::clone(bell)));
        let presenter = presenter.transpose().map_err(CliError::failure)?;
        Ok(Self { log, recorder, presenter, drawing: 0, bell: Arc::clone(bell) })
    }

    /// Takes what has come since; to be called whenever the bell rang.
    pub fn serve(&mut self, handle: &mut EngineHandle) -> Result<(), CliError> {
        while let Some(frame) = handle.sent.pop() {
            if let Some(log) = &mut self.log {
                log.sent(frame.id, &frame.stamps).map_err(CliError::failure)?;
            }
        }
        self.collect()?;
        // What comes while the GPU is behind stays in its slot, for a newer one to take its place.
        while self.presenter.as_ref().is_none_or(Presenter::has_room)
            && let Some(frame) = handle.remote.take()
        {
            if let Some(recorder) = &mut self.recorder {
                recorder.add(&frame.picture).map_err(CliError::failure)?;
            }
            self.show(frame)?;
        }
        Ok(())
    }

    /// Waits for what is still being drawn, and ends the files.
    pub fn finish(mut self) -> Result<(), CliError> {
        let deadline = clock::now() + LAST_PICTURE;
        while self.drawing > 0 && clock::now() < deadline {
            self.bell.wait(Some(LAST_PICTURE));
            self.collect()?;
        }
        if let Some(log) = self.log {
            log.finish().map_err(CliError::failure)?;
        }
        if let Some(recorder) = self.recorder {
            recorder.finish().map_err(CliError::failure)?;
        }
        Ok(())
    }

    fn show(&mut self, frame: VideoFrame) -> Result<(), CliError> {
        let Some(presenter) = &mut self.presenter else {
            return self
                .log
                .as_mut()
                .map_or(Ok(()), |log| log.shown(frame.id, &frame.stamps, Stage::Decoded).map_err(CliError::failure));
        };
        match presenter.show(frame) {
            Ok(()) => self.drawing += 1,
            Err(error) => self.draw_no_more(&error),
        }
        Ok(())
    }

    /// Notes the pictures that the GPU has finished.
    fn collect(&mut self) -> Result<(), CliError> {
        while let (Some(presenter), Some(log)) = (&mut self.presenter, &mut self.log) {
            match presenter.poll_shown() {
                Ok(Some((id, stamps))) => {
                    self.drawing -= 1;
                    log.shown(id, &stamps, Stage::GpuDone).map_err(CliError::failure)?;
                }
                Ok(None) => return Ok(()),
                Err(error) => self.draw_no_more(&error),
            }
        }
        Ok(())
    }

    /// The call outlives its GPU, and pictures that are too large for it.
    fn draw_no_more(&mut self, error: &RenderError) {
        eprintln!("from here on the frame log says when pictures were decoded, not when they were drawn: {error}");
        (self.presenter, self.drawing) = (None, 0);
    }
}
