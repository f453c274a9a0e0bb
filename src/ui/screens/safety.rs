//! What protects the call, and who can see what: the panel behind the lock.

use egui::{Frame, Margin, RichText, ScrollArea, Ui};

use crate::engine::handle::{ActiveView, PathView};
use crate::ui::icons;
use crate::ui::theme::{self, glass, space, text};
use crate::ui::widgets::buttons::{IconButton, Tone, icon_ui};
use crate::ui::widgets::page::icon_line_ui;

/// Width of the panel.
pub const WIDTH: f32 = 344.0;

/// The panel; true: close it.
pub fn safety_ui(ui: &mut Ui, view: &ActiveView) -> bool {
    let mut close = false;
    let frame = Frame::new().fill(glass::PANE).corner_radius(theme::RADIUS).inner_margin(Margin::same(16));
    frame.show(ui, |ui| {
        ui.set_width(WIDTH - 32.0);
        ui.horizontal(|ui| {
            icon_ui(ui, icons::LOCK, 20.0, glass::LIVE);
            ui.label(RichText::new("Sealed end to end").font(theme::strong(text::HEADING)).color(glass::TEXT));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                close = ui.add(IconButton::new(icons::CLOSE, "Close", Tone::GlassQuiet).diameter(32.0)).clicked();
            });
        });
        ScrollArea::vertical().show(ui, |ui| details_ui(ui, view));
    });
    close
}

fn details_ui(ui: &mut Ui, view: &ActiveView) {
    ui.spacing_mut().interact_size.y = 0.0;
    ui.spacing_mut().item_spacing.y = space(1);
    if view.peer.key_changed {
        let words = "Their key is not the one you know from before. Compare the numbers below.";
        icon_line_ui(ui, icons::WARNING, glass::WARNING, RichText::new(words).color(glass::WARNING));
    }
    part_ui(ui, "Safety number", "The same on both sides, in every call. Compare it once, best in person.");
    egui::Grid::new("safety number").spacing([space(5), space(1)]).show(ui, |ui| {
        for (index, group) in view.safety_number.split_whitespace().enumerate() {
            ui.label(RichText::new(group).size(text::HEADING).color(glass::TEXT));
            if index % 4 == 3 {
                ui.end_row();
            }
        }
    });
    part_ui(ui, "Code of this call", "Read it to each other: if it is the same, nobody stands between you now.");
    ui.label(RichText::new(&*view.in_call_code).font(theme::strong(text::TITLE)).color(glass::TEXT));
    part_ui(ui, "Keys", "");
    let age = match view.key_age_s {
        0 => "just now".to_owned(),
        seconds => format!("{} ago", super::ended::spoken_duration(seconds)),
    };
    row_ui(ui, "Refreshed", &age);
    row_ui(ui, "Epoch", &view.epoch.to_string());
    let (way, sees) = path_words(view.path);
    part_ui(ui, "Way of the packets", "");
    row_ui(ui, "Path", way);
    ui.label(RichText::new(sees).size(text::SMALL).color(glass::WEAK));
}

/// The way in a word, and what others see of the call on it.
#[must_use]
pub fn path_words(path: PathView) -> (&'static str, &'static str) {
    match path {
        PathView::Direct => (
            "direct, between the two devices",
            "The server passes nothing on. You and they know each other's network address. Networks on the way see that \
             two addresses exchange packets, and how many.",
        ),
        PathView::Relay => (
            "by relay, through the server",
            "The relay sees both network addresses, when packets come and how large they are. It cannot see picture, \
             sound, names or keys.",
        ),
        PathView::Reconnecting => ("none at the moment", "Nothing is sent until there is a way again."),
    }
}

fn part_ui(ui: &mut Ui, name: &str, remark: &str) {
    ui.add_space(space(2));
    ui.label(RichText::new(name).font(theme::strong(text::BODY)).color(glass::TEXT));
    if !remark.is_empty() {
        ui.label(RichText::new(remark).size(text::SMALL).color(glass::WEAK));
    }
}

fn row_ui(ui: &mut Ui, name: &str, value: &str) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(name).size(text::BODY).color(glass::WEAK));
        ui.label(RichText::new(value).size(text::BODY).color(glass::TEXT));
    });
}
