//! Cameras: the seam to the library that talks to them, and which format of a camera is used.
//!
//! [`native`] is the only part that knows the library; [`source`] is everything above it and is tested without a camera.

pub mod native;
pub mod source;
#[cfg(test)]
pub mod tests;
pub mod watch;

use super::convert::{Encoding, RawFrame};
use super::{CaptureError, SourceFormat};

/// A way in which a camera can deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraFormat {
    /// How a picture is written down.
    pub encoding: Encoding,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
}

/// The cameras of a system. Everything here may block for as long as the system likes.
pub trait CameraSystem: Send + Sync {
    /// Names of the cameras that are there, each once, the system's own choice first.
    fn names(&self) -> Result<Vec<String>, CaptureError>;

    /// Opens a camera by its name, without starting it.
    fn open(&self, name: &str) -> Result<Box<dyn CameraDevice>, CaptureError>;
}

/// An open camera. It stays on the thread that opened it; dropping it closes it.
pub trait CameraDevice {
    /// What it can deliver of what [`super::convert::Converter`] can read.
    fn formats(&mut self) -> Result<Vec<CameraFormat>, CaptureError>;

    /// Starts it in one of its formats.
    fn start(&mut self, format: CameraFormat) -> Result<(), CaptureError>;

    /// Waits for the next frame.
    fn read(&mut self) -> Result<RawFrame, CaptureError>;
}

/// The format that comes closest to what is wanted: size first, then rate, then what is the cheapest to convert.
#[must_use]
pub fn choose_format(offered: &[CameraFormat], wanted: SourceFormat) -> Option<CameraFormat> {
    let usable = |format: &&CameraFormat| {
        SourceFormat::new(format.width, format.height, 1).is_supported() && (1..=1000).contains(&format.fps)
    };
    let cost = |format: &&CameraFormat| {
        let missing = wanted.width.saturating_sub(format.width) + wanted.height.saturating_sub(format.height);
        let beyond = format.width.saturating_sub(wanted.width) + format.height.saturating_sub(wanted.height);
        // A picture that is too small has lost something, one that is too large only costs time.
        let size = 3 * missing + beyond;
        let slow = wanted.fps().saturating_sub(format.fps);
        let fast = format.fps.saturating_sub(wanted.fps());
        (size, slow, fast, format.encoding)
    };
    offered.iter().filter(usable).min_by_key(cost).copied()
}

/// The camera that is meant: by name, or the system's first. Blocks.
pub fn find(system: &dyn CameraSystem, wanted: Option<&str>) -> Result<String, CaptureError> {
    let names = system.names()?;
    let found = match wanted {
        Some(wanted) => names.iter().find(|name| *name == wanted),
        None => names.first(),
    };
    found.cloned().ok_or_else(|| match wanted {
        Some(name) if !names.is_empty() => {
            CaptureError::NoSuchCamera { name: name.to_owned(), others: names.join(", ") }
        }
        _ => CaptureError::NoCamera,
    })
}
