//! Strangers who called: nothing rang. The person decides whether they become contacts, are shut out, or are forgotten.

use egui::{RichText, Ui};

use crate::engine::clock;
use crate::engine::handle::{Request, Snapshot};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::theme::{self, space, text};
use crate::ui::widgets::buttons::{TextButton, Tone};
use crate::ui::widgets::page::{alert_ui, card_ui, heading_ui, line_between_ui, remark_ui};

/// Draws the requests, if there are any.
pub fn requests_ui(ui: &mut Ui, requests: &[Request]) -> Option<Action> {
    if requests.is_empty() {
        return None;
    }
    let now_s = clock::unix_now();
    let mut done = None;
    card_ui(ui, |ui| {
        heading_ui(ui, "Requests");
        remark_ui(ui, "People who are not your contacts tried to call. Nothing rang, and they learnt nothing.");
        for (index, request) in requests.iter().enumerate() {
            if index > 0 {
                line_between_ui(ui);
            }
            done = done.take().or(request_ui(ui, request, now_s));
        }
    });
    ui.add_space(space(2));
    done
}

fn request_ui(ui: &mut Ui, request: &Request, now_s: u64) -> Option<Action> {
    let handle = &request.handle;
    ui.add_space(space(1));
    if request.confirmed {
        ui.label(RichText::new(handle).font(theme::strong(text::BODY)));
    } else {
        ui.label(RichText::new("Unconfirmed caller").font(theme::strong(text::BODY)));
        alert_ui(ui, &format!("claims to be {handle}, which the server did not confirm"), false);
    }
    let last = ago(now_s.saturating_sub(request.last_s));
    let words = match request.count {
        1 => format!("Called {last}"),
        count => format!("Called {count} times, first {}, last {last}", ago(now_s.saturating_sub(request.first_s))),
    };
    remark_ui(ui, &words);
    let mut done = None;
    ui.horizontal_wrapped(|ui| {
        let name = format!("Add {handle} as a contact");
        if request.confirmed && ui.add(TextButton::new("Add", Tone::Main).icon(icons::ADD_PERSON).name(&name)).clicked()
        {
            done = Some(Action::AcceptRequest(handle.clone()));
        }
        let name = format!("Block {handle}");
        if ui.add(TextButton::new("Block", Tone::Plain).icon(icons::PROHIBITED).name(&name)).clicked() {
            done = Some(Action::Block(handle.clone()));
        }
        let name = format!("Forget that {handle} called");
        if ui.add(TextButton::new("Forget", Tone::Quiet).name(&name)).clicked() {
            done = Some(Action::DismissRequest(handle.clone()));
        }
    });
    done
}

/// Who is shut out, with the way back, for the settings.
pub fn blocked_ui(ui: &mut Ui, snapshot: &Snapshot) -> Option<Action> {
    let mut done = None;
    if snapshot.blocked.is_empty() {
        remark_ui(ui, "Nobody is blocked.");
    }
    for handle in &*snapshot.blocked {
        ui.horizontal(|ui| {
            ui.label(handle);
            let name = format!("Let {handle} in again");
            if ui.add(TextButton::new("Let in again", Tone::Quiet).name(&name)).clicked() {
                done = Some(Action::Unblock(handle.clone()));
            }
        });
    }
    done
}

/// How long ago something was, roughly, as people say it.
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".into(),
        60..120 => "a minute ago".into(),
        120..3600 => format!("{} minutes ago", seconds / 60),
        3600..7200 => "an hour ago".into(),
        7200..86_400 => format!("{} hours ago", seconds / 3600),
        86_400..172_800 => "a day ago".into(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [5, 60, 150, 3600, 10_000, 90_000, 400_000].map(ago);
        let expected =
            ["just now", "a minute ago", "2 minutes ago", "an hour ago", "2 hours ago", "a day ago", "4 days ago"];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_name_that_nobody_confirmed_cannot_be_taken_for_one_that_is() {
        let request =
            |handle: &str, confirmed| Request { handle: handle.into(), confirmed, count: 1, ..Request::default() };
        let requests = [request("carol@example.org", true), request("bob@example.org", false)];
        let mut harness = Harness::builder().with_size(egui::vec2(600.0, 600.0)).build_ui(move |ui| {
            theme::install(ui.ctx());
            requests_ui(ui, &requests);
        });
        harness.run_steps(2);
        harness.get_by_label("carol@example.org");
        harness.get_by_label("Unconfirmed caller");
        assert!(harness.query_by_label("bob@example.org").is_none());
        harness.get_by_label("Add carol@example.org as a contact");
        assert!(harness.query_by_label("Add bob@example.org as a contact").is_none());
        harness.get_by_label("Block bob@example.org");
    }
}
