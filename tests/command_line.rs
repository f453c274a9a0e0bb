//! The command line by itself: what is asked wrongly, which setting counts, and under which name a server is reached.

mod support;

use std::process::{Command, Output, Stdio};

use support::{Bench, SILENT, Server, said, server_command};

fn visavis(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off");
    command.args(arguments);
    command
}

/// Calls nobody, from a profile that is new, at the bench's server.
fn call_nobody(bench: &Bench, name: &str, options: &[&str]) -> Output {
    bench.call(name, "nobody", &[&SILENT[..], options].concat())
}

#[test]
fn whom_one_cannot_call_is_said_before_anything_rings() {
    let bench = Bench::new();
    for bad in ["bob", "bob@", "@127.0.0.1", "bo b@127.0.0.1", "bob@127.0.0.1:4474"] {
        let output = bench.client("call", "alice").arg(bad).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", said(&output));
        assert!(said(&output).contains("name@host"), "{bad}: {}", said(&output));
    }
    // Before there is a profile, and with it.
    for _ in 0..2 {
        let oneself = bench.call("alice", "Alice", &SILENT);
        assert_eq!(oneself.status.code(), Some(2), "{}", said(&oneself));
        assert!(said(&oneself).contains("your own handle"), "{}", said(&oneself));
        assert_eq!(call_nobody(&bench, "alice", &[]).status.code(), Some(1));
    }
    let elsewhere = bench.client("call", "alice").arg("bob@elsewhere.example").args(SILENT).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(1), "{}", said(&elsewhere));
    assert!(said(&elsewhere).contains("another server than 127.0.0.1"), "{}", said(&elsewhere));
    assert!(!said(&elsewhere).contains("calling"), "{}", said(&elsewhere));
}

#[test]
fn an_option_outranks_a_variable_which_outranks_the_settings_file() {
    let bench = Bench::new();
    let file = bench.path("settings.toml");
    std::fs::write(&file, "[devices]\ncamera = \"No Such Camera\"\n").unwrap();
    let run = |options: &[&str], variable: bool| {
        let mut command = bench.client("call", "alice");
        command.args(["bob@127.0.0.1", "--config", &file]).args(SILENT).args(options);
        if variable {
            command.env("VISAVIS_VIDEO_SOURCE", "variable.y4m");
        }
        let output = command.output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, words) = run(&[], false);
    assert!(code == Some(4) && words.contains("camera"), "{words}");
    let (code, words) = run(&[], true);
    assert!(code == Some(1) && words.contains("variable.y4m"), "{words}");
    let (code, words) = run(&["--video-source", "option.y4m"], true);
    assert!(code == Some(1) && words.contains("option.y4m"), "{words}");
    let (code, words) = run(&["--video-source", "none"], false);
    assert!(code == Some(1) && words.contains("no such handle"), "{words}");
}

#[test]
fn an_empty_variable_counts_as_none() {
    let bench = Bench::new();
    let mut command = bench.client("call", "alice");
    command.args(["nobody@127.0.0.1"]).args(SILENT).arg("--video-source=none");
    for name in ["PATH", "MIC", "SPEAKER", "VIDEO_SOURCE", "NAME", "SERVER", "CONFIG", "PROFILE", "PASSPHRASE"] {
        command.env(format!("VISAVIS_{name}"), "");
    }
    let output = command.output().unwrap();
    assert!(output.status.code() == Some(1) && said(&output).contains("no such handle"), "{}", said(&output));
    // Without the option it is the settings that count, not the file that is named by nothing.
    let mut bare = bench.client("call", "alice");
    let output = bare.args(["nobody@127.0.0.1"]).args(SILENT).env("VISAVIS_VIDEO_SOURCE", "").output().unwrap();
    assert!(output.status.code() == Some(1) && said(&output).contains("no such handle"), "{}", said(&output));
}

#[test]
fn what_is_no_profile_and_no_name_makes_no_folder() {
    for bad in ["", ".", ".."] {
        let output = visavis(&["call", "bob@127.0.0.1", "--profile", bad]).output().unwrap();
        assert!(output.status.code() == Some(2) && said(&output).contains("--profile"), "{bad}: {}", said(&output));
    }
    let bench = Bench::new();
    let profile = bench.path("new");
    let arguments = ["call", "bob@127.0.0.1", "--name", "no name", "--server", &bench.server.address];
    let output = visavis(&arguments).args(["--profile", &profile]).args(SILENT).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(!std::path::Path::new(&profile).exists());
}

#[test]
fn a_profile_goes_by_its_own_name_and_without_its_keys_it_is_said_what_is_missing() {
    let bench = Bench::new();
    assert_eq!(call_nobody(&bench, "alice", &[]).status.code(), Some(1));
    let other = call_nobody(&bench, "alice", &["--name", "other"]);
    assert_eq!(other.status.code(), Some(2), "{}", said(&other));
    let profile = bench.path("alice");
    let call = |name: &str| {
        let arguments = ["call", "nobody@127.0.0.1", "--name", name, "--profile", &profile];
        visavis(&arguments).args(SILENT).args(["--video-source", "none"]).output().unwrap()
    };
    let other = call("other");
    assert!(other.status.code() == Some(2) && said(&other).contains("alice@127.0.0.1"), "{}", said(&other));
    assert!(said(&call("Alice")).contains("no such handle"), "its own name, as it may be written");
    std::fs::remove_file(bench.folder.path().join("alice/identity.sealed")).unwrap();
    let gone = call("alice");
    assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));
    assert!(said(&gone).contains("identity.sealed") && said(&gone).contains("missing"), "{}", said(&gone));
}

#[test]
fn a_file_is_not_read_and_written_nor_written_twice() {
    let bench = Bench::new();
    let [sound, figures] = ["voice.wav", "figures"].map(|name| bench.path(name));
    support::write_tone(&sound);
    let before = std::fs::read(&sound).unwrap();
    let call = ["call", "bob@127.0.0.1", "--name", "alice", "--server", &bench.server.address];
    let commands: [(&[&str], [&str; 2], &str); 3] = [
        (&call, ["--mic", "--speaker"], &sound),
        (&call, ["--stats", "--frame-log"], &figures),
        (&["bench", "call"], ["--json", "--csv"], &figures),
    ];
    for (command, [one, other], file) in commands {
        let profile = bench.path("alice");
        let output = visavis(command).args([one, file, other, file, "--profile", &profile]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{one} {other}: {}", said(&output));
        assert!(said(&output).contains(one) && said(&output).contains(other), "{}", said(&output));
    }
    assert!(std::fs::read(&sound).unwrap() == before && !std::path::Path::new(&figures).exists());
}

#[test]
fn the_figures_of_a_call_that_was_never_held_name_no_way_and_no_queues() {
    let bench = Bench::new();
    let file = bench.path("stats.json");
    assert_eq!(call_nobody(&bench, "alice", &["--stats", &file]).status.code(), Some(1));
    let stats = bench.stats("stats.json");
    assert!(stats["path"].is_null() && stats["queues"].is_null() && stats["outcome"].is_string(), "{stats}");
}

#[test]
fn a_settings_file_takes_the_place_of_the_profiles_own() {
    let bench = Bench::new();
    let (file, profile) = (bench.path("settings.toml"), bench.path("alice"));
    let call = || {
        let arguments = ["call", "nobody@127.0.0.1", "--name", "alice", "--profile", &profile, "--config", &file];
        visavis(&arguments).args(SILENT).env_remove("VISAVIS_SERVER").output().unwrap()
    };
    let missing = call();
    assert!(missing.status.code() == Some(2) && said(&missing).contains("settings.toml"), "{}", said(&missing));
    std::fs::write(&file, "hide_adress = true\n").unwrap();
    let misspelt = call();
    assert!(misspelt.status.code() == Some(2) && said(&misspelt).contains("`hide_adress`"), "{}", said(&misspelt));
    std::fs::write(&file, format!("hide_address = true\nserver = \"{}\"\n", bench.server.address)).unwrap();
    let right = call();
    assert!(right.status.code() == Some(1) && said(&right).contains("no such handle"), "{}", said(&right));
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("hide_address = true") && kept.contains("alice@127.0.0.1"), "{kept}");
    assert!(!bench.folder.path().join("alice/settings.toml").exists());
}

#[test]
fn a_server_on_all_addresses_prints_one_that_can_be_reached_and_asks_for_a_name() {
    let folder = tempfile::tempdir().unwrap();
    for (number, listen) in ["0.0.0.0:0", "[::]:0"].into_iter().enumerate() {
        let mut command = server_command(&folder.path().join(number.to_string()), listen);
        let mut server = Server::run(command.stderr(Stdio::piped()));
        let doctor = visavis(&["doctor", "--json", "--server", &server.address]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["part"] == "server").unwrap();
        assert_eq!(check["state"], "ok", "{} {report}", server.address);
        server.child.kill().unwrap();
        let mut words = String::new();
        std::io::Read::read_to_string(&mut server.child.stderr.take().unwrap(), &mut words).unwrap();
        assert!(words.contains("--domain") && words.lines().count() == 1, "{words}");
    }
}

#[test]
fn a_server_with_a_name_that_is_none_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["calls example", "calls.example.org:4474", "https://example.org", ""] {
        let output =
            server_command(&folder.path().join("data"), "127.0.0.1:0").args(["--domain", bad]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", said(&output));
        assert!(said(&output).contains("--domain"), "{bad}: {}", said(&output));
    }
    assert!(!folder.path().join("data").exists(), "nothing is made");
}

#[test]
fn who_comes_by_another_name_than_the_servers_is_told_which_one_to_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = server_command(&folder.path().join("server"), "127.0.0.1:0");
    let server = Server::run(command.args(["--domain", "Calls.Example.org"]));
    let (place, key) = server.address.split_once('/').unwrap();
    let port = place.strip_prefix("calls.example.org:").unwrap();
    let address = format!("127.0.0.1:{port}/{key}");
    let profile = folder.path().join("alice");
    let arguments = ["call", "bob@127.0.0.1", "--name", "alice", "--server", &address, "--profile"];
    let output = visavis(&arguments).arg(&profile).args(SILENT).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    for part in ["calls itself calls.example.org", &format!("calls.example.org:{port}"), "alice@calls.example.org"] {
        assert!(said(&output).contains(part), "{part}: {}", said(&output));
    }
    let doctor = visavis(&["doctor", "--server", &address]).output().unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("calls itself calls.example.org"));
}
