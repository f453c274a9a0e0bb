//! The scenarios that calls have to hold, with their figures: `cargo test --lib rate::tests::scenarios -- --nocapture`.

use super::bulk::Bulk;
use std::time::Duration;

use super::harness::{CAP_BPS, Call, MIN_BPS, World, after, capacity, link, percentile, start};
use crate::sim::{Outages, spec};

/// Left out of the figures: the beginning.
const SETTLED_S: f64 = 3.0;

#[derive(Debug)]
struct Figures {
    delay_p50_ms: f64,
    delay_p95_ms: f64,
    /// Share of the lesser of link and encoder.
    used: f64,
    /// In the link's queue at each capture.
    queue_p95_ms: f64,
    skipped: usize,
}

fn run(name: &str, text: &str, seconds: usize) -> (Figures, World) {
    let config = link(text);
    let mut world = World::new(&config, vec![Call::starting(start())]);
    let end = after(seconds as f64);
    world.run_until(end);
    let call = &world.calls[0];
    let settled = after(SETTLED_S);
    let capacity = capacity(&config, seconds);
    let usable: f64 = capacity[(SETTLED_S * 10.0) as usize..].iter().map(|bits| bits.min(CAP_BPS / 10.0)).sum();
    let delays = call.signal_delay_ms(settled);
    let queue_ms: Vec<f64> = call.queue_ms.iter().skip((SETTLED_S * 30.0) as usize).copied().collect();
    let figures = Figures {
        delay_p50_ms: percentile(delays.clone(), 0.5),
        delay_p95_ms: percentile(delays, 0.95),
        used: call.arrived_bits(settled, end) / usable,
        queue_p95_ms: if queue_ms.is_empty() { 0.0 } else { percentile(queue_ms, 0.95) },
        skipped: call.captured.iter().filter(|(_, encoded)| !encoded).count(),
    };
    let Figures { delay_p50_ms, delay_p95_ms, used, queue_p95_ms, skipped } = &figures;
    println!(
        "{name}: delay p50 {delay_p50_ms:.0} ms, p95 {delay_p95_ms:.0} ms, used {:.0} %, queue p95 {queue_p95_ms:.0} ms, \
         {skipped} of {} captures skipped",
        used * 100.0,
        call.captured.len()
    );
    (figures, world)
}

#[test]
fn steady_links_are_filled_without_a_standing_queue() {
    for (name, text, most_delay_ms) in [
        ("20 Mb/s", "rate=20mbit,delay=20ms", 30.0),
        ("2 Mb/s", "up.rate=2mbit,delay=20ms,queue=300ms", 70.0),
        ("1 Mb/s", "up.rate=1mbit,delay=20ms,queue=300ms", 70.0),
        ("0.4 Mb/s", "up.rate=400kbit,delay=20ms,queue=300ms", 80.0),
        ("2 Mb/s, 15 ms of jitter", "up.rate=2mbit,delay=20ms,up.jitter=15ms", 90.0),
    ] {
        let (figures, _) = run(name, text, 30);
        assert!(figures.used > 0.8 && figures.delay_p95_ms < most_delay_ms, "{name}: {figures:?}");
        assert!(figures.queue_p95_ms <= 33.3, "{name}: {figures:?}");
    }
}

#[test]
fn loss_by_itself_does_not_slow_a_call_down() {
    for (name, text) in [
        ("2 % random", "up.rate=2mbit,delay=20ms,up.loss=2%,seed=1"),
        ("5 % in bursts of 3, 80 ms", "up.rate=2mbit,delay=40ms,up.loss=5%,up.burst=3,seed=2"),
    ] {
        let (figures, _) = run(name, text, 30);
        assert!(figures.used > 0.75, "{name}: {figures:?}");
    }
}

#[test]
fn a_rate_that_falls_and_comes_back_is_followed_at_once() {
    let (figures, world) = run("2, 0.5, 2 Mb/s", "up.rate=2mbit/10s:500kbit/20s:2mbit,delay=20ms,queue=100kB", 30);
    assert!(figures.delay_p95_ms < 100.0 && figures.used > 0.75 && figures.queue_p95_ms < 33.3, "{figures:?}");
    let call = &world.calls[0];
    assert!(call.rates.iter().all(|(at, bps)| *at < after(10.5) || *at > after(20.0) || *bps < 550_000.0));
    let back = call.rates.iter().find(|(at, bps)| *at > after(20.0) && *bps > 0.9 * 2e6).unwrap().0;
    assert!(back < after(22.0), "{:.2} s", back.since(after(20.0)).as_secs_f64());
}

#[test]
fn a_link_that_stops_holds_little_and_is_found_again() {
    let (figures, world) = run("blackout of 10 s", "up.rate=2mbit,delay=20ms,up.blackout=10s+10s", 40);
    assert!(figures.delay_p95_ms < 100.0, "{figures:?}");
    let call = &world.calls[0];
    let shown = call.shown.iter().find(|(_, at)| *at > after(20.0)).unwrap().1;
    assert!(shown < after(21.0), "{:.2} s", shown.since(after(20.0)).as_secs_f64());
    let back = call.rates.iter().find(|(at, bps)| *at > after(20.0) && *bps > 0.9 * 2e6).unwrap().0;
    println!("90 % of the rate after {:.2} s", back.since(after(20.0)).as_secs_f64());
    assert!(back < after(21.0), "{:.2} s", back.since(after(20.0)).as_secs_f64());
}

#[test]
fn a_silence_makes_pictures_no_smaller_but_a_link_that_comes_back_slower_does() {
    for (rate, changes_path, least_bps, most_bps) in
        [("2mbit", false, 1.7e6, 2e6), ("2mbit/15s:500kbit", false, 1.7e6, 0.55e6), ("2mbit", true, 1.7e6, 2e6)]
    {
        let text = format!("up.rate={rate},delay=20ms,up.blackout=10s+10s");
        let mut world = World::new(&link(&text), vec![Call::starting(start())]);
        world.run_until(after(15.0));
        if changes_path {
            // To one that has stopped as well.
            world.calls[0].controller.handle_path();
        }
        world.run_until(after(30.0));
        let prospects = &world.calls[0].prospects;
        let silent = prospects.iter().filter(|(at, _)| *at > after(9.0) && *at < after(20.0));
        assert!(silent.clone().all(|(_, bps)| *bps > least_bps), "{rate}");
        let slow = prospects.iter().rfind(|(at, bps)| *at < after(29.0) && *bps > most_bps);
        let settled = slow.map_or(0.0, |(at, _)| at.since(after(20.0)).as_secs_f64());
        println!("{rate}: a prospect above {most_bps} until {settled:.2} s after the silence");
        assert!(settled < 0.7, "{rate}: {settled}");
    }
}

#[test]
fn a_silence_soon_after_another_is_taken_for_no_slower_link() {
    let mut config = link("up.rate=2mbit,delay=20ms");
    let seconds = Duration::from_secs_f64;
    config.up.outages = Outages::Spans(vec![(seconds(10.0), seconds(2.0)), (seconds(12.1), seconds(2.0))]);
    let mut world = World::new(&config, vec![Call::starting(start())]);
    world.run_until(after(16.0));
    let least = world.calls[0].prospects.iter().filter(|(at, _)| *at > after(9.0)).map(|(_, bps)| *bps);
    let least = least.fold(f64::INFINITY, f64::min);
    println!("two silences, 0.1 s apart: a prospect of {:.0} kb/s at least", least / 1e3);
    assert!(least > 1.7e6, "{least}");
}

#[test]
fn after_a_blackout_of_any_phase_and_both_ways_frames_arrive_within_a_second() {
    for both in [false, true] {
        for phase in 0..8 {
            for length_ms in [700, 3_000, 10_000, 20_000] {
                let begin = 5_000 + phase * 37;
                let side = if both { "" } else { "up." };
                let text = format!("rate=2mbit,delay=20ms,{side}blackout={begin}ms+{length_ms}ms");
                let mut world = World::new(&link(&text), vec![Call::starting(start())]);
                let end = after(f64::from(begin + length_ms) / 1_000.0);
                world.run_until(end + Duration::from_secs(4));
                let call = &world.calls[0];
                let back = call.shown.iter().find(|(_, at)| *at > end).map(|(_, at)| at.since(end));
                assert!(back.is_some_and(|back| back < Duration::from_millis(700)), "{text}: {back:?}");
                let shown = call.shown.iter().filter(|(_, at)| *at > end + Duration::from_secs(1)).count();
                assert!(shown >= 60, "{text}: {shown} in three seconds");
            }
        }
    }
}

#[test]
fn a_call_that_begins_on_a_slow_link_waits_for_its_first_keyframe_and_no_longer() {
    for (rate, most_ms) in [("500kbit", 450.0), ("300kbit", 700.0)] {
        let text = format!("rate={rate},delay=20ms,queue=5s");
        let mut world = World::new(&link(&text), vec![Call::starting_at(start(), 1_200_000.0)]);
        world.run_until(after(4.0));
        let call = &world.calls[0];
        let most = call.queue_ms.iter().copied().fold(0.0, f64::max);
        let later = call.queue_ms[45..].iter().copied().fold(0.0, f64::max);
        println!("begins at {rate}: {most:.0} ms wait in the link at most, after 1.5 s {later:.0} ms");
        assert!(most < most_ms && later < 100.0, "{rate}: {most} {later}");
    }
}

#[test]
fn links_that_change_all_the_time_are_used_and_do_not_fill() {
    for (name, text, least, most_delay_ms) in [
        ("12 Mb/s on-off", "up.rate=12mbit,delay=20ms,up.on-off=5s:200ms:random,seed=1", 0.6, 135.0),
        ("lte-driving", "lte-driving", 0.6, 120.0),
        ("bad-wifi", "bad-wifi,seed=3", 0.5, 135.0),
        ("umts", "umts,seed=4", 0.6, 250.0),
    ] {
        let (figures, _) = run(name, text, 60);
        assert!(figures.used > least && figures.delay_p95_ms < most_delay_ms, "{name}: {figures:?}");
    }
}

#[test]
fn two_calls_share_a_link() {
    let config = link("up.rate=2mbit,delay=20ms,queue=300ms");
    // Whose frames come first in each interval must make no difference.
    for phase in 0..12 {
        let second = Call::starting(after(10.0 + 0.0137 * f64::from(phase)));
        let mut world = World::new(&config, vec![Call::starting(start()), second]);
        world.run_until(after(60.0));
        let [one, other] = [0, 1].map(|at: usize| world.calls[at].arrived_bits(after(30.0), after(60.0)) / 30e3);
        println!("two calls, phase {phase}: {one:.0} and {other:.0} kb/s");
        let share = one / (one + other);
        assert!((0.4..0.6).contains(&share) && one + other > 1_600.0, "{phase}: {one} {other}");
    }
}

#[test]
fn three_calls_share_a_link() {
    for phase in 0..4 {
        let config = link("up.rate=2mbit,delay=20ms,queue=300ms");
        let later = |seconds: f64, place: i32| Call::starting(after(seconds + 0.0137 * f64::from(phase * place)));
        let mut world = World::new(&config, vec![Call::starting(start()), later(5.0, 1), later(10.0, 2)]);
        world.run_until(after(60.0));
        let kbps = [0, 1, 2].map(|at: usize| world.calls[at].arrived_bits(after(30.0), after(60.0)) / 30e3);
        let delay =
            world.calls.iter().map(|call| percentile(call.signal_delay_ms(after(30.0)), 0.95)).fold(0.0, f64::max);
        println!("three calls, phase {phase}: {kbps:.0?} kb/s, delay p95 {delay:.0} ms");
        assert!(
            kbps.iter().all(|kbps| *kbps > 400.0) && kbps.iter().sum::<f64>() > 1_600.0 && delay < 200.0,
            "{kbps:?}"
        );
    }
}

/// Wi-Fi that lets through what has gathered, a few packets at once.
#[test]
fn a_link_that_delivers_in_bursts_is_used() {
    for (every_ms, packets) in [(10, 2), (20, 4), (30, 6)] {
        let recording: String = (0..1_000 / every_ms)
            .flat_map(|slot| std::iter::repeat_n(format!("{}\n", (slot + 1) * every_ms), packets))
            .collect();
        let config = spec::parse("up.trace=wifi,delay=20ms,queue=300ms", |_| Ok(recording.clone())).unwrap();
        let mut world = World::new(&config, vec![Call::starting(start())]);
        world.run_until(after(30.0));
        let call = &world.calls[0];
        let usable: f64 = capacity(&config, 30)[30..].iter().map(|bits| bits.min(CAP_BPS / 10.0)).sum();
        let used = call.arrived_bits(after(3.0), after(30.0)) / usable;
        let delay = percentile(call.signal_delay_ms(after(3.0)), 0.95);
        println!("{packets} packets every {every_ms} ms: used {:.0} %, delay p95 {delay:.0} ms", used * 100.0);
        assert!(used > 0.7 && delay < 120.0, "{every_ms}: {used} {delay}");
    }
}

#[test]
fn beside_a_flow_that_fills_the_queue_a_call_keeps_its_part() {
    for queue in ["60ms", "150ms", "300ms"] {
        let config = link(&format!("up.rate=2mbit,delay=20ms,queue={queue}"));
        let mut world = World::new(&config, vec![Call::starting(start())]);
        world.run_until(after(10.0));
        world.bulk = Some(Bulk::new());
        world.run_until(after(20.0));
        let before = world.bulk.as_ref().map_or(0, |bulk| bulk.arrived_bytes);
        world.run_until(after(60.0));
        let call = world.calls[0].arrived_bits(after(20.0), after(60.0)) / 40e3;
        let bulk = (world.bulk.as_ref().map_or(0, |bulk| bulk.arrived_bytes) - before) as f64 * 8.0 / 40e3;
        let delay = percentile(world.calls[0].signal_delay_ms(after(20.0)), 0.95);
        println!("beside a bulk flow, queue {queue}: {call:.0} and {bulk:.0} kb/s, delay p95 {delay:.0} ms");
        assert!(call > 0.25 * 2_000.0 && bulk > 0.25 * 2_000.0, "{queue}: {call} {bulk}");
    }
}

#[test]
fn without_reports_almost_nothing_is_sent() {
    let mut world = World::new(&link("up.rate=2mbit,delay=20ms"), vec![Call::starting(start())]);
    world.reports_end = Some(after(10.0));
    world.run_until(after(20.0));
    let call = &world.calls[0];
    assert!(call.arrived_bits(after(9.0), after(10.0)) > 1e6);
    assert!(call.controller.target_bps() <= MIN_BPS);
    let later = call.arrived_bits(after(15.0), after(20.0)) / 5.0;
    assert!(later < 1.5 * MIN_BPS, "{later}");
}
