//! A QR code: any text as dark squares on white, with edges on whole pixels at every zoom, and a name for screen readers.

use egui::{Color32, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2};
use qrcode::{EcLevel, QrCode};

/// Quiet squares around the code, as ISO/IEC 18004 asks for: readers find no edge without them.
const QUIET: usize = 4;
/// Paper and ink are the same in every theme: few readers take a code in light on dark.
const PAPER: Color32 = Color32::WHITE;
const INK: Color32 = Color32::BLACK;

/// A text as a code that can be drawn again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    text: String,
    side: usize,
    dark: Vec<bool>,
}

impl Qr {
    /// The code of `text`; nothing if it is too long for any (some 2900 bytes).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let code = [EcLevel::M, EcLevel::L]
            .into_iter()
            .find_map(|level| QrCode::with_error_correction_level(text.as_bytes(), level).ok())?;
        let dark = code.to_colors().into_iter().map(|colour| colour == qrcode::Color::Dark).collect();
        Some(Self { text: text.to_owned(), side: code.width(), dark })
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Draws it, at most `width` points wide; `name` is what a screen reader says.
    pub fn qr_ui(&self, ui: &mut Ui, width: f32, name: &str) -> Response {
        let pixels_per_point = ui.ctx().pixels_per_point();
        let squares = self.side + 2 * QUIET;
        let square_px = (width * pixels_per_point / squares as f32).floor().max(1.0);
        let side = square_px * squares as f32 / pixels_per_point;
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
        let to_pixel = |points: f32| (points * pixels_per_point).round();
        let (left_px, top_px) = (to_pixel(rect.left()), to_pixel(rect.top()));
        let at = |column: usize, row: usize| {
            let place = |start: f32, index: usize| (start + square_px * index as f32) / pixels_per_point;
            pos2(place(left_px, column), place(top_px, row))
        };
        let painter = ui.painter();
        painter.rect_filled(Rect::from_min_max(at(0, 0), at(squares, squares)), 0, PAPER);
        for (row, dark) in self.dark.chunks(self.side).enumerate() {
            for (from, to) in runs(dark) {
                let area = Rect::from_min_max(at(QUIET + from, QUIET + row), at(QUIET + to, QUIET + row + 1));
                painter.rect_filled(area, 0, INK);
            }
        }
        response
    }
}

/// Where the dark squares of a row begin and end: one rectangle each.
fn runs(dark: &[bool]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (index, _) in dark.iter().enumerate().filter(|(_, dark)| **dark) {
        match found.last_mut() {
            Some((_, to)) if *to == index => *to += 1,
            _ => found.push((index, index + 1)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;
    use crate::ui::widgets::qr_reader::read;

    const TEXT: &str = "visavis:alice@example.org:4474/ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST";

    #[test]
    fn what_is_drawn_is_read_again_at_every_zoom() {
        for zoom in [0.8, 1.0, 1.37, 2.0] {
            let qr = Qr::new(TEXT).unwrap();
            let mut harness = Harness::builder()
                .with_size(egui::vec2(400.0, 400.0))
                .with_pixels_per_point(zoom)
                .build_ui(move |ui| {
                    qr.qr_ui(ui, 300.0, "Your link as a code");
                });
            harness.run();
            assert!(harness.get_by_label("Your link as a code").rect().width() <= 300.0);
            let image = harness.render().unwrap();
            let luma: Vec<u8> = image.pixels().map(|pixel| pixel.0[1]).collect();
            let found = read(&luma, image.width() as usize, image.height() as usize, image.width() as usize);
            assert_eq!(found.as_deref(), Some(TEXT), "at zoom {zoom}");
            let (dark, light) =
                (luma.iter().filter(|luma| **luma < 8).count(), luma.iter().filter(|luma| **luma > 247));
            let sharp = dark + light.count();
            let rest = luma.len() - sharp;
            // Around the code is the window's own ground; inside it nothing is grey.
            let code_px = (harness.get_by_label("Your link as a code").rect().width() * zoom).powi(2) as usize;
            assert!(sharp + 2000 >= code_px && rest + code_px <= luma.len() + 4000, "blurred at zoom {zoom}");
        }
    }

    #[test]
    fn what_fits_in_no_code_gives_none() {
        assert!(Qr::new(&"x".repeat(2900)).is_some());
        assert!(Qr::new(&"x".repeat(4000)).is_none());
    }

    #[test]
    fn dark_squares_side_by_side_are_one_run() {
        assert_eq!(runs(&[true, true, false, true, false]), [(0, 2), (3, 4)]);
        assert!(runs(&[false; 3]).is_empty());
    }
}
