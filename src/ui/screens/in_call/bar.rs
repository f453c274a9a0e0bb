//! The bar at the bottom of a call: microphone, camera, more, hang up.

use egui::{Align2, Popup, Rect, Ui, pos2, vec2};

use super::pane_ui;
use crate::engine::handle::ActiveView;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::shortcuts;
use crate::ui::theme::{glass, space};
use crate::ui::widgets::buttons::{IconButton, Tone, menu_item_ui};
use crate::ui::widgets::meter;

/// Height of the bar and the room around it.
pub const HEIGHT: f32 = 88.0;
/// Across, in points.
const BUTTON: f32 = 52.0;

/// Draws the bar; `devices` opens the choice of all devices.
pub fn bar_ui(ui: &mut Ui, area: Rect, view: &ActiveView, full_screen: bool, devices: &mut bool) -> Option<Action> {
    let mut done = None;
    let at = pos2(area.center().x, area.bottom() - space(4));
    pane_ui(ui, "call bar", Align2::CENTER_BOTTOM, at, |ui| {
        ui.spacing_mut().item_spacing.x = space(3);
        ui.add_space(space(1));
        let (icon, name, tone) = if view.microphone_on {
            (icons::MICROPHONE, "Mute microphone", Tone::Glass)
        } else {
            (icons::MICROPHONE_OFF, "Unmute microphone", Tone::GlassOff)
        };
        let microphone = ui.add(round(icon, name, tone).hint(shortcuts::MICROPHONE.words));
        if view.microphone_on {
            level_ui(ui, microphone.rect, view.sound.own_level_dbfs);
        }
        if microphone.clicked() {
            done = Some(Action::Microphone(!view.microphone_on));
        }
        let (icon, name, tone) = if view.camera_on {
            (icons::CAMERA, "Turn camera off", Tone::Glass)
        } else {
            (icons::CAMERA_OFF, "Turn camera on", Tone::GlassOff)
        };
        if ui.add(round(icon, name, tone).hint(shortcuts::CAMERA.words)).clicked() {
            done = Some(Action::Camera(!view.camera_on));
        }
        let more = ui.add(round(icons::MORE, "More", Tone::Glass));
        Popup::menu(&more).align(egui::RectAlign::TOP).gap(space(4)).show(|ui| {
            ui.set_width(240.0);
            let (icon, words) =
                if view.speaker_on { (icons::SPEAKER_OFF, "Speaker off") } else { (icons::SPEAKER, "Speaker on") };
            if menu_item_ui(ui, icon, words, None) {
                done = Some(Action::Speaker(!view.speaker_on));
            }
            if menu_item_ui(ui, icons::SETTINGS, "Camera and sound", None) {
                *devices = true;
                done = Some(Action::ListDevices);
            }
            let (icon, words) = if full_screen {
                (icons::LEAVE_FULL_SCREEN, "Leave full screen")
            } else {
                (icons::FULL_SCREEN, "Full screen")
            };
            for (icon, words, keys, action) in [
                (icon, words, shortcuts::FULL_SCREEN.words, Action::ToggleFullScreen),
                (icons::FIGURES, "Figures", shortcuts::HUD.words, Action::ToggleHud),
                (icons::KEYBOARD, "Shortcuts", shortcuts::HELP.words, Action::ToggleHelp),
            ] {
                if menu_item_ui(ui, icon, words, Some(keys)) {
                    done = Some(action);
                }
            }
        });
        if ui.add(round(icons::HANG_UP, "Hang up", Tone::Stop).hint(shortcuts::HANG_UP.words)).clicked() {
            done = Some(Action::HangUp);
        }
        ui.add_space(space(1));
    });
    done
}

const fn round(icon: char, name: &str, tone: Tone) -> IconButton<'_> {
    IconButton::new(icon, name, tone).diameter(BUTTON)
}

/// How loud it is here, as an arc around the microphone's button.
fn level_ui(ui: &Ui, button: Rect, level_dbfs: f32) {
    let share = meter::share(level_dbfs);
    if share <= 0.0 {
        return;
    }
    let (centre, radius) = (button.center(), button.width() / 2.0 + 1.0);
    let point = |step: f32| {
        let angle = std::f32::consts::PI * (0.5 + step);
        centre + vec2(angle.cos(), angle.sin()) * radius
    };
    let arc = (-12..=12).map(|step| point(share * step as f32 / 12.0)).collect();
    ui.painter().line(arc, egui::Stroke::new(2.5, glass::LIVE));
}
