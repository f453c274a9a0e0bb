//! What can be wrong with a command line is said before anybody is rung and before anything is measured: files that cannot
//! be written, sources and devices that are not there, a handle that is the caller's own. Opens no device.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use super::args::MediaArgs;
use super::exit::{CliError, Exit};
use crate::capture::camera::native::NativeCameras;
use crate::engine::config::{SoundChoice, VideoChoice, VideoSettings};
use crate::engine::sources::check_source;
use crate::sound::devices::{SoundKind, devices};
use crate::sound::{SoundError, wav};
use crate::store::profile::Settings;
use crate::wire::address::{Handle, ServerAddress};

/// Whether the files that these options name can be written; what is there is left as it is. `-` is standard output.
pub fn check_outputs<'a>(outputs: impl IntoIterator<Item = (&'a str, Option<&'a Path>)>) -> Result<(), CliError> {
    let named = outputs.into_iter().filter_map(|(option, path)| Some((option, path?)));
    for (option, path) in named.filter(|(_, path)| *path != Path::new("-")) {
        if let Err(error) = try_to_write(path) {
            let why = format!("{option} {}: {error}; choose a file in a folder that you can write to", path.display());
            return Err(CliError::new(Exit::Usage, why));
        }
    }
    Ok(())
}

fn try_to_write(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if there.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        // To open a pipe is to wait for its reader.
        Ok(_) => Ok(()),
        Err(_) => {
            OpenOptions::new().write(true).create_new(true).open(path)?;
            fs::remove_file(path)
        }
    }
}

/// Says what of the asked sound files and named devices cannot be used. Without the system's own choice a call goes on;
/// what somebody named should be there.
pub fn check_sound(microphone: Option<&SoundChoice>, speaker: Option<&SoundChoice>) -> Result<(), CliError> {
    if let Some(SoundChoice::File(path)) = microphone {
        wav::microphone(path).map_err(CliError::failure)?;
    }
    if let Some(SoundChoice::File(path)) = speaker {
        check_outputs([("--speaker", Some(path.as_path()))])?;
    }
    for (kind, choice) in [(SoundKind::Microphone, microphone), (SoundKind::Speaker, speaker)] {
        let Some(SoundChoice::Device(Some(name))) = choice else { continue };
        if !devices().iter().any(|device| device.kind == kind && (device.id == *name || device.name == *name)) {
            return Err(CliError::new(Exit::NoDevice, SoundError::NotFound(name.clone())));
        }
    }
    Ok(())
}

/// Says what of the source of pictures that `option` asks for is not there.
pub fn check_video(option: &str, source: &VideoChoice, video: VideoSettings) -> Result<(), CliError> {
    check_source(source, video, &NativeCameras).map_err(|error| match source {
        VideoChoice::Device(_) => CliError::new(Exit::NoDevice, format!("{error}; or use {option} pattern or none")),
        _ => CliError::failure(error),
    })
}

/// Who somebody becomes.
pub struct NewIdentity {
    /// The name part of the handle.
    pub name: String,
    /// The server.
    pub server: ServerAddress,
}

/// Says what does not fit between what was asked for and who the profile is; gives who it becomes, if it is new.
pub fn check_identity(
    media: &MediaArgs,
    settings: &Settings,
    whom: Option<&Handle>,
) -> Result<Option<NewIdentity>, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::new(Exit::Usage, error);
    let asked = media.server.as_deref().map(str::parse::<ServerAddress>).transpose().map_err(|error| usage(&error))?;
    let (own, new) = if let Some(own) = &settings.handle {
        let kept = settings.server.as_deref().unwrap_or_default();
        if asked.is_some_and(|asked| asked.to_string() != kept) {
            let remedy = "choose another with --profile, or leave --server out";
            return Err(usage(&format!("this profile belongs to the server {kept}; {remedy}")));
        }
        (own.clone(), None)
    } else {
        let kept = settings.server.as_deref().map(str::parse).transpose().map_err(|error| usage(&error))?;
        let (Some(name), Some(server)) = (media.name.clone(), asked.or(kept)) else {
            let remedy = "give --name NAME and --server ADDR (as the server prints it) once";
            return Err(usage(&format!("the profile is new: {remedy}")));
        };
        let own = Handle::new(&name, &server.host).map_err(|error| usage(&error))?;
        (own.to_string(), Some(NewIdentity { name, server }))
    };
    if whom.is_some_and(|whom| whom.to_string() == own) {
        return Err(usage(&format!("{own} is your own handle; ask the other person for theirs")));
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_named_with_its_option() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/folder.json");
        for bad in [missing.as_path(), folder.path()] {
            let error = check_outputs([("--csv", None), ("--stats", Some(bad))]).unwrap_err();
            assert_eq!(error.code(), Exit::Usage as u8);
            assert!(error.to_string().starts_with(&format!("--stats {}: ", bad.display())), "{error}");
        }
    }

    #[test]
    fn looking_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, new) = (folder.path().join("kept"), folder.path().join("new"));
        fs::write(&kept, "what was there").unwrap();
        let outputs = [("--json", Some(Path::new("-"))), ("--csv", Some(&kept)), ("--trace", Some(&new))];
        check_outputs(outputs).unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "what was there");
        assert!(!new.exists());
    }
}
