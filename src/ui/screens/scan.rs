//! Reading a code with the camera: open only while this part of the screen is, since the person asked for it.

use egui::{CornerRadius, Sense, Ui, vec2};

use crate::engine::handle::DeviceState;
use crate::render::{Fit, VideoLook, VideoView};
use crate::ui::action::{Action, Purpose};
use crate::ui::theme::{self, glass, space};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, card_ui, heading_ui, remark_ui};
use crate::ui::widgets::qr_reader::QrReader;

/// A code is being looked for.
#[derive(Debug)]
pub struct Scan {
    /// What for.
    pub purpose: Purpose,
    /// Reads the pictures.
    pub reader: QrReader,
    /// What was read last was of no use, and why.
    pub problem: Option<&'static str>,
}

impl Scan {
    /// Starts a reader; nothing if the system gives no thread.
    #[must_use]
    pub fn start(purpose: Purpose) -> Option<Self> {
        QrReader::start().map(|reader| Self { purpose, reader, problem: None })
    }

    /// Draws what the camera sees, unmirrored, and the way out.
    pub fn scan_ui(&self, ui: &mut Ui, camera: &DeviceState, local: &VideoView) -> Option<Action> {
        let mut done = None;
        card_ui(ui, |ui| {
            heading_ui(ui, "Scan a code");
            let words = match self.purpose {
                Purpose::Add => "Hold the other person's link code before the camera.",
                Purpose::Compare => "Hold the other person's safety code before the camera.",
                Purpose::LinkDevice => "Hold the new device's code before the camera.",
            };
            remark_ui(ui, words);
            match camera {
                DeviceState::Missing { why } => alert_ui(ui, why, false),
                DeviceState::Open { .. } | DeviceState::Off => {
                    let width = ui.available_width().min(420.0);
                    let (rect, _) = ui.allocate_exact_size(vec2(width, width * 9.0 / 16.0), Sense::hover());
                    ui.painter().rect_filled(rect, CornerRadius::same(theme::RADIUS), glass::CANVAS);
                    if local.picture_size().is_some() {
                        let radius = f32::from(theme::RADIUS);
                        let look = VideoLook { fit: Fit::Letterbox, mirror: false, radius, brightness: 1.0 };
                        local.paint(ui.painter(), rect, look);
                    }
                }
            }
            if let Some(problem) = self.problem {
                alert_ui(ui, problem, true);
            }
            ui.add_space(space(1));
            if ui.add(TextButton::new("Stop scanning", Tone::Plain)).clicked() {
                done = Some(Action::StopScan);
            }
        });
        ui.add_space(space(2));
        done
    }
}
