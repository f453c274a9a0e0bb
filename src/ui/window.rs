//! The real window around [`App`]: opens it, and says in words why it does not open.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eframe::{CreationContext, NativeOptions};
use egui::{ViewportBuilder, ViewportCommand};

use super::App;
use super::app::Measuring;
use crate::engine::handle::EngineHandle;
use crate::render::VideoPainter;
use crate::render::gpu::window_configuration;

/// Size of the window when it opens for the first time, and the least that it can be, in points.
const SIZE: [f32; 2] = [1040.0, 700.0];
const LEAST: [f32; 2] = [420.0, 560.0];

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Neither X11 nor Wayland.
    #[error(
        "no display: {0}; start Visavis from a desktop, or set DISPLAY or WAYLAND_DISPLAY. Without one, use `visavis call` \
         and `visavis answer`"
    )]
    NoDisplay(String),
    /// No adapter, or none that can draw into a window.
    #[error(
        "no GPU can be used: {0}; install a Vulkan or OpenGL driver (on Debian and Ubuntu: apt install \
         mesa-vulkan-drivers, which also has a software one), or choose another with WGPU_BACKEND=gl"
    )]
    NoGpu(String),
    /// Something else of the window system.
    #[error("the window cannot be opened: {0}")]
    Other(String),
}

/// Opens the window and stays until it is closed, by the person or, when the window is woken after `closing` was set, by
/// itself. It is measured if somebody wants that.
pub fn run(handle: EngineHandle, measuring: Option<Measuring>, closing: Arc<AtomicBool>) -> Result<(), WindowError> {
    open("Visavis", SIZE, LEAST, |cc| {
        let state = cc.wgpu_render_state.as_ref().ok_or("the window has no GPU")?;
        let mut app = App::new(&cc.egui_ctx, handle, &VideoPainter::of_window(state)?);
        if let Some(measuring) = measuring {
            app.measure(measuring);
        }
        Ok(Box::new(Window { app, closing }))
    })
}

/// Opens a window with a title, a size and a least size in points, and stays until it is closed.
pub(super) fn open<'app>(
    title: &str,
    size: [f32; 2],
    least: [f32; 2],
    create: impl FnOnce(&CreationContext<'_>) -> Result<Box<dyn eframe::App + 'app>, Box<dyn Error + Send + Sync>> + 'app,
) -> Result<(), WindowError> {
    let options = NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title(title)
            .with_app_id("visavis")
            .with_inner_size(size)
            .with_min_inner_size(least),
        wgpu_options: window_configuration(),
        // There are no gradients that it could smooth, and it is worked out for every sample.
        dithering: false,
        ..NativeOptions::default()
    };
    eframe::run_native("visavis", options, Box::new(create)).map_err(|error| match error {
        eframe::Error::Wgpu(error) => WindowError::NoGpu(error.to_string()),
        eframe::Error::WinitEventLoop(error) => WindowError::NoDisplay(cause(&error.to_string()).to_owned()),
        other => WindowError::Other(other.to_string()),
    })
}

/// What the window system says, without the place in its source that it puts in front.
fn cause(text: &str) -> &str {
    text.rsplit_once(": ").map_or(text, |(_, cause)| cause).trim_end_matches('.')
}

struct Window {
    app: App,
    closing: Arc<AtomicBool>,
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if self.closing.load(Ordering::Acquire) {
            ui.ctx().send_viewport_cmd(ViewportCommand::Close);
        }
        self.app.ui(ui);
    }

    /// Asked for between triangles and drawing: what the records of frames need to know of the time.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        self.app.ui_frames().note_tessellated();
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_without_the_source_it_comes_from() {
        assert_eq!(cause("os error at src/linux/mod.rs:765: DISPLAY is not set."), "DISPLAY is not set");
        assert_eq!(cause("nothing"), "nothing");
    }
}
