//! `visavis profile`: what protects the keys of a profile, and how to change it.

use serde::Serialize;

use super::args::{ProfileArgs, ProfileCommand};
use super::exit::CliError;
use super::{output, passphrase};
use crate::store::vault::Protection;

/// What `status --json` prints.
#[derive(Serialize)]
struct Status<'a> {
    schema: u32,
    folder: &'a std::path::Path,
    protection: Protection,
    handle: Option<String>,
}

/// Does what was asked.
pub fn profile(profile: &ProfileArgs, command: &ProfileCommand) -> Result<(), CliError> {
    match command {
        ProfileCommand::Status(arguments) => {
            let profile = profile.open_as_it_is()?;
            let handle = profile.settings().map_err(CliError::failure)?.handle;
            let (folder, protection) = (profile.folder(), profile.protection());
            if arguments.json {
                return output::say_json(&Status { schema: 1, folder, protection, handle });
            }
            let who = handle.unwrap_or_else(|| "nobody yet".into());
            output::say(&format!("{who}\n{}\n{}\n", folder.display(), words(protection)))
        }
        ProfileCommand::Passphrase => {
            let mut profile = profile.open()?;
            let new = passphrase::ask_for_new()?;
            profile.protect_by_passphrase(&new).map_err(CliError::failure)?;
            output::say(&format!("{}\n", words(profile.protection())))
        }
        ProfileCommand::Keyring => {
            let mut profile = profile.open()?;
            profile.protect_by_keyring().map_err(CliError::failure)?;
            output::say(&format!("{}\n", words(profile.protection())))
        }
        ProfileCommand::NoPassphrase => {
            let mut profile = profile.open()?;
            profile.protect_by_file().map_err(CliError::failure)?;
            output::say(&format!("{}\n", words(profile.protection())))
        }
    }
}

/// What protects the keys, in words.
const fn words(protection: Protection) -> &'static str {
    match protection {
        Protection::Keyring => "The keys are sealed; the system's keyring opens them with your session.",
        Protection::Passphrase => "The keys are sealed under your passphrase, which is asked for at each start.",
        Protection::File => {
            "The keys are sealed under a key in a file that only your user can read: whoever can read your files can be \
             you. `visavis profile passphrase` protects them."
        }
    }
}
