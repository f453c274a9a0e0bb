//! Links from words: `bad-wifi`, `rate=2mbit,delay=20ms,loss=2%`, `up.trace=FILE,delay=20ms`.
//!
//! The first item may be a profile or the file of a trace (of the sending direction); options follow, each for both directions
//! or, with `up.` or `down.` before it, for one. Later ones outrank earlier ones. See [`HELP`] for all of them.

use std::time::Duration;

use super::config::{
    DirectionConfig, LinkConfig, Loss, MAX_QUEUE_BYTES, MAX_RATE_BPS, MIN_RATE_BPS, MIN_STEP, Outages, QueueLimit, Rate,
};
use super::profiles::{PROFILES, options};
use super::random::Chance;
use super::trace::{Trace, TraceError};

/// The options, for people.
pub const HELP: &str = "\
rate=2mbit, or with changes rate=2mbit/10s:500kbit/20s:2mbit, and /30s:repeat to begin again; trace=FILE (mahimahi's format); \
queue=64kB or queue=100ms (what does not fit is lost); delay=20ms; jitter=5ms; loss=2%; burst=3 (mean length of a loss); \
reorder=1%; reorder-by=20ms; duplicate=1%; blackout=10s+10s (from + for; more with /); on-off=5s:200ms (with :random, random \
times of that mean); outage=drop or outage=hold; seed=7";

/// Longest text.
const MAX_LEN: usize = 4_096;
/// Longest time in it.
const MAX_TIME: Duration = Duration::from_hours(24);
/// Longest delay of one kind.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// What is wrong with a description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Neither a profile nor a readable file nor an option.
    #[error("'{0}' is neither a profile ({names}) nor a trace that can be read: {1}", names = names())]
    Unknown(String, String),
    /// No such option.
    #[error("there is no option '{0}'; there are {HELP}")]
    Option(String),
    /// A value that is none.
    #[error("'{0}' is not {1}")]
    Value(String, &'static str),
    /// A trace that cannot be read.
    #[error("the trace '{0}' cannot be read: {1}")]
    TraceFile(String, String),
    /// A trace that is none.
    #[error("'{0}' is not a trace: {1}")]
    Trace(String, TraceError),
    /// Bursts too short for the loss.
    #[error("so much cannot be lost in bursts so short: raise burst= or lower loss=")]
    Burst,
    /// Too long.
    #[error("a description has at most {MAX_LEN} characters")]
    Length,
}

fn names() -> String {
    PROFILES.iter().map(|profile| profile.0).collect::<Vec<_>>().join(", ")
}

/// Reads a description. `read` gives the text of a trace file, or says why it cannot.
pub fn parse(text: &str, mut read: impl FnMut(&str) -> Result<String, String>) -> Result<LinkConfig, SpecError> {
    if text.len() > MAX_LEN {
        return Err(SpecError::Length);
    }
    let mut link = LinkConfig { name: text.to_owned(), ..LinkConfig::default() };
    let mut losses = [(Chance::NEVER, None); 2];
    for (number, item) in text.split(',').enumerate() {
        match item.split_once('=') {
            Some((key, value)) => set(&mut link, &mut losses, key.trim(), value.trim(), &mut read)?,
            None if number == 0 => first(&mut link, &mut losses, item.trim(), &mut read)?,
            None => return Err(SpecError::Option(item.to_owned())),
        }
    }
    for (direction, (share, burst)) in [&mut link.up, &mut link.down].into_iter().zip(losses) {
        direction.loss = loss(share, burst)?;
    }
    Ok(link)
}

type Losses = [(Chance, Option<u32>); 2];
type Read<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

fn first(link: &mut LinkConfig, losses: &mut Losses, item: &str, read: Read) -> Result<(), SpecError> {
    if let Some(profile) = options(item) {
        for (key, value) in profile.split(',').filter_map(|option| option.split_once('=')) {
            set(link, losses, key.trim(), value.trim(), read)?;
        }
        return Ok(());
    }
    link.up.rate = trace(item, read).map_err(|error| match error {
        SpecError::TraceFile(name, why) => SpecError::Unknown(name, why),
        other => other,
    })?;
    Ok(())
}

fn trace(name: &str, read: Read) -> Result<Rate, SpecError> {
    let text = read(name).map_err(|why| SpecError::TraceFile(name.to_owned(), why))?;
    Trace::parse(&text).map(Rate::Trace).map_err(|error| SpecError::Trace(name.to_owned(), error))
}

fn set(link: &mut LinkConfig, losses: &mut Losses, key: &str, value: &str, read: Read) -> Result<(), SpecError> {
    if key == "seed" {
        link.seed = value.parse().map_err(|_| SpecError::Value(value.to_owned(), "a whole number"))?;
        return Ok(());
    }
    let (sides, key): (&[usize], &str) = match key.split_once('.') {
        Some(("up", key)) => (&[0], key),
        Some(("down", key)) => (&[1], key),
        Some(_) => return Err(SpecError::Option(key.to_owned())),
        None => (&[0, 1], key),
    };
    for side in sides {
        let direction = if *side == 0 { &mut link.up } else { &mut link.down };
        match key {
            "loss" => losses[*side].0 = chance(value)?,
            "burst" => losses[*side].1 = Some(burst(value)?),
            "trace" => direction.rate = trace(value, read)?,
            _ => set_direction(direction, key, value)?,
        }
    }
    Ok(())
}

fn set_direction(direction: &mut DirectionConfig, key: &str, value: &str) -> Result<(), SpecError> {
    match key {
        "rate" => direction.rate = rate(value)?,
        "queue" => direction.queue = queue(value)?,
        "delay" => direction.delay = short(value)?,
        "jitter" => direction.jitter = short(value)?,
        "reorder" => direction.reorder = chance(value)?,
        "reorder-by" => direction.reorder_by = short(value)?,
        "duplicate" => direction.duplicate = chance(value)?,
        "blackout" => direction.outages = blackout(value)?,
        "on-off" => direction.outages = on_off(value)?,
        "outage" => {
            direction.outages_drop = match value {
                "drop" => true,
                "hold" => false,
                _ => return Err(SpecError::Value(value.to_owned(), "'drop' or 'hold'")),
            }
        }
        _ => return Err(SpecError::Option(key.to_owned())),
    }
    Ok(())
}

fn loss(share: Chance, burst: Option<u32>) -> Result<Loss, SpecError> {
    match (share, burst) {
        (Chance::NEVER, _) => Ok(Loss::None),
        (share, None) => Ok(Loss::Random(share)),
        // In balance the share lost is at most mean / (mean + 1), when a burst begins after every packet that passes.
        (share, Some(mean_milli))
            if share != Chance::ALWAYS && share.parts() * 1_000 > u64::from(mean_milli) * share.complement() =>
        {
            Err(SpecError::Burst)
        }
        (share, Some(mean_milli)) => Ok(Loss::Bursts { share, mean_milli }),
    }
}

fn rate(value: &str) -> Result<Rate, SpecError> {
    const WHAT: &str = "a rate such as 2mbit or 500kbit (8kbit to 100gbit), or none, or 2mbit/10s:500kbit/30s:repeat";
    let bad = || SpecError::Value(value.to_owned(), WHAT);
    if value == "none" {
        return Ok(Rate::Unlimited);
    }
    let (mut steps, mut repeat): (Vec<(Duration, u64)>, _) = (Vec::new(), None);
    for step in value.split('/').map(str::trim) {
        let (from, bps) = match step.split_once(':') {
            Some((from, bps)) if !steps.is_empty() => (time(from).ok_or_else(bad)?, bps),
            None if steps.is_empty() => (Duration::ZERO, step),
            _ => return Err(bad()),
        };
        if repeat.is_some() || steps.last().is_some_and(|(before, _)| from < *before + MIN_STEP) {
            return Err(bad());
        }
        if bps == "repeat" && !steps.is_empty() {
            repeat = Some(from);
        } else {
            let units = [("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];
            let bps = amount(bps, &units).filter(|bps| (MIN_RATE_BPS..=MAX_RATE_BPS).contains(bps)).ok_or_else(bad)?;
            steps.push((from, bps));
        }
    }
    Ok(Rate::Steps { steps, repeat })
}

fn queue(value: &str) -> Result<QueueLimit, SpecError> {
    let bytes = amount(value, &[("kB", 1_000), ("MB", 1_000_000), ("B", 1)]);
    if let Some(bytes) = bytes.filter(|bytes| (1..=MAX_QUEUE_BYTES).contains(bytes)) {
        return Ok(QueueLimit::Bytes(bytes));
    }
    let what = "a queue such as 64kB or 100ms (at most 64MB)";
    time(value).map(QueueLimit::Time).ok_or_else(|| SpecError::Value(value.to_owned(), what))
}

fn short(value: &str) -> Result<Duration, SpecError> {
    let found = time(value).filter(|time| *time <= MAX_DELAY);
    found.ok_or_else(|| SpecError::Value(value.to_owned(), "a time such as 40ms, at most 10s"))
}

fn chance(value: &str) -> Result<Chance, SpecError> {
    let found = amount(value, &[("%", 1_000_000)]).filter(|parts| *parts <= 100_000_000);
    found
        .map(Chance::from_micro_percent)
        .ok_or_else(|| SpecError::Value(value.to_owned(), "a share such as 2% or 0.5%"))
}

fn burst(value: &str) -> Result<u32, SpecError> {
    let found = amount(value, &[("", 1_000)]).filter(|milli| (1_000..=1_000_000).contains(milli));
    let found = found.and_then(|milli| u32::try_from(milli).ok());
    found.ok_or_else(|| SpecError::Value(value.to_owned(), "a mean number of packets from 1 to 1000, such as 3"))
}

fn blackout(value: &str) -> Result<Outages, SpecError> {
    let bad =
        || SpecError::Value(value.to_owned(), "when and how long nothing passes, such as 10s+10s or 10s+2s/30s+2s");
    let mut spans: Vec<(Duration, Duration)> = Vec::new();
    for span in value.split('/') {
        let (from, length) = span.split_once('+').ok_or_else(bad)?;
        let (from, length) = (time(from).ok_or_else(bad)?, time(length).ok_or_else(bad)?);
        let apart = spans.last().is_none_or(|(before, lasted)| *before + *lasted < from);
        if !apart || length < MIN_STEP {
            return Err(bad());
        }
        spans.push((from, length));
    }
    Ok(Outages::Spans(spans))
}

fn on_off(value: &str) -> Result<Outages, SpecError> {
    let bad = || {
        SpecError::Value(value.to_owned(), "how long it passes and how long not, such as 5s:200ms or 5s:200ms:random")
    };
    let parts: Vec<&str> = value.split(':').collect();
    let (on, off, random) = match parts.as_slice() {
        [on, off] => (on, off, false),
        [on, off, "random"] => (on, off, true),
        _ => return Err(bad()),
    };
    let part = |text| time(text).filter(|time| *time >= MIN_STEP).ok_or_else(bad);
    let (on, off) = (part(on)?, part(off)?);
    Ok(if random { Outages::Random { mean_on: on, mean_off: off } } else { Outages::Periodic { on, off } })
}

fn time(text: &str) -> Option<Duration> {
    let nanos = amount(text.trim(), &[("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)])?;
    Some(Duration::from_nanos(nanos)).filter(|time| *time <= MAX_TIME)
}

/// A number without sign, with at most six decimals, before one of these units; in units of one.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || decimals.len() > 6 || decimals.contains('.') || (decimals.is_empty() && number.contains('.'))
    {
        return None;
    }
    let millionths: u64 = if decimals.is_empty() { 0 } else { format!("{decimals:0<6}").parse().ok()? };
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(factor)?.checked_add((u128::from(millionths) * u128::from(factor) / 1_000_000) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn none(_: &str) -> Result<String, String> {
        Err("no such file".into())
    }

    #[test]
    fn every_profile_is_a_link() {
        for (name, what, _) in PROFILES {
            let link = parse(name, none).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!what.is_empty() && link.name == *name);
        }
        assert_eq!(parse("perfect", none).unwrap().up, DirectionConfig::default());
        assert!(matches!(parse("", none), Err(SpecError::Unknown(..))));
    }

    #[test]
    fn options_reach_the_direction_they_name() {
        let link =
            parse("rate=2mbit/10s:500kbit/20s:repeat,up.delay=40ms,down.loss=2.5%,burst=3,seed=9", none).unwrap();
        let steps = vec![(Duration::ZERO, 2_000_000), (Duration::from_secs(10), 500_000)];
        let rate = Rate::Steps { steps, repeat: Some(Duration::from_secs(20)) };
        assert_eq!((&link.up.rate, &link.down.rate, link.seed), (&rate, &rate, 9));
        assert_eq!((link.up.delay, link.down.delay), (Duration::from_millis(40), Duration::ZERO));
        let share = Chance::from_micro_percent(2_500_000);
        assert_eq!((link.up.loss, link.down.loss), (Loss::None, Loss::Bursts { share, mean_milli: 3_000 }));
        let link = parse("satellite,delay=10ms", none).unwrap();
        assert_eq!((link.up.delay, &link.up.rate), (Duration::from_millis(10), &Rate::constant(3_000_000)));
    }

    #[test]
    fn a_trace_alone_is_that_of_the_sending_direction() {
        let read = |name: &str| if name == "drive.up" { Ok("1\n2\n".into()) } else { Err("no such file".to_owned()) };
        let link = parse("drive.up,delay=20ms,queue=100ms", read).unwrap();
        assert_eq!((&link.up.rate, &link.down.rate), (&Rate::Trace(Trace::parse("1\n2").unwrap()), &Rate::Unlimited));
        let link = parse("down.trace=drive.up", read).unwrap();
        assert_eq!((&link.up.rate, link.down.rate.nominal_bps()), (&Rate::Unlimited, Some(12_032_000)));
        assert_eq!(parse("trace=other", read), Err(SpecError::TraceFile("other".into(), "no such file".into())));
    }

    #[test]
    fn faults_are_said_in_words() {
        let said = |text| parse(text, none).unwrap_err().to_string();
        assert!(said("good-wifi").contains("home-wifi") && said("good-wifi").contains("no such file"));
        assert!(said("speed=3").contains("rate=2mbit"));
        assert!(said("perfect,lossy").contains("no option 'lossy'"));
        assert!(said("left.rate=2mbit").contains("no option"));
        assert_eq!(parse("loss=90%,burst=3", none), Err(SpecError::Burst));
        for bad in [
            "rate=2",
            "rate=-2mbit",
            "rate=0mbit",
            "rate=2mbit/1s",
            "rate=2mbit/0s:1mbit",
            "rate=repeat",
            "rate=1mbit/1s:repeat/2s:1mbit",
            "delay=40",
            "delay=11s",
            "delay=.ms",
            "loss=2",
            "loss=101%",
            "loss=1.0000001%",
            "burst=0.5",
            "queue=0B",
            "queue=65MB",
            "blackout=10s",
            "blackout=1s+2s/2s+1s",
            "blackout=1s+0s",
            "on-off=1s",
            "on-off=0s:1s",
            "on-off=1s:1s:often",
            "outage=maybe",
            "seed=x",
            "delay=99999999999999999999s",
        ] {
            assert!(matches!(parse(bad, none), Err(SpecError::Value(..))), "{bad}: {:?}", parse(bad, none));
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_a_link_or_an_error(text in "([a-z-]{0,9}[=.,:/+%]?[0-9.]{0,4}(ms|s|mbit|kB|%)?){0,6}") {
            let _ = parse(&text, |_| Ok("1\n2".into()));
        }

        #[test]
        fn any_value_of_any_option_gives_a_link_or_an_error(
            key in "(up\\.|down\\.)?(rate|queue|delay|jitter|loss|burst|reorder|reorder-by|duplicate|blackout|on-off|outage|seed)",
            value in "[0-9]{1,5}(\\.[0-9]{1,3})?(ms|s|mbit|kbit|kB|%|)([:/+][0-9]{1,3}(s|ms|mbit|:random)){0,3}",
        ) {
            let _ = parse(&format!("{key}={value}"), none);
        }
    }
}
