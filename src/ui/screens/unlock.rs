//! The first screen of a profile with a passphrase: nothing of it is seen before that is typed.

use egui::{Key, RichText, Ui};
use zeroize::Zeroize;

use crate::engine::handle::{Secret, Snapshot};
use crate::ui::action::Action;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, card_ui, column_ui, remark_ui, secret_field_ui};

/// Width of this screen's column.
const WIDTH: f32 = 480.0;

/// What is typed.
#[derive(Default)]
pub struct Unlock {
    passphrase: String,
    /// The notice that was the newest when the passphrase was given; a newer one is the answer to it.
    given: Option<u64>,
}

impl Drop for Unlock {
    fn drop(&mut self) {
        self.passphrase.zeroize();
    }
}

impl Unlock {
    /// Draws the screen.
    pub fn unlock_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        let newest = snapshot.notice.as_ref().map_or(0, |(number, _)| *number);
        let refused = self.given.is_some_and(|before| newest > before);
        let mut done = None;
        column_ui(ui, WIDTH, |ui| {
            ui.add_space(space(6));
            ui.label(RichText::new("Welcome back").font(theme::strong(text::DISPLAY)));
            let words = "Your keys and contacts are sealed on this computer. Your passphrase opens them.";
            ui.label(RichText::new(words).color(palette.weak));
            ui.add_space(space(4));
            card_ui(ui, |ui| {
                let first = ui.memory(|memory| memory.focused().is_none());
                let field = secret_field_ui(ui, "Passphrase", &mut self.passphrase, first);
                if let (true, Some((_, why))) = (refused, &snapshot.notice) {
                    ui.add_space(space(1));
                    alert_ui(ui, why, true);
                }
                ui.add_space(space(2));
                let waiting = self.given.is_some() && !refused;
                let ready = !self.passphrase.is_empty() && !waiting;
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
                let words = if waiting { "Opening…" } else { "Open" };
                let button = ui.add_enabled(ready, TextButton::new(words, Tone::Main));
                if ready && (button.clicked() || entered) {
                    self.given = Some(newest);
                    done = Some(Action::Unlock(Secret::new(std::mem::take(&mut self.passphrase))));
                }
                remark_ui(
                    ui,
                    "Nobody can reset it. If it is lost, a recovery kit brings your account to a new profile.",
                );
            });
        });
        done
    }
}
