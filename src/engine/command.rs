//! What the engine is told: commands of a person, as plain data.

use super::handle::{AccountCommand, Appearance, CallNumber, DeviceChoice, DeviceId, Secret, Zoom};
use crate::call::UserConsent;

/// What a person (or a script) asks of the engine. Nothing here blocks: the outcome shows in the next snapshots.
#[derive(Debug)]
pub enum Command {
    /// Make an identity and register it. `handle` is the part before the `@`; `server` the address with key.
    CreateProfile {
        /// Name part of the handle.
        name: String,
        /// Server address as the server prints it.
        server: String,
    },
    /// Ring somebody. Calling is itself the consent to show and speak once they accept.
    Dial {
        /// Whom.
        handle: String,
        /// With picture.
        video: bool,
        /// The act of the person.
        consent: UserConsent,
    },
    /// Answer the call that rings.
    Accept {
        /// Which, as [`super::handle::Snapshot::call_number`] says; if another rings by now, nobody is answered.
        call: CallNumber,
        /// Show the own picture.
        video: bool,
        /// The act of the person.
        consent: UserConsent,
    },
    /// Refuse the call that rings.
    Decline {
        /// Which.
        call: CallNumber,
    },
    /// Stop ringing out, or end the call.
    HangUp {
        /// Which.
        call: CallNumber,
    },
    /// Leave the "call ended" state.
    Dismiss,
    /// Microphone on or off (packets keep flowing either way).
    SetMicrophone {
        /// On.
        on: bool,
    },
    /// Speaker on or off; off, the device is closed.
    SetSpeaker {
        /// On.
        on: bool,
    },
    /// Camera on or off.
    SetCamera {
        /// On.
        on: bool,
    },
    /// Look at oneself, outside a call; a call ends it.
    StartPreview {
        /// The act of the person.
        consent: UserConsent,
    },
    /// Close the camera again.
    StopPreview,
    /// Listen to the microphone, outside a call, to show how loud it is; a call ends it, also one that only rings.
    StartMicrophoneCheck {
        /// The act of the person.
        consent: UserConsent,
    },
    /// Play a tone on the speaker once, outside a call.
    PlayTestTone,
    /// Close what the microphone's check and the tone have opened.
    StopSoundCheck,
    /// Ask the system for its devices; they show in [`super::handle::Snapshot::devices`].
    ListDevices,
    /// Use these devices, now and in future.
    ChooseDevices(DeviceChoice),
    /// Light or dark, now and in future.
    SetAppearance(Appearance),
    /// Everything this large, now and in future.
    SetZoom(Zoom),
    /// Keep somebody as a contact. What is wrong with the text is said in the notice.
    AddContact {
        /// Their link, or `name@host`.
        whom: String,
    },
    /// Forget a contact.
    RemoveContact {
        /// Whom.
        handle: String,
    },
    /// Call a contact by another name.
    RenameContact {
        /// Whom.
        handle: String,
        /// The name; empty: the name part of the handle again.
        name: String,
    },
    /// Believe the new key that a contact has shown.
    TrustNewKey {
        /// Whose.
        handle: String,
    },
    /// Go on believing only the key that was known of a contact.
    KeepOldKey {
        /// Whose.
        handle: String,
    },
    /// The safety number was compared and is the same, or is not believed any more.
    SetVerified {
        /// Whose.
        handle: String,
        /// The same.
        verified: bool,
    },
    /// Show the safety number with a contact, or none any more.
    Compare {
        /// With whom.
        handle: Option<String>,
    },
    /// Show the calls of a contact without the bell, or with it again.
    SetSilent {
        /// Whose.
        handle: String,
        /// Without.
        silent: bool,
    },
    /// Make another link; the old one lets nobody ring any more.
    RenewLink,
    /// Keep the stranger who asked as a contact.
    AcceptRequest {
        /// As they call themselves.
        handle: String,
    },
    /// Forget that a stranger asked.
    DismissRequest {
        /// As they call themselves.
        handle: String,
    },
    /// Shut somebody out, contact or stranger: they never ring, and learn nothing.
    Block {
        /// Whom.
        handle: String,
    },
    /// Let somebody in again.
    Unblock {
        /// Whom.
        handle: String,
    },
    /// Show nothing of the profile until the passphrase is typed. Calls still ring and can be answered.
    Lock,
    /// Do that by itself when the window was not touched for so long.
    SetLockAfter {
        /// `None`: never.
        minutes: Option<u32>,
    },
    /// From the next call on: do or do not let the other side learn this machine's network addresses.
    SetHideAddress {
        /// By relay only.
        hide: bool,
    },
    /// Open the vault of a locked profile, or the lock of the window. A wrong passphrase is said in the notice.
    Unlock {
        /// As typed.
        passphrase: Secret,
    },
    /// Something about the account at the server.
    Account(AccountCommand),
    /// Protect the vault's key in another way.
    Protect(Protect),
    /// Show the recovery kit; it is in [`super::handle::OwnDevices::kit`] then.
    ShowKit,
    /// The person has kept the kit: this device forgets the account's root.
    KitIsKept,
    /// The kit is not wanted now.
    HideKit,
    /// Bring an account to this new profile by its kit.
    ImportKit {
        /// As printed.
        text: Secret,
    },
    /// Shut a device out of the account.
    RevokeDevice {
        /// Which.
        device: DeviceId,
        /// The kit, to sign by the root where this device does not have it.
        kit: Option<Secret>,
    },
    /// Show the code by which another device takes this new profile into its account.
    StartLink {
        /// Where the account is.
        server: String,
    },
    /// Read the code of a new device.
    ReadLink {
        /// As scanned or typed.
        code: Secret,
    },
    /// The numbers on both devices are the same: take the new one in.
    ConfirmLink {
        /// The kit, where this device does not have the root.
        kit: Option<Secret>,
    },
    /// Leave linking.
    CancelLink,
    /// Overwrite and forget everything of this profile.
    Wipe,
    /// End everything.
    Shutdown,
}

/// Another way to protect the vault's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protect {
    /// By this passphrase.
    Passphrase(Secret),
    /// By the system's keyring.
    Keyring,
    /// By nothing but the mode of a file.
    File,
}
