//! The lamps of camera and microphone: they go by the open devices themselves, whatever switches say.

use egui::{Id, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

use super::buttons::icon_at;
use crate::ui::icons;
use crate::ui::theme::{glass, space};

/// Devices that are open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lamps {
    /// A camera (or what stands in for one).
    pub camera: bool,
    /// A microphone (or what stands in for one).
    pub microphone: bool,
}

/// Draws the lamps that are on, from the upper right corner of `area` to the left.
pub fn lamps_ui(ui: &Ui, area: Rect, lamps: Lamps) {
    let mut at = area.right_top() + vec2(-space(7), space(7));
    for (open, icon, name) in
        [(lamps.camera, icons::CAMERA, "Camera is on"), (lamps.microphone, icons::MICROPHONE, "Microphone is on")]
    {
        if open {
            let place = Rect::from_center_size(at, Vec2::splat(28.0));
            ui.painter().circle_filled(at, 14.0, glass::PANE);
            icon_at(ui, at, icon, 16.0, glass::LIVE);
            let lamp = ui.interact(place, Id::unique(name), Sense::hover());
            lamp.widget_info(|| WidgetInfo::labeled(Role::Status, true, name));
            lamp.on_hover_text(name);
            at.x -= 34.0;
        }
    }
}
