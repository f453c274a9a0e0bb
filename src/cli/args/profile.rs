//! Which profile is meant, and how it is opened.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::exit::{CliError, Exit};
use crate::cli::passphrase;
use crate::store::profile::Profile;

/// Whose identity, contacts and settings. An option outranks its variable, which outranks the settings.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// Profile: a name, or the path of a folder.
    #[arg(long, global = true, env = "VISAVIS_PROFILE", default_value = "default", value_name = "NAME|DIR", value_parser = parse_profile)]
    pub profile: String,
    /// Settings file (TOML) in place of the profile's own `settings.toml`.
    #[arg(long, global = true, env = "VISAVIS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the key of a new profile goes: the system's keyring, if there is one, or a file that only you can read.
    #[arg(long, global = true, env = "VISAVIS_KEYRING", value_enum, default_value_t = KeyringArg::Auto)]
    pub keyring: KeyringArg,
}

/// Whether the system's keyring is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyringArg {
    /// If there is one.
    Auto,
    /// Not even looked for.
    Off,
}

/// A name that is one: the data folder itself, or what lies above it, is nobody's profile.
fn parse_profile(text: &str) -> Result<String, String> {
    if ["", ".", ".."].contains(&text) {
        return Err(
            "that is neither a name nor a folder of its own; give a name like 'work', or a path like ./work".into()
        );
    }
    Ok(text.to_owned())
}

impl ProfileArgs {
    /// Opens the profile, with its passphrase if it has one.
    pub fn open(&self) -> Result<Profile, CliError> {
        let mut profile = self.open_as_it_is()?;
        if profile.is_locked() {
            profile.unlock(&passphrase::ask()?).map_err(CliError::failure)?;
        }
        Ok(profile)
    }

    /// The server of the profile; none where there is no profile, which is not made.
    pub fn known_server(&self) -> Result<Option<String>, CliError> {
        if self.config.is_none() && !Profile::folder_of(&self.profile).map_err(CliError::failure)?.exists() {
            return Ok(None);
        }
        Ok(self.open_as_it_is()?.settings().map_err(CliError::failure)?.server)
    }

    /// Opens the profile, locked if it is.
    pub fn open_as_it_is(&self) -> Result<Profile, CliError> {
        let profile =
            Profile::open_named(&self.profile, self.keyring == KeyringArg::Auto).map_err(CliError::failure)?;
        match &self.config {
            Some(path) => profile.with_settings(path).map_err(|error| CliError::new(Exit::Usage, error)),
            None => Ok(profile),
        }
    }
}
