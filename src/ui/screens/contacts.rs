//! The people one can call: list with presence, search, adding, renaming, removing; the own handle to give away.

use egui::{Align, Layout, Popup, Response, RichText, Ui, vec2};

use super::link::OwnLink;
use super::requests::requests_ui;
use crate::engine::handle::{Contact, Me, Presence, ServerStatus, Snapshot};
use crate::ui::action::{Action, Page, Purpose};
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::avatar::avatar_ui;
use crate::ui::widgets::buttons::{IconButton, TextButton, Tone, icon_at, icon_ui, menu_item_ui};
use crate::ui::widgets::page::{
    alert_ui, card_ui, column_ui, copyable_ui, field_ui, heading_ui, line_between_ui, line_ui, remark_ui, sentence,
};
use crate::wire::link::ContactLink;

/// From so many contacts on there is a field to search them.
const SEARCH_FROM: usize = 6;

/// What is being typed and asked on this screen.
#[derive(Debug, Default)]
pub struct Contacts {
    link: OwnLink,
    search: String,
    adding: Option<Adding>,
    editing: Option<Editing>,
}

/// The form for a new contact.
#[derive(Debug, Default)]
struct Adding {
    handle: String,
    /// The notice that was the newest when the form was sent, a newer one being the answer to it; and the contacts that
    /// there were, one more being the other answer.
    sent: Option<(u64, usize)>,
    fresh: bool,
}

/// A row that is not just a contact now.
#[derive(Debug)]
enum Editing {
    Renaming { handle: String, name: String, fresh: bool },
    Removing { handle: String },
    Blocking { handle: String },
}

impl Contacts {
    /// Whether a form waits for the engine's answer, and will show it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.adding.as_ref().is_some_and(|form| form.sent.is_some())
    }

    /// Draws the screen; gives what was done.
    pub fn contacts_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let mut done = None;
        column_ui(ui, theme::COLUMN, |ui| {
            done = done.take().or(self.top_ui(ui, snapshot));
            server_ui(ui, &snapshot.server);
            ui.add_space(space(4));
            done = done.take().or(self.adding_ui(ui, snapshot));
            done = done.take().or(requests_ui(ui, &snapshot.requests));
            if snapshot.contacts.is_empty() {
                self.nobody_ui(ui);
            } else {
                done = done.take().or(self.list_ui(ui, &snapshot.contacts));
            }
        });
        done
    }

    fn top_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let mut done = None;
        ui.horizontal(|ui| {
            ui.label(RichText::new("Contacts").font(theme::strong(text::TITLE)));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.add(IconButton::new(icons::SETTINGS, "Settings", Tone::Quiet)).clicked() {
                    done = Some(Action::Show(Page::Settings));
                }
                if ui.add(TextButton::new("Add contact", Tone::Main).icon(icons::ADD_PERSON)).clicked() {
                    self.open_form();
                }
            });
        });
        ui.add_space(space(2));
        if let Some(Me { handle, .. }) = &snapshot.me {
            remark_ui(ui, "Your handle. Who has only this can ask to talk; who has your link can call.");
            if copyable_ui(ui, handle, "your handle") {
                done = Some(Action::Copied("Your handle is copied."));
            }
            ui.add_space(space(1));
            done = done.take().or(self.link.link_ui(ui, snapshot));
        }
        done
    }

    fn open_form(&mut self) {
        self.adding = Some(Adding { fresh: true, ..Adding::default() });
    }

    fn adding_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
        let form = self.adding.as_mut()?;
        let newest = snapshot.notice.as_ref().map_or(0, |(number, _)| *number);
        let completed = complete(&form.handle, snapshot.me.as_ref());
        // Somebody who is known already may have been verified by a link: no contact more, and nothing wrong.
        let is_known_by_link = ContactLink::is_meant(&completed)
            && completed.parse::<ContactLink>().is_ok_and(|link| {
                let handle = link.handle.to_string();
                snapshot.contacts.iter().any(|contact| contact.handle == handle && contact.verified)
            });
        if form.sent.is_some_and(|(_, count)| snapshot.contacts.len() > count || is_known_by_link) {
            self.adding = None;
            return None;
        }
        let refused = match (&snapshot.notice, form.sent) {
            (Some((number, why)), Some((before, _))) if *number > before => Some(why),
            _ => None,
        };
        let mut done = None;
        let mut close = false;
        card_ui(ui, |ui| {
            heading_ui(ui, "Add a contact");
            let field = field_ui(
                ui,
                "Link or handle",
                &mut form.handle,
                "visavis:… or name@host",
                std::mem::take(&mut form.fresh),
            );
            if field.changed() {
                form.sent = None;
            }
            if let Some(why) = refused {
                alert_ui(ui, why, true);
            }
            ui.add_space(space(1));
            ui.horizontal(|ui| {
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                let ready = !form.handle.trim().is_empty();
                let add = ui.add_enabled(ready, TextButton::new("Add", Tone::Main));
                if ready && (add.clicked() || entered) {
                    form.sent = Some((newest, snapshot.contacts.len()));
                    done = Some(Action::AddContact(completed.clone()));
                }
                if ui.add(TextButton::new("Scan a code", Tone::Plain).icon(icons::CAMERA)).clicked() {
                    done = Some(Action::Scan(Purpose::Add));
                    close = true;
                }
                close |= ui.add(TextButton::new("Cancel", Tone::Plain)).clicked();
            });
            remark_ui(ui, "A link proves who they are; a handle is believed as your server gives it the first time.");
        });
        ui.add_space(space(2));
        if close || ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            self.adding = None;
        }
        done
    }

    fn nobody_ui(&mut self, ui: &mut Ui) {
        if self.adding.is_some() {
            return;
        }
        let palette = theme::palette(ui.ctx());
        ui.add_space(space(16));
        ui.vertical_centered(|ui| {
            icon_ui(ui, icons::PERSON, 56.0, palette.weak);
            ui.add_space(space(2));
            heading_ui(ui, "Nobody here yet");
            let words = "Give your link to somebody, or add theirs. Then a call is one click away.";
            ui.label(RichText::new(words).color(palette.weak));
        });
    }

    fn list_ui(&mut self, ui: &mut Ui, contacts: &[Contact]) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        if contacts.len() >= SEARCH_FROM {
            let field = line_ui(ui, &mut self.search, "Search contacts", f32::INFINITY);
            let name = field.clone().accessible_name("Search contacts");
            icon_at(ui, name.rect.right_center() - vec2(space(5), 0.0), icons::SEARCH, 18.0, palette.weak);
        } else {
            self.search.clear();
        }
        let found: Vec<_> = contacts.iter().filter(|contact| matches(contact, &self.search)).collect();
        if found.is_empty() {
            ui.add_space(space(4));
            let words = format!("No contact matches “{}”.", self.search.trim());
            ui.label(RichText::new(words).color(palette.weak));
            return None;
        }
        let mut done = None;
        card_ui(ui, |ui| {
            for (index, contact) in found.iter().enumerate() {
                if index > 0 {
                    line_between_ui(ui);
                }
                done = done.take().or(self.row_ui(ui, contact));
            }
        });
        done
    }

    fn row_ui(&mut self, ui: &mut Ui, contact: &Contact) -> Option<Action> {
        match &mut self.editing {
            Some(Editing::Renaming { handle, .. } | Editing::Removing { handle } | Editing::Blocking { handle })
                if *handle == contact.handle =>
            {
                self.edit_ui(ui, contact)
            }
            _ => self.contact_ui(ui, contact),
        }
    }

    fn contact_ui(&mut self, ui: &mut Ui, contact: &Contact) -> Option<Action> {
        let mut done = None;
        let height = space(14);
        ui.allocate_ui_with_layout(vec2(ui.available_width(), height), Layout::left_to_right(Align::Center), |ui| {
            avatar_ui(ui, &contact.handle, &contact.name, 44.0);
            ui.add_space(space(1));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let name = format!("More about {}", contact.name);
                let more = ui.add(IconButton::new(icons::MORE, &name, Tone::Quiet));
                done = done.take().or(self.menu_ui(&more, contact));
                for (icon, kind, video, tone) in
                    [(icons::CAMERA, "Video", true, Tone::Go), (icons::PHONE, "Audio", false, Tone::Plain)]
                {
                    let name = format!("{kind} call to {}", contact.name);
                    let button = IconButton::new(icon, &name, tone);
                    if ui.add_enabled(!contact.key_changed, button).clicked() {
                        done = Some(Action::Call { handle: contact.handle.clone(), video });
                    }
                }
                let words = Layout::top_down(Align::Min);
                ui.allocate_ui_with_layout(vec2(ui.available_width(), 40.0), words, |ui| {
                    ui.take_available_width();
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.spacing_mut().interact_size.y = 0.0;
                    let name = RichText::new(&contact.name).font(theme::strong(text::BODY));
                    ui.add(egui::Label::new(name).truncate());
                    presence_ui(ui, contact);
                });
            });
        });
        if contact.key_changed {
            done = done.take().or(changed_key_ui(ui, contact));
        }
        done
    }

    fn menu_ui(&mut self, more: &Response, contact: &Contact) -> Option<Action> {
        let mut done = None;
        Popup::menu(more).show(|ui| {
            ui.set_width(240.0);
            if menu_item_ui(ui, icons::RENAME, "Rename", None) {
                let (handle, name) = (contact.handle.clone(), contact.name.clone());
                self.editing = Some(Editing::Renaming { handle, name, fresh: true });
            }
            if menu_item_ui(ui, icons::COPY, "Copy handle", None) {
                ui.ctx().copy_text(contact.handle.clone());
            }
            if contact.has_key && menu_item_ui(ui, icons::VERIFIED, "Compare safety number", None) {
                done = Some(Action::Compare(contact.handle.clone()));
            }
            let (icon, words) =
                if contact.silent { (icons::SPEAKER, "Ring aloud") } else { (icons::SPEAKER_OFF, "Ring silently") };
            if menu_item_ui(ui, icon, words, None) {
                let (handle, silent) = (contact.handle.clone(), !contact.silent);
                done = Some(Action::SetSilent { handle, silent });
            }
            if menu_item_ui(ui, icons::PROHIBITED, "Block", None) {
                self.editing = Some(Editing::Blocking { handle: contact.handle.clone() });
            }
            if menu_item_ui(ui, icons::REMOVE, "Remove", None) {
                self.editing = Some(Editing::Removing { handle: contact.handle.clone() });
            }
        });
        done
    }

    fn edit_ui(&mut self, ui: &mut Ui, contact: &Contact) -> Option<Action> {
        let mut done = None;
        let mut close = ui.input(|input| input.key_pressed(egui::Key::Escape));
        match self.editing.as_mut()? {
            Editing::Renaming { name, fresh, .. } => {
                let label = format!("Name for {}", contact.handle);
                let field = field_ui(ui, &label, name, &contact.handle, std::mem::take(fresh));
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                ui.horizontal(|ui| {
                    if ui.add(TextButton::new("Save", Tone::Main)).clicked() || entered {
                        let (handle, name) = (contact.handle.clone(), name.trim().to_owned());
                        done = Some(Action::RenameContact { handle, name });
                    }
                    close |= ui.add(TextButton::new("Cancel", Tone::Plain)).clicked();
                });
            }
            Editing::Blocking { .. } => {
                ui.label(RichText::new(format!("Block {}?", contact.name)).font(theme::strong(text::BODY)));
                remark_ui(
                    ui,
                    "Their calls never ring, and they do not learn why. Your link is renewed: the old one ends.",
                );
                ui.horizontal(|ui| {
                    let name = format!("Block {}", contact.name);
                    if ui.add(TextButton::new("Block", Tone::Stop).name(&name)).clicked() {
                        done = Some(Action::Block(contact.handle.clone()));
                    }
                    close |= ui.add(TextButton::new("Do not block", Tone::Plain)).clicked();
                });
            }
            Editing::Removing { .. } => {
                ui.label(RichText::new(format!("Remove {}?", contact.name)).font(theme::strong(text::BODY)));
                remark_ui(ui, "With your link they can still call you. You can add them again at any time.");
                ui.horizontal(|ui| {
                    let name = format!("Remove {}", contact.name);
                    if ui.add(TextButton::new("Remove", Tone::Stop).name(&name)).clicked() {
                        done = Some(Action::RemoveContact(contact.handle.clone()));
                    }
                    close |= ui.add(TextButton::new("Keep", Tone::Plain)).clicked();
                });
            }
        }
        ui.add_space(space(2));
        if close || done.is_some() {
            self.editing = None;
        }
        done
    }
}

/// Somebody shows another key: loud, with both keys, and they are not called before it is decided.
fn changed_key_ui(ui: &mut Ui, contact: &Contact) -> Option<Action> {
    alert_ui(
        ui,
        "Their key has changed. They cannot call you, nor you them, before you decide. Ask them, best in person: somebody \
         may stand between you, or they have begun anew.",
        true,
    );
    if let Some(keys) = &contact.keys {
        for (name, key) in [("The key you know", &keys.known), ("The new key", &keys.new)] {
            remark_ui(ui, name);
            ui.label(RichText::new(key).size(text::SMALL));
        }
    }
    let mut done = None;
    ui.horizontal_wrapped(|ui| {
        let name = format!("Trust the new key of {}", contact.name);
        if ui.add(TextButton::new("Trust the new key", Tone::Plain).name(&name)).clicked() {
            done = Some(Action::TrustNewKey(contact.handle.clone()));
        }
        let name = format!("Keep the key of {} that you know", contact.name);
        if ui.add(TextButton::new("Keep the old key", Tone::Plain).name(&name)).clicked() {
            done = Some(Action::KeepOldKey(contact.handle.clone()));
        }
    });
    done
}

/// How it stands with the server, where that is not as it should be.
fn server_ui(ui: &mut Ui, server: &ServerStatus) {
    let palette = theme::palette(ui.ctx());
    match server {
        ServerStatus::Online | ServerStatus::Idle => {}
        ServerStatus::Connecting => {
            remark_ui(ui, "Connecting to your server…");
        }
        ServerStatus::Offline { why, fatal } => {
            ui.add_space(space(2));
            card_ui(ui, |ui| {
                ui.horizontal(|ui| {
                    icon_ui(ui, icons::NO_CONNECTION, 18.0, palette.warning);
                    ui.label(RichText::new("Nobody can reach you").font(theme::strong(text::BODY)));
                });
                ui.label(RichText::new(sentence(why)).color(palette.weak));
                if !fatal {
                    remark_ui(ui, "Visavis keeps trying.");
                }
            });
        }
    }
}

fn presence_ui(ui: &mut Ui, contact: &Contact) {
    let palette = theme::palette(ui.ctx());
    // The form says it as well as the colour: a disc is there, a ring is not.
    let (words, present) = match contact.presence {
        Presence::Online => ("Available", true),
        Presence::Offline => ("Offline", false),
        Presence::Unknown => ("", false),
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if !words.is_empty() {
            let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(10.0), egui::Sense::hover());
            if present {
                ui.painter().circle_filled(rect.center() + vec2(0.0, 3.0), 4.0, palette.present);
            } else {
                ui.painter().circle_stroke(rect.center() + vec2(0.0, 3.0), 3.5, egui::Stroke::new(1.5, palette.weak));
            }
            ui.label(RichText::new(words).size(text::SMALL).color(palette.weak));
        }
        if contact.verified {
            icon_ui(ui, icons::VERIFIED, 14.0, palette.present);
            ui.label(RichText::new("Verified").size(text::SMALL).color(palette.weak));
        }
        if contact.silent {
            ui.label(RichText::new("Rings silently").size(text::SMALL).color(palette.weak));
        }
        if contact.name != contact.handle {
            let handle = RichText::new(&contact.handle).size(text::SMALL).color(palette.weak);
            ui.add(egui::Label::new(handle).truncate());
        }
    });
}

/// A handle as it was typed or pasted: without a host it is one of the own server.
fn complete(typed: &str, me: Option<&Me>) -> String {
    let typed = typed.trim().to_lowercase();
    match me.and_then(|me| me.handle.split_once('@')) {
        Some((_, host)) if !typed.contains('@') => format!("{typed}@{host}"),
        _ => typed,
    }
}

fn matches(contact: &Contact, search: &str) -> bool {
    let search = search.trim().to_lowercase();
    contact.name.to_lowercase().contains(&search) || contact.handle.to_lowercase().contains(&search)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_host_is_on_the_own_server() {
        let me = Me { handle: "alice@example.org".into(), registered: true };
        assert_eq!(complete(" Bob ", Some(&me)), "bob@example.org");
        assert_eq!(complete("bob@example.net", Some(&me)), "bob@example.net");
        assert_eq!(complete("bob", None), "bob");
    }

    #[test]
    fn search_looks_at_name_and_handle() {
        let contact = Contact { handle: "bob@example.org".into(), name: "Robert".into(), ..Contact::default() };
        assert!(matches(&contact, "ROB") && matches(&contact, "bob@") && matches(&contact, " "));
        assert!(!matches(&contact, "alice"));
    }
}
