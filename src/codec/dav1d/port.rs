//! The calls into dav1d's port to Rust. Its own safe wrapper leaves an empty list of metadata behind with each picture
//! that is given back (re_rav1d 0.1.3, `dav1d_picture_unref`); here that list is freed.
#![allow(unsafe_code, reason = "the port's interface is that of the C library")]

use std::ptr::NonNull;

use dav1d::Dav1dResult;
use dav1d::include::dav1d::data::Dav1dData;
use dav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dSettings};
use dav1d::include::dav1d::headers::{DAV1D_MC_BT709, DAV1D_PIXEL_LAYOUT_I420};
use dav1d::include::dav1d::picture::Dav1dPicture;
use dav1d::src::lib as port;

use super::{LibraryError, MAX_FRAME_SAMPLES};
use crate::media::{Colour, Matrix, Plane, PlaneStore, Range};

/// `EAGAIN` of the system's C library, negated.
const AGAIN: i32 = if cfg!(target_vendor = "apple") { -35 } else { -11 };

/// An open decoder that uses the calling thread only.
pub struct Decoder {
    context: Option<Dav1dContext>,
    /// Data that the decoder has not taken yet.
    pending: Dav1dData,
}

// SAFETY: the context is a counted reference to a structure whose state stands behind a lock, and every method takes
// `&mut self`; the data is a counted reference to bytes that nobody else holds.
unsafe impl Send for Decoder {}

impl Decoder {
    /// Opens it.
    pub fn open() -> Result<Self, LibraryError> {
        let mut settings = std::mem::MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: the function fills the structure that it is given.
        let mut settings = unsafe {
            port::dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.frame_size_limit = MAX_FRAME_SAMPLES;
        let mut context = None;
        // SAFETY: both point to initialised structures that live through the call.
        let result = unsafe { port::dav1d_open(Some(NonNull::from(&mut context)), Some(NonNull::from(&mut settings))) };
        check(result)?;
        Ok(Self { context, pending: Dav1dData::default() })
    }

    /// Gives the decoder a temporal unit; [`LibraryError::Again`]: pictures must be taken out before it takes the rest.
    pub fn send(&mut self, unit: &[u8]) -> Result<(), LibraryError> {
        self.forget_pending();
        // SAFETY: `pending` holds nothing (see above) and may be overwritten.
        let bytes = unsafe { port::dav1d_data_create(Some(NonNull::from(&mut self.pending)), unit.len()) };
        let bytes = NonNull::new(bytes).ok_or_else(|| LibraryError::Refused("out of memory".into()))?;
        // SAFETY: `bytes` is a fresh allocation of `unit.len()` bytes, which nobody reads before this copy.
        unsafe { bytes.copy_from_nonoverlapping(NonNull::from(unit).cast(), unit.len()) };
        self.send_pending()
    }

    /// Goes on with the unit that was given last.
    pub fn send_pending(&mut self) -> Result<(), LibraryError> {
        if self.pending.sz == 0 {
            return Ok(());
        }
        // SAFETY: the context is open and the data is as `dav1d_data_create` or an earlier call here left it.
        let result = unsafe { port::dav1d_send_data(self.context, Some(NonNull::from(&mut self.pending))) };
        match check(result) {
            Ok(()) if self.pending.sz == 0 => Ok(()),
            Ok(()) | Err(LibraryError::Again) => Err(LibraryError::Again),
            Err(error) => {
                self.forget_pending();
                Err(error)
            }
        }
    }

    /// The next picture; [`LibraryError::Again`]: none before there is more data.
    pub fn picture(&mut self) -> Result<DecodedPicture, LibraryError> {
        let mut picture = DecodedPicture(Dav1dPicture::default());
        // SAFETY: the context is open, and the picture holds nothing and may be overwritten.
        let result = unsafe { port::dav1d_get_picture(self.context, Some(NonNull::from(&mut picture.0))) };
        check(result).map(|()| picture)
    }

    /// Forgets everything up to the next keyframe.
    pub fn flush(&mut self) {
        self.forget_pending();
        if let Some(context) = self.context {
            // SAFETY: the context is open.
            unsafe { port::dav1d_flush(context) };
        }
    }

    fn forget_pending(&mut self) {
        // SAFETY: `pending` holds either nothing or data that the port made; nothing remains in it afterwards.
        unsafe { port::dav1d_data_unref(Some(NonNull::from(&mut self.pending))) };
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.forget_pending();
        // SAFETY: the context is open, nobody uses it afterwards, and the call leaves `None`.
        unsafe { port::dav1d_close(Some(NonNull::from(&mut self.context))) };
    }
}

/// A decoded picture, held as long as this lives.
pub struct DecodedPicture(Dav1dPicture);

// SAFETY: a picture is a set of counted references to data that nobody writes once it has been given out.
unsafe impl Send for DecodedPicture {}
// SAFETY: as above; no method changes anything.
unsafe impl Sync for DecodedPicture {}

impl DecodedPicture {
    /// Width and height in luma samples.
    pub const fn size(&self) -> (u32, u32) {
        (self.0.p.w.cast_unsigned(), self.0.p.h.cast_unsigned())
    }

    /// Bits in a sample.
    pub const fn bits(&self) -> i32 {
        self.0.p.bpc
    }

    /// Whether chroma has half the size of luma each way.
    pub const fn is_420(&self) -> bool {
        self.0.p.layout == DAV1D_PIXEL_LAYOUT_I420
    }

    /// As the sequence header describes it.
    pub fn colour(&self) -> Colour {
        // SAFETY: null or a header that `seq_hdr_ref` of the same structure keeps alive.
        let Some(header) = self.0.seq_hdr.map(|header| unsafe { header.as_ref() }) else { return Colour::default() };
        Colour {
            matrix: if header.mtrx == DAV1D_MC_BT709 { Matrix::Bt709 } else { Matrix::Bt601 },
            range: if header.color_range == 0 { Range::Limited } else { Range::Full },
        }
    }
}

impl PlaneStore for DecodedPicture {
    fn plane(&self, plane: Plane) -> (&[u8], usize) {
        let (width, height) = self.size();
        let rows = plane.size(width, height).1 as usize;
        let stride = self.0.stride[usize::from(plane != Plane::Y)].unsigned_abs();
        let samples = self.0.data[plane as usize].filter(|_| self.bits() == 8 && self.is_420());
        let bytes = samples.map_or(&[][..], |samples| {
            // SAFETY: with its own allocator the port gives each plane of a picture of this size, depth and layout as
            // `rows` rows that lie a positive `stride` apart, and keeps them alive as long as `ref` is held.
            unsafe { NonNull::slice_from_raw_parts(samples.cast::<u8>(), rows * stride).as_ref() }
        });
        (bytes, stride)
    }
}

impl Drop for DecodedPicture {
    fn drop(&mut self) {
        // SAFETY: the structure is as the port left it; afterwards it refers to no picture.
        unsafe { port::dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
        if let Some(list) = self.0.itut_t35_ref.take() {
            // SAFETY: the port has just made this reference, and here it is used up.
            drop(unsafe { list.into_arc() });
        }
    }
}

fn check(Dav1dResult(code): Dav1dResult) -> Result<(), LibraryError> {
    match code {
        0 => Ok(()),
        AGAIN => Err(LibraryError::Again),
        code => Err(LibraryError::Refused(format!("dav1d says {code}"))),
    }
}
