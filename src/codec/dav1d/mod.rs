//! AV1 decoding by dav1d: one thread, no frame held back, pictures handed on without a copy.
//!
//! By default it is dav1d ported to memory-safe Rust; the feature `c-dav1d` takes the C library in its place.

use std::sync::Arc;

use super::{CodecError, VideoDecoder};
use crate::media::{MAX_DIMENSION, Picture};

#[cfg(not(feature = "rust-dav1d"))]
mod c;
#[cfg(feature = "rust-dav1d")]
mod port;

#[cfg(not(feature = "rust-dav1d"))]
use c as library;
#[cfg(feature = "rust-dav1d")]
use port as library;

#[cfg(all(feature = "rust-dav1d", feature = "c-dav1d"))]
compile_error!(
    "the features rust-dav1d and c-dav1d exclude each other, since both export the same C symbols: \
     for the C decoder build with --no-default-features --features client,c-dav1d"
);
#[cfg(not(any(feature = "rust-dav1d", feature = "c-dav1d")))]
compile_error!("the client needs a decoder: add the feature rust-dav1d (the usual one) or c-dav1d");

const NAME: &str = "dav1d";
/// Longest temporal unit that is looked at.
const MAX_DATA_BYTES: usize = 4 << 20;
/// Largest picture that is decoded, in luma samples.
const MAX_FRAME_SAMPLES: u32 = MAX_DIMENSION * MAX_DIMENSION;

/// What the library says.
#[derive(Debug)]
enum LibraryError {
    /// The other direction first: take pictures out, or put data in.
    Again,
    /// It does not like what it got.
    Refused(String),
}

impl LibraryError {
    fn into_words(self) -> String {
        match self {
            Self::Again => "nothing comes out".into(),
            Self::Refused(why) => why,
        }
    }
}

/// A dav1d decoder.
pub struct Dav1dDecoder(library::Decoder);

impl Dav1dDecoder {
    /// Opens a decoder that uses the calling thread only.
    pub fn open() -> Result<Self, CodecError> {
        let opened = library::Decoder::open();
        opened.map(Self).map_err(|error| CodecError::Open { codec: NAME, why: error.into_words() })
    }

    fn try_decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError> {
        if data.is_empty() || data.len() > MAX_DATA_BYTES {
            return Err(CodecError::Bitstream(format!("{} bytes", data.len())));
        }
        let refused = |error: LibraryError| CodecError::Bitstream(error.into_words());
        // A temporal unit shows one picture; should a hostile one show more, the last counts.
        let mut shown = None;
        let mut sent = self.0.send(data);
        loop {
            let mut came = false;
            loop {
                match self.0.picture() {
                    Ok(picture) => (shown, came) = (Some(picture), true),
                    Err(LibraryError::Again) => break,
                    Err(error) => return Err(refused(error)),
                }
            }
            match sent {
                Ok(()) => return shown.map(wrap).transpose(),
                Err(LibraryError::Again) if came => sent = self.0.send_pending(),
                Err(error) => return Err(refused(error)),
            }
        }
    }
}

impl VideoDecoder for Dav1dDecoder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError> {
        let result = self.try_decode(data);
        if result.is_err() {
            self.0.flush();
        }
        result
    }

    fn held_frames(&self) -> usize {
        // With one thread and a frame delay of one, what was put in has come out when `decode` returns.
        0
    }
}

fn wrap(picture: library::DecodedPicture) -> Result<Picture, CodecError> {
    let refuse = |why: &str| Err(CodecError::Bitstream(why.into()));
    if picture.bits() != 8 {
        return refuse("not 8 bits a sample");
    }
    if !picture.is_420() {
        return refuse("not 4:2:0");
    }
    let ((width, height), colour) = (picture.size(), picture.colour());
    Picture::from_store(width, height, colour, Arc::new(picture))
        .ok_or_else(|| CodecError::Bitstream("size out of range".into()))
}
