//! Sound through whole calls, over real sockets and, where it says so, through the real sound server that
//! `tests/with-desktop.sh` starts.
#![expect(clippy::disallowed_methods, reason = "tests wait for engines by the wall clock")]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use tempfile::TempDir;
use visavis::bench::pair::{Endpoint, Pair};
use visavis::engine::config::{EngineConfig, SoundChoice, VideoChoice, VideoSettings};
use visavis::engine::handle::{ActiveView, CallView, Command, DeviceChoice, DeviceState, SoundView};
use visavis::sound::devices::{SoundKind, devices};
use visavis::sound::level::level_dbfs;

const RATE: usize = 48_000;
const NONE: SoundChoice = SoundChoice::None;

/// Calls share the machine's sound server and its two cores: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config(microphone: SoundChoice, speaker: SoundChoice) -> EngineConfig {
    EngineConfig {
        video_source: Some(VideoChoice::None),
        microphone: Some(microphone),
        speaker: Some(speaker),
        ..EngineConfig::default()
    }
}

fn device(name: &str) -> SoundChoice {
    SoundChoice::Device(Some(name.to_owned()))
}

/// Two seconds from 200 to 2000 Hz that begin and end softly.
fn sweep() -> Vec<f32> {
    let seconds = 2.0;
    let edge = |t: f32| (t / 0.05).min((seconds - t) / 0.05).clamp(0.0, 1.0);
    let at = |n: usize| {
        let t = n as f32 / RATE as f32;
        let phase = std::f32::consts::TAU * (200.0 * t + 1800.0 * t * t / (2.0 * seconds));
        0.4 * edge(t) * phase.sin()
    };
    (0..2 * RATE).map(at).collect()
}

/// A talker without end: syllables of a buzzing voice, with pauses.
fn speech(seconds: usize) -> Vec<f32> {
    let mut phase = 0.0_f32;
    let at = |n: usize| {
        let t = n as f32 / RATE as f32;
        phase = (phase + 130.0 * (1.0 + 0.25 * (3.7 * t).sin()) / RATE as f32).fract();
        let buzz: f32 = (1..20).map(|k| (std::f32::consts::TAU * k as f32 * phase).sin() / k as f32).sum();
        let syllable = (23.0 * t).sin().max(0.0) * if (t * 0.37).fract() < 0.8 { 1.0 } else { 0.0 };
        0.25 * syllable * buzz
    };
    (0..seconds * RATE).map(at).collect()
}

fn write(path: &Path, samples: &[f32]) -> SoundChoice {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    SoundChoice::File(path.to_owned())
}

fn read(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect()
}

/// How much of `said` is in `heard`, 0 to 1: the mean correlation of its parts of 100 ms, each wherever it is, since
/// playing a little faster or slower is allowed.
fn likeness(said: &[f32], heard: &[f32]) -> f32 {
    let parts = said.chunks_exact(RATE / 10);
    let (count, sum) =
        parts.map(|part| find(part, heard).1).fold((0, 0.0), |(count, sum), part| (count + 1, sum + part));
    sum / count as f32
}

/// Where in `heard` the sound `said` is, and how alike they are there, 0 to 1.
fn find(said: &[f32], heard: &[f32]) -> (usize, f32) {
    let length = (said.len() + heard.len()).next_power_of_two();
    let mut planner = FftPlanner::<f32>::new();
    let spectrum = |samples: &[f32], planner: &mut FftPlanner<f32>| {
        let mut buffer: Vec<_> = samples.iter().map(|sample| Complex::new(*sample, 0.0)).collect();
        buffer.resize(length, Complex::default());
        planner.plan_fft_forward(length).process(&mut buffer);
        buffer
    };
    let (a, b) = (spectrum(said, &mut planner), spectrum(heard, &mut planner));
    let mut product: Vec<_> = a.iter().zip(&b).map(|(a, b)| a.conj() * b / length as f32).collect();
    planner.plan_fft_inverse(length).process(&mut product);
    let places = 0..heard.len().saturating_sub(said.len());
    let place = places.max_by(|a, b| product[*a].re.total_cmp(&product[*b].re)).unwrap();
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let there = power(&heard[place..place + said.len()]);
    (place, product[place].re / (power(said) * there).sqrt())
}

/// Places where the sound bends more sharply than a sweep of this loudness and at most 2 kHz ever does.
fn clicks(samples: &[f32]) -> usize {
    let loudest = samples.iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
    let bend = |three: &&[f32]| (three[0] - 2.0 * three[1] + three[2]).abs() > 0.2 * loudest;
    samples.windows(3).filter(bend).count()
}

/// A running call.
struct Call {
    pair: Pair,
    _alone: MutexGuard<'static, ()>,
}

impl Call {
    fn start(caller: EngineConfig, callee: EngineConfig) -> Self {
        let alone = alone();
        let mut pair = Pair::start(("alice", caller), ("bob", callee)).unwrap();
        pair.talk(false).unwrap();
        Self { pair, _alone: alone }
    }

    /// Hangs up, waits until both sides are idle, and gives the sound as caller and callee saw it last.
    fn end(mut self) -> (SoundView, SoundView) {
        let views = (active(&self.pair.caller).sound, active(&self.pair.callee).sound);
        self.pair.caller.hang_up().unwrap();
        for endpoint in [&mut self.pair.caller, &mut self.pair.callee] {
            let over = |now: &visavis::engine::handle::Snapshot| matches!(now.call, CallView::Ended { .. });
            let ended = endpoint.handle.wait_for(Some(Duration::from_secs(10)), over).unwrap();
            assert!(over(&ended), "{:?}", ended.call);
        }
        self.pair.shutdown();
        views
    }
}

fn talk_for(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

fn active(endpoint: &Endpoint) -> ActiveView {
    match endpoint.handle.snapshot().call {
        CallView::Active(view) => *view,
        other => panic!("no call: {other:?}"),
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A null sink of the sound server: what is played to it is heard from its monitor. Somebody always listens: without a
/// listener in a hurry a null sink works two seconds ahead and then sleeps for as long, which no device does.
struct Sink {
    name: &'static str,
    module: String,
    listener: Child,
}

impl Sink {
    fn load(name: &'static str) -> Self {
        let sink = format!("sink_name={name}");
        let module = pactl(&["load-module", "module-null-sink", &sink, "rate=48000"]).trim().to_owned();
        let mut listener = Program::new("parec")
            .args(["--latency-msec=10", "-d", &format!("{name}.monitor")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Once it has heard something, the sink works in small steps.
        let mut heard = listener.stdout.take().unwrap();
        heard.read_exact(&mut vec![0; 20_000]).unwrap();
        let drain = move || std::io::copy(&mut heard, &mut std::io::sink());
        std::thread::Builder::new().name("listener".into()).spawn(drain).unwrap();
        Self { name, module, listener }
    }

    fn monitor(&self) -> SoundChoice {
        device(&format!("{}.monitor", self.name))
    }

    /// Streams that play to it now.
    fn players(&self) -> usize {
        let sinks = pactl(&["list", "short", "sinks"]);
        let index = sinks.lines().find(|line| line.split('\t').nth(1) == Some(self.name)).unwrap();
        let index = index.split('\t').next().unwrap().to_owned();
        pactl(&["list", "short", "sink-inputs"]).lines().filter(|line| line.split('\t').nth(1) == Some(&index)).count()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = Program::new("pactl").args(["unload-module", &self.module]).status();
        let _ = self.listener.kill();
        let _ = self.listener.wait();
    }
}

fn pactl(arguments: &[&str]) -> String {
    let output = Program::new("pactl").args(arguments).output().expect("pactl: run through tests/with-desktop.sh");
    assert!(output.status.success(), "pactl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_one_says_the_other_hears() {
    let folder = TempDir::new().unwrap();
    let said = sweep();
    let (voice, ear) = (write(&folder.path().join("said.wav"), &said), folder.path().join("heard.wav"));
    let call = Call::start(config(voice, NONE), config(NONE, SoundChoice::File(ear.clone())));
    talk_for(6);
    let (_, callee) = call.end();
    let heard = read(&ear);
    let likeness = likeness(&said, &heard);
    println!("correlation {likeness:.3}, mouth to ear {:?} ms", callee.counts.mouth_to_ear_ms);
    assert!(likeness > 0.95, "correlation {likeness}; {callee:?}");
    let counts = callee.counts;
    assert!(counts.received >= 200 && counts.sent >= 200, "{counts:?}");
    assert!(counts.mouth_to_ear_ms.is_some_and(|millis| millis > 20.0 && millis < 500.0), "{counts:?}");
    // Where a packet was made up for, a bend may be heard; elsewhere not.
    assert!(clicks(&heard) as u64 <= 4 * (counts.concealed + counts.late), "{} clicks; {counts:?}", clicks(&heard));
}

#[test]
fn sound_and_picture_of_one_person_arrive_together() {
    let folder = TempDir::new().unwrap();
    let voice = write(&folder.path().join("said.wav"), &speech(4));
    let seen = EngineConfig {
        video: VideoSettings::new(160, 96, 30),
        video_source: Some(VideoChoice::Pattern),
        ..config(voice, NONE)
    };
    let ear = SoundChoice::File(folder.path().join("heard.wav"));
    let call = Call::start(seen, config(NONE, ear));
    // Left alone, the picture is there 30 to 60 ms before the sound: a packet of it is 20 ms long, and jitter needs time.
    let sound = || active(&call.pair.callee).sound.counts;
    wait_until("sound and picture are close together", || {
        sound().sound_after_picture_ms.is_some_and(|skew| skew.abs() <= 45.0)
    });
    let counts = sound();
    println!(
        "mouth to ear {:?} ms, sound after picture {:?} ms",
        counts.mouth_to_ear_ms, counts.sound_after_picture_ms
    );
    let (caller, _) = call.end();
    assert_eq!(caller.counts.sound_after_picture_ms, None, "nothing comes from there");
}

#[test]
fn sound_passes_a_real_speaker_and_a_real_microphone() {
    let folder = TempDir::new().unwrap();
    let said = sweep();
    let (voice, ear) = (write(&folder.path().join("said.wav"), &said), folder.path().join("heard.wav"));
    let room = Sink::load("room");
    // Bob's speaker and microphone stand in one room; Alice hears herself come back.
    let bob = EngineConfig { raw_microphone: true, ..config(room.monitor(), device("room")) };
    let call = Call::start(config(voice, SoundChoice::File(ear.clone())), bob);
    talk_for(8);
    let (alice, bob) = call.end();
    assert!(matches!(bob.microphone, DeviceState::Open { .. }), "{bob:?}");
    assert!(matches!(bob.speaker, DeviceState::Open { .. }), "{bob:?}");
    let heard = read(&ear);
    let likeness = likeness(&said, &heard);
    println!(
        "correlation {likeness:.3} there and back, mouth to ear {:?} and {:?} ms",
        bob.counts.mouth_to_ear_ms, alice.counts.mouth_to_ear_ms
    );
    assert!(likeness > 0.9, "correlation {likeness}; {alice:?} {bob:?}");
    let gaps = [alice.counts, bob.counts].map(|counts| {
        counts.concealed + counts.late + counts.dropped + counts.samples_missing / 480 + counts.samples_lost / 480
    });
    let allowed = 6 * (gaps[0] + gaps[1]);
    assert!(clicks(&heard) as u64 <= allowed, "{} clicks; {alice:?} {bob:?}", clicks(&heard));
}

#[test]
fn the_far_end_does_not_come_back() {
    let folder = TempDir::new().unwrap();
    let voice = write(&folder.path().join("said.wav"), &speech(20));
    write(&folder.path().join("near.wav"), &speech(5));
    let room = Sink::load("echo");
    let echo_dbfs = |raw_microphone: bool| {
        let ear = folder.path().join(format!("raw-{raw_microphone}.wav"));
        let bob = EngineConfig { raw_microphone, ..config(room.monitor(), device("echo")) };
        let call = Call::start(config(voice.clone(), SoundChoice::File(ear.clone())), bob);
        talk_for(12);
        let heard_before = read(&ear).len();
        // Then Alice is silent, and somebody speaks in Bob's room.
        call.pair.caller.send(Command::SetMicrophone { on: false }).unwrap();
        let spoken = Program::new("paplay").arg("--device=echo").arg(folder.path().join("near.wav")).status().unwrap();
        assert!(spoken.success());
        let (alice, bob) = call.end();
        assert!(matches!(bob.microphone, DeviceState::Open { .. }), "{alice:?} {bob:?}");
        // The canceller has learnt the room by then. The median, because a machine that is busy with other things makes
        // the sound server drop samples; then it has to learn anew.
        let median_dbfs = |heard: &[f32]| {
            let mut levels: Vec<f32> = heard.chunks_exact(RATE / 2).map(level_dbfs).collect();
            levels.sort_by(f32::total_cmp);
            levels[levels.len() / 2]
        };
        let heard = read(&ear);
        (median_dbfs(&heard[4 * RATE..heard_before]), median_dbfs(&heard[heard_before + RATE / 2..]))
    };
    let ((untreated, near_untreated), (treated, near_treated)) = (echo_dbfs(true), echo_dbfs(false));
    println!("echo {untreated:.1} dBFS untreated, {treated:.1} dBFS treated");
    println!("speech in the room {near_untreated:.1} dBFS untreated, {near_treated:.1} dBFS treated");
    assert!(
        near_treated > near_untreated - 12.0,
        "speech {near_untreated} dBFS untreated, {near_treated} dBFS treated"
    );
    assert!(untreated > -40.0, "no echo at all: {untreated} dBFS");
    assert!(untreated - treated > 15.0, "echo {untreated} dBFS untreated, {treated} dBFS treated");
}

#[test]
fn mute_is_silence_in_packets_like_any_other() {
    let folder = TempDir::new().unwrap();
    let ear = folder.path().join("heard.wav");
    let voice = write(&folder.path().join("said.wav"), &speech(4));
    let call = Call::start(config(voice, NONE), config(NONE, SoundChoice::File(ear.clone())));
    talk_for(2);
    call.pair.caller.send(Command::SetMicrophone { on: false }).unwrap();
    wait_until("the peer learns of it", || !active(&call.pair.callee).peer_microphone_on);
    wait_until("speaking in vain is noticed", || active(&call.pair.caller).sound.speaking_while_muted);
    let before = active(&call.pair.callee).sound.counts.received;
    talk_for(3);
    let after = active(&call.pair.callee).sound;
    assert!(after.counts.received - before > 100, "packets go on: {after:?}");
    assert!(after.no_sound_since.is_none() && after.peer_level_dbfs < -60.0, "{after:?}");
    call.end();
    let heard = read(&ear);
    let (first, last) = (level_dbfs(&heard[RATE / 2..RATE * 3 / 2]), level_dbfs(&heard[heard.len() - 2 * RATE..]));
    assert!(first > -40.0 && last < -60.0, "{first} dBFS, then {last} dBFS");
}

#[test]
fn ringing_opens_the_speaker_and_no_microphone() {
    let _alone = alone();
    let (default, bell) = (Sink::load("bell"), device("bell"));
    let mut pair =
        Pair::start(("alice", config(default.monitor(), NONE)), ("bob", config(default.monitor(), bell))).unwrap();
    pair.ring().unwrap();
    let opens = |endpoint: &Endpoint| endpoint.handle.device_opens.counts();
    wait_until("the bell sounds", || opens(&pair.callee).2 == 1 && default.players() == 1);
    assert_eq!((opens(&pair.caller), opens(&pair.callee)), ((0, 0, 0), (0, 0, 1)));
    pair.answer(false).unwrap();
    wait_until("both microphones are open", || opens(&pair.caller).1 == 1 && opens(&pair.callee).1 == 1);
    wait_until("the bell is gone, the call's speaker is open", || opens(&pair.callee).2 == 2 && default.players() == 1);
    // Whoever switches the speaker off, or hangs up, has the device back at once.
    pair.callee.send(Command::SetSpeaker { on: false }).unwrap();
    wait_until("the speaker is closed", || default.players() == 0);
    wait_until("it is shown to be off", || active(&pair.callee).sound.speaker == DeviceState::Off);
    pair.callee.send(Command::SetSpeaker { on: true }).unwrap();
    wait_until("the speaker is open again", || default.players() == 1);
    pair.callee.hang_up().unwrap();
    wait_until("everything is closed", || default.players() == 0 && !pair.callee.handle.device_opens.open_now().1);
    pair.shutdown();
}

#[test]
fn a_device_that_is_missing_or_stops_does_not_end_the_call() {
    let loose = Sink::load("loose");
    let call = Call::start(config(device("no such thing"), NONE), config(NONE, device("loose")));
    let speaker = |call: &Call| active(&call.pair.callee).sound.speaker;
    wait_until("the speaker is open", || matches!(speaker(&call), DeviceState::Open { .. }));
    wait_until("the missing microphone is named", || match active(&call.pair.caller).sound.microphone {
        DeviceState::Missing { why } => why.contains("no such thing"),
        _ => false,
    });
    pactl(&["suspend-sink", loose.name, "1"]);
    wait_until("the loss is seen", || matches!(speaker(&call), DeviceState::Missing { .. }));
    let before = active(&call.pair.callee).sound.counts;
    talk_for(1);
    let after = active(&call.pair.callee).sound.counts;
    assert!(after.received > before.received && after.sent > before.sent, "the call goes on: {after:?}");
    pactl(&["suspend-sink", loose.name, "0"]);
    wait_until("it is taken up again", || matches!(speaker(&call), DeviceState::Open { .. }));
    talk_for(4);
    assert!(matches!(speaker(&call), DeviceState::Open { .. }), "it stays open");
    call.end();
}

#[test]
fn another_microphone_and_speaker_are_taken_up_during_the_call() {
    let (first, second) = (Sink::load("first"), Sink::load("second"));
    let call = Call::start(config(NONE, NONE), config(first.monitor(), device("first")));
    wait_until("the first speaker is open", || first.players() == 1);
    let choice =
        DeviceChoice { camera: None, microphone: Some("second.monitor".into()), speaker: Some("second".into()) };
    call.pair.callee.send(Command::ChooseDevices(choice)).unwrap();
    wait_until("the second speaker is open, the first closed", || first.players() == 0 && second.players() == 1);
    wait_until("the second microphone is open", || call.pair.callee.handle.device_opens.counts().1 == 2);
    let before = active(&call.pair.caller).sound.counts.received;
    talk_for(1);
    assert!(active(&call.pair.caller).sound.counts.received > before, "packets go on");
    call.end();
}

#[test]
fn devices_are_listed_with_their_defaults() {
    let _alone = alone();
    let all = devices();
    let default = |kind| all.iter().find(|device| device.kind == kind && device.is_default).unwrap();
    assert_eq!(default(SoundKind::Speaker).id, "speaker");
    assert_eq!(default(SoundKind::Microphone).id, "microphone.monitor");
    for device in &all {
        assert!(device.rates_hz.0 <= 48_000 && device.rates_hz.1 >= 48_000 && device.channels > 0, "{device:?}");
    }
}
