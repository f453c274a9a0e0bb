//! What every link keeps, over a thousand random ones.

use std::time::Duration;

use super::random::{Chance, Random};
use super::trace::OPPORTUNITY_BYTES;
use super::*;

/// A packet of a test: its number, when it went in, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    number: u64,
    sent: Timestamp,
    bytes: usize,
}

fn random_direction(random: &mut Random) -> DirectionConfig {
    let ms = |random: &mut Random, below| Duration::from_millis(random.below(below));
    let percent = |random: &mut Random| match random.below(3) {
        0 => Chance::from_micro_percent(random.below(10_000_000)),
        _ => Chance::NEVER,
    };
    let bps = |random: &mut Random| 50_000 + random.below(20_000_000);
    let rate = match random.below(4) {
        0 => Rate::Unlimited,
        1 => Rate::constant(bps(random)),
        2 => {
            let mut from = Duration::ZERO;
            let steps = (0..=random.below(5)).map(|_| {
                let step = (from, bps(random));
                from += Duration::from_millis(1 + random.below(2_000));
                step
            });
            let steps = steps.collect();
            Rate::Steps { steps, repeat: (random.below(2) == 0).then_some(from) }
        }
        _ => {
            let mut at = random.below(20);
            let lines = (0..=random.below(300)).map(|_| {
                at += random.below(3) * random.below(30);
                format!("{at}\n")
            });
            let text: String = lines.collect();
            Rate::Trace(Trace::parse(&format!("{text}{}", at + 1)).unwrap())
        }
    };
    DirectionConfig {
        rate,
        queue: match random.below(2) {
            0 => QueueLimit::Bytes(random.below(200_000)),
            _ => QueueLimit::Time(ms(random, 1_000)),
        },
        delay: ms(random, 200),
        jitter: ms(random, 40),
        loss: match random.below(3) {
            0 => Loss::None,
            1 => Loss::Random(percent(random)),
            _ => Loss::Bursts { share: percent(random), mean_milli: 1_000 + random.below(5_000) as u32 },
        },
        reorder: percent(random),
        reorder_by: ms(random, 50),
        duplicate: percent(random),
        outages: match random.below(4) {
            0 => Outages::Spans(vec![(ms(random, 2_000), ms(random, 1_000) + Duration::from_millis(1))]),
            1 => Outages::Periodic { on: ms(random, 900) + Duration::from_millis(50), off: ms(random, 300) },
            2 => Outages::Random {
                mean_on: ms(random, 900) + Duration::from_millis(50),
                mean_off: ms(random, 300) + Duration::from_millis(1),
            },
            _ => Outages::None,
        },
        outages_drop: random.below(2) == 0,
    }
}

/// Sends bursts of random sizes at random times; gives what came out and when, in order.
fn run(
    config: &DirectionConfig,
    seed: u64,
    mut check: impl FnMut(&mut Direction<Packet>, Timestamp),
) -> (Vec<(Timestamp, Packet)>, DirectionCounts) {
    let start = Timestamp::from_nanos(5_000_000_000);
    let mut link = Direction::new(config, seed, start);
    let mut traffic = Random::new(!seed);
    let mut out = Vec::new();
    let mut next_send = start;
    let mut number = 0;
    loop {
        let sends = number < 600;
        let now = match (sends.then_some(next_send), link.poll_timeout()) {
            (Some(send), Some(due)) => send.min(due),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => break,
        };
        if sends && now == next_send {
            for _ in 0..=traffic.below(6) {
                let bytes = 40 + traffic.below(1_460) as usize;
                link.handle_packet(now, bytes, Packet { number, sent: now, bytes });
                number += 1;
            }
            next_send = now + Duration::from_micros(traffic.below(40_000));
        }
        while let Some(packet) = link.poll_packet(now) {
            out.push((now, packet));
        }
        check(&mut link, now);
    }
    (out, link.counts())
}

#[test]
fn a_thousand_random_links_keep_what_links_keep() {
    let mut random = Random::new(42);
    for seed in 0..1_000 {
        let config = random_direction(&mut random);
        let case = format!("{seed}: {config:?}");
        let (out, counts) = run(&config, seed, |link, now| {
            assert!(link.queued_bytes(now) <= link.limit_bytes(), "{case}");
            assert!(link.in_flight() <= direction::MAX_PACKETS, "{case}");
        });
        assert_eq!(counts.delivered, out.len() as u64, "{case}");
        let gone = counts.overflowed + counts.lost;
        assert_eq!(counts.entered + counts.duplicated, gone + counts.delivered, "no packet vanishes: {case}");
        for (at, packet) in &out {
            assert!(at.since(packet.sent) >= config.delay, "{case}");
        }
        assert!(out.is_sorted_by_key(|(at, _)| *at), "{case}");
        if config.reorder == Chance::NEVER {
            assert!(out.is_sorted_by_key(|(_, packet)| packet.number), "{case}");
        }
        let mut numbers: Vec<u64> = out.iter().map(|(_, packet)| packet.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len() as u64, counts.delivered - counts.duplicated, "{case}");
    }
}

#[test]
fn no_random_link_is_faster_than_its_rate() {
    let mut random = Random::new(43);
    for seed in 0..1_000 {
        // Without jitter, reordering and doubles, what comes out is what left the queue, one delay later.
        let config = DirectionConfig {
            jitter: Duration::ZERO,
            reorder: Chance::NEVER,
            duplicate: Chance::NEVER,
            ..random_direction(&mut random)
        };
        let (out, _) = run(&config, seed, |_, _| {});
        let bits_until = |at: Timestamp, with_this_moment| {
            let ns = (at - config.delay).since(Timestamp::from_nanos(5_000_000_000)).as_nanos();
            match &config.rate {
                Rate::Unlimited => None,
                Rate::Steps { steps, repeat } => Some(bits_of_steps(steps, *repeat, ns)),
                Rate::Trace(trace) => Some(bits_of_trace(trace, ns / 1_000_000 + u128::from(with_this_moment))),
            }
        };
        // From the arrival of any packet, the bits that came since fit what the link lets through: what it sent behind the
        // first one is at most what it could since it began with that one.
        for (first, (begun, _)) in out.iter().enumerate().step_by(7) {
            let mut bits = 0;
            for (at, packet) in &out[first + 1..] {
                bits += packet.bytes as u128 * 8;
                // The first may have left room in its opportunity, and another may stand in the same millisecond.
                let (Some(before), Some(after)) = (bits_until(*begun, false), bits_until(*at, true)) else { break };
                assert!(bits <= after - before + 8, "{seed}: {bits} bits in {}: {config:?}", after - before);
            }
        }
    }
}

/// What the opportunities before this millisecond let through.
fn bits_of_trace(trace: &Trace, end_ms: u128) -> u128 {
    let Some(last_ms) = end_ms.checked_sub(1) else { return 0 };
    let (rounds, within) = (last_ms / u128::from(trace.period_ms()), last_ms % u128::from(trace.period_ms()));
    let part = trace.opportunities_ms().iter().filter(|ms| u128::from(**ms) <= within).count() as u128;
    (trace.opportunities_ms().len() as u128 * rounds + part) * u128::from(OPPORTUNITY_BYTES) * 8
}

fn bits_of_steps(steps: &[(Duration, u64)], repeat: Option<Duration>, ns: u128) -> u128 {
    let of_round = |until: u128| -> u128 {
        let ends = steps.iter().skip(1).map(|step| step.0.as_nanos()).chain([u128::MAX]);
        let pieces = steps
            .iter()
            .zip(ends)
            .map(|((from, bps), end)| u128::from(*bps) * end.min(until).saturating_sub(from.as_nanos()));
        pieces.sum()
    };
    let (rounds, within) = repeat.map_or((0, ns), |repeat| (ns / repeat.as_nanos(), ns % repeat.as_nanos()));
    let whole = if rounds > 0 { of_round(repeat.map_or(0, |repeat| repeat.as_nanos())) } else { 0 };
    (whole * rounds + of_round(within)).div_ceil(1_000_000_000)
}

#[test]
fn the_same_seed_is_the_same_link_to_the_bit() {
    let mut random = Random::new(44);
    for seed in 0..100 {
        let config = random_direction(&mut random);
        assert_eq!(run(&config, seed, |_, _| {}), run(&config, seed, |_, _| {}), "{config:?}");
    }
}

#[test]
fn a_link_is_two_directions_of_their_own() {
    let config = spec::parse("up.delay=5ms,down.delay=50ms", |_| Err(String::new())).unwrap();
    let now = Timestamp::ZERO;
    let mut link = Link::new(&config, now);
    link.up.handle_packet(now, 100, "question");
    link.down.handle_packet(now, 100, "answer");
    let first = link.poll_timeout().unwrap();
    assert_eq!(
        (first, link.up.poll_packet(first), link.down.poll_packet(first)),
        (now + Duration::from_millis(5), Some("question"), None)
    );
    let second = link.poll_timeout().unwrap();
    assert_eq!((second, link.down.poll_packet(second)), (now + Duration::from_millis(50), Some("answer")));
}

#[test]
fn a_constant_rate_is_used_to_the_full() {
    let config = DirectionConfig { rate: Rate::constant(1_000_000), ..DirectionConfig::default() };
    let mut link = Direction::new(&config, 0, Timestamp::ZERO);
    let mut last = Timestamp::ZERO;
    let mut bytes = 0;
    for ms in 0..10_000 {
        let now = Timestamp::from_nanos(ms * 1_000_000);
        link.handle_packet(now, 1_000, ());
        while link.poll_packet(now).is_some() {
            (bytes, last) = (bytes + 1_000, now);
        }
    }
    assert_eq!((bytes, last), (1_249_000, Timestamp::from_nanos(9_992_000_000)));
}
