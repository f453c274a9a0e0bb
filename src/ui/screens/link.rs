//! The own link: as text to be sent, as a code to be scanned, and the way to make another.

use egui::Ui;

use crate::engine::handle::Snapshot;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::space;
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{card_ui, copyable_ui, heading_ui, remark_ui};
use crate::ui::widgets::qr::Qr;

/// Largest width of the code, in points.
const CODE: f32 = 280.0;

/// The card with the own link, shown when it is asked for.
#[derive(Debug, Default)]
pub struct OwnLink {
    open: bool,
    /// Drawn anew only when the link changes.
    code: Option<Qr>,
}

impl OwnLink {
    /// Draws the button, and the card if it is open.
    pub fn link_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let link = snapshot.link.as_ref()?;
        let words = if self.open { "Hide my link" } else { "Show my link" };
        if ui.add(TextButton::new(words, Tone::Plain)).clicked() {
            self.open = !self.open;
        }
        if !self.open {
            return None;
        }
        let text = link.to_string();
        if self.code.as_ref().is_none_or(|code| code.text() != text) {
            self.code = Qr::new(&text);
        }
        let mut done = None;
        ui.add_space(space(1));
        card_ui(ui, |ui| {
            heading_ui(ui, "My link");
            remark_ui(
                ui,
                "Whoever has it may call you, and knows for sure that it is you. Send it, or let it be scanned.",
            );
            if copyable_ui(ui, &text, "your link") {
                done = Some(Action::Copied("Your link is copied."));
            }
            ui.add_space(space(1));
            if let Some(code) = &self.code {
                code.qr_ui(ui, CODE.min(ui.available_width()), "My link as a code to scan");
            }
            ui.add_space(space(1));
            if ui.add(TextButton::new("Make a new link", Tone::Plain).icon(icons::AGAIN)).clicked() {
                done = Some(Action::RenewLink);
            }
            remark_ui(ui, "The old link then lets nobody call any more. Your contacts can call you all the same.");
        });
        done
    }
}
