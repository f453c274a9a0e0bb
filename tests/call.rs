//! Whole calls between real programs: a server process and two client processes over real sockets.
#![expect(clippy::disallowed_methods, reason = "tests wait for other processes by the wall clock")]

#[path = "support/slow.rs"]
mod slow;
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use slow::slow_road;
use support::{Bench, SILENT, Server, online, said, server_command, write_tone};

#[test]
fn two_people_see_each_other_and_both_learn_the_end() {
    let bench = Bench::new();
    let (a, b) = (bench.path("a.json"), bench.path("b.json"));
    let bob = bench.answering("bob", &["--auto-accept", "--stats", &b]);
    let alice = bench.call("alice", "bob", &["--seconds", "3", "--stats", &a]);
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(said(&alice).contains("You hung up."));
    let bob = bob.wait_with_output().unwrap();
    assert!(bob.status.success() && said(&bob).contains("They hung up."), "{}", said(&bob));
    for name in ["a.json", "b.json"] {
        let frames = &bench.stats(name)["frames"];
        let count = |what: &str| frames[what].as_u64().unwrap();
        assert!(count("decoded") >= 30, "{name}: {frames}");
        assert_eq!(count("unopened"), 0, "{name}: {frames}");
        assert_eq!(count("received"), count("decoded"), "nothing is held back: {name}: {frames}");
    }
}

#[test]
fn declining_is_told_to_the_caller() {
    let bench = Bench::new();
    let bob = bench.answering("bob", &["--decline"]);
    let alice = bench.call("alice", "bob", &[]);
    assert_eq!(alice.status.code(), Some(1));
    assert!(said(&alice).contains("They declined the call."), "{}", said(&alice));
    assert_eq!(bob.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn an_interrupted_call_is_hung_up_and_its_files_are_whole() {
    let bench = Bench::new();
    let (stats, log) = (bench.path("a.json"), bench.path("a.csv"));
    let bob = bench.answering("bob", &["--auto-accept"]);
    let alice = bench.client("call", "alice").args(["bob@127.0.0.1", "--stats", &stats, "--frame-log", &log]).spawn();
    let alice = alice.unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let interrupted = Command::new("kill").args(["-INT", &alice.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let alice = alice.wait_with_output().unwrap();
    assert_eq!(alice.status.code(), Some(130), "{}", said(&alice));
    let bob = bob.wait_with_output().unwrap();
    assert!(bob.status.success() && said(&bob).contains("They hung up."), "{}", said(&bob));
    assert!(bench.stats("a.json")["frames"]["sent"].as_u64().unwrap() > 0);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.ends_with('\n') && log.lines().all(|line| line.split(',').count() == 5), "{log}");
}

/// Lines of one side of a frame log: number of the frame, its time, the boundary.
fn logged(log: &str, side: &str) -> Vec<(u64, f64, String)> {
    let lines = log.lines().map(|line| line.split(',').collect::<Vec<_>>()).filter(|columns| columns[0] == side);
    let time = usize::from(side == "shown") + 2;
    lines.map(|it| (it[1].parse().unwrap(), it[time].parse().unwrap(), it[4].to_owned())).collect()
}

#[test]
fn a_frame_log_says_when_pictures_were_drawn_or_where_nothing_can_be_when_they_were_decoded() {
    let bench = Bench::new();
    let (a, b) = (bench.path("a.csv"), bench.path("b.csv"));
    let mut bob = bench.client("answer", "bob");
    // No machine that runs this has it.
    bob.args(["--once", "--auto-accept", "--frame-log", &b]).args(SILENT).env("WGPU_BACKEND", "noop");
    let bob = online(&mut bob, "bob");
    let alice = bench.call("alice", "bob", &[&SILENT[..], &["--seconds", "3", "--frame-log", &a]].concat());
    assert!(alice.status.success(), "{}", said(&alice));
    let bob = bob.wait_with_output().unwrap();
    assert!(bob.status.success() && said(&bob).contains("were decoded"), "{}", said(&bob));
    let [a, b] = [a, b].map(|path| std::fs::read_to_string(path).unwrap());
    for (sender, receiver, boundary) in [(&a, &b, "decoded"), (&b, &a, "gpu_done")] {
        let (sent, shown) = (logged(sender, "sent"), logged(receiver, "shown"));
        assert!(sent.len() >= 60 && shown.len() >= 30, "{} sent, {} shown as {boundary}", sent.len(), shown.len());
        assert!(shown.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{shown:?}");
        for (id, at, what) in shown {
            assert_eq!(what, boundary);
            let captured = sent.iter().find(|sent| sent.0 == id).unwrap().1;
            assert!(at > captured, "frame {id} was shown at {at}, captured at {captured}");
        }
    }
}

#[test]
fn what_cannot_be_written_is_said_before_anybody_is_rung() {
    let bench = Bench::new();
    let (bob, folder) = (bench.answering("bob", &["--auto-accept"]), bench.path("server"));
    for option in ["--stats", "--frame-log", "--record", "--speaker"] {
        for bad in ["/no/such/folder/x.wav", folder.as_str()] {
            let alice = bench.call("alice", "bob", &["--mic", "none", option, bad]);
            assert_eq!(alice.status.code(), Some(2), "{}", said(&alice));
            let words = said(&alice);
            assert!(words.starts_with(&format!("visavis: {option} {bad}: ")) && words.lines().count() == 1, "{words}");
        }
    }
    assert!(!bench.folder.path().join("alice").exists(), "not even a profile is made");
    let mut bob = bob;
    bob.kill().unwrap();
    bob.wait().unwrap();
}

#[test]
fn a_profile_is_not_taken_to_another_server() {
    let bench = Bench::new();
    let bob = bench.call("bob", "nobody", &[]);
    assert_eq!(bob.status.code(), Some(1), "{}", said(&bob));
    let other = Server::start(&bench.folder.path().join("other"), "127.0.0.1:0");
    let bob = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .args(["call", "nobody@127.0.0.1", "--server", &other.address, "--profile", &bench.path("bob")])
        .output()
        .unwrap();
    assert_eq!(bob.status.code(), Some(2), "{}", said(&bob));
    assert!(said(&bob).contains("belongs to the server"), "{}", said(&bob));
}

#[test]
fn who_declines_and_ends_at_once_is_heard_over_a_slow_road() {
    let mut bench = Bench::new();
    let (place, key) = bench.server.address.split_once('/').unwrap();
    // The letter's three round trips take longer than it takes the program to end.
    let slow = slow_road(place.parse().unwrap(), Duration::from_millis(50));
    bench.server.address = format!("{slow}/{key}");
    let bob = bench.answering("bob", &["--decline"]);
    let alice = bench.call("alice", "bob", &[]);
    assert!(said(&alice).contains("They declined the call."), "{}", said(&alice));
    assert_eq!(bob.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn who_has_quit_is_offline_at_once() {
    let bench = Bench::new();
    let bob = bench.answering("bob", &["--decline"]);
    let alice = bench.call("alice", "bob", &[]);
    assert!(said(&alice).contains("They declined the call."), "{}", said(&alice));
    assert_eq!(bob.wait_with_output().unwrap().status.code(), Some(1));
    let alice = bench.call("alice", "bob", &[]);
    assert!(said(&alice).contains("They are offline."), "{}", said(&alice));
    assert!(!said(&alice).contains("ringing"), "{}", said(&alice));
}

#[test]
fn who_is_unknown_or_away_is_said() {
    let bench = Bench::new();
    let alice = bench.call("alice", "nobody", &[]);
    assert_eq!(alice.status.code(), Some(1));
    assert!(said(&alice).contains("no such handle"), "{}", said(&alice));
    let mut bob = bench.answering("bob", &["--auto-accept"]);
    bob.kill().unwrap();
    bob.wait().unwrap();
    // Until the server has noticed, the invitation may still count as delivered: then nobody answers.
    let start = Instant::now();
    loop {
        let alice = bench.client("call", "alice").args(["bob@127.0.0.1"]).output().unwrap();
        assert_eq!(alice.status.code(), Some(1));
        if said(&alice).contains("They are offline.") {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{}", said(&alice));
    }
}

#[test]
fn a_server_with_another_key_is_refused() {
    let bench = Bench::new();
    let place = bench.server.place();
    let other = format!("{place}/{}", "a".repeat(51) + "q");
    let output = bench.client("call", "carol").args(["bob@127.0.0.1", "--server"]).arg(&other).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "--server twice is a usage error: {}", said(&output));
    let output = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .args(["call", "bob@127.0.0.1", "--name", "carol", "--server", &other, "--profile", &bench.path("carol")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(said(&output).contains("another key"), "{}", said(&output));
}

#[test]
fn a_name_that_is_taken_is_said() {
    let bench = Bench::new();
    let bob = bench.answering("bob", &["--decline"]);
    let output = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .args(["answer", "--name", "bob", "--server", &bench.server.address, "--profile", &bench.path("thief")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(said(&output).contains("taken"), "{}", said(&output));
    let mut bob = bob;
    bob.kill().unwrap();
    bob.wait().unwrap();
}

#[test]
fn an_occupied_port_and_an_unusable_folder_are_named() {
    let bench = Bench::new();
    let occupied = server_command(&bench.folder.path().join("second"), bench.server.place()).output().unwrap();
    assert_eq!(occupied.status.code(), Some(5));
    assert!(said(&occupied).contains("--listen"), "{}", said(&occupied));

    let file = bench.folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let blocked = server_command(&file, "127.0.0.1:0").output().unwrap();
    assert_eq!(blocked.status.code(), Some(1));
    assert!(said(&blocked).contains("data directory"), "{}", said(&blocked));
}

#[test]
fn a_relayed_call_outlives_a_restart_of_the_server() {
    let mut bench = Bench::new();
    let a = bench.path("a.json");
    let bob = bench.answering("bob", &["--auto-accept"]);
    let alice = bench
        .client("call", "alice")
        .args(["bob@127.0.0.1", "--path", "relay", "--seconds", "12", "--stats", &a])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(4));
    bench.restart_server();
    let alice = alice.wait_with_output().unwrap();
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(bob.wait_with_output().unwrap().status.success());
    // Twelve seconds at 30 a second, less the gap: more than what had come before the server went.
    let frames = &bench.stats("a.json")["frames"];
    assert!(frames["decoded"].as_u64().unwrap() > 150, "{frames}");
}

#[test]
fn each_side_uses_and_names_the_encoder_it_was_told_to() {
    let bench = Bench::new();
    let (a, b) = (bench.path("a.json"), bench.path("b.json"));
    let bob = bench.answering("bob", &["--auto-accept", "--encoder", "rav1e", "--stats", &b]);
    let alice = bench.call("alice", "bob", &["--encoder", "aom", "--seconds", "3", "--stats", &a]);
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(bob.wait_with_output().unwrap().status.success());
    for (name, encoder) in [("a.json", "aom"), ("b.json", "rav1e")] {
        let stats = bench.stats(name);
        assert_eq!(stats["encoder"], encoder);
        assert!(stats["frames"]["decoded"].as_u64().unwrap() >= 20, "{stats}");
    }
}

#[test]
fn what_is_recorded_can_be_shown_again() {
    let bench = Bench::new();
    let (clip, b) = (bench.path("clip.y4m"), bench.path("b.json"));
    let bob = bench.answering("bob", &["--auto-accept"]);
    let alice = bench.call("alice", "bob", &["--seconds", "2", "--record", &clip]);
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(bob.wait_with_output().unwrap().status.success());
    let bob = bench.answering("bob", &["--auto-accept", "--stats", &b]);
    let alice = bench.call("alice", "bob", &["--seconds", "2", "--video-source", &clip]);
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(bob.wait_with_output().unwrap().status.success());
    assert!(bench.stats("b.json")["frames"]["decoded"].as_u64().unwrap() >= 20);
}

#[test]
fn a_source_that_is_missing_is_said_before_anything_is_opened() {
    let bench = Bench::new();
    let missing = bench.call("alice", "bob", &["--video-source", "device:No Such Camera"]);
    assert_eq!(missing.status.code(), Some(4), "{}", said(&missing));
    assert!(said(&missing).contains("--video-source pattern"), "{}", said(&missing));
    let missing = bench.call("alice", "bob", &["--video-source", "no-such-file.y4m"]);
    assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
    assert!(said(&missing).contains("no-such-file.y4m"), "{}", said(&missing));
    std::fs::write(bench.folder.path().join("noise.y4m"), "not a film").unwrap();
    let noise = bench.call("alice", "bob", &["--video-source", &bench.path("noise.y4m")]);
    assert_eq!(noise.status.code(), Some(1));
    assert!(said(&noise).contains("ffmpeg"), "{}", said(&noise));
}

#[test]
fn a_call_with_sound_alone_is_a_call_like_any_other() {
    let bench = Bench::new();
    let (voice, ear, nobody) = (bench.path("voice.wav"), bench.path("ear.wav"), bench.path("nobody.wav"));
    let (a, b) = (bench.path("a.json"), bench.path("b.json"));
    write_tone(&voice);
    let silent = ["--video-source", "none", "--mic", "none"];
    let bob = bench.answering("bob", &[&silent[..], &["--auto-accept", "--speaker", &ear, "--stats", &b]].concat());
    let speaking = ["--video-source", "none", "--mic", &voice, "--speaker", &nobody, "--seconds", "4", "--stats", &a];
    let alice = bench.call("alice", "bob", &speaking);
    assert!(alice.status.success() && said(&alice).contains("You hung up."), "{}", said(&alice));
    assert!(bob.wait_with_output().unwrap().status.success());
    let stats = bench.stats("b.json");
    assert_eq!(stats["frames"]["received"], 0, "no picture: {stats}");
    let count = |what: &str| stats["audio"][what].as_f64().unwrap();
    assert!(count("received") >= 150.0 && count("sent") >= 150.0 && count("undecodable") < 1.0, "{stats}");
    assert!(count("mouth_to_ear_ms") > 20.0, "{stats}");
    let stats = bench.stats("a.json");
    assert!(stats["audio"]["received"].as_u64() >= Some(150), "silence is sent too: {stats}");
    assert!(stats["audio"]["mouth_to_ear_ms"].is_null(), "but nobody says it: {stats}");
    let heard: Vec<i16> = hound::WavReader::open(&ear).unwrap().samples().map(Result::unwrap).collect();
    let loud = heard.iter().filter(|sample| sample.unsigned_abs() > 2_000).count();
    assert!(loud > 2 * 48_000, "{loud} loud samples of {}", heard.len());
}

#[test]
fn a_sound_device_or_file_that_was_named_and_is_missing_is_said_before_anybody_is_rung() {
    let bench = Bench::new();
    let microphone = bench.call("alice", "bob", &["--mic", "device:no such thing"]);
    assert_eq!(microphone.status.code(), Some(4), "{}", said(&microphone));
    assert!(said(&microphone).contains("no such thing"), "{}", said(&microphone));
    let speaker = bench.call("alice", "bob", &["--mic", "none", "--speaker", "device:nor this"]);
    assert_eq!(speaker.status.code(), Some(4), "{}", said(&speaker));
    let file = bench.call("alice", "bob", &["--mic", "/nowhere/voice.wav"]);
    assert_eq!(file.status.code(), Some(1), "{}", said(&file));
    assert!(said(&file).contains("voice.wav"), "{}", said(&file));
}
