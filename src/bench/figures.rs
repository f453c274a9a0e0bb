//! The figures of a call over a bad network, from the records of its frames and of its link: signal delay, freezes, the share of
//! the link that was used, what repair and padding added, the queue that stood in the link, and how soon the rate came back.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::call::{Measured, WARM_UP};
use super::summary::{Durations, Percentiles, round, signal_delay};
use crate::engine::handle::FrameCounts;
use crate::media::{FrameId, Stage, Stamps, Timestamp};
use crate::sim::{BIN, LinkConfig, LinkRecord, capacity_bits};

/// A picture that stands still for longer counts as frozen.
const FROZEN_MS: f64 = 200.0;
/// Over so many stretches the rate is looked at that comes back: half a second.
const BACK_BINS: usize = 5;
/// Share of a restored rate that counts as back.
const BACK_SHARE: f64 = 0.9;

/// Pictures that stood still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Freezes {
    /// How often for more than 200 ms.
    pub count: u64,
    /// How long altogether, from the picture that stood to the next.
    pub total_ms: f64,
    /// The longest.
    pub longest_ms: f64,
}

/// How much of what could have been sent was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Used {
    /// What the sending direction let through on average; nothing where it has no limit.
    pub capacity_kbps: Option<f64>,
    /// The lesser of that and the encoder's rate, moment by moment, on average.
    pub usable_kbps: f64,
    /// Bytes of the pictures that were shown, as they came out of the encoder.
    pub goodput_kbps: f64,
    /// The one of the other. Headers, sound, repair, and pictures that were not shown do not count as use.
    pub share: f64,
}

/// What the modelled link saw of what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LinkFigures {
    /// From the link's start, when its steps and traces begin, to the first picture.
    pub lead_ms: f64,
    /// What it carried, with all headers.
    pub carried_kbps: f64,
    /// The queue that a new picture finds in the link, in milliseconds until it is gone.
    pub standing_queue_ms: Percentiles,
    /// Packets that came to it.
    pub packets: u64,
    /// Of those, the ones that found its queue full.
    pub overflowed: u64,
}

/// What was sent beyond the pictures themselves, in shares of the encoder's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Overhead {
    /// So that sizes tell little.
    pub padding: f64,
    /// Packets sent again, second copies of them, and parity.
    pub resent: f64,
    /// Both: what hides and what repairs.
    pub repair_and_padding: f64,
    /// Everything on the wire: those, sound, reports, and the headers of packets, QUIC, UDP and IPv4.
    pub wire: f64,
}

impl Overhead {
    /// From the sender's counters; nothing without pictures.
    #[must_use]
    pub fn new(counts: &FrameCounts) -> Option<Self> {
        let encoded = Some(counts.encoded_bytes as f64).filter(|bytes| *bytes > 0.0)?;
        let share = |bytes: u64| round(bytes as f64 / encoded);
        Some(Self {
            padding: share(counts.padding_bytes),
            resent: share(counts.resent_bytes),
            repair_and_padding: share(counts.padding_bytes + counts.resent_bytes),
            wire: round((counts.wire_bytes as f64 / encoded - 1.0).max(0.0)),
        })
    }
}

/// The run along its time, in stretches of [`BIN`] from the link's start (from the first picture, where there is no link).
#[derive(Clone, Debug)]
pub struct Timeline {
    zero: Timestamp,
    began: Timestamp,
    ended: Timestamp,
    /// Bits that the link lets through; infinite where nothing limits it, nothing where there is no model of it.
    pub capacity_bits: Option<Vec<f64>>,
    /// Bits of pictures that were shown, when they had arrived.
    pub shown_bits: Vec<f64>,
    /// Captures: when, and after how many milliseconds that picture or a later one was shown; nothing if none was.
    pub delays_ms: Vec<(f64, Option<f64>)>,
}

impl Timeline {
    /// Of a run over this link.
    #[must_use]
    pub fn new(link: Option<&LinkConfig>, measured: &Measured) -> Self {
        let began = captured(measured.sent.first().map(|frame| &frame.stamps)).unwrap_or(measured.talk.0);
        let zero = measured.link.as_ref().and_then(|record| record.start).unwrap_or(began);
        let ended = measured.talk.1.max(began);
        let bins = bin_of(ended, zero) + 1;
        let mut shown_bits = vec![0.0; bins];
        let bytes: HashMap<FrameId, u32> = measured.sent.iter().map(|frame| (frame.id, frame.bytes)).collect();
        for (id, stamps) in &measured.shown {
            let (Some(at), Some(bytes)) = (stamps.get(Stage::Complete), bytes.get(id)) else { continue };
            if let Some(bits) = shown_bits.get_mut(bin_of(at, zero)) {
                *bits += f64::from(*bytes) * 8.0;
            }
        }
        let mut timeline = Self { zero, began, ended, capacity_bits: None, shown_bits, delays_ms: Vec::new() };
        timeline.capacity_bits = link.map(|link| capacity_bits(link, bins));
        let shown = timeline.shown_ms(measured);
        let mut next = shown.iter().peekable();
        for at in timeline.captures_ms(measured) {
            while next.next_if(|(capture, _)| *capture < at).is_some() {}
            timeline.delays_ms.push((at, next.peek().map(|(_, shown)| shown - at)));
        }
        timeline
    }

    /// Seconds of the timeline at its end.
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.ended.millis_since(self.zero) / 1_000.0
    }

    /// Seconds from the timeline's zero, the link's start, to the first picture.
    #[must_use]
    pub fn lead_s(&self) -> f64 {
        self.began.millis_since(self.zero) / 1_000.0
    }

    /// Signal delay as Salsify (NSDI 2018) counts it, without the warm-up: each picture is charged until the next one that is shown,
    /// itself or a later one; those that none follows until the end of the run. First of the frames that were sent, then of
    /// all pictures that were captured, the skipped ones included, which is the stricter and what the paper does.
    #[must_use]
    pub fn signal_delays(&self, measured: &Measured) -> (Durations, Durations) {
        let (shown, end_ms) = (self.shown_ms(measured), self.ended.millis_since(self.zero));
        let settled = |at: &f64| *at >= self.settled_ms() && *at < end_ms;
        let sent =
            measured.sent.iter().filter_map(|frame| Some(captured(Some(&frame.stamps))?.millis_since(self.zero)));
        let sent: Vec<f64> = sent.filter(settled).collect();
        let all: Vec<f64> = self.captures_ms(measured).into_iter().filter(settled).collect();
        (signal_delay(&sent, &shown, end_ms), signal_delay(&all, &shown, end_ms))
    }

    /// Signal delay of the frames that were sent between two moments, of those after the warm-up.
    #[must_use]
    pub fn signal_delay_within(&self, measured: &Measured, from: Timestamp, until: Timestamp) -> Durations {
        let from_ms = from.millis_since(self.zero).max(self.settled_ms());
        let until_ms = until.min(self.ended).millis_since(self.zero);
        let sent = measured.sent.iter().filter_map(|frame| captured(Some(&frame.stamps)));
        let sent: Vec<f64> = sent.map(|at| at.millis_since(self.zero)).collect();
        let sent: Vec<f64> = sent.into_iter().filter(|at| *at >= from_ms && *at < until_ms).collect();
        signal_delay(&sent, &self.shown_ms(measured), self.ended.millis_since(self.zero))
    }

    /// How much was used, after the warm-up. `encoder_kbps` is the rate that was asked of the encoder.
    #[must_use]
    pub fn used(&self, encoder_kbps: u32) -> Option<Used> {
        let capacity = self.capacity_bits.as_ref()?;
        let from = bin_of(self.began + WARM_UP, self.zero) + 1;
        let until = bin_of(self.ended, self.zero);
        let (capacity, shown) = (capacity.get(from..until)?, self.shown_bits.get(from..until)?);
        let most = f64::from(encoder_kbps) * 1_000.0 * BIN.as_secs_f64();
        let usable: f64 = capacity.iter().map(|bits| bits.min(most)).sum();
        let goodput: f64 = shown.iter().sum();
        let kbps = |bits: f64| round(bits / (BIN.as_secs_f64() * capacity.len() as f64) / 1_000.0);
        let through: f64 = capacity.iter().sum();
        (usable > 0.0).then(|| Used {
            capacity_kbps: through.is_finite().then(|| kbps(through)),
            usable_kbps: kbps(usable),
            goodput_kbps: kbps(goodput),
            share: round(goodput / usable),
        })
    }

    /// What the link saw from the first picture on.
    #[must_use]
    pub fn link_figures(&self, measured: &Measured) -> Option<LinkFigures> {
        let LinkRecord { packets, left_out, .. } = measured.link.as_ref()?;
        let mut queue = Durations::default();
        let (mut next, mut busy_until) = (packets.iter().peekable(), self.zero);
        for at_ms in self.captures_ms(measured).into_iter().filter(|at| *at >= self.settled_ms()) {
            let at = self.zero + Duration::from_secs_f64(at_ms.max(0.0) / 1_000.0);
            while let Some(packet) = next.next_if(|packet| packet.entered <= at) {
                busy_until = busy_until.max(packet.left.unwrap_or(busy_until));
            }
            queue.add(busy_until.millis_since(at).max(0.0));
        }
        let carried = packets.iter().filter(|packet| packet.left.is_some_and(|left| left >= self.began));
        let bits: f64 = carried.map(|packet| f64::from(packet.bytes) * 8.0).sum();
        Some(LinkFigures {
            lead_ms: round(self.lead_s() * 1_000.0),
            carried_kbps: round(bits / self.ended.millis_since(self.began).max(1.0)),
            standing_queue_ms: queue.percentiles(),
            packets: packets.len() as u64 + left_out,
            overflowed: packets.iter().filter(|packet| packet.left.is_none()).count() as u64,
        })
    }

    /// Seconds from `restored`, since the link's start, until nine tenths of the lesser of link and encoder are shown again over
    /// half a second; nothing if they never are.
    #[must_use]
    pub fn rate_back_s(&self, restored: Duration, encoder_kbps: u32) -> Option<f64> {
        let from = (restored.as_millis() / BIN.as_millis()) as usize;
        let capacity = self.capacity_bits.as_ref()?;
        let most = f64::from(encoder_kbps) * 1_000.0 * BIN.as_secs_f64();
        let is_back = |at: &usize| {
            let span = *at..at + BACK_BINS;
            let (Some(capacity), Some(shown)) = (capacity.get(span.clone()), self.shown_bits.get(span)) else {
                return false;
            };
            let usable: f64 = capacity.iter().map(|bits| bits.min(most)).sum();
            shown.iter().sum::<f64>() >= BACK_SHARE * usable
        };
        let back = (from..self.shown_bits.len()).find(is_back)?;
        Some(round((back - from) as f64 * BIN.as_secs_f64()))
    }

    /// Seconds from `restored`, since the link's start, until a picture is shown that was captured after it; nothing if none is.
    #[must_use]
    pub fn picture_back_s(&self, restored: Duration, measured: &Measured) -> Option<f64> {
        let restored_ms = restored.as_secs_f64() * 1_000.0;
        let fresh = self.shown_ms(measured).into_iter().find(|(capture, _)| *capture >= restored_ms)?;
        Some(round((fresh.1 - restored_ms) / 1_000.0))
    }

    fn settled_ms(&self) -> f64 {
        (self.began + WARM_UP).millis_since(self.zero)
    }

    /// Captures and showings, in milliseconds.
    fn shown_ms(&self, measured: &Measured) -> Vec<(f64, f64)> {
        let millis = |stamps: &Stamps, stage| stamps.get(stage).map(|at| at.millis_since(self.zero));
        let times = |stamps| Some((millis(stamps, Stage::Captured)?, millis(stamps, Stage::GpuDone)?));
        measured.shown.iter().filter_map(|(_, stamps)| times(stamps)).collect()
    }

    /// All captures in milliseconds. Those of pictures that were not encoded are known by their numbers only: they are spread
    /// evenly between the ones before and after.
    fn captures_ms(&self, measured: &Measured) -> Vec<f64> {
        let mut captures: Vec<f64> = Vec::with_capacity(measured.sent.len());
        let mut before = None;
        let mut interval = f64::INFINITY;
        for frame in &measured.sent {
            let Some(at) = captured(Some(&frame.stamps)).map(|at| at.millis_since(self.zero)) else { continue };
            if let Some((number, then)) = before.replace((frame.picture, at)) {
                let steps = frame.picture.0.wrapping_sub(number.0).max(1);
                interval = (at - then) / f64::from(steps);
                captures.extend((1..steps).map(|step| then + interval * f64::from(step)));
            }
            captures.push(at);
        }
        // Skipped until the source went off.
        let end = self.ended.millis_since(self.zero);
        if let Some((_, last)) = before.filter(|_| interval > 0.0 && interval.is_finite()) {
            captures.extend((1..).map(|step| last + interval * f64::from(step)).take_while(|at| *at < end));
        }
        captures
    }
}

/// How long pictures stood still, from the first capture to the last: a picture that never gives way to the next stands until the
/// end. Gives all that is above 200 ms too, added up.
#[must_use]
pub fn freezes(sent: &[&Stamps], shown: &[&Stamps]) -> (Freezes, f64) {
    let mut freezes = Freezes::default();
    let mut frozen_ms = 0.0;
    let (Some(begin), Some(end)) = (captured(sent.first().copied()), captured(sent.last().copied())) else {
        return (freezes, frozen_ms);
    };
    let mut newest = begin;
    // What is shown after the last capture ends what stands then.
    for at in shown.iter().filter_map(|stamps| stamps.get(Stage::GpuDone)).chain([end]) {
        let stood_ms = at.millis_since(newest);
        if stood_ms > FROZEN_MS {
            freezes.count += 1;
            freezes.total_ms = round(freezes.total_ms + stood_ms);
            freezes.longest_ms = round(freezes.longest_ms.max(stood_ms));
            frozen_ms += stood_ms - FROZEN_MS;
        }
        newest = at;
    }
    (freezes, round(frozen_ms))
}

fn captured(stamps: Option<&Stamps>) -> Option<Timestamp> {
    stamps?.get(Stage::Captured)
}

fn bin_of(at: Timestamp, zero: Timestamp) -> usize {
    (at.since(zero).as_millis() / BIN.as_millis()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::handle::SentFrame;
    use crate::sim::{Passed, spec};

    fn time(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn at(stage: Stage, millis: i64) -> Stamps {
        let mut stamps = Stamps::new();
        stamps.set(stage, time(millis));
        stamps
    }

    fn frozen(captured: &[i64], done: &[i64]) -> (u64, f64, f64) {
        let stamps = |stage, times: &[i64]| times.iter().map(|millis| at(stage, *millis)).collect::<Vec<_>>();
        let (sent, shown) = (stamps(Stage::Captured, captured), stamps(Stage::GpuDone, done));
        let (freezes, frozen_ms) = freezes(&sent.iter().collect::<Vec<_>>(), &shown.iter().collect::<Vec<_>>());
        (freezes.count, freezes.total_ms, frozen_ms)
    }

    #[test]
    fn only_what_is_above_200_ms_counts_as_frozen() {
        assert_eq!(frozen(&[990, 1530], &[1000, 1150, 1500, 1533]), (1, 350.0, 150.0));
    }

    #[test]
    fn pictures_that_never_come_count_until_the_last_one_was_captured() {
        assert_eq!(frozen(&[1000, 2000], &[]), (1, 1000.0, 800.0));
        assert_eq!(frozen(&[1000, 2000], &[1010, 1100]), (1, 900.0, 700.0));
        assert_eq!(frozen(&[1000, 2000], &[1900, 2010]), (1, 900.0, 700.0));
    }

    /// A picture every 100 ms from 500 ms on, captured when the link is half a second old, shown 50 ms later; `lost` are neither
    /// encoded nor shown.
    fn run(pictures: i64, bytes: u32, lost: impl Fn(i64) -> bool) -> Measured {
        let mut measured = Measured { talk: (time(450), time(500 + pictures * 100)), ..Measured::default() };
        for number in (0..pictures).filter(|number| !lost(*number)) {
            let captured = 500 + number * 100;
            let mut stamps = at(Stage::Captured, captured);
            let id = FrameId(measured.sent.len() as u32);
            measured.sent.push(SentFrame { id, picture: FrameId(number as u32), bytes, stamps });
            stamps.set(Stage::Complete, time(captured + 40));
            stamps.set(Stage::GpuDone, time(captured + 50));
            measured.shown.push((id, stamps));
        }
        measured.link = Some(LinkRecord { start: Some(time(0)), ..LinkRecord::default() });
        measured
    }

    fn link(text: &str) -> LinkConfig {
        spec::parse(text, |_| Err(String::new())).unwrap()
    }

    #[test]
    fn use_is_held_against_the_lesser_of_link_and_encoder() {
        let measured = run(100, 6_250, |_| false);
        for (text, encoder_kbps, share, capacity) in [
            ("up.rate=2mbit", 1_000, 0.5, Some(2_000.0)),
            ("up.rate=1mbit", 4_000, 0.5, Some(1_000.0)),
            ("down.rate=1mbit", 1_000, 0.5, None),
            ("up.rate=2mbit/6s:1mbit", 4_000, 0.335, Some(1_494.0)),
        ] {
            let used = Timeline::new(Some(&link(text)), &measured).used(encoder_kbps).unwrap();
            assert!((used.goodput_kbps - 500.0).abs() < 6.0, "{text}: {used:?}");
            assert!((used.share - share).abs() < 0.006, "{text}: {used:?}");
            assert!(
                used.capacity_kbps.zip(capacity).is_none_or(|(is, was)| (is - was).abs() < 12.0),
                "{text}: {used:?}"
            );
            assert_eq!(used.capacity_kbps.is_some(), capacity.is_some(), "{text}: {used:?}");
        }
        assert!(Timeline::new(None, &measured).used(1_000).is_none(), "nothing is known of a real link");
    }

    #[test]
    fn skipped_pictures_are_charged_too_and_so_are_those_that_nothing_follows() {
        let measured = run(100, 1_000, |number| (50..60).contains(&number) || number >= 98);
        let (sent, all) = Timeline::new(None, &measured).signal_delays(&measured);
        assert_eq!((sent.count(), all.count()), (78, 90));
        assert!((sent.percentiles().max - 50.0).abs() < 0.1, "{:?}", sent.percentiles());
        assert!((all.percentiles().max - 1_050.0).abs() < 1.0, "{:?}", all.percentiles());
    }

    #[test]
    fn a_rate_and_a_picture_are_back_when_they_are_seen_again() {
        let measured = run(300, 12_500, |number| (100..205).contains(&number));
        let timeline = Timeline::new(Some(&link("up.rate=2mbit,up.blackout=10s+10s")), &measured);
        let restored = Duration::from_secs(20);
        let rate_back_s = timeline.rate_back_s(restored, 1_000).unwrap();
        assert!((0.8..=1.2).contains(&rate_back_s), "captured again from 21.0 s on: {rate_back_s}");
        assert_eq!(timeline.picture_back_s(restored, &measured), Some(1.05));
        assert_eq!(timeline.rate_back_s(restored, 2_000), None, "half of what could be sent is not back");
        assert_eq!(timeline.picture_back_s(Duration::from_secs(40), &measured), None);
    }

    #[test]
    fn the_standing_queue_is_what_a_new_picture_finds() {
        let mut measured = run(100, 1_000, |_| false);
        let record = measured.link.as_mut().unwrap();
        for picture in 0..100 {
            let entered = time(500 + picture * 100 + 10);
            // In the end the link needs longer for a picture than there is until the next.
            let left = entered + Duration::from_millis(if picture < 60 { 30 } else { 110 });
            record.packets.push(Passed { entered, left: Some(left), bytes: 1_000 });
        }
        record.packets.push(Passed { entered: time(10_600), left: None, bytes: 1_000 });
        let figures = Timeline::new(Some(&link("up.rate=1mbit")), &measured).link_figures(&measured).unwrap();
        let Percentiles { p50, p95, .. } = figures.standing_queue_ms;
        assert!(p50.abs() < 0.1 && (p95 - 20.0).abs() < 0.1, "{figures:?}");
        assert_eq!((figures.packets, figures.overflowed, figures.lead_ms), (101, 1, 500.0));
    }

    #[test]
    fn overhead_is_what_is_sent_beside_the_pictures() {
        let counts = FrameCounts {
            encoded_bytes: 1_000,
            padding_bytes: 20,
            resent_bytes: 50,
            wire_bytes: 1_500,
            ..FrameCounts::default()
        };
        let overhead = Overhead::new(&counts).unwrap();
        let Overhead { padding, resent, repair_and_padding, wire } = overhead;
        assert_eq!((padding, resent, repair_and_padding, wire), (0.02, 0.05, 0.07, 0.5));
        assert_eq!(Overhead::new(&FrameCounts::default()), None);
    }
}
