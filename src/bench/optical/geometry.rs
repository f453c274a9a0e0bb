//! Where a flat thing is in a picture that a camera took of it from somewhere: four corners, and everything in between.

/// A place in a picture, in samples; the middle of the first sample is (0.5, 0.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
}

impl Point {
    /// The place `share` of the way from here to `other`.
    #[must_use]
    pub fn towards(self, other: Self, share: f32) -> Self {
        Self { x: self.x + (other.x - self.x) * share, y: self.y + (other.y - self.y) * share }
    }

    /// Distance.
    #[must_use]
    pub fn distance(self, other: Self) -> f32 {
        (other.x - self.x).hypot(other.y - self.y)
    }
}

/// Corners in the order upper left, upper right, lower right, lower left.
pub type Corners = [Point; 4];

/// Whether the corners go round a convex area of at least this many samples.
#[must_use]
pub fn is_convex(corners: &Corners, least_area: f32) -> bool {
    let turn = |index: usize| {
        let [a, b, c] = [0, 1, 2].map(|step| corners[(index + step) % 4]);
        (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x)
    };
    let twice_area: f32 = (0..4)
        .map(|index| {
            let (a, b) = (corners[index], corners[(index + 1) % 4]);
            a.x * b.y - b.x * a.y
        })
        .sum();
    (0..4).all(|index| turn(index) > 0.0) && twice_area / 2.0 >= least_area
}

/// Where two lines, each through two points, cross; nothing if they are as good as parallel.
#[must_use]
pub fn crossing((a, b): (Point, Point), (c, d): (Point, Point)) -> Option<Point> {
    let (abx, aby, cdx, cdy) = (b.x - a.x, b.y - a.y, d.x - c.x, d.y - c.y);
    let cross = abx * cdy - aby * cdx;
    if cross.abs() < 1e-3 * a.distance(b) * c.distance(d) {
        return None;
    }
    let share = ((c.x - a.x) * cdy - (c.y - a.y) * cdx) / cross;
    Some(a.towards(b, share))
}

/// Takes places in a unit square to places in a picture, as a pinhole camera does (Heckbert 1989).
#[derive(Clone, Copy, Debug)]
pub struct Perspective {
    x: [f32; 3],
    y: [f32; 3],
    w: [f32; 2],
}

impl Perspective {
    /// The one that takes the square's corners to these; nothing if three of them are in line.
    #[must_use]
    pub fn new([p0, p1, p2, p3]: &Corners) -> Option<Self> {
        let (dx1, dx2, sx) = (p1.x - p2.x, p3.x - p2.x, p0.x - p1.x + p2.x - p3.x);
        let (dy1, dy2, sy) = (p1.y - p2.y, p3.y - p2.y, p0.y - p1.y + p2.y - p3.y);
        let den = dx1 * dy2 - dx2 * dy1;
        if den.abs() < 1e-3 {
            return None;
        }
        let (g, h) = ((sx * dy2 - sy * dx2) / den, (dx1 * sy - dy1 * sx) / den);
        Some(Self {
            x: [p1.x - p0.x + g * p1.x, p3.x - p0.x + h * p3.x, p0.x],
            y: [p1.y - p0.y + g * p1.y, p3.y - p0.y + h * p3.y, p0.y],
            w: [g, h],
        })
    }

    /// Where the place (`u`, `v`) of the square is.
    #[must_use]
    pub fn place(&self, u: f32, v: f32) -> Point {
        let w = self.w[0] * u + self.w[1] * v + 1.0;
        let at = |[a, b, c]: [f32; 3]| (a * u + b * v + c) / w;
        Point { x: at(self.x), y: at(self.y) }
    }

    /// Where this place of the picture is in the square: for pictures that tests make.
    #[cfg(test)]
    #[must_use]
    pub fn back(&self, Point { x, y }: Point) -> (f32, f32) {
        let ([a, b, c], [d, e, f], [g, h]) = (self.x, self.y, self.w);
        let w = (d * h - e * g) * x + (b * g - a * h) * y + (a * e - b * d);
        let u = (e - f * h) * x + (c * h - b) * y + (b * f - c * e);
        let v = (f * g - d) * x + (a - c * g) * y + (c * d - a * f);
        (u / w, v / w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point((x, y): (f32, f32)) -> Point {
        Point { x, y }
    }

    #[test]
    fn corners_go_to_corners_and_lines_stay_lines() {
        let corners = [(10.0, 20.0), (210.0, 5.0), (190.0, 160.0), (30.0, 140.0)].map(point);
        let perspective = Perspective::new(&corners).unwrap();
        for ((u, v), corner) in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)].into_iter().zip(corners) {
            assert!(perspective.place(u, v).distance(corner) < 0.01);
        }
        let [a, b, c] = [0.0, 0.4, 1.0].map(|v| perspective.place(0.3, v));
        let along = a.distance(b) + b.distance(c) - a.distance(c);
        assert!(along.abs() < 0.01, "{along}");
        let centre = crossing((corners[0], corners[2]), (corners[1], corners[3])).unwrap();
        assert!(perspective.place(0.5, 0.5).distance(centre) < 0.01, "the diagonals cross in the middle");
        let (u, v) = perspective.back(perspective.place(0.3, 0.9));
        assert!((u - 0.3).abs() < 1e-4 && (v - 0.9).abs() < 1e-4, "{u} {v}");
    }

    #[test]
    fn what_is_no_area_is_refused() {
        let square = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)].map(point);
        assert!(is_convex(&square, 99.0) && !is_convex(&square, 101.0));
        let twisted = [square[0], square[2], square[1], square[3]];
        assert!(!is_convex(&twisted, 0.0));
        assert!(Perspective::new(&[point((3.0, 3.0)); 4]).is_none());
        assert_eq!(crossing((square[0], square[1]), (square[3], square[2])), None);
    }
}
