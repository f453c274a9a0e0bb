//! Somebody rings: who, and three ways to answer. Nothing is opened and nothing is sent before one is taken.

use egui::{Rect, RichText, Ui, pos2, vec2};

use super::ringing::{ANSWER_BUTTON, caption, low_height, low_row, person_ui};
use crate::engine::handle::Peer;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{glass, space, text};
use crate::ui::widgets::buttons::{IconButton, Tone};

/// Height of the handle and two lines of remark.
const REMARKS: f32 = space(18);

/// Who rings, whether they are known, and how to answer.
pub fn incoming_ui(ui: &mut Ui, peer: &Peer, video: bool) -> Option<Action> {
    let kind = if video { "wants a video call" } else { "wants an audio call" };
    let top = person_ui(ui, peer, kind, true, low_height(ui) + REMARKS);
    let (words, colour) = if peer.key_changed {
        ("Their key is not the one you know. This may be somebody else: compare the safety number.", glass::WARNING)
    } else if peer.is_contact {
        ("Your camera and microphone stay off until you accept.", glass::WEAK)
    } else {
        (
            "Not one of your contacts, but they have your link. Your camera and microphone stay off until you accept.",
            glass::WEAK,
        )
    };
    let area = ui.max_rect();
    let width = (area.width() - space(8)).min(480.0);
    let place = Rect::from_min_size(pos2(area.center().x - width / 2.0, top), vec2(width, space(10)));
    let handle = if peer.name == peer.handle { "" } else { peer.handle.as_str() };
    ui.scope_builder(
        egui::UiBuilder::new().max_rect(place).layout(egui::Layout::top_down(egui::Align::Center)),
        |ui| {
            if !handle.is_empty() {
                ui.label(RichText::new(handle).size(text::BODY).color(glass::WEAK));
            }
            ui.label(RichText::new(words).size(text::SMALL).color(colour));
        },
    );
    answers_ui(ui, video)
}

fn answers_ui(ui: &mut Ui, video: bool) -> Option<Action> {
    let decline = (icons::HANG_UP, "Decline", Tone::Stop, Action::Decline);
    let without = (icons::CAMERA_OFF, "Accept without camera", Tone::Glass, Action::Accept { video: false });
    let accept = if video {
        (icons::CAMERA, "Accept", Tone::Go, Action::Accept { video: true })
    } else {
        (icons::PHONE, "Accept", Tone::Go, Action::Accept { video: false })
    };
    let choices = if video { vec![decline, without, accept] } else { vec![decline, accept] };
    let mut done = None;
    for ((icon, name, tone, action), place) in choices.into_iter().zip(low_row(ui, if video { 3 } else { 2 })) {
        if ui.place(place, IconButton::new(icon, name, tone).diameter(ANSWER_BUTTON)).clicked() {
            done = Some(action);
        }
        caption(ui, place, if name == "Accept without camera" { "Without camera" } else { name });
    }
    done
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;
    use crate::ui::theme;

    #[test]
    fn the_words_keep_clear_of_the_answers_in_every_window() {
        // The usual window, the smallest one, and the usual one with everything twice as large.
        for size in [vec2(1040.0, 700.0), vec2(420.0, 560.0), vec2(520.0, 350.0)] {
            let peer = Peer { handle: "dora@example.org".into(), name: "Dora".into(), ..Peer::default() };
            let mut harness = Harness::builder().with_size(size).build_ui(move |ui| {
                theme::install(ui.ctx());
                incoming_ui(ui, &peer, true);
            });
            harness.run_steps(2);
            let button = harness.get_by_label("Accept").rect();
            for words in ["Dora", "wants a video call", "dora@example.org", "Not one of your contacts"] {
                let place = harness.get_by_label_contains(words).rect();
                assert!(place.top() >= 0.0 && place.bottom() <= button.top(), "{words} at {place:?} in {size:?}");
            }
            assert!(button.bottom() <= size.y);
        }
    }
}
