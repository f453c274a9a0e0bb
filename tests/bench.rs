//! The bench as other programs use it: options, JSON, CSV, exit codes.

mod support;

use std::process::{Command, Output};

use support::{said, write_tone};

fn bench(options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.args(["bench", "call", "--seconds", "2", "--size", "160x96"]).args(options);
    command.output().unwrap()
}

#[test]
fn the_figures_of_a_call_stand_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let [json, csv, trace] = ["call.json", "call.csv", "trace.json"].map(|name| folder.path().join(name));
    let files = [("--json", &json), ("--csv", &csv), ("--trace", &trace)];
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
    assert!(report["latency_ms"]["signal_delay"]["p50"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["frames"]["skipped"].is_u64() && report["frames"]["frozen_ms"].is_f64(), "{report}");
    assert!(report["audio"]["mouth_to_ear_ms"].is_null(), "nobody speaks: {report}");

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
fn the_window_is_measured_and_closes_by_itself() {
    let output = bench(&["--one-way", "--path", "relay", "--present", "window", "--json", "-"]);
    assert!(output.status.success(), "{}", said(&output));
    // With the figures on standard output, the table is on standard error.
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(said(&output).contains("capture_to_gpu_done"), "{}", said(&output));
    assert_eq!(report["config"]["present"], "window");
    assert!(report["frames"]["presented"].as_u64().unwrap() > 0, "{report}");
    assert!(report["latency_ms"]["capture_to_gpu_done"]["p50"].as_f64().unwrap() > 0.0, "{report}");
}

#[test]
fn the_demonstration_without_a_screen_leaves_a_picture_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("call.png");
    let output = Command::new(env!("CARGO_BIN_EXE_visavis"))
        .args(["demo", "--offscreen", "--seconds", "3", "--picture"])
        .arg(&picture)
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
