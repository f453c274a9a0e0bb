//! The large size: a graph of the time that each picture took, what that time is made of, and the figures of the call in rows.

use std::collections::VecDeque;
use std::time::Duration;

use egui::{Align2, Color32, Painter, Pos2, Rect, Stroke, pos2, vec2};

use super::WINDOW;
use crate::engine::handle::{ActiveView, Limit, SendingView};
use crate::media::{ClockOffset, Stage, Stamps, Timestamp};
use crate::render::UiFrame;
use crate::ui::theme::{self, glass, space, text};

/// Time in the graph.
const GRAPH: Duration = Duration::from_secs(8);
/// The graph is never less high than this, so that a quiet line looks quiet.
const LEAST_TOP_MS: f64 = 40.0;
/// Size of the pane and of what is in it, in points.
const WIDTH: f32 = 340.0;
const GRAPH_HEIGHT: f32 = 64.0;
const BAR_HEIGHT: f32 = 10.0;
const COLUMN: f32 = 1.0;
const ROW: f32 = 18.0;
const ROWS_PER_PART: usize = 2;

/// The way of a picture in parts, with the colour of each.
const PARTS: [(&str, Stage, Stage, Color32); 8] = [
    ("before encoding", Stage::Captured, Stage::EncodeStart, Color32::from_rgb(0x7f, 0x8c, 0x9b)),
    ("encode", Stage::EncodeStart, Stage::Encoded, Color32::from_rgb(0x5b, 0x8d, 0xef)),
    ("seal and send", Stage::Encoded, Stage::FirstPacketReceived, Color32::from_rgb(0xb3, 0x8c, 0xf5)),
    ("arrive", Stage::FirstPacketReceived, Stage::Complete, Color32::from_rgb(0xe0, 0x7f, 0xb8)),
    ("open", Stage::Complete, Stage::Opened, Color32::from_rgb(0xf2, 0xbd, 0x57)),
    ("wait for sound", Stage::Opened, Stage::DecodeStart, Color32::from_rgb(0xef, 0x82, 0x54)),
    ("decode", Stage::DecodeStart, Stage::Decoded, Color32::from_rgb(0x3c, 0xcf, 0x7d)),
    ("draw", Stage::Decoded, Stage::GpuDone, Color32::from_rgb(0x4f, 0xc7, 0xd9)),
];

/// Pictures of the last seconds.
#[derive(Debug, Default)]
pub struct History {
    pictures: VecDeque<(Timestamp, f64)>,
    parts: VecDeque<(Timestamp, [Option<f64>; PARTS.len()])>,
    frames: VecDeque<UiFrame>,
}

/// The large size, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Full {
    /// How long ago a picture was shown, seconds, and the milliseconds that it took.
    graph: Vec<(f32, f32)>,
    /// Mean milliseconds of each part in the last second; nothing where the clocks of both sides do not agree.
    parts: [Option<f64>; PARTS.len()],
    /// Names and values.
    rows: Vec<(&'static str, String)>,
}

impl History {
    /// A picture with these stamps was shown.
    pub fn picture(&mut self, stamps: &Stamps, latency_ms: Option<f64>, now: Timestamp) {
        if let Some(latency_ms) = latency_ms {
            self.pictures.push_back((now, latency_ms));
        }
        let last = |stage| match stage {
            Stage::GpuDone if stamps.get(stage).is_none() => Stage::PresentRequested,
            stage => stage,
        };
        let parts = PARTS.map(|(_, from, to, _)| stamps.millis(from, last(to)).filter(|ms| *ms >= 0.0));
        self.parts.push_back((now, parts));
        while self.pictures.front().is_some_and(|(at, _)| now.since(*at) > GRAPH) {
            self.pictures.pop_front();
        }
        while self.parts.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.parts.pop_front();
        }
    }

    /// The window has drawn a frame.
    pub fn frame(&mut self, frame: &UiFrame) {
        self.frames.push_back(*frame);
        while self.frames.front().is_some_and(|it| frame.began.since(it.began) > WINDOW) {
            self.frames.pop_front();
        }
    }

    /// What is to be drawn.
    pub fn full(&self, view: &ActiveView, now: Timestamp) -> Full {
        let recent = self.pictures.iter().filter(|(at, _)| now.since(*at) <= GRAPH);
        let graph = recent.map(|(at, ms)| (now.since(*at).as_secs_f32(), *ms as f32)).collect();
        let mut parts = [None; PARTS.len()];
        for (index, mean) in parts.iter_mut().enumerate() {
            let (sum, count) = self
                .parts
                .iter()
                .filter_map(|(_, parts)| parts[index])
                .fold((0.0, 0_u32), |(sum, count), ms| (sum + ms, count + 1));
            *mean = (count > 0).then(|| sum / f64::from(count));
        }
        let mut rows = rows(view);
        let recent: Vec<_> = self.frames.iter().filter(|frame| now.since(frame.began) <= WINDOW).collect();
        if !recent.is_empty() {
            rows.extend(window_rows(&recent));
        }
        Full { graph, parts, rows }
    }
}

fn rows(view: &ActiveView) -> Vec<(&'static str, String)> {
    let millis = |ms: Option<f32>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"));
    let (relay, direct) = view.round_trips_ms;
    let (frames, sound) = (&view.frames, &view.sound.counts);
    let longest = view.queues.rings.iter().map(|ring| ring.longest).max().unwrap_or(0);
    vec![
        ("the peer's clock", view.clock.map_or_else(|| "not known yet".into(), ClockOffset::words)),
        ("round trip, relay / direct", format!("{} / {}", millis(relay), millis(direct))),
        (
            "sent / keyframes / packets sent again",
            format!("{} / {} / {}", frames.sent, frames.keyframes, frames.resent),
        ),
        ("received / decoded", format!("{} / {}", frames.received, frames.decoded)),
        ("sending", sending(view)),
        ("left out here", format!("{} by {}", frames.skipped, view.encoder)),
        ("mouth to ear", millis(sound.mouth_to_ear_ms)),
        ("sound after picture", millis(sound.sound_after_picture_ms)),
        ("sound made up / late / dropped", format!("{} / {} / {}", sound.concealed, sound.late, sound.dropped)),
        ("longest queue, pictures in the pool", format!("{longest}, {}", view.queues.pool_buffers)),
        ("keys", format!("epoch {}, {} s old", view.epoch, view.key_age_s)),
    ]
}

/// What is sent, what may be, and why it is not more.
fn sending(view: &ActiveView) -> String {
    let SendingView { width, height, fps, limited_by, allowed_kbps, late_packets, .. } = view.sending;
    if width == 0 {
        return "no pictures".into();
    }
    let why = match limited_by {
        Limit::None => "",
        Limit::Path => ", by the path",
        Limit::Processor => ", by the processor",
    };
    format!("{width}x{height}@{fps}{why}, {allowed_kbps} kb/s, {late_packets} late")
}

/// What a frame of the window took in the mean.
fn window_rows(frames: &[&UiFrame]) -> [(&'static str, String); 3] {
    let count = frames.len() as f64;
    let mean = |span: fn(&UiFrame) -> f64| frames.iter().map(|frame| span(frame)).sum::<f64>() / count;
    let layout = mean(|it| it.laid_out.millis_since(it.began));
    let triangles = mean(|it| it.tessellated.millis_since(it.laid_out));
    let upload = mean(|it| it.uploaded.millis_since(it.tessellated));
    let acquire = mean(|it| it.acquired.millis_since(it.uploaded));
    let record = mean(|it| it.recorded.millis_since(it.acquired));
    let hand_over = mean(|it| it.handed_over.millis_since(it.recorded));
    let gpu_ms: Vec<f64> = frames.iter().filter_map(|it| Some(it.gpu?.as_secs_f64() * 1_000.0)).collect();
    let gpu = if gpu_ms.is_empty() {
        "no timer".to_owned()
    } else {
        format!("{:.1} ms", gpu_ms.iter().sum::<f64>() / gpu_ms.len() as f64)
    };
    let draw_calls = frames.iter().map(|it| it.draw_calls).max().unwrap_or(0);
    [
        ("window: frames, draw calls, GPU", format!("{} / {draw_calls} / {gpu}", frames.len())),
        ("layout / triangles / upload", format!("{layout:.1} / {triangles:.1} / {upload:.1} ms")),
        ("acquire / record / hand over", format!("{acquire:.1} / {record:.1} / {hand_over:.1} ms")),
    ]
}

/// Draws it with its upper left corner at `at`.
pub fn full_ui(painter: &Painter, at: Pos2, full: &Full) {
    let rows = full.rows.len() + PARTS.len().div_ceil(ROWS_PER_PART);
    let height = GRAPH_HEIGHT + BAR_HEIGHT + rows as f32 * ROW + space(8);
    let pane = Rect::from_min_size(at, vec2(WIDTH, height));
    painter.rect_filled(pane, 8.0, glass::PANE);
    let inner = pane.shrink(space(2));
    let mut y = graph_ui(painter, Rect::from_min_size(inner.min, vec2(inner.width(), GRAPH_HEIGHT)), full) + space(2);
    y = parts_ui(painter, pos2(inner.left(), y), inner.width(), full) + space(1);
    for (name, value) in &full.rows {
        let font = theme::plain(text::SMALL);
        painter.text(pos2(inner.left(), y), Align2::LEFT_TOP, name, font.clone(), glass::WEAK);
        painter.text(pos2(inner.right(), y), Align2::RIGHT_TOP, value, font, glass::TEXT);
        y += ROW;
    }
}

/// The time of each picture over the last seconds; gives the lower edge.
fn graph_ui(painter: &Painter, area: Rect, full: &Full) -> f32 {
    let highest = full.graph.iter().map(|(_, ms)| f64::from(*ms)).fold(0.0, f64::max);
    let top_ms = highest.max(LEAST_TOP_MS) as f32;
    painter.rect_stroke(area, 2.0, Stroke::new(1.0, glass::EDGE), egui::StrokeKind::Inside);
    let place = |(ago_s, ms): &(f32, f32)| {
        pos2(area.right() - ago_s / GRAPH.as_secs_f32() * area.width(), area.bottom() - ms / top_ms * area.height())
    };
    // A column for each picture: two triangles, where a smooth line has six, which a rasteriser feels.
    let mut columns = egui::Mesh::default();
    for top in full.graph.iter().map(place) {
        let (x, y) = (top.x.clamp(area.left(), area.right() - COLUMN), top.y.clamp(area.top(), area.bottom()));
        columns.add_colored_rect(Rect::from_min_max(pos2(x, y), pos2(x + COLUMN, area.bottom())), glass::LIVE);
    }
    painter.add(columns);
    let words = format!("{top_ms:.0} ms, {} s", GRAPH.as_secs());
    painter.text(area.left_top() + vec2(4.0, 2.0), Align2::LEFT_TOP, words, theme::plain(text::SMALL), glass::WEAK);
    area.bottom()
}

/// The parts as a bar, and their names; gives the lower edge.
fn parts_ui(painter: &Painter, at: Pos2, width: f32, full: &Full) -> f32 {
    let sum: f64 = full.parts.iter().flatten().sum();
    let mut x = at.x;
    for ((_, _, _, colour), ms) in PARTS.iter().zip(&full.parts) {
        let Some(ms) = ms.filter(|_| sum > 0.0) else { continue };
        let length = (ms / sum) as f32 * width;
        painter.rect_filled(Rect::from_min_size(pos2(x, at.y), vec2(length, BAR_HEIGHT)), 0.0, *colour);
        x += length;
    }
    let top = at.y + BAR_HEIGHT + space(1);
    for (index, ((name, _, _, colour), ms)) in PARTS.iter().zip(&full.parts).enumerate() {
        let (column, row) = (index % ROWS_PER_PART, index / ROWS_PER_PART);
        let place = pos2(at.x + column as f32 * width / ROWS_PER_PART as f32, top + row as f32 * ROW);
        painter.circle_filled(place + vec2(5.0, 8.0), 4.0, *colour);
        let words = ms.map_or_else(|| format!("{name} –"), |ms| format!("{name} {ms:.1} ms"));
        painter.text(place + vec2(14.0, 0.0), Align2::LEFT_TOP, words, theme::plain(text::SMALL), glass::TEXT);
    }
    top + PARTS.len().div_ceil(ROWS_PER_PART) as f32 * ROW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_last_second_are_averaged_and_what_clocks_forbid_is_left_out() {
        let mut history = History::default();
        let start = Timestamp::from_nanos(1_000_000_000);
        let ms = Duration::from_millis;
        for number in 0..60_u32 {
            let now = start + ms(33) * number;
            let mut stamps = Stamps::new();
            for (stage, at) in [
                (Stage::Captured, now),
                (Stage::EncodeStart, now + ms(1)),
                (Stage::Encoded, now + ms(4)),
                // The other side's clock is behind.
                (Stage::FirstPacketReceived, now - ms(500)),
                (Stage::Complete, now - ms(498)),
                (Stage::Opened, now - ms(497)),
                (Stage::DecodeStart, now - ms(497)),
                (Stage::Decoded, now - ms(492)),
                (Stage::GpuDone, now - ms(490)),
            ] {
                stamps.set(stage, at);
            }
            history.picture(&stamps, Some(12.0), now);
        }
        let now = start + ms(33 * 60);
        let full = history.full(&ActiveView::default(), now);
        let rounded = full.parts.map(|mean| mean.map(|ms| ms.round() as i32));
        assert_eq!(rounded, [Some(1), Some(3), None, Some(2), Some(1), Some(0), Some(5), Some(2)]);
        assert_eq!((full.graph.len(), history.parts.len() <= 31), (60, true));
        assert!(history.full(&ActiveView::default(), now + GRAPH + ms(1)).graph.is_empty(), "what is old is not drawn");
    }
}
