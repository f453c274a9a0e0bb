//! Opus: 20 ms of 48 kHz mono a packet, at a constant rate and never silent, so that the length and the rhythm of the
//! packets say nothing about what is spoken, or whether.

use std::time::Duration;

use opusic_c::{Application, Bitrate, Channels, Decoder, Encoder, ErrorCode, InbandFec, SampleRate, Signal};

use super::CodecError;
use crate::media::AUDIO_BLOCK_SAMPLES;

const NAME: &str = "opus";
/// Rate: full-band speech without audible loss.
pub const BITRATE_BPS: u32 = 48_000;
/// Bytes of every packet.
pub const PACKET_BYTES: usize = BITRATE_BPS as usize / 8 / 50;
/// Time by which sound comes out later than it went in, besides its 20 ms: the encoder's look-ahead.
pub const DELAY: Duration = Duration::from_micros(6_500);
/// Largest packet that is looked at (RFC 6716, section 3.4, one frame of 20 ms).
const MAX_PACKET_BYTES: usize = 1275;
/// Loss that the encoder prepares for: each packet then carries a coarse copy of the one before (LBRR, RFC 6716,
/// section 2.1.7). It stays within the constant rate.
const EXPECTED_LOSS_PERCENT: u8 = 15;
/// From this complexity on the decoder conceals losses by its neural vocoder (libopus 1.5).
const DECODER_COMPLEXITY: u8 = 5;
/// So many blocks in a row are made up at full loudness.
const FULL_BLOCKS: u32 = 3;
/// Over so many more they fade to silence; the decoder itself would go on with a noise.
const FADE_BLOCKS: u32 = 5;
/// Samples over which sound comes back after that.
const RETURN_SAMPLES: usize = 240;

/// A blocking Opus encoder.
pub struct OpusEncoder {
    encoder: Encoder,
}

impl OpusEncoder {
    /// Opens an encoder for speech.
    pub fn open() -> Result<Self, CodecError> {
        let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Audio).map_err(not_opened)?;
        encoder
            .set_bitrate(Bitrate::Value(BITRATE_BPS))
            .and_then(|()| encoder.set_vbr(false))
            .and_then(|()| encoder.set_dtx(false))
            .and_then(|()| encoder.set_signal(Signal::Voice))
            .and_then(|()| encoder.set_inband_fec(InbandFec::Mode1))
            .and_then(|()| encoder.set_packet_loss(EXPECTED_LOSS_PERCENT))
            .map_err(not_opened)?;
        Ok(Self { encoder })
    }

    /// Encodes one block; the packet always has [`PACKET_BYTES`].
    pub fn encode(&mut self, samples: &[f32; AUDIO_BLOCK_SAMPLES]) -> Result<Vec<u8>, CodecError> {
        let mut packet = vec![0; PACKET_BYTES];
        let length = self.encoder.encode_float_to_slice(samples, &mut packet).map_err(failed)?;
        if length != PACKET_BYTES {
            return Err(CodecError::Failed { codec: NAME, why: format!("a packet of {length} bytes came out") });
        }
        Ok(packet)
    }
}

/// A blocking Opus decoder that can also make up for what was lost.
pub struct OpusDecoder {
    decoder: Decoder,
    /// Blocks made up in a row.
    made_up: u32,
}

impl OpusDecoder {
    /// Opens a decoder.
    pub fn open() -> Result<Self, CodecError> {
        let mut decoder = Decoder::new(Channels::Mono, SampleRate::Hz48000).map_err(not_opened)?;
        decoder.set_complexity(DECODER_COMPLEXITY).map_err(not_opened)?;
        Ok(Self { decoder, made_up: 0 })
    }

    /// Decodes one packet. What is not exactly 20 ms of Opus is refused, and the decoder stays usable.
    pub fn decode(&mut self, packet: &[u8], samples: &mut [f32; AUDIO_BLOCK_SAMPLES]) -> Result<(), CodecError> {
        self.check(packet)?;
        self.decoder.decode_float_to_slice(packet, samples, false).map_err(refused)?;
        clean(samples);
        if self.made_up > FULL_BLOCKS {
            for (n, sample) in samples[..RETURN_SAMPLES].iter_mut().enumerate() {
                *sample *= n as f32 / RETURN_SAMPLES as f32;
            }
        }
        self.made_up = 0;
        Ok(())
    }

    /// Makes up 20 ms in place of a packet that did not come, from the coarse copy in the packet right behind it if that
    /// is here already. Fades away when several are missing in a row.
    pub fn conceal(
        &mut self,
        following: Option<&[u8]>,
        samples: &mut [f32; AUDIO_BLOCK_SAMPLES],
    ) -> Result<(), CodecError> {
        match following.filter(|packet| self.check(packet).is_ok()) {
            Some(packet) => self.decoder.decode_float_to_slice(packet, samples, true).map_err(refused)?,
            None => self.decoder.decode_float_to_slice(&[], samples, false).map_err(failed)?,
        };
        clean(samples);
        let loudness = |blocks: u32| 1.0 - (blocks.saturating_sub(FULL_BLOCKS) as f32 / FADE_BLOCKS as f32).min(1.0);
        let (from, to) = (loudness(self.made_up), loudness(self.made_up + 1));
        for (n, sample) in samples.iter_mut().enumerate() {
            *sample *= from + (to - from) * n as f32 / AUDIO_BLOCK_SAMPLES as f32;
        }
        self.made_up += 1;
        Ok(())
    }

    fn check(&self, packet: &[u8]) -> Result<(), CodecError> {
        if packet.is_empty() || packet.len() > MAX_PACKET_BYTES {
            return Err(CodecError::Bitstream("not the length of an Opus packet".to_owned()));
        }
        if self.decoder.get_nb_samples(packet).map_err(refused)? != AUDIO_BLOCK_SAMPLES {
            return Err(CodecError::Bitstream("not 20 ms of sound".to_owned()));
        }
        Ok(())
    }
}

/// A hostile bitstream may decode to anything; what reaches a loudspeaker is a number within full scale.
fn clean(samples: &mut [f32]) {
    for sample in samples {
        *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    }
}

fn not_opened(error: ErrorCode) -> CodecError {
    CodecError::Open { codec: NAME, why: error.message().to_owned() }
}

fn refused(error: ErrorCode) -> CodecError {
    CodecError::Bitstream(error.message().to_owned())
}

fn failed(error: ErrorCode) -> CodecError {
    CodecError::Failed { codec: NAME, why: error.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::SAMPLE_RATE_HZ;
    use proptest::prelude::*;
    use std::f32::consts::TAU;

    type Block = [f32; AUDIO_BLOCK_SAMPLES];

    /// A voiced sound: a gliding pitch with harmonics, whose loudness swells four times a second.
    fn voice(block: usize) -> Block {
        std::array::from_fn(|n| {
            let t = (block * AUDIO_BLOCK_SAMPLES + n) as f32 / SAMPLE_RATE_HZ as f32;
            let phase = 130.0 * t + 4.0 * (TAU * 0.7 * t).sin() / (TAU * 0.7);
            let buzz: f32 = (1..24).map(|k| (TAU * k as f32 * phase).sin() / (1.0 + 0.25 * (k * k) as f32)).sum();
            0.2 * buzz * (0.6 + 0.4 * (TAU * 4.0 * t).sin())
        })
    }

    fn noise(seed: &mut u32) -> Block {
        std::array::from_fn(|_| {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
    }

    /// Best normalised correlation of `heard` with `said` over delays up to 20 ms.
    fn likeness(said: &[f32], heard: &[f32]) -> f32 {
        let correlation = |delay: usize| {
            let pairs = said.iter().zip(&heard[delay..]);
            let (mut product, mut a, mut b) = (0.0, 1e-9, 1e-9);
            for (x, y) in pairs {
                product += x * y;
                a += x * x;
                b += y * y;
            }
            product / (a * b).sqrt()
        };
        (0..AUDIO_BLOCK_SAMPLES).map(correlation).fold(0.0, f32::max)
    }

    #[test]
    fn every_packet_has_the_same_length_whatever_is_said() {
        let mut encoder = OpusEncoder::open().unwrap();
        let mut seed = 1;
        for block in 0..150 {
            let samples = match block % 3 {
                0 => voice(block),
                1 => [0.0; AUDIO_BLOCK_SAMPLES],
                _ => noise(&mut seed),
            };
            assert_eq!(encoder.encode(&samples).unwrap().len(), PACKET_BYTES);
        }
        // Long silence, as of a muted microphone, does not make the encoder stop or shrink.
        for _ in 0..500 {
            assert_eq!(encoder.encode(&[0.0; AUDIO_BLOCK_SAMPLES]).unwrap().len(), PACKET_BYTES);
        }
    }

    #[test]
    fn the_delay_is_what_the_library_says() {
        let look_ahead = OpusEncoder::open().unwrap().encoder.get_look_ahead().unwrap();
        assert_eq!(DELAY, Duration::from_secs(1) * look_ahead / SAMPLE_RATE_HZ);
    }

    #[test]
    fn a_voice_comes_out_as_it_went_in() {
        let (mut encoder, mut decoder) = (OpusEncoder::open().unwrap(), OpusDecoder::open().unwrap());
        let (mut said, mut heard) = (Vec::new(), Vec::new());
        for block in 0..100 {
            let mut out = [0.0; AUDIO_BLOCK_SAMPLES];
            decoder.decode(&encoder.encode(&voice(block)).unwrap(), &mut out).unwrap();
            said.extend(voice(block));
            heard.extend(out);
        }
        // The first half second lets the codec settle.
        let likeness = likeness(&said[24_000..72_000], &heard[24_000..]);
        assert!(likeness > 0.98, "correlation {likeness}");
    }

    /// Error of what is made up for every tenth packet, as a share of the energy that was lost.
    fn error_of_concealment(with_following: bool) -> f32 {
        let (mut encoder, mut decoder) = (OpusEncoder::open().unwrap(), OpusDecoder::open().unwrap());
        let mut whole = OpusDecoder::open().unwrap();
        let packets: Vec<_> = (0..201).map(|block| encoder.encode(&voice(block)).unwrap()).collect();
        let (mut error, mut energy) = (0.0, 0.0);
        for (block, pair) in packets.windows(2).enumerate() {
            let (mut expected, mut out) = ([0.0; AUDIO_BLOCK_SAMPLES], [0.0; AUDIO_BLOCK_SAMPLES]);
            whole.decode(&pair[0], &mut expected).unwrap();
            if block % 10 == 9 {
                decoder.conceal(with_following.then_some(pair[1].as_slice()), &mut out).unwrap();
                error += expected.iter().zip(&out).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
                energy += expected.iter().map(|a| a * a).sum::<f32>();
            } else {
                decoder.decode(&pair[0], &mut out).unwrap();
            }
        }
        error / energy
    }

    #[test]
    fn concealment_is_close_to_the_lost_sound_and_the_copy_in_the_next_packet_closer() {
        let (alone, with_copy) = (error_of_concealment(false), error_of_concealment(true));
        assert!(alone < 0.3, "error {alone}");
        assert!(with_copy < 0.5 * alone, "error {with_copy} with the copy, {alone} without");
    }

    /// Energy of the error over that of the sound, in the blocks that were lost: this share, in bursts of this many on
    /// average; bursts of one never follow each other. With the copy in the next packet where that has come, and without.
    fn error_under_loss(loss: f64, burst: f64) -> [f32; 2] {
        let mut random = crate::sim::random::Random::new(7);
        let mut chance = |chance: f64| random.below(1_000_000) < (chance * 1e6) as u64;
        let mut encoder = OpusEncoder::open().unwrap();
        let packets: Vec<_> = (0..1_000).map(|block| encoder.encode(&voice(block)).unwrap()).collect();
        let mut is_bad = false;
        let mut next = || {
            is_bad = if is_bad { !chance(1.0 / burst) } else { chance(loss / (1.0 - loss) / burst) };
            is_bad
        };
        let lost: Vec<bool> = packets.iter().map(|_| next()).collect();
        [true, false].map(|with_copy| {
            let (mut whole, mut decoder) = (OpusDecoder::open().unwrap(), OpusDecoder::open().unwrap());
            let (mut error, mut energy) = (0.0, 0.0);
            for (at, packet) in packets.iter().enumerate() {
                let (mut expected, mut out) = ([0.0; AUDIO_BLOCK_SAMPLES], [0.0; AUDIO_BLOCK_SAMPLES]);
                whole.decode(packet, &mut expected).unwrap();
                if !lost[at] {
                    decoder.decode(packet, &mut out).unwrap();
                    continue;
                }
                let next = packets.get(at + 1).filter(|_| with_copy && lost.get(at + 1) == Some(&false));
                decoder.conceal(next.map(Vec::as_slice), &mut out).unwrap();
                error += expected.iter().zip(&out).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
                energy += expected.iter().map(|a| a * a).sum::<f32>();
            }
            error / energy
        })
    }

    #[test]
    fn at_five_and_ten_percent_loss_the_copies_are_worth_their_bytes() {
        for (loss, burst, share) in [(0.05, 1.0, 0.6), (0.1, 1.0, 0.6), (0.05, 3.0, 1.0)] {
            let [with, without] = error_under_loss(loss, burst);
            println!("loss {loss} in bursts of {burst}: error {with:.3} with copies, {without:.3} without");
            assert!(with < share * without, "{loss} {burst}: {with} {without}");
        }
    }

    #[test]
    fn a_long_gap_fades_to_silence() {
        let (mut encoder, mut decoder) = (OpusEncoder::open().unwrap(), OpusDecoder::open().unwrap());
        let mut out = [0.0; AUDIO_BLOCK_SAMPLES];
        for block in 0..50 {
            decoder.decode(&encoder.encode(&voice(block)).unwrap(), &mut out).unwrap();
        }
        for _ in 0..50 {
            decoder.conceal(None, &mut out).unwrap();
        }
        assert!(out.iter().all(|sample| *sample == 0.0), "still loud a second later");
    }

    proptest! {
        #[test]
        fn any_bytes_give_sound_or_an_error(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20)) {
            let mut decoder = OpusDecoder::open().unwrap();
            let mut encoder = OpusEncoder::open().unwrap();
            let mut out = [0.0; AUDIO_BLOCK_SAMPLES];
            for packet in packets {
                let _ = decoder.decode(&packet, &mut out);
                prop_assert!(out.iter().all(|sample| sample.abs() <= 1.0));
                // The copy in a packet of nonsense may be refused; then the caller conceals without it.
                if decoder.conceal(Some(&packet), &mut out).is_err() {
                    decoder.conceal(None, &mut out).unwrap();
                }
                prop_assert!(out.iter().all(|sample| sample.abs() <= 1.0));
            }
            // Whatever came before, a good packet is understood.
            prop_assert!(decoder.decode(&encoder.encode(&voice(3)).unwrap(), &mut out).is_ok());
        }
    }
}
