//! The app lock: the window shows nothing of the profile until its passphrase is typed, while calls still ring and can be
//! answered. The keys stay in memory, since without them nobody could call: who can read that is stopped by the vault only.

use super::Control;
use crate::engine::handle::{CallView, Command, Protection};
use crate::engine::secret::Secret;

/// Longest time after which the window locks itself, in minutes.
const LONGEST_MIN: u32 = 24 * 60;

impl Control {
    /// After so many minutes without a touch the window locks itself from now on; `None`: never.
    pub(super) fn set_lock_after(&mut self, after_min: Option<u32>) {
        let after_min = after_min.map(|after| after.clamp(1, LONGEST_MIN));
        self.lock_after_min = after_min;
        let kept = self.profile.change_settings(|settings| settings.lock_after_min = after_min);
        self.tell_error(kept);
    }

    /// Shows nothing of the profile until the passphrase is typed. A call goes on; it is locked after it.
    pub(super) fn lock_app(&mut self) {
        if self.profile.protection() != Protection::Passphrase {
            return self.tell("only a passphrase opens the lock: set one first");
        }
        self.stop_preview();
        self.sound_check.stop();
        self.cancel_link();
        (self.comparison, self.kit, self.is_app_locked) = (None, None, true);
        if matches!(self.call, CallView::Ended { .. }) {
            self.call = CallView::Idle;
        }
    }

    /// The person gives the passphrase.
    pub(super) fn unlock_app(&mut self, passphrase: &Secret) {
        match self.profile.check_passphrase(passphrase.expose()) {
            Ok(()) => self.is_app_locked = false,
            Err(error) => self.tell(&error.to_string()),
        }
    }

    /// Whether this may be asked now: behind the lock only what belongs to a call that came, and the way out.
    pub(super) fn is_open_to(&self, command: &Command) -> bool {
        !self.is_app_locked
            || matches!(
                command,
                Command::Accept { .. }
                    | Command::Decline { .. }
                    | Command::HangUp { .. }
                    | Command::Dismiss
                    | Command::SetMicrophone { .. }
                    | Command::SetSpeaker { .. }
                    | Command::SetCamera { .. }
                    | Command::ListDevices
                    | Command::ChooseDevices(_)
                    | Command::SetAppearance(_)
                    | Command::SetZoom(_)
                    | Command::StopPreview
                    | Command::StopSoundCheck
                    | Command::Unlock { .. }
                    | Command::Lock
                    | Command::Shutdown
            )
    }
}
