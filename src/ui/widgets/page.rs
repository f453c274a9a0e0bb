//! Parts that all screens without a picture share: a scrolling column in the middle, cards, fields, remarks.

use egui::{
    Align, Color32, Frame, Layout, Margin, Response, RichText, ScrollArea, Sense, Stroke, TextEdit, Ui, UiBuilder, Vec2,
};

use super::buttons::{IconButton, Tone, icon_ui};
use crate::ui::icons;
use crate::ui::theme::{self, space, text};

/// A column in the middle of the window that scrolls when it is too long.
pub fn column_ui<R>(ui: &mut Ui, width: f32, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let scroll = ScrollArea::vertical().auto_shrink([false, false]);
    scroll
        .show(ui, |ui| {
            let width = width.min(ui.available_width() - space(8));
            let side = (ui.available_width() - width) / 2.0;
            let top = ui.cursor().top();
            let area = egui::Rect::from_min_size(
                egui::pos2(ui.cursor().left() + side, top + space(6)),
                Vec2::new(width, f32::INFINITY),
            );
            let layout = Layout::top_down(Align::Min);
            let inner = ui.scope_builder(UiBuilder::new().max_rect(area).layout(layout), contents);
            ui.add_space(space(6));
            inner.inner
        })
        .inner
}

/// A card: a ground of its own with room around its contents.
pub fn card_ui<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = theme::palette(ui.ctx());
    let frame = Frame::new().fill(palette.surface).stroke(Stroke::new(1.0, palette.line)).corner_radius(theme::RADIUS);
    frame
        .inner_margin(Margin::same(16))
        .show(ui, |ui| {
            ui.take_available_width();
            contents(ui)
        })
        .inner
}

/// The line at the top of a screen that was opened from another: back, and its title. True: back.
pub fn header_ui(ui: &mut Ui, title: &str) -> bool {
    let back = ui.horizontal(|ui| {
        let back = ui.add(IconButton::new(icons::BACK, "Back", Tone::Quiet)).clicked();
        ui.label(RichText::new(title).font(theme::strong(text::TITLE)));
        back
    });
    back.inner
}

/// The name of a part of a screen.
pub fn heading_ui(ui: &mut Ui, words: &str) -> Response {
    ui.label(RichText::new(words).font(theme::strong(text::HEADING)))
}

/// A remark in weaker text.
pub fn remark_ui(ui: &mut Ui, words: &str) -> Response {
    let palette = theme::palette(ui.ctx());
    ui.label(RichText::new(words).size(text::SMALL).color(palette.weak))
}

/// Something that went wrong, or that wants attention: icon and words, so that the colour alone says nothing.
pub fn alert_ui(ui: &mut Ui, words: &str, grave: bool) {
    let palette = theme::palette(ui.ctx());
    let colour = if grave { palette.danger } else { palette.warning };
    icon_line_ui(ui, icons::WARNING, colour, RichText::new(sentence(words)).size(text::BODY).color(colour));
}

/// An icon with words beside it, which may take several lines.
pub fn icon_line_ui(ui: &mut Ui, icon: char, colour: Color32, words: RichText) {
    ui.horizontal_top(|ui| {
        icon_ui(ui, icon, 20.0, colour);
        ui.vertical(|ui| ui.label(words));
    });
}

/// A field of one line with its name above it. `focus`: takes the keyboard now.
pub fn field_ui(ui: &mut Ui, name: &str, value: &mut String, hint: &str, focus: bool) -> Response {
    let label = ui.label(RichText::new(name).size(text::SMALL).color(theme::palette(ui.ctx()).weak));
    let response = line_ui(ui, value, hint, f32::INFINITY).labelled_by(label.id);
    if focus {
        response.request_focus();
    }
    response
}

/// As [`field_ui`], for what nobody is to read over the shoulder.
pub fn secret_field_ui(ui: &mut Ui, name: &str, value: &mut String, focus: bool) -> Response {
    let palette = theme::palette(ui.ctx());
    let label = ui.label(RichText::new(name).size(text::SMALL).color(palette.weak));
    let edit = TextEdit::singleline(value).password(true).char_limit(512).margin(Margin::symmetric(12, 10));
    let response = ui.add(edit.desired_width(f32::INFINITY)).labelled_by(label.id);
    if focus {
        response.request_focus();
    }
    response
}

/// A field of one line; the caller names it.
pub fn line_ui(ui: &mut Ui, value: &mut String, hint: &str, width: f32) -> Response {
    let palette = theme::palette(ui.ctx());
    let edit = TextEdit::singleline(value)
        .hint_text(RichText::new(hint).color(palette.weak))
        .char_limit(512)
        .align(egui::Align2::LEFT_CENTER)
        .margin(Margin::symmetric(12, 10))
        .desired_width(width);
    ui.add(edit)
}

/// Text that is to be copied, with a button that does it. True: it was copied.
pub fn copyable_ui(ui: &mut Ui, value: &str, what: &str) -> bool {
    let palette = theme::palette(ui.ctx());
    let frame = Frame::new().fill(palette.raised).corner_radius(theme::BUTTON_RADIUS);
    frame
        .inner_margin(Margin { left: 16, right: 4, top: 4, bottom: 4 })
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let name = format!("Copy {what}");
                    let copied = ui.add(IconButton::new(icons::COPY, &name, Tone::Quiet).diameter(36.0)).clicked();
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        ui.take_available_width();
                        ui.add(egui::Label::new(RichText::new(value).font(theme::strong(text::BODY))).truncate());
                    });
                    if copied {
                        ui.ctx().copy_text(value.to_owned());
                    }
                    copied
                })
                .inner
            })
            .inner
        })
        .inner
}

/// A thin line between two parts.
pub fn line_between_ui(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 1.0), Sense::hover());
    ui.painter().hline(rect.x_range(), rect.center().y, Stroke::new(1.0, theme::palette(ui.ctx()).line));
}

/// An error's words as a sentence of their own.
#[must_use]
pub fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest = characters.as_str();
    let stop = if rest.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{stop}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_sentences() {
        assert_eq!(sentence("the server does not answer"), "The server does not answer.");
        assert_eq!(sentence("Gone!"), "Gone!");
    }
}
