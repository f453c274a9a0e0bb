//! What it is worth to make pictures smaller and fewer where a rate falls: `cargo test --lib tests::ladder -- --nocapture`.

use std::time::Duration;

use super::super::policy::Remedies;
use super::encoded::{Encoded, Likeness};
use super::harness::{Call, start};
use crate::bench::quality::ssim_db;
use crate::media::Timestamp;
use crate::transport::rate::ladder::Step;
use crate::transport::rate::video::call_bps;

const SOURCE: Step = Step { width: 1280, height: 720, fps: 30 };
const VIDEO_KBPS: f64 = 1_500.0;
/// The rate falls and rises after so many seconds each.
const PART_S: u64 = 10;
const HIGH_BPS: f64 = 2e6;
const LOW_BPS: f64 = 3e5;

/// What came of a call.
struct Figures {
    p50_ms: f64,
    p95_ms: f64,
    /// Structural similarity in decibels of what is shown to what was captured for it, and to what the camera sees then: while the
    /// rate is low, and altogether.
    low_db: [f64; 2],
    all_db: [f64; 2],
    shown: usize,
    /// Pictures for which the path had nothing.
    skipped: usize,
    left_out: usize,
    keyframes: usize,
    /// Time in which pictures stood still for more than 200 ms.
    frozen_s: f64,
    /// Bits sent over what the link or the encoder allowed.
    used: f64,
}

fn run(ladder: bool) -> Figures {
    let link = format!("delay=20ms,rate=2mbit/{PART_S}s:300kbit/{}s:2mbit", 2 * PART_S);
    let (source, seen) = Encoded::new(SOURCE, ladder);
    let remedies = Remedies { fec: true, references: true };
    let outcome = Call::of(&link, VIDEO_KBPS, remedies, Box::new(source)).run(3 * PART_S);
    let delays = outcome.delays_ms();
    let percentile = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    let seen = seen.borrow();
    let [low, end] = [1, 2].map(|parts| start() + Duration::from_secs(parts * PART_S));
    let mean_db = |within: &dyn Fn(Timestamp) -> bool| {
        let likenesses: Vec<Likeness> = seen.likenesses.iter().filter(|it| within(it.at)).copied().collect();
        let mean_db =
            |of: fn(&Likeness) -> f64| ssim_db(likenesses.iter().map(of).sum::<f64>() / likenesses.len() as f64);
        [mean_db(|it| it.own), mean_db(|it| it.now)]
    };
    for (at, Step { width, height, fps }) in &seen.steps {
        println!("  {:.2} s: {width}x{height}@{fps}", at.millis_since(start()) / 1_000.0);
    }
    let sent: f64 = outcome.sent.iter().map(|(_, bytes)| *bytes as f64 * 8.0).sum();
    let usable: f64 = [HIGH_BPS, LOW_BPS, HIGH_BPS].map(|bps| bps.min(call_bps(VIDEO_KBPS))).iter().sum();
    Figures {
        p50_ms: percentile(0.5),
        p95_ms: percentile(0.95),
        low_db: mean_db(&|at| (low..end).contains(&at)),
        all_db: mean_db(&|_| true),
        shown: outcome.shown.len(),
        skipped: outcome.skipped,
        left_out: outcome.left_out,
        keyframes: outcome.keyframes,
        frozen_s: outcome.freezes_ms().iter().sum::<f64>() / 1_000.0,
        used: sent / (usable * PART_S as f64),
    }
}

#[test]
fn where_the_rate_falls_smaller_pictures_come_sooner_and_there_are_more_of_them() {
    println!("1280x720@30, {VIDEO_KBPS} kb/s at most, 2, 0.3, 2 Mb/s for {PART_S} s each");
    let [without, with] = [false, true].map(|ladder| {
        let figures = run(ladder);
        let Figures { p50_ms, p95_ms, low_db, all_db, shown, skipped, left_out, keyframes, frozen_s, used } = &figures;
        println!(
            "{}: delay {p50_ms:.0} / {p95_ms:.0} ms, SSIM to its own and to the present picture {:.1} and {:.1} dB at \
             0.3 Mb/s, {:.1} and {:.1} dB in all; {shown} shown, \
             {skipped} skipped, {left_out} left out, {keyframes} keyframes, frozen {frozen_s:.1} s, {:.0} % used",
            if ladder { "with the ladder" } else { "without" },
            low_db[0],
            low_db[1],
            all_db[0],
            all_db[1],
            used * 100.0
        );
        figures
    });
    assert!(with.p95_ms < 0.9 * without.p95_ms && with.shown > without.shown);
    assert!(with.skipped * 2 < without.skipped && with.frozen_s < 1.1 * without.frozen_s);
    assert!(with.used > 0.6 && without.used > 0.6, "a delay counts only together with what was used");
}
