//! `bench call --trace`: the way of every frame as one Chrome trace, which Perfetto and chrome://tracing show: a track for
//! each thread of sender and receiver, a slice for each stage, and an arrow from slice to slice of the same frame. Where they
//! were shown in a window, its own frames stand on the same line of time: what each part of them took, why they were drawn,
//! which picture they showed, and how long the GPU took by its own clock. That clock has no place on this line: such a slice
//! has its true length and ends where the GPU's completion was seen.
//!
//! Times are microseconds of `CLOCK_MONOTONIC`, as in the frame logs. A thread does one thing at a time: where the
//! ledger knows only when a frame was handed to a thread, its slice begins when the thread was done with the one before.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::call::Measured;
use crate::engine::handle::SentFrame;
use crate::media::{FrameId, Stage, Stamps, Timestamp};
use crate::render::UiFrame;

/// Most frames in a trace, the last ones: ten minutes at 30 a second. More than some hundred thousand slices are beyond
/// what the viewers hold.
pub const MOST_FRAMES: usize = 18_000;

/// The threads of the two sides.
const TRACKS: [Track; 10] = [
    Track { side: Side::Sender, thread: "capture" },
    Track { side: Side::Sender, thread: "encode" },
    Track { side: Side::Sender, thread: "seal" },
    Track { side: Side::Receiver, thread: "net" },
    Track { side: Side::Receiver, thread: "open" },
    Track { side: Side::Receiver, thread: "decode" },
    Track { side: Side::Receiver, thread: "present" },
    Track { side: Side::Receiver, thread: "gpu" },
    Track { side: Side::Receiver, thread: "window" },
    Track { side: Side::Receiver, thread: "gpu timer" },
];
/// Those of the window's own frames.
const WINDOW: usize = 8;
const GPU_TIMER: usize = 9;

/// The stages in order, each on a track. What a window's toolkit submits has no time of its own: there the hand-over
/// ends the drawing, and the GPU's slice begins with the upload.
const SLICES: [Slice; 11] = [
    Slice { name: "convert", track: 0, from: Stage::Captured, to: Stage::Converted },
    Slice { name: "encode", track: 1, from: Stage::EncodeStart, to: Stage::Encoded },
    Slice { name: "seal", track: 2, from: Stage::Encoded, to: Stage::Sealed },
    Slice { name: "send", track: 2, from: Stage::Sealed, to: Stage::LastPacketSent },
    Slice { name: "receive", track: 3, from: Stage::FirstPacketReceived, to: Stage::Complete },
    Slice { name: "open", track: 4, from: Stage::Complete, to: Stage::Opened },
    Slice { name: "decode", track: 5, from: Stage::DecodeStart, to: Stage::Decoded },
    Slice { name: "upload", track: 6, from: Stage::UploadStart, to: Stage::Submitted },
    Slice { name: "present", track: 6, from: Stage::UploadStart, to: Stage::PresentRequested },
    Slice { name: "gpu", track: 7, from: Stage::Submitted, to: Stage::GpuDone },
    Slice { name: "upload and gpu", track: 7, from: Stage::UploadStart, to: Stage::GpuDone },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Sender,
    Receiver,
}

impl Side {
    const fn pid(self) -> usize {
        match self {
            Self::Sender => 1,
            Self::Receiver => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sender => "caller, who sends",
            Self::Receiver => "callee, who shows",
        }
    }
}

struct Track {
    side: Side,
    thread: &'static str,
}

struct Slice {
    name: &'static str,
    track: usize,
    from: Stage,
    to: Stage,
}

/// One event of the format.
#[derive(Default, Serialize)]
struct Event {
    ph: &'static str,
    name: &'static str,
    cat: &'static str,
    pid: usize,
    tid: usize,
    /// Microseconds.
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    /// The frame, for arrows.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    /// Where an arrow ends: at the slice around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
}

/// Writes the trace of a run.
pub fn write_trace(measured: &Measured, out: &mut impl Write) -> io::Result<()> {
    write(&measured.sent, &measured.shown, &measured.ui_frames, out)
}

/// `sent` and `shown` are in the order of their numbers.
fn write(
    sent: &[SentFrame],
    shown: &[(FrameId, Stamps)],
    ui_frames: &[UiFrame],
    out: &mut impl Write,
) -> io::Result<()> {
    let left_out = sent.len().saturating_sub(MOST_FRAMES);
    let about = json!({ "version": crate::VERSION, "clock": "CLOCK_MONOTONIC", "frames_left_out": left_out });
    write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{about},\"traceEvents\":[")?;
    let names = [Side::Sender, Side::Receiver].map(|side| named("process_name", side.pid(), 0, side.name()));
    let threads = TRACKS.iter().enumerate().map(|(tid, it)| named("thread_name", it.side.pid(), tid + 1, it.thread));
    for (number, name) in names.into_iter().chain(threads).enumerate() {
        write!(out, "{}\n{name}", if number > 0 { "," } else { "" })?;
    }
    let mut busy_until = [Timestamp::ZERO; TRACKS.len()];
    let mut shown = shown.iter().peekable();
    for frame in &sent[left_out..] {
        while shown.next_if(|(id, _)| *id < frame.id).is_some() {}
        let shown = shown.next_if(|(id, _)| *id == frame.id).map(|(_, stamps)| stamps);
        write_frame(frame, shown, &mut busy_until, out)?;
    }
    let mut timer_until = Timestamp::ZERO;
    for frame in &ui_frames[ui_frames.len().saturating_sub(MOST_FRAMES)..] {
        write_ui_frame(frame, &mut timer_until, out)?;
    }
    writeln!(out, "\n]}}")?;
    out.flush()
}

fn named(what: &str, pid: usize, tid: usize, name: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name } })
}

fn write_frame(
    frame: &SentFrame,
    shown: Option<&Stamps>,
    busy_until: &mut [Timestamp; TRACKS.len()],
    out: &mut impl Write,
) -> io::Result<()> {
    let passed = |slice: &Slice| {
        let stamps = if TRACKS[slice.track].side == Side::Sender { Some(&frame.stamps) } else { shown };
        Some((stamps?.get(slice.from)?, stamps?.get(slice.to)?))
    };
    let is_submitted = shown.is_some_and(|stamps| stamps.get(Stage::Submitted).is_some());
    let slices: Vec<_> = SLICES
        .iter()
        .filter(|slice| !(is_submitted && slice.from == Stage::UploadStart && slice.to != Stage::Submitted))
        .filter_map(|slice| Some((slice, passed(slice)?)))
        .collect();
    for (number, (slice, (from, to))) in slices.iter().enumerate() {
        let busy_until = &mut busy_until[slice.track];
        let from = (*from).max(*busy_until);
        // An arrow needs a slice that is not empty.
        *busy_until = (*to).max(from + Duration::from_nanos(1));
        let (pid, tid, ts) = (TRACKS[slice.track].side.pid(), slice.track + 1, micros(from));
        let args = json!({ "frame": frame.id.0, "picture": frame.picture.0 });
        let dur = busy_until.since(from).as_nanos() as f64 / 1_000.0;
        let event = Event { cat: "frame", pid, tid, ts, ..Event::default() };
        write_event(&Event { ph: "X", name: slice.name, dur: Some(dur), args: Some(args), ..event }, out)?;
        let ph = match number {
            _ if slices.len() == 1 => continue,
            0 => "s",
            number if number + 1 == slices.len() => "f",
            _ => "t",
        };
        let (id, bp) = (Some(frame.id.0), (ph == "f").then_some("e"));
        write_event(&Event { ph, name: "frame", cat: "frame", pid, tid, ts, id, bp, ..Event::default() }, out)?;
    }
    Ok(())
}

/// A frame of the window as a slice with its parts in it.
fn write_ui_frame(frame: &UiFrame, timer_until: &mut Timestamp, out: &mut impl Write) -> io::Result<()> {
    let parts = [
        ("layout", frame.began, frame.laid_out),
        ("triangles", frame.laid_out, frame.tessellated),
        ("upload", frame.tessellated, frame.uploaded),
        ("acquire", frame.uploaded, frame.acquired),
        ("record", frame.acquired, frame.recorded),
        ("submit and present", frame.recorded, frame.handed_over),
    ];
    let args = json!({
        "ui_frame": frame.number,
        "causes": frame.causes.names().collect::<Vec<_>>(),
        "frame": frame.shown.map(|id| id.0),
        "draw_calls_at_most": frame.draw_calls,
        "gpu_ms": frame.gpu.map(|took| took.as_secs_f64() * 1_000.0),
    });
    let mut slice = |name, track: usize, from: Timestamp, to: Timestamp, args| {
        let (pid, tid, ts) = (TRACKS[track].side.pid(), track + 1, micros(from));
        let dur = Some(to.since(from).as_nanos() as f64 / 1_000.0);
        write_event(&Event { ph: "X", name, cat: "window", pid, tid, ts, dur, args, ..Event::default() }, out)
    };
    slice("window frame", WINDOW, frame.began, frame.handed_over, Some(args))?;
    for (name, from, to) in parts {
        if from != Timestamp::ZERO && to > from {
            slice(name, WINDOW, from, to, None)?;
        }
    }
    let Some(took) = frame.gpu.filter(|_| frame.gpu_done != Timestamp::ZERO) else { return Ok(()) };
    let from = (frame.gpu_done - took).max(*timer_until);
    *timer_until = frame.gpu_done.max(from);
    slice("pass", GPU_TIMER, from, *timer_until, Some(json!({ "ui_frame": frame.number })))
}

fn write_event(event: &Event, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b",\n")?;
    Ok(serde_json::to_writer(out, event)?)
}

fn micros(at: Timestamp) -> f64 {
    at.as_nanos() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::STAGES;

    /// A frame every 10 ms whose stages take 3 ms each, so that each thread still works on the one before.
    fn stamps(number: u32, stages: &[Stage]) -> Stamps {
        let mut stamps = Stamps::new();
        for stage in stages {
            let millis = i64::from(number) * 10 + *stage as i64 * 3;
            stamps.set(*stage, Timestamp::from_nanos(1_000_000_000 + millis * 1_000_000));
        }
        stamps
    }

    fn sent(number: u32) -> SentFrame {
        SentFrame {
            id: FrameId(number),
            picture: FrameId(number * 2),
            bytes: 1_000,
            stamps: stamps(number, &STAGES[..7]),
        }
    }

    fn trace(sent: &[SentFrame], shown: &[(FrameId, Stamps)]) -> Value {
        let mut bytes = Vec::new();
        write(sent, shown, &[], &mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn events<'a>(trace: &'a Value, phase: &str) -> Vec<&'a Value> {
        trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == phase).collect()
    }

    #[test]
    fn every_frame_is_on_its_tracks_and_one_that_was_not_shown_only_on_the_senders() {
        let frames: Vec<_> = (0..3).map(sent).collect();
        let shown: Vec<_> = [0, 2].map(|number| (FrameId(number), stamps(number, &STAGES[..15]))).into();
        let trace = trace(&frames, &shown);
        let names = |frame: u32| -> Vec<&str> {
            let of_frame = events(&trace, "X").into_iter().filter(move |event| event["args"]["frame"] == frame);
            of_frame.map(|event| event["name"].as_str().unwrap()).collect()
        };
        assert_eq!(names(1), ["convert", "encode", "seal", "send"]);
        let whole = ["convert", "encode", "seal", "send", "receive", "open", "decode", "upload", "gpu"];
        assert_eq!((names(0), names(2)), (whole.to_vec(), whole.to_vec()));
        assert_eq!(events(&trace, "M").len(), 2 + TRACKS.len());
        let arrows = |phase| events(&trace, phase).iter().filter(|arrow| arrow["id"] == 2).count();
        assert_eq!((arrows("s"), arrows("t"), arrows("f")), (1, 7, 1));
    }

    #[test]
    fn a_window_has_no_time_of_submission_and_its_gpu_is_shown_all_the_same() {
        let mut shown = stamps(0, &STAGES);
        shown.set(Stage::Submitted, Timestamp::ZERO);
        let trace = trace(&[sent(0)], &[(FrameId(0), shown)]);
        let last: Vec<_> = events(&trace, "X").into_iter().skip(7).map(|event| event["name"].clone()).collect();
        assert_eq!(last, ["present", "upload and gpu"]);
    }

    #[test]
    fn slices_of_a_track_do_not_overlap_and_arrows_begin_inside_their_slices() {
        let frames: Vec<_> = (0..20).map(sent).collect();
        // Each is with the GPU for 30 ms, while the next ones come.
        let shown = frames.iter().map(|frame| {
            let mut stamps = stamps(frame.id.0, &STAGES[..15]);
            stamps.set(Stage::GpuDone, stamps.get(Stage::Submitted).unwrap() + Duration::from_millis(30));
            (frame.id, stamps)
        });
        let trace = trace(&frames, &shown.collect::<Vec<_>>());
        let mut ends = [0.0; TRACKS.len() + 1];
        for slice in events(&trace, "X") {
            let [from, length] = ["ts", "dur"].map(|key| slice[key].as_f64().unwrap());
            let end = &mut ends[slice["tid"].as_u64().unwrap() as usize];
            assert!(length > 0.0 && from >= *end - 0.000_5, "{slice} begins before {end}");
            *end = from + length;
        }
        for phase in ["s", "t", "f"] {
            for arrow in events(&trace, phase) {
                let starts = |slice: &&&Value| slice["tid"] == arrow["tid"] && slice["ts"] == arrow["ts"];
                let slice = *events(&trace, "X").iter().find(starts).unwrap();
                assert_eq!(slice["args"]["frame"], arrow["id"]);
            }
        }
    }

    #[test]
    fn a_windows_frame_holds_its_parts_and_names_its_picture() {
        let at = |ms: i64| Timestamp::from_nanos((1_000 + ms) * 1_000_000);
        let frames: Vec<_> = (0..3_u32)
            .map(|number| {
                let begin = i64::from(number) * 33;
                let mut frame = UiFrame { number: number.into(), began: at(begin), ..UiFrame::default() };
                (frame.laid_out, frame.tessellated, frame.uploaded) = (at(begin + 2), at(begin + 3), at(begin + 5));
                (frame.acquired, frame.recorded, frame.handed_over) = (at(begin + 5), at(begin + 6), at(begin + 9));
                (frame.gpu_done, frame.gpu) = (at(begin + 12), Some(Duration::from_millis(4)));
                frame.shown = (number > 0).then_some(FrameId(number * 7));
                frame.causes.add(crate::render::Cause::Picture);
                frame
            })
            .collect();
        let mut bytes = Vec::new();
        write(&[], &[], &frames, &mut bytes).unwrap();
        let trace: Value = serde_json::from_slice(&bytes).unwrap();
        let slices = events(&trace, "X");
        let span = |slice: &Value| {
            let [from, length] = ["ts", "dur"].map(|key| slice[key].as_f64().unwrap());
            (from, from + length)
        };
        let whole: Vec<_> = slices.iter().filter(|slice| slice["name"] == "window frame").collect();
        assert_eq!(whole.iter().map(|it| it["args"]["frame"].as_u64()).collect::<Vec<_>>(), [None, Some(7), Some(14)]);
        assert_eq!(whole[2]["args"]["causes"], json!(["picture"]));
        assert!(whole.windows(2).all(|pair| span(pair[0]).1 <= span(pair[1]).0));
        let parts: Vec<_> =
            slices.iter().filter(|it| it["tid"] == WINDOW + 1 && it["name"] != "window frame").collect();
        assert_eq!(parts.len(), 3 * 5, "what took no time is no slice");
        for part in parts {
            let (from, to) = span(part);
            assert!(whole.iter().any(|it| span(it).0 <= from && to <= span(it).1 + 0.001), "{part}");
        }
        let gpu: Vec<_> = slices.iter().filter(|slice| slice["tid"] == GPU_TIMER + 1).map(|it| span(it)).collect();
        assert_eq!(gpu.len(), 3);
        assert!(gpu.iter().all(|(from, to)| (to - from - 4_000.0).abs() < 0.01), "{gpu:?}");
    }

    #[test]
    fn of_a_long_run_the_last_frames_are_kept_and_the_others_counted() {
        let frames: Vec<_> = (0..MOST_FRAMES as u32 + 5).map(sent).collect();
        let shown: Vec<_> = frames.iter().map(|frame| (frame.id, stamps(frame.id.0, &STAGES[..15]))).collect();
        let trace = trace(&frames, &shown);
        assert_eq!(trace["otherData"]["frames_left_out"], 5);
        let drawn = events(&trace, "X").into_iter().filter(|event| event["name"] == "gpu").count();
        assert_eq!(drawn, MOST_FRAMES);
        assert_eq!(events(&trace, "X")[0]["args"]["frame"], 5);
    }
}
