//! A window that shows nothing but pictures on black: what a camera is to look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use egui::{Color32, ViewportCommand};

use super::window::{WindowError, open};
use crate::engine::clock;
use crate::media::{Doorbell, FrameId, SlotReader, Stamps, Timestamp, VideoFrame};
use crate::render::{VideoLook, VideoPainter, VideoView};

/// Frames that the window draws one after the other in its beginning, to learn how fast it can.
const PACED: usize = 60;
/// Those of them that are left out: fonts and pipelines are made then.
const FIRST: usize = 10;

/// What becomes known in the window.
#[derive(Clone, Debug)]
pub enum Presented {
    /// The window is there, and what it is drawn with.
    On {
        /// Name of the GPU.
        gpu: String,
        /// Its interface.
        backend: String,
    },
    /// A picture's way is over; `PresentRequested` is among its stamps.
    Picture(FrameId, Stamps),
    /// The median time between two frames of the window that are drawn as fast as it goes: the screen's refresh, where the window
    /// system keeps to it.
    Pace(Duration),
}

/// Opens the window and shows the newest of `pictures` whenever `bell` rings. Stays until it is closed, by the person or, when it
/// is woken after `closing` was set, by itself.
pub fn show_pictures(
    title: &str,
    size: [f32; 2],
    (pictures, bell): (SlotReader<VideoFrame>, &Arc<Doorbell>),
    mut tell: Box<dyn FnMut(Presented)>,
    closing: Arc<AtomicBool>,
) -> Result<(), WindowError> {
    let bell = Arc::clone(bell);
    open(title, size, [320.0, 240.0], |cc| {
        let state = cc.wgpu_render_state.as_ref().ok_or("the window has no GPU")?;
        let ctx = cc.egui_ctx.clone();
        bell.attend_with(move || ctx.request_repaint_after(Duration::from_nanos(1)));
        let painter = VideoPainter::of_window(state)?;
        let gpu = painter.gpu();
        tell(Presented::On { gpu: gpu.name().to_owned(), backend: gpu.backend().to_owned() });
        let view = VideoView::new(painter);
        Ok(Box::new(PictureWindow { pictures, view, tell, closing, pace: Vec::with_capacity(PACED) }))
    })
}

struct PictureWindow {
    pictures: SlotReader<VideoFrame>,
    view: VideoView,
    tell: Box<dyn FnMut(Presented)>,
    closing: Arc<AtomicBool>,
    /// When the first frames were made.
    pace: Vec<Timestamp>,
}

impl eframe::App for PictureWindow {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if self.closing.load(Ordering::Acquire) {
            ui.ctx().send_viewport_cmd(ViewportCommand::Close);
        }
        if let Some(frame) = self.pictures.take() {
            self.view.set_frame(frame);
        }
        let rect = ui.ctx().viewport_rect();
        ui.painter().rect_filled(rect, 0.0, Color32::BLACK);
        self.view.paint(ui.painter(), rect, VideoLook::default());
        while let Some((id, stamps)) = self.view.poll_shown() {
            (self.tell)(Presented::Picture(id, stamps));
        }
        if self.pace.len() < PACED {
            self.pace.push(clock::now());
            ui.ctx().request_repaint();
            if self.pace.len() == PACED {
                (self.tell)(Presented::Pace(median_step(&self.pace[FIRST..])));
            }
        }
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        [0.0, 0.0, 0.0, 1.0]
    }
}

fn median_step(times: &[Timestamp]) -> Duration {
    let mut steps: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_step_is_not_moved_by_one_that_was_late() {
        let times = [0, 16, 33, 120, 137, 153].map(|ms| Timestamp::from_nanos(ms * 1_000_000));
        assert_eq!(median_step(&times), Duration::from_millis(17));
        assert_eq!(median_step(&times[..1]), Duration::ZERO);
    }
}
