//! Opens what pictures come from, and tells beforehand whether it is there.

use std::sync::Arc;

use super::config::{VideoChoice, VideoSettings};
use super::handle::{DeviceOpens, OpenDevice};
use crate::call::CaptureGrant;
use crate::capture::camera::source::CameraSource;
use crate::capture::camera::{self, CameraFormat, CameraSystem};
use crate::capture::pattern::PatternSource;
use crate::capture::y4m::Y4mSource;
use crate::capture::{CaptureError, SourceFormat, VideoSource};
use crate::media::FrameId;

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

/// Opens a camera for a moment, to see whether it can be and in which format it would be used; no frame is read. Blocks.
pub fn examine_camera(
    _grant: &CaptureGrant,
    wanted: Option<&str>,
    video: VideoSettings,
    cameras: &dyn CameraSystem,
) -> Result<(String, CameraFormat), CaptureError> {
    let name = camera::find(cameras, wanted)?;
    let offered = cameras.open(&name)?.formats()?;
    let wanted = SourceFormat::new(video.width, video.height, video.fps);
    match camera::choose_format(&offered, wanted) {
        Some(format) => Ok((name, format)),
        None => Err(CaptureError::NoFormat { name }),
    }
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
            // Its first picture too: a head alone shows nothing.
            Y4mSource::open(path, format.interval).and_then(|mut file| file.next(FrameId(0))).map(drop)
        }
        VideoChoice::Device(name) => camera::find(cameras, name.as_deref()).map(drop),
        VideoChoice::Pattern | VideoChoice::None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::UserConsent;
    use crate::capture::camera::tests::Cameras;

    #[test]
    fn whether_a_camera_is_there_is_found_out_without_opening_it() {
        let cameras = Cameras::new(&["Cam"]);
        let check = |choice: VideoChoice| check_source(&choice, VideoSettings::default(), cameras.system().as_ref());
        assert_eq!(check(VideoChoice::Device(None)), Ok(()));
        assert_eq!(check(VideoChoice::Device(Some("Cam".into()))), Ok(()));
        assert!(matches!(check(VideoChoice::Device(Some("Other".into()))), Err(CaptureError::NoSuchCamera { .. })));
        assert!(matches!(check(VideoChoice::File("/nowhere.y4m".into())), Err(CaptureError::File { .. })));
        assert_eq!(cameras.opened(), 0);
    }

    #[test]
    fn an_examined_camera_is_closed_again() {
        let cameras = Cameras::new(&["Cam"]);
        let grant = CaptureGrant::for_preview(UserConsent::given_by_person());
        let examine = |wanted| examine_camera(&grant, wanted, VideoSettings::default(), cameras.system().as_ref());
        let (name, format) = examine(None).unwrap();
        assert_eq!((name.as_str(), format.width, cameras.opened()), ("Cam", 64, 1));
        assert!(examine(Some("Other")).is_err());
    }
}
