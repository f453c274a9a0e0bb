//! AV1 decoding by dav1d: one thread, no frame held back, pictures handed on without a copy.
//!
//! By default it is dav1d ported to memory-safe Rust; the feature `c-dav1d` takes the C library in its place. Its
//! interface is the same, but hides a picture's colour description, which is then read from the bitstream; and it says on
//! standard error what it dislikes about a stream.

use std::sync::Arc;

#[cfg(feature = "rust-dav1d")]
use ::dav1d as library;
#[cfg(not(feature = "rust-dav1d"))]
use ::libdav1d as library;
use library::{Decoder, Error, PixelLayout, PlanarImageComponent, Settings};

use super::{CodecError, VideoDecoder};
use crate::media::{Colour, MAX_DIMENSION, Picture, Plane, PlaneStore};

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

/// A dav1d decoder.
pub struct Dav1dDecoder {
    decoder: Decoder,
    /// Of the newest sequence header.
    #[cfg(not(feature = "rust-dav1d"))]
    colour: Colour,
}

struct Planes([(library::Plane, usize); 3]);

impl PlaneStore for Planes {
    fn plane(&self, plane: Plane) -> (&[u8], usize) {
        let (bytes, stride) = &self.0[plane as usize];
        (bytes, *stride)
    }
}

impl Dav1dDecoder {
    /// Opens a decoder that uses the calling thread only.
    pub fn open() -> Result<Self, CodecError> {
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_frame_size_limit(MAX_DIMENSION * MAX_DIMENSION);
        let decoder = Decoder::with_settings(&settings);
        let decoder = decoder.map_err(|error| CodecError::Open { codec: NAME, why: error.to_string() })?;
        Ok(Self {
            decoder,
            #[cfg(not(feature = "rust-dav1d"))]
            colour: Colour::default(),
        })
    }

    fn try_decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError> {
        if data.is_empty() || data.len() > MAX_DATA_BYTES {
            return Err(CodecError::Bitstream(format!("{} bytes", data.len())));
        }
        #[cfg(not(feature = "rust-dav1d"))]
        if let Some(colour) = super::sequence::colour_of(data) {
            self.colour = colour;
        }
        let refused = |error: Error| CodecError::Bitstream(error.to_string());
        let mut shown = None;
        let mut pending = match self.decoder.send_data(data.to_vec(), None, None, None) {
            Ok(()) => false,
            Err(Error::Again) => true,
            Err(error) => return Err(refused(error)),
        };
        // A temporal unit shows one picture; should a hostile one show more, the last counts. The decoder stops at each
        // picture, so that when all data is in, one at most is ready. It is not asked for another: the port loses some
        // bytes with each question that it answers with "none" (see ARCHITECTURE.md, "Known leak").
        loop {
            match self.decoder.get_picture() {
                Ok(picture) => {
                    shown = Some(picture);
                    if !pending {
                        break;
                    }
                }
                Err(Error::Again) if !pending => break,
                Err(Error::Again) => {}
                Err(error) => return Err(refused(error)),
            }
            if pending {
                match self.decoder.send_pending_data() {
                    Ok(()) => pending = false,
                    Err(Error::Again) if shown.is_some() => {}
                    Err(Error::Again) => return Err(CodecError::Bitstream("nothing comes out".into())),
                    Err(error) => return Err(refused(error)),
                }
            }
        }
        shown.map(|picture| wrap(&picture, self.colour_of(&picture))).transpose()
    }

    #[cfg(feature = "rust-dav1d")]
    #[expect(clippy::unused_self, reason = "with the C library it is the decoder that knows")]
    fn colour_of(&self, picture: &library::Picture) -> Colour {
        use crate::media::{Matrix, Range};
        use library::pixel::{MatrixCoefficients, YUVRange};
        let matrix = match picture.matrix_coefficients() {
            MatrixCoefficients::BT709 => Matrix::Bt709,
            _ => Matrix::Bt601,
        };
        let range = match picture.color_range() {
            YUVRange::Full => Range::Full,
            YUVRange::Limited => Range::Limited,
        };
        Colour { matrix, range }
    }

    #[cfg(not(feature = "rust-dav1d"))]
    const fn colour_of(&self, _picture: &library::Picture) -> Colour {
        self.colour
    }
}

impl VideoDecoder for Dav1dDecoder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError> {
        let result = self.try_decode(data);
        if result.is_err() {
            self.decoder.flush();
        }
        result
    }

    fn held_frames(&self) -> usize {
        // With one thread and a frame delay of one, what was put in has come out when `decode` returns.
        0
    }
}

fn wrap(picture: &library::Picture, colour: Colour) -> Result<Picture, CodecError> {
    let refuse = |why: &str| Err(CodecError::Bitstream(why.into()));
    if picture.bit_depth() != 8 {
        return refuse("not 8 bits a sample");
    }
    if picture.pixel_layout() != PixelLayout::I420 {
        return refuse("not 4:2:0");
    }
    let components = [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V];
    let planes = components.map(|component| (picture.plane(component), picture.stride(component) as usize));
    Picture::from_store(picture.width(), picture.height(), colour, Arc::new(Planes(planes)))
        .ok_or_else(|| CodecError::Bitstream("size out of range".into()))
}
