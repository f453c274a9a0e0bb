//! What holds on every link, over a thousand random ones.

use std::time::Duration;

use super::harness::{Call, MIN_BPS, World, after, bits, capacity, start};
use crate::sim::random::{Chance, Random};
use crate::sim::{DirectionConfig, LinkConfig, Loss, Outages, QueueLimit, Rate};

const SECONDS: usize = 8;

fn random_link(seed: u64) -> LinkConfig {
    let mut random = Random::new(seed);
    let ms = |random: &mut Random, from, below| Duration::from_millis(from + random.below(below));
    let bps = |random: &mut Random| 250_000 << random.below(6) | random.below(200_000);
    let percent = |random: &mut Random, most: u64| Chance::from_micro_percent(random.below(most * 1_000_000));
    let rate = match random.below(3) {
        0 => Rate::Unlimited,
        1 => Rate::constant(bps(&mut random)),
        _ => {
            let steps = (0..3).map(|step| (Duration::from_secs(3 * step), bps(&mut random))).collect();
            Rate::Steps { steps, repeat: None }
        }
    };
    let loss = match random.below(3) {
        0 => Loss::Random(percent(&mut random, 8)),
        1 => Loss::Bursts { share: percent(&mut random, 8), mean_milli: 1_000 + random.below(5_000) as u32 },
        _ => Loss::None,
    };
    let outages = match random.below(4) {
        0 => Outages::Spans(vec![(ms(&mut random, 1_000, 4_000), ms(&mut random, 50, 3_000))]),
        1 => Outages::Random { mean_on: ms(&mut random, 500, 3_000), mean_off: ms(&mut random, 5, 200) },
        _ => Outages::None,
    };
    let up = DirectionConfig {
        rate,
        queue: QueueLimit::Time(ms(&mut random, 20, 1_000)),
        delay: ms(&mut random, 0, 150),
        jitter: ms(&mut random, 0, 25),
        loss,
        reorder: if random.below(4) == 0 { percent(&mut random, 2) } else { Chance::NEVER },
        reorder_by: ms(&mut random, 1, 40),
        duplicate: if random.below(4) == 0 { percent(&mut random, 2) } else { Chance::NEVER },
        outages,
        outages_drop: random.below(2) == 0,
    };
    let down = DirectionConfig { delay: ms(&mut random, 0, 150), loss, ..DirectionConfig::default() };
    LinkConfig { name: String::new(), up, down, seed }
}

#[test]
fn a_thousand_random_links_neither_break_nor_are_overrun() {
    for seed in 0..1_000 {
        let config = random_link(seed);
        let mut world = World::new(&config, vec![Call::starting(start())]);
        world.run_until(after(SECONDS as f64));
        let call = &world.calls[0];
        let case = format!("{seed}: {:?}", config.up);
        assert!(call.rates.iter().all(|(_, bps)| *bps >= MIN_BPS && bps.is_finite()), "{case}");

        // No more is sent over two seconds than the link lets through in them and the half before, but for what may be on its
        // way, a keyframe, and the least rate.
        let capacity = capacity(&config, SECONDS);
        for tenth in 20..SECONDS * 10 {
            let (from, to) = (after(tenth as f64 / 10.0 - 2.0), after(tenth as f64 / 10.0));
            let sent = bits(&call.sent, from, to);
            let passes: f64 = capacity[tenth.saturating_sub(25)..tenth].iter().sum();
            assert!(sent <= passes * 1.05 + 2.0 * MIN_BPS + 250_000.0, "{sent} of {passes} until {tenth}: {case}");
        }

        // Sound keeps coming, on links that let it: what a fall of the rate finds in the queue has to leave first.
        let is_steady = !matches!(&config.up.rate, Rate::Steps { steps, .. } if steps.len() > 1);
        if is_steady && config.up.loss == Loss::None && config.up.outages == Outages::None {
            let heard = call.sound_arrived.iter().skip_while(|at| **at < after(2.0)).copied().collect::<Vec<_>>();
            let gap = heard.windows(2).map(|pair| pair[1].millis_since(pair[0])).fold(0.0, f64::max);
            assert!(heard.len() > 200 && gap < 250.0, "{gap} ms: {case}");
        }
    }
}
