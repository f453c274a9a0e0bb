//! Buttons: round ones with an icon, wide ones with words. Every one has a name for screen readers, a tooltip where the
//! words are missing, and a visible ring when it has the keyboard.

use egui::{
    Align2, Color32, CornerRadius, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, TextStyle, TextWrapMode,
    Ui, Vec2, Widget, WidgetInfo, WidgetText,
};

use crate::ui::icons;
use crate::ui::theme::{self, glass, space, text};

/// What a button is for, which decides its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// One of several things to do.
    Plain,
    /// Without a ground of its own until the pointer is over it.
    Quiet,
    /// The main action.
    Main,
    /// Accepting, calling.
    Go,
    /// Declining, hanging up, removing.
    Stop,
    /// Over a picture.
    Glass,
    /// Over a picture, as text without a ground of its own.
    GlassQuiet,
    /// A switch over a picture that is off.
    GlassOff,
}

/// Ground, ground under the pointer, ink, ring.
struct Colours {
    rest: Color32,
    hover: Color32,
    ink: Color32,
    ring: Color32,
}

impl Tone {
    fn colours(self, ui: &Ui) -> Colours {
        let palette = theme::palette(ui.ctx());
        let (rest, hover, ink) = match self {
            Self::Plain => (palette.raised, palette.hover, palette.text),
            Self::Quiet => (Color32::TRANSPARENT, palette.raised, palette.text),
            Self::Main => (palette.accent, palette.accent_hover, palette.on_accent),
            Self::Go => (palette.go, palette.go_hover, palette.on_strong),
            Self::Stop => (palette.stop, palette.stop_hover, palette.on_strong),
            Self::Glass => (glass::BUTTON, glass::BUTTON_HOVER, glass::TEXT),
            Self::GlassQuiet => (Color32::TRANSPARENT, glass::BUTTON, glass::TEXT),
            Self::GlassOff => (glass::OFF, glass::WEAK, glass::ON_OFF),
        };
        let over_picture = matches!(self, Self::Glass | Self::GlassQuiet | Self::GlassOff);
        Colours { rest, hover, ink, ring: if over_picture { glass::FOCUS } else { palette.focus } }
    }
}

/// A round button with an icon.
pub struct IconButton<'a> {
    icon: char,
    name: &'a str,
    tone: Tone,
    diameter: f32,
    pressed: Option<bool>,
    hint: Option<&'a str>,
}

impl<'a> IconButton<'a> {
    /// `name` says what happens on a click.
    #[must_use]
    pub const fn new(icon: char, name: &'a str, tone: Tone) -> Self {
        Self { icon, name, tone, diameter: 40.0, pressed: None, hint: None }
    }

    /// Across, in points.
    #[must_use]
    pub const fn diameter(mut self, diameter: f32) -> Self {
        self.diameter = diameter;
        self
    }

    /// It is a switch, and is pressed or not.
    #[must_use]
    pub const fn pressed(mut self, pressed: bool) -> Self {
        self.pressed = Some(pressed);
        self
    }

    /// More words for the tooltip, such as the shortcut.
    #[must_use]
    pub const fn hint(mut self, hint: &'a str) -> Self {
        self.hint = Some(hint);
        self
    }
}

impl Widget for IconButton<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(self.diameter), Sense::click());
        let enabled = ui.is_enabled();
        response.widget_info(|| match self.pressed {
            Some(pressed) => WidgetInfo::selected(Role::Button, enabled, pressed, self.name),
            None => WidgetInfo::labeled(Role::Button, enabled, self.name),
        });
        let colours = self.tone.colours(ui);
        let (centre, radius) = (rect.center(), self.diameter / 2.0);
        let painter = ui.painter();
        let ground = if response.hovered() { colours.hover } else { colours.rest };
        painter.circle_filled(centre, radius, ground);
        if response.has_focus() {
            painter.circle_stroke(centre, radius + 2.0, Stroke::new(2.0, colours.ring));
        }
        icon_at(ui, centre, self.icon, self.diameter * 0.5, colours.ink);
        match self.hint {
            Some(hint) => response.on_hover_text(format!("{} ({hint})", self.name)),
            None => response.on_hover_text(self.name),
        }
    }
}

/// A button with words, and perhaps an icon before them.
pub struct TextButton<'a> {
    icon: Option<char>,
    words: &'a str,
    tone: Tone,
    width: Option<f32>,
    name: Option<&'a str>,
    pressed: Option<bool>,
}

impl<'a> TextButton<'a> {
    /// `words` stand on it and are its name.
    #[must_use]
    pub const fn new(words: &'a str, tone: Tone) -> Self {
        Self { icon: None, words, tone, width: None, name: None, pressed: None }
    }

    /// An icon before the words.
    #[must_use]
    pub const fn icon(mut self, icon: char) -> Self {
        self.icon = Some(icon);
        self
    }

    /// A fixed width in points.
    #[must_use]
    pub const fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// It is one of several, and is the chosen one or not.
    #[must_use]
    pub const fn pressed(mut self, pressed: bool) -> Self {
        self.pressed = Some(pressed);
        self
    }

    /// Another name for screen readers, where the words need their surroundings to be understood.
    #[must_use]
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }
}

impl Widget for TextButton<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let colours = self.tone.colours(ui);
        let galley = ui.painter().layout_no_wrap(self.words.to_owned(), theme::strong(text::BODY), colours.ink);
        let icon_width = if self.icon.is_some() { 18.0 + space(2) } else { 0.0 };
        let content = galley.size().x + icon_width;
        let width = self.width.unwrap_or(content + space(8));
        let (rect, response) = ui.allocate_exact_size(Vec2::new(width, theme::CONTROL_HEIGHT), Sense::click());
        let enabled = ui.is_enabled();
        let name = self.name.unwrap_or(self.words);
        response.widget_info(|| match self.pressed {
            Some(pressed) => WidgetInfo::selected(Role::RadioButton, enabled, pressed, name),
            None => WidgetInfo::labeled(Role::Button, enabled, name),
        });
        let ground = if response.hovered() { colours.hover } else { colours.rest };
        let radius = CornerRadius::same(theme::BUTTON_RADIUS);
        let painter = ui.painter();
        painter.rect_filled(rect, radius, ground);
        if response.has_focus() {
            painter.rect_stroke(rect.expand(1.0), radius, Stroke::new(2.0, colours.ring), StrokeKind::Outside);
        }
        let mut left = rect.center().x - content / 2.0;
        if let Some(icon) = self.icon {
            icon_at(ui, egui::pos2(left + 9.0, rect.center().y), icon, 18.0, colours.ink);
            left += icon_width;
        }
        let top = rect.center().y - galley.size().y / 2.0;
        ui.painter().galley(egui::pos2(left, top), galley, colours.ink);
        response
    }
}

/// A line of a menu, with an icon and perhaps the keys that do the same. True: it was chosen, and the menu closes.
pub fn menu_item_ui(ui: &mut Ui, icon: char, words: &str, keys: Option<&str>) -> bool {
    let palette = theme::palette(ui.ctx());
    let response = menu_line_ui(ui, Some(icon), words);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, words));
    if let Some(keys) = keys {
        let right = response.rect.right_center() - egui::vec2(space(3), 0.0);
        ui.painter().text(right, Align2::RIGHT_CENTER, keys, theme::plain(text::SMALL), palette.weak);
    }
    closes(ui, &response)
}

/// A line of a menu that is one of several, marked if it is the chosen one; `name` is what a screen reader says. True: it
/// was chosen, and the menu closes.
pub fn menu_choice_ui(ui: &mut Ui, words: &str, name: &str, chosen: bool) -> bool {
    let response = menu_line_ui(ui, chosen.then_some(icons::CHOSEN), words);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, name));
    closes(ui, &response)
}

/// A line of a menu without a name yet. Words that do not fit are cut off and stand in the tooltip.
fn menu_line_ui(ui: &mut Ui, icon: Option<char>, words: &str) -> Response {
    let palette = theme::palette(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 36.0), Sense::click());
    let radius = CornerRadius::same(theme::BUTTON_RADIUS - 2);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, radius, palette.hover);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect, radius, Stroke::new(2.0, palette.focus), StrokeKind::Inside);
    }
    if let Some(icon) = icon {
        icon_at(ui, rect.left_center() + egui::vec2(space(5), 0.0), icon, 18.0, palette.text);
    }
    let place = Rect::from_x_y_ranges(rect.left() + space(10)..=rect.right() - space(3), rect.y_range());
    let shown = WidgetText::from(RichText::new(words).font(theme::plain(text::BODY)));
    let galley = shown.into_galley(ui, Some(TextWrapMode::Truncate), place.width(), TextStyle::Body);
    let cut_off = galley.elided;
    ui.painter().galley(Align2::LEFT_CENTER.align_size_within_rect(galley.size(), place).min, galley, palette.text);
    if cut_off { response.on_hover_text(words) } else { response }
}

fn closes(ui: &Ui, line: &Response) -> bool {
    if line.clicked() {
        ui.close();
    }
    line.clicked()
}

/// Paints an icon with its middle at `centre`.
pub fn icon_at(ui: &Ui, centre: egui::Pos2, icon: char, size: f32, colour: Color32) {
    let galley = ui.painter().layout_no_wrap(icon.to_string(), theme::icon(size), colour);
    // The row is as high as the font says; what is drawn is the square of the icon.
    let drawn = galley.mesh_bounds;
    let offset = if drawn.is_positive() { drawn.center().to_vec2() } else { galley.size() / 2.0 };
    ui.painter().galley(centre - offset, galley, colour);
}

/// A small icon in the flow of a row, without a name: the words beside it say the same.
pub fn icon_ui(ui: &mut Ui, icon: char, size: f32, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(size), Sense::hover());
    icon_at(ui, rect.center(), icon, size, colour);
}
