//! The part of the settings about the account at the server: a second factor for what the server does with it, and its end.

use egui::{RichText, Ui};
use zeroize::Zeroize;

use crate::engine::handle::{AccountCommand, AccountView, Offer, Secret, ServerStatus, Snapshot};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, space};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{
    alert_ui, card_ui, copyable_ui, field_ui, heading_ui, icon_line_ui, remark_ui, secret_field_ui, sentence,
};

/// What is being typed in this part.
#[derive(Default)]
pub struct ServerAccount {
    code: String,
    handle: String,
    /// The server was asked since the screen was opened.
    asked: bool,
}

impl ServerAccount {
    /// Forgets what was typed.
    pub fn forget(&mut self) {
        self.code.zeroize();
        self.handle.clear();
        self.asked = false;
    }

    /// Draws the cards; nothing for somebody who has no account.
    pub fn server_account_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let handle = &snapshot.me.as_ref()?.handle;
        let view = &snapshot.account;
        let mut wanted = None;
        card_ui(ui, |ui| {
            heading_ui(ui, "Second factor");
            wanted = if view.wants_code {
                self.register_ui(ui)
            } else if !view.recovery_codes.is_empty() {
                recovery_codes_ui(ui, &view.recovery_codes)
            } else if let Some(offer) = &view.offer {
                self.offer_ui(ui, offer)
            } else {
                self.state_ui(ui, view)
            };
            if let Some(failure) = &view.failure {
                alert_ui(ui, &sentence(failure), false);
            }
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "The end of the account");
            wanted = wanted.take().or(self.delete_ui(ui, handle, view.second_factor.flatten().is_some()));
        });
        if wanted.is_none() && !self.asked && snapshot.server == ServerStatus::Online {
            self.asked = true;
            wanted = Some(AccountCommand::Look);
        }
        wanted.map(Action::Account)
    }

    fn register_ui(&mut self, ui: &mut Ui) -> Option<AccountCommand> {
        remark_ui(ui, "This account has a second factor: a code of it adds this device.");
        self.code_ui(ui, "Add this device", |code| AccountCommand::Register { code })
    }

    fn offer_ui(&mut self, ui: &mut Ui, offer: &Offer) -> Option<AccountCommand> {
        remark_ui(ui, "Put this secret into an authenticator app, then type the code that the app shows.");
        copyable_ui(ui, offer.text.expose(), "the secret");
        ui.add_space(space(1));
        copyable_ui(ui, offer.link.expose(), "the link for the app");
        let enabled = self.code_ui(ui, "Turn on", |code| AccountCommand::Enable { code });
        let cancelled = ui.add(TextButton::new("Cancel", Tone::Quiet)).clicked();
        enabled.or(cancelled.then_some(AccountCommand::PutAway))
    }

    fn state_ui(&mut self, ui: &mut Ui, view: &AccountView) -> Option<AccountCommand> {
        let palette = theme::palette(ui.ctx());
        match view.second_factor {
            None => {
                remark_ui(ui, "The server has not said yet whether it is on.");
                None
            }
            Some(None) => {
                remark_ui(
                    ui,
                    "Off. Turned on, the server asks for a code of an authenticator app before it deletes the account or \
                     lets a recovery kit add a device.",
                );
                ui.add(TextButton::new("Set up", Tone::Main)).clicked().then_some(AccountCommand::OfferSecret)
            }
            Some(Some(left)) => {
                let words = format!("On. {left} recovery codes are left.");
                icon_line_ui(ui, icons::LOCK, palette.weak, RichText::new(words));
                self.code_ui(ui, "Turn off", |code| AccountCommand::Disable { code })
            }
        }
    }

    fn delete_ui(&mut self, ui: &mut Ui, handle: &str, needs_code: bool) -> Option<AccountCommand> {
        let words = if needs_code {
            "The server forgets you, and this computer your keys; contacts stay. Type a code above, and your handle here."
        } else {
            "The server forgets you, and this computer your keys; contacts stay. Type your handle to say that you mean it."
        };
        remark_ui(ui, words);
        field_ui(ui, "Your handle, to delete it", &mut self.handle, handle, false);
        let ready = self.handle.trim() == handle && (!needs_code || !self.code.trim().is_empty());
        ui.add_space(space(1));
        if !ui.add_enabled(ready, TextButton::new("Delete the account", Tone::Stop)).clicked() {
            return None;
        }
        let code = needs_code.then(|| Secret::new(std::mem::take(&mut self.code)));
        self.forget();
        Some(AccountCommand::Delete { code })
    }

    fn code_ui(
        &mut self,
        ui: &mut Ui,
        words: &str,
        command: impl FnOnce(Secret) -> AccountCommand,
    ) -> Option<AccountCommand> {
        code_ui(ui, words, &mut self.code).map(command)
    }
}

/// A field for a code of the second factor with the button that uses it, and what was typed when that is pressed.
pub fn code_ui(ui: &mut Ui, words: &str, typed: &mut String) -> Option<Secret> {
    secret_field_ui(ui, "Code of the app, or a recovery code", typed, false);
    ui.add_space(space(1));
    let ready = !typed.trim().is_empty();
    let pressed = ui.add_enabled(ready, TextButton::new(words, Tone::Main)).clicked();
    pressed.then(|| Secret::new(std::mem::take(typed)))
}

/// The recovery codes, which are shown once.
fn recovery_codes_ui(ui: &mut Ui, codes: &[Secret]) -> Option<AccountCommand> {
    remark_ui(
        ui,
        "It is on. Each of these codes stands in for the app once, should you lose it. Keep them away from this computer: \
         they are not shown again.",
    );
    let lines: Vec<&str> = codes.iter().map(Secret::expose).collect();
    for line in &lines {
        ui.label(RichText::new(*line).monospace());
    }
    ui.add_space(space(1));
    let kept = ui.add(TextButton::new("I have written them down", Tone::Main)).clicked();
    kept.then_some(AccountCommand::PutAway)
}
