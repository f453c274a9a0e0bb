//! Short messages that go away by themselves: what a shortcut did, what went wrong outside a call.

use std::time::Duration;

use egui::{Align2, Area, Frame, Id, Margin, Order, RichText, Stroke, Ui, vec2};

use super::buttons::icon_ui;
use super::page::sentence;
use crate::ui::icons;
use crate::ui::theme::{self, glass, space, text};

/// How long a message stays, in seconds; one with an icon of warning twice as long.
const STAY_S: f64 = 2.5;

/// The message that is shown, the newest replacing the one before.
#[derive(Debug, Default)]
pub struct Toast {
    shown: Option<(char, String, f64)>,
}

impl Toast {
    /// Shows `words` from `now_s` (egui's clock) on.
    pub fn say(&mut self, icon: char, words: impl Into<String>, now_s: f64) {
        self.shown = Some((icon, words.into(), now_s + STAY_S));
    }

    /// Shows what an error says, which takes longer to read.
    pub fn warn(&mut self, words: &str, now_s: f64) {
        self.shown = Some((icons::WARNING, sentence(words), now_s + 3.0 * STAY_S));
    }

    /// Draws the message, if there is one whose time is not over.
    pub fn toast_ui(&mut self, ui: &Ui) {
        let now_s = ui.input(|input| input.time);
        let Some((icon, words, until_s)) = &self.shown else { return };
        if now_s >= *until_s {
            self.shown = None;
            return;
        }
        ui.ctx().request_repaint_after(Duration::from_secs_f64(until_s - now_s));
        Area::new(Id::unique("toast"))
            .order(Order::Tooltip)
            .anchor(Align2::CENTER_TOP, vec2(0.0, space(6)))
            .interactable(false)
            .accessible_name(words.clone())
            .show(ui.ctx(), |ui| {
                // Opaque: it lies over text.
                let frame = Frame::new().fill(glass::CANVAS).stroke(Stroke::new(1.0, glass::BUTTON));
                let frame = frame.corner_radius(theme::RADIUS);
                frame.inner_margin(Margin::symmetric(16, 10)).show(ui, |ui| {
                    ui.set_max_width((ui.ctx().content_rect().width() - space(24)).min(theme::COLUMN));
                    ui.horizontal(|ui| {
                        icon_ui(ui, *icon, 18.0, glass::TEXT);
                        ui.label(RichText::new(words).size(text::BODY).color(glass::TEXT));
                    });
                });
            });
    }
}
