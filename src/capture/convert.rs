//! From what cameras deliver (MJPEG, YUYV, NV12) to I420.
//!
//! Bytes from a device are not trusted: a frame that is too short, too large or damaged gives an error and no picture.

use bytes::Bytes;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::SourceFormat;
use crate::media::{Colour, MAX_DIMENSION, Matrix, Picture, PictureMut, PicturePool, Range, Timestamp};

/// How a camera writes its pictures down; cheapest to convert first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Luma plane, then the two chroma values interleaved at half size both ways.
    Nv12,
    /// Luma and chroma interleaved, chroma halved across.
    Yuyv,
    /// A JPEG picture each, full range BT.601.
    Mjpeg,
}

/// A frame as a device gave it.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// Its bytes; there may be more than needed.
    pub data: Bytes,
    /// How they are to be read.
    pub encoding: Encoding,
    /// Width that the device promised.
    pub width: u32,
    /// Height that the device promised.
    pub height: u32,
    /// When the device took it, or handed it over if it does not say.
    pub captured: Timestamp,
}

/// Why a frame is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// Fewer bytes than its size needs.
    #[error("the camera gave {found} bytes where {needed} were due")]
    Short {
        /// Bytes there were.
        found: usize,
        /// Bytes that its size needs.
        needed: usize,
    },
    /// A size outside of what calls use.
    #[error("the camera gave a picture of {width}×{height}")]
    Size {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// Not a whole JPEG picture.
    #[error("the camera gave a damaged JPEG picture: {0}")]
    Jpeg(String),
}

/// Converts one frame after the other; keeps the memory that it needs for it.
#[derive(Default)]
pub struct Converter {
    scratch: Vec<u8>,
}

impl Converter {
    /// Converts a frame into a picture of `pool`; `None` if the pool has none free.
    pub fn convert(&mut self, raw: &RawFrame, pool: &mut PicturePool) -> Result<Option<Picture>, ConvertError> {
        match raw.encoding {
            Encoding::Mjpeg => self.convert_jpeg(&raw.data, pool),
            Encoding::Nv12 => convert_raw(raw, pool, nv12_bytes(raw.width, raw.height), copy_nv12),
            Encoding::Yuyv => convert_raw(raw, pool, yuyv_bytes(raw.width, raw.height), copy_yuyv),
        }
    }

    fn convert_jpeg(&mut self, data: &[u8], pool: &mut PicturePool) -> Result<Option<Picture>, ConvertError> {
        let damaged = |why: &dyn std::fmt::Display| ConvertError::Jpeg(why.to_string());
        // A frame that was cut off on its way would otherwise be filled up with grey.
        if !data.windows(2).rev().any(|pair| pair == [0xFF, 0xD9]) {
            return Err(damaged(&"it has no end"));
        }
        let options = DecoderOptions::default()
            .set_max_width(MAX_DIMENSION as usize)
            .set_max_height(MAX_DIMENSION as usize)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
        decoder.decode_headers().map_err(|error| damaged(&error))?;
        let (width, height) = decoder.dimensions().ok_or_else(|| damaged(&"it has no size"))?;
        let (width, height) = (width as u32, height as u32);
        check_size(width, height)?;
        let samples = match decoder.input_colorspace() {
            Some(ColorSpace::YCbCr) => 3,
            Some(ColorSpace::Luma) => {
                decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
                1
            }
            other => return Err(damaged(&format!("its colours are {other:?}"))),
        };
        let needed = width as usize * height as usize * samples;
        self.scratch.resize(needed, 0);
        decoder.decode_into(&mut self.scratch).map_err(|error| damaged(&error))?;
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
        let Some(mut picture) = pool.acquire(width, height, colour) else { return Ok(None) };
        if samples == 3 {
            halve_chroma(&self.scratch, &mut picture);
        } else {
            copy_grey(&self.scratch, &mut picture);
        }
        Ok(Some(pool.finish(picture)))
    }
}

const fn nv12_bytes(width: u32, height: u32) -> usize {
    let (luma, chroma) = (width as usize * height as usize, width.div_ceil(2) as usize * height.div_ceil(2) as usize);
    luma + 2 * chroma
}

const fn yuyv_bytes(width: u32, height: u32) -> usize {
    width.div_ceil(2) as usize * 4 * height as usize
}

fn check_size(width: u32, height: u32) -> Result<(), ConvertError> {
    let supported = SourceFormat::new(width, height, 1).is_supported();
    if supported { Ok(()) } else { Err(ConvertError::Size { width, height }) }
}

fn convert_raw(
    raw: &RawFrame,
    pool: &mut PicturePool,
    needed: usize,
    copy: fn(&[u8], &mut PictureMut),
) -> Result<Option<Picture>, ConvertError> {
    check_size(raw.width, raw.height)?;
    let data = raw.data.get(..needed).ok_or(ConvertError::Short { found: raw.data.len(), needed })?;
    let Some(mut picture) = pool.acquire(raw.width, raw.height, Colour::default()) else { return Ok(None) };
    copy(data, &mut picture);
    Ok(Some(pool.finish(picture)))
}

fn copy_nv12(data: &[u8], picture: &mut PictureMut) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (luma, chroma) = data.split_at(width * height);
    let [(y, y_stride), (u, u_stride), (v, v_stride)] = picture.planes_mut();
    for (to, from) in y.chunks_mut(y_stride).zip(luma.chunks(width)) {
        to[..width].copy_from_slice(from);
    }
    let pairs = chroma.chunks(2 * width.div_ceil(2));
    for ((u, v), pairs) in u.chunks_mut(u_stride).zip(v.chunks_mut(v_stride)).zip(pairs) {
        for ((u, v), pair) in u.iter_mut().zip(v).zip(pairs.chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
    }
}

fn copy_yuyv(data: &[u8], picture: &mut PictureMut) {
    let width = picture.width() as usize;
    let row_bytes = width.div_ceil(2) * 4;
    let [(y, y_stride), (u, u_stride), (v, v_stride)] = picture.planes_mut();
    for (to, from) in y.chunks_mut(y_stride).zip(data.chunks(row_bytes)) {
        for (to, pair) in to[..width].iter_mut().zip(from.chunks_exact(2)) {
            *to = pair[0];
        }
    }
    let rows = u.chunks_mut(u_stride).zip(v.chunks_mut(v_stride));
    for ((u, v), pair) in rows.zip(data.chunks(2 * row_bytes)) {
        let (upper, lower) = with_last_row_twice(pair, row_bytes);
        let quads = upper.chunks_exact(4).zip(lower.chunks_exact(4));
        for ((u, v), (upper, lower)) in u.iter_mut().zip(v).zip(quads) {
            (*u, *v) = (rounded_mean(upper[1], lower[1]), rounded_mean(upper[3], lower[3]));
        }
    }
}

const fn rounded_mean(one: u8, other: u8) -> u8 {
    u8::midpoint(one, other) + ((one ^ other) & 1)
}

/// Two rows; the last one of an odd height stands for the missing one.
fn with_last_row_twice(pair: &[u8], row_bytes: usize) -> (&[u8], &[u8]) {
    let (upper, lower) = pair.split_at(row_bytes);
    if lower.is_empty() { (upper, upper) } else { (upper, lower) }
}

/// From three interleaved values for each pixel to planes; chroma is the mean of up to four pixels.
fn halve_chroma(pixels: &[u8], picture: &mut PictureMut) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let [(y, y_stride), (u, u_stride), (v, v_stride)] = picture.planes_mut();
    for (to, from) in y.chunks_mut(y_stride).zip(pixels.chunks(3 * width)) {
        for (to, pixel) in to.iter_mut().zip(from.chunks_exact(3)) {
            *to = pixel[0];
        }
    }
    let rows = u.chunks_mut(u_stride).zip(v.chunks_mut(v_stride)).take(height.div_ceil(2));
    for ((u, v), pair) in rows.zip(pixels.chunks(2 * 3 * width)) {
        let (upper, lower) = with_last_row_twice(pair, 3 * width);
        for ((u, v), (upper, lower)) in u.iter_mut().zip(v).zip(upper.chunks(6).zip(lower.chunks(6))) {
            let mean = |part: usize| {
                let right = if upper.len() == 6 { part + 3 } else { part };
                let sum = [upper[part], upper[right], lower[part], lower[right]].map(u32::from).iter().sum::<u32>();
                ((sum + 2) / 4) as u8
            };
            (*u, *v) = (mean(1), mean(2));
        }
    }
}

fn copy_grey(pixels: &[u8], picture: &mut PictureMut) {
    let width = picture.width() as usize;
    let [(y, y_stride), (u, _), (v, _)] = picture.planes_mut();
    for (to, from) in y.chunks_mut(y_stride).zip(pixels.chunks(width)) {
        to[..width].copy_from_slice(from);
    }
    u.fill(128);
    v.fill(128);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Plane;

    /// 160×90, made with ImageMagick: coloured clouds, with the usual Huffman tables.
    const JPEG_420: &[u8] = include_bytes!("../../tests/fixtures/camera-420.jpg");
    const JPEG_422: &[u8] = include_bytes!("../../tests/fixtures/camera-422.jpg");
    const JPEG_444: &[u8] = include_bytes!("../../tests/fixtures/camera-444.jpg");
    const JPEG_GREY: &[u8] = include_bytes!("../../tests/fixtures/camera-grey.jpg");

    fn convert(raw: &RawFrame) -> Result<Picture, ConvertError> {
        let mut pool = PicturePool::new(1);
        Converter::default().convert(raw, &mut pool).map(|picture| picture.expect("the pool has one"))
    }

    fn raw(encoding: Encoding, width: u32, height: u32, data: Vec<u8>) -> RawFrame {
        RawFrame { data: data.into(), encoding, width, height, captured: Timestamp::ZERO }
    }

    fn jpeg(data: &[u8]) -> Result<Picture, ConvertError> {
        convert(&raw(Encoding::Mjpeg, 160, 90, data.to_vec()))
    }

    fn rows(picture: &Picture, plane: Plane) -> Vec<Vec<u8>> {
        picture.rows(plane).map(<[u8]>::to_vec).collect()
    }

    /// A different number for each place of a plane.
    fn sample(plane: Plane, x: u32, y: u32) -> u8 {
        (x * 7 + y * 31 + plane as u32 * 83) as u8
    }

    #[test]
    fn nv12_of_every_size_is_taken_apart_exactly() {
        for (width, height) in [(16_u32, 16_u32), (17, 16), (16, 19), (33, 21), (640, 480)] {
            let (chroma_width, chroma_height) = Plane::U.size(width, height);
            let mut data = Vec::new();
            for y in 0..height {
                data.extend((0..width).map(|x| sample(Plane::Y, x, y)));
            }
            for y in 0..chroma_height {
                data.extend((0..chroma_width).flat_map(|x| [sample(Plane::U, x, y), sample(Plane::V, x, y)]));
            }
            let picture = convert(&raw(Encoding::Nv12, width, height, data)).unwrap();
            for plane in Plane::ALL {
                for (y, row) in (0..).zip(rows(&picture, plane)) {
                    assert!(
                        (0..).zip(row).all(|(x, value)| value == sample(plane, x, y)),
                        "{width}×{height} {plane:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn yuyv_of_every_size_keeps_luma_and_takes_the_mean_of_two_rows_of_chroma() {
        for (width, height) in [(16_u32, 16_u32), (17, 16), (16, 19), (33, 21), (640, 480)] {
            let mut data = Vec::new();
            for y in 0..height {
                for pair in 0..width.div_ceil(2) {
                    let luma = |x| sample(Plane::Y, x, y);
                    data.extend([luma(2 * pair), (y * 10) as u8, luma(2 * pair + 1), 200 - (y % 20) as u8]);
                }
            }
            let picture = convert(&raw(Encoding::Yuyv, width, height, data)).unwrap();
            for (y, row) in (0..).zip(rows(&picture, Plane::Y)) {
                assert!((0..).zip(row).all(|(x, value)| value == sample(Plane::Y, x, y)), "{width}×{height}");
            }
            let last = (height - 1) * 10;
            let cb = rows(&picture, Plane::U);
            assert!(cb[0].iter().all(|value| *value == 5), "{width}×{height}");
            if height == 19 {
                assert!(cb[9].iter().all(|value| u32::from(*value) == last), "the last row stands alone");
            }
            assert!(rows(&picture, Plane::V)[1].iter().all(|value| *value == 198), "mean of 198 and 197, rounded up");
        }
    }

    #[test]
    fn jpeg_of_every_sampling_gives_the_same_picture() {
        let pictures = [JPEG_420, JPEG_422, JPEG_444].map(|data| jpeg(data).unwrap());
        for picture in &pictures {
            assert_eq!((picture.width(), picture.height()), (160, 90));
            assert_eq!(picture.colour(), Colour { matrix: Matrix::Bt601, range: Range::Full });
            for plane in Plane::ALL {
                let pairs = || picture.rows(plane).flatten().zip(pictures[2].rows(plane).flatten());
                let far = pairs().filter(|(one, other)| one.abs_diff(**other) > 12).count();
                assert!(far * 50 < pairs().count(), "{plane:?}: {far} of {} differ", pairs().count());
            }
            let luma: Vec<_> = picture.rows(Plane::Y).flatten().collect();
            assert!(luma.iter().max().unwrap().abs_diff(**luma.iter().min().unwrap()) > 60, "no picture in it");
        }
    }

    #[test]
    fn grey_jpeg_has_no_colour() {
        let picture = jpeg(JPEG_GREY).unwrap();
        assert!(rows(&picture, Plane::U).concat().iter().all(|value| *value == 128));
        assert!(rows(&picture, Plane::Y).concat().iter().any(|value| *value != 128));
    }

    #[test]
    fn jpeg_without_huffman_tables_is_read_with_the_usual_ones() {
        let mut data = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 7];
        data.extend_from_slice(b"AVI1\0");
        let mut rest = &JPEG_422[2..];
        while rest[1] != 0xDA {
            let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            if !matches!(rest[1], 0xC4 | 0xE0) {
                data.extend_from_slice(&rest[..length]);
            }
            rest = &rest[length..];
        }
        data.extend_from_slice(rest);
        let (with, without) = (jpeg(JPEG_422).unwrap(), jpeg(&data).unwrap());
        assert_eq!(rows(&with, Plane::Y), rows(&without, Plane::Y));
    }

    #[test]
    fn bytes_behind_a_frame_do_not_matter_and_missing_ones_are_an_error() {
        let padded = [JPEG_422, &[0; 4000]].concat();
        assert_eq!(rows(&jpeg(&padded).unwrap(), Plane::Y), rows(&jpeg(JPEG_422).unwrap(), Plane::Y));
        assert!(matches!(jpeg(&JPEG_422[..JPEG_422.len() / 2]), Err(ConvertError::Jpeg(_))));
        assert!(matches!(jpeg(&[]), Err(ConvertError::Jpeg(_))));
        for encoding in [Encoding::Nv12, Encoding::Yuyv] {
            assert!(convert(&raw(encoding, 64, 64, vec![0; 64 * 64 * 2 + 9])).is_ok());
            assert!(matches!(convert(&raw(encoding, 64, 64, vec![0; 6143])), Err(ConvertError::Short { .. })));
            assert!(matches!(convert(&raw(encoding, 8, 64, vec![0; 9000])), Err(ConvertError::Size { .. })));
            assert!(matches!(convert(&raw(encoding, 99_999, 99_999, vec![0; 9000])), Err(ConvertError::Size { .. })));
        }
    }

    #[test]
    fn an_exhausted_pool_gives_no_picture_and_no_error() {
        let mut pool = PicturePool::new(1);
        let mut converter = Converter::default();
        let frame = raw(Encoding::Mjpeg, 160, 90, JPEG_422.to_vec());
        let held = converter.convert(&frame, &mut pool).unwrap();
        assert!(held.is_some());
        assert!(converter.convert(&frame, &mut pool).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn damaged_jpeg_gives_a_picture_or_an_error(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut data = JPEG_422.to_vec();
            for (at, flip) in flips {
                let at = at.index(data.len());
                data[at] ^= flip;
            }
            let cut = cut.index(data.len());
            let _ = jpeg(&data);
            data.truncate(cut);
            data.extend([0xFF, 0xD9]);
            let _ = jpeg(&data);
        }
    }
}
