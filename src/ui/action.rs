//! What a person does on a screen. Screens only say it; [`super::App`] does it.

use crate::engine::handle::{AccountCommand, Appearance, DeviceChoice, DeviceId, Protect, Secret, Zoom};

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
    /// Keep somebody as a contact, by link or handle.
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
    /// Do not.
    KeepOldKey(String),
    /// The safety number is the same, or is to be compared again.
    SetVerified {
        /// Whose.
        handle: String,
        /// The same.
        verified: bool,
    },
    /// Compare the safety number with a contact.
    Compare(String),
    /// Read a code with the camera.
    Scan(Purpose),
    /// Close the camera again.
    StopScan,
    /// Show a contact's calls without the bell, or with it again.
    SetSilent {
        /// Whose.
        handle: String,
        /// Without.
        silent: bool,
    },
    /// Make another link.
    RenewLink,
    /// Keep a stranger who asked.
    AcceptRequest(String),
    /// Forget that a stranger asked.
    DismissRequest(String),
    /// Shut somebody out.
    Block(String),
    /// Let somebody in again.
    Unblock(String),
    /// Open a locked profile.
    Unlock(Secret),
    /// Lock the window.
    Lock,
    /// Lock it by itself after so many minutes without a touch, or never.
    LockAfter(Option<u32>),
    /// Calls by relay only, or directly where possible.
    HideAddress(bool),
    /// Something about the account at the server.
    Account(AccountCommand),
    /// Protect the keys in another way.
    Protect(Protect),
    /// Show the recovery kit.
    ShowKit,
    /// The kit is written down.
    KitIsKept,
    /// The kit is not wanted now.
    HideKit,
    /// Bring an account to this new profile.
    ImportKit(Secret),
    /// Shut a device out of the account.
    RevokeDevice {
        /// Which.
        device: DeviceId,
        /// The kit, to sign with.
        kit: Option<Secret>,
    },
    /// Show the code of this new device, for an account at this server.
    StartLink(String),
    /// Read the code of a new device.
    ReadLink(Secret),
    /// Take it in; with the kit, where this device does not have the root.
    ConfirmLink(Option<Secret>),
    /// Leave linking.
    CancelLink,
    /// Overwrite everything of this profile.
    Wipe,
    /// In or out of full screen.
    ToggleFullScreen,
    /// Show the figures in the next size, or none.
    ToggleHud,
    /// Show or hide the list of shortcuts.
    ToggleHelp,
    /// Something was copied.
    Copied(&'static str),
}

/// What a code is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A link: keep its owner as a contact.
    Add,
    /// A safety number, to be compared with the own one.
    Compare,
    /// What a new device shows: take it into the account.
    LinkDevice,
}

impl Purpose {
    /// Where that is done.
    #[must_use]
    pub const fn page(self) -> Page {
        match self {
            Self::Add => Page::Contacts,
            Self::Compare => Page::Compare,
            Self::LinkDevice => Page::Settings,
        }
    }
}

/// What is shown while there is no call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// The contacts.
    #[default]
    Contacts,
    /// Devices and appearance.
    Settings,
    /// The safety number with a contact.
    Compare,
}
