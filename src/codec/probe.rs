//! Which encoder is the fastest here: a short timed trial of each.

use std::time::Duration;

use super::{CodecError, EncoderKind, FrameRequest, VideoEncoderConfig};
use crate::media::{FrameId, Picture, Timestamp};

/// No trial of one encoder goes on for longer, however slow it is; one frame too many at most.
const PATIENCE: Duration = Duration::from_millis(400);
/// Pictures that each encoder gets before its time counts: the first one is a keyframe and warms caches.
const WARM_UP: u32 = 2;

/// How fast an encoder was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Which.
    pub kind: EncoderKind,
    /// Mean time for a picture, or `None` if it failed or was given up before anything could be measured.
    pub per_picture: Option<Duration>,
}

/// Lets every encoder code `pictures` (from the first, at most all) and tells how fast each was. `config.threads` is
/// replaced by what suits the encoder; `now` reads a clock.
pub fn try_all(config: &VideoEncoderConfig, pictures: &[Picture], now: impl Fn() -> Timestamp) -> Vec<Trial> {
    let time = |kind| Trial { kind, per_picture: try_one(kind, config, pictures, &now).ok().flatten() };
    EncoderKind::ALL.map(time).to_vec()
}

/// The fastest of a trial; the usual one if none could be measured.
#[must_use]
pub fn fastest(trials: &[Trial]) -> EncoderKind {
    let measured = trials.iter().filter_map(|trial| Some((trial.per_picture?, trial.kind)));
    measured.min_by_key(|(time, _)| *time).map_or_else(EncoderKind::default, |(_, kind)| kind)
}

fn try_one(
    kind: EncoderKind,
    config: &VideoEncoderConfig,
    pictures: &[Picture],
    now: &impl Fn() -> Timestamp,
) -> Result<Option<Duration>, CodecError> {
    let mut encoder = kind.open(&VideoEncoderConfig { threads: kind.threads(), ..*config })?;
    let request = FrameRequest::at(config.bitrate_kbps);
    let mut out = Vec::new();
    let began = now();
    let mut warm = began;
    let mut counted = 0;
    for (id, picture) in (0_u32..).zip(pictures) {
        encoder.encode(FrameId(id), picture, request, &mut out)?;
        // What a deep encoder holds back has not been worked on yet: time counts from its first frame on.
        if out.is_empty() {
            warm = now();
            continue;
        }
        match out.last().map_or(0, |frame| frame.id.0 + 1).checked_sub(WARM_UP) {
            None | Some(0) => warm = now(),
            Some(done) => counted = done,
        }
        if now().since(began) > PATIENCE {
            break;
        }
    }
    Ok((counted > 0).then(|| now().since(warm) / counted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{config, pictures};
    use crate::engine::clock;

    #[test]
    fn every_encoder_is_measured() {
        let trials = try_all(&config(160, 96, 200), &pictures(160, 96, 12), clock::now);
        assert_eq!(trials.len(), EncoderKind::ALL.len());
        for trial in trials {
            assert!(trial.per_picture.unwrap() > Duration::ZERO, "{trial:?}");
        }
    }

    #[test]
    fn a_trial_without_pictures_or_of_an_impossible_size_measures_nothing() {
        assert!(try_all(&config(160, 96, 200), &[], clock::now).iter().all(|trial| trial.per_picture.is_none()));
        let impossible = try_all(&config(8, 8, 200), &pictures(16, 16, 2), clock::now);
        assert_eq!(fastest(&impossible), EncoderKind::default());
    }

    #[test]
    fn an_encoder_that_takes_too_long_is_given_up() {
        // A clock on which every look is a second later.
        let time = std::cell::Cell::new(Timestamp::ZERO);
        let slow = || time.replace(time.get() + Duration::from_secs(1));
        for trial in try_all(&config(64, 64, 100), &pictures(64, 64, 40), slow) {
            assert!(trial.per_picture.is_none_or(|time| time >= Duration::from_secs(1)), "{trial:?}");
        }
        assert!(time.get() < Timestamp::from_nanos(60_000_000_000), "not given up: {:?}", time.get());
    }

    #[test]
    fn the_fastest_that_was_measured_is_chosen() {
        let trial = |kind, millis: Option<u64>| Trial { kind, per_picture: millis.map(Duration::from_millis) };
        let (aom, rav1e) = (EncoderKind::Aom, EncoderKind::Rav1e);
        assert_eq!(fastest(&[trial(aom, Some(3)), trial(rav1e, Some(15))]), aom);
        assert_eq!(fastest(&[trial(aom, Some(30)), trial(rav1e, Some(15))]), rav1e);
        assert_eq!(fastest(&[trial(aom, None), trial(rav1e, Some(15))]), rav1e);
        assert_eq!(fastest(&[]), aom);
    }
}
