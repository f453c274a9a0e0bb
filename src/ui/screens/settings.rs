//! Settings: devices, appearance, and who one is.

use egui::{Label, RichText, Ui, vec2};

use super::account::Account;
use super::devices::devices_ui;
use super::requests::blocked_ui;
use crate::engine::handle::{Appearance, Snapshot, Zoom};
use crate::render::VideoView;
use crate::ui::action::{Action, Page};
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{card_ui, column_ui, copyable_ui, header_ui, heading_ui, remark_ui};

/// Draws the settings; gives what was done.
pub fn settings_ui(ui: &mut Ui, snapshot: &Snapshot, local: &VideoView, account: &mut Account) -> Option<Action> {
    let mut done = None;
    column_ui(ui, theme::COLUMN, |ui| {
        if header_ui(ui, "Settings") {
            done = Some(Action::Show(Page::Contacts));
        }
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Camera and sound");
            remark_ui(ui, "Camera and microphone go off when you leave this screen.");
            done = done.take().or(devices_ui(ui, snapshot, local));
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Appearance");
            ui.horizontal_wrapped(|ui| {
                for (icon, words, appearance) in [
                    (icons::SYSTEM_COLOURS, "As the system", Appearance::System),
                    (icons::LIGHT, "Light", Appearance::Light),
                    (icons::DARK, "Dark", Appearance::Dark),
                ] {
                    let chosen = snapshot.appearance == appearance;
                    let tone = if chosen { Tone::Main } else { Tone::Plain };
                    if ui.add(TextButton::new(words, tone).icon(icon).pressed(chosen)).clicked() {
                        done = Some(Action::Appearance(appearance));
                    }
                }
            });
            done = done.take().or(zoom_ui(ui, snapshot.zoom));
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "You");
            if let Some(me) = &snapshot.me {
                remark_ui(ui, "Your handle");
                if copyable_ui(ui, &me.handle, "your handle") {
                    done = Some(Action::Copied("Your handle is copied."));
                }
            }
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Your network address");
            done = done.take().or(address_ui(ui, snapshot));
        });
        ui.add_space(space(2));
        card_ui(ui, |ui| {
            heading_ui(ui, "Blocked");
            done = done.take().or(blocked_ui(ui, snapshot));
        });
        ui.add_space(space(2));
        // What cannot be undone comes last.
        done = done.take().or(account.account_ui(ui, snapshot));
    });
    done
}

/// Whether contacts learn where this computer is, and what it costs to hide that.
fn address_ui(ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
    remark_ui(
        ui,
        "A direct call is faster, and tells your contact's device the network addresses of this computer. By relay only the \
         server learns one. Calls with strangers always go by relay.",
    );
    let mut done = None;
    ui.horizontal_wrapped(|ui| {
        for (words, hide) in [("Direct where possible", false), ("By relay only", true)] {
            let chosen = snapshot.hide_address == hide;
            let tone = if chosen { Tone::Main } else { Tone::Plain };
            if ui.add(TextButton::new(words, tone).pressed(chosen)).clicked() {
                done = Some(Action::HideAddress(hide));
            }
        }
    });
    let (relay, direct) = snapshot.last_round_trips_ms;
    if let Some(relay) = relay {
        let directly = match direct {
            Some(direct) => format!("{direct:.0} ms directly to them and back"),
            None => "there was no direct way".to_owned(),
        };
        remark_ui(ui, &format!("In your last call: {relay:.0} ms to the relay and back; {directly}."));
    }
    done
}

/// How large everything is, with a step in each direction and the way back.
fn zoom_ui(ui: &mut Ui, zoom: Zoom) -> Option<Action> {
    ui.add_space(space(1));
    remark_ui(ui, "Size of text and controls");
    let mut wanted = None;
    ui.horizontal_wrapped(|ui| {
        let mut step = |ui: &mut Ui, words, name, to: Option<Zoom>| {
            let button = ui.add_enabled(to.is_some(), TextButton::new(words, Tone::Plain).name(name));
            wanted = wanted.or(to.filter(|_| button.clicked()));
        };
        step(ui, "−", "Smaller", zoom.smaller());
        let words = RichText::new(format!("{} %", zoom.percent())).font(theme::strong(text::BODY));
        ui.add_sized(vec2(56.0, theme::CONTROL_HEIGHT), Label::new(words));
        step(ui, "+", "Larger", zoom.larger());
        let usual = TextButton::new("Usual size", Tone::Quiet);
        if zoom != Zoom::default() && ui.add(usual).clicked() {
            wanted = Some(Zoom::default());
        }
    });
    wanted.map(Action::Zoom)
}
