//! The first run in a few steps: who you are and where (or which account you have already), a look at camera and sound, the
//! recovery kit, the handle to give away.

use egui::{RichText, Ui};
use zeroize::Zeroize;

use super::devices::devices_ui;
use super::kit::{kit_field_ui, kit_ui};
use super::linking::waiting_ui;
use super::server_account::code_ui;
use crate::engine::handle::{AccountCommand, LinkView, Secret, ServerStatus, Snapshot};
use crate::render::VideoView;
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, card_ui, column_ui, copyable_ui, field_ui, icon_line_ui, remark_ui};

/// Width of this screen's column.
const WIDTH: f32 = 480.0;

/// The steps, and what is typed.
#[derive(Default)]
pub struct Welcome {
    step: Step,
    name: String,
    server: String,
    /// The notice that was the newest when the form was sent; a newer one is the answer to it.
    sent: Option<u64>,
    way: Way,
    kit: String,
    code: String,
}

/// How somebody comes to an account here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// A new one.
    #[default]
    New,
    /// One that exists, by its recovery kit.
    Kit,
    /// One that exists, by another device.
    Link,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Name,
    Devices,
    Kit,
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
                Step::Name if snapshot.account.wants_code => (self.second_factor_ui(ui, snapshot), false),
                Step::Name => match self.way {
                    Way::New => (self.name_ui(ui, snapshot), false),
                    Way::Kit => (self.import_ui(ui, snapshot), false),
                    Way::Link => (self.link_ui(ui, snapshot), false),
                },
                Step::Devices => (self.devices_ui(ui, snapshot, local), false),
                Step::Kit => (self.kit_ui(ui, snapshot), false),
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
                self.sent = Some(newest(snapshot));
                let (name, server) = (self.name.trim().to_lowercase(), self.server.trim().to_owned());
                done = Some(Action::CreateProfile { name, server });
            }
        });
        ui.add_space(space(2));
        remark_ui(ui, "You have an account already?");
        ui.horizontal_wrapped(|ui| {
            for (words, way) in [("Link to another device", Way::Link), ("Use a recovery kit", Way::Kit)] {
                if ui.add(TextButton::new(words, Tone::Plain)).clicked() {
                    (self.way, self.sent) = (way, None);
                }
            }
        });
        done
    }

    /// An account comes by its kit.
    fn import_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        ui.label(RichText::new("Use a recovery kit").font(theme::strong(text::DISPLAY)));
        ui.add_space(space(4));
        let mut done = None;
        card_ui(ui, |ui| {
            kit_field_ui(ui, "The whole kit, as it was printed", &mut self.kit);
            remark_ui(ui, "Its secret is used once and not kept on this computer.");
            let waiting = self.answer_ui(ui, snapshot);
            let ready = !self.kit.trim().is_empty() && !waiting;
            let words = if waiting { "Asking the server…" } else { "Bring my account here" };
            if ui.add_enabled(ready, TextButton::new(words, Tone::Main)).clicked() {
                self.sent = Some(newest(snapshot));
                done = Some(Action::ImportKit(Secret::new(self.kit.clone())));
            }
        });
        done.or(self.back_ui(ui))
    }

    /// The server adds this device to the account for a code only.
    fn second_factor_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        ui.label(RichText::new("Second factor").font(theme::strong(text::DISPLAY)));
        ui.add_space(space(4));
        let mut done = None;
        card_ui(ui, |ui| {
            remark_ui(ui, "Your account has a second factor: one of its codes adds this device.");
            ui.add_space(space(1));
            self.answer_ui(ui, snapshot);
            if let Some(code) = code_ui(ui, "Add this device", &mut self.code) {
                self.sent = Some(newest(snapshot));
                done = Some(Action::Account(AccountCommand::Register { code }));
            }
        });
        done
    }

    /// Another device takes this one in.
    fn link_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        ui.label(RichText::new("Link to another device").font(theme::strong(text::DISPLAY)));
        ui.add_space(space(4));
        let mut done = None;
        card_ui(ui, |ui| {
            if let LinkView::Waiting { code, number } = &snapshot.own.link {
                done = waiting_ui(ui, code, number);
                return;
            }
            field_ui(ui, "Server address", &mut self.server, "host:port/key", false);
            remark_ui(ui, "The server where your account is.");
            let waiting = self.answer_ui(ui, snapshot);
            let ready = !self.server.trim().is_empty() && !waiting;
            if ui.add_enabled(ready, TextButton::new("Show the code", Tone::Main)).clicked() {
                self.sent = Some(newest(snapshot));
                done = Some(Action::StartLink(self.server.trim().to_owned()));
            }
        });
        done.or(self.back_ui(ui))
    }

    /// What came back, if it was not good; whether it is still waited for.
    fn answer_ui(&self, ui: &mut Ui, snapshot: &Snapshot) -> bool {
        let trouble = self.trouble(snapshot);
        if let Some(why) = &trouble {
            ui.add_space(space(1));
            alert_ui(ui, why, true);
        }
        ui.add_space(space(2));
        self.sent.is_some() && trouble.is_none()
    }

    fn back_ui(&mut self, ui: &mut Ui) -> Option<Action> {
        ui.add_space(space(2));
        let back = ui.add(TextButton::new("Make a new account instead", Tone::Quiet)).clicked();
        back.then(|| {
            (self.way, self.sent) = (Way::New, None);
            self.kit.zeroize();
            Action::CancelLink
        })
    }

    fn kit_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        ui.label(RichText::new("Recovery kit").font(theme::strong(text::DISPLAY)));
        let words = "Nobody can reset your account for you. The kit can.";
        ui.label(RichText::new(words).color(palette.weak));
        ui.add_space(space(4));
        let mut done = None;
        card_ui(ui, |ui| done = kit_ui(ui, &snapshot.own));
        ui.add_space(space(2));
        if snapshot.own.kit.is_none() {
            let words = if snapshot.own.has_root { "Later" } else { "Continue" };
            if ui.add(TextButton::new(words, Tone::Plain)).clicked() {
                self.step = Step::Ready;
            }
        }
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
            self.step = if snapshot.own.has_root { Step::Kit } else { Step::Ready };
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

impl Drop for Welcome {
    fn drop(&mut self) {
        self.kit.zeroize();
        self.code.zeroize();
    }
}

fn newest(snapshot: &Snapshot) -> u64 {
    snapshot.notice.as_ref().map_or(0, |(number, _)| *number)
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
            (icons::LOCK, "Your keys were made on this computer. Settings show your devices and your recovery kit."),
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
