//! Settings: devices, appearance, and who one is.

use egui::Ui;

use super::devices::devices_ui;
use crate::engine::handle::{Appearance, Snapshot};
use crate::render::VideoView;
use crate::ui::action::{Action, Page};
use crate::ui::icons;
use crate::ui::theme::{self, space};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{card_ui, column_ui, copyable_ui, header_ui, heading_ui, remark_ui};

/// Draws the settings; gives what was done.
pub fn settings_ui(ui: &mut Ui, snapshot: &Snapshot, local: &VideoView) -> Option<Action> {
    let mut done = None;
    column_ui(ui, theme::COLUMN, |ui| {
        if header_ui(ui, "Settings") {
            done = Some(Action::Show(Page::Contacts));
        }
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Camera and sound");
            remark_ui(ui, "Camera and microphone go off when you leave this screen.");
            done = done.take().or(devices_ui(ui, snapshot, local));
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Appearance");
            ui.horizontal_wrapped(|ui| {
                for (icon, words, appearance) in [
                    (icons::SYSTEM_COLOURS, "As the system", Appearance::System),
                    (icons::LIGHT, "Light", Appearance::Light),
                    (icons::DARK, "Dark", Appearance::Dark),
                ] {
                    let chosen = snapshot.appearance == appearance;
                    let tone = if chosen { Tone::Main } else { Tone::Plain };
                    if ui.add(TextButton::new(words, tone).icon(icon).pressed(chosen)).clicked() {
                        done = Some(Action::Appearance(appearance));
                    }
                }
            });
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "You");
            if let Some(me) = &snapshot.me {
                remark_ui(ui, "Your handle");
                if copyable_ui(ui, &me.handle, "your handle") {
                    done = Some(Action::Copied("Your handle is copied."));
                }
            }
        });
    });
    done
}
