//! What control keeps in the profile's settings besides devices.

use super::Control;
use crate::engine::handle::{Appearance, Zoom};
use crate::store::profile::ProfileError;

impl Control {
    /// Light or dark from now on.
    pub(super) fn set_appearance(&mut self, appearance: Appearance) {
        self.appearance = appearance;
        let kept = self.profile.change_settings(|settings| settings.appearance = appearance);
        self.tell_error(kept);
    }

    /// Everything this large from now on.
    pub(super) fn set_zoom(&mut self, zoom: Zoom) {
        self.zoom = zoom;
        let kept = self.profile.change_settings(|settings| settings.zoom = zoom);
        self.tell_error(kept);
    }

    /// From the next call on: by relay only, or directly where that is possible.
    pub(super) fn set_hide_address(&mut self, hide: bool) {
        self.hide_address = hide;
        let kept = self.profile.change_settings(|settings| settings.hide_address = hide);
        self.tell_error(kept);
    }

    /// The server has taken the handle: from now on it is this profile's.
    pub(super) fn keep_registration(&mut self) -> Result<(), ProfileError> {
        self.profile.change_settings(|settings| {
            settings.handle = self.identity.as_ref().map(|identity| identity.handle().to_owned());
            settings.server = self.server.as_ref().map(ToString::to_string);
        })
    }
}
