//! How loud something is: as a share of what a meter shows, and as a bar.

use egui::{Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::ui::theme;

/// The quietest level that shows.
const FLOOR_DBFS: f32 = -60.0;

/// 0 for silence (and for what is no number), 1 for full scale; linear in decibels, as ears are.
#[must_use]
pub fn share(level_dbfs: f32) -> f32 {
    let share = 1.0 - level_dbfs / FLOOR_DBFS;
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
}

/// A bar that is as full as it is loud; `name` says of what.
pub fn meter_ui(ui: &mut Ui, name: &str, level_dbfs: f32, size: Vec2) -> Response {
    /// The engine tells ten levels a second; in between the bar moves by itself.
    const BETWEEN_S: f32 = 0.1;
    let palette = theme::palette(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let share = share(level_dbfs);
    response.widget_info(|| WidgetInfo {
        role: Role::Meter,
        ..WidgetInfo::slider(true, f64::from((share * 100.0).round()), name)
    });
    let shown = ui.ctx().animate_value_with_time(response.id, share, BETWEEN_S);
    let radius = rect.height() / 2.0;
    ui.painter().rect_filled(rect, radius, palette.raised);
    if shown > 0.0 {
        let full = Rect::from_min_size(rect.min, egui::vec2((shown * rect.width()).max(rect.height()), rect.height()));
        ui.painter().rect_filled(full, radius, palette.present);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_shows_nothing_and_full_scale_everything() {
        for (level_dbfs, expected) in
            [(f32::NEG_INFINITY, 0.0), (-80.0, 0.0), (-30.0, 0.5), (0.0, 1.0), (6.0, 1.0), (f32::NAN, 0.0)]
        {
            assert!((share(level_dbfs) - expected).abs() < 1e-6, "{level_dbfs}");
        }
    }
}
