//! What the remedies are worth: `cargo test --lib repair::tests::scenarios -- --nocapture`.

use super::super::policy::Remedies;
use super::harness::{Call, Outcome, start};

const SECONDS: u64 = 60;
const SEEDS: u64 = 10;
const ALL: Remedies = Remedies { fec: true, references: true };
const NO_FEC: Remedies = Remedies { fec: false, references: true };
const NO_REFERENCES: Remedies = Remedies { fec: true, references: false };
const NEITHER: Remedies = Remedies { fec: false, references: false };

const BURSTS: &str = "rate=10mbit,delay=40ms,up.loss=5%,up.burst=3";
const FAR_BURSTS: &str = "rate=10mbit,delay=100ms,up.loss=5%,up.burst=3";

#[derive(Debug)]
struct Figures {
    /// Longer than 200 ms.
    freezes_a_minute: f64,
    p50_ms: f64,
    p95_ms: f64,
    overhead: f64,
    keyframes: f64,
    rebuilt: f64,
}

/// Means over the seeds.
fn figures(name: &str, link: &str, video_kbps: f64, remedies: Remedies) -> Figures {
    let run = |seed| Call::new(&format!("{link},seed={}", seed + 1), video_kbps, remedies).run(SECONDS);
    let outcomes: Vec<Outcome> = (0..SEEDS).map(run).collect();
    let mean = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    let delay = |share: f64| {
        mean(&|outcome: &Outcome| {
            let delays = outcome.delays_ms();
            delays[((delays.len() - 1) as f64 * share) as usize]
        })
    };
    let figures = Figures {
        freezes_a_minute: mean(&|outcome| outcome.freezes_ms().len() as f64) * 60.0 / SECONDS as f64,
        p50_ms: delay(0.5),
        p95_ms: delay(0.95),
        overhead: mean(&Outcome::overhead),
        keyframes: mean(&|outcome| outcome.keyframes as f64),
        rebuilt: mean(&|outcome| outcome.rebuilt as f64),
    };
    let Figures { freezes_a_minute, p50_ms, p95_ms, overhead, keyframes, rebuilt } = &figures;
    println!(
        "{name}, {video_kbps:.0} kb/s, {remedies:?}: {freezes_a_minute:.1} freezes a minute, delay {p50_ms:.0} / {p95_ms:.0} ms, \
         overhead {:.1} %, {keyframes:.1} keyframes, {rebuilt:.0} rebuilt",
        overhead * 100.0
    );
    figures
}

#[test]
fn a_clean_link_gets_nothing_but_the_frames() {
    let run = |remedies| Call::new("rate=10mbit,delay=20ms", 600.0, remedies).run(20);
    let (with, without) = (run(ALL), run(NEITHER));
    assert_eq!(with.sent, without.sent, "every packet the same, at the same time");
    assert!(with.overhead() == 0.0 && with.keyframes == 1 && with.skipped == 0);
}

#[test]
fn bursts_of_losses_are_survived_within_the_budget() {
    for kbps in [600.0, 1500.0] {
        let with = figures("5 % in bursts of 3, 80 ms", BURSTS, kbps, ALL);
        let without = figures("5 % in bursts of 3, 80 ms", BURSTS, kbps, NO_FEC);
        assert!(with.freezes_a_minute <= 1.0 && with.overhead <= 0.15 && with.keyframes <= 1.5, "{with:?}");
        assert!(with.freezes_a_minute < without.freezes_a_minute, "{without:?}");
    }
}

#[test]
fn where_the_round_trip_is_long_parity_is_there_first() {
    let with = figures("5 % in bursts of 3, 200 ms", FAR_BURSTS, 1500.0, ALL);
    let without = figures("5 % in bursts of 3, 200 ms", FAR_BURSTS, 1500.0, NO_FEC);
    assert!(with.rebuilt > 100.0 && with.freezes_a_minute < 0.8 * without.freezes_a_minute, "{with:?} {without:?}");
    let with = figures("5 % in bursts of 3, 200 ms", FAR_BURSTS, 1500.0, NO_REFERENCES);
    let without = figures("5 % in bursts of 3, 200 ms", FAR_BURSTS, 1500.0, NEITHER);
    assert!(with.freezes_a_minute < 0.7 * without.freezes_a_minute, "{with:?} {without:?}");
}

#[test]
fn frames_from_what_arrived_wait_for_nothing() {
    for (name, link) in [("80 ms", BURSTS), ("200 ms", FAR_BURSTS)] {
        let with = figures(&format!("5 % in bursts of 3, {name}"), link, 600.0, ALL);
        let without = figures(&format!("5 % in bursts of 3, {name}"), link, 600.0, NO_REFERENCES);
        assert!(with.p95_ms < 0.85 * without.p95_ms && with.keyframes < without.keyframes, "{with:?} {without:?}");
        assert!(with.freezes_a_minute < 0.5 * without.freezes_a_minute, "{with:?} {without:?}");
    }
}

#[test]
fn random_losses_cost_little() {
    let few = figures("2 % random, 40 ms", "rate=10mbit,delay=20ms,up.loss=2%", 600.0, ALL);
    assert!(few.freezes_a_minute < 0.5 && few.p95_ms < 100.0 && few.overhead < 0.08, "{few:?}");
    let many = figures("10 % random, 80 ms", "rate=10mbit,delay=40ms,up.loss=10%", 600.0, ALL);
    let without = figures("10 % random, 80 ms", "rate=10mbit,delay=40ms,up.loss=10%", 600.0, NO_FEC);
    assert!(many.freezes_a_minute <= 1.0 && many.freezes_a_minute < without.freezes_a_minute, "{many:?} {without:?}");
}

#[test]
fn reports_that_are_lost_too_change_little() {
    let link = "rate=10mbit,delay=40ms,loss=5%,burst=3";
    let (with, without) = (figures("both ways", link, 600.0, ALL), figures("both ways", link, 600.0, NEITHER));
    assert!(with.freezes_a_minute < 0.7 * without.freezes_a_minute && with.keyframes <= 3.0, "{with:?} {without:?}");
}

#[test]
fn packets_that_overtake_each_other_are_not_sent_again_for_long() {
    let outcome = Call::new("rate=10mbit,delay=20ms,up.jitter=15ms,up.reorder=2%", 600.0, ALL).run(60);
    assert!(outcome.overhead() < 0.03 && outcome.freezes_ms().is_empty(), "{}", outcome.overhead());
}

#[test]
fn while_the_way_back_stops_small_frames_still_go() {
    let link = "rate=2mbit,delay=20ms,down.blackout=5s+1500ms,outage=hold";
    let outcome = Call::new(link, 600.0, ALL).run(10);
    assert_eq!(outcome.freezes_ms(), [0.0; 0]);
    assert!(outcome.skipped > 20, "{}", outcome.skipped);
    // When nothing has been heard for long, nothing is sent.
    let outcome = Call::new("rate=2mbit,delay=20ms,down.blackout=5s+10s,outage=hold", 600.0, ALL).run(20);
    let silent = outcome.captured.iter().filter(|(_, at)| (7_500.0..14_900.0).contains(&at.millis_since(start())));
    assert_eq!(silent.count(), 0);
}

#[test]
fn on_a_moving_train_pictures_stand_still_when_the_link_does() {
    let frozen = |seed: u64| {
        let outcome = Call::new(&format!("lte-driving,seed={seed}"), 600.0, ALL).run(SECONDS);
        outcome.freezes_ms().iter().sum::<f64>() / 1_000.0
    };
    let frozen_s: f64 = (1..=6).map(frozen).sum();
    println!("lte-driving: frozen {frozen_s:.1} s of {}", 6 * SECONDS);
    assert!(frozen_s < 18.0, "{frozen_s}");
}
