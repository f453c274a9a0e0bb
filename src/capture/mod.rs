//! Where pictures come from: camera, file, test pattern.
//!
//! A source is blocking and has no thread of its own to show: the engine gives it the capture thread. Every source
//! has its own [`crate::media::PicturePool`], so a picture that is held up further down costs a skipped capture here
//! and nothing else.

pub mod barcode;
pub mod camera;
pub mod convert;
pub mod pattern;
mod scene;
pub mod y4m;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::media::{FrameId, MAX_DIMENSION, Picture, PoolCounts, Timestamp};

/// Smallest width and height that a source may have: what the encoders take.
pub const MIN_DIMENSION: u32 = 16;

/// Pictures that a source keeps in its pool: one being filled, one in the slot, one being encoded, one shown in the
/// self-view, two held by an encoder that holds frames back, two to spare.
pub const POOL_PICTURES: usize = 8;

/// What a source delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFormat {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Time from one picture to the next.
    pub interval: Duration,
}

impl SourceFormat {
    /// A format by pictures a second (at least one).
    #[must_use]
    pub fn new(width: u32, height: u32, fps: u32) -> Self {
        Self { width, height, interval: Duration::from_secs(1) / fps.max(1) }
    }

    /// Pictures a second, rounded, at least one.
    #[must_use]
    pub fn fps(&self) -> u32 {
        let nanos = self.interval.as_nanos().max(1);
        u32::try_from((1_000_000_000 + nanos / 2) / nanos).unwrap_or(u32::MAX).max(1)
    }

    /// Whether width and height are within [`MIN_DIMENSION`] and [`MAX_DIMENSION`].
    #[must_use]
    pub fn is_supported(&self) -> bool {
        let range = MIN_DIMENSION..=MAX_DIMENSION;
        range.contains(&self.width) && range.contains(&self.height)
    }
}

/// A picture fresh from its source.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The picture.
    pub picture: Picture,
    /// When the device (or file, or pattern) handed it over.
    pub captured: Timestamp,
    /// When it was I420.
    pub converted: Timestamp,
}

/// A blocking source of pictures.
pub trait VideoSource: Send {
    /// Its name for lists and reports.
    fn name(&self) -> &str;

    /// What it delivers. A camera may change its mind while it runs: the pictures' own size counts.
    fn format(&self) -> SourceFormat;

    /// Waits for the next picture, which will have number `id`.
    ///
    /// Blocks for at most about one frame interval and never beyond [`LONGEST_WAIT`]. `None`: nothing usable came
    /// (no picture yet, a damaged one, or the pool is exhausted); call again. An error is final: the source is gone.
    fn next(&mut self, id: FrameId) -> Result<Option<Captured>, CaptureError>;

    /// What is wrong at the moment, though it is tried again: the camera is gone, silent, or gives damaged frames.
    fn trouble(&self) -> Option<&CaptureError> {
        None
    }

    /// Frames that were damaged and left out so far.
    fn damaged(&self) -> u64 {
        0
    }

    /// How its pool is used.
    fn pool(&self) -> PoolCounts;
}

/// Called when a device has been opened; what it gives is kept beside the device and dropped with it.
pub type Lamp = Arc<dyn Fn() -> Box<dyn Send> + Send + Sync>;

/// Longest time that [`VideoSource::next`] blocks, so that a capture thread sees in time that it should stop.
pub const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// Size outside of what calls use.
    #[error("a picture of {width}×{height} is outside of {MIN_DIMENSION} to {MAX_DIMENSION}")]
    Size {
        /// Asked or found width.
        width: u32,
        /// Asked or found height.
        height: u32,
    },
    /// A file that gives no pictures.
    #[error("{path} cannot be shown: {why}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: y4m::Y4mError,
    },
    /// Pictures are wanted, but from nowhere.
    #[error("no camera is chosen; choose one in the settings")]
    NoChoice,
    /// There is none at all.
    #[error("no camera was found; plug one in, or go on without a picture")]
    NoCamera,
    /// There are others.
    #[error("there is no camera '{name}'; there are: {others}")]
    NoSuchCamera {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        others: String,
    },
    /// It offers nothing that the converter reads.
    #[error("the camera {name} offers no format that can be used (MJPEG, YUYV or NV12); choose another camera")]
    NoFormat {
        /// Which camera.
        name: String,
    },
    /// The system or the driver refused.
    #[error("the camera {name} cannot be used ({why}); close other programs that use it, or plug it in again")]
    Camera {
        /// Which camera.
        name: String,
        /// The library's reason.
        why: String,
    },
    /// It is open but gives nothing.
    #[error("the camera {name} gives no pictures; plug it in again, or choose another one")]
    Silent {
        /// Which camera.
        name: String,
    },
    /// Its driver does not come back, or its library broke.
    #[error("the camera's driver does not answer; plug the camera in again, or restart the computer")]
    Stuck,
    /// All its frames are damaged.
    #[error("{0}; try another cable or another port")]
    Frames(convert::ConvertError),
    /// The person told the system that this program may not.
    #[error("this program may not use the camera; allow it in the system's privacy settings")]
    Forbidden,
    /// The system does not say which cameras there are.
    #[error("the system does not list its cameras: {0}")]
    List(String),
}
