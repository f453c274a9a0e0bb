//! Keys that do something wherever the keyboard is, and their list.

use egui::gui_zoom::kb_shortcuts;
use egui::{Id, InputState, Key, KeyboardShortcut, Modal, Modifiers, RichText, Ui};

use super::action::Action;
use super::push_to_talk;
use super::theme::{self, space, text};
use super::widgets::buttons::{TextButton, Tone};
use crate::engine::handle::{CallView, Zoom};

/// A combination of keys and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Shortcut {
    /// The keys as people write them.
    pub words: &'static str,
    /// What they do.
    pub does: &'static str,
    keys: KeyboardShortcut,
}

const fn shortcut(words: &'static str, does: &'static str, modifiers: Modifiers, key: Key) -> Shortcut {
    Shortcut { words, does, keys: KeyboardShortcut::new(modifiers, key) }
}

const CTRL_SHIFT: Modifiers = Modifiers { ctrl: true, shift: true, ..Modifiers::NONE };

/// Microphone on or off.
pub const MICROPHONE: Shortcut = shortcut("Ctrl+Shift+M", "Microphone on or off", CTRL_SHIFT, Key::M);
/// Camera on or off.
pub const CAMERA: Shortcut = shortcut("Ctrl+Shift+V", "Camera on or off", CTRL_SHIFT, Key::V);
/// Hang up.
pub const HANG_UP: Shortcut = shortcut("Ctrl+Shift+H", "Hang up, or decline", CTRL_SHIFT, Key::H);
/// Full screen.
pub const FULL_SCREEN: Shortcut = shortcut("F11", "Full screen", Modifiers::NONE, Key::F11);
/// The line of figures.
pub const HUD: Shortcut = shortcut("F3", "Figures of the call", Modifiers::NONE, Key::F3);
/// The list of shortcuts.
pub const HELP: Shortcut = shortcut("?", "This list", Modifiers::NONE, Key::Questionmark);

const ALL: [Shortcut; 6] = [MICROPHONE, CAMERA, HANG_UP, FULL_SCREEN, HUD, HELP];

/// Keys that are looked after elsewhere.
const OTHERS: [(&str, &str); 4] = [
    push_to_talk::KEYS,
    ("Ctrl +, Ctrl −", "Everything larger or smaller"),
    ("Ctrl+0", "Everything in its usual size"),
    ("Tab, Enter", "To the next control, and press it"),
];

/// What the keys pressed just now mean; `typing`: the keyboard writes into a field.
pub fn handle_keys(input: &mut InputState, call: &CallView, zoom: Zoom, typing: bool) -> Option<Action> {
    if input.consume_shortcut(&FULL_SCREEN.keys) {
        return Some(Action::ToggleFullScreen);
    }
    if input.consume_shortcut(&HUD.keys) {
        return Some(Action::ToggleHud);
    }
    if let Some(zoom) = zoomed(input, zoom) {
        return Some(Action::Zoom(zoom));
    }
    // The question mark needs Shift on most keyboards.
    if !typing && (input.consume_shortcut(&HELP.keys) || input.consume_key(Modifiers::SHIFT, Key::Questionmark)) {
        return Some(Action::ToggleHelp);
    }
    if let CallView::Active(view) = call {
        if input.consume_shortcut(&MICROPHONE.keys) {
            return Some(Action::Microphone(!view.microphone_on));
        }
        if input.consume_shortcut(&CAMERA.keys) {
            return Some(Action::Camera(!view.camera_on));
        }
    }
    let way_out = match call {
        CallView::Idle | CallView::Ended { .. } => None,
        CallView::Incoming { .. } => Some(Action::Decline),
        CallView::Outgoing { .. } | CallView::Connecting { .. } | CallView::Active(_) => Some(Action::HangUp),
    };
    way_out.filter(|_| input.consume_shortcut(&HANG_UP.keys))
}

/// The keys that every browser has for it. At its ends the size stays as it is, and is said again.
fn zoomed(input: &mut InputState, zoom: Zoom) -> Option<Zoom> {
    let larger = [kb_shortcuts::ZOOM_IN, kb_shortcuts::ZOOM_IN_SECONDARY];
    if larger.iter().any(|keys| input.consume_shortcut(keys)) {
        return Some(zoom.larger().unwrap_or(zoom));
    }
    if input.consume_shortcut(&kb_shortcuts::ZOOM_OUT) {
        return Some(zoom.smaller().unwrap_or(zoom));
    }
    input.consume_shortcut(&kb_shortcuts::ZOOM_RESET).then(Zoom::default)
}

/// The list of all shortcuts. True: close it.
pub fn help_ui(ui: &Ui) -> bool {
    let frame = egui::Frame::window(ui.style());
    let modal = Modal::new(Id::unique("shortcuts")).frame(frame).show(ui.ctx(), |ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        ui.set_width((ui.ctx().content_rect().width() - space(20)).min(360.0));
        ui.label(RichText::new("Shortcuts").font(theme::strong(text::TITLE)));
        ui.add_space(space(2));
        let palette = theme::palette(ui.ctx());
        // Title, button and margins stay in sight, however large everything is.
        let height = (ui.ctx().content_rect().height() - space(48)).max(space(20));
        let list = egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height);
        let grid = egui::Grid::new("list of shortcuts").num_columns(2).spacing([space(8), space(2)]);
        list.show(ui, |ui| {
            grid.show(ui, |ui| {
                let shortcuts = ALL.map(|shortcut| (shortcut.words, shortcut.does));
                for (keys, does) in shortcuts.into_iter().chain(OTHERS) {
                    ui.label(RichText::new(keys).font(theme::strong(text::BODY)));
                    ui.label(RichText::new(does).color(palette.weak));
                    ui.end_row();
                }
            })
        });
        ui.add_space(space(3));
        ui.add(TextButton::new("Close", Tone::Main)).clicked()
    });
    modal.inner || modal.should_close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::handle::{ActiveView, Peer};
    use egui::{Event, RawInput};

    fn press(modifiers: Modifiers, key: Key, call: &CallView, typing: bool) -> Option<Action> {
        let ctx = egui::Context::default();
        let event = Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        let input = RawInput { events: vec![Event::ModifiersChanged(modifiers), event], ..RawInput::default() };
        let mut action = None;
        let output =
            ctx.run_ui(input, |ui| action = ui.input_mut(|input| handle_keys(input, call, Zoom::default(), typing)));
        output.drop_without_applying_deltas();
        action
    }

    #[test]
    fn shortcuts_do_what_the_list_says() {
        let active = CallView::Active(Box::new(ActiveView { microphone_on: true, ..ActiveView::default() }));
        let incoming = CallView::Incoming { peer: Peer::default(), video: true, since: crate::media::Timestamp::ZERO };
        assert_eq!(press(CTRL_SHIFT, Key::M, &active, false), Some(Action::Microphone(false)));
        assert_eq!(press(CTRL_SHIFT, Key::V, &active, false), Some(Action::Camera(true)));
        assert_eq!(press(CTRL_SHIFT, Key::H, &active, false), Some(Action::HangUp));
        assert_eq!(press(CTRL_SHIFT, Key::H, &incoming, false), Some(Action::Decline));
        assert_eq!(press(CTRL_SHIFT, Key::H, &CallView::Idle, false), None);
        assert_eq!(press(CTRL_SHIFT, Key::M, &CallView::Idle, false), None);
        assert_eq!(press(Modifiers::NONE, Key::F3, &active, false), Some(Action::ToggleHud));
        assert_eq!(press(Modifiers::NONE, Key::F11, &CallView::Idle, true), Some(Action::ToggleFullScreen));
    }

    #[test]
    fn size_changes_by_the_keys_of_a_browser_also_while_typing() {
        let press = |key| press(Modifiers::COMMAND, key, &CallView::Idle, true);
        for (key, percent) in [(Key::Plus, 110), (Key::Equals, 110), (Key::Minus, 90), (Key::Num0, 100)] {
            assert_eq!(press(key), Some(Action::Zoom(Zoom::from(percent))), "{key:?}");
        }
    }

    #[test]
    fn a_question_mark_in_a_field_is_only_typed() {
        let idle = CallView::Idle;
        assert_eq!(press(Modifiers::SHIFT, Key::Questionmark, &idle, false), Some(Action::ToggleHelp));
        assert_eq!(press(Modifiers::SHIFT, Key::Questionmark, &idle, true), None);
    }
}
