//! Whoever sees the packets tries to tell speech from silence by their sizes and their pace.

use std::collections::BTreeSet;

use visavis::codec::opus::OpusEncoder;
use visavis::crypto::sframe::{BaseKey, Sealer};
use visavis::media::{AUDIO_BLOCK_SAMPLES, FrameId, KeyEpoch, LeafIndex, Stream, Timestamp};
use visavis::transport::packetise::packetise;
use visavis::wire::packet::FrameHeader;
use visavis::wire::{padding, sound};

use super::support::{Bench, write_tone};

/// Sixty blocks of something like speech: a voice that comes and goes, with consonants.
fn speech(block: usize) -> [f32; AUDIO_BLOCK_SAMPLES] {
    let mut noise = block as u32 * 7919 + 1;
    std::array::from_fn(|n| {
        let at = (block * AUDIO_BLOCK_SAMPLES + n) as f32 / 48_000.0;
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = (noise >> 8) as f32 / 8_388_608.0 - 1.0;
        let loud = (at * 3.0 * std::f32::consts::TAU).sin().max(0.0);
        let voiced = (1..8).map(|k| (at * 140.0 * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum::<f32>();
        loud * (0.3 * voiced + if block.is_multiple_of(7) { 0.4 * hiss } else { 0.0 })
    })
}

/// Sizes of the packets that these Opus packets travel in.
fn sizes_on_the_road(packets: impl IntoIterator<Item = Vec<u8>>) -> BTreeSet<usize> {
    let mut sealer = Sealer::new(&BaseKey::new([1; 16]), KeyEpoch(1), LeafIndex(0));
    let mut sizes = BTreeSet::new();
    for (number, packet) in packets.into_iter().enumerate() {
        let mut plaintext = Vec::new();
        sound::write(Timestamp::from_nanos(number as i64 * 20_000_000), &packet, &mut plaintext);
        let id = FrameId(number as u32);
        let header = FrameHeader { leaf: LeafIndex(0), stream: Stream::Audio, back: 0, id };
        let sealed = sealer.seal(Stream::Audio, &header.metadata(), &plaintext).unwrap();
        packetise(header, &sealed, 1200, |_, packet| {
            sizes.insert(packet.len());
        });
    }
    sizes
}

#[test]
fn speech_and_silence_travel_in_packets_of_the_same_size() {
    let mut encoder = OpusEncoder::open().unwrap();
    let spoken = sizes_on_the_road((0..60).map(|block| encoder.encode(&speech(block)).unwrap()).collect::<Vec<_>>());
    let silent = (0..60).map(|_| encoder.encode(&[0.0; AUDIO_BLOCK_SAMPLES]).unwrap()).collect::<Vec<_>>();
    let silent = sizes_on_the_road(silent);
    assert_eq!(spoken, silent);
    // The counter in front of a sealed frame is as long as it has to be: by the number of the packet, not by what is said.
    assert!(spoken.len() <= 2, "{spoken:?}");
}

#[test]
fn with_a_variable_rate_they_could_be_told_apart() {
    let mut encoder =
        opusic_c::Encoder::new(opusic_c::Channels::Mono, opusic_c::SampleRate::Hz48000, opusic_c::Application::Voip)
            .unwrap();
    encoder.set_vbr(true).unwrap();
    let mut packet = |samples: &[f32]| {
        let mut bytes = vec![0; 1500];
        let length = encoder.encode_float_to_slice(samples, &mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    };
    let spoken = sizes_on_the_road((0..60).map(|block| packet(&speech(block))).collect::<Vec<_>>());
    let silent = sizes_on_the_road((0..60).map(|_| packet(&[0.0; AUDIO_BLOCK_SAMPLES])).collect::<Vec<_>>());
    let largest_silent = silent.last().unwrap();
    assert!(spoken.iter().any(|size| size > largest_silent) && spoken.len() > 10, "{spoken:?} {silent:?}");
}

#[test]
fn pictures_travel_in_few_sizes() {
    let sizes: BTreeSet<_> = (0..20_000_usize)
        .map(|length| {
            let mut picture = vec![1; length];
            padding::pad(&mut picture);
            picture.len()
        })
        .collect();
    assert!(sizes.len() < 110, "{}", sizes.len());
}

/// Packets of sound that went out in a call of four seconds with this microphone.
fn sent(microphone: &str) -> u64 {
    let bench = Bench::new();
    let (voice, stats) = (bench.path("voice.wav"), bench.path("a.json"));
    write_tone(&voice);
    let microphone = if microphone == "voice" { &voice } else { microphone };
    let bob =
        bench.answering("bob", &["--auto-accept", "--mic", "none", "--speaker", "none", "--video-source", "none"]);
    let options =
        ["--mic", microphone, "--speaker", "none", "--video-source", "none", "--seconds", "4", "--stats", &stats];
    assert!(bench.call("alice", "bob", &options).status.success());
    bob.wait_with_output().unwrap();
    bench.stats("a.json")["audio"]["sent"].as_u64().unwrap()
}

#[test]
fn who_is_silent_or_has_no_microphone_sends_as_many_packets_as_who_speaks() {
    let [voice, none] = ["voice", "none"].map(sent);
    assert!(voice >= 180 && voice.abs_diff(none) <= 15, "{voice} and {none} in four seconds");
}
