//! The moving pattern through libaom, with the ladder or without, and what is seen of it at the other end.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::harness::FRAME;
use super::source::{SEAL, Source, Wanted};
use crate::bench::quality::ssim_y;
use crate::capture::SourceFormat;
use crate::capture::pattern::Pattern;
use crate::codec::dav1d::Dav1dDecoder;
use crate::codec::{EncoderKind, FrameRequest, VideoDecoder, VideoEncoder, VideoEncoderConfig};
use crate::media::{Colour, FrameId, Picture, PicturePool, Scaler, Timestamp};
use crate::transport::rate::ladder::{Coded, Ladder, Step};

/// Time for scaling and encoding a picture: libaom on one slow core, in proportion to pixels.
const NANOS_A_PIXEL: f64 = 9.0;
/// With every so many captures, what is shown then is compared.
const COMPARED: u32 = 10;

/// How alike a picture that is shown is, by structural similarity.
#[derive(Clone, Copy)]
pub struct Likeness {
    /// When it was looked at.
    pub at: Timestamp,
    /// To what was captured for it.
    pub own: f64,
    /// To what the camera sees at that moment, so that what is old or stands still is less alike.
    pub now: f64,
}

/// What was seen at the other end.
#[derive(Default)]
pub struct Seen {
    pub likenesses: Vec<Likeness>,
    /// When pictures got another size or number, and which.
    pub steps: Vec<(Timestamp, Step)>,
}

/// A camera, an encoder, a decoder.
pub struct Encoded {
    source: Step,
    pattern: Pattern,
    pool: PicturePool,
    ladder: Ladder,
    scaler: Scaler,
    encoder: Option<Box<dyn VideoEncoder>>,
    decoder: Dav1dDecoder,
    enlarger: Scaler,
    captures: u32,
    captured: Timestamp,
    /// Which picture each frame shows, and when it was captured.
    frames: Vec<(u32, Timestamp)>,
    /// The picture that is shown, and which it is.
    shown: Option<(Picture, (u32, Timestamp))>,
    seen: Rc<RefCell<Seen>>,
}

impl Encoded {
    /// Pictures of such a size and number, smaller and fewer where the ladder says so.
    pub fn new(source: Step, ladder: bool) -> (Self, Rc<RefCell<Seen>>) {
        let seen = Rc::<RefCell<Seen>>::default();
        let encoded = Self {
            source,
            pattern: Pattern::new(SourceFormat::new(source.width, source.height, source.fps)).unwrap(),
            pool: PicturePool::new(2),
            ladder: if ladder { Ladder::new(source) } else { Ladder::fixed(source) },
            scaler: Scaler::new(1),
            encoder: None,
            decoder: Dav1dDecoder::open().unwrap(),
            enlarger: Scaler::new(1),
            captures: 0,
            captured: Timestamp::ZERO,
            frames: Vec::new(),
            shown: None,
            seen: Rc::clone(&seen),
        };
        (encoded, seen)
    }

    fn picture(&mut self, (number, captured): (u32, Timestamp)) -> Picture {
        let mut picture = self.pool.acquire(self.source.width, self.source.height, Colour::default()).unwrap();
        self.pattern.draw(FrameId(number), captured, &mut picture);
        self.pool.finish(picture)
    }

    fn compare(&mut self) {
        let Some((shown, place)) = self.shown.clone() else { return };
        let shown = self.enlarger.scale(&shown, (self.source.width, self.source.height)).unwrap();
        let [own, now] =
            [place, (self.captures, self.captured)].map(|place| ssim_y(&self.picture(place), &shown).unwrap());
        self.seen.borrow_mut().likenesses.push(Likeness { at: self.captured, own, now });
    }
}

impl Source for Encoded {
    fn capture(&mut self, allowed_kbps: u32, now: Timestamp) -> bool {
        self.captures += 1;
        self.captured = now;
        if self.captures.is_multiple_of(COMPARED) {
            self.compare();
        }
        if let Some(step) = self.ladder.handle_rate(allowed_kbps, now) {
            self.seen.borrow_mut().steps.push((now, step));
        }
        self.ladder.take_picture()
    }

    fn interval(&self) -> Duration {
        FRAME * self.source.fps / self.ladder.step().fps
    }

    fn encode(&mut self, wanted: Wanted) -> (Option<FrameId>, Vec<u8>) {
        let Wanted { id, kbps, keyframe, acknowledged, from_acknowledged } = wanted;
        let place = (self.captures, self.captured);
        assert_eq!(id.0 as usize, self.frames.len());
        self.frames.push(place);
        let picture = self.picture(place);
        let Step { width, height, fps } = self.ladder.step();
        let picture = self.scaler.scale(&picture, (width, height)).unwrap();
        let bitrate_kbps = kbps as u32 * self.source.fps / fps;
        if self.encoder.as_mut().is_none_or(|encoder| !encoder.resize(width, height).unwrap()) {
            let colour = picture.colour();
            let config = VideoEncoderConfig { width, height, fps: self.source.fps, bitrate_kbps, threads: 1, colour };
            self.encoder = Some(EncoderKind::Aom.open(&config).unwrap());
        }
        let mut coded = Vec::new();
        let request = FrameRequest { keyframe, acknowledged, from_acknowledged, ..FrameRequest::at(bitrate_kbps) };
        self.encoder.as_mut().unwrap().encode(id, &picture, request, &mut coded).unwrap();
        let mut frame = coded.pop().expect("libaom holds nothing back");
        let took = Duration::from_nanos((f64::from(width * height) * NANOS_A_PIXEL) as u64);
        let (bytes, quantiser, keyframe) = (frame.data.len(), frame.quantiser, frame.keyframe);
        self.ladder.handle_coded(Coded { bytes, quantiser, keyframe }, took);
        frame.data.resize(bytes + SEAL, 0);
        (frame.reference, frame.data)
    }

    fn show(&mut self, id: FrameId, sealed: &[u8]) {
        let shown = self.decoder.decode(&sealed[..sealed.len() - SEAL]).unwrap().expect("nothing is held back");
        self.shown = Some((shown, self.frames[id.0 as usize]));
    }
}
