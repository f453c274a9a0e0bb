//! `visavis devices` and `visavis doctor` as programs: what they print can be read by others, and the exit code fits it.

mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::{Bench, said};

fn visavis(bench: &Bench, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off");
    command.args(arguments).args(["--profile", &bench.path("patient")]).env_remove("VISAVIS_SERVER");
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

fn state<'a>(report: &'a Value, part: &str) -> &'a str {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["part"] == part).unwrap_or_else(|| panic!("no {part}"));
    assert!(!check["words"].as_str().unwrap().is_empty());
    check["state"].as_str().unwrap()
}

#[test]
fn devices_are_listed_for_people_and_for_programs() {
    let bench = Bench::new();
    let list = json(&visavis(&bench, &["devices", "--json"]));
    assert_eq!(list["schema"], 1);
    let words = visavis(&bench, &["devices"]);
    assert!(words.status.success());
    let words = String::from_utf8(words.stdout).unwrap();
    for kind in ["cameras", "microphones", "speakers"] {
        assert!(words.contains(&format!("{kind}:")), "{words}");
        for name in list[kind].as_array().unwrap() {
            assert!(words.contains(name.as_str().unwrap()), "{name} is not in: {words}");
        }
    }
}

#[test]
fn the_doctor_finds_a_server_that_is_there_and_the_exit_code_fits_the_findings() {
    let bench = Bench::new();
    let output = visavis(&bench, &["doctor", "--json", "--server", &bench.server.address]);
    let report = json(&output);
    for part in ["clock", "network", "server"] {
        assert_eq!(state(&report, part), "ok", "{report}");
    }
    let missing = ["camera", "microphone", "speaker"].iter().all(|part| state(&report, part) == "warning");
    let expected = if missing || state(&report, "gpu") == "failed" { 4 } else { 0 };
    assert_eq!(output.status.code(), Some(expected), "{report}");
}

#[test]
fn where_nothing_can_be_drawn_doctor_and_demo_say_so_alike() {
    let bench = Bench::new();
    let picture = bench.path("picture.png");
    for arguments in [&["doctor"][..], &["demo", "--offscreen", "--picture", &picture]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        // No machine that runs this has it.
        let output =
            command.env("VISAVIS_KEYRING", "off").env("WGPU_BACKEND", "noop").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn what_hears_and_plays_nothing_is_no_device() {
    let bench = Bench::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off");
    // No server of sound: what is left is ALSA, if this machine has a card.
    let nowhere =
        [("PULSE_SERVER", "unix:/nowhere"), ("PULSE_RUNTIME_PATH", "/nowhere"), ("XDG_RUNTIME_DIR", "/nowhere")];
    let output = command.args(["devices", "--json"]).envs(nowhere).env("HOME", bench.path("home")).output().unwrap();
    let list = json(&output);
    let names = ["microphones", "speakers"].map(|kind| list[kind].as_array().unwrap().clone()).concat();
    assert!(!names.iter().any(|name| name.as_str().unwrap().starts_with("Discard all samples")), "{list}");
    assert!(!names.is_empty() || output.stderr.is_empty(), "without a card nobody complains: {}", said(&output));
}

#[test]
fn the_doctor_says_what_is_wrong_with_a_server() {
    let mut bench = Bench::new();
    let address = bench.server.address.clone();
    bench.server.child.kill().unwrap();
    bench.server.child.wait().unwrap();
    let gone = visavis(&bench, &["doctor", "--json", "--server", &address]);
    assert_eq!(state(&json(&gone), "server"), "failed");
    assert_eq!(gone.status.code(), Some(5));
    let nonsense = visavis(&bench, &["doctor", "--server", "not an address"]);
    assert_eq!(nonsense.status.code(), Some(5), "{}", said(&nonsense));
    let unknown = visavis(&bench, &["doctor", "--json"]);
    assert_eq!(state(&json(&unknown), "server"), "warning", "without a server there is nothing to try");
    assert!(!std::path::Path::new(&bench.path("patient")).exists(), "looking makes no profile");
}
