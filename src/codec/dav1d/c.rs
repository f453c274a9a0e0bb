//! The C library. It hides a picture's colour description, which is then read from the bitstream; and it says on standard
//! error what it dislikes about a stream.

use libdav1d::{Error, PixelLayout, PlanarImageComponent, Settings};

use super::{LibraryError, MAX_FRAME_SAMPLES};
use crate::codec::sequence;
use crate::media::{Colour, Plane, PlaneStore};

/// An open decoder that uses the calling thread only.
pub struct Decoder {
    inner: libdav1d::Decoder,
    /// Of the newest sequence header.
    colour: Colour,
}

impl Decoder {
    /// Opens it.
    pub fn open() -> Result<Self, LibraryError> {
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_frame_size_limit(MAX_FRAME_SAMPLES);
        Ok(Self { inner: libdav1d::Decoder::with_settings(&settings)?, colour: Colour::default() })
    }

    /// Gives the decoder a temporal unit; [`LibraryError::Again`]: pictures must be taken out before it takes the rest.
    pub fn send(&mut self, unit: &[u8]) -> Result<(), LibraryError> {
        if let Some(colour) = sequence::colour_of(unit) {
            self.colour = colour;
        }
        Ok(self.inner.send_data(unit.to_vec(), None, None, None)?)
    }

    /// Goes on with the unit that was given last.
    pub fn send_pending(&mut self) -> Result<(), LibraryError> {
        Ok(self.inner.send_pending_data()?)
    }

    /// The next picture; [`LibraryError::Again`]: none before there is more data.
    pub fn picture(&mut self) -> Result<DecodedPicture, LibraryError> {
        let picture = self.inner.get_picture()?;
        let components = [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V];
        let planes = components.map(|component| (picture.plane(component), picture.stride(component) as usize));
        Ok(DecodedPicture { picture, planes, colour: self.colour })
    }

    /// Forgets everything up to the next keyframe.
    pub fn flush(&mut self) {
        self.inner.flush();
    }
}

/// A decoded picture, held as long as this lives.
pub struct DecodedPicture {
    picture: libdav1d::Picture,
    planes: [(libdav1d::Plane, usize); 3],
    colour: Colour,
}

impl DecodedPicture {
    /// Width and height in luma samples.
    pub fn size(&self) -> (u32, u32) {
        (self.picture.width(), self.picture.height())
    }

    /// Bits in a sample.
    pub fn bits(&self) -> usize {
        self.picture.bit_depth()
    }

    /// Whether chroma has half the size of luma each way.
    pub fn is_420(&self) -> bool {
        self.picture.pixel_layout() == PixelLayout::I420
    }

    /// As the sequence header describes it.
    pub const fn colour(&self) -> Colour {
        self.colour
    }
}

impl PlaneStore for DecodedPicture {
    fn plane(&self, plane: Plane) -> (&[u8], usize) {
        let (bytes, stride) = &self.planes[plane as usize];
        (bytes, *stride)
    }
}

impl From<Error> for LibraryError {
    fn from(error: Error) -> Self {
        match error {
            Error::Again => Self::Again,
            other => Self::Refused(other.to_string()),
        }
    }
}
