//! Planes to pixels: I420 pictures go to the GPU as three R8 textures and become colour in the shaders of `shaders/`; where
//! the GPU is the processor itself, they go up as RGBA.
//!
//! ```text
//!  VideoFrame ─▶ PictureTextures ─▶ Presenter ─▶ Offscreen     without a window: picture at its own size
//!                               └─▶ VideoView ─▶ egui's pass   in the window: scaled, rounded, mirrored, dimmed
//! ```
//!
//! The renderer takes the newest picture from whoever holds it and never waits for a decoder. Colour is handled in
//! gamma space throughout, as egui does; targets are `Rgba8Unorm` or the window's own 8-bit format.

pub mod colour;
pub mod cpu;
pub mod egui_offscreen;
pub mod fit;
pub mod gpu;
pub mod offscreen;
pub mod picture;
pub mod planes;
pub mod presenter;
pub mod ready;
pub mod ui_frames;
pub mod view;

mod gpu_timer;
mod pipeline;
mod shaders;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod view_tests;
mod watch;

pub use egui_offscreen::EguiOffscreen;
pub use fit::Fit;
pub use gpu::Gpu;
pub use offscreen::{Image, Offscreen};
pub use picture::{Form, PictureTextures};
pub use pipeline::{FillPipeline, ViewPipeline, ViewSettings};
pub use presenter::Presenter;
pub use ui_frames::{Cause, UiFrame, UiFrameHook, UiFrames};
pub use view::{VideoLook, VideoPainter, VideoView};

/// Why nothing can be drawn.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No adapter, neither hardware nor software.
    #[error(
        "no GPU was found{asked}; install a graphics driver with Vulkan (Debian, Ubuntu: `apt install \
         mesa-vulkan-drivers`, which also draws without a GPU), or unset WGPU_BACKEND if it is set: {why}"
    )]
    NoAdapter {
        /// What was asked for, as a part of the sentence.
        asked: String,
        /// What the graphics library says.
        why: String,
    },
    /// An adapter that does not give a device.
    #[error("the GPU {adapter} refuses to be used; update its driver or choose another with WGPU_ADAPTER_NAME: {why}")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// What the graphics library says.
        why: String,
    },
    /// A picture or target beyond what the GPU can hold.
    #[error("a picture of {width}×{height} is larger than the GPU takes ({limit} each way)")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Largest width and height.
        limit: u32,
    },
    /// A picture that the converter to RGBA does not take.
    #[error("the picture could not be converted: {0}")]
    Convert(String),
    /// The device is gone: driver reset, or a laptop's GPU was switched off.
    #[error("the GPU was lost (driver restarted or device removed); start the call again: {0}")]
    Lost(String),
    /// A thread could not be started.
    #[error("the thread that watches the GPU could not be started: {0}")]
    Thread(std::io::Error),
    /// A picture could not be written.
    #[error("the picture could not be written to {path}; check the folder and its rights: {why}")]
    Save {
        /// Where it should have gone.
        path: String,
        /// What the system says.
        why: String,
    },
}
