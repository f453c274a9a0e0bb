//! Y′CbCr to R′G′B′ as three rows of numbers, the same for the shaders and their CPU twin.

use crate::media::{Colour, Matrix, Range};

/// Rows for red, green and blue: each is multiplied with (Y′, Cb, Cr, 1), all in 0…1 as a normalised 8-bit texture
/// gives them. From ITU-R BT.601-7, BT.709-6 and the quantisation of ITU-T H.273, equations for
/// `MatrixCoefficients` 6 and 1.
#[must_use]
pub fn rows(colour: Colour) -> [[f32; 4]; 3] {
    let (red_weight, blue_weight) = match colour.matrix {
        Matrix::Bt601 => (0.299_f64, 0.114_f64),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let green_weight = 1.0 - red_weight - blue_weight;
    let (black, luma_span, chroma_span) = match colour.range {
        Range::Limited => (16.0, 219.0, 224.0),
        Range::Full => (0.0, 255.0, 255.0),
    };
    let luma = 255.0 / luma_span;
    let chroma = 255.0 / chroma_span;
    let red_of_cr = 2.0 * (1.0 - red_weight) * chroma;
    let blue_of_cb = 2.0 * (1.0 - blue_weight) * chroma;
    let green_of_cb = -blue_of_cb * blue_weight / green_weight;
    let green_of_cr = -red_of_cr * red_weight / green_weight;
    let offset = |of_cb: f64, of_cr: f64| -(luma * black + (of_cb + of_cr) * 128.0) / 255.0;
    [
        [luma, 0.0, red_of_cr, offset(0.0, red_of_cr)],
        [luma, green_of_cb, green_of_cr, offset(green_of_cb, green_of_cr)],
        [luma, blue_of_cb, 0.0, offset(blue_of_cb, 0.0)],
    ]
    .map(|row| row.map(|number| number as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(colour: Colour, [luma, cb, cr]: [u8; 3]) -> [i32; 3] {
        let sample = [f32::from(luma) / 255.0, f32::from(cb) / 255.0, f32::from(cr) / 255.0, 1.0];
        rows(colour).map(|row| {
            let value: f32 = row.iter().zip(sample).map(|(number, sample)| number * sample).sum();
            (value.clamp(0.0, 1.0) * 255.0).round() as i32
        })
    }

    #[test]
    fn black_and_white_stand_where_the_range_says() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let limited = Colour { matrix, range: Range::Limited };
            assert_eq!(rgb(limited, [16, 128, 128]), [0; 3]);
            assert_eq!(rgb(limited, [235, 128, 128]), [255; 3]);
            let full = Colour { matrix, range: Range::Full };
            assert_eq!(rgb(full, [0, 128, 128]), [0; 3]);
            assert_eq!(rgb(full, [255, 128, 128]), [255; 3]);
        }
    }

    #[test]
    fn colour_bars_of_the_standards_come_out_pure() {
        // 100 % red, green and blue bars in 8-bit limited range, as the standards' formulas give them.
        let bars = [
            (Matrix::Bt601, [[81, 90, 240], [145, 54, 34], [41, 240, 110]]),
            (Matrix::Bt709, [[63, 102, 240], [173, 42, 26], [32, 240, 118]]),
        ];
        for (matrix, codes) in bars {
            for (channel, code) in codes.into_iter().enumerate() {
                let got = rgb(Colour { matrix, range: Range::Limited }, code);
                for (index, value) in got.into_iter().enumerate() {
                    let wanted = if index == channel { 255 } else { 0 };
                    assert!((value - wanted).abs() <= 2, "{matrix:?} bar {channel}: {got:?}");
                }
            }
        }
    }
}
