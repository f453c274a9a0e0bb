//! Where a picture lies in a rectangle and which part of it is seen: letterbox, cover, mirror. Numbers only.

/// How a picture is fitted into a rectangle of another shape. The picture's own shape is always kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// All of the picture is seen; what is left of the rectangle stays as it was.
    #[default]
    Letterbox,
    /// All of the rectangle is covered; what sticks out of it is cut off.
    Cover,
}

/// Where a picture goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Left, top, right, bottom of what is drawn, in the unit of the rectangle.
    pub place: [f32; 4],
    /// Left, top, right, bottom of what is seen of the picture, in its luma samples; left > right when mirrored.
    pub source: [f32; 4],
}

impl Placement {
    /// Fits a picture of `width` × `height` into `rect` (left, top, right, bottom).
    #[must_use]
    pub fn new((width, height): (u32, u32), rect: [f32; 4], fit: Fit, mirror: bool) -> Self {
        let [left, top, right, bottom] = rect;
        let (picture_width, picture_height) = (width as f32, height as f32);
        let (rect_width, rect_height) = ((right - left).max(0.0), (bottom - top).max(0.0));
        let across = rect_width / picture_width;
        let down = rect_height / picture_height;
        let scale = match fit {
            Fit::Letterbox => across.min(down),
            Fit::Cover => across.max(down),
        };
        let drawn_width = (picture_width * scale).min(rect_width);
        let drawn_height = (picture_height * scale).min(rect_height);
        let (x, y) = (left + (rect_width - drawn_width) / 2.0, top + (rect_height - drawn_height) / 2.0);
        let (seen_width, seen_height) = if scale > 0.0 {
            ((drawn_width / scale).min(picture_width), (drawn_height / scale).min(picture_height))
        } else {
            (picture_width, picture_height)
        };
        let (u, v) = ((picture_width - seen_width) / 2.0, (picture_height - seen_height) / 2.0);
        let (first, last) = if mirror { (u + seen_width, u) } else { (u, u + seen_width) };
        Self { place: [x, y, x + drawn_width, y + drawn_height], source: [first, v, last, v + seen_height] }
    }

    /// Width and height of what is drawn.
    #[must_use]
    pub fn size(&self) -> [f32; 2] {
        let [left, top, right, bottom] = self.place;
        [right - left, bottom - top]
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves and quarters are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_letterbox_shows_all_of_the_picture_in_the_middle() {
        let wide = Placement::new((640, 360), [0.0, 0.0, 400.0, 400.0], Fit::Letterbox, false);
        assert_eq!(wide.place, [0.0, 87.5, 400.0, 312.5]);
        assert_eq!(wide.source, [0.0, 0.0, 640.0, 360.0]);
        let tall = Placement::new((360, 640), [10.0, 0.0, 410.0, 400.0], Fit::Letterbox, false);
        assert_eq!(tall.place, [97.5, 0.0, 322.5, 400.0]);
    }

    #[test]
    fn cover_fills_the_rectangle_and_cuts_both_sides_alike() {
        let cover = Placement::new((640, 360), [0.0, 0.0, 180.0, 180.0], Fit::Cover, false);
        assert_eq!(cover.place, [0.0, 0.0, 180.0, 180.0]);
        assert_eq!(cover.source, [140.0, 0.0, 500.0, 360.0]);
    }

    #[test]
    fn a_mirrored_picture_is_read_from_right_to_left() {
        let mirrored = Placement::new((4, 2), [0.0, 0.0, 4.0, 2.0], Fit::Letterbox, true);
        assert_eq!(mirrored.source, [4.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn a_rectangle_without_area_gives_nothing_to_draw_and_no_nonsense() {
        let empty = Placement::new((640, 360), [5.0, 5.0, 5.0, 5.0], Fit::Cover, false);
        assert_eq!(empty.size(), [0.0, 0.0]);
        assert!(empty.source.iter().all(|number| number.is_finite()));
    }
}
