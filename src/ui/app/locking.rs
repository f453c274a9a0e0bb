//! The window locks itself when nobody has touched it for the time that was chosen.

use std::time::Duration;

use egui::Ui;

use super::App;
use crate::engine::handle::{CallView, Command, Protection};
use crate::ui::action::Page;
use crate::ui::screens::contacts::Contacts;

impl App {
    /// Watches for touches, and locks when there were none for long enough. A call is a touch for as long as it lasts, and
    /// not what is left of it on the screen.
    pub(super) fn attend_lock(&mut self, ui: &Ui) {
        let (now_s, is_touched) = ui.input(|input| (input.time, !input.events.is_empty()));
        let in_call = !matches!(self.snapshot.call, CallView::Idle | CallView::Ended { .. });
        if is_touched || in_call {
            self.touched_s = now_s;
        }
        let may_lock = self.snapshot.protection == Protection::Passphrase && self.snapshot.started;
        let Some(after_min) = self.snapshot.lock_after_min.filter(|_| may_lock && !self.snapshot.locked) else {
            return;
        };
        let left_s = self.touched_s + f64::from(after_min) * 60.0 - now_s;
        if left_s > 0.0 {
            ui.ctx().request_repaint_after(Duration::from_secs_f64(left_s));
        } else {
            self.touched_s = now_s;
            let _ = self.handle.send(Command::Lock);
        }
    }

    /// What was typed and opened on the screens is nobody's business behind the lock.
    pub(super) fn forget_screens(&mut self) {
        self.page = Page::default();
        self.contacts = Contacts::default();
        self.account.forget();
        self.help = false;
        if self.scan.is_some() {
            let command = self.stop_scan();
            let _ = self.handle.send(command);
        }
    }
}
