//! The part of the settings about one's account: recovery kit, devices, what protects the keys on this computer, wiping,
//! and the account at the server.

use egui::{Align, Layout, RichText, Ui};
use zeroize::Zeroize;

use super::kit::{kit_field_ui, kit_ui};
use super::linking::AddDevice;
use super::server_account::ServerAccount;
use crate::engine::handle::{AccountDevice, DeviceId, OwnDevices, Protect, Protection, Secret, Snapshot};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, card_ui, heading_ui, icon_line_ui, remark_ui, secret_field_ui};

/// What is being typed in this part.
#[derive(Default)]
pub struct Account {
    passphrase: String,
    again: String,
    adding: AddDevice,
    /// The device that is about to be removed.
    removing: Option<DeviceId>,
    /// The kit, to sign that with.
    kit: String,
    /// Whether everything is about to be wiped.
    wiping: bool,
    server: ServerAccount,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Account {
    /// Forgets what was typed.
    pub fn forget(&mut self) {
        self.passphrase.zeroize();
        self.again.zeroize();
        self.kit.zeroize();
        self.adding.forget();
        (self.removing, self.wiping) = (None, false);
        self.server.forget();
    }

    /// Draws the cards.
    pub fn account_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let mut done = None;
        card_ui(ui, |ui| {
            heading_ui(ui, "Recovery kit");
            done = kit_ui(ui, &snapshot.own);
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Your devices");
            for device in &snapshot.own.devices {
                done = done.take().or(self.device_ui(ui, device, &snapshot.own));
            }
            ui.add_space(space(1));
            done = done.take().or(self.adding.add_device_ui(ui, &snapshot.own));
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Keys on this computer");
            done = done.take().or(self.protection_ui(ui, snapshot.protection));
            done = done.take().or(lock_ui(ui, snapshot));
            ui.add_space(space(2));
            done = done.take().or(self.wipe_ui(ui));
        });
        ui.add_space(space(2));
        done.or(self.server.server_account_ui(ui, snapshot))
    }

    fn device_ui(&mut self, ui: &mut Ui, device: &AccountDevice, account: &OwnDevices) -> Option<Action> {
        let name = device_name(device);
        let mut done = None;
        ui.horizontal(|ui| {
            let this = if device.is_this { "  ·  this computer" } else { "" };
            ui.label(RichText::new(&name).font(theme::strong(text::BODY)));
            ui.label(RichText::new(this).color(theme::palette(ui.ctx()).weak));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let spoken = format!("Remove {name}");
                let button = TextButton::new("Remove", Tone::Plain).name(&spoken);
                if !device.is_this && self.removing != Some(device.id) && ui.add(button).clicked() {
                    self.removing = Some(device.id);
                }
            });
        });
        if self.removing == Some(device.id) {
            alert_ui(
                ui,
                "it is shut out at once, also of a call that runs, and wipes itself when it learns of it.",
                true,
            );
            if !account.has_root {
                let words = "Recovery kit (may be left empty; a thief's device cannot answer to it)";
                kit_field_ui(ui, words, &mut self.kit);
            }
            ui.horizontal_wrapped(|ui| {
                if ui.add(TextButton::new("Shut it out", Tone::Stop)).clicked() {
                    let typed = std::mem::take(&mut self.kit);
                    let kit = (!typed.trim().is_empty()).then(|| Secret::new(typed));
                    self.removing = None;
                    done = Some(Action::RevokeDevice { device: device.id, kit });
                }
                if ui.add(TextButton::new("Keep it", Tone::Quiet)).clicked() {
                    self.removing = None;
                }
            });
        }
        done
    }

    fn wipe_ui(&mut self, ui: &mut Ui) -> Option<Action> {
        let mut done = None;
        if !self.wiping {
            if ui.add(TextButton::new("Wipe this profile", Tone::Plain)).clicked() {
                self.wiping = true;
            }
            return None;
        }
        alert_ui(
            ui,
            "keys, contacts and settings of this profile are overwritten. Only a recovery kit or another device \
                      brings your account back.",
            true,
        );
        ui.horizontal_wrapped(|ui| {
            if ui.add(TextButton::new("Wipe everything", Tone::Stop)).clicked() {
                self.wiping = false;
                done = Some(Action::Wipe);
            }
            if ui.add(TextButton::new("Keep everything", Tone::Quiet)).clicked() {
                self.wiping = false;
            }
        });
        done
    }

    fn protection_ui(&mut self, ui: &mut Ui, protection: Protection) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        let mut done = None;
        match protection {
            Protection::Keyring => {
                let words = "Sealed. The keyring of your desktop opens them with your session.";
                icon_line_ui(ui, icons::LOCK, palette.weak, RichText::new(words));
            }
            Protection::Passphrase => {
                let words = "Sealed under your passphrase, which is asked for at each start.";
                icon_line_ui(ui, icons::LOCK, palette.weak, RichText::new(words));
            }
            Protection::File => {
                let words = "whoever can read your files can take your keys: their own key lies in a file beside them. A \
                             passphrase protects them.";
                alert_ui(ui, words, false);
            }
        }
        ui.add_space(space(1));
        secret_field_ui(ui, "New passphrase", &mut self.passphrase, false);
        secret_field_ui(ui, "The same once more", &mut self.again, false);
        if !self.again.is_empty() && self.again != self.passphrase {
            remark_ui(ui, "The two are not the same.");
        } else {
            remark_ui(
                ui,
                "At least eight characters; four words that nobody would guess are better. Nobody can reset it.",
            );
        }
        ui.add_space(space(1));
        ui.horizontal_wrapped(|ui| {
            let ready = !self.passphrase.is_empty() && self.passphrase == self.again;
            let words = if protection == Protection::Passphrase { "Change passphrase" } else { "Set passphrase" };
            if ui.add_enabled(ready, TextButton::new(words, Tone::Main)).clicked() {
                let passphrase = Secret::new(std::mem::take(&mut self.passphrase));
                self.forget();
                done = Some(Action::Protect(Protect::Passphrase(passphrase)));
            }
            if protection != Protection::Keyring && ui.add(TextButton::new("Use the keyring", Tone::Plain)).clicked() {
                done = Some(Action::Protect(Protect::Keyring));
            }
        });
        done
    }
}

/// When the window locks itself, and doing so now. Only a passphrase opens it again.
fn lock_ui(ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
    let mut done = None;
    ui.add_space(space(2));
    if snapshot.protection != Protection::Passphrase {
        remark_ui(ui, "With a passphrase the window can also lock itself when nobody touches it.");
        return None;
    }
    remark_ui(
        ui,
        "Lock the window when nobody touches it. Calls still ring and can be answered; nothing else is shown.",
    );
    ui.horizontal_wrapped(|ui| {
        for (words, after_min) in
            [("Never", None), ("After 1 minute", Some(1)), ("After 5 minutes", Some(5)), ("After 15 minutes", Some(15))]
        {
            let chosen = snapshot.lock_after_min == after_min;
            let tone = if chosen { Tone::Main } else { Tone::Plain };
            if ui.add(TextButton::new(words, tone).pressed(chosen)).clicked() {
                done = Some(Action::LockAfter(after_min));
            }
        }
        if ui.add(TextButton::new("Lock now", Tone::Quiet).icon(icons::LOCK)).clicked() {
            done = Some(Action::Lock);
        }
    });
    done
}

/// A device by the beginning of its number, as the command line shows it too.
fn device_name(device: &AccountDevice) -> String {
    let number = data_encoding::BASE32_NOPAD.encode(&device.id[..10]).to_ascii_lowercase();
    format!("{} {} {}", &number[..4], &number[4..8], &number[8..12])
}
