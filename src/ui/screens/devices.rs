//! Choice of camera, microphone and speaker, with a look at oneself and a check of the sound: a part of
//! the settings and of the first run.

pub mod choice;
mod sound_check;

use choice::Kind;
use egui::{Align2, CornerRadius, RichText, Sense, Ui, vec2};
use sound_check::check_ui;

use crate::engine::handle::{DeviceState, Snapshot};
use crate::render::{Fit, VideoLook, VideoView};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, CONTROL_HEIGHT, glass, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone, icon_at};
use crate::ui::widgets::page::{alert_ui, sentence};

/// Draws the three choices, the preview and the checks; `local` is the own picture.
pub fn devices_ui(ui: &mut Ui, snapshot: &Snapshot, local: &VideoView) -> Option<Action> {
    let looked = preview_ui(ui, &snapshot.camera, local);
    ui.add_space(space(2));
    lists_ui(ui, snapshot, true).or(looked)
}

/// Draws the three choices alone.
pub fn choices_ui(ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
    lists_ui(ui, snapshot, false)
}

fn lists_ui(ui: &mut Ui, snapshot: &Snapshot, checks: bool) -> Option<Action> {
    let mut done = None;
    // Drawn before the list is there, too: nothing moves away under the pointer when it comes.
    let list = snapshot.devices.as_deref();
    let mut choice = snapshot.chosen.clone();
    for kind in [Kind::Camera, Kind::Microphone, Kind::Speaker] {
        if choice::list_ui(ui, kind, &mut choice, list) {
            done = Some(Action::ChooseDevices(choice.clone()));
        }
        if checks {
            done = done.or(check_ui(ui, kind, &snapshot.sound_check));
        }
    }
    for problem in list.map_or(&[][..], |list| &list.problems) {
        alert_ui(ui, problem, false);
    }
    let words = if list.is_some() { "Look for devices again" } else { "Looking for devices…" };
    if ui.add_enabled(list.is_some(), TextButton::new(words, Tone::Quiet).icon(icons::AGAIN)).clicked() {
        done = done.or(Some(Action::ListDevices));
    }
    done
}

/// The own picture as others would see it, mirrored, once it is asked for.
fn preview_ui(ui: &mut Ui, camera: &DeviceState, local: &VideoView) -> Option<Action> {
    let width = ui.available_width().min(choice::WIDTH);
    let (rect, _) = ui.allocate_exact_size(vec2(width, width * 9.0 / 16.0), Sense::hover());
    let radius = CornerRadius::same(theme::RADIUS);
    ui.painter().rect_filled(rect, radius, glass::CANVAS);
    let words = match camera {
        DeviceState::Open { .. } if local.picture_size().is_some() => {
            let look = VideoLook { fit: Fit::Cover, mirror: true, radius: f32::from(theme::RADIUS), brightness: 1.0 };
            local.paint(ui.painter(), rect, look);
            None
        }
        DeviceState::Open { .. } => Some("Waiting for the first picture…".to_owned()),
        DeviceState::Missing { why } => Some(sentence(why)),
        DeviceState::Off => Some("The camera is off.".to_owned()),
    };
    if let Some(words) = words {
        icon_at(ui, rect.center() - vec2(0.0, space(12)), icons::CAMERA_OFF, 32.0, glass::WEAK);
        let place =
            Align2::CENTER_TOP.anchor_size(rect.center() - vec2(0.0, space(6)), vec2(width - space(8), space(14)));
        let label = egui::Label::new(RichText::new(words).size(text::SMALL).color(glass::WEAK)).wrap();
        ui.place(place, label.halign(egui::Align::Center));
    }
    let (icon, words, action) = match camera {
        DeviceState::Off => (icons::CAMERA, "Look at yourself", Action::StartPreview),
        DeviceState::Open { .. } => (icons::CAMERA_OFF, "Turn the camera off", Action::StopPreview),
        DeviceState::Missing { .. } => (icons::CLOSE, "Do without", Action::StopPreview),
    };
    let place =
        Align2::CENTER_BOTTOM.anchor_size(rect.center_bottom() - vec2(0.0, space(3)), vec2(232.0, CONTROL_HEIGHT));
    let button = TextButton::new(words, Tone::Glass).icon(icon).width(place.width());
    ui.place(place, button).clicked().then_some(action)
}
