//! Somebody rings: who, and three ways to answer. Nothing is opened and nothing is sent before one is taken.

use egui::{Rect, RichText, Ui, pos2, vec2};

use super::ringing::{ANSWER_BUTTON, caption, low_row, person_ui};
use crate::engine::handle::Peer;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{glass, space, text};
use crate::ui::widgets::buttons::{IconButton, Tone};

/// Who rings, whether they are known, and how to answer.
pub fn incoming_ui(ui: &mut Ui, peer: &Peer, video: bool, known: bool) -> Option<Action> {
    let kind = if video { "wants a video call" } else { "wants an audio call" };
    let top = person_ui(ui, peer, kind, true);
    let (words, colour) = if peer.key_changed {
        ("Their key is not the one you know. This may be somebody else: compare the safety number.", glass::WARNING)
    } else if known {
        ("Your camera and microphone stay off until you accept.", glass::WEAK)
    } else {
        ("Not one of your contacts. Your camera and microphone stay off until you accept.", glass::WEAK)
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
