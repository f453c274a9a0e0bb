//! Push to talk: whoever is muted is heard for as long as Space is held.

use egui::{Event, InputState, Key};

use crate::engine::handle::CallView;

/// The key as people write it, and what it does.
pub const KEYS: (&str, &str) = ("Hold Space", "Talk while muted");

/// Where the key is between two presses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PushToTalk {
    /// Not held, or held for something else.
    #[default]
    Idle,
    /// Held; the microphone is not yet on.
    Opening,
    /// Held, and the microphone is on.
    Talking,
    /// Let go; the microphone is still on.
    Closing,
}

impl PushToTalk {
    /// Whether the key is held to talk.
    #[must_use]
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Opening | Self::Talking)
    }

    /// Takes what the keyboard did; gives how the microphone is to be from now on, if that changes. `free`: Space belongs
    /// to nothing else, since no control has the keyboard and no menu or dialog is open.
    pub fn handle_keys(&mut self, input: &InputState, call: &CallView, free: bool) -> Option<bool> {
        let CallView::Active(view) = call else {
            *self = Self::Idle;
            return None;
        };
        // A window that loses the keyboard never hears that the key was let go.
        let held = input.focused && input.key_down(Key::Space);
        match (*self, view.microphone_on) {
            (Self::Opening, true) => *self = Self::Talking,
            // Muted by other means meanwhile, which stands; or muted as it was told to be.
            (Self::Talking | Self::Closing, false) => *self = Self::Idle,
            _ => {}
        }
        if self.is_held() {
            if held {
                return None;
            }
            *self = Self::Closing;
            return Some(false);
        }
        let muted = !view.microphone_on || *self == Self::Closing;
        if muted && held && free && input.events.iter().any(is_press) {
            *self = Self::Opening;
            return Some(true);
        }
        None
    }
}

/// Pressed just now, not repeated by the keyboard.
fn is_press(event: &Event) -> bool {
    match event {
        Event::Key { key: Key::Space, pressed: true, repeat: false, modifiers, .. } => modifiers.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use egui::{Modifiers, RawInput};

    use super::*;
    use crate::engine::handle::ActiveView;

    /// Somebody at the keyboard in a call.
    #[derive(Default)]
    struct Person {
        ctx: egui::Context,
        talk: PushToTalk,
        microphone_on: bool,
        /// A control has the keyboard.
        busy: bool,
        /// The window does not.
        elsewhere: bool,
    }

    impl Person {
        /// What push to talk makes of these events; the microphone follows.
        fn does(&mut self, events: Vec<Event>) -> Option<bool> {
            let view = ActiveView { microphone_on: self.microphone_on, ..ActiveView::default() };
            let told = self.does_in(&CallView::Active(Box::new(view)), events);
            self.microphone_on = told.unwrap_or(self.microphone_on);
            told
        }

        fn does_in(&mut self, call: &CallView, events: Vec<Event>) -> Option<bool> {
            let mut told = None;
            let input = RawInput { events, focused: !self.elsewhere, ..RawInput::default() };
            let (talk, free) = (&mut self.talk, !self.busy);
            let output =
                self.ctx.run_ui(input, |ui| told = told.or(ui.input(|input| talk.handle_keys(input, call, free))));
            output.drop_without_applying_deltas();
            told
        }
    }

    fn space(pressed: bool) -> Event {
        Event::Key { key: Key::Space, physical_key: None, pressed, repeat: false, modifiers: Modifiers::NONE }
    }

    #[test]
    fn a_muted_person_is_heard_while_the_key_is_held_and_repeats_toggle_nothing() {
        let mut person = Person::default();
        for _ in 0..2 {
            assert_eq!(person.does(vec![space(true)]), Some(true));
            // egui marks presses of a key that is down as repeats.
            for _ in 0..3 {
                assert_eq!(person.does(vec![space(true)]), None);
                assert!(person.talk.is_held());
            }
            assert_eq!(person.does(vec![space(false)]), Some(false));
            assert_eq!(person.does(vec![]), None);
        }
    }

    #[test]
    fn a_press_right_after_letting_go_is_heard_before_the_microphone_is_seen_to_be_off() {
        let mut person = Person::default();
        person.does(vec![space(true)]);
        person.does(vec![]);
        person.does(vec![space(false)]);
        person.microphone_on = true;
        assert_eq!(person.does(vec![space(true)]), Some(true));
    }

    #[test]
    fn who_is_not_muted_or_is_at_a_control_presses_in_vain() {
        let mut person = Person { microphone_on: true, ..Person::default() };
        assert_eq!(person.does(vec![space(true)]), None);
        assert_eq!(person.does(vec![space(false)]), None, "an open microphone stays open");
        let mut person = Person { busy: true, ..Person::default() };
        assert_eq!(person.does(vec![space(true)]), None);
        person.busy = false;
        assert_eq!(person.does(vec![]), None, "a key that was pressed for a control stays the control's");
    }

    #[test]
    fn a_window_that_loses_the_keyboard_mutes_again() {
        let mut person = Person::default();
        person.does(vec![space(true)]);
        person.elsewhere = true;
        assert_eq!(person.does(vec![Event::WindowFocused(false)]), Some(false));
        person.elsewhere = false;
        assert_eq!(person.does(vec![Event::WindowFocused(true)]), None);
    }

    #[test]
    fn muting_by_other_means_and_the_end_of_the_call_end_it() {
        let mut person = Person::default();
        person.does(vec![space(true)]);
        person.does(vec![]);
        person.microphone_on = false;
        assert_eq!(person.does(vec![]), None);
        assert!(!person.talk.is_held());
        let mut person = Person::default();
        person.does(vec![space(true)]);
        assert_eq!(person.does_in(&CallView::Idle, vec![]), None);
        assert_eq!(person.talk, PushToTalk::Idle);
    }
}
