//! The look of the window: colours (here and nowhere else), the four-point grid, sizes of text, fonts.

use std::sync::Arc;

use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke, Style,
    TextStyle, Theme, ThemePreference, Vec2, Visuals,
};

use crate::engine::handle::Appearance;

/// The grid: every distance is a multiple of it.
pub const UNIT: f32 = 4.0;
/// Corners of cards, fields and panels.
pub const RADIUS: u8 = 12;
/// Corners of buttons with text.
pub const BUTTON_RADIUS: u8 = 10;
/// Widest column of text and controls.
pub const COLUMN: f32 = 640.0;
/// Height of buttons with text, and of fields.
pub const CONTROL_HEIGHT: f32 = 40.0;

/// Sizes of text in points.
pub mod text {
    /// A name that fills a screen.
    pub const DISPLAY: f32 = 32.0;
    /// Title of a screen.
    pub const TITLE: f32 = 24.0;
    /// Title of a part.
    pub const HEADING: f32 = 18.0;
    /// Everything else.
    pub const BODY: f32 = 15.0;
    /// Remarks.
    pub const SMALL: f32 = 13.0;
}

/// `steps` of the grid.
#[must_use]
pub const fn space(steps: u8) -> f32 {
    UNIT * steps as f32
}

/// The colours of one theme.
#[derive(Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub window: Color32,
    /// Cards, menus and panels.
    pub surface: Color32,
    /// Buttons and fields at rest.
    pub raised: Color32,
    /// Buttons under the pointer.
    pub hover: Color32,
    /// Lines.
    pub line: Color32,
    /// Text.
    pub text: Color32,
    /// Text of less weight.
    pub weak: Color32,
    /// The main action, links, selection.
    pub accent: Color32,
    /// The main action under the pointer.
    pub accent_hover: Color32,
    /// Text and icons on [`Palette::accent`].
    pub on_accent: Color32,
    /// Accepting, being there.
    pub go: Color32,
    /// Accepting, under the pointer.
    pub go_hover: Color32,
    /// Declining, hanging up, removing.
    pub stop: Color32,
    /// Declining, under the pointer.
    pub stop_hover: Color32,
    /// Text and icons on [`Palette::go`] and [`Palette::stop`].
    pub on_strong: Color32,
    /// Text of errors.
    pub danger: Color32,
    /// Text of warnings.
    pub warning: Color32,
    /// A sign that somebody is there.
    pub present: Color32,
    /// Ring around what has the keyboard.
    pub focus: Color32,
}

const fn rgb(red: u8, green: u8, blue: u8) -> Color32 {
    Color32::from_rgb(red, green, blue)
}

/// Dark colours.
pub static DARK: Palette = Palette {
    window: rgb(0x12, 0x14, 0x18),
    surface: rgb(0x1b, 0x1e, 0x24),
    raised: rgb(0x27, 0x2b, 0x33),
    hover: rgb(0x33, 0x38, 0x42),
    line: rgb(0x2d, 0x32, 0x3b),
    text: rgb(0xf1, 0xf3, 0xf6),
    weak: rgb(0xa6, 0xae, 0xbb),
    accent: rgb(0x3b, 0x6f, 0xe0),
    accent_hover: rgb(0x4c, 0x7d, 0xe8),
    on_accent: Color32::WHITE,
    go: rgb(0x1a, 0x86, 0x49),
    go_hover: rgb(0x20, 0x98, 0x55),
    stop: rgb(0xd3, 0x35, 0x3a),
    stop_hover: rgb(0xe2, 0x47, 0x4b),
    on_strong: Color32::WHITE,
    danger: rgb(0xff, 0x8b, 0x87),
    warning: rgb(0xf2, 0xbd, 0x57),
    present: rgb(0x3c, 0xcf, 0x7d),
    focus: rgb(0x8f, 0xb4, 0xff),
};

/// Light colours.
pub static LIGHT: Palette = Palette {
    window: rgb(0xf6, 0xf7, 0xf9),
    surface: Color32::WHITE,
    raised: rgb(0xea, 0xed, 0xf1),
    hover: rgb(0xdd, 0xe2, 0xe9),
    line: rgb(0xdf, 0xe3, 0xe9),
    text: rgb(0x16, 0x19, 0x1f),
    weak: rgb(0x57, 0x60, 0x6e),
    accent: rgb(0x2b, 0x5f, 0xd9),
    accent_hover: rgb(0x20, 0x52, 0xc6),
    on_accent: Color32::WHITE,
    go: rgb(0x15, 0x7c, 0x41),
    go_hover: rgb(0x10, 0x6c, 0x38),
    stop: rgb(0xcc, 0x2b, 0x30),
    stop_hover: rgb(0xb4, 0x22, 0x27),
    on_strong: Color32::WHITE,
    danger: rgb(0xb4, 0x22, 0x27),
    warning: rgb(0x85, 0x56, 0x00),
    present: rgb(0x15, 0x7c, 0x41),
    focus: rgb(0x2b, 0x5f, 0xd9),
};

/// Colours over a picture: the same in both themes, since the picture does not change with them.
pub mod glass {
    use egui::Color32;

    /// Behind the picture, and where there is none.
    pub const CANVAS: Color32 = Color32::from_rgb(0x0c, 0x0d, 0x10);
    /// Bars and labels.
    pub const PANE: Color32 = Color32::from_rgba_premultiplied(0x0e, 0x10, 0x13, 0xd8);
    /// Buttons on a bar.
    pub const BUTTON: Color32 = Color32::from_rgb(0x35, 0x39, 0x41);
    /// Buttons on a bar, under the pointer.
    pub const BUTTON_HOVER: Color32 = Color32::from_rgb(0x49, 0x4e, 0x58);
    /// A switch that is off: light, so that it stands out.
    pub const OFF: Color32 = Color32::from_rgb(0xf1, 0xf3, 0xf6);
    /// Icon of a switch that is off.
    pub const ON_OFF: Color32 = Color32::from_rgb(0x16, 0x19, 0x1f);
    /// Text.
    pub const TEXT: Color32 = Color32::WHITE;
    /// Text of less weight.
    pub const WEAK: Color32 = Color32::from_rgb(0xc6, 0xcc, 0xd5);
    /// Over the last picture while the connection is gone.
    pub const DIM: Color32 = Color32::from_rgba_premultiplied(0, 0, 0, 0x99);
    /// The warm colour of a warning.
    pub const WARNING: Color32 = Color32::from_rgb(0xf2, 0xbd, 0x57);
    /// A device is open.
    pub const LIVE: Color32 = Color32::from_rgb(0x3c, 0xcf, 0x7d);
    /// Edge of the self-view.
    pub const EDGE: Color32 = Color32::from_rgba_premultiplied(0x30, 0x30, 0x30, 0x30);
    /// Ring around what has the keyboard.
    pub const FOCUS: Color32 = Color32::from_rgb(0x8f, 0xb4, 0xff);
    /// Circles around whom is called.
    pub const RIPPLE: Color32 = Color32::from_rgba_premultiplied(0x24, 0x27, 0x2d, 0x24);
}

/// Initials.
pub const ON_AVATAR: Color32 = Color32::WHITE;

/// Behind initials, chosen by the name; white text is readable on each.
static AVATARS: [Color32; 8] = [
    rgb(0x3f, 0x62, 0xb5),
    rgb(0x7a, 0x4f, 0xb0),
    rgb(0xa8, 0x43, 0x7a),
    rgb(0xb0, 0x50, 0x3c),
    rgb(0x8a, 0x66, 0x1c),
    rgb(0x3f, 0x7a, 0x45),
    rgb(0x1f, 0x7a, 0x80),
    rgb(0x5b, 0x67, 0x7a),
];

/// The colour behind somebody's initials; always the same for the same handle.
#[must_use]
pub fn avatar(handle: &str) -> Color32 {
    let sum = handle.bytes().fold(17_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    AVATARS[sum % AVATARS.len()]
}

/// The colours that hold now.
#[must_use]
pub fn palette(ctx: &Context) -> &'static Palette {
    match ctx.theme() {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

/// The colours that a person chose, as egui calls them.
#[must_use]
pub const fn preference(appearance: Appearance) -> ThemePreference {
    match appearance {
        Appearance::System => ThemePreference::System,
        Appearance::Light => ThemePreference::Light,
        Appearance::Dark => ThemePreference::Dark,
    }
}

/// Text of a size in the plain weight.
#[must_use]
pub const fn plain(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Text of a size in the strong weight.
#[must_use]
pub fn strong(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(STRONG.into()))
}

/// Icons of a size.
#[must_use]
pub fn icon(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(ICONS.into()))
}

const STRONG: &str = "strong";
const ICONS: &str = "icons";

/// Gives a context this look.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    ctx.set_style_of(Theme::Dark, style(&DARK, Visuals::dark()));
    ctx.set_style_of(Theme::Light, style(&LIGHT, Visuals::light()));
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let mut add = |name: &str, data: FontData| {
        fonts.font_data.insert(name.to_owned(), Arc::new(data));
    };
    add("inter", FontData::from_static(include_bytes!("../../assets/fonts/Inter-Regular.ttf")));
    add("inter-strong", FontData::from_static(include_bytes!("../../assets/fonts/Inter-SemiBold.ttf")));
    add("phosphor", FontData::from_static(include_bytes!("../../assets/fonts/Phosphor.ttf")));
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let with = |first: &[&str]| first.iter().map(|name| (*name).to_owned()).chain(fallback.clone()).collect::<Vec<_>>();
    fonts.families.insert(FontFamily::Monospace, with(&["inter", "phosphor"]));
    fonts.families.insert(FontFamily::Proportional, with(&["inter", "phosphor"]));
    fonts.families.insert(FontFamily::Name(STRONG.into()), with(&["inter-strong", "phosphor"]));
    fonts.families.insert(FontFamily::Name(ICONS.into()), with(&["phosphor"]));
    fonts
}

fn style(palette: &Palette, base: Visuals) -> Style {
    let mut style = Style { visuals: visuals(palette, base), ..Style::default() };
    style.text_styles = [
        (TextStyle::Heading, strong(text::TITLE)),
        (TextStyle::Body, plain(text::BODY)),
        (TextStyle::Button, plain(text::BODY)),
        (TextStyle::Small, plain(text::SMALL)),
        (TextStyle::Monospace, plain(text::BODY)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(space(2));
    spacing.button_padding = Vec2::new(space(4), space(2));
    spacing.interact_size = Vec2::new(CONTROL_HEIGHT, CONTROL_HEIGHT);
    spacing.menu_margin = Margin::same(8);
    spacing.window_margin = Margin::same(24);
    spacing.icon_width = 20.0;
    spacing.icon_width_inner = 10.0;
    spacing.combo_width = 280.0;
    spacing.tooltip_width = 320.0;
    // A quiet handle: the ground of a button instead of its ink.
    spacing.scroll.foreground_color = false;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.12;
    style
}

fn visuals(palette: &Palette, base: Visuals) -> Visuals {
    let mut visuals = base;
    visuals.panel_fill = palette.window;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.window_corner_radius = CornerRadius::same(RADIUS + 4);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS);
    let shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: Color32::from_black_alpha(64) };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.extreme_bg_color = palette.raised;
    visuals.text_edit_bg_color = Some(palette.raised);
    visuals.faint_bg_color = palette.surface;
    visuals.weak_text_color = Some(palette.weak);
    visuals.hyperlink_color = palette.accent;
    visuals.error_fg_color = palette.danger;
    visuals.warn_fg_color = palette.warning;
    visuals.selection.bg_fill = palette.accent.gamma_multiply(0.5);
    // Also the ring around a field that has the keyboard.
    visuals.selection.stroke = Stroke::new(2.0, palette.focus);
    visuals.text_cursor.stroke = Stroke::new(2.0, palette.accent);
    // A blinking cursor repaints the whole window twice a second for as long as a field has the keyboard.
    visuals.text_cursor.blink = false;
    visuals.disabled_alpha = 0.5;
    let radius = CornerRadius::same(BUTTON_RADIUS);
    let widgets = &mut visuals.widgets;
    for (widget, fill) in [
        (&mut widgets.noninteractive, palette.surface),
        (&mut widgets.inactive, palette.raised),
        (&mut widgets.hovered, palette.hover),
        (&mut widgets.active, palette.hover),
        (&mut widgets.open, palette.hover),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::NONE;
        widget.fg_stroke = Stroke::new(1.0, palette.text);
        widget.corner_radius = radius;
        widget.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, palette.line);
    // The keyboard's place is always visible: egui paints what has the focus as active.
    widgets.active.bg_stroke = Stroke::new(2.0, palette.focus);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast by WCAG 2.2, 1 to 21.
    fn contrast(one: Color32, other: Color32) -> f32 {
        let luminance = |colour: Color32| {
            let linear = |value: u8| {
                let value = f32::from(value) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_is_readable_on_everything_it_stands_on() {
        for palette in [&DARK, &LIGHT] {
            for ground in [palette.window, palette.surface, palette.raised] {
                for ink in [palette.text, palette.weak, palette.danger, palette.warning] {
                    assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
                }
                assert!(contrast(palette.focus, ground) >= 3.0, "the focus ring on {ground:?}");
                assert!(contrast(palette.present, ground) >= 3.0, "presence on {ground:?}");
            }
            for (ink, ground) in [
                (palette.on_accent, palette.accent),
                (palette.on_strong, palette.go),
                (palette.on_strong, palette.stop),
            ] {
                assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
            }
        }
        for ground in AVATARS {
            assert!(contrast(ON_AVATAR, ground) >= 4.5, "{ground:?}: {}", contrast(ON_AVATAR, ground));
        }
        for (ink, ground) in [
            (glass::TEXT, glass::BUTTON),
            (glass::TEXT, glass::BUTTON_HOVER),
            (glass::ON_OFF, glass::OFF),
            (glass::WEAK, glass::CANVAS),
        ] {
            assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
        }
    }

    #[test]
    fn a_person_keeps_their_colour() {
        assert_eq!(avatar("alice@example.org"), avatar("alice@example.org"));
        let people = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let distinct: std::collections::HashSet<_> = people.map(avatar).into_iter().collect();
        assert!(distinct.len() > 4, "the colours do not spread");
    }
}
