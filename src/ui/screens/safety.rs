//! What protects the call, and who can see what: the panel behind the lock.

use egui::{Frame, Margin, RichText, ScrollArea, Ui};

use crate::engine::handle::{ActiveView, PathView, TrafficCounts};
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
    part_ui(ui, "Way of the packets", "");
    let (way, sees) = path_words(view.path);
    row_ui(ui, "Path", way);
    let (relay, direct) = view.round_trips_ms;
    if let Some(relay) = relay {
        row_ui(ui, "To the relay and back", &format!("{relay:.0} ms"));
    }
    if let Some(direct) = direct {
        row_ui(ui, "To them and back", &format!("{direct:.0} ms"));
    }
    ui.label(RichText::new(sees).size(text::SMALL).color(glass::WEAK));
    exposure_ui(ui, view);
}

/// What this call has shown to whom so far.
fn exposure_ui(ui: &mut Ui, view: &ActiveView) {
    let TrafficCounts { relay_packets, relay_bytes, .. } = view.traffic;
    part_ui(ui, "Who has seen what of this call", "");
    let relay = match relay_packets {
        0 => "No sealed packet went through it.".to_owned(),
        packets => format!("{packets} sealed packets ({}) went through it.", size_words(relay_bytes)),
    };
    let they = if view.address_hidden {
        "Everything you show and say. Not this computer's network address, which is hidden from them: all packets go by \
         the relay and take its longer way."
    } else {
        "Everything you show and say, and this computer's network address."
    };
    let server = format!(
        "Both network addresses, when the call began, and that somebody rang a device of theirs. {relay} Of picture, sound \
         and keys nothing; who rang, only as far as a network address tells it."
    );
    let rows = [
        ("They", they),
        ("The server", server.as_str()),
        (
            "Networks on the way",
            "Which addresses exchange packets, when and how many; sizes tell little: sound has one \
          size, silence or not, and pictures are padded to few.",
        ),
        ("Anybody else", "Nothing."),
    ];
    for (who, what) in rows {
        ui.add_space(space(1));
        ui.label(RichText::new(who).size(text::BODY).color(glass::TEXT));
        ui.label(RichText::new(what).size(text::SMALL).color(glass::WEAK));
    }
}

/// A number of bytes for people.
fn size_words(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use egui_kittest::Harness;
    use egui_kittest::kittest::NodeT;

    /// What the panel says of a call.
    fn said(view: ActiveView) -> String {
        let harness = Harness::builder().with_size(egui::vec2(WIDTH + 40.0, 1400.0)).build_ui(move |ui| {
            theme::install(ui.ctx());
            safety_ui(ui, &view);
        });
        let nodes = harness.root().children_recursive();
        let words = nodes.filter_map(|node| node.accesskit_node().label().or(node.accesskit_node().value()));
        words.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_the_relay_has_seen_is_counted_and_who_knows_the_own_address_is_said() {
        let traffic = TrafficCounts { relay_packets: 1234, relay_bytes: 2_345_678, ..TrafficCounts::default() };
        let relayed = said(ActiveView { traffic, address_hidden: true, ..ActiveView::default() });
        for words in ["1234 sealed packets (2.3 MB)", "hidden from them", "by relay", "Anybody else"] {
            assert!(relayed.contains(words), "{words}: {relayed}");
        }
        let round_trips_ms = (Some(31.4), Some(8.2));
        let direct = said(ActiveView { path: PathView::Direct, round_trips_ms, ..ActiveView::default() });
        for words in ["No sealed packet went through it", "and this computer's network address", "31 ms", "8 ms"] {
            assert!(direct.contains(words), "{words}: {direct}");
        }
        assert!(!direct.contains("hidden from them"));
    }
}
