//! Machine-readable label in a picture: which frame it is and when it was captured.
//!
//! 32 × 3 light and dark cells in a strip at the top, one bit each, row by row from the left, most significant bit
//! first: frame id (32 bits), capture time in microseconds (48 bits), CRC-16 over both. All is masked with a fixed
//! pattern so that small numbers do not give a flat strip. Places are fractions of the picture's size, so that the
//! label survives scaling; at 640×360 a cell is 16×16 samples on an 8-sample grid, cheap and robust to code.

use crate::media::{FrameId, Picture, PictureMut, Plane, Timestamp};

/// Cells from left to right.
const COLUMNS: usize = 32;
/// Rows of cells.
const ROWS: usize = 3;
/// Bytes of the label: id, time, CRC.
pub const BYTES: usize = COLUMNS * ROWS / 8;
/// Exclusive-ored onto the bytes before drawing.
const MASK: [u8; BYTES] = [0xA5, 0x3C, 0x96, 0x69, 0x5A, 0xC3, 0x0F, 0xB4, 0x4B, 0xD2, 0x2D, 0x99];
/// Luma of a zero.
const DARK: u8 = 40;
/// Luma of a one.
const LIGHT: u8 = 208;
/// Least difference between lightest and darkest cell that counts as a label.
const LEAST_CONTRAST: u32 = 48;
/// The picture's width in cells: 32 of the label and 4 on each side.
const GRID_COLUMNS: u32 = 40;
/// The picture's height in half cells.
const GRID_ROWS: u32 = 45;
/// Least size of a cell in samples.
const LEAST_CELL: u32 = 4;

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Number of the frame.
    pub id: FrameId,
    /// When it was captured, in whole microseconds; times beyond 2⁴⁸ µs (nine years of uptime) wrap.
    pub captured: Timestamp,
}

/// Whether pictures of this size can carry a label: from 160×90.
#[must_use]
pub const fn fits(width: u32, height: u32) -> bool {
    width >= GRID_COLUMNS * LEAST_CELL && height >= GRID_ROWS / 2 * LEAST_CELL
}

/// Draws the label onto a picture; leaves pictures for which it does not [fit](fits) as they are.
pub fn draw(label: Label, picture: &mut PictureMut) {
    let (width, height) = (picture.width(), picture.height());
    if !fits(width, height) {
        return;
    }
    let bits = encode(label);
    let quiet = Area {
        left: width * 7 / 80,
        right: width * 73 / 80,
        top: 0,
        bottom: height * (2 * ROWS as u32 + 2) / GRID_ROWS,
    };
    let [(luma, luma_stride), (cb, cb_stride), (cr, cr_stride)] = picture.planes_mut();
    quiet.fill(luma, luma_stride, DARK);
    quiet.halved().fill(cb, cb_stride, 128);
    quiet.halved().fill(cr, cr_stride, 128);
    for (row, bytes) in bits.chunks(COLUMNS / 8).enumerate() {
        for column in 0..COLUMNS {
            if bytes[column / 8] & (0x80 >> (column % 8)) != 0 {
                Area::cell(column, row, width, height).fill(luma, luma_stride, LIGHT);
            }
        }
    }
}

/// Reads the label of a picture, if there is one and it is whole.
#[must_use]
pub fn read(picture: &Picture) -> Option<Label> {
    let (luma, stride) = picture.plane(Plane::Y);
    read_with(picture.width(), picture.height(), |x, y| luma[y as usize * stride + x as usize])
}

/// Reads the label of anything that has a lightness (0–255) at each place of `width` × `height`, such as the pixels
/// that a GPU has drawn.
#[must_use]
pub fn read_with(width: u32, height: u32, lightness: impl Fn(u32, u32) -> u8) -> Option<Label> {
    if !fits(width, height) {
        return None;
    }
    let mut means = [[0_u32; COLUMNS]; ROWS];
    for (row, means) in means.iter_mut().enumerate() {
        for (column, mean) in means.iter_mut().enumerate() {
            let inner = Area::cell(column, row, width, height).inner();
            let sum: u32 = inner.places().map(|(x, y)| u32::from(lightness(x, y))).sum();
            *mean = sum / inner.count().max(1);
        }
    }
    let darkest = *means.as_flattened().iter().min()?;
    let lightest = *means.as_flattened().iter().max()?;
    if lightest - darkest < LEAST_CONTRAST {
        return None;
    }
    let middle = u32::midpoint(lightest, darkest);
    let mut bytes = [0_u8; BYTES];
    for (index, &mean) in means.as_flattened().iter().enumerate() {
        bytes[index / 8] |= u8::from(mean > middle) << (7 - index % 8);
    }
    decode(bytes)
}

/// The bits of a label, row by row from the left, most significant first.
#[must_use]
pub fn encode(label: Label) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..4].copy_from_slice(&label.id.0.to_be_bytes());
    bytes[4..10].copy_from_slice(&label.captured.as_micros().to_be_bytes()[2..]);
    let check = crc16(&bytes[..10]);
    bytes[10..].copy_from_slice(&check.to_be_bytes());
    for (byte, mask) in bytes.iter_mut().zip(MASK) {
        *byte ^= mask;
    }
    bytes
}

/// What these bits say, if their check sum fits.
#[must_use]
pub fn decode(mut bytes: [u8; BYTES]) -> Option<Label> {
    for (byte, mask) in bytes.iter_mut().zip(MASK) {
        *byte ^= mask;
    }
    if crc16(&bytes[..10]).to_be_bytes() != bytes[10..] {
        return None;
    }
    let id = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let micros = bytes[4..10].iter().fold(0_i64, |sum, &byte| sum << 8 | i64::from(byte));
    Some(Label { id: FrameId(id), captured: Timestamp::from_nanos(micros * 1_000) })
}

/// CRC-16/IBM-3740 (polynomial 0x1021, initial value 0xFFFF, not reflected).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// A rectangle of samples, `right` and `bottom` excluded.
#[derive(Clone, Copy)]
struct Area {
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
}

impl Area {
    fn cell(column: usize, row: usize, width: u32, height: u32) -> Self {
        let (column, row) = (column as u32, row as u32);
        Self {
            left: width * (column + 4) / GRID_COLUMNS,
            right: width * (column + 5) / GRID_COLUMNS,
            top: height * (2 * row + 1) / GRID_ROWS,
            bottom: height * (2 * row + 3) / GRID_ROWS,
        }
    }

    /// The middle half both ways: what neither scaling nor coding smears.
    const fn inner(self) -> Self {
        let (across, down) = ((self.right - self.left) / 4, (self.bottom - self.top) / 4);
        Self { left: self.left + across, right: self.right - across, top: self.top + down, bottom: self.bottom - down }
    }

    /// The same place in a plane of half the size.
    const fn halved(self) -> Self {
        Self { left: self.left / 2, right: self.right.div_ceil(2), top: self.top / 2, bottom: self.bottom.div_ceil(2) }
    }

    const fn count(self) -> u32 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    fn places(self) -> impl Iterator<Item = (u32, u32)> {
        (self.top..self.bottom).flat_map(move |y| (self.left..self.right).map(move |x| (x, y)))
    }

    fn fill(self, plane: &mut [u8], stride: usize, value: u8) {
        for row in plane.chunks_mut(stride).take(self.bottom as usize).skip(self.top as usize) {
            row[self.left as usize..self.right as usize].fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, PicturePool};

    const LABEL: Label = Label { id: FrameId(0xDEAD_BEEF), captured: Timestamp::from_nanos(86_400_123_456_000) };

    fn labelled(width: u32, height: u32, label: Label) -> Picture {
        let mut pool = PicturePool::new(1);
        let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
        for (plane, _) in picture.planes_mut() {
            plane.fill(128);
        }
        draw(label, &mut picture);
        pool.finish(picture)
    }

    #[test]
    fn what_is_drawn_is_read_at_every_size() {
        for (width, height) in [(160, 90), (161, 91), (176, 144), (320, 180), (641, 359), (1280, 720), (1920, 1080)] {
            assert_eq!(read(&labelled(width, height, LABEL)), Some(LABEL), "{width}×{height}");
        }
    }

    #[test]
    fn extreme_numbers_are_read() {
        for (id, micros) in [(0, 0), (u32::MAX, (1 << 48) - 1), (1, 1)] {
            let label = Label { id: FrameId(id), captured: Timestamp::from_nanos(micros * 1_000) };
            assert_eq!(read(&labelled(640, 360, label)), Some(label));
        }
    }

    #[test]
    fn a_scaled_picture_is_still_read() {
        let picture = labelled(640, 360, LABEL);
        let (luma, stride) = picture.plane(Plane::Y);
        for (width, height) in [(320, 180), (427, 240), (960, 540), (1000, 600)] {
            let nearest = |x: u32, y: u32| luma[(y * 360 / height) as usize * stride + (x * 640 / width) as usize];
            assert_eq!(read_with(width, height, nearest), Some(LABEL), "{width}×{height}");
        }
    }

    #[test]
    fn one_wrong_cell_is_noticed() {
        let picture = labelled(640, 360, LABEL);
        let (luma, stride) = picture.plane(Plane::Y);
        for column in 0..COLUMNS as u32 {
            let wrong = 64 + column * 16;
            let flipped = |x: u32, y: u32| {
                let value = luma[y as usize * stride + x as usize];
                if (wrong..wrong + 16).contains(&x) && (24..40).contains(&y) { 248 - value } else { value }
            };
            assert_eq!(read_with(640, 360, flipped), None);
        }
    }

    #[test]
    fn pictures_without_a_label_give_none() {
        assert_eq!(read_with(640, 360, |_, _| 128), None);
        assert_eq!(read_with(640, 360, |x, _| (x / 3) as u8), None);
        assert_eq!(read_with(16, 16, |_, _| 0), None);
    }

    #[test]
    fn the_check_sum_is_the_one_it_says() {
        // Check value of CRC-16/IBM-3740 in the CRC catalogue.
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }
}
