//! What every encoder and the decoder must do together.

use proptest::prelude::*;

use super::aom::AomEncoder;
use super::dav1d::Dav1dDecoder;
use super::*;
use crate::capture::SourceFormat;
use crate::capture::pattern::Pattern;
use crate::media::{Matrix, PicturePool, Plane, Range, Timestamp};

fn config(width: u32, height: u32, bitrate_kbps: u32) -> VideoEncoderConfig {
    VideoEncoderConfig { width, height, fps: 30, bitrate_kbps, threads: 1, colour: Colour::default() }
}

fn pictures(width: u32, height: u32, count: u32) -> Vec<Picture> {
    let mut pool = PicturePool::new(count as usize);
    let pattern = Pattern::new(SourceFormat::new(width, height, 30)).unwrap();
    (0..count)
        .map(|id| {
            let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
            pattern.draw(FrameId(id), Timestamp::from_nanos(i64::from(id) * 33_000_000), &mut picture);
            pool.finish(picture)
        })
        .collect()
}

fn encode(pictures: &[Picture], config: VideoEncoderConfig, keyframe_at: Option<usize>) -> Vec<CodedFrame> {
    let mut encoder = AomEncoder::open(&config).unwrap();
    let mut coded = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        let request = FrameRequest { bitrate_kbps: config.bitrate_kbps, keyframe: keyframe_at == Some(index) };
        encoder.encode(FrameId(index as u32), picture, request, &mut coded).unwrap();
        assert_eq!((coded.len(), encoder.held_frames()), (index + 1, 0), "every frame comes out at once");
    }
    coded
}

fn psnr_y(one: &Picture, other: &Picture) -> f64 {
    let (mut squares, mut samples) = (0.0, 0.0);
    for (a, b) in one.rows(Plane::Y).zip(other.rows(Plane::Y)) {
        for (&a, &b) in a.iter().zip(b) {
            squares += (f64::from(a) - f64::from(b)).powi(2);
            samples += 1.0;
        }
    }
    10.0 * (255.0 * 255.0 * samples / f64::max(squares, 1.0)).log10()
}

#[test]
fn pictures_of_every_size_come_through_with_their_quality_and_without_delay() {
    for (width, height, kbps, floor_db) in [
        (16, 16, 100, 25.0),
        (33, 17, 100, 25.0),
        (320, 180, 400, 30.0),
        (640, 360, 800, 30.0),
        (1280, 720, 2500, 26.0),
    ] {
        let pictures = pictures(width, height, 8);
        let coded = encode(&pictures, config(width, height, kbps), None);
        let mut decoder = Dav1dDecoder::open().unwrap();
        for (picture, frame) in pictures.iter().zip(&coded) {
            let decoded = decoder.decode(&frame.data).unwrap().expect("nothing is held back");
            assert_eq!((decoded.width(), decoded.height()), (width, height));
            let quality = psnr_y(picture, &decoded);
            assert!(quality > floor_db, "{width}×{height} frame {}: {quality:.1} dB", frame.id.0);
        }
        assert_eq!(decoder.held_frames(), 0);
    }
}

#[test]
fn keyframes_come_first_and_on_request_only() {
    let coded = encode(&pictures(320, 180, 12), config(320, 180, 400), Some(7));
    let keyframes: Vec<_> = coded.iter().filter(|frame| frame.keyframe).map(|frame| frame.id.0).collect();
    assert_eq!(keyframes, [0, 7]);
}

#[test]
fn the_rate_follows_the_request() {
    let pictures = pictures(320, 180, 60);
    let mut encoder = AomEncoder::open(&config(320, 180, 800)).unwrap();
    let mut coded = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        let bitrate_kbps = if index < 30 { 800 } else { 100 };
        encoder
            .encode(FrameId(index as u32), picture, FrameRequest { bitrate_kbps, keyframe: false }, &mut coded)
            .unwrap();
    }
    let bytes = |range: std::ops::Range<usize>| coded[range].iter().map(|frame| frame.data.len()).sum::<usize>();
    let (before, after) = (bytes(10..30), bytes(40..60));
    assert!(after * 3 < before, "{before} bytes before, {after} after");
}

#[test]
fn the_colour_description_travels_in_the_stream() {
    let picture = &pictures(64, 64, 1)[0];
    for matrix in [Matrix::Bt601, Matrix::Bt709] {
        for range in [Range::Limited, Range::Full] {
            let colour = Colour { matrix, range };
            let mut coded = Vec::new();
            let mut encoder = AomEncoder::open(&VideoEncoderConfig { colour, ..config(64, 64, 100) }).unwrap();
            encoder
                .encode(FrameId(0), picture, FrameRequest { bitrate_kbps: 100, keyframe: true }, &mut coded)
                .unwrap();
            let decoded = Dav1dDecoder::open().unwrap().decode(&coded[0].data).unwrap().unwrap();
            assert_eq!(decoded.colour(), colour);
        }
    }
}

#[test]
fn a_picture_of_another_size_is_refused() {
    let mut encoder = AomEncoder::open(&config(64, 64, 100)).unwrap();
    let request = FrameRequest { bitrate_kbps: 100, keyframe: false };
    let result = encoder.encode(FrameId(0), &pictures(32, 32, 1)[0], request, &mut Vec::new());
    assert!(matches!(result, Err(CodecError::WrongSize { .. })));
    assert!(AomEncoder::open(&config(8, 8, 100)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_damaged_stream_gives_errors_and_the_next_keyframe_heals(
        flips in proptest::collection::vec((0_usize..8, any::<prop::sample::Index>(), 1_u8..), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        thread_local!(static CODED: Vec<CodedFrame> = encode(&pictures(160, 96, 10), config(160, 96, 300), Some(8)));
        CODED.with(|coded| {
            let mut coded = coded.clone();
            for (frame, at, flip) in flips {
                let data = &mut coded[frame].data;
                let at = at.index(data.len());
                data[at] ^= flip;
            }
            let cut = cut.index(coded[7].data.len());
            coded[7].data.truncate(cut);
            let mut decoder = Dav1dDecoder::open().unwrap();
            for frame in &coded[..8] {
                let _ = decoder.decode(&frame.data);
            }
            for frame in &coded[8..] {
                assert!(decoder.decode(&frame.data).unwrap().is_some());
            }
        });
    }

    #[test]
    fn any_bytes_give_a_picture_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = Dav1dDecoder::open().unwrap();
        let _ = decoder.decode(&bytes);
    }
}
