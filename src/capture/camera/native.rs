//! The cameras of this system, by nokhwa (V4L2, AVFoundation, Media Foundation).
//!
//! nokhwa decodes nothing here and has no thread: frames come as the driver gave them. What could not be tried without a
//! camera is in this file and nowhere else.

use std::collections::HashMap;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use nokhwa::utils::{
    ApiBackend, CameraFormat as NativeFormat, CameraIndex, CameraInfo, FrameFormat, RequestedFormat,
    RequestedFormatType,
};
use nokhwa::{Camera, NokhwaError};

use super::{CameraDevice, CameraFormat, CameraSystem};
use crate::capture::CaptureError;
use crate::capture::convert::{Encoding, RawFrame};
use crate::engine::clock;
use crate::media::Timestamp;

/// What the converter reads.
const ENCODINGS: [FrameFormat; 3] = [FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];
/// How long a person may think about the system's question whether the camera may be used.
const QUESTION: Duration = Duration::from_mins(1);
/// A frame that claims to be older has a time on another clock.
const OLDEST: Duration = Duration::from_secs(1);

/// The cameras of this system.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeCameras;

impl CameraSystem for NativeCameras {
    fn names(&self) -> Result<Vec<String>, CaptureError> {
        Ok(found()?.into_iter().map(|(name, _)| name).collect())
    }

    fn open(&self, name: &str) -> Result<Box<dyn CameraDevice>, CaptureError> {
        ask_permission()?;
        let index = found()?.into_iter().find_map(|(found, index)| (found == name).then_some(index));
        let index = index.ok_or(CaptureError::NoCamera)?;
        let any = RequestedFormat::with_formats(RequestedFormatType::None, &ENCODINGS);
        let camera = Camera::new(index, any).map_err(|error| refused(name, &error))?;
        Ok(Box::new(NativeCamera { name: name.to_owned(), camera }))
    }
}

/// Names, those that occur twice numbered, and how to open them.
fn found() -> Result<Vec<(String, CameraIndex)>, CaptureError> {
    let all = nokhwa::query(ApiBackend::Auto).map_err(|error| CaptureError::List(error.to_string()))?;
    let mut cameras: Vec<_> = all.iter().filter(|info| gives_pictures(info)).collect();
    cameras.sort_by_key(|info| info.index().clone());
    Ok(number_twins(cameras.into_iter().map(|info| (info.human_name(), info.index().clone()))))
}

fn number_twins<T>(cameras: impl IntoIterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut seen = HashMap::<String, u32>::new();
    let number = |(name, index): (String, T)| {
        let name = name.trim().to_owned();
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { (name, index) } else { (format!("{name} ({count})"), index) }
    };
    cameras.into_iter().map(number).collect()
}

/// V4L2 shows a camera as several devices, of which the first gives the pictures.
#[cfg(target_os = "linux")]
fn gives_pictures(info: &CameraInfo) -> bool {
    let Ok(index) = info.index().as_index() else { return true };
    let place = std::fs::read_to_string(format!("/sys/class/video4linux/video{index}/index"));
    place.map_or(true, |place| place.trim() == "0")
}

#[cfg(not(target_os = "linux"))]
fn gives_pictures(_info: &CameraInfo) -> bool {
    true
}

/// Where the system asks the person before a program may use a camera, it asks now.
fn ask_permission() -> Result<(), CaptureError> {
    if nokhwa::nokhwa_check() {
        return Ok(());
    }
    let (answer, answered) = sync_channel(1);
    nokhwa::nokhwa_initialize(move |granted| {
        let _ = answer.try_send(granted);
    });
    if answered.recv_timeout(QUESTION).unwrap_or(false) { Ok(()) } else { Err(CaptureError::Forbidden) }
}

fn refused(name: &str, error: &NokhwaError) -> CaptureError {
    CaptureError::Camera { name: name.to_owned(), why: error.to_string() }
}

struct NativeCamera {
    name: String,
    camera: Camera,
}

impl CameraDevice for NativeCamera {
    fn formats(&mut self) -> Result<Vec<CameraFormat>, CaptureError> {
        let all = self.camera.compatible_camera_formats().map_err(|error| refused(&self.name, &error))?;
        let ours = |format: NativeFormat| {
            let encoding = encoding(format.format())?;
            Some(CameraFormat { encoding, width: format.width(), height: format.height(), fps: format.frame_rate() })
        };
        Ok(all.into_iter().filter_map(ours).collect())
    }

    fn start(&mut self, format: CameraFormat) -> Result<(), CaptureError> {
        let native = match format.encoding {
            Encoding::Nv12 => FrameFormat::NV12,
            Encoding::Yuyv => FrameFormat::YUYV,
            Encoding::Mjpeg => FrameFormat::MJPEG,
        };
        let exact = NativeFormat::new_from(format.width, format.height, native, format.fps);
        let request = RequestedFormat::with_formats(RequestedFormatType::Exact(exact), &ENCODINGS);
        let started = self.camera.set_camera_requset(request).and_then(|_| self.camera.open_stream());
        started.map_err(|error| refused(&self.name, &error))
    }

    fn read(&mut self) -> Result<RawFrame, CaptureError> {
        let frame = self.camera.frame().map_err(|error| refused(&self.name, &error))?;
        let captured = device_time(frame.capture_timestamp(), clock::now(), clock::unix_time());
        let encoding =
            encoding(frame.source_frame_format()).ok_or_else(|| CaptureError::NoFormat { name: self.name.clone() })?;
        let size = frame.resolution();
        Ok(RawFrame { data: frame.buffer_bytes(), encoding, width: size.width(), height: size.height(), captured })
    }
}

const fn encoding(format: FrameFormat) -> Option<Encoding> {
    match format {
        FrameFormat::NV12 => Some(Encoding::Nv12),
        FrameFormat::YUYV => Some(Encoding::Yuyv),
        FrameFormat::MJPEG => Some(Encoding::Mjpeg),
        FrameFormat::GRAY | FrameFormat::RAWRGB | FrameFormat::RAWBGR => None,
    }
}

/// The device's own time of a frame (since the Unix epoch), on our clock; `now` if it gives none that can be true.
fn device_time(taken: Option<Duration>, now: Timestamp, unix_now: Duration) -> Timestamp {
    let age = taken.and_then(|taken| unix_now.checked_sub(taken)).filter(|age| *age <= OLDEST);
    age.map_or(now, |age| now - age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_time_counts_only_if_it_can_be_true() {
        let (now, unix_now) = (Timestamp::from_nanos(50_000_000_000), Duration::from_hours(500_000));
        let time = |taken| device_time(taken, now, unix_now);
        assert_eq!(time(None), now);
        let taken = Duration::from_hours(499_999);
        assert_eq!(device_time(Some(taken), now, taken + OLDEST), now - OLDEST);
        assert_eq!(time(Some(unix_now + Duration::from_millis(12))), now, "from the future");
        assert_eq!(time(Some(Duration::from_secs(77))), now, "on the monotonic clock");
    }

    #[test]
    fn cameras_of_the_same_name_are_told_apart() {
        let names = ["Cam", "Other ", "Cam", "Cam"].map(|name| (name.to_owned(), ()));
        let numbered: Vec<_> = number_twins(names).into_iter().map(|(name, ())| name).collect();
        assert_eq!(numbered, ["Cam", "Other", "Cam (2)", "Cam (3)"]);
    }

    #[test]
    fn asking_for_the_systems_cameras_gives_a_list_or_an_error() {
        let names = NativeCameras.names();
        assert!(names.is_ok_and(|names| names.iter().all(|name| !name.is_empty())));
        assert!(NativeCameras.open("there is no camera of this name").is_err());
    }
}
