//! Opens what pictures come from, and tells beforehand whether it is there.

use std::sync::Arc;

use super::config::{VideoChoice, VideoSettings};
use super::handle::{DeviceOpens, OpenDevice};
use crate::call::CaptureGrant;
use crate::capture::camera::source::CameraSource;
use crate::capture::camera::{self, CameraSystem};
use crate::capture::pattern::PatternSource;
use crate::capture::y4m::Y4mSource;
use crate::capture::{CaptureError, SourceFormat, VideoSource};

/// A source that is open. A camera's own thread knows best when its device is; for the others this handle counts.
pub struct OpenSource {
    /// The source.
    pub source: Box<dyn VideoSource>,
    _open: Option<OpenDevice>,
}

/// Opens a source of pictures. The grant is the proof that somebody said yes; `opens` counts each device that is opened.
pub fn open_source(
    _grant: &CaptureGrant,
    choice: &VideoChoice,
    video: VideoSettings,
    cameras: &Arc<dyn CameraSystem>,
    opens: &Arc<DeviceOpens>,
) -> Result<OpenSource, CaptureError> {
    let format = SourceFormat::new(video.width, video.height, video.fps);
    let source: Box<dyn VideoSource> = match choice {
        VideoChoice::Pattern => Box::new(PatternSource::new(format)?),
        VideoChoice::File(path) => Box::new(Y4mSource::open(path, format.interval)?),
        VideoChoice::Device(name) => {
            let opens = Arc::clone(opens);
            let lamp = Arc::new(move || Box::new(opens.camera_opened()) as Box<dyn Send>);
            let source = Box::new(CameraSource::new(Arc::clone(cameras), name.clone(), format, lamp));
            return Ok(OpenSource { source, _open: None });
        }
        VideoChoice::None => return Err(CaptureError::NoChoice),
    };
    Ok(OpenSource { source, _open: Some(opens.camera_opened()) })
}

/// Whether a source is there, without opening a device. Blocks for as long as the system takes to list its cameras.
pub fn check_source(
    choice: &VideoChoice,
    video: VideoSettings,
    cameras: &dyn CameraSystem,
) -> Result<(), CaptureError> {
    match choice {
        VideoChoice::File(path) => {
            let format = SourceFormat::new(video.width, video.height, video.fps);
            Y4mSource::open(path, format.interval).map(drop)
        }
        VideoChoice::Device(name) => camera::find(cameras, name.as_deref()).map(drop),
        VideoChoice::Pattern | VideoChoice::None => Ok(()),
    }
}
