//! `visavis doctor`: looks at everything that a call needs and says in words what is wrong and what to do.
//!
//! Exit codes: 0 a call can be held (what is only missed is a warning: camera, microphone or speaker), 1 the clock is
//! wrong, 4 nothing can be drawn, or there is no camera, no microphone and no speaker, 5 no network or no server.
//!
//! What Mesa and ALSA say on standard error beside our words stays: only their own variables or handlers silence them,
//! and to set those in a running process is unsafe code. ALSA is not asked where it can know nothing.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::mpsc::sync_channel;
use std::thread::Builder;
use std::time::Duration;

use serde::Serialize;

use super::args::{DoctorArgs, ProfileArgs};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::output;
use crate::call::{CaptureGrant, UserConsent};
use crate::capture::camera::native::NativeCameras;
use crate::crypto::identity::ephemeral_key;
use crate::engine::config::VideoSettings;
use crate::engine::sources::examine_camera;
use crate::engine::{clock, devices};
use crate::net::client::connect;
use crate::render::gpu::Gpu;
use crate::wire::address::ServerAddress;
use crate::wire::signal::Role;

/// A part of the system that has not answered after this time does not.
const PATIENCE: Duration = Duration::from_secs(10);
/// The clock cannot be before this: 1 January 2026.
const EARLIEST: u64 = 1_767_225_600;
/// Longest time that a packet to this machine itself takes.
const LOOPBACK: Duration = Duration::from_secs(1);

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// A call can be held, but something will be missed.
    Warning,
    /// No call can be held.
    Failed,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Gpu,
    Camera,
    Microphone,
    Speaker,
    Clock,
    Network,
    Server,
}

#[derive(Clone, Debug, Serialize)]
struct Check {
    part: Part,
    state: State,
    /// What was found, or what is wrong and what to do.
    words: String,
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    version: &'static str,
    checks: Vec<Check>,
}

/// Looks at everything. A camera is opened for a moment, to see whether it can be; no picture is taken.
pub fn doctor(profile: &ProfileArgs, arguments: &DoctorArgs) -> Result<(), CliError> {
    // There is nothing to finish.
    let _interrupt = Interrupt::watch(|| std::process::exit(i32::from(Exit::Interrupted as u8)))?;
    let mut checks = vec![check_gpu(), check_camera()];
    checks.extend(check_sound());
    checks.push(check_clock(clock::unix_now()));
    checks.push(check_network());
    checks.push(check_server(profile, arguments));
    let exit = exit_of(&checks);
    let is_drawn = checks.iter().all(|it| it.part != Part::Gpu || it.state != State::Failed);
    if arguments.output.json {
        output::write_json("-".as_ref(), &Report { schema: 1, version: crate::VERSION, checks })?;
    } else {
        let line = |Check { part, state, words }: &Check| {
            let (part, state) = (format!("{part:?}").to_lowercase(), format!("{state:?}").to_lowercase());
            format!("{part:<11} {state:<8} {words}\n")
        };
        output::say(&checks.iter().map(line).collect::<String>())?;
    }
    match exit {
        Exit::Success => Ok(()),
        Exit::NoDevice if is_drawn => Err(CliError::new(exit, "there is no camera, no microphone and no speaker")),
        _ => Err(CliError::new(exit, "no call can be held from here; see what failed above")),
    }
}

fn exit_of(checks: &[Check]) -> Exit {
    let failed = |parts: &[Part]| checks.iter().any(|it| it.state == State::Failed && parts.contains(&it.part));
    let missing = |part| checks.iter().any(|it| it.part == part && it.state != State::Ok);
    if failed(&[Part::Clock]) {
        Exit::Failure
    } else if failed(&[Part::Gpu]) {
        Exit::NoDevice
    } else if failed(&[Part::Network, Part::Server]) {
        Exit::NoNetwork
    } else if [Part::Camera, Part::Microphone, Part::Speaker].into_iter().all(missing) {
        Exit::NoDevice
    } else {
        Exit::Success
    }
}

/// Asks something that may never answer on a thread of its own.
fn patiently<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = sync_channel(1);
    let asking = move || {
        let _ = answer.send(ask());
    };
    Builder::new().name("doctor".into()).spawn(asking).ok()?;
    answered.recv_timeout(PATIENCE).ok()
}

fn check_gpu() -> Check {
    let found = patiently(|| Gpu::open().map(|gpu| (gpu.name().to_owned(), gpu.backend(), gpu.is_software())));
    let (state, words) = match found {
        Some(Ok((name, backend, false))) => (State::Ok, format!("{name} by {backend}")),
        Some(Ok((name, backend, true))) => (
            State::Warning,
            format!("{name} by {backend} draws on the processor; install the drivers of your GPU if there is one"),
        ),
        Some(Err(error)) => (State::Failed, error.to_string()),
        None => (State::Failed, "the graphics driver does not answer; restart the computer".into()),
    };
    Check { part: Part::Gpu, state, words }
}

fn check_camera() -> Check {
    // Whoever asks the doctor wants to know whether the camera opens.
    let grant = CaptureGrant::for_preview(UserConsent::given_by_person());
    let found = patiently(move || examine_camera(&grant, None, VideoSettings::default(), &NativeCameras));
    let (state, words) = match found {
        Some(Ok((name, format))) => {
            let encoding = format!("{:?}", format.encoding).to_uppercase();
            (State::Ok, format!("{name}, {}×{} at {} in {encoding}", format.width, format.height, format.fps))
        }
        Some(Err(error)) => (State::Warning, error.to_string()),
        None => (State::Warning, "the camera's driver does not answer; plug the camera in again".into()),
    };
    Check { part: Part::Camera, state, words }
}

fn check_sound() -> [Check; 2] {
    let list = patiently(|| devices::list(&NativeCameras)).unwrap_or_default();
    let check = |part, names: &[String], remedy: &str| match names {
        [first, ..] => Check { part, state: State::Ok, words: first.clone() },
        [] => Check { part, state: State::Warning, words: remedy.into() },
    };
    [
        check(
            Part::Microphone,
            &list.microphones,
            "none was found, nobody will hear you; plug one in and check the sound settings",
        ),
        check(
            Part::Speaker,
            &list.speakers,
            "none was found, you will hear nobody; plug one in and check the sound settings",
        ),
    ]
}

fn check_clock(unix_now: u64) -> Check {
    if unix_now < EARLIEST {
        let words = "the date is in the past: keys will be taken for expired or not yet valid; set the date";
        return Check { part: Part::Clock, state: State::Failed, words: words.into() };
    }
    Check { part: Part::Clock, state: State::Ok, words: "the date can be right".into() }
}

/// Whether this machine lets a program send and receive UDP at all.
fn check_network() -> Check {
    let attempt = || -> std::io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LOOPBACK))?;
        socket.send_to(b"visavis", socket.local_addr()?)?;
        socket.recv_from(&mut [0; 16]).map(drop)
    };
    let (state, words) = match attempt() {
        Ok(()) => (State::Ok, "UDP packets go through this machine".into()),
        Err(error) => {
            let remedy = "let this program send and receive UDP in the firewall's settings";
            (State::Failed, format!("UDP does not work on this machine ({error}); {remedy}"))
        }
    };
    Check { part: Part::Network, state, words }
}

/// Whether the server of `--server`, or of the profile, answers and shows its key.
fn check_server(profile: &ProfileArgs, arguments: &DoctorArgs) -> Check {
    let check = |state, words: String| Check { part: Part::Server, state, words };
    let known = match &arguments.server {
        Some(server) => Ok(Some(server.clone())),
        None => profile.known_server(),
    };
    let server = match known {
        Ok(Some(server)) => server,
        Ok(None) => return check(State::Warning, "none is known yet; give one with --server ADDR to try it".into()),
        Err(error) => return check(State::Warning, format!("not tried: {error}")),
    };
    let address: ServerAddress = match server.parse() {
        Ok(address) => address,
        Err(error) => return check(State::Failed, format!("{error}")),
    };
    let attempt = || -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        let key = ephemeral_key(&mut rand::rng());
        // As somebody without a name who asks for nothing.
        runtime
            .block_on(connect(&address, &key, Role::Courier))
            .map(|link| link.domain)
            .map_err(|error| error.to_string())
    };
    match attempt() {
        Ok(domain) if domain == address.host => check(State::Ok, format!("{domain} answers and shows the right key")),
        Ok(domain) => {
            let words = format!("{} answers, but calls itself {domain}: use that name in its address", address.host);
            check(State::Warning, words)
        }
        Err(why) => check(State::Failed, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(part: Part, state: State) -> Check {
        Check { part, state, words: String::new() }
    }

    #[test]
    fn a_missing_camera_alone_is_no_failure_but_no_device_at_all_is() {
        let with = |camera, microphone, speaker| {
            exit_of(&[
                check(Part::Gpu, State::Warning),
                check(Part::Camera, camera),
                check(Part::Microphone, microphone),
                check(Part::Speaker, speaker),
                check(Part::Server, State::Warning),
            ])
        };
        assert_eq!(with(State::Warning, State::Ok, State::Ok), Exit::Success);
        assert_eq!(with(State::Ok, State::Warning, State::Warning), Exit::Success);
        assert_eq!(with(State::Warning, State::Warning, State::Warning), Exit::NoDevice);
    }

    #[test]
    fn what_makes_a_call_impossible_decides_first() {
        let devices = [Part::Camera, Part::Microphone, Part::Speaker].map(|part| check(part, State::Warning));
        let with = |part| exit_of(&[devices.to_vec(), vec![check(part, State::Failed)]].concat());
        assert_eq!(with(Part::Gpu), Exit::NoDevice, "as the bench and the demo say it");
        assert_eq!(with(Part::Clock), Exit::Failure);
        assert_eq!(with(Part::Network), Exit::NoNetwork);
        assert_eq!(with(Part::Server), Exit::NoNetwork);
    }

    #[test]
    fn a_date_in_the_past_is_noticed() {
        assert_eq!(check_clock(0).state, State::Failed);
        assert_eq!(check_clock(clock::unix_now()).state, State::Ok);
    }

    #[test]
    fn packets_to_this_machine_itself_arrive() {
        assert_eq!(check_network().state, State::Ok);
    }
}
