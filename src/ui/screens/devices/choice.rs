//! What can be chosen of each kind of device, in the words of a person: as a list to unfold, and as a menu in a call.

use egui::{ComboBox, RichText, ScrollArea, Ui};

use crate::engine::config::FILE_SETTING;
use crate::engine::devices::DeviceList;
use crate::engine::handle::{DeviceChoice, Snapshot};
use crate::ui::action::Action;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::menu_choice_ui;
use crate::ui::widgets::page::{alert_ui, remark_ui};

/// Widest list, and what stands with it.
pub const WIDTH: f32 = 448.0;

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Gives pictures.
    Camera,
    /// Gives sound.
    Microphone,
    /// Takes sound.
    Speaker,
}

/// One thing that can be chosen: as the settings keep it, and as people call it.
type Offer = (Option<String>, String);

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Camera => "Camera",
            Self::Microphone => "Microphone",
            Self::Speaker => "Speaker",
        }
    }

    fn there(self, list: &DeviceList) -> &[String] {
        match self {
            Self::Camera => &list.cameras,
            Self::Microphone => &list.microphones,
            Self::Speaker => &list.speakers,
        }
    }

    fn chosen(self, choice: &mut DeviceChoice) -> &mut Option<String> {
        match self {
            Self::Camera => &mut choice.camera,
            Self::Microphone => &mut choice.microphone,
            Self::Speaker => &mut choice.speaker,
        }
    }

    /// What can be chosen besides devices, as the settings and as people call it.
    const fn others(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Camera => &[("pattern", "Moving test pattern"), ("none", "No camera")],
            Self::Microphone => &[("none", "No microphone")],
            Self::Speaker => &[("none", "No speaker")],
        }
    }

    /// All that can be chosen, as far as the system has told; what is chosen is among it, whether it is there or not.
    fn offers(self, list: Option<&DeviceList>, chosen: Option<&str>) -> Vec<Offer> {
        let there = list.map_or(&[][..], |list| self.there(list));
        let system = match there.first() {
            Some(first) => format!("As the system chooses ({first})"),
            None if list.is_none() => "As the system chooses".to_owned(),
            None => format!("As the system chooses (no {} found)", self.name().to_lowercase()),
        };
        let mut offers = vec![(None, system)];
        offers.extend(there.iter().map(|name| (Some(name.clone()), name.clone())));
        if let Some(chosen) = chosen
            && !there.iter().any(|name| name == chosen)
            && !self.others().iter().any(|(setting, _)| *setting == chosen)
        {
            let is_missing = list.is_some() && !chosen.starts_with(FILE_SETTING);
            let words = if is_missing { format!("{chosen} (not connected)") } else { chosen.to_owned() };
            offers.push((Some(chosen.to_owned()), words));
        }
        offers.extend(self.others().iter().map(|(setting, words)| (Some((*setting).to_owned()), (*words).to_owned())));
        offers
    }
}

/// A list to unfold, with its name above it. True: something else was chosen.
pub fn list_ui(ui: &mut Ui, kind: Kind, choice: &mut DeviceChoice, list: Option<&DeviceList>) -> bool {
    let palette = theme::palette(ui.ctx());
    let label = ui.label(RichText::new(kind.name()).size(text::SMALL).color(palette.weak));
    let chosen = kind.chosen(choice);
    let before = chosen.clone();
    let offers = kind.offers(list, chosen.as_deref());
    let shown = offers.iter().find(|(setting, _)| *setting == before).map_or("", |(_, words)| words);
    let width = ui.available_width().min(WIDTH);
    let combo = ComboBox::from_id_salt(kind.name()).width(width).truncate().selected_text(shown);
    ui.scope(|ui| {
        // Words that are cut off would take all the room there is.
        ui.set_max_width(width);
        let combo = combo.show_ui(ui, |ui| {
            for (setting, words) in &offers {
                ui.selectable_value(chosen, setting.clone(), words);
            }
        });
        combo.response.labelled_by(label.id);
    });
    ui.add_space(space(1));
    *chosen != before
}

/// The inside of a menu of these kinds, at most `height` high: what is chosen is marked, a click chooses and closes.
pub fn menu_ui(ui: &mut Ui, kinds: &[Kind], snapshot: &Snapshot, height: f32) -> Option<Action> {
    let Some(list) = &snapshot.devices else {
        remark_ui(ui, "Looking for devices…");
        return None;
    };
    let mut choice = snapshot.chosen.clone();
    // As high as all of it, up to that: the list comes when the menu is open already, and was as small as one line.
    ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
        let palette = theme::palette(ui.ctx());
        for kind in kinds {
            ui.horizontal(|ui| {
                // As low as its words: in a small window every line counts.
                ui.spacing_mut().interact_size.y = 0.0;
                ui.add_space(space(3));
                ui.label(RichText::new(kind.name()).size(text::SMALL).color(palette.weak));
            });
            let chosen = kind.chosen(&mut choice);
            for (setting, words) in kind.offers(Some(list), chosen.as_deref()) {
                // A headset is a microphone and a speaker of the same name.
                let name = format!("{}: {words}", kind.name());
                if menu_choice_ui(ui, &words, &name, *chosen == setting) {
                    *chosen = setting;
                }
            }
        }
        for problem in &list.problems {
            alert_ui(ui, problem, false);
        }
    });
    (choice != snapshot.chosen).then_some(Action::ChooseDevices(choice))
}

#[cfg(test)]
mod tests {
    use egui::accesskit::Toggled;
    use egui_kittest::Harness;
    use egui_kittest::kittest::{NodeT, Queryable};

    use super::*;

    fn list() -> DeviceList {
        DeviceList { microphones: vec!["Headset".into(), "Webcam".into()], ..DeviceList::default() }
    }

    fn words(kind: Kind, chosen: Option<&str>) -> Vec<String> {
        kind.offers(Some(&list()), chosen).into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn a_chosen_device_that_is_not_there_is_said() {
        let system = "As the system chooses (Headset)";
        assert_eq!(words(Kind::Microphone, Some("Webcam")), [system, "Headset", "Webcam", "No microphone"]);
        let gone = words(Kind::Microphone, Some("Old one"));
        assert_eq!(gone, [system, "Headset", "Webcam", "Old one (not connected)", "No microphone"]);
    }

    #[test]
    fn before_the_system_has_told_nothing_is_said_to_be_missing() {
        let offers = Kind::Microphone.offers(None, Some("Webcam"));
        let words = offers.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>();
        assert_eq!(words, ["As the system chooses", "Webcam", "No microphone"]);
    }

    #[test]
    fn without_any_device_the_words_say_so() {
        let camera = words(Kind::Camera, Some("pattern"));
        assert_eq!(camera, ["As the system chooses (no camera found)", "Moving test pattern", "No camera"]);
    }

    fn snapshot() -> Snapshot {
        let chosen = DeviceChoice { microphone: Some("Webcam".into()), ..DeviceChoice::default() };
        let devices = DeviceList { speakers: vec!["Headset".into()], ..list() };
        Snapshot { devices: Some(devices.into()), chosen, ..Snapshot::default() }
    }

    /// A menu of microphones and speakers, and what was done in it.
    fn menu(snapshot: Snapshot) -> Harness<'static, Option<Action>> {
        let draw = move |ui: &mut Ui, done: &mut Option<Action>| {
            theme::install(ui.ctx());
            let action = menu_ui(ui, &[Kind::Microphone, Kind::Speaker], &snapshot, 400.0);
            *done = done.take().or(action);
        };
        let mut harness = Harness::new_ui_state(draw, None);
        harness.run_steps(2);
        harness
    }

    #[test]
    fn the_menu_marks_what_is_chosen_and_changes_only_what_is_clicked() {
        let mut menu = menu(snapshot());
        let marked: Vec<_> = menu
            .root()
            .children_recursive()
            .filter(|node| node.accesskit_node().toggled() == Some(Toggled::True))
            .filter_map(|node| node.accesskit_node().label())
            .collect();
        assert_eq!(marked, ["Microphone: Webcam", "Speaker: As the system chooses (Headset)"]);
        menu.get_by_label("Speaker: Headset").click();
        menu.run_steps(2);
        let expected = DeviceChoice { speaker: Some("Headset".into()), ..snapshot().chosen };
        assert_eq!(*menu.state(), Some(Action::ChooseDevices(expected)));
    }

    #[test]
    fn a_click_on_what_is_chosen_already_changes_nothing() {
        let mut menu = menu(snapshot());
        menu.get_by_label("Microphone: Webcam").click();
        menu.run_steps(2);
        assert_eq!(*menu.state(), None);
    }

    #[test]
    fn a_menu_that_waits_for_the_list_says_so() {
        let menu = menu(Snapshot::default());
        assert!(menu.query_by_label_contains("Looking for devices").is_some());
    }
}
