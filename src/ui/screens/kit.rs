//! The recovery kit: shown once to be written down, typed in again on a new device.

use egui::{RichText, TextEdit, Ui};

use crate::engine::handle::{OwnDevices, Secret};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, icon_line_ui, remark_ui};

/// The kit of this account, or the way to it.
pub fn kit_ui(ui: &mut Ui, account: &OwnDevices) -> Option<Action> {
    let palette = theme::palette(ui.ctx());
    let mut done = None;
    match &account.kit {
        Some(kit) => done = shown_ui(ui, kit),
        None if account.has_root => {
            let words = "if this computer is lost, so is your account: no recovery kit has been kept yet.";
            alert_ui(ui, words, false);
            remark_ui(ui, "24 words on paper bring your account to a new computer, and shut a lost one out.");
            ui.add_space(space(1));
            if ui.add(TextButton::new("Show the recovery kit", Tone::Main)).clicked() {
                done = Some(Action::ShowKit);
            }
        }
        None => {
            let words = "You have the recovery kit. It alone adds devices and has the last word about them.";
            icon_line_ui(ui, icons::LOCK, palette.weak, RichText::new(words));
        }
    }
    done
}

fn shown_ui(ui: &mut Ui, kit: &Secret) -> Option<Action> {
    let mut done = None;
    remark_ui(ui, "Write it down or print it, and keep it where nobody else finds it. Who has it is you.");
    ui.add_space(space(1));
    for line in kit.expose().lines() {
        ui.label(RichText::new(line).monospace().size(text::BODY));
    }
    ui.add_space(space(1));
    remark_ui(ui, "When you say that you have it, its secret is removed from this computer.");
    ui.horizontal_wrapped(|ui| {
        if ui.add(TextButton::new("I have it", Tone::Main)).clicked() {
            done = Some(Action::KitIsKept);
        }
        if ui.add(TextButton::new("Copy the kit", Tone::Plain)).clicked() {
            ui.ctx().copy_text(kit.expose().to_owned());
            done = Some(Action::Copied("The kit is copied. Empty the clipboard when you have kept it."));
        }
        if ui.add(TextButton::new("Not now", Tone::Quiet)).clicked() {
            done = Some(Action::HideKit);
        }
    });
    done
}

/// A field for a whole kit, named `name`.
pub fn kit_field_ui(ui: &mut Ui, name: &str, typed: &mut String) {
    let palette = theme::palette(ui.ctx());
    let label = ui.label(RichText::new(name).size(text::SMALL).color(palette.weak));
    let hint = RichText::new("Handle: …  Server: …  Words: …  Check: …").color(palette.weak);
    let edit = TextEdit::multiline(typed).hint_text(hint).char_limit(4096).desired_rows(4);
    ui.add(edit.desired_width(f32::INFINITY)).labelled_by(label.id);
}
