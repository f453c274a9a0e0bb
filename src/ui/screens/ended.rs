//! How a call ended, and what can be done next.

use egui::{Rect, RichText, Ui, pos2, vec2};

use super::ringing::person_ui;
use crate::call::Outcome;
use crate::engine::handle::Peer;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{glass, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};

/// Height of a sentence of two lines, the length and three buttons.
const BELOW: f32 = space(67);

/// The outcome in one sentence, the length, and buttons. `video`: a call again is one with picture. `locked`: nobody is called
/// or kept from here.
pub fn ended_ui(
    ui: &mut Ui,
    peer: &Peer,
    outcome: &Outcome,
    talked_s: u64,
    video: bool,
    known: bool,
    locked: bool,
) -> Option<Action> {
    let top = person_ui(ui, peer, "", false, BELOW);
    let area = ui.max_rect();
    let width = (area.width() - space(8)).min(480.0);
    let place = Rect::from_min_size(pos2(area.center().x - width / 2.0, top + space(2)), vec2(width, space(60)));
    let mut done = None;
    ui.scope_builder(
        egui::UiBuilder::new().max_rect(place).layout(egui::Layout::top_down(egui::Align::Center)),
        |ui| {
            ui.label(RichText::new(outcome.sentence()).size(text::HEADING).color(glass::TEXT));
            if talked_s > 0 {
                let length = format!("Talked for {}", spoken_duration(talked_s));
                ui.label(RichText::new(length).size(text::BODY).color(glass::WEAK));
            }
            ui.add_space(space(6));
            let again = Action::Call { handle: peer.handle.clone(), video };
            let mut buttons = Vec::new();
            if *outcome == Outcome::KeyChanged {
                // Both keys and the choice are beside the contact: nobody is to believe one without seeing them.
                buttons.push((icons::VERIFIED, "See both keys", Tone::Go, Action::Dismiss));
            } else if !locked {
                buttons.push((icons::AGAIN, "Call again", Tone::Go, again));
            }
            if !known && !locked {
                buttons.push((
                    icons::ADD_PERSON,
                    "Add to contacts",
                    Tone::Glass,
                    Action::AddContact(peer.handle.clone()),
                ));
            }
            if *outcome != Outcome::KeyChanged {
                buttons.push((icons::DONE, "Done", Tone::Glass, Action::Dismiss));
            }
            for (icon, words, tone, action) in buttons {
                if ui.add(TextButton::new(words, tone).icon(icon).width(224.0)).clicked() {
                    done = Some(action);
                }
            }
        },
    );
    done
}

/// `1 h 02 min`, `3 min 20 s`, `45 s`.
#[must_use]
pub fn spoken_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes} min {rest:02} s"),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// `1:02:03` or `2:03`, as a running clock.
#[must_use]
pub fn clock_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_clocks_and_like_sentences() {
        assert_eq!(spoken_duration(45), "45 s");
        assert_eq!(spoken_duration(200), "3 min 20 s");
        assert_eq!(spoken_duration(3720), "1 h 02 min");
        assert_eq!(clock_duration(5), "0:05");
        assert_eq!(clock_duration(3723), "1:02:03");
    }
}
