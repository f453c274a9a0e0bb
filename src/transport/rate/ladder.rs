//! How large and how many pictures are worth encoding: down when they would get too coarse for the rate or take longer to encode
//! than there is time, up when there has been room for a while. Sans-IO.
//!
//! A frame's quantiser and bytes tell how much detail there is in what is seen; from that follows how coarse a picture of any
//! size would be at any rate, which is what both directions go by. Between the two limits nothing changes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::Timestamp;

/// Sizes in eighths of the source's: those down to a half come first, then fewer pictures, then the others.
const LARGE_EIGHTHS: [u32; 3] = [8, 6, 4];
const SMALL_EIGHTHS: [u32; 2] = [3, 2];
/// No side gets smaller than this.
const LEAST_SIDE: u32 = 160;
/// Pictures a second where there are not to be all of them.
const FEWER_FPS: u32 = 20;
const FEW_FPS: [u32; 2] = [15, 10];
/// AV1's quantiser index grows by this when a pixel gets half the bits: measured with libaom from 320x180 to 1280x720.
const PER_OCTAVE: f64 = 35.0;
/// From this index on a smaller picture looks better; a larger one is only taken if it would stay below the other.
const TOO_COARSE: f64 = 215.0;
const FINE_ENOUGH: f64 = 190.0;
/// For how long there has to be too little before a step down, and enough before a step up.
const SHORT: Duration = Duration::from_millis(200);
const ROOM: Duration = Duration::from_secs(2);
/// What was left for want of rate not longer ago than the first of these is taken again after the second, when there is as much
/// as before: that it fits is known.
const LEFT: Duration = Duration::from_secs(30);
const ROOM_AGAIN: Duration = Duration::from_millis(500);
const AS_MUCH: f64 = 0.8;
/// Detail is averaged over about so many frames.
const DETAIL_FRAMES: f64 = 8.0;
/// Of the newest so many pictures, when at least so many took longer than this share of their time the processor is too slow.
const JUDGED: usize = 12;
const SLOW: usize = 6;
const SLOW_SHARE: f64 = 0.9;
/// What a step may take of its time, going down and going up.
const DOWN_SHARE: f64 = 0.75;
const UP_SHARE: f64 = 0.55;
/// A step up that is taken back within the first of these was a mistake; it is not made again for the second, unless there is
/// more of what was missing.
const REGRETTED: Duration = Duration::from_secs(10);
const REMEMBERED: Duration = Duration::from_mins(1);
const MORE: f64 = 1.3;

/// A size and a number of pictures a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
}

impl Step {
    fn pixels(self) -> f64 {
        f64::from(self.width) * f64::from(self.height)
    }

    fn pixels_a_second(self) -> f64 {
        self.pixels() * f64::from(self.fps)
    }

    fn interval_s(self) -> f64 {
        1.0 / f64::from(self.fps)
    }
}

/// What keeps pictures from being larger or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// They are as the settings want them.
    #[default]
    None,
    /// The path's rate.
    Path,
    /// The time that encoding takes.
    Processor,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Path, Self::Processor];
}

/// A frame that came out of the encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coded {
    /// Its bytes.
    pub bytes: usize,
    /// AV1's base quantiser index.
    pub quantiser: u8,
    /// Whether it is a keyframe.
    pub keyframe: bool,
}

/// The ladder of one source.
#[derive(Debug)]
pub struct Ladder {
    /// From all that the source gives down.
    steps: Vec<Step>,
    at: usize,
    limit: Limit,
    /// Quantiser index at which a pixel would take one bit.
    detail: Option<f64>,
    /// The newest times for scaling and encoding, of this size.
    times_s: VecDeque<f64>,
    /// Since when there is too little or enough, and the step nearest to this one that it would have been.
    short: Option<(Timestamp, usize)>,
    room: Option<(Timestamp, usize)>,
    /// Since when there is enough and as much as there was where a step was left lately.
    again: Option<Timestamp>,
    /// The last rate at which there was enough; and when a step was left, which, and at which rate.
    enough_bps: f64,
    left: Option<(Timestamp, usize, f64)>,
    /// When the last step up was made.
    rose: Option<Timestamp>,
    /// When such a step was taken back, why, and at which rate.
    regretted: Option<(Timestamp, Limit, f64)>,
    /// Sums up pictures a second until there is one to encode.
    due: u32,
}

impl Ladder {
    /// The ladder of a source with pictures of this size and number.
    #[must_use]
    pub fn new(source: Step) -> Self {
        // Chroma is halved, so sides are even; those of the source are what they are.
        let side = |side: u32, eighths: u32| if eighths == 8 { side } else { side * eighths / 8 / 2 * 2 };
        let fits = |eighths: u32| eighths == 8 || side(source.width.min(source.height), eighths) >= LEAST_SIDE;
        let smallest = |of: &[u32]| of.iter().copied().filter(|eighths| fits(*eighths)).min();
        let large = smallest(&LARGE_EIGHTHS).unwrap_or(8);
        let small = smallest(&SMALL_EIGHTHS).unwrap_or(large);
        let all = LARGE_EIGHTHS.map(|eighths| (eighths, source.fps)).into_iter().chain([(large, FEWER_FPS)]);
        let all = all.chain(SMALL_EIGHTHS.map(|eighths| (eighths, FEWER_FPS))).chain(FEW_FPS.map(|fps| (small, fps)));
        let mut steps = vec![source];
        for (eighths, fps) in all.filter(|(eighths, _)| fits(*eighths)) {
            let (width, height) = (side(source.width, eighths), side(source.height, eighths));
            let step = Step { width, height, fps: fps.min(source.fps) };
            if steps.last().is_none_or(|last| step.pixels_a_second() < last.pixels_a_second()) {
                steps.push(step);
            }
        }
        Self::of(steps)
    }

    /// One step only: nothing changes.
    #[must_use]
    pub fn fixed(source: Step) -> Self {
        Self::of(vec![source])
    }

    fn of(steps: Vec<Step>) -> Self {
        Self {
            steps,
            at: 0,
            limit: Limit::None,
            detail: None,
            times_s: VecDeque::with_capacity(JUDGED),
            short: None,
            room: None,
            again: None,
            enough_bps: 0.0,
            left: None,
            rose: None,
            regretted: None,
            due: 0,
        }
    }

    /// What pictures are to be like now.
    #[must_use]
    pub fn step(&self) -> Step {
        self.steps[self.at]
    }

    /// Whether it is made for this source.
    #[must_use]
    pub fn is_for(&self, source: Step) -> bool {
        self.steps[0] == source
    }

    /// Why they are not larger or more.
    #[must_use]
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// Whether the next picture of the source is one that is to be encoded.
    pub fn take_picture(&mut self) -> bool {
        self.due += self.step().fps;
        let all = self.steps[0].fps;
        let is_due = self.due >= all;
        self.due -= if is_due { all } else { 0 };
        is_due
    }

    /// A frame was encoded, which took so long with all that belongs to it.
    pub fn handle_coded(&mut self, coded: Coded, took: Duration) {
        if self.times_s.len() == JUDGED {
            self.times_s.pop_front();
        }
        self.times_s.push_back(took.as_secs_f64());
        if coded.keyframe {
            return;
        }
        let bits_a_pixel = coded.bytes.max(1) as f64 * 8.0 / self.step().pixels();
        let detail = f64::from(coded.quantiser) + PER_OCTAVE * bits_a_pixel.log2();
        let before = self.detail.unwrap_or(detail);
        self.detail = Some(before + (detail - before) / DETAIL_FRAMES);
    }

    /// There is so much for the picture now, in kilobits a second. Gives the new step if there is one.
    pub fn handle_rate(&mut self, kbps: u32, now: Timestamp) -> Option<Step> {
        let bps = f64::from(kbps).max(1.0) * 1e3;
        if let Some((at, ..)) = self.regretted
            && now.since(at) > REMEMBERED
        {
            self.regretted = None;
        }
        if self.is_slow() {
            let fits = |step: &Step| self.time_s(*step) <= DOWN_SHARE * step.interval_s();
            let wanted = self.steps.iter().position(fits).unwrap_or(self.steps.len() - 1);
            let next = (self.at + 1).min(self.steps.len() - 1);
            return self.change(wanted.max(next), Limit::Processor, bps, now);
        }
        let wanted = self.best(bps, TOO_COARSE);
        if wanted > self.at {
            (self.room, self.again) = (None, None);
            let (since, mildest) = self.short.map_or((now, wanted), |(since, mildest)| (since, mildest.min(wanted)));
            self.short = Some((since, mildest));
            return if now.since(since) >= SHORT { self.change(mildest, Limit::Path, bps, now) } else { None };
        }
        self.short = None;
        let wanted = self.best_with_room(bps);
        if self.left.is_none_or(|(at, ..)| now.since(at) > LEFT) {
            (self.enough_bps, self.left) = (bps, None);
        }
        if wanted >= self.at {
            (self.room, self.again) = (None, None);
            return None;
        }
        let fitted = self.fitted(bps);
        self.again = fitted.map(|_| self.again.unwrap_or(now));
        let (since, mildest) = self.room.map_or((now, wanted), |(since, mildest)| (since, mildest.max(wanted)));
        self.room = Some((since, mildest));
        let is_back = self.again.is_some_and(|since| now.since(since) >= ROOM_AGAIN);
        let wanted = if let Some(left) = fitted.filter(|_| is_back) {
            wanted.max(left)
        } else if now.since(since) >= ROOM {
            mildest
        } else {
            return None;
        };
        // What still keeps it from the top is what kept it there before.
        let limit = if wanted == 0 { Limit::None } else { self.limit };
        self.rose = Some(now);
        self.change(wanted, limit, bps, now)
    }

    /// The step that fitted such a rate not long ago. A rate that swings is not followed.
    fn fitted(&self, bps: f64) -> Option<usize> {
        let left = self.left.filter(|_| self.regretted.is_none());
        left.filter(|(_, _, left_bps)| bps >= AS_MUCH * left_bps).map(|(_, left, _)| left)
    }

    fn change(&mut self, to: usize, limit: Limit, bps: f64, now: Timestamp) -> Option<Step> {
        if to == self.at {
            return None;
        }
        if to > self.at && self.rose.take_if(|rose| now.since(*rose) <= REGRETTED).is_some() {
            self.regretted = Some((now, limit, bps));
        }
        if to > self.at && limit == Limit::Path && self.left.is_none() {
            self.left = Some((now, self.at, self.enough_bps));
        } else if self.left.is_some_and(|(_, left, _)| to <= left) {
            self.left = None;
        }
        (self.at, self.limit) = (to, limit);
        (self.short, self.room, self.again) = (None, None, None);
        self.times_s.clear();
        Some(self.step())
    }

    /// The largest step that is not coarser than this at a rate; the last one if all are.
    fn best(&self, bps: f64, coarsest: f64) -> usize {
        let Some(detail) = self.detail else { return self.at };
        let index = |step: &Step| detail - PER_OCTAVE * (bps / step.pixels_a_second()).log2();
        self.steps.iter().position(|step| index(step) <= coarsest).unwrap_or(self.steps.len() - 1)
    }

    /// The largest step for which there is room in every respect; the present one if there is none above it.
    fn best_with_room(&self, bps: f64) -> usize {
        let barred = match self.regretted {
            Some((_, Limit::Path, then_bps)) => bps < then_bps * MORE,
            Some(_) => true,
            None => false,
        };
        if barred || self.times_s.len() < JUDGED {
            return self.at;
        }
        let in_time = |step: &Step| self.time_s(*step) <= UP_SHARE * step.interval_s();
        let least = self.best(bps, FINE_ENOUGH);
        (least..self.at).find(|at| in_time(&self.steps[*at])).unwrap_or(self.at)
    }

    fn is_slow(&self) -> bool {
        let most_s = SLOW_SHARE * self.step().interval_s();
        self.times_s.len() == JUDGED && self.times_s.iter().filter(|time_s| **time_s > most_s).count() >= SLOW
    }

    /// How long a picture of a step would take: the median of the newest, in proportion to its pixels.
    fn time_s(&self, step: Step) -> f64 {
        let mut times_s = [0.0; JUDGED];
        let times_s = &mut times_s[..self.times_s.len()];
        times_s.iter_mut().zip(&self.times_s).for_each(|(to, from)| *to = *from);
        times_s.sort_by(f64::total_cmp);
        times_s.get(times_s.len() / 2).map_or(0.0, |median| median * step.pixels() / self.step().pixels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Random;

    const SOURCE: Step = Step { width: 1280, height: 720, fps: 30 };

    /// A source, an encoder and a clock: what is encoded is as coarse as the rate makes it, more or less.
    struct Bench {
        ladder: Ladder,
        random: Random,
        now: Timestamp,
        /// Quantiser index at one bit a pixel, by which a real encoder differs from step to step, and the time for a pixel.
        detail: f64,
        skew: f64,
        nanos_a_pixel: f64,
        changes: Vec<(Timestamp, Step)>,
    }

    impl Bench {
        fn new(detail: f64) -> Self {
            Self {
                ladder: Ladder::new(SOURCE),
                random: Random::new(7),
                now: Timestamp::from_nanos(1_000_000_000),
                detail,
                skew: 0.0,
                nanos_a_pixel: 5.0,
                changes: Vec::new(),
            }
        }

        fn run(&mut self, seconds: f64, kbps: impl Fn(f64) -> f64) {
            let begin = self.now;
            while self.now.since(begin).as_secs_f64() < seconds {
                let kbps = kbps(self.now.since(begin).as_secs_f64());
                let noise = 0.92 + self.random.below(1_600) as f64 / 10_000.0;
                if let Some(step) = self.ladder.handle_rate((kbps * noise) as u32, self.now) {
                    self.changes.push((self.now, step));
                }
                if self.ladder.take_picture() {
                    let step = self.ladder.step();
                    let skew = self.skew * (step.pixels() / SOURCE.pixels()).log2();
                    let index = self.detail + skew - PER_OCTAVE * (kbps * 1e3 / step.pixels_a_second()).log2();
                    // Coarser than it can an encoder takes more than it may.
                    let over = ((index - 224.0).max(0.0) / PER_OCTAVE).exp2();
                    let noise = 0.6 + self.random.below(8_000) as f64 / 10_000.0;
                    let bytes = kbps * 125.0 / f64::from(step.fps) * over * noise;
                    let coded =
                        Coded { bytes: bytes as usize, quantiser: index.clamp(40.0, 224.0) as u8, keyframe: false };
                    self.ladder.handle_coded(coded, Duration::from_nanos((step.pixels() * self.nanos_a_pixel) as u64));
                }
                self.now = self.now + Duration::from_nanos(33_333_333);
            }
        }
    }

    #[test]
    fn steps_get_smaller_and_have_sides_that_encoders_take() {
        for (width, height, fps) in
            [(1280, 720, 30), (640, 360, 30), (1920, 1080, 30), (160, 96, 30), (641, 361, 15), (720, 1280, 60)]
        {
            let source = Step { width, height, fps };
            let steps = Ladder::new(source).steps;
            assert_eq!(steps[0], source);
            assert!(steps.windows(2).all(|pair| pair[1].pixels_a_second() < pair[0].pixels_a_second()), "{steps:?}");
            for step in &steps[1..] {
                let is_even = step.width % 2 == 0 && step.height % 2 == 0 && step.width.min(step.height) >= LEAST_SIDE;
                assert!(is_even || (step.width, step.height) == (width, height), "{steps:?}");
            }
            assert_eq!(steps.last().unwrap().fps, 10.min(fps));
        }
        let sizes = |width, height| {
            let mut sizes: Vec<u32> =
                Ladder::new(Step { width, height, fps: 30 }).steps.iter().map(|it| it.height).collect();
            sizes.dedup();
            sizes
        };
        assert_eq!(
            (sizes(1280, 720), sizes(640, 360), sizes(160, 96)),
            (vec![720, 540, 360, 270, 180], vec![360, 270, 180], vec![96])
        );
    }

    #[test]
    fn a_falling_rate_is_followed_within_half_a_second_and_a_rising_one_once_and_sooner_where_it_was_before() {
        for (low_s, rising_ms) in [(10.0, 500..1_500), (40.0, 2_000..3_000)] {
            let mut bench = Bench::new(0.0);
            bench.run(5.0, |_| 1_500.0);
            assert_eq!((bench.changes.len(), bench.ladder.limit()), (0, Limit::None));
            let fell = bench.now;
            bench.run(low_s, |_| 150.0);
            let (at, step) = bench.changes[0];
            assert!(at.since(fell) <= Duration::from_millis(500) && step.height <= 360, "{:?}", bench.changes);
            assert!(bench.changes.len() <= 2 && bench.ladder.limit() == Limit::Path, "{:?}", bench.changes);
            let (rose, before) = (bench.now, bench.changes.len());
            bench.run(10.0, |_| 1_500.0);
            let (at, step) = bench.changes[before];
            assert!(rising_ms.contains(&at.since(rose).as_millis()), "{low_s}: {:?}", bench.changes);
            assert_eq!((step, bench.changes.len() - before, bench.ladder.limit()), (SOURCE, 1, Limit::None));
        }
    }

    #[test]
    fn at_a_constant_rate_nothing_changes_any_more_once_it_has_settled() {
        for detail in [-60.0, -20.0, 0.0, 25.0] {
            for kbps in (1..60).map(|it| 30.0 * f64::from(it)) {
                for skew in [-6.0, 0.0, 6.0] {
                    let mut bench = Bench { skew, ..Bench::new(detail) };
                    bench.run(6.0, |_| kbps);
                    let settled = bench.changes.len();
                    bench.run(40.0, |_| kbps);
                    let more = &bench.changes[settled..];
                    assert!(settled <= 4 && more.len() <= 1, "{kbps} kb/s, {detail}, {skew}: {settled}, {more:?}");
                }
            }
        }
    }

    #[test]
    fn a_rate_that_swings_is_not_followed_up_and_down() {
        let mut bench = Bench::new(0.0);
        bench.run(60.0, |seconds| if seconds % 2.0 < 1.0 { 300.0 } else { 1_500.0 });
        // Its first return is believed.
        assert!(bench.changes.len() <= 3, "{:?}", bench.changes);
    }

    #[test]
    fn more_detail_takes_a_smaller_picture_at_the_same_rate() {
        let heights = [-60.0, 10.0, 40.0].map(|detail| {
            let mut bench = Bench::new(detail);
            bench.run(10.0, |_| 400.0);
            bench.ladder.step().height
        });
        assert!(heights[0] == 720 && heights[0] > heights[1] && heights[1] > heights[2], "{heights:?}");
    }

    #[test]
    fn a_slow_processor_makes_pictures_smaller_and_gets_them_back_when_it_has_time() {
        // 46 ms for a whole picture.
        let mut bench = Bench { nanos_a_pixel: 50.0, ..Bench::new(0.0) };
        let begun = bench.now;
        bench.run(30.0, |_| 1_500.0);
        let (at, step) = bench.changes[0];
        assert!(at.since(begun) <= Duration::from_millis(500) && step.height == 360, "{:?}", bench.changes);
        assert_eq!((bench.changes.len(), bench.ladder.limit()), (1, Limit::Processor));
        bench.nanos_a_pixel = 5.0;
        bench.run(4.0, |_| 1_500.0);
        assert_eq!((bench.ladder.step(), bench.ladder.limit()), (SOURCE, Limit::None));
    }

    #[test]
    fn single_slow_pictures_change_nothing() {
        let mut bench = Bench::new(0.0);
        for _ in 0..20 {
            bench.run(0.5, |_| 1_500.0);
            let coded = Coded { bytes: 6_000, quantiser: 150, keyframe: false };
            (0..3).for_each(|_| bench.ladder.handle_coded(coded, Duration::from_millis(80)));
        }
        assert!(bench.changes.is_empty(), "{:?}", bench.changes);
    }

    #[test]
    fn of_the_pictures_that_come_as_many_are_taken_as_the_step_says() {
        let mut ladder = Ladder::new(SOURCE);
        for at in 0..ladder.steps.len() {
            ladder.at = at;
            let taken = (0..300).filter(|_| ladder.take_picture()).count() as u32;
            assert_eq!(taken, ladder.step().fps * 10);
        }
        let mut fixed = Ladder::fixed(SOURCE);
        assert!((0..300).all(|_| fixed.take_picture() && fixed.handle_rate(1, Timestamp::ZERO).is_none()));
    }
}
