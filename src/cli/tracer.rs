//! `call --trace` and `answer --trace`: the frames of a real call as one trace (`bench::trace`), from what one of the two
//! machines knows. Of its own frames that is the way until the last packet left; of the peer's the way from the first packet
//! on, and what the peer says under seal of the part before. Those times are of the peer's clock: they are taken to this one
//! by the offset that was measured in the call when the picture was shown, each with its error, and left out while there was
//! none.
//!
//! Kept are the last [`MOST_FRAMES`] frames of each direction, some five MiB in all; older ones are forgotten and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::one_way::Clock;
use crate::bench::trace::{MOST_FRAMES, Party, SENDING, SHOWING, TraceWriter, TracedFrame, Way};
use crate::engine::handle::{LateStamps, SentFrame};
use crate::media::{ClockOffset, FrameId, Stamps};

/// As far back as frames are looked through for one that the peer tells more of.
const RECENT: usize = 64;

const HERE: Party = Party { pid: 1, name: "this machine" };
const THERE: Party = Party { pid: 2, name: "the other machine, by the offset of its clock" };

/// Collects the frames of one call.
#[derive(Debug)]
pub struct Tracer {
    sent: Last<SentFrame>,
    shown: Last<Shown>,
    /// Told of a frame that had not been shown by then: with the GPU still, or never to be shown.
    early: VecDeque<LateStamps>,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    id: FrameId,
    stamps: Stamps,
    clock: Option<ClockOffset>,
    gpu: Option<Duration>,
}

/// The last of many.
#[derive(Debug)]
struct Last<T> {
    items: VecDeque<T>,
    forgotten: u64,
}

impl<T> Last<T> {
    const fn new() -> Self {
        Self { items: VecDeque::new(), forgotten: 0 }
    }

    fn push(&mut self, item: T, most: usize) {
        if self.items.len() >= most {
            self.items.pop_front();
            self.forgotten += 1;
        }
        self.items.push_back(item);
    }
}

impl Tracer {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self::keeping(MOST_FRAMES)
    }

    const fn keeping(most: usize) -> Self {
        Self { sent: Last::new(), shown: Last::new(), early: VecDeque::new(), most }
    }

    /// A frame of ours went out.
    pub fn sent(&mut self, frame: SentFrame) {
        self.sent.push(frame, self.most);
    }

    /// A frame of the peer's, whose clock is known like this, was shown.
    pub fn shown(&mut self, id: FrameId, stamps: &Stamps, clock: Option<ClockOffset>) {
        let mut stamps = *stamps;
        if let Some(late) = self.early.iter().find(|late| late.id == id) {
            stamps.add(&late.stamps);
        }
        self.shown.push(Shown { id, stamps, clock, gpu: None }, self.most);
    }

    /// The peer told more of one of its frames.
    pub fn add(&mut self, late: &LateStamps) {
        if let Some(shown) = self.recent(late.id) {
            shown.stamps.add(&late.stamps);
            return;
        }
        if self.early.len() >= RECENT {
            self.early.pop_front();
        }
        self.early.push_back(*late);
    }

    /// The GPU has told what it took for one of the peer's frames, by its own clock.
    pub fn timed(&mut self, id: FrameId, took: Duration) {
        if let Some(shown) = self.recent(id) {
            shown.gpu = Some(took);
        }
    }

    fn recent(&mut self, id: FrameId) -> Option<&mut Shown> {
        self.shown.items.iter_mut().rev().take(RECENT).find(|shown| shown.id == id)
    }

    /// Writes everything. `gpu` is what the peer's pictures were drawn with, if they were.
    pub fn write(&self, gpu: Option<&str>, out: &mut impl Write) -> io::Result<()> {
        let parties = [(HERE, SENDING.start..SHOWING.end), (THERE, SENDING)];
        let mut trace = TraceWriter::begin(out, self.about(gpu), &parties)?;
        let sent = self.sent.items.iter().map(|frame| TracedFrame {
            id: frame.id,
            picture: Some(frame.picture),
            stamps: frame.stamps,
            clock_error: None,
            gpu: None,
        });
        trace.frames(Way { name: "frame sent", sender: HERE, receiver: THERE }, sent)?;
        let shown = self.shown.items.iter().map(|frame| TracedFrame {
            id: frame.id,
            picture: None,
            stamps: frame.stamps.on_our_clock(frame.clock),
            clock_error: frame.clock.map(|clock| clock.error),
            gpu: frame.gpu,
        });
        trace.frames(Way { name: "frame shown", sender: THERE, receiver: HERE }, shown)?;
        trace.finish()
    }

    fn about(&self, gpu: Option<&str>) -> Value {
        let last = self.shown.items.iter().rev().find_map(|shown| shown.clock);
        let uncompared = self.shown.items.iter().filter(|shown| shown.clock.is_none()).count();
        json!({
            "gpu": gpu,
            "pictures_timed_by_the_gpus_clock": self.shown.items.iter().filter(|shown| shown.gpu.is_some()).count(),
            "window_frames": "none: a call of the command line has no window",
            "other_machines_clock": {
                "brought_to_this_clock": "by the offset known when each picture was shown; error beside each slice",
                "at_the_last_picture": last.map(Clock::from),
                "pictures_before_it_was_known": uncompared,
            },
            "frames_left_out": { "sent": self.sent.forgotten, "shown": self.shown.forgotten },
            "numbers_without_a_frame": {
                "sent": gaps(&self.sent.items, |frame| frame.id),
                "shown": gaps(&self.shown.items, |frame| frame.id),
            },
        })
    }
}

/// Numbers that are missing between the first and the last: of those sent, not all of the frame left, or the record was full;
/// of the peer's, another was shown in their place.
fn gaps<T>(frames: &VecDeque<T>, id: impl Fn(&T) -> FrameId) -> u64 {
    let ends = frames.front().zip(frames.back());
    let span = ends.map_or(0, |(first, last)| u64::from(id(last).0.wrapping_sub(id(first).0)) + 1);
    span.saturating_sub(frames.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{STAGES, Stage, Timestamp};

    /// Stages 2 ms apart from one second on, 33 ms from frame to frame; the sender's by a clock that is ahead.
    fn stamps(number: u32, stages: &[Stage], ahead_ms: i64) -> Stamps {
        let mut stamps = Stamps::new();
        for stage in stages {
            let ahead_ms = if *stage <= Stage::LastPacketSent { ahead_ms } else { 0 };
            let ms = 1_000 + i64::from(number) * 33 + *stage as i64 * 2 + ahead_ms;
            stamps.set(*stage, Timestamp::from_nanos(ms * 1_000_000));
        }
        stamps
    }

    fn traced(tracer: &Tracer) -> Value {
        let mut bytes = Vec::new();
        tracer.write(Some("a GPU"), &mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn slices(trace: &Value, pid: usize, name: &str) -> Vec<(u64, i64)> {
        let events = trace["traceEvents"].as_array().unwrap().iter();
        let slices = events.filter(|it| it["ph"] == "X" && it["pid"] == pid && it["name"] == name);
        let at = |it: &Value| (it["ts"].as_f64().unwrap() / 1_000.0).round() as i64;
        slices.map(|it| (it["args"]["frame"].as_u64().unwrap(), at(it))).collect()
    }

    const AHEAD_MS: i64 = 77_000;

    fn call(most: usize, frames: u32, knows_clock: bool) -> Tracer {
        let mut tracer = Tracer::keeping(most);
        let clock = ClockOffset { ahead_ns: AHEAD_MS * 1_000_000, error: Duration::from_millis(3) };
        for number in 0..frames {
            let id = FrameId(number);
            tracer.sent(SentFrame { id, picture: id, bytes: 500, stamps: stamps(number, &STAGES[..7], 0) });
            let mut shown = stamps(number, &STAGES[..4], AHEAD_MS);
            shown.add(&stamps(number, &STAGES[7..15], 0));
            let late = LateStamps { id, stamps: stamps(number, &STAGES[4..7], AHEAD_MS) };
            // Before or after it was shown.
            if number % 2 == 0 {
                tracer.add(&late);
            }
            tracer.shown(id, &shown, knows_clock.then_some(clock));
            if number % 5 == 4 {
                tracer.timed(id, Duration::from_micros(1_500));
            }
            if number % 2 == 1 {
                tracer.add(&late);
            }
        }
        tracer
    }

    #[test]
    fn the_other_machines_part_stands_on_this_machines_clock_with_its_error() {
        let trace = traced(&call(100, 10, true));
        let encoded: Vec<_> = (0..10).map(|number| (number, 1_004 + number as i64 * 33)).collect();
        for pid in [HERE.pid, THERE.pid] {
            assert_eq!(slices(&trace, pid, "encode"), encoded);
            assert_eq!(slices(&trace, pid, "send").len(), 10, "whether it was told of before or after");
        }
        assert_eq!(slices(&trace, HERE.pid, "decode").len(), 10);
        assert_eq!(slices(&trace, THERE.pid, "decode"), []);
        assert_eq!(slices(&trace, HERE.pid, "pass").iter().map(|it| it.0).collect::<Vec<_>>(), [4, 9]);
        assert_eq!(trace["otherData"]["pictures_timed_by_the_gpus_clock"], 2);
        let errors = trace["traceEvents"].as_array().unwrap().iter().filter(|it| it["args"]["clock_error_ms"] == 3.0);
        assert!(errors.clone().count() == 40 && errors.clone().all(|it| it["pid"] == THERE.pid));
        let clock = &trace["otherData"]["other_machines_clock"]["at_the_last_picture"];
        assert_eq!(clock["offset_ms"], AHEAD_MS as f64);
        assert_eq!((&clock["same"], &trace["otherData"]["gpu"]), (&json!(false), &json!("a GPU")));
    }

    #[test]
    fn without_its_clock_nothing_of_the_other_machine_is_drawn() {
        let trace = traced(&call(100, 10, false));
        assert_eq!(slices(&trace, THERE.pid, "encode"), []);
        assert_eq!(slices(&trace, HERE.pid, "decode").len(), 10);
        let clock = &trace["otherData"]["other_machines_clock"];
        assert_eq!((&clock["at_the_last_picture"], &clock["pictures_before_it_was_known"]), (&Value::Null, &json!(10)));
    }

    #[test]
    fn frames_of_the_two_directions_are_not_joined_by_their_numbers() {
        let trace = traced(&call(100, 3, true));
        let arrows = trace["traceEvents"].as_array().unwrap().iter().filter(|it| it["id"] == 1);
        let names: Vec<_> = arrows.map(|it| (it["name"].as_str().unwrap(), it["pid"].as_u64().unwrap())).collect();
        assert!(names.contains(&("frame sent", 1)) && !names.contains(&("frame sent", 2)), "{names:?}");
        assert!(names.contains(&("frame shown", 1)) && names.contains(&("frame shown", 2)), "{names:?}");
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_is_counted() {
        let tracer = call(50, 220, true);
        assert_eq!((tracer.sent.items.len(), tracer.shown.items.len(), tracer.early.len()), (50, 50, RECENT));
        let trace = traced(&tracer);
        assert_eq!(trace["otherData"]["frames_left_out"], json!({ "sent": 170, "shown": 170 }));
        assert_eq!(trace["otherData"]["numbers_without_a_frame"], json!({ "sent": 0, "shown": 0 }));
        assert_eq!(slices(&trace, HERE.pid, "encode")[0].0, 170);
        let each = size_of::<SentFrame>() + size_of::<Shown>();
        assert!(each * MOST_FRAMES < 6 << 20, "{each} bytes for each pair of frames");
    }

    #[test]
    fn numbers_between_the_first_and_the_last_are_missed() {
        let ids = |ids: &[u32]| gaps(&ids.iter().copied().collect(), |id| FrameId(*id));
        assert_eq!((ids(&[]), ids(&[7]), ids(&[7, 8, 9]), ids(&[7, 9, 12])), (0, 0, 0, 3));
        assert_eq!(ids(&[u32::MAX, 1]), 1);
    }
}
