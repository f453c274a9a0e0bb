//! `visavis account`: the devices of one's account, its recovery kit, and the end of a profile.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::args::{AccountDevicesCommand, ProfileArgs};
use super::call::{send, stopped, wait_for};
use super::exit::{CliError, Exit};
use super::output;
use crate::engine::Engine;
use crate::engine::config::{EngineConfig, SoundChoice, VideoChoice};
use crate::engine::handle::{
    AccountDevice, Command, EngineHandle, LinkView, OwnDevices, Secret, ServerStatus, Snapshot,
};

/// Longest time for anything that the server has to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a new device waits to be taken in.
const LINK: Duration = Duration::from_secs(crate::crypto::link::CODE_LIFE_S);
/// Longest file that is read as a kit.
const MAX_KIT_BYTES: u64 = 64 * 1024;

/// A device, for `devices --json`.
#[derive(Serialize)]
struct Listed {
    device: String,
    added_unix_s: u64,
    this: bool,
}

/// Does what was asked.
pub fn account_devices(profile: &ProfileArgs, command: &AccountDevicesCommand) -> Result<(), CliError> {
    match command {
        AccountDevicesCommand::Devices(arguments) => {
            let session = Session::start(profile)?;
            let listed: Vec<Listed> = session.account().devices.iter().map(list).collect();
            if arguments.json {
                return output::say_json(&listed);
            }
            let line = |device: &Listed| {
                let this = if device.this { "  (this one)" } else { "" };
                format!("{}  added {}{this}\n", device.device, day(device.added_unix_s))
            };
            output::say(&listed.iter().map(line).collect::<String>())
        }
        AccountDevicesCommand::ExportKit { file } => export_kit(profile, file),
        AccountDevicesCommand::ImportKit { file } => {
            let text = read_kit(file)?;
            let mut session = Session::start(profile)?;
            session.ask(Command::ImportKit { text })?;
            let me = session.until(PATIENCE, is_online)?.me.map(|me| me.handle).unwrap_or_default();
            output::say(&format!("{me}\nThis profile is a device of the account now. The root was not kept.\n"))
        }
        AccountDevicesCommand::Revoke { device, kit } => {
            let kit = kit.as_deref().map(read_kit).transpose()?;
            let mut session = Session::online(profile)?;
            let wanted = device.to_ascii_lowercase();
            let devices = session.account().devices.clone();
            let found: Vec<_> = devices.iter().filter(|device| name(device).starts_with(&wanted)).collect();
            let [found] = found[..] else {
                let why = format!("{device} is not one device of the account; see `visavis account devices`");
                return Err(CliError::new(Exit::Usage, why));
            };
            let id = found.id;
            session.ask(Command::RevokeDevice { device: id, kit })?;
            session.until(PATIENCE, |now| now.own.devices.iter().all(|device| device.id != id) && is_online(now))?;
            output::say("The device is no longer part of the account, and wipes itself when it learns of it.\n")
        }
        AccountDevicesCommand::Link { server } => link(profile, server),
        AccountDevicesCommand::AddDevice { code, kit } => add_device(profile, code, kit.as_deref()),
        AccountDevicesCommand::Wipe { yes } => {
            if !yes {
                let why = "this overwrites the keys and contacts of the profile, for good; say so with --yes";
                return Err(CliError::new(Exit::Usage, why));
            }
            // Its passphrase is not needed: whoever may remove the files may do this too.
            profile.open_as_it_is()?.wipe().map_err(CliError::failure)?;
            output::say("Everything of this profile has been overwritten and removed.\n")
        }
    }
}

/// Writes the kit, and only then lets the root go.
fn export_kit(profile: &ProfileArgs, file: &Path) -> Result<(), CliError> {
    let mut session = Session::start(profile)?;
    session.ask(Command::ShowKit)?;
    let snapshot = session.until(PATIENCE, |now| now.own.kit.is_some())?;
    let Some(kit) = &snapshot.own.kit else { return Err(CliError::failure("there is no kit")) };
    if file == Path::new("-") {
        output::say(kit.expose())?;
    } else {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let write = || -> io::Result<()> {
            let mut written = options.open(file)?;
            written.write_all(kit.expose().as_bytes())?;
            written.sync_all()
        };
        let remedy = "choose another file; the root is still on this device";
        write().map_err(|error| CliError::failure(format!("{}: {error}; {remedy}", file.display())))?;
    }
    session.ask(Command::KitIsKept)?;
    session.until(PATIENCE, |now| !now.own.has_root)?;
    eprintln!("The root of the account has left this device: keep the kit where nobody else finds it.");
    Ok(())
}

/// This new profile waits to be taken into an account.
fn link(profile: &ProfileArgs, server: &str) -> Result<(), CliError> {
    let mut session = Session::start(profile)?;
    session.ask(Command::StartLink { server: server.to_owned() })?;
    let waiting = session.until(PATIENCE, |now| now.own.link != LinkView::None)?;
    if let LinkView::Waiting { code, number } = &waiting.own.link {
        output::say(&format!("{}\n{number}\n", code.expose()))?;
        eprintln!("On a device of the account: visavis account add-device CODE. It must show the same number.");
    }
    let me = session.until(LINK, is_online)?.me.map(|me| me.handle).unwrap_or_default();
    output::say(&format!("{me}\n"))
}

/// Takes a new device in, if the person says that both show the same number.
fn add_device(profile: &ProfileArgs, code: &str, kit: Option<&Path>) -> Result<(), CliError> {
    let kit = kit.map(read_kit).transpose()?;
    let mut session = Session::online(profile)?;
    session.ask(Command::ReadLink { code: Secret::new(code.to_owned()) })?;
    let compared = session.until(PATIENCE, |now| matches!(now.own.link, LinkView::Comparing { .. }))?;
    if let LinkView::Comparing { number } = &compared.own.link {
        eprint!("{number}\nDoes the new device show this number? [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(CliError::failure)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            return Err(CliError::failure("the new device was not taken in"));
        }
    }
    let before = session.account().devices.len();
    session.ask(Command::ConfirmLink { kit })?;
    session.until(PATIENCE, |now| now.own.devices.len() > before && is_online(now))?;
    output::say("The new device is part of the account.\n")
}

/// An engine without camera and sound.
struct Session {
    handle: EngineHandle,
    _engine: Engine,
    /// The newest notice before something was asked.
    noticed: u64,
}

impl Session {
    fn start(profile: &ProfileArgs) -> Result<Self, CliError> {
        let config = EngineConfig {
            video_source: Some(VideoChoice::None),
            microphone: Some(SoundChoice::None),
            speaker: Some(SoundChoice::None),
            ..EngineConfig::default()
        };
        let (engine, mut handle) = Engine::start(profile.open()?, config).map_err(CliError::failure)?;
        match handle.wait_for(Some(PATIENCE), |now| now.started) {
            Some(_) => Ok(Self { handle, _engine: engine, noticed: 0 }),
            None => Err(stopped(engine)),
        }
    }

    fn online(profile: &ProfileArgs) -> Result<Self, CliError> {
        let mut session = Self::start(profile)?;
        if session.handle.snapshot().me.is_none() {
            return Err(CliError::new(Exit::Usage, "this profile has no account yet"));
        }
        let now = wait_for(&mut session.handle, Some(PATIENCE), |now| is_online(now) || is_fatal(now))?;
        if !is_online(&now) {
            session.until(Duration::ZERO, is_online)?;
        }
        // What has happened to the account meanwhile is news, not a failure.
        if let Some((number, news)) = now.notice {
            eprintln!("{news}");
            session.noticed = number;
        }
        Ok(session)
    }

    fn account(&self) -> std::sync::Arc<OwnDevices> {
        std::sync::Arc::clone(&self.handle.snapshot().own)
    }

    fn ask(&mut self, command: Command) -> Result<(), CliError> {
        self.noticed = newest(&self.handle.snapshot());
        send(&self.handle, command)
    }

    /// Waits until that holds; what goes wrong meanwhile is the error.
    fn until(&mut self, patience: Duration, holds: impl Fn(&Snapshot) -> bool) -> Result<Snapshot, CliError> {
        let before = self.noticed;
        let decided = |now: &Snapshot| holds(now) || newest(now) > before || is_fatal(now);
        let now = wait_for(&mut self.handle, Some(patience), decided)?;
        if holds(&now) {
            return Ok(now);
        }
        match (&now.notice, &now.server) {
            (Some((number, why)), _) if *number > before => Err(CliError::failure(why)),
            (_, ServerStatus::Offline { why, .. }) => Err(CliError::new(Exit::NoNetwork, why)),
            _ => Err(CliError::failure("nothing came of it in time; try again")),
        }
    }
}

fn newest(now: &Snapshot) -> u64 {
    now.notice.as_ref().map_or(0, |(number, _)| *number)
}

const fn is_fatal(now: &Snapshot) -> bool {
    matches!(now.server, ServerStatus::Offline { fatal: true, .. })
}

fn is_online(now: &Snapshot) -> bool {
    now.server == ServerStatus::Online && now.me.as_ref().is_some_and(|me| me.registered)
}

fn name(device: &AccountDevice) -> String {
    BASE32_NOPAD.encode(&device.id).to_ascii_lowercase()
}

fn list(device: &AccountDevice) -> Listed {
    Listed { device: name(device), added_unix_s: device.added_unix_s, this: device.is_this }
}

/// `YYYY-MM-DD` in UTC (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn day(unix_s: u64) -> String {
    let days = unix_s / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{date:02}")
}

fn read_kit(file: &Path) -> Result<Secret, CliError> {
    let mut text = Zeroizing::new(String::new());
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MAX_KIT_BYTES).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|opened| opened.take(MAX_KIT_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| CliError::failure(format!("{}: {error}; name the file of the kit", file.display())))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (unix_s, words) in [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (1_800_000_000, "2027-01-15")] {
            assert_eq!(day(unix_s), words);
        }
    }
}
