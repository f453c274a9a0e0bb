//! What can be wrong with a command line is said before anybody is rung and before anything is measured: files that cannot
//! be written, sources and devices that are not there, a handle that is the caller's own. Opens no device.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::args::MediaArgs;
use super::exit::{CliError, Exit};
use crate::capture::camera::native::NativeCameras;
use crate::engine::config::{SoundChoice, VideoChoice, VideoSettings};
use crate::engine::sources::check_source;
use crate::sound::devices::{SoundDevice, SoundKind, devices};
use crate::sound::{SoundError, wav};
use crate::store::profile::{Profile, Settings};
use crate::wire::address::{Handle, ServerAddress};

/// Whether the files that these options name can be written; what is there is left as it is. `-` is standard output, to which
/// only the documents of figures go.
pub fn check_outputs<'a>(outputs: impl IntoIterator<Item = (&'a str, Option<&'a Path>)>) -> Result<(), CliError> {
    let named = outputs.into_iter().filter_map(|(option, path)| Some((option, path?)));
    for (option, path) in named {
        if path == Path::new("-") {
            if ["--json", "--stats"].contains(&option) {
                continue;
            }
            return Err(CliError::new(
                Exit::Usage,
                format!("{option} writes to a file, not to standard output: name one"),
            ));
        }
        if let Err(error) = try_to_write(path) {
            let why = format!("{option} {}: {error}; choose a file in a folder that you can write to", path.display());
            return Err(CliError::new(Exit::Usage, why));
        }
    }
    Ok(())
}

/// Whether no file is named by two of these options of which one writes it: what is written would overwrite what is read, or
/// the other's. Devices and pipes may be shared.
pub fn check_apart(inputs: &[(&str, Option<&Path>)], outputs: &[(&str, Option<&Path>)]) -> Result<(), CliError> {
    let place =
        |(option, path): &(&str, Option<&Path>)| path.and_then(place_of).map(|place| ((*option).to_owned(), place));
    let mut taken: Vec<_> = inputs.iter().filter_map(place).collect();
    for (option, path) in outputs.iter().filter_map(place) {
        if let Some((other, _)) = taken.iter().find(|(_, known)| *known == path) {
            let why = format!("{other} and {option} name the same file, {}: name another for {option}", path.display());
            return Err(CliError::new(Exit::Usage, why));
        }
        taken.push((option, path));
    }
    Ok(())
}

/// Where a file lies or will lie, whatever it is called; `-` is standard output.
fn place_of(path: &Path) -> Option<PathBuf> {
    if path == Path::new("-") {
        return Some(path.into());
    }
    if let Ok(there) = fs::canonicalize(path) {
        return there.is_file().then_some(there);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
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

/// Says what of the sound files and devices that were asked for cannot be used. Who asks for none takes what is there, and a
/// call without sound goes on; what somebody asked for should be there.
pub fn check_sound(microphone: Option<&SoundChoice>, speaker: Option<&SoundChoice>) -> Result<(), CliError> {
    if let Some(SoundChoice::File(path)) = microphone {
        wav::microphone(path).map_err(CliError::failure)?;
    }
    if let Some(SoundChoice::File(path)) = speaker {
        check_outputs([("--speaker", Some(path.as_path()))])?;
    }
    for (kind, choice) in [(SoundKind::Microphone, microphone), (SoundKind::Speaker, speaker)] {
        let Some(SoundChoice::Device(wanted)) = choice else { continue };
        let fits = |name: &String, device: &SoundDevice| device.id == *name || device.name == *name;
        let is_wanted = |device: &SoundDevice| wanted.as_ref().is_none_or(|name| fits(name, device));
        if !devices().iter().any(|device| device.kind == kind && is_wanted(device)) {
            let any = if kind == SoundKind::Microphone { SoundError::NoMicrophone } else { SoundError::NoSpeaker };
            let error = wanted.clone().map_or(any, SoundError::NotFound);
            return Err(CliError::new(Exit::NoDevice, error));
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

/// Says what no server would take, before a profile is made for it.
pub fn check_name(media: &MediaArgs) -> Result<(), CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::new(Exit::Usage, error);
    let server = media.server.as_deref().map(str::parse::<ServerAddress>).transpose().map_err(|error| usage(&error))?;
    let host = server.as_ref().map_or("localhost", |server| server.host.as_str());
    let name = media.name.as_deref().map(|name| Handle::new(name, host)).transpose();
    name.map(drop).map_err(|error| usage(&error))
}

/// Says that the keys of a profile are gone which its settings speak of.
pub fn check_keys(profile: &Profile, settings: &Settings) -> Result<(), CliError> {
    let (Some(handle), None) = (&settings.handle, profile.identity().map_err(CliError::failure)?) else {
        return Ok(());
    };
    let file = profile.folder().join("identity.sealed");
    let remedy = "put the file back from a copy, or choose another profile with --profile";
    let why = format!("{} is missing: the profile was {handle}, but its keys are gone; {remedy}", file.display());
    Err(CliError::failure(why))
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
        let host = own.split_once('@').map_or("", |(_, host)| host);
        let other =
            media.name.as_deref().filter(|name| Handle::new(name, host).is_ok_and(|asked| asked.to_string() != *own));
        if let Some(other) = other {
            let remedy = "choose another with --profile, or leave --name out";
            return Err(usage(&format!("this profile is {own}, not {other}; {remedy}")));
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
    fn no_file_is_read_and_written_or_written_twice_under_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let (clip, new) = (folder.path().join("clip.y4m"), folder.path().join("new"));
        fs::write(&clip, "what was there").unwrap();
        let same = folder.path().join("../").join(folder.path().file_name().unwrap()).join("clip.y4m");
        let (also_new, none) = (folder.path().join("./new"), Path::new("/dev/null"));
        let check = |input: &Path, first: &Path, second: &Path| {
            check_apart(&[("--in", Some(input))], &[("--one", Some(first)), ("--other", Some(second))])
        };
        for (first, second, options) in [
            (same.as_path(), new.as_path(), ["--in", "--one"]),
            (new.as_path(), also_new.as_path(), ["--one", "--other"]),
        ] {
            let error = check(&clip, first, second).unwrap_err();
            assert_eq!(error.code(), Exit::Usage as u8);
            assert!(options.iter().all(|option| error.to_string().contains(option)), "{error}");
        }
        assert!(check(&clip, Path::new("-"), Path::new("-")).is_err());
        check(&clip, none, none).unwrap();
        check(&clip, &new, Path::new("-")).unwrap();
    }

    #[test]
    fn looking_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, new) = (folder.path().join("kept"), folder.path().join("new"));
        fs::write(&kept, "what was there").unwrap();
        let outputs = [("--json", Some(Path::new("-"))), ("--csv", Some(&kept)), ("--trace", Some(&new))];
        check_outputs(outputs).unwrap();
        assert!(check_outputs([("--csv", Some(Path::new("-")))]).is_err());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "what was there");
        assert!(!new.exists());
    }
}
