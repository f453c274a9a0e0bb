//! Which encoder a call uses: the one asked for, or the one that a short trial on this machine found to be the fastest.
//!
//! The trial runs beside the engine's start, once for a machine and a size; its result is kept in the profile. A call
//! that begins before it is done uses the encoder that is usually the best.

use std::num::NonZero;
use std::thread::Builder;

use super::clock;
use super::config::{EncoderChoice, VideoSettings};
use super::session::{Event, Events};
use crate::capture::SourceFormat;
use crate::capture::pattern::Pattern;
use crate::codec::{EncoderKind, VideoEncoderConfig, probe};
use crate::media::{Colour, FrameId, PicturePool};
use crate::store::profile::{Profile, StoredTrial};

/// Pictures that each encoder is tried with.
const PICTURES: u32 = 12;
/// Largest picture that is tried: the order does not change above it, but memory and time grow.
const LARGEST: (u32, u32) = (1280, 720);

impl StoredTrial {
    /// Whether it says anything about these settings on this machine with this program.
    fn applies(&self, video: &VideoSettings) -> bool {
        let same_program = self.version == env!("CARGO_PKG_VERSION");
        same_program && self.cores == cores() && self.size_class == size_class(video)
    }
}

/// The encoder of the next call.
#[must_use]
pub fn choose(video: &VideoSettings, trials: &[StoredTrial]) -> EncoderKind {
    match video.encoder {
        EncoderChoice::Aom => EncoderKind::Aom,
        EncoderChoice::Rav1e => EncoderKind::Rav1e,
        EncoderChoice::Auto => {
            trials.iter().find(|trial| trial.applies(video)).map_or_else(EncoderKind::default, |trial| trial.encoder)
        }
    }
}

/// The trials kept in a profile; what cannot be read counts as none and is measured again.
#[must_use]
pub fn kept_trials(profile: &Profile) -> Vec<StoredTrial> {
    profile.trials().unwrap_or_else(|error| {
        tracing::warn!(%error, "no kept trials of the encoders");
        Vec::new()
    })
}

/// Begins a trial if one is needed, and says whether; it reports by `events`.
///
/// Its thread is not waited for: it ends within a second by itself, and holds nothing but memory.
pub fn start_trial(video: VideoSettings, trials: &[StoredTrial], events: Events) -> bool {
    let needed = video.encoder == EncoderChoice::Auto && !trials.iter().any(|trial| trial.applies(&video));
    if !needed {
        return false;
    }
    let started = Builder::new().name("probe".into()).spawn(move || {
        let trial = run_trial(&video);
        // Nobody listens any more when the engine has ended meanwhile.
        let _ = events.blocking_send(Event::EncoderTried(trial));
    });
    if let Err(error) = &started {
        tracing::warn!(%error, "the encoders cannot be tried");
    }
    started.is_ok()
}

fn run_trial(video: &VideoSettings) -> StoredTrial {
    let (width, height) = if size_class(video) > class_of(LARGEST) { LARGEST } else { (video.width, video.height) };
    let mut pictures = Vec::new();
    if let Ok(pattern) = Pattern::new(SourceFormat::new(width, height, video.fps)) {
        let mut pool = PicturePool::new(PICTURES as usize);
        pictures.extend((0..PICTURES).map_while(|id| {
            let mut picture = pool.acquire(width, height, Colour::default())?;
            pattern.draw(FrameId(id), clock::now(), &mut picture);
            Some(pool.finish(picture))
        }));
    }
    let config = VideoEncoderConfig {
        width,
        height,
        fps: video.fps,
        bitrate_kbps: video.bitrate_kbps,
        threads: 1,
        colour: Colour::default(),
    };
    let trials = probe::try_all(&config, &pictures, clock::now);
    tracing::info!(?trials, width, height, "the encoders were tried");
    StoredTrial {
        version: env!("CARGO_PKG_VERSION").into(),
        cores: cores(),
        size_class: size_class(video),
        encoder: probe::fastest(&trials),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Sizes within a factor of two are alike.
fn size_class(video: &VideoSettings) -> u32 {
    class_of((video.width, video.height))
}

fn class_of((width, height): (u32, u32)) -> u32 {
    width.saturating_mul(height).max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(video: &VideoSettings, encoder: EncoderKind) -> StoredTrial {
        let version = env!("CARGO_PKG_VERSION").into();
        StoredTrial { version, cores: cores(), size_class: size_class(video), encoder }
    }

    #[test]
    fn what_is_asked_for_is_used_whatever_the_trial_said() {
        let mut video = VideoSettings::new(320, 180, 30);
        let trials = [trial(&video, EncoderKind::Rav1e)];
        assert_eq!(choose(&video, &trials), EncoderKind::Rav1e);
        video.encoder = EncoderChoice::Aom;
        assert_eq!(choose(&video, &trials), EncoderKind::Aom);
        video.encoder = EncoderChoice::Rav1e;
        assert_eq!(choose(&video, &[]), EncoderKind::Rav1e);
    }

    #[test]
    fn a_trial_of_another_size_machine_or_program_does_not_count() {
        let video = VideoSettings::new(320, 180, 30);
        let kept = trial(&video, EncoderKind::Rav1e);
        let other_size = trial(&VideoSettings::new(1280, 720, 30), EncoderKind::Rav1e);
        let other_machine = StoredTrial { cores: cores() + 1, ..kept.clone() };
        let other_program = StoredTrial { version: "0.0.1".into(), ..kept };
        assert_eq!(choose(&video, &[other_size, other_machine, other_program]), EncoderKind::default());
    }

    #[test]
    fn a_trial_is_run_once_reported_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path()).unwrap();
        let video = VideoSettings::new(160, 96, 30);
        let (events, mut incoming) = tokio::sync::mpsc::channel(4);
        assert!(kept_trials(&profile).is_empty());
        assert!(start_trial(video, &[], events.clone()));
        let Some(Event::EncoderTried(trial)) = incoming.blocking_recv() else { panic!("no report") };
        profile.save_trials(&[trial]).unwrap();
        let kept = kept_trials(&profile);
        assert!(kept[0].applies(&video));
        assert!(!start_trial(video, &kept, events));
        assert!(incoming.blocking_recv().is_none(), "a second trial");
    }
}
