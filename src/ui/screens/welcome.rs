//! The first run in three steps: who you are and where, a look at camera and sound, the handle to give away.

use egui::{RichText, Ui};

use super::devices::devices_ui;
use crate::engine::handle::{ServerStatus, Snapshot};
use crate::render::VideoView;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, card_ui, column_ui, copyable_ui, field_ui, icon_line_ui, remark_ui};

/// Width of this screen's column.
const WIDTH: f32 = 480.0;

/// The steps, and what is typed.
#[derive(Debug, Default)]
pub struct Welcome {
    step: Step,
    name: String,
    server: String,
    /// The notice that was the newest when the form was sent; a newer one is the answer to it.
    sent: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Name,
    Devices,
    Ready,
}

impl Welcome {
    /// Draws the step that is on; the flag says that the person is through.
    pub fn welcome_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot, local: &VideoView) -> (Option<Action>, bool) {
        if self.step == Step::Name && snapshot.me.as_ref().is_some_and(|me| me.registered) {
            self.step = Step::Devices;
        }
        let mut result = (None, false);
        column_ui(ui, WIDTH, |ui| {
            ui.add_space(space(6));
            steps_ui(ui, self.step);
            result = match self.step {
                Step::Name => (self.name_ui(ui, snapshot), false),
                Step::Devices => (self.devices_ui(ui, snapshot, local), false),
                Step::Ready => ready_ui(ui, snapshot),
            };
        });
        result
    }

    fn name_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        ui.label(RichText::new("Welcome to Visavis").font(theme::strong(text::DISPLAY)));
        let words = "Face-to-face calls that only the two of you can see and hear. No phone number, no e-mail address.";
        ui.label(RichText::new(words).color(palette.weak));
        ui.add_space(space(4));
        let mut done = None;
        card_ui(ui, |ui| {
            let first =
                self.name.is_empty() && self.server.is_empty() && ui.memory(|memory| memory.focused().is_none());
            let name = field_ui(ui, "Your name on the server", &mut self.name, "ada", first);
            remark_ui(ui, "Small letters, digits, dot, dash and underscore. It becomes the first half of your handle.");
            ui.add_space(space(2));
            let server = field_ui(ui, "Server address", &mut self.server, "host:port/key", false);
            remark_ui(ui, "Paste the whole line that your server printed, or that somebody sent you.");
            if name.changed() || server.changed() {
                self.sent = None;
            }
            ui.add_space(space(2));
            let trouble = self.trouble(snapshot);
            let waiting = self.sent.is_some() && trouble.is_none();
            if let Some(why) = trouble {
                alert_ui(ui, &why, true);
                ui.add_space(space(1));
            }
            let ready = !self.name.trim().is_empty() && !self.server.trim().is_empty() && !waiting;
            let words = if waiting { "Connecting…" } else { "Continue" };
            let entered =
                (name.lost_focus() || server.lost_focus()) && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let button = ui.add_enabled(ready, TextButton::new(words, Tone::Main));
            if ready && (button.clicked() || entered) {
                self.sent = Some(snapshot.notice.as_ref().map_or(0, |(number, _)| *number));
                let (name, server) = (self.name.trim().to_lowercase(), self.server.trim().to_owned());
                done = Some(Action::CreateProfile { name, server });
            }
        });
        done
    }

    fn devices_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot, local: &VideoView) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        ui.label(RichText::new("Camera and sound").font(theme::strong(text::DISPLAY)));
        let words =
            "Look at yourself, try the sound, and choose what calls should use. You can also call without a camera.";
        ui.label(RichText::new(words).color(palette.weak));
        ui.add_space(space(4));
        let mut done = None;
        card_ui(ui, |ui| done = devices_ui(ui, snapshot, local));
        ui.add_space(space(2));
        if ui.add(TextButton::new("Continue", Tone::Main)).clicked() {
            self.step = Step::Ready;
        }
        done
    }

    /// Whether the devices are being chosen, and the camera may be on for it.
    #[must_use]
    pub fn shows_devices(&self) -> bool {
        self.step == Step::Devices
    }

    /// What came back on what was sent, if it was not good.
    fn trouble(&self, snapshot: &Snapshot) -> Option<String> {
        let before = self.sent?;
        match (&snapshot.notice, &snapshot.server) {
            (Some((number, why)), _) if *number > before => Some(why.to_string()),
            (_, ServerStatus::Offline { why, .. }) => Some(why.clone()),
            _ => None,
        }
    }
}

fn ready_ui(ui: &mut Ui, snapshot: &Snapshot) -> (Option<Action>, bool) {
    let palette = theme::palette(ui.ctx());
    let mut result = (None, false);
    ui.label(RichText::new("You are ready").font(theme::strong(text::DISPLAY)));
    ui.label(RichText::new("This is your handle. Whoever has it can call you.").color(palette.weak));
    ui.add_space(space(4));
    card_ui(ui, |ui| {
        if let Some(me) = &snapshot.me
            && copyable_ui(ui, &me.handle, "your handle")
        {
            result.0 = Some(Action::Copied("Your handle is copied."));
        }
        ui.add_space(space(2));
        for (icon, words) in [
            (icons::CAMERA_OFF, "Your camera and microphone stay off until you call somebody or accept a call."),
            (icons::LOCK, "Your keys were made on this computer and have not left it."),
            (
                icons::WARNING,
                "They cannot be restored yet: if this profile is lost, you need a new name. Keep a copy of its folder in \
                 a safe place.",
            ),
        ] {
            icon_line_ui(ui, icon, palette.weak, RichText::new(words).color(palette.weak));
        }
        ui.add_space(space(2));
        result.1 = ui.add(TextButton::new("Show my contacts", Tone::Main)).clicked();
    });
    result
}

/// Where in the steps one is, in words as well as in dots.
fn steps_ui(ui: &mut Ui, step: Step) {
    let palette = theme::palette(ui.ctx());
    let (number, of) = (step as usize + 1, Step::Ready as usize + 1);
    ui.horizontal(|ui| {
        for dot in 1..=of {
            let (rect, _) = ui.allocate_exact_size(egui::vec2(28.0, 4.0), egui::Sense::hover());
            let colour = if dot <= number { palette.accent } else { palette.raised };
            ui.painter().rect_filled(rect, 2.0, colour);
        }
        ui.label(RichText::new(format!("Step {number} of {of}")).size(text::SMALL).color(palette.weak));
    });
}
