//! What a person does on a screen. Screens only say it; [`super::App`] does it.

use crate::engine::handle::{Appearance, DeviceChoice, Zoom};

/// One act of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make an identity with this name at this server.
    CreateProfile {
        /// Name part of the handle.
        name: String,
        /// Server address with key.
        server: String,
    },
    /// Ring somebody.
    Call {
        /// Whom.
        handle: String,
        /// With picture.
        video: bool,
    },
    /// Answer, with or without the own picture.
    Accept {
        /// Show the own picture.
        video: bool,
    },
    /// Refuse the call that rings.
    Decline,
    /// End the call, or stop ringing.
    HangUp,
    /// Leave the "call ended" screen.
    Dismiss,
    /// Microphone on or off.
    Microphone(bool),
    /// Camera on or off.
    Camera(bool),
    /// Speaker on or off.
    Speaker(bool),
    /// Look at oneself outside a call.
    StartPreview,
    /// Turn that camera off.
    StopPreview,
    /// Listen to the microphone outside a call.
    StartMicrophoneCheck,
    /// Play a tone on the speaker.
    PlayTestTone,
    /// Close the microphone and the speaker of such a check.
    StopSoundCheck,
    /// Ask the system for its devices.
    ListDevices,
    /// Use these devices.
    ChooseDevices(DeviceChoice),
    /// Light or dark.
    Appearance(Appearance),
    /// Everything this large.
    Zoom(Zoom),
    /// Open another screen.
    Show(Page),
    /// Keep somebody as a contact.
    AddContact(String),
    /// Forget a contact.
    RemoveContact(String),
    /// Call a contact by another name.
    RenameContact {
        /// Whom.
        handle: String,
        /// The new name; empty: none.
        name: String,
    },
    /// Believe a contact's changed key.
    TrustNewKey(String),
    /// In or out of full screen.
    ToggleFullScreen,
    /// Show or hide the line of figures.
    ToggleHud,
    /// Show or hide the list of shortcuts.
    ToggleHelp,
    /// Something was copied.
    Copied(&'static str),
}

/// What is shown while there is no call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// The contacts.
    #[default]
    Contacts,
    /// Devices and appearance.
    Settings,
}
