//! The way of every frame as one Chrome trace, which Perfetto and chrome://tracing show: a track for each thread of sender and
//! receiver, a slice for each stage, and an arrow from slice to slice of the same frame. `bench call --trace` has both sides
//! from one process; `call --trace` one side, and the other as far as it tells (`cli::tracer`). Where they
//! were shown in a window, its own frames stand on the same line of time: what each part of them took, why they were drawn,
//! which picture they showed. How long the GPU took by its own clock is a track too. That clock has no place on this line: such a
//! slice has its true length and ends where the GPU's completion was seen.
//!
//! Times are microseconds of `CLOCK_MONOTONIC`, as in the frame logs. A thread does one thing at a time: where the
//! ledger knows only when a frame was handed to a thread, its slice begins when the thread was done with the one before.

use std::io::{self, Write};
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::call::Measured;
use super::window_frames::{PARTS, WHOLE};
use crate::engine::handle::SentFrame;
use crate::media::{FrameId, Stage, Stamps, Timestamp};
use crate::render::UiFrame;

/// Most frames of one direction in a trace, the last ones: ten minutes at 30 a second. More than some hundred thousand slices
/// are beyond what the viewers hold.
pub const MOST_FRAMES: usize = 18_000;

/// The threads that a frame passes: first the sender's, then the receiver's, then that of the window's own frames.
const THREADS: [&str; 10] =
    ["capture", "encode", "seal", "net", "open", "decode", "present", "gpu", "gpu timer", "window"];
/// Those of who sends.
pub const SENDING: Range<usize> = 0..3;
/// Those of who shows, without a window.
pub const SHOWING: Range<usize> = 3..9;
/// The GPU by its own clock.
const GPU_TIMER: usize = 8;
/// That of the window's own frames.
const WINDOW: usize = 9;

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

/// Who has threads: a process, as the viewers group them.
#[derive(Clone, Copy)]
pub struct Party {
    /// Its number in the trace.
    pub pid: usize,
    /// Its name there.
    pub name: &'static str,
}

/// Frames that go from one party to another.
#[derive(Clone, Copy)]
pub struct Way {
    /// What its slices and arrows are called as a whole; frames of two ways may have the same numbers.
    pub name: &'static str,
    /// Who sends them.
    pub sender: Party,
    /// Who shows them.
    pub receiver: Party,
}

/// A frame with all its times on one clock.
#[derive(Clone, Copy, Debug)]
pub struct TracedFrame {
    /// Its number on its way.
    pub id: FrameId,
    /// Number of the picture at its source, where that is known.
    pub picture: Option<FrameId>,
    /// When it passed which stage, on this machine's clock.
    pub stamps: Stamps,
    /// How far off the sender's times may be, if they are of another clock.
    pub clock_error: Option<Duration>,
    /// What the GPU took for it by its own clock, where that was read.
    pub gpu: Option<Duration>,
}

/// A part of a frame's way, on a thread.
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

/// The parties of a bench.
const SENDER: Party = Party { pid: 1, name: "who sends" };
const RECEIVER: Party = Party { pid: 2, name: "who shows" };

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
    let ui_left_out = ui_frames.len().saturating_sub(MOST_FRAMES);
    let about = json!({ "frames_left_out": left_out, "window_frames_left_out": ui_left_out });
    let parties = [(SENDER, SENDING), (RECEIVER, SHOWING.start..THREADS.len())];
    let mut trace = TraceWriter::begin(out, about, &parties)?;
    let mut shown = shown.iter().peekable();
    let frames = sent[left_out..].iter().map(|frame| {
        while shown.next_if(|(id, _)| *id < frame.id).is_some() {}
        let mut stamps = frame.stamps;
        if let Some((_, there)) = shown.next_if(|(id, _)| *id == frame.id) {
            stamps.add(there);
        }
        TracedFrame { id: frame.id, picture: Some(frame.picture), stamps, clock_error: None, gpu: None }
    });
    trace.frames(Way { name: "frame", sender: SENDER, receiver: RECEIVER }, frames)?;
    trace.window(RECEIVER, &ui_frames[ui_left_out..])?;
    trace.finish()
}

/// A trace that is being written.
pub struct TraceWriter<'a, W: Write> {
    out: &'a mut W,
}

impl<'a, W: Write> TraceWriter<'a, W> {
    /// Begins with what there is to say `about` the whole, an object, and with the parties and their threads.
    pub fn begin(out: &'a mut W, about: Value, parties: &[(Party, Range<usize>)]) -> io::Result<Self> {
        let mut all = Map::from_iter([
            ("version".to_owned(), crate::VERSION.into()),
            ("clock".to_owned(), "monotonic clock of this machine (CLOCK_MONOTONIC on Unix), microseconds".into()),
        ]);
        if let Value::Object(about) = about {
            all.extend(about);
        }
        let all = Value::Object(all);
        write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{all},\"traceEvents\":[")?;
        let processes = parties.iter().map(|(party, _)| named("process_name", party.pid, 0, party.name));
        let threads = parties.iter().flat_map(|(party, threads)| {
            threads.clone().map(|track| named("thread_name", party.pid, track + 1, THREADS[track]))
        });
        for (number, name) in processes.chain(threads).enumerate() {
            write!(out, "{}\n{name}", if number > 0 { "," } else { "" })?;
        }
        Ok(Self { out })
    }

    /// Adds the frames of a way, in the order of their numbers.
    pub fn frames(&mut self, way: Way, frames: impl IntoIterator<Item = TracedFrame>) -> io::Result<()> {
        let mut busy_until = [Timestamp::ZERO; THREADS.len()];
        frames.into_iter().try_for_each(|frame| self.frame(way, &frame, &mut busy_until))
    }

    /// Adds the frames of the window of a party.
    pub fn window(&mut self, party: Party, frames: &[UiFrame]) -> io::Result<()> {
        let mut timer_until = Timestamp::ZERO;
        frames.iter().try_for_each(|frame| self.ui_frame(party, frame, &mut timer_until))
    }

    /// Nothing more comes.
    pub fn finish(self) -> io::Result<()> {
        writeln!(self.out, "\n]}}")?;
        self.out.flush()
    }

    fn frame(&mut self, way: Way, frame: &TracedFrame, busy_until: &mut [Timestamp; THREADS.len()]) -> io::Result<()> {
        let is_submitted = frame.stamps.get(Stage::Submitted).is_some();
        let slices: Vec<_> = SLICES
            .iter()
            .filter(|slice| !(is_submitted && slice.from == Stage::UploadStart && slice.to != Stage::Submitted))
            .filter_map(|slice| Some((slice, frame.stamps.get(slice.from)?, frame.stamps.get(slice.to)?)))
            .collect();
        for (number, (slice, from, to)) in slices.iter().enumerate() {
            let busy_until = &mut busy_until[slice.track];
            let from = (*from).max(*busy_until);
            // An arrow needs a slice that is not empty.
            *busy_until = (*to).max(from + Duration::from_nanos(1));
            let is_sending = SENDING.contains(&slice.track);
            let pid = if is_sending { way.sender.pid } else { way.receiver.pid };
            let (tid, ts) = (slice.track + 1, micros(from));
            let mut args = json!({ "frame": frame.id.0, "picture": frame.picture.map(|picture| picture.0) });
            if let Some(error) = frame.clock_error.filter(|_| is_sending) {
                args["clock_error_ms"] = (error.as_secs_f64() * 1_000.0).into();
            }
            let dur = busy_until.since(from).as_nanos() as f64 / 1_000.0;
            let event = Event { cat: way.name, pid, tid, ts, ..Event::default() };
            self.event(&Event { ph: "X", name: slice.name, dur: Some(dur), args: Some(args), ..event })?;
            let ph = match number {
                _ if slices.len() == 1 => continue,
                0 => "s",
                number if number + 1 == slices.len() => "f",
                _ => "t",
            };
            let (id, bp) = (Some(frame.id.0), (ph == "f").then_some("e"));
            self.event(&Event { ph, name: way.name, cat: way.name, pid, tid, ts, id, bp, ..Event::default() })?;
        }
        let (Some(took), Some(done)) = (frame.gpu, frame.stamps.get(Stage::GpuDone)) else { return Ok(()) };
        let args = json!({ "frame": frame.id.0 });
        self.pass(way.name, way.receiver.pid, took, done, &mut busy_until[GPU_TIMER], args)
    }

    /// What the GPU took by its own clock, which ends where its completion was seen.
    fn pass(
        &mut self,
        cat: &'static str,
        pid: usize,
        took: Duration,
        done: Timestamp,
        busy_until: &mut Timestamp,
        args: Value,
    ) -> io::Result<()> {
        let from = (done - took).max(*busy_until);
        *busy_until = done.max(from);
        let dur = Some(busy_until.since(from).as_nanos() as f64 / 1_000.0);
        let (tid, ts, args) = (GPU_TIMER + 1, micros(from), Some(args));
        self.event(&Event { ph: "X", name: "pass", cat, pid, tid, ts, dur, args, ..Event::default() })
    }

    /// A frame of the window as a slice with its parts in it.
    fn ui_frame(&mut self, party: Party, frame: &UiFrame, timer_until: &mut Timestamp) -> io::Result<()> {
        let args = json!({
            "ui_frame": frame.number,
            "causes": frame.causes.names().collect::<Vec<_>>(),
            "frame": frame.shown.map(|id| id.0),
            "draw_calls_at_most": frame.draw_calls,
            "gpu_ms": frame.gpu.map(|took| took.as_secs_f64() * 1_000.0),
        });
        let mut slice = |name, track: usize, from: Timestamp, to: Timestamp, args| {
            let (tid, ts) = (track + 1, micros(from));
            let dur = Some(to.since(from).as_nanos() as f64 / 1_000.0);
            self.event(&Event { ph: "X", name, cat: "window", pid: party.pid, tid, ts, dur, args, ..Event::default() })
        };
        slice(WHOLE, WINDOW, frame.began, frame.handed_over, Some(args))?;
        for part in PARTS.iter().filter(|part| part.name != WHOLE) {
            if let Some((from, to)) = part.span(frame).filter(|(from, to)| to > from) {
                slice(part.name, WINDOW, from, to, None)?;
            }
        }
        let Some(took) = frame.gpu.filter(|_| frame.gpu_done != Timestamp::ZERO) else { return Ok(()) };
        let args = json!({ "ui_frame": frame.number });
        self.pass("window", party.pid, took, frame.gpu_done, timer_until, args)
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.out.write_all(b",\n")?;
        Ok(serde_json::to_writer(&mut *self.out, event)?)
    }
}

fn named(what: &str, pid: usize, tid: usize, name: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name } })
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
        assert_eq!(events(&trace, "M").len(), 2 + THREADS.len());
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
    fn what_the_gpu_took_by_its_own_clock_ends_where_its_completion_was_seen() {
        let mut bytes = Vec::new();
        let parties = [(RECEIVER, SHOWING)];
        let mut trace = TraceWriter::begin(&mut bytes, json!({}), &parties).unwrap();
        let took = [Some(Duration::from_millis(2)), None, Some(Duration::from_millis(60))];
        let frames = (0..).zip(took).map(|(number, gpu)| {
            let (id, stamps) = (FrameId(number), stamps(number, &STAGES[..15]));
            TracedFrame { id, picture: None, stamps, clock_error: None, gpu }
        });
        trace.frames(Way { name: "frame", sender: SENDER, receiver: RECEIVER }, frames).unwrap();
        trace.finish().unwrap();
        let trace: Value = serde_json::from_slice(&bytes).unwrap();
        let passes = events(&trace, "X").into_iter().filter(|slice| slice["name"] == "pass");
        let passes: Vec<_> = passes
            .map(|it| {
                let [from, length] = ["ts", "dur"].map(|key| (it[key].as_f64().unwrap() / 1_000.0).round() as i64);
                (it["args"]["frame"].as_u64().unwrap(), it["tid"].as_u64().unwrap() as usize, from, from + length)
            })
            .collect();
        // The last was with the GPU while it still did the first.
        let done = |number: i64| 1_000 + number * 10 + Stage::GpuDone as i64 * 3;
        let tid = GPU_TIMER + 1;
        assert_eq!(passes, [(0, tid, done(0) - 2, done(0)), (2, tid, done(0), done(2))]);
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
        let mut ends = [0.0; THREADS.len() + 1];
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
