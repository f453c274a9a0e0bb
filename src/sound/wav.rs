//! WAV files in place of devices: one is spoken, over and over; one records what is played, at the pace it is played.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::paced::{PacedMicrophone, PacedSpeaker};
use super::resample::Resampler;
use super::{PIECE_SAMPLES, Piece, SoundError};
use crate::media::SAMPLE_RATE_HZ;

/// Samples that are read from the file at one time.
const READ: usize = 480;
/// Pieces after which a recording is made readable, should the program die: one second.
const PIECES_TO_FLUSH: u32 = 100;

/// A microphone that hears a file, from its beginning and repeated. Any rate, any number of channels (their mean is
/// heard), integers of 8 to 32 bits or floats.
pub fn microphone(path: &Path) -> Result<PacedMicrophone, SoundError> {
    let mut file = Repeated::open(path)?;
    Ok(PacedMicrophone::new(path.display().to_string(), Box::new(move |piece| file.fill(piece))))
}

/// A speaker that records to a file: 48 kHz, mono, 16 bits. What was there before is overwritten.
pub fn speaker(path: &Path) -> Result<PacedSpeaker, SoundError> {
    let spec =
        WavSpec { channels: 1, sample_rate: SAMPLE_RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let name = path.display().to_string();
    let failed = move |error: hound::Error| SoundError::Recording { path: name.clone(), why: error.to_string() };
    let mut recording = Recording { writer: WavWriter::create(path, spec).map_err(&failed)?, pieces: 0 };
    let sink = move |piece: &Piece| recording.add(piece).map_err(&failed);
    Ok(PacedSpeaker::new(path.display().to_string(), Box::new(sink)))
}

struct Repeated {
    reader: WavReader<BufReader<File>>,
    resampler: Resampler,
    /// Mono at 48 kHz, not yet handed on.
    ready: Vec<f32>,
    path: Box<Path>,
}

impl Repeated {
    fn open(path: &Path) -> Result<Self, SoundError> {
        let reader = WavReader::open(path).map_err(trouble(path))?;
        let spec = reader.spec();
        if reader.duration() == 0 || spec.channels == 0 {
            return Err(SoundError::File { path: path.display().to_string(), why: "it holds no sound".into() });
        }
        let resampler = Resampler::new(spec.sample_rate, SAMPLE_RATE_HZ)?;
        Ok(Self { reader, resampler, ready: Vec::new(), path: path.into() })
    }

    fn fill(&mut self, piece: &mut Piece) -> Result<(), SoundError> {
        while self.ready.len() < PIECE_SAMPLES {
            let mono = self.read().map_err(trouble(&self.path))?;
            self.resampler.process(&mono, |made| self.ready.extend_from_slice(made));
        }
        piece.copy_from_slice(&self.ready[..PIECE_SAMPLES]);
        self.ready.drain(..PIECE_SAMPLES);
        Ok(())
    }

    /// The next samples of the file, from the beginning again at its end.
    fn read(&mut self) -> hound::Result<Vec<f32>> {
        let WavSpec { channels, bits_per_sample, sample_format, .. } = self.reader.spec();
        let channels = usize::from(channels);
        let wanted = READ * channels;
        let samples: Vec<f32> = match sample_format {
            SampleFormat::Float => self.reader.samples::<f32>().take(wanted).collect::<hound::Result<_>>()?,
            SampleFormat::Int => {
                let full_scale = 2.0_f32.powi(i32::from(bits_per_sample) - 1);
                let scale = |sample: hound::Result<i32>| sample.map(|sample| sample as f32 / full_scale);
                self.reader.samples::<i32>().take(wanted).map(scale).collect::<hound::Result<_>>()?
            }
        };
        if samples.len() < wanted {
            self.reader.seek(0)?;
        }
        let mean = |frame: &[f32]| {
            let mean = frame.iter().sum::<f32>() / channels as f32;
            if mean.is_finite() { mean.clamp(-1.0, 1.0) } else { 0.0 }
        };
        Ok(samples.chunks_exact(channels).map(mean).collect())
    }
}

struct Recording {
    writer: WavWriter<BufWriter<File>>,
    pieces: u32,
}

impl Recording {
    fn add(&mut self, piece: &Piece) -> hound::Result<()> {
        for sample in piece {
            self.writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
        }
        self.pieces += 1;
        if self.pieces.is_multiple_of(PIECES_TO_FLUSH) {
            self.writer.flush()?;
        }
        Ok(())
    }
}

fn trouble(path: &Path) -> impl Fn(hound::Error) -> SoundError + Send + 'static {
    let path = path.display().to_string();
    move |error| SoundError::File { path: path.clone(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;
    use crate::sound::{Microphone, Speaker};
    use std::time::Duration;

    fn write(path: &Path, spec: WavSpec, samples: &[i32]) {
        let mut writer = WavWriter::create(path, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
    }

    fn hear(path: &Path, pieces: u64) -> Vec<f32> {
        let mut microphone = microphone(path).unwrap();
        let mut heard = Vec::new();
        let mut piece = [0.0; PIECE_SAMPLES];
        for step in 0..=pieces {
            let now = Timestamp::ZERO + Duration::from_millis(10 * step);
            if microphone.read(&mut piece, now).unwrap().is_some() {
                heard.extend(piece);
            }
        }
        heard
    }

    #[test]
    fn a_file_is_spoken_in_mono_and_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let spec = WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let samples: Vec<i32> = (0..700).flat_map(|n| [n * 20, n * 40]).collect();
        write(&path, spec, &samples);
        let heard = hear(&path, 4);
        assert_eq!(heard.len(), 4 * PIECE_SAMPLES);
        for (n, sample) in heard.iter().enumerate() {
            let expected = (n % 700) as f32 * 30.0 / 32_768.0;
            assert!((sample - expected).abs() < 1e-5, "sample {n}: {sample} for {expected}");
        }
    }

    #[test]
    fn another_rate_and_depth_are_converted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let spec = WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 24, sample_format: SampleFormat::Int };
        write(&path, spec, &vec![1 << 21; 16_000]);
        let heard = hear(&path, 50);
        assert!(heard[4_800..].iter().all(|sample| (sample - 0.25).abs() < 0.01));
    }

    #[test]
    fn what_is_no_sound_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let error = |path: &Path| microphone(path).err().unwrap().to_string();
        assert!(error(&path).contains("a.wav"));
        std::fs::write(&path, b"RIFF nonsense").unwrap();
        assert!(error(&path).contains("WAV"));
        let spec = WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        write(&path, spec, &[]);
        assert!(error(&path).contains("no sound"));
        assert!(speaker(&folder.path().join("none/a.wav")).is_err());
    }

    #[test]
    fn what_is_played_is_recorded_with_its_gaps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let mut speaker = speaker(&path).unwrap();
        let at = |millis| Timestamp::ZERO + Duration::from_millis(millis);
        speaker.advance(at(0)).unwrap();
        speaker.push(&[0.5; 480]);
        speaker.advance(at(10)).unwrap();
        speaker.advance(at(20)).unwrap();
        drop(speaker);
        let samples: Vec<i16> = WavReader::open(&path).unwrap().samples().collect::<hound::Result<_>>().unwrap();
        assert_eq!(samples.len(), 960);
        assert!(samples[..480].iter().all(|sample| *sample == 16_383) && samples[480..].iter().all(|s| *s == 0));
    }
}
