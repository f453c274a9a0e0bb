//! Linking a second device: what the new one shows, and what the one that takes it in asks.

use egui::text::LayoutJob;
use egui::{FontId, Label, RichText, Ui};
use zeroize::Zeroize;

use super::kit::kit_field_ui;
use crate::engine::handle::{LinkView, OwnDevices, Secret};
use crate::ui::action::{Action, Purpose};
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{field_ui, remark_ui};
use crate::ui::widgets::qr::Qr;

/// Widest that the code is drawn, in points.
const CODE: f32 = 260.0;

/// What is typed on the device that takes another in.
#[derive(Default)]
pub struct AddDevice {
    code: String,
    kit: String,
}

impl Drop for AddDevice {
    fn drop(&mut self) {
        self.forget();
    }
}

impl AddDevice {
    /// Forgets what was typed.
    pub fn forget(&mut self) {
        self.code.zeroize();
        self.kit.zeroize();
    }

    /// Draws what the device that takes another in asks.
    pub fn add_device_ui(&mut self, ui: &mut Ui, account: &OwnDevices) -> Option<Action> {
        let mut done = None;
        match &account.link {
            LinkView::Comparing { number } => {
                remark_ui(
                    ui,
                    "Does the new device show this number? If it is another one, somebody else's code was read.",
                );
                number_ui(ui, number);
                if !account.has_root {
                    kit_field_ui(ui, "Your recovery kit, since this device does not have the root", &mut self.kit);
                }
                ui.horizontal_wrapped(|ui| {
                    let ready = account.has_root || !self.kit.trim().is_empty();
                    if ui.add_enabled(ready, TextButton::new("The same: add it", Tone::Main)).clicked() {
                        let kit = (!account.has_root).then(|| Secret::new(std::mem::take(&mut self.kit)));
                        self.forget();
                        done = Some(Action::ConfirmLink(kit));
                    }
                    if ui.add(TextButton::new("Another number", Tone::Quiet)).clicked() {
                        self.forget();
                        done = Some(Action::CancelLink);
                    }
                });
            }
            LinkView::None | LinkView::Done | LinkView::Waiting { .. } => {
                if account.link == LinkView::Done {
                    remark_ui(ui, "The new device is part of your account now.");
                }
                field_ui(ui, "Code of a new device", &mut self.code, "visavis-link:…", false);
                remark_ui(ui, "Start Visavis there and choose “Link to another device”: it shows the code.");
                let ready = !self.code.trim().is_empty();
                ui.horizontal_wrapped(|ui| {
                    if ui.add_enabled(ready, TextButton::new("Add the device", Tone::Plain)).clicked() {
                        done = Some(Action::ReadLink(Secret::new(std::mem::take(&mut self.code))));
                    }
                    if ui.add(TextButton::new("Scan its code", Tone::Plain).icon(icons::CAMERA)).clicked() {
                        done = Some(Action::Scan(Purpose::LinkDevice));
                    }
                });
            }
        }
        done
    }
}

/// What the new device shows while it waits.
pub fn waiting_ui(ui: &mut Ui, code: &Secret, number: &str) -> Option<Action> {
    let mut done = None;
    remark_ui(
        ui,
        "On a device that is in your account: Settings, Your devices. Scan this code there, or copy its text.",
    );
    ui.add_space(space(1));
    if let Some(picture) = Qr::new(code.expose()) {
        picture.qr_ui(ui, CODE.min(ui.available_width()), "The code of this device, to be scanned");
        ui.add_space(space(1));
    }
    let font = FontId::monospace(text::SMALL);
    let mut code_text = LayoutJob::simple(code.expose().to_owned(), font, theme::palette(ui.ctx()).text, 0.0);
    code_text.wrap.break_anywhere = true;
    ui.add(Label::new(code_text).wrap());
    if ui.add(TextButton::new("Copy the code", Tone::Plain)).clicked() {
        ui.ctx().copy_text(code.expose().to_owned());
        done = Some(Action::Copied("The code is copied."));
    }
    ui.add_space(space(2));
    remark_ui(ui, "It must show the same number:");
    number_ui(ui, number);
    done
}

fn number_ui(ui: &mut Ui, number: &str) {
    ui.label(RichText::new(number).font(theme::strong(text::DISPLAY)));
    ui.add_space(space(1));
}
