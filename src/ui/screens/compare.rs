//! The safety number with a contact: digits and code, to be compared in person or by voice, and the decision.

use egui::{RichText, Ui};

use crate::engine::handle::{Comparison, Snapshot};
use crate::ui::action::{Action, Page, Purpose};
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{card_ui, column_ui, header_ui, heading_ui, icon_line_ui, remark_ui};
use crate::ui::widgets::qr::Qr;

/// How the text of a safety code begins; the digits follow.
const CODE_SCHEME: &str = "visavis-number:";

/// The text of the code of a safety number.
#[must_use]
pub fn code_text(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    format!("{CODE_SCHEME}{digits}")
}

/// Whether a text that was scanned is a safety number, and if so, whether it is this one.
#[must_use]
pub fn scanned(text: &str, number: &str) -> Option<bool> {
    let text = text.trim();
    text.starts_with(CODE_SCHEME).then(|| text == code_text(number))
}

/// Draws the screen; `scan_ui` draws the camera's part while a code is looked for.
pub fn compare_ui(
    ui: &mut Ui,
    snapshot: &Snapshot,
    scanning: bool,
    scan_ui: impl FnOnce(&mut Ui) -> Option<Action>,
) -> Option<Action> {
    let mut done = None;
    column_ui(ui, theme::COLUMN, |ui| {
        if header_ui(ui, "Safety number") {
            done = Some(Action::Show(Page::Contacts));
        }
        ui.add_space(space(2));
        let Some(Comparison { handle, number }) = &snapshot.comparison else {
            remark_ui(ui, "Their key is not known yet: it will be after the first call.");
            return;
        };
        let contact = snapshot.contacts.iter().find(|contact| contact.handle == *handle);
        let (name, verified) = contact.map_or((handle.as_str(), false), |it| (it.name.as_str(), it.verified));
        if scanning {
            done = done.take().or(scan_ui(ui));
        }
        card_ui(ui, |ui| {
            heading_ui(ui, &format!("With {name}"));
            remark_ui(ui, "Both of you see the same digits if nobody stands between you. Compare them in person.");
            egui::Grid::new("safety number").spacing([space(6), space(1)]).show(ui, |ui| {
                for (index, group) in number.split_whitespace().enumerate() {
                    ui.label(RichText::new(group).font(theme::strong(text::HEADING)));
                    if index % 4 == 3 {
                        ui.end_row();
                    }
                }
            });
            ui.add_space(space(1));
            if let Some(code) = Qr::new(&code_text(number)) {
                code.qr_ui(ui, 200.0, "Safety number as a code to scan");
            }
            ui.add_space(space(1));
            let palette = theme::palette(ui.ctx());
            if verified {
                let words = RichText::new("Verified").color(palette.present);
                icon_line_ui(ui, icons::VERIFIED, palette.present, words);
            }
            ui.horizontal_wrapped(|ui| {
                if !scanning && ui.add(TextButton::new("Scan their code", Tone::Main).icon(icons::CAMERA)).clicked() {
                    done = Some(Action::Scan(Purpose::Compare));
                }
                let words = if verified { "Not verified after all" } else { "The digits are the same" };
                if ui.add(TextButton::new(words, Tone::Plain)).clicked() {
                    done = Some(Action::SetVerified { handle: handle.clone(), verified: !verified });
                }
            });
        });
    });
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanned_number_is_the_same_or_another_or_none() {
        let number = "12345 67890 12345";
        assert_eq!(scanned(&code_text(number), number), Some(true));
        assert_eq!(scanned(&code_text("12345 67890 12346"), number), Some(false));
        assert_eq!(scanned(CODE_SCHEME, number), Some(false));
        assert_eq!(scanned("visavis:alice@example.org", number), None);
    }
}
