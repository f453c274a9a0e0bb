//! Whether one is heard and hears: the level of the microphone, and a tone for the speaker. Both are off until a person
//! asks for them.

use egui::{Ui, vec2};

use super::choice::Kind;
use crate::engine::handle::{DeviceState, SoundCheckView};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::space;
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::meter::meter_ui;
use crate::ui::widgets::page::{alert_ui, remark_ui};

/// Widest meter: as wide as the lists of devices.
const WIDTH: f32 = super::choice::WIDTH;

/// Draws the check that belongs under the list of a kind of device.
pub fn check_ui(ui: &mut Ui, kind: Kind, check: &SoundCheckView) -> Option<Action> {
    let done = match kind {
        Kind::Camera => return None,
        Kind::Microphone => microphone_ui(ui, check),
        Kind::Speaker => speaker_ui(ui, &check.speaker),
    };
    ui.add_space(space(2));
    done
}

fn microphone_ui(ui: &mut Ui, check: &SoundCheckView) -> Option<Action> {
    match &check.microphone {
        DeviceState::Open { name } => {
            let width = ui.available_width().min(WIDTH);
            meter_ui(ui, "Microphone level", check.level_dbfs, vec2(width, space(2)));
            remark_ui(ui, &format!("Speak: the bar moves when you are heard. Listening to {name}."));
        }
        DeviceState::Missing { why } => alert_ui(ui, why, true),
        DeviceState::Off if check.listening => drop(remark_ui(ui, "Opening the microphone…")),
        DeviceState::Off => {}
    }
    let (icon, words, action) = if check.listening {
        (icons::MICROPHONE_OFF, "Turn the microphone off", Action::StopSoundCheck)
    } else {
        (icons::MICROPHONE, "Test the microphone", Action::StartMicrophoneCheck)
    };
    ui.add(TextButton::new(words, Tone::Plain).icon(icon)).clicked().then_some(action)
}

fn speaker_ui(ui: &mut Ui, speaker: &DeviceState) -> Option<Action> {
    match speaker {
        DeviceState::Open { name } => drop(remark_ui(ui, &format!("You should hear three notes now, from {name}."))),
        DeviceState::Missing { why } => alert_ui(ui, why, true),
        DeviceState::Off => {}
    }
    let button = TextButton::new("Play a test tone", Tone::Plain).icon(icons::SPEAKER);
    ui.add(button).clicked().then_some(Action::PlayTestTone)
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::{NodeT, Queryable};

    use super::*;
    use crate::ui::theme;

    /// Both checks, and what was done there.
    fn checks(check: SoundCheckView) -> Harness<'static, Option<Action>> {
        let draw = move |ui: &mut Ui, done: &mut Option<Action>| {
            theme::install(ui.ctx());
            for kind in [Kind::Camera, Kind::Microphone, Kind::Speaker] {
                *done = done.take().or(check_ui(ui, kind, &check));
            }
        };
        Harness::new_ui_state(draw, None)
    }

    #[test]
    fn a_check_begins_with_a_click_and_the_open_microphone_can_be_closed() {
        let open = DeviceState::Open { name: "Headset".into() };
        let listening = SoundCheckView { microphone: open, listening: true, ..SoundCheckView::default() };
        for (check, button, action) in [
            (SoundCheckView::default(), "Test the microphone", Action::StartMicrophoneCheck),
            (SoundCheckView::default(), "Play a test tone", Action::PlayTestTone),
            (listening, "Turn the microphone off", Action::StopSoundCheck),
        ] {
            let mut checks = checks(check);
            checks.get_by_label(button).click();
            checks.run_steps(2);
            assert_eq!(*checks.state(), Some(action));
        }
    }

    #[test]
    fn the_level_is_a_meter_with_a_value() {
        let microphone = DeviceState::Open { name: "Headset".into() };
        let checks =
            checks(SoundCheckView { microphone, listening: true, level_dbfs: -15.0, ..SoundCheckView::default() });
        let meter = checks.get_by_role_and_label(egui::Role::Meter, "Microphone level");
        assert_eq!(meter.accesskit_node().numeric_value(), Some(75.0));
        assert!(checks.query_by_label_contains("Listening to Headset").is_some());
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        let missing = |why: &str| DeviceState::Missing { why: why.into() };
        let (microphone, speaker) = (missing("there is no microphone"), missing("there is no speaker"));
        let checks = checks(SoundCheckView { microphone, speaker, listening: true, level_dbfs: 0.0 });
        for words in ["There is no microphone.", "There is no speaker."] {
            assert!(checks.query_by_label(words).is_some(), "{words}");
        }
        assert!(checks.query_by_label("Microphone level").is_none());
    }
}
