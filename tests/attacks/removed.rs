//! A device that was shut out keeps its keys: somebody has copied its whole profile, does not let it be wiped, and brings it
//! back as often as they like.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::support::{Bench, SILENT, Talker, online, said};

/// The program over the profile of this name, without a keyring.
fn visavis(bench: &Bench, profile: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off").args(["--profile", &bench.path(profile)]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(bench: &Bench, profile: &str, arguments: &[&str]) -> Output {
    let output = visavis(bench, profile, arguments).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    output
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Accepts one call without asking.
fn answering(bench: &Bench, profile: &str) -> Command {
    let mut command =
        visavis(bench, profile, &["answer", "--once", "--auto-accept", "--accept-strangers", "--size", "160x96"]);
    command.args(SILENT);
    command
}

fn call(bench: &Bench) -> Output {
    bench.call("alice", "bob", &[SILENT.as_slice(), &["--seconds", "2"]].concat())
}

#[test]
fn a_copy_of_a_device_that_was_shut_out_is_let_in_nowhere_and_takes_no_call() {
    let bench = Bench::new();
    let mut first = bench.answering("bob", &SILENT);
    first.kill().unwrap();
    first.wait().unwrap();
    let kit = bench.path("kit.txt");
    run(&bench, "bob", &["account", "export-kit", &kit]);
    run(&bench, "lost", &["account", "import-kit", &kit]);
    let copied = |name: &str| copy(Path::new(&bench.path("lost")), Path::new(&bench.path(name)));
    for name in ["control", "before", "during"] {
        copied(name);
    }

    // As long as it is a device of the account, so is its copy.
    let control = online(&mut answering(&bench, "control"), "bob");
    let taken = call(&bench);
    assert!(taken.status.success(), "{}", said(&taken));
    assert!(control.wait_with_output().unwrap().status.success());

    let devices = run(&bench, "lost", &["account", "devices", "--json"]);
    let devices: serde_json::Value = serde_json::from_slice(&devices.stdout).unwrap();
    let lost = devices.as_array().unwrap().iter().find(|device| device["this"] == true).unwrap();
    let lost = lost["device"].as_str().unwrap()[..12].to_owned();
    run(&bench, "bob", &["account", "revoke", &lost, "--kit", &kit]);

    // It comes back with all of its keys: it is told why it may not, and wipes itself.
    let back = answering(&bench, "before").output().unwrap();
    assert!(!back.status.success() && back.stdout.is_empty(), "{}", said(&back));
    let left: Vec<_> = fs::read_dir(bench.path("before")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == "identity.sealed"), "{left:?}");

    // Nobody can be reached by it, whoever still believes in it.
    let knocking = answering(&bench, "during").spawn().unwrap();
    let missed = call(&bench);
    assert!(!missed.status.success() && said(&missed).contains("offline"), "{}", said(&missed));
    let (went_well, words) = Talker::new(knocking).end();
    assert!(!went_well && !words.iter().any(|word| word.contains("calls")), "{words:?}");

    // The account's own device takes the call, with another copy in the way. To the server alice is a stranger, of whom it takes
    // only so many letters: one in ten seconds, once the first eight are used up.
    std::thread::sleep(Duration::from_secs(25));
    copied("again");
    let knocking = Talker::new(answering(&bench, "again").spawn().unwrap());
    let first = online(&mut answering(&bench, "bob"), "bob");
    let taken = call(&bench);
    assert!(taken.status.success(), "{}", said(&taken));
    assert!(first.wait_with_output().unwrap().status.success());
    drop(knocking);
}
