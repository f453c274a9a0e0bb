//! The bench as other programs use it: options, JSON, CSV, exit codes.

mod support;

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use support::{said, write_tone};
use visavis::bench::call::{CallBench, Present};
use visavis::bench::company::{Company, Who};
use visavis::bench::optical::run::hold;
use visavis::bench::optical::target;
use visavis::bench::report::CallReport;
use visavis::capture::barcode::Label;
use visavis::cli::Recorder;
use visavis::engine::config::{Adaptation, EncoderChoice, SoundChoice, VideoChoice, VideoSettings};
use visavis::media::{Colour, FrameId, PicturePool, Timestamp};
use visavis::net::PathPolicy;
use visavis::sim::spec::parse;
use visavis::ui::HudSize;

fn bench(options: &[&str]) -> Output {
    bench_for("2", "160x96", options)
}

fn bench_for(seconds: &str, size: &str, options: &[&str]) -> Output {
    program(&["bench", "call", "--seconds", seconds, "--size", size]).args(options).output().unwrap()
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off").args(arguments);
    command
}

#[test]
fn the_figures_of_a_call_stand_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let [json, csv, trace, html] =
        ["call.json", "call.csv", "trace.json", "call.html"].map(|name| folder.path().join(name));
    let files = [("--json", &json), ("--csv", &csv), ("--trace", &trace), ("--html", &html)];
    let files = files.iter().flat_map(|(option, path)| [*option, path.to_str().unwrap()]);
    let output = bench(&["--one-way", "--path", "relay"].into_iter().chain(files).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("capture_to_gpu_done"));

    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["boundary"], "gpu_done");
    assert_eq!(report["path"], "relay");
    assert_eq!(report["depth_frames"], serde_json::json!({ "encoder": 0, "decoder": 0 }));
    let count = |what: &str| report["frames"][what].as_u64().unwrap();
    assert!(count("captured") >= 30, "{report}");
    assert!(count("captured") >= count("sent") && count("sent") >= count("decoded"), "{report}");
    assert!(count("decoded") >= count("presented") && count("presented") > 0, "{report}");
    for figure in ["cpu_s_per_s", "rss_mb", "bitrate_kbps"] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{figure}: {report}");
    }
    for legs in ["latency_ms", "stages_ms"] {
        for (name, at) in report[legs].as_object().unwrap() {
            let at = |quantile: &str| at[quantile].as_f64().unwrap();
            assert!(at("p50") <= at("p95") && at("p95") <= at("p99") && at("p99") <= at("max"), "{name}: {report}");
        }
    }
    assert!(report["latency_ms"]["capture_to_gpu_done"]["p50"].as_f64().unwrap() > 0.0);
    assert!(report["quality"]["psnr_y"].as_f64().unwrap() > 20.0, "{report}");
    for stage in ["encode", "seal", "network", "open", "decode", "upload", "gpu"] {
        assert!(report["stages_ms"][stage].is_object(), "{stage}: {report}");
    }
    for delay in ["signal_delay", "signal_delay_captured"] {
        assert!(report["latency_ms"][delay]["p50"].as_f64().unwrap() > 0.0, "{report}");
    }
    assert!(report["quality"]["ssim_y_db"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["freezes"]["count"].is_u64() && report["overhead"]["padding"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["used"].is_null() && report["link"].is_null(), "nothing is known of a real link: {report}");
    assert!(report["frames"]["skipped"].is_u64() && report["frames"]["frozen_ms"].is_f64(), "{report}");
    assert!(report["audio"]["mouth_to_ear_ms"].is_null(), "nobody speaks: {report}");
    let windows = &report["window_frames"];
    assert!(windows["recorded"] == 0 && windows["none_because"].as_str().unwrap().contains("no window"), "{windows}");

    let html = std::fs::read_to_string(html).unwrap();
    check_document(&html);
    assert_eq!(html.matches("<svg").count(), 4, "latency, rate, stages, histogram");
    let p95 = format!("<td class=\"number\">{:.2}</td>", report["latency_ms"]["signal_delay"]["p95"].as_f64().unwrap());
    assert!(html.contains(&p95) && html.contains(&format!("{} captured", count("captured"))), "{html}");

    let csv = std::fs::read_to_string(csv).unwrap();
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns));
    assert_eq!(csv.lines().count() as u64, count("sent") + 1);

    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(trace).unwrap()).unwrap();
    let slices = |name: &str| {
        let events = trace["traceEvents"].as_array().unwrap().iter();
        let slices = events.filter(|event| event["ph"] == "X" && event["name"] == name);
        slices.map(|it| (it["args"]["frame"].as_u64().unwrap(), it["ts"].as_f64().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(slices("send").len() as u64, count("sent"), "every frame that was sent");
    let stages = ["convert", "encode", "seal", "send", "receive", "open", "decode", "upload", "gpu"].map(slices);
    assert_eq!(stages[8].len() as u64, count("presented"), "every frame that was shown");
    for (frame, _) in &stages[8] {
        let begins = stages.each_ref().map(|slices| slices.iter().find(|slice| slice.0 == *frame).unwrap().1);
        assert!(begins.is_sorted(), "frame {frame}: {begins:?}");
    }
}

#[test]
fn what_the_caller_says_is_followed_from_mouth_to_ear() {
    let folder = tempfile::tempdir().unwrap();
    let (voice, ear) = (folder.path().join("voice.wav"), folder.path().join("ear.wav"));
    write_tone(&voice);
    let options = ["--path", "relay", "--json", "-", "--mic", voice.to_str().unwrap(), "--speaker"];
    let output = bench(&[&options[..], &[ear.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mouth_to_ear_ms = report["audio"]["mouth_to_ear_ms"].as_f64().unwrap();
    assert!(mouth_to_ear_ms > 20.0, "a packet alone is 20 ms long: {report}");
    assert!(hound::WavReader::open(&ear).unwrap().into_samples::<i16>().map(Result::unwrap).any(|it| it > 2_000));
}

#[test]
fn a_call_over_a_link_that_delays_and_loses_goes_on() {
    let options = ["--path", "direct", "--link", "delay=20ms,loss=2%,seed=5", "--json", "-"];
    let output = bench(&options);
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["config"]["link"], "delay=20ms,loss=2%,seed=5");
    assert!(report["round_trip_ms"].as_f64().unwrap() >= 40.0, "{report}");
    assert!(report["stages_ms"]["network"]["p50"].as_f64().unwrap() >= 20.0, "{report}");
    let count = |what: &str| report["frames"][what].as_u64().unwrap();
    assert!(count("presented") >= 30 && count("presented") <= count("sent"), "{report}");
    assert!(said(&output).contains("link delay=20ms"), "{}", said(&output));
    let figure = |block: &str, name: &str| report[block][name].as_f64().unwrap_or_else(|| panic!("{name}: {report}"));
    assert!(report["used"]["capacity_kbps"].is_null(), "only delayed: {report}");
    assert!(figure("used", "share") > 0.0 && figure("used", "usable_kbps") > figure("used", "goodput_kbps") * 0.5);
    assert!(figure("link", "packets") > 60.0 && figure("link", "carried_kbps") > figure("used", "goodput_kbps"));
    assert!(figure("overhead", "wire") > figure("overhead", "repair_and_padding"), "{report}");
}

#[test]
fn parts_that_are_left_out_are_named() {
    let options =
        ["--one-way", "--without", "budget", "--controller", "cubic", "--link", "up.rate=1mbit", "--json", "-"];
    let output = bench(&options);
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["config"]["without"], serde_json::json!(["budget"]));
    assert_eq!(report["config"]["controller"], "cubic");
    assert_eq!(report["used"]["capacity_kbps"], 1000.0);
    let output = bench(&["--without", "camera"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("budget"), "{}", said(&output));
}

#[test]
fn pictures_get_smaller_on_a_link_that_has_no_room_for_them_and_are_shown() {
    let link = "up.rate=250kbit,delay=10ms,queue=300ms";
    for present in ["offscreen", "window"] {
        let options = ["--one-way", "--path", "direct", "--present", present, "--link", link, "--json", "-"];
        let output = bench_for("6", "640x360", &options);
        assert!(output.status.success(), "{}", said(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let sending = &report["sending"];
        assert!(sending["height"].as_u64().unwrap() < 360 && sending["changes"].as_u64().unwrap() >= 1, "{report}");
        assert_ne!(sending["limited_by"], "none", "{report}");
        assert!(sending["allowed_kbps"].as_u64().unwrap() < 600, "{report}");
        assert!(report["frames"]["presented"].as_u64().unwrap() >= 20, "{report}");
    }
}

#[test]
fn a_call_over_each_network_gives_one_table_a_document_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let [json, html] = ["network.json", "network.html"].map(|name| folder.path().join(name));
    let output = program(&["bench", "network", "--scenario", "clean,step", "--seconds", "3", "--size", "160x96"])
        .arg("--json")
        .arg(&json)
        .arg("--html")
        .arg(&html)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("2 of 2, 3 s: step 160x96 aom, shortened to 3 s"), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("clean 160x96 aom, shortened to 3 s"), "{table}");

    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!((&report["schema"], &report["complete"]), (&1.into(), &true.into()));
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.iter().map(|cell| cell["scenario"].clone()).collect::<Vec<_>>(), ["clean", "step"]);
    for cell in cells {
        assert!(cell["error"].is_null() && cell["shortened"] == true, "{cell}");
        assert_eq!(cell["targets"], serde_json::json!([]), "none is held against a shortened run");
        let figure = |block: &str, name: &str| cell["call"][block][name].as_f64().unwrap();
        assert!(figure("used", "share") > 0.0 && figure("link", "packets") > 30.0, "{cell}");
        assert!(figure("quality", "ssim_y_db") > 5.0, "{cell}");
        assert!(cell["call"]["latency_ms"]["signal_delay"]["p50"].as_f64().unwrap() >= 20.0, "{cell}");
    }
    assert_eq!(report["scenarios"][1]["rate"]["rate"], "2mbit/10s:500kbit/20s:2mbit");
    assert_eq!(cells[1]["call"]["used"]["capacity_kbps"], 2000.0);

    let html = std::fs::read_to_string(html).unwrap();
    check_document(&html);
    assert_eq!(html.matches("<svg").count(), 8, "four plots of each run");
    for cell in cells {
        let shown = cell["call"]["frames"]["presented"].as_u64().unwrap();
        assert!(html.contains(&format!("{shown} presented")), "{shown}");
    }
}

#[test]
fn who_joins_on_a_link_gets_a_part_of_it_and_the_call_goes_on() {
    for who in [Who::Call, Who::Flow] {
        let bench = CallBench {
            one_way: true,
            seconds: 12,
            video: VideoSettings { encoder: EncoderChoice::Aom, bitrate_kbps: 600, ..VideoSettings::new(160, 96, 30) },
            source: VideoChoice::Pattern,
            microphone: SoundChoice::None,
            speaker: SoundChoice::None,
            path: PathPolicy::Direct,
            link: Some(Arc::new(parse("delay=20ms,up.rate=1mbit,up.queue=100ms", |_| Err(String::new())).unwrap())),
            company: Some(Company { who, after_s: 4 }),
            adaptation: Adaptation::default(),
            present: Present::Offscreen,
            hud: HudSize::Off,
            trace: false,
            stop: Arc::default(),
        };
        let measured = bench.run(|_| {}).unwrap();
        let company = CallReport::new(&bench, &measured).company.unwrap();
        assert!(company.own_kbps > 50.0 && company.others_kbps > 50.0, "{company:?}");
        assert!(company.own_kbps + company.others_kbps < 1_050.0, "{company:?}");
        assert!(company.alone_ms.p50 >= 20.0 && company.beside_ms.p50 >= 20.0, "{company:?}");
        if who == Who::Flow {
            assert!(company.own_kbps + company.others_kbps > 800.0, "a flow leaves nothing unused: {company:?}");
        }
    }
}

#[test]
fn a_network_that_is_none_or_has_no_recording_is_refused_with_what_is_needed() {
    for (options, words) in [
        (&["--scenario", "moon"][..], ["no network", "clean"]),
        (&["--scenario", "att-lte"], ["--traces", "ATT-LTE-driving.up"]),
        (&["--scenario", "att-lte", "--traces", "/no/such/folder"], ["ATT-LTE-driving.up", "/no/such/folder"]),
        (&["--scenario", "clean", "--ablation"], ["--ablation", "--scenario"]),
        (&["--html", "/no/such/folder/file"], ["--html", "/no/such/folder/file"]),
        (&["--html", "-"], ["--html", "standard output"]),
    ] {
        let output = program(&["bench", "network"]).args(options).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", said(&output));
        assert!(words.iter().all(|word| said(&output).contains(word)), "{options:?}: {}", said(&output));
    }
}

/// Holds a page to: every tag is closed in its order, and nothing in it is fetched from elsewhere.
fn check_document(html: &str) {
    let mut open = Vec::new();
    let body = html.strip_prefix("<!DOCTYPE html>").unwrap();
    for tag in body.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {tag}"));
        assert!(!text.contains('>') || open.last() == Some(&"style"), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in its order");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        assert!(
            !["script", "link", "img", "iframe", "object"].contains(&tag.split([' ', '/']).next().unwrap()),
            "{tag}"
        );
    }
    assert_eq!(open, Vec::<&str>::new());
    for elsewhere in ["http:", "https:", "src=", "url(", "@import"] {
        assert!(!html.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn figures_without_a_window_are_refused() {
    let output = bench(&["--hud", "full"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--present window"), "{}", said(&output));
}

#[test]
fn after_a_blackout_longer_than_quic_used_to_wait_the_picture_comes_back_by_itself() {
    for path in ["direct", "relay"] {
        let options = ["--one-way", "--path", path, "--link", "delay=20ms,blackout=3s+9s", "--json", "-"];
        let output = bench_for("15", "160x96", &options);
        assert!(output.status.success(), "{}", said(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        // It stood for the blackout, and was there again before the end: standing to the end would be three seconds more.
        let frozen_ms = report["frames"]["frozen_ms"].as_f64().unwrap();
        assert!((8_000.0..11_500.0).contains(&frozen_ms), "{path}: {report}");
        assert!(report["frames"]["presented"].as_u64().unwrap() >= 60, "{path}: {report}");
    }
}

#[test]
fn a_link_that_is_none_is_refused_with_what_there_is() {
    let output = bench(&["--link", "good-wifi"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("home-wifi"), "{}", said(&output));
}

#[test]
fn the_window_is_measured_and_closes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.json");
    let options = ["--one-way", "--path", "relay", "--present", "window", "--hud", "full", "--json", "-", "--trace"];
    let output = bench(&[&options[..], &[trace.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", said(&output));
    // With the figures on standard output, the table is on standard error.
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(said(&output).contains("capture_to_gpu_done"), "{}", said(&output));
    assert_eq!(report["config"]["present"], "window");
    assert_eq!(report["window_frames"]["none_because"], serde_json::Value::Null);
    assert!(report["window_frames"]["causes"]["picture"].as_u64().unwrap() > 0, "{report}");
    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(trace).unwrap()).unwrap();
    let slices = |name: &str| {
        let events = trace["traceEvents"].as_array().unwrap().iter();
        events.filter(|event| event["ph"] == "X" && event["name"] == name).collect::<Vec<_>>()
    };
    let begin = |slice: &serde_json::Value| slice["ts"].as_f64().unwrap();
    let end = |slice: &serde_json::Value| begin(slice) + slice["dur"].as_f64().unwrap();
    let frames = slices("window frame");
    assert!(frames.windows(2).all(|pair| end(pair[0]) <= begin(pair[1]) + 0.001), "one after the other");
    for part in ["layout", "triangles", "upload", "record", "submit and present"] {
        assert!(!slices(part).is_empty(), "{part}");
        for slice in slices(part) {
            let is_inside =
                |frame: &&serde_json::Value| begin(frame) <= begin(slice) && end(slice) <= end(frame) + 0.001;
            assert!(frames.iter().any(is_inside), "{slice}");
        }
    }
    let presented = slices("present");
    assert!(!presented.is_empty());
    // A record is given out some frames later: of the last pictures there may be none, the more so on a busy machine.
    let known = frames.last().map_or(0.0, |frame| end(frame));
    for slice in presented.into_iter().filter(|slice| begin(slice) < known) {
        let frame = frames.iter().find(|frame| frame["args"]["frame"] == slice["args"]["frame"]);
        let frame = frame.unwrap_or_else(|| panic!("no frame of the window shows {slice}"));
        assert!(frame["args"]["causes"].as_array().unwrap().iter().any(|cause| cause == "picture"), "{frame}");
        assert!(begin(frame) <= begin(slice) && begin(slice) <= end(frame), "{slice} is not in {frame}");
    }
    assert!(report["frames"]["presented"].as_u64().unwrap() > 0, "{report}");
    assert!(report["latency_ms"]["capture_to_gpu_done"]["p50"].as_f64().unwrap() > 0.0, "{report}");
}

/// A recording, 320 × 240 at 30 a second, of the window of `bench optical` as a camera a little off its middle sees it: first
/// nothing for this many pictures, then four seconds of labels, which stand as long as the window's and have numbers from `first` on.
fn write_recording(path: &std::path::Path, nothing: u32, first: u32) {
    let mut pool = PicturePool::new(2);
    let mut recorder = Recorder::create(path, 30).unwrap();
    let (mut number, mut until) = (0, hold(0));
    for picture in 0..nothing + 120 {
        let mut seen = pool.acquire(320, 240, Colour::default()).unwrap();
        for (plane, _) in seen.planes_mut() {
            plane.fill(110);
        }
        if let Some(shown) = picture.checked_sub(nothing) {
            while Duration::from_secs(1) * shown / 30 >= until {
                number += 1;
                until += hold(number);
            }
            let label = Label { id: FrameId(first + number), captured: Timestamp::from_nanos(1_000_000) };
            let mut screen = pool.acquire(target::PICTURE.0, target::PICTURE.1, Colour::default()).unwrap();
            target::draw(label, &mut screen);
            let [(from, from_stride), ..] = screen.planes_mut();
            let [(to, to_stride), ..] = seen.planes_mut();
            for (y, row) in to.chunks_mut(to_stride).enumerate().skip(10).take(target::PICTURE.1 as usize * 2 / 5) {
                for (x, sample) in row.iter_mut().enumerate().skip(20).take(target::PICTURE.0 as usize * 2 / 5) {
                    *sample = 40 + from[(y - 10) * 5 / 2 * from_stride + (x - 20) * 5 / 2] / 2;
                }
            }
        }
        recorder.add(&pool.finish(seen)).unwrap();
    }
    recorder.finish().unwrap();
}

fn optical(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off").args(["bench", "optical"]).args(arguments);
    command
}

#[test]
fn the_optical_test_reads_its_window_in_a_recording_and_says_that_this_is_no_light() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.y4m");
    // What is behind the window by 1.2 s has to be measured so; a slow machine reads the recording slowly.
    write_recording(&clip, 36, 0);
    let output = optical(&["--source", clip.to_str().unwrap(), "--seconds", "6", "--json", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        said(&output).contains("NO LIGHT: clip.y4m") && !said(&output).contains("glass to glass"),
        "{}",
        said(&output)
    );
    assert_eq!(
        (&report["light"], &report["source"], &report["to"]),
        (&false.into(), &"file".into(), &"file_read".into())
    );
    // Some forty on an idle machine; one that draws slowly shows fewer labels.
    assert!(report["samples"].as_u64().unwrap() >= 3, "{report}");
    let [p50, p95] = ["p50", "p95"].map(|quantile| report["shown_to_seen_ms"][quantile].as_f64().unwrap());
    assert!(p50 <= p95 && (300.0..5_000.0).contains(&p50), "{report}");
    let interval = report["resolution_ms"]["camera_interval"].as_f64().unwrap();
    assert!((25.0..200.0).contains(&interval), "{report}");
    assert!(report["resolution_ms"]["window_frame"].as_f64().unwrap() > 0.0, "{report}");
}

#[test]
fn where_the_optical_test_finds_nothing_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.y4m");
    let words = |nothing: u32, first: u32, options: &[&str]| {
        write_recording(&clip, nothing, first);
        let output = optical(&[&["--source", clip.to_str().unwrap()], options].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    };
    let none = words(400, 0, &["--wait", "10"]);
    assert!(none.contains("in none of") && none.contains("point the camera at the window"), "{none}");
    let foreign = words(3, 1_000_000, &["--seconds", "10"]);
    assert!(foreign.contains("has not shown"), "{foreign}");
    let missing = optical(&["--camera", "No Such Camera"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(4), "{}", said(&missing));
    assert!(said(&missing).contains("camera") && said(&missing).contains("--source FILE.y4m"), "{}", said(&missing));
    let mut blind = optical(&["--source", clip.to_str().unwrap()]);
    let blind = blind.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    assert_eq!(blind.status.code(), Some(4), "{}", said(&blind));
    assert!(said(&blind).contains("no display"), "{}", said(&blind));
}

#[test]
fn the_demonstration_without_a_screen_leaves_a_picture_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let [picture, json, trace] = ["call.png", "demo.json", "trace.json"].map(|name| folder.path().join(name));
    let output = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .env("VISAVIS_KEYRING", "off")
        .args(["demo", "--offscreen", "--seconds", "3", "--picture"])
        .arg(&picture)
        .arg("--json")
        .arg(&json)
        .arg("--trace")
        .arg(&trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("capture_to_gpu_done"));
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(picture).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let colours: std::collections::HashSet<[u8; 3]> =
        pixels.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    assert!(colours.len() > 1000, "a call window with a picture in it has many colours, not {}", colours.len());

    let read = |path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let (windows, trace) = (&read(json)["window_frames"], read(trace));
    assert!(windows["recorded"].as_u64().unwrap() >= 3 && windows["causes"]["picture"].is_u64(), "{windows}");
    for part in ["layout", "triangles", "upload", "record", "window frame"] {
        assert!(windows["parts_ms"][part]["p50"].as_f64().unwrap() > 0.0, "{part}: {windows}");
    }
    let drawn = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["name"] == "window frame");
    assert_eq!(drawn.count() as u64, windows["recorded"].as_u64().unwrap(), "each of them is in the trace");
}

#[test]
fn what_cannot_be_written_or_read_is_said_before_anything_is_measured() {
    for (option, code) in [("--json", 2), ("--csv", 2), ("--trace", 2), ("--speaker", 2), ("--mic", 1), ("--source", 1)]
    {
        let output = bench(&[option, "/no/such/folder/file.wav"]);
        assert_eq!(output.status.code(), Some(code), "{option}: {}", said(&output));
        assert!(said(&output).contains("/no/such/folder/file.wav"), "{option}: {}", said(&output));
    }
}

#[test]
fn a_missed_threshold_has_its_own_exit_code() {
    let output = bench(&["--path", "relay", "--max-p95-ms", "0.001"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("above the 0.001 ms asked for"), "{}", said(&output));
}

#[test]
fn a_missing_gpu_is_told_from_a_missing_network() {
    let output = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .env("VISAVIS_KEYRING", "off")
        .args(["bench", "call"])
        .env("WGPU_BACKEND", "dx12")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("no GPU was found"), "{}", said(&output));
}

#[test]
fn the_ways_to_the_gpu_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("render.json");
    let output = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .env("VISAVIS_KEYRING", "off")
        .args(["bench", "render", "--size", "160x96", "--frames", "50", "--json", json.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("planes_write_texture"));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    for (name, bytes) in
        [("planes_write_texture", 23_040), ("planes_staging_belt", 23_040), ("rgba_write_texture", 61_440)]
    {
        let ways = report["ways"].as_array().unwrap();
        let way = ways.iter().find(|way| way["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"));
        assert_eq!(way["bytes_per_frame"], bytes);
        assert!(way["gpu_done_ms"]["p50"].as_f64().unwrap() > 0.0, "{report}");
    }
}
