//! The capturing thread: a source's pictures to the encoder and to the self-view.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::config::{VideoChoice, VideoSettings};
use super::counters::{CallCounters, SendSwitches};
use super::handle::{DeviceOpens, OpenDevice};
use crate::capture::pattern::PatternSource;
use crate::capture::{CaptureError, SourceFormat, VideoSource};
use crate::media::{FrameId, SlotWriter, Stage, Stamps, VideoFrame};

/// How long the thread sleeps while the camera is off.
const NAP: Duration = Duration::from_millis(50);

/// The capturing thread. The source is open only while the camera is on.
pub struct CaptureThread {
    /// Where pictures come from.
    pub source: VideoChoice,
    /// Size and rate.
    pub video: VideoSettings,
    /// To the encoder.
    pub pictures: SlotWriter<VideoFrame>,
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
    /// Runs until the call is over; gives the self-view's slot back.
    pub fn run(mut self) -> SlotWriter<VideoFrame> {
        let mut source: Option<(Box<dyn VideoSource>, OpenDevice)> = None;
        let mut id = FrameId(0);
        let mut broken = false;
        while !self.switches.stopped() {
            let wanted = self.switches.camera.load(Ordering::Acquire) && !broken;
            if !wanted {
                source = None;
                std::thread::sleep(NAP);
                continue;
            }
            let open = match &mut source {
                Some((open, _)) => open,
                None => match open_source(&self.source, self.video) {
                    Ok(opened) => &mut source.insert((opened, self.opens.camera_opened())).0,
                    Err(error) => {
                        tracing::error!(%error, "no pictures");
                        broken = true;
                        continue;
                    }
                },
            };
            match open.next(id) {
                Ok(Some(captured)) => {
                    let mut stamps = Stamps::new();
                    stamps.set(Stage::Captured, captured.captured);
                    stamps.set(Stage::Converted, captured.converted);
                    let frame = VideoFrame { id, stamps, picture: captured.picture };
                    self.local.write(frame.clone());
                    self.pictures.write(frame);
                    self.counters.captured.count();
                    id = id.next();
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "the source of pictures is gone");
                    broken = true;
                }
            }
        }
        self.local
    }
}

/// Opens a source of pictures.
pub fn open_source(choice: &VideoChoice, video: VideoSettings) -> Result<Box<dyn VideoSource>, CaptureError> {
    let format = SourceFormat::new(video.width, video.height, video.fps);
    match choice {
        VideoChoice::Pattern => Ok(Box::new(PatternSource::new(format)?)),
        VideoChoice::File(_) | VideoChoice::Device(_) | VideoChoice::None => Err(CaptureError::Unavailable),
    }
}
