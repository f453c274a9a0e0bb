//! Microphones and speakers that are no devices: silence, nowhere, and what [`super::wav`] makes of files. The clock
//! gives the beat that a device would give.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Microphone, PIECE, PIECE_SAMPLES, Piece, SoundError, Speaker};
use crate::media::{SAMPLE_RATE_HZ, Timestamp};

/// Longest stall of whoever asks that costs nothing: a device's ring holds as much. What exceeds it is lost and counted.
const MOST_BEHIND: Duration = Duration::from_millis(500);

/// A beat of one piece every 10 ms, from when it is first asked.
#[derive(Debug, Default)]
struct Beat {
    next: Option<Timestamp>,
    /// Samples of the time that was skipped.
    skipped: u64,
}

impl Beat {
    /// Begins with the first call; gives the time at which a piece began if it is over by `now`.
    fn take(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut start = *self.next.get_or_insert(now);
        let excess = now.since(start).saturating_sub(MOST_BEHIND);
        if !excess.is_zero() {
            let pieces = u32::try_from(excess.as_nanos().div_ceil(PIECE.as_nanos())).unwrap_or(u32::MAX);
            start = start + PIECE.saturating_mul(pieces);
            self.skipped += u64::from(pieces) * PIECE_SAMPLES as u64;
        }
        if now < start + PIECE {
            return None;
        }
        self.next = Some(start + PIECE);
        Some(start)
    }

    fn due(&self, now: Timestamp) -> Duration {
        self.next.map_or(Duration::ZERO, |next| (next + PIECE).since(now))
    }
}

/// Makes the next 10 ms.
pub type Source = Box<dyn FnMut(&mut Piece) -> Result<(), SoundError> + Send>;
/// Takes the next 10 ms.
pub type Sink = Box<dyn FnMut(&Piece) -> Result<(), SoundError> + Send>;

/// A microphone whose sound is made, not heard.
pub struct PacedMicrophone {
    name: String,
    beat: Beat,
    source: Source,
}

impl PacedMicrophone {
    /// A microphone that hears what `source` makes.
    #[must_use]
    pub fn new(name: String, source: Source) -> Self {
        Self { name, beat: Beat::default(), source }
    }

    /// A microphone that hears nothing.
    #[must_use]
    pub fn silence() -> Self {
        let source = |piece: &mut Piece| {
            piece.fill(0.0);
            Ok(())
        };
        Self::new("silence".into(), Box::new(source))
    }
}

impl Microphone for PacedMicrophone {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self, piece: &mut Piece, now: Timestamp) -> Result<Option<Timestamp>, SoundError> {
        let Some(at) = self.beat.take(now) else { return Ok(None) };
        (self.source)(piece)?;
        Ok(Some(at))
    }

    fn latency(&self) -> Duration {
        Duration::ZERO
    }

    fn due(&self, now: Timestamp) -> Duration {
        self.beat.due(now)
    }

    fn lost(&self) -> u64 {
        self.beat.skipped
    }

    fn is_acoustic(&self) -> bool {
        false
    }
}

/// A speaker whose sound goes elsewhere than into the air, at the pace of the clock.
pub struct PacedSpeaker {
    name: String,
    beat: Beat,
    sink: Sink,
    queue: VecDeque<f32>,
    begun: bool,
    dry: u64,
}

impl PacedSpeaker {
    /// A speaker whose sound goes to `sink`.
    #[must_use]
    pub fn new(name: String, sink: Sink) -> Self {
        Self { name, beat: Beat::default(), sink, queue: VecDeque::new(), begun: false, dry: 0 }
    }

    /// A speaker that nobody hears.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::new("nowhere".into(), Box::new(|_| Ok(())))
    }
}

impl Speaker for PacedSpeaker {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn advance(&mut self, now: Timestamp) -> Result<(), SoundError> {
        // One piece at a time, so that whoever is late can fill up in between.
        let skipped = self.beat.skipped;
        if self.beat.take(now).is_some() {
            let mut piece = [0.0; PIECE_SAMPLES];
            let there = self.queue.len().min(PIECE_SAMPLES);
            for (sample, queued) in piece.iter_mut().zip(self.queue.drain(..there)) {
                *sample = queued;
            }
            if self.begun {
                self.dry += (PIECE_SAMPLES - there) as u64 + self.beat.skipped - skipped;
            }
            (self.sink)(&piece)?;
        }
        Ok(())
    }

    fn wanted(&self) -> usize {
        PIECE_SAMPLES.saturating_sub(self.queue.len())
    }

    fn push(&mut self, samples: &[f32]) {
        self.begun = true;
        let room = (SAMPLE_RATE_HZ as usize / 2).saturating_sub(self.queue.len());
        self.queue.extend(&samples[..samples.len().min(room)]);
    }

    fn delay(&self) -> Duration {
        Duration::from_secs(1) * self.queue.len() as u32 / SAMPLE_RATE_HZ
    }

    fn due(&self, now: Timestamp) -> Duration {
        self.beat.due(now)
    }

    fn dry(&self) -> u64 {
        self.dry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(1) + Duration::from_millis(millis)
    }

    #[test]
    fn a_file_or_silence_comes_at_the_pace_of_the_clock() {
        let mut microphone = PacedMicrophone::silence();
        let mut piece = [1.0; PIECE_SAMPLES];
        assert_eq!(microphone.read(&mut piece, at(0)), Ok(None));
        assert_eq!(microphone.read(&mut piece, at(9)), Ok(None));
        assert_eq!(microphone.due(at(9)), Duration::from_millis(1));
        assert_eq!(microphone.read(&mut piece, at(21)), Ok(Some(at(0))));
        assert_eq!(microphone.read(&mut piece, at(21)), Ok(Some(at(10))));
        assert_eq!(microphone.read(&mut piece, at(21)), Ok(None));
        assert!(piece.iter().all(|sample| sample.abs() < f32::EPSILON));
        // However late somebody reads, half a second is kept, as in a device's ring; what is lost of the rest is said.
        assert_eq!(std::iter::from_fn(|| microphone.read(&mut piece, at(520)).unwrap()).count(), 50);
        assert_eq!(microphone.lost(), 0);
        let pieces = std::iter::from_fn(|| microphone.read(&mut piece, at(60_000)).unwrap()).count();
        assert_eq!((pieces, microphone.lost()), (50, (6_000 - 52 - 50) * PIECE_SAMPLES as u64));
    }

    #[test]
    fn a_speaker_takes_what_time_demands_and_counts_what_is_missing() {
        let played = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&played);
        let sink = move |piece: &Piece| {
            heard.lock().unwrap().extend(*piece);
            Ok(())
        };
        let mut speaker = PacedSpeaker::new("test".into(), Box::new(sink));
        speaker.advance(at(0)).unwrap();
        assert_eq!(speaker.wanted(), PIECE_SAMPLES);
        speaker.push(&[0.5; 500]);
        speaker.advance(at(20)).unwrap();
        assert_eq!(speaker.due(at(20)), Duration::ZERO, "the second piece is due too");
        speaker.advance(at(20)).unwrap();
        assert_eq!(speaker.due(at(20)), Duration::from_millis(10));
        let played = played.lock().unwrap();
        assert_eq!(played.len(), 2 * PIECE_SAMPLES);
        assert_eq!(played.iter().filter(|sample| **sample > 0.0).count(), 500);
        assert_eq!(speaker.dry(), 460);
        drop(played);
        while speaker.due(at(2_000)).is_zero() {
            speaker.advance(at(2_000)).unwrap();
        }
        assert_eq!(speaker.dry(), 200 * PIECE_SAMPLES as u64 - 500, "all of two seconds but what was there");
    }

    #[test]
    fn a_speaker_holds_half_a_second_at_most() {
        let mut speaker = PacedSpeaker::nowhere();
        speaker.push(&vec![0.1; 96_000]);
        assert_eq!(speaker.delay(), Duration::from_millis(500));
    }
}
