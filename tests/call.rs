//! Whole calls between real programs: a server process and two client processes over real sockets.
#![expect(clippy::disallowed_methods, reason = "tests wait for other processes by the wall clock")]

#[path = "support/slow.rs"]
mod slow;
mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use slow::slow_road;
use support::{
    Bench, SILENT, Server, Talker, assert_nothing_held_back, online, said, server_command, wait_until_online,
    write_tone,
};

#[test]
fn two_people_see_each_other_and_both_learn_the_end() {
    let bench = Bench::new();
    let (a, b) = (bench.path("a.json"), bench.path("b.json"));
    // Without microphones no picture waits for the sound that belongs to it.
    let bob = bench.answering("bob", &["--auto-accept", "--mic", "none", "--stats", &b]);
    let alice = bench.call("alice", "bob", &["--mic", "none", "--seconds", "3", "--stats", &a]);
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(said(&alice).contains("You hung up."));
    let bob = bob.wait_with_output().unwrap();
    assert!(bob.status.success() && said(&bob).contains("They hung up."), "{}", said(&bob));
    for name in ["a.json", "b.json"] {
        let frames = &bench.stats(name)["frames"];
        let count = |what: &str| frames[what].as_u64().unwrap();
        assert!(count("decoded") >= 30, "{name}: {frames}");
        assert_eq!(count("unopened"), 0, "{name}: {frames}");
        assert_nothing_held_back(frames);
        let queues = &bench.stats(name)["queues"];
        for ring in queues["rings"].as_array().unwrap() {
            assert!(ring["passed"].as_u64().unwrap() >= 30 && ring["refused"] == 0, "{name}: {queues}");
        }
        assert!(queues["pool_buffers"].as_u64().unwrap() >= 1 && queues["pool_exhausted"] == 0, "{name}: {queues}");
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
fn silence_is_not_no_and_a_call_that_nobody_took_was_missed() {
    let bench = Bench::new();
    let bob = online(bench.client("answer", "bob").arg("--once").stdin(Stdio::null()), "bob");
    let mut bob = Talker::new(bob);
    let alice = bench.client("call", "alice").arg("bob@127.0.0.1").args(SILENT).spawn().unwrap();
    let number = alice.id().to_string();
    let mut alice = Talker::new(alice);
    bob.wait_for("accept?");
    alice.wait_for("ringing");
    // What has been declined by then is not declined later: the end of the input is there at once.
    std::thread::sleep(Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &number]).status().unwrap().success());
    let (_, alice) = alice.end();
    assert!(!alice.iter().any(|line| line.contains("declined")), "{alice:?}");
    let (held, bob) = bob.end();
    assert!(!held && bob.iter().any(|line| line.contains("You missed the call.")), "{bob:?}");
}

#[test]
fn a_yes_that_was_typed_before_anybody_rang_accepts_nobody() {
    let bench = Bench::new();
    let mut bob = bench.client("answer", "bob").arg("--once").stdin(Stdio::piped()).spawn().unwrap();
    let mut keyboard = bob.stdin.take().unwrap();
    keyboard.write_all(b"y\n").unwrap();
    let mut bob = Talker::new(wait_until_online(bob, "bob"));
    let alice = bench.client("call", "alice").arg("bob@127.0.0.1").args(SILENT).spawn().unwrap();
    let number = alice.id().to_string();
    let mut alice = Talker::new(alice);
    bob.wait_for("alice@127.0.0.1 calls");
    alice.wait_for("ringing");
    std::thread::sleep(Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &number]).status().unwrap().success());
    let (_, alice) = alice.end();
    assert!(!alice.iter().any(|line| line.contains("connecting")), "{alice:?}");
    let (held, bob) = bob.end();
    assert!(!held && bob.iter().any(|line| line.contains("You missed the call.")), "{bob:?}");
}

#[test]
fn who_interrupts_it_before_the_server_has_answered_is_obeyed_at_once() {
    let bench = Bench::new();
    let (_, key) = bench.server.address.split_once('/').unwrap();
    for arguments in [&["call", "bob@127.0.0.1", "--name", "alice"][..], &["answer", "--name", "alice"], &["doctor"]] {
        let silence = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = format!("{}/{key}", silence.local_addr().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.env("VISAVIS_KEYRING", "off").args(arguments).args(["--server", &address]).stdin(Stdio::null());
        command.args(["--profile", &bench.path(arguments[0])]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // The first packet to the server: it is being waited for.
        silence.recv(&mut [0; 2048]).unwrap();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn calls_that_run_side_by_side_all_hold() {
    let bench = Bench::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    let answering =
        names.map(|name| bench.answering(&format!("to-{name}"), &[&SILENT[..], &["--auto-accept"]].concat()));
    let calling = names.map(|name| {
        // Of different lengths, so that the beats of the two sides meet in every way.
        let mut command = bench.client("call", &format!("from-{name}"));
        command.arg(format!("to-{name}@127.0.0.1")).args(SILENT).args(["--seconds", "12"]);
        std::thread::sleep(Duration::from_millis(170));
        command.spawn().unwrap()
    });
    for child in calling.into_iter().chain(answering) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
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
    assert!(log.ends_with('\n') && log.lines().all(|line| line.split(',').count() == 8), "{log}");
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
        // One machine, one clock: nothing is taken off, and the time that is written down is the one between the two logs.
        let times = receiver.lines().filter_map(|line| {
            let columns: Vec<_> = line.split(',').collect();
            let number = |at: usize| columns[at].parse::<f64>().ok();
            Some((columns[1].parse::<u64>().ok()?, number(3)?, number(5)?, number(6)?, number(7)?))
        });
        let times: Vec<_> = times.collect();
        assert!(times.len() >= 30, "{receiver}");
        for (id, at, took_ms, offset_ms, error_ms) in times {
            let captured = sent.iter().find(|sent| sent.0 == id).unwrap().1;
            assert!(((at - captured) * 1_000.0 - took_ms).abs() < 0.01, "frame {id}: {took_ms} ms");
            assert!(offset_ms == 0.0 && error_ms > 0.0 && error_ms < 100.0, "frame {id}: {offset_ms} ±{error_ms}");
        }
    }
}

/// A slice of a trace: process, thread, name, frame, beginning and end in microseconds.
type Slice<'a> = (u64, u64, &'a str, u64, f64, f64);

fn slices(trace: &serde_json::Value) -> Vec<Slice<'_>> {
    let events = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X");
    let slice = |event: &'_ serde_json::Value| {
        let number = |key: &str| event[key].as_u64().unwrap();
        let (begin, length) = (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap());
        (number("pid"), number("tid"), event["args"]["frame"].as_u64().unwrap(), begin, begin + length)
    };
    events
        .map(|event| {
            let (pid, tid, frame, begin, end) = slice(event);
            (pid, tid, event["name"].as_str().unwrap(), frame, begin, end)
        })
        .collect()
}

#[test]
fn a_trace_shows_the_frames_of_a_real_call_on_all_threads_and_both_machines_on_one_line_of_time() {
    let bench = Bench::new();
    let (a, b) = (bench.path("a.json"), bench.path("b.json"));
    let bob = bench.answering("bob", &[&SILENT[..], &["--auto-accept", "--trace", &b]].concat());
    let alice = bench.call("alice", "bob", &[&SILENT[..], &["--seconds", "6", "--trace", &a]].concat());
    assert!(alice.status.success(), "{}", said(&alice));
    assert!(bob.wait_with_output().unwrap().status.success());
    let traces = ["a.json", "b.json"].map(|name| bench.stats(name));
    for (trace, other) in [(&traces[0], &traces[1]), (&traces[1], &traces[0])] {
        let about = &trace["otherData"];
        let names = trace["traceEvents"].as_array().unwrap().iter().filter(|it| it["name"] == "thread_name");
        let names: Vec<_> =
            names.map(|it| (it["pid"].as_u64().unwrap(), it["args"]["name"].as_str().unwrap())).collect();
        for thread in ["capture", "encode", "seal"] {
            assert!([1, 2].iter().all(|pid| names.contains(&(*pid, thread))), "{thread}: {names:?}");
        }
        for thread in ["net", "open", "decode", "present", "gpu"] {
            assert!(names.contains(&(1, thread)) && !names.contains(&(2, thread)), "{thread}: {names:?}");
        }
        // One machine: nothing is taken off the other program's times.
        assert!(about["clock"].as_str().unwrap().contains("CLOCK_MONOTONIC"), "{about}");
        assert_eq!(about["other_machines_clock"]["at_the_last_picture"]["same"], true, "{about}");
        assert_eq!(about["frames_left_out"], serde_json::json!({ "sent": 0, "shown": 0 }));
        assert!(about["window_frames"].as_str().unwrap().starts_with("none"), "{about}");

        let all = slices(trace);
        // A thread does one thing after the other.
        let mut ends = std::collections::HashMap::new();
        for (pid, tid, name, frame, begin, end) in &all {
            let before = ends.insert((pid, tid), *end).unwrap_or_default();
            assert!(*begin >= before - 0.002 && end > begin, "{name} of frame {frame} begins {begin}, before {before}");
        }
        let of = |frame: u64, receiving: bool| {
            let mine = all.iter().filter(move |it| it.3 == frame && (it.0 == 1 && it.1 > 3 || it.0 == 2) == receiving);
            mine.map(|it| (it.2, it.4, it.5)).collect::<Vec<_>>()
        };
        let sent = (0..400).filter(|frame| of(*frame, false).iter().any(|it| it.0 == "send")).count();
        assert!(sent >= 60, "{sent} frames sent");
        let whole = ["convert", "encode", "seal", "send", "receive", "open", "decode", "upload", "gpu"];
        let shown: Vec<_> = (0..400).map(|frame| of(frame, true)).filter(|it| it.len() == whole.len()).collect();
        assert!(shown.len() >= 30, "{} frames were followed from camera to GPU", shown.len());
        for frame in &shown {
            assert_eq!(frame.iter().map(|it| it.0).collect::<Vec<_>>(), whole);
            assert!(frame.is_sorted_by(|one, next| one.1 <= next.1), "{frame:?}");
        }
        // What this machine says of the other's encoder is what the other says of it.
        let theirs = slices(other);
        let encoded = all.iter().filter(|it| it.0 == 2 && it.2 == "encode");
        let same = encoded.filter(|it| {
            let own = theirs.iter().find(|own| own.0 == 1 && own.2 == "encode" && own.3 == it.3);
            own.is_some_and(|own| (own.4 - it.4).abs() < 5.0 && (own.5 - it.5).abs() < 5.0)
        });
        assert!(same.count() >= 30, "the two traces stand on one line of time");
    }
}

#[test]
fn what_cannot_be_written_is_said_before_anybody_is_rung() {
    let bench = Bench::new();
    let (bob, folder) = (bench.answering("bob", &["--auto-accept"]), bench.path("server"));
    for option in ["--stats", "--frame-log", "--trace", "--record", "--speaker"] {
        for bad in ["/no/such/folder/x.wav", folder.as_str()] {
            let mut alice = bench.choosy("call", "alice");
            let alice = alice.args(["bob@127.0.0.1", "--mic", "none", option, bad]).output().unwrap();
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

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_with_its_file_and_the_figures_are_written_all_the_same() {
    let bench = Bench::new();
    let a = bench.path("a.json");
    for option in ["--frame-log", "--trace", "--record", "--speaker"] {
        let bob = bench.answering("bob", &[&SILENT[..], &["--auto-accept"]].concat());
        let mut options = vec!["--mic", "none", "--seconds", "3", "--stats", &a, option, "/dev/full"];
        if option != "--speaker" {
            options.extend(["--speaker", "none"]);
        }
        let alice = bench.call("alice", "bob", &options);
        assert_eq!(alice.status.code(), Some(1), "{option}: {}", said(&alice));
        let words = said(&alice);
        assert!(words.contains("visavis: /dev/full: ") && words.contains("No space left"), "{option}: {words}");
        assert_eq!(words.matches("/dev/full").count(), 1, "{option}: {words}");
        assert!(bench.stats("a.json")["outcome"].as_str().unwrap().contains("hung up"), "{option}");
        std::fs::remove_file(&a).unwrap();
        bob.wait_with_output().unwrap();
    }
}

#[test]
fn a_profile_is_not_taken_to_another_server() {
    let bench = Bench::new();
    let bob = bench.call("bob", "nobody", &[]);
    assert_eq!(bob.status.code(), Some(1), "{}", said(&bob));
    let other = Server::start(&bench.folder.path().join("other"), "127.0.0.1:0");
    let bob = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .env("VISAVIS_KEYRING", "off")
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
        .env("VISAVIS_KEYRING", "off")
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
        .env("VISAVIS_KEYRING", "off")
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
    for option in ["--mic", "--speaker"] {
        let mut silent_machine = bench.client("call", "alice");
        let output = silent_machine.args(["bob@127.0.0.1", option, "device"]).env("PULSE_SERVER", "/nowhere").output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(4), "{option}: {}", said(&output));
        assert!(said(&output).contains("there is no"), "{option}: {}", said(&output));
    }
    let file = bench.call("alice", "bob", &["--mic", "/nowhere/voice.wav"]);
    assert_eq!(file.status.code(), Some(1), "{}", said(&file));
    assert!(said(&file).contains("voice.wav"), "{}", said(&file));
}
