//! What every encoder and the decoder must do together.

use proptest::prelude::*;

use super::dav1d::Dav1dDecoder;
use super::*;
use crate::capture::SourceFormat;
use crate::capture::pattern::Pattern;
use crate::media::{Matrix, PicturePool, Plane, Range, Scaler, Timestamp};

/// Frames that each encoder holds back, which is what it promises.
const fn depth(kind: EncoderKind) -> usize {
    match kind {
        EncoderKind::Aom => 0,
        EncoderKind::Rav1e => 4,
    }
}

pub fn config(width: u32, height: u32, bitrate_kbps: u32) -> VideoEncoderConfig {
    VideoEncoderConfig { width, height, fps: 30, bitrate_kbps, threads: 1, colour: Colour::default() }
}

pub fn pictures(width: u32, height: u32, count: u32) -> Vec<Picture> {
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

/// Encodes all pictures, each at the rate and as the keyframe that `wish` gives for its place.
fn encode_as(
    kind: EncoderKind,
    pictures: &[Picture],
    config: VideoEncoderConfig,
    wish: impl Fn(usize) -> (u32, bool),
) -> Vec<CodedFrame> {
    let mut encoder = kind.open(&config).unwrap();
    let mut coded = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        let (bitrate_kbps, keyframe) = wish(index);
        encoder
            .encode(
                FrameId(index as u32),
                picture,
                FrameRequest { keyframe, ..FrameRequest::at(bitrate_kbps) },
                &mut coded,
            )
            .unwrap();
        assert_eq!(encoder.held_frames(), index + 1 - coded.len(), "{}", encoder.name());
        assert!(encoder.held_frames() <= depth(kind), "{} holds {}", encoder.name(), encoder.held_frames());
    }
    assert!(coded.iter().map(|frame| frame.id.0).eq(0..coded.len() as u32), "in order and without a gap");
    coded
}

fn encode(kind: EncoderKind, pictures: &[Picture], config: VideoEncoderConfig) -> Vec<CodedFrame> {
    encode_as(kind, pictures, config, |_| (config.bitrate_kbps, false))
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
fn pictures_of_every_size_come_through_with_their_quality_and_with_the_stated_delay() {
    for kind in EncoderKind::ALL {
        for (width, height, kbps, floor_db) in [
            (16, 16, 100, 25.0),
            (33, 17, 100, 25.0),
            (161, 91, 300, 27.0),
            (320, 180, 400, 28.0),
            (640, 360, 800, 28.0),
            (1280, 720, 2500, 25.0),
        ] {
            let pictures = pictures(width, height, 12);
            let coded = encode(kind, &pictures, config(width, height, kbps));
            assert_eq!(pictures.len() - coded.len(), depth(kind), "{}", kind.name());
            let mut decoder = Dav1dDecoder::open().unwrap();
            for (picture, frame) in pictures.iter().zip(&coded) {
                let decoded = decoder.decode(&frame.data).unwrap().expect("nothing is held back");
                assert_eq!(decoder.held_frames(), 0);
                assert_eq!((decoded.width(), decoded.height()), (width, height));
                let quality = psnr_y(picture, &decoded);
                let place = format!("{} {width}×{height} frame {}", kind.name(), frame.id.0);
                assert!(quality > floor_db, "{place}: {quality:.1} dB");
            }
        }
    }
}

#[test]
fn sizes_change_in_the_middle_and_cost_libaom_a_keyframe_only_on_the_way_up() {
    let full = pictures(640, 360, 40);
    let size = |index: usize| [(640, 360), (480, 270), (320, 180), (480, 270), (640, 360)][index / 8];
    for kind in EncoderKind::ALL {
        let (mut scaler, mut enlarger) = (Scaler::new(1), Scaler::new(1));
        let mut encoder = kind.open(&config(640, 360, 600)).unwrap();
        let mut decoder = Dav1dDecoder::open().unwrap();
        let mut coded = Vec::new();
        for (index, picture) in full.iter().enumerate() {
            let (width, height) = size(index);
            if index > 0 && size(index - 1) != (width, height) && !encoder.resize(width, height).unwrap() {
                encoder = kind.open(&config(width, height, 600)).unwrap();
            }
            let picture = scaler.scale(picture, (width, height)).unwrap();
            encoder.encode(FrameId(index as u32), &picture, FrameRequest::at(600), &mut coded).unwrap();
        }
        let keyframes: Vec<_> = coded.iter().filter(|frame| frame.keyframe).map(|frame| frame.id.0).collect();
        let expected: &[u32] = if kind == EncoderKind::Aom { &[0, 24, 32] } else { &[0, 8, 16, 24, 32] };
        assert_eq!(keyframes, expected, "{}", kind.name());
        for frame in &coded {
            let index = frame.id.0 as usize;
            let decoded = decoder.decode(&frame.data).unwrap().expect("nothing is held back");
            assert_eq!((decoded.width(), decoded.height()), size(index), "{}", kind.name());
            let quality = psnr_y(&full[index], &enlarger.scale(&decoded, (640, 360)).unwrap());
            println!(
                "{} {index} {:?} {} bytes, {quality:.1} dB, q {}",
                kind.name(),
                size(index),
                frame.data.len(),
                frame.quantiser
            );
            assert!(quality > 20.0, "{} {index}: {quality:.1} dB", kind.name());
        }
    }
}

#[test]
fn keyframes_come_first_and_on_request_only() {
    for kind in EncoderKind::ALL {
        let coded = encode_as(kind, &pictures(320, 180, 16), config(320, 180, 400), |index| (400, index == 7));
        let keyframes: Vec<_> = coded.iter().filter(|frame| frame.keyframe).map(|frame| frame.id.0).collect();
        assert_eq!(keyframes, [0, 7], "{}", kind.name());
    }
}

#[test]
fn what_is_predicted_from_an_acknowledged_frame_needs_none_of_the_lost_ones() {
    let (pictures, config) = (pictures(320, 180, 40), config(320, 180, 400));
    for kind in EncoderKind::ALL {
        let mut encoder = kind.open(&config).unwrap();
        let mut coded = Vec::new();
        // Frame 9 arrived, what came after it did not; that is known here when frame 15 is made, and news is six frames old.
        for (index, picture) in pictures.iter().enumerate() {
            let acknowledged = if index <= 15 { index.min(9 + 6).checked_sub(6) } else { Some(index - 2) };
            let acknowledged = acknowledged.map(|id| FrameId(id as u32));
            let request = FrameRequest { acknowledged, from_acknowledged: index == 15, ..FrameRequest::at(400) };
            encoder.encode(FrameId(index as u32), picture, request, &mut coded).unwrap();
        }
        let repaired = &coded[15];
        match kind {
            EncoderKind::Aom => assert_eq!((repaired.keyframe, repaired.reference), (false, Some(FrameId(9)))),
            EncoderKind::Rav1e => assert!(repaired.keyframe, "it takes no reference"),
        }
        let mut all = Dav1dDecoder::open().unwrap();
        let mut some = Dav1dDecoder::open().unwrap();
        for frame in &coded {
            let expected = all.decode(&frame.data).unwrap().unwrap();
            if (10..15).contains(&frame.id.0) {
                continue;
            }
            let decoded = some.decode(&frame.data).unwrap().unwrap();
            assert!(psnr_y(&expected, &decoded) > 90.0, "{} frame {}", kind.name(), frame.id.0);
        }
    }
}

#[test]
fn every_other_frame_from_what_has_arrived_costs_some_quality_and_no_keyframe() {
    let (pictures, config) = (pictures(640, 360, 120), config(640, 360, 600));
    let quality = |every: usize| {
        let mut encoder = EncoderKind::Aom.open(&config).unwrap();
        let mut coded = Vec::new();
        for (index, picture) in pictures.iter().enumerate() {
            let acknowledged = index.checked_sub(4).map(|id| FrameId(id as u32));
            let prefer_acknowledged = index % every == every - 1;
            let request = FrameRequest { acknowledged, prefer_acknowledged, ..FrameRequest::at(600) };
            encoder.encode(FrameId(index as u32), picture, request, &mut coded).unwrap();
        }
        assert_eq!(coded.iter().filter(|frame| frame.keyframe).count(), 1);
        let far = coded.iter().filter(|frame| frame.reference.is_some_and(|it| it.next() != frame.id)).count();
        assert!(far.abs_diff(120 / every) <= 3, "{far}");
        let mut decoder = Dav1dDecoder::open().unwrap();
        let likeness =
            |(picture, frame): (&Picture, &CodedFrame)| psnr_y(picture, &decoder.decode(&frame.data).unwrap().unwrap());
        let likeness: Vec<f64> = pictures.iter().zip(&coded).map(likeness).collect();
        let bytes: usize = coded.iter().map(|frame| frame.data.len()).sum();
        (likeness[10..].iter().sum::<f64>() / 110.0, bytes)
    };
    let ((without, before), (with, after)) = (quality(1_000), quality(2));
    println!("every other: {with:.2} dB with {after} bytes, none: {without:.2} dB with {before} bytes");
    assert!(with > without - 2.5 && after < before * 11 / 10, "{with} {without} {after} {before}");
}

#[test]
fn a_lower_rate_is_followed_at_once() {
    for kind in EncoderKind::ALL {
        let pictures = pictures(320, 180, 64);
        let coded =
            encode_as(kind, &pictures, config(320, 180, 800), |index| (if index < 30 { 800 } else { 100 }, false));
        let bytes = |range: std::ops::Range<usize>| coded[range].iter().map(|frame| frame.data.len()).sum::<usize>();
        let (before, after) = (bytes(10..30), bytes(40..60));
        assert!(after * 3 < before, "{}: {before} bytes before, {after} after", kind.name());
        // The very next frames are below what they would have been: the budget is a frame's, not a second's.
        let soon = bytes(31..36);
        assert!(soon * 2 < bytes(25..30), "{}: {soon} bytes in the five frames after the change", kind.name());
    }
}

#[test]
fn rav1e_begins_a_stream_for_a_rate_that_matters_and_loses_nothing_on_the_way() {
    let pictures = pictures(160, 96, 110);
    let wish = |index: usize| match index {
        0..20 => (300, false),
        20..40 => (280, false), // too little to matter
        40..60 => (150, false), // down: at once
        _ => (400, false),      // up: when the stream is two seconds old
    };
    let coded = encode_as(EncoderKind::Rav1e, &pictures, config(160, 96, 300), wish);
    let keyframes: Vec<_> = coded.iter().filter(|frame| frame.keyframe).map(|frame| frame.id.0).collect();
    assert_eq!(keyframes, [0, 40, 100]);
    let mut decoder = Dav1dDecoder::open().unwrap();
    assert!(coded.iter().all(|frame| decoder.decode(&frame.data).unwrap().is_some()));
}

#[test]
fn the_colour_description_travels_in_the_stream() {
    let picture = &pictures(64, 64, 1)[0];
    for kind in EncoderKind::ALL {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            for range in [Range::Limited, Range::Full] {
                let colour = Colour { matrix, range };
                let same = vec![picture.clone(); 5];
                let coded = encode(kind, &same, VideoEncoderConfig { colour, ..config(64, 64, 100) });
                let decoded = Dav1dDecoder::open().unwrap().decode(&coded[0].data).unwrap().unwrap();
                assert_eq!(decoded.colour(), colour, "{}", kind.name());
                assert_eq!(sequence::colour_of(&coded[0].data), Some(colour), "read from the header");
            }
        }
    }
}

#[test]
fn a_picture_of_another_size_is_refused() {
    for kind in EncoderKind::ALL {
        let mut encoder = kind.open(&config(64, 64, 100)).unwrap();
        let request = FrameRequest::at(100);
        let result = encoder.encode(FrameId(0), &pictures(32, 32, 1)[0], request, &mut Vec::new());
        assert!(matches!(result, Err(CodecError::WrongSize { .. })));
        assert!(kind.open(&config(8, 8, 100)).is_err());
        assert!(kind.open(&config(64, 5000, 100)).is_err());
    }
}

#[test]
fn rav1e_divides_a_picture_among_threads() {
    let config = VideoEncoderConfig { threads: 2, ..config(641, 361, 800) };
    let pictures = pictures(641, 361, 8);
    let coded = encode(EncoderKind::Rav1e, &pictures, config);
    let mut decoder = Dav1dDecoder::open().unwrap();
    for (picture, frame) in pictures.iter().zip(&coded) {
        assert!(psnr_y(picture, &decoder.decode(&frame.data).unwrap().unwrap()) > 28.0);
    }
}

thread_local!(
    /// Eight frames to damage, a keyframe and another one behind them; of each encoder.
    static CODED: Vec<Vec<CodedFrame>> = EncoderKind::ALL
        .map(|kind| encode_as(kind, &pictures(160, 96, 14), config(160, 96, 300), |index| (300, index == 8)))
        .to_vec();
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_damaged_stream_gives_errors_and_the_next_keyframe_heals(
        flips in proptest::collection::vec((0_usize..8, any::<prop::sample::Index>(), 1_u8..), 1..12),
        cut in any::<prop::sample::Index>(),
        kind in 0..EncoderKind::ALL.len(),
    ) {
        CODED.with(|coded| {
            let mut coded = coded[kind].clone();
            assert!(coded.len() >= 10 && coded[8].keyframe);
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
        let _ = sequence::colour_of(&bytes);
        let mut decoder = Dav1dDecoder::open().unwrap();
        let _ = decoder.decode(&bytes);
    }
}
