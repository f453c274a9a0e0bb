//! What the screen shows to the camera: the label of a picture (`capture::barcode`) as 12 × 8 cells, in a light frame by which
//! it is found again.
//!
//! In the pattern the label is a strip of 32 × 3 cells at a known place of the picture. A camera sees it from somewhere, unsharp
//! and small: so here the cells are nearly three times as wide, and around them is what says where they are.
//!
//! ```text
//!  dark margin, light frame, dark, cells: each one unit, from the outside; 18 × 14 units in all
//! ```

use crate::capture::barcode::{BYTES, Label, encode};
use crate::media::PictureMut;

/// Cells from left to right.
pub const COLUMNS: usize = 12;
/// Rows of cells.
pub const ROWS: usize = BYTES * 8 / COLUMNS;
/// Width of the frame in units, from outer edge to outer edge.
pub const FRAME_WIDTH: usize = COLUMNS + 4;
/// Its height.
pub const FRAME_HEIGHT: usize = ROWS + 4;
/// Size of the picture in luma samples: 40 for each unit, so that each edge of a unit is one of the chroma too.
pub const PICTURE: (u32, u32) = (((FRAME_WIDTH + 2) * UNIT) as u32, ((FRAME_HEIGHT + 2) * UNIT) as u32);

const UNIT: usize = 40;
/// Luma of dark and light: black and white.
const DARK: u8 = 16;
const LIGHT: u8 = 235;

/// Whether a unit is light, counted from the frame's upper left corner; the cells begin at (2, 2).
fn is_light(bits: &[u8; BYTES], x: usize, y: usize) -> bool {
    if x == 0 || y == 0 || x == FRAME_WIDTH - 1 || y == FRAME_HEIGHT - 1 {
        return true;
    }
    let cell = x.checked_sub(2).zip(y.checked_sub(2)).filter(|(x, y)| *x < COLUMNS && *y < ROWS);
    cell.is_some_and(|(x, y)| {
        let index = y * COLUMNS + x;
        bits[index / 8] & 0x80 >> (index % 8) != 0
    })
}

/// Draws the label; `picture` is of the size [`PICTURE`].
pub fn draw(label: Label, picture: &mut PictureMut) {
    let bits = encode(label);
    let [(luma, stride), (cb, _), (cr, _)] = picture.planes_mut();
    cb.fill(128);
    cr.fill(128);
    for (y, row) in luma.chunks_mut(stride).enumerate() {
        for (x, samples) in row.chunks_mut(UNIT).enumerate() {
            let unit = x.checked_sub(1).zip((y / UNIT).checked_sub(1));
            let inside = unit.filter(|(x, y)| *x < FRAME_WIDTH && *y < FRAME_HEIGHT);
            samples.fill(if inside.is_some_and(|(x, y)| is_light(&bits, x, y)) { LIGHT } else { DARK });
        }
    }
}
