//! What a call does thirty times a second for hours leaves no memory behind, however little.

use allocation_counter::measure;
use visavis::capture::SourceFormat;
use visavis::capture::pattern::Pattern;
use visavis::codec::dav1d::Dav1dDecoder;
use visavis::codec::{CodedFrame, EncoderKind, FrameRequest, VideoDecoder, VideoEncoderConfig};
use visavis::media::{Colour, FrameId, PicturePool, Scaler, Timestamp};

const FRAMES: u32 = 20;

/// A keyframe and what follows it.
fn stream(width: u32, height: u32) -> Vec<CodedFrame> {
    let config =
        VideoEncoderConfig { width, height, fps: 30, bitrate_kbps: 300, threads: 1, colour: Colour::default() };
    let mut encoder = EncoderKind::Aom.open(&config).unwrap();
    let pattern = Pattern::new(SourceFormat::new(width, height, 30)).unwrap();
    let mut pool = PicturePool::new(1);
    let mut coded = Vec::new();
    for id in 0..FRAMES {
        let mut picture = pool.acquire(width, height, config.colour).unwrap();
        pattern.draw(FrameId(id), Timestamp::from_nanos(i64::from(id) * 33_000_000), &mut picture);
        let picture = pool.finish(picture);
        let request = FrameRequest { keyframe: id == 0, ..FrameRequest::at(config.bitrate_kbps) };
        encoder.encode(FrameId(id), &picture, request, &mut coded).unwrap();
    }
    coded
}

#[test]
fn a_decoder_keeps_nothing_of_the_pictures_that_were_given_back() {
    let stream = stream(160, 96);
    let mut decoder = Dav1dDecoder::open().unwrap();
    let mut once = || {
        let shown = stream.iter().filter(|frame| decoder.decode(&frame.data).unwrap().is_some()).count();
        assert_eq!(shown, FRAMES as usize);
    };
    once();
    once();
    let left = measure(|| (0..10).for_each(|_| once()));
    assert_eq!((left.count_current, left.bytes_current), (0, 0), "after {} pictures", 10 * FRAMES);
    assert!(left.count_total >= u64::from(10 * FRAMES), "the counter is awake");
}

#[test]
fn a_decoder_keeps_nothing_of_broken_frames() {
    let stream = stream(160, 96);
    let mut decoder = Dav1dDecoder::open().unwrap();
    let mut once = || {
        for frame in &stream {
            let _ = decoder.decode(&frame.data[..frame.data.len() / 2]);
            let _ = decoder.decode(&[0x12, 0, 0xff, 0xff, 0xff]);
        }
        decoder.decode(&stream[0].data).unwrap();
    };
    once();
    once();
    let left = measure(|| (0..10).for_each(|_| once()));
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
}

#[test]
fn a_scaler_takes_memory_for_the_first_picture_of_a_size_and_for_no_other() {
    let mut pool = PicturePool::new(1);
    let picture = pool.acquire(1280, 720, Colour::default()).unwrap();
    let picture = pool.finish(picture);
    let mut scaler = Scaler::new(1);
    for size in [(960, 540), (640, 360), (480, 270)] {
        let first = measure(|| assert!(scaler.scale(&picture, size).is_some()));
        assert!(first.count_total > 0, "the counter is awake");
        let others = measure(|| (0..30).for_each(|_| assert!(scaler.scale(&picture, size).is_some())));
        assert_eq!(others.count_total, 0, "{size:?}");
    }
}
