//! Ringing out, and the moment between the accept and the first picture.

use egui::{Align2, Rect, Stroke, Ui, Vec2, pos2, vec2};

use crate::engine::handle::Peer;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, glass, space, text};
use crate::ui::widgets::avatar;
use crate::ui::widgets::buttons::{IconButton, Tone};

/// Across, in points, where there is room for it.
pub const AVATAR: f32 = 128.0;
/// From its edge to the name, and from its edge to the outermost circle.
const GAP: f32 = space(16);
const CIRCLES: f32 = 54.0;
/// Across, in points.
pub const ANSWER_BUTTON: f32 = 64.0;

/// Whom we ring, how far it is, and a way out.
pub fn ringing_ui(ui: &mut Ui, peer: &Peer, video: bool, ringing: bool) -> Option<Action> {
    let state = match (ringing, video) {
        (false, _) => "Calling…",
        (true, true) => "Ringing · video call",
        (true, false) => "Ringing · audio call",
    };
    person_ui(ui, peer, state, true, low_height(ui));
    hang_up_ui(ui, "Cancel the call")
}

/// Accepted: keys and a path are being made.
pub fn connecting_ui(ui: &mut Ui, peer: &Peer) -> Option<Action> {
    person_ui(ui, peer, "Connecting · agreeing on keys", true, low_height(ui));
    hang_up_ui(ui, "Hang up")
}

/// Somebody in the middle of an empty canvas, with a line below the name; circles around them if it `rings`. Gives the
/// place below the line, where `below` is left free: the picture of the person gives way.
pub fn person_ui(ui: &mut Ui, peer: &Peer, line: &str, rings: bool, below: f32) -> f32 {
    let area = ui.max_rect();
    let painter = ui.painter();
    painter.rect_filled(area, 0.0, glass::CANVAS);
    let lines = [
        (peer.name.as_str(), theme::strong(text::DISPLAY), glass::TEXT),
        (line, theme::plain(text::HEADING), glass::WEAK),
    ];
    let lines = lines.into_iter().filter(|(words, ..)| !words.is_empty());
    let line_height = |size: f32| size * 1.4;
    let words_height: f32 = lines.clone().map(|(_, font, _)| line_height(font.size) + space(1)).sum();
    let room = area.height() - below - words_height;
    let share = ((room - space(2)) / (CIRCLES + AVATAR + GAP)).clamp(0.0, 1.0);
    let mut top = area.top() + room.max(space(2));
    if share > 0.2 {
        let (across, gap) = (share * AVATAR, share * GAP);
        top = top.min(area.top() + area.height() * 0.36 + across / 2.0 + gap);
        let centre = pos2(area.center().x, top - gap - across / 2.0);
        for ring in (1..=3_u8).filter(|_| rings) {
            let colour = glass::RIPPLE.gamma_multiply(1.0 - 0.25 * f32::from(ring));
            let radius = across / 2.0 + share * 16.0 * f32::from(ring);
            painter.circle_stroke(centre, radius, Stroke::new(share * 6.0, colour));
        }
        avatar::paint(painter, centre, across, &peer.handle, &peer.name);
    }
    for (words, font, colour) in lines {
        let height = line_height(font.size);
        let place = Rect::from_min_size(pos2(area.left() + space(4), top), vec2(area.width() - space(8), height));
        let label = egui::Label::new(egui::RichText::new(words).font(font).color(colour)).truncate();
        ui.place(place, label);
        top += height + space(1);
    }
    top
}

fn hang_up_ui(ui: &mut Ui, name: &str) -> Option<Action> {
    let button = IconButton::new(icons::HANG_UP, name, Tone::Stop).diameter(ANSWER_BUTTON);
    ui.place(low_row(ui, 1)[0], button).clicked().then_some(Action::HangUp)
}

/// Places for `count` round buttons in a row, low on the screen.
pub fn low_row(ui: &Ui, count: usize) -> Vec<Rect> {
    let area = ui.max_rect();
    let pitch = (ANSWER_BUTTON + space(18)).min(area.width() / count.max(1) as f32);
    let y = area.bottom() - (area.height() * 0.16).max(ANSWER_BUTTON / 2.0 + space(9));
    let left = area.center().x - pitch * (count.saturating_sub(1)) as f32 / 2.0;
    (0..count)
        .map(|index| Rect::from_center_size(pos2(left + pitch * index as f32, y), Vec2::splat(ANSWER_BUTTON)))
        .collect()
}

/// What the low row takes of the screen, with a little room above it.
pub fn low_height(ui: &Ui) -> f32 {
    ui.max_rect().bottom() - low_row(ui, 1)[0].top() + space(2)
}

/// Words below a round button.
pub fn caption(ui: &Ui, button: Rect, words: &str) {
    let place = pos2(button.center().x, button.bottom() + space(3));
    ui.painter().text(place, Align2::CENTER_TOP, words, theme::plain(text::SMALL), glass::WEAK);
}
