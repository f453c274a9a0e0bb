//! Plots as SVG: lines, areas and bars over two axes, and rows of spans. Colours come from the page's style.

use std::fmt::Write;

use super::escape;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 36.0;
/// Points of a line at most: one for each pixel is enough.
pub const MOST_POINTS: usize = 480;

/// One axis.
pub struct Axis {
    /// What it shows, with the unit.
    pub label: &'static str,
    /// Its ends.
    pub range: (f64, f64),
}

/// Something drawn over the axes; a class of the page's style says how.
pub enum Layer {
    /// A line; a point without a value interrupts it.
    Line(&'static str, Vec<(f64, Option<f64>)>),
    /// From the axis up.
    Area(&'static str, Vec<(f64, f64)>),
    /// Bars from one place to another.
    Bars(&'static str, Vec<(f64, f64, f64)>),
}

impl Axis {
    /// From zero to the largest of these, rounded up.
    pub fn from_zero(label: &'static str, largest: f64) -> Self {
        let step = step(largest.max(1e-6));
        Self { label, range: (0.0, (largest.max(1e-6) / step).ceil() * step) }
    }

    /// From zero to exactly there.
    pub const fn until(label: &'static str, end: f64) -> Self {
        Self { label, range: (0.0, end) }
    }

    fn share(&self, value: f64) -> f64 {
        let (from, to) = self.range;
        ((value - from) / (to - from).max(1e-9)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (from, to) = self.range;
        let step = step(to - from);
        (0..=12).map(move |number| from + f64::from(number) * step).take_while(move |at| *at <= to + step * 1e-6)
    }
}

/// A plot. Values beyond an axis are drawn at its end.
pub fn plot(x: &Axis, y: &Axis, layers: &[Layer]) -> String {
    let across = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
    let up = |value: f64| HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM);
    let (base, end) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n");
    for at in y.ticks() {
        let (line, text) = (up(at), number(at));
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{line:.1}\" x2=\"{end}\" y2=\"{line:.1}\"/>");
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, line + 4.0);
    }
    for at in x.ticks() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            across(at),
            base + 16.0,
            number(at)
        );
    }
    for layer in layers {
        match layer {
            Layer::Line(class, points) => {
                let mut path = String::new();
                let mut pen_down = false;
                for (at, value) in points {
                    if let Some(value) = value {
                        let _ =
                            write!(path, "{}{:.1} {:.1}", if pen_down { 'L' } else { 'M' }, across(*at), up(*value));
                    }
                    pen_down = value.is_some();
                }
                let _ = writeln!(svg, "<path class=\"line {class}\" d=\"{path}\"/>");
            }
            Layer::Area(class, points) => {
                let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
                let mut path = format!("M{:.1} {base}", across(first.0));
                for (at, value) in points {
                    let _ = write!(path, "L{:.1} {:.1}", across(*at), up(*value));
                }
                let _ = writeln!(svg, "<path class=\"{class}\" d=\"{path}L{:.1} {base}Z\"/>", across(last.0));
            }
            Layer::Bars(class, bars) => {
                for (from, to, value) in bars {
                    let (left, top) = (across(*from), up(*value));
                    let (width, height) = ((across(*to) - left - 1.0).max(0.5), base - top);
                    let _ = writeln!(
                        svg,
                        "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                    );
                }
            }
        }
    }
    let middle = f64::midpoint(LEFT, end);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"12\">{}</text>", escape(y.label));
    let _ = writeln!(
        svg,
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        HEIGHT - 4.0,
        escape(x.label)
    );
    svg + "</svg>\n"
}

/// Rows with a name, a span from one place to another, and a word behind it.
pub fn rows(end: f64, rows: &[(&str, f64, f64, String)]) -> String {
    const ROW: f64 = 22.0;
    const NAMES: f64 = 110.0;
    const WORDS: f64 = 110.0;
    let height = rows.len() as f64 * ROW + 4.0;
    let across = |value: f64| NAMES + (value / end.max(1e-9)).clamp(0.0, 1.0) * (WIDTH - NAMES - WORDS);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n");
    for (line, (name, from, to, word)) in (0..).zip(rows) {
        let top = f64::from(line) * ROW + 2.0;
        let (left, text) = (across(*from), top + 15.0);
        let width = (across(*to) - left).max(1.0);
        let _ = writeln!(svg, "<text class=\"name\" x=\"0\" y=\"{text:.1}\">{}</text>", escape(name));
        let _ = writeln!(
            svg,
            "<rect class=\"fill-one\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"14\"/>",
            top + 4.0
        );
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{text:.1}\">{}</text>", left + width + 6.0, escape(word));
    }
    svg + "</svg>\n"
}

/// A distance of ticks that people read easily: four to ten of them.
fn step(range: f64) -> f64 {
    let rough = range / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power * 10.0)
}

fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (largest, end) in [(7.3, 8.0), (0.0, 0.000_001), (950.0, 1000.0), (33.3, 40.0)] {
            let axis = Axis::from_zero("x", largest);
            assert!((axis.range.1 - end).abs() < end * 1e-3, "{largest}: {:?}", axis.range);
            assert!((3..=11).contains(&axis.ticks().count()), "{largest}");
        }
        assert_eq!((number(2.5), number(100.0), number(0.0)), ("2.5".into(), "100".into(), "0".into()));
    }

    #[test]
    fn a_gap_lifts_the_pen_and_what_is_beyond_stays_inside() {
        let line = Layer::Line("one", vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(9.0)), (3.0, Some(0.5))]);
        let svg = plot(&Axis::until("s", 3.0), &Axis::until("ms", 2.0), &[line]);
        let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1));
        assert!(path.contains(&format!(" {TOP:.1}")), "{path}");
    }
}
