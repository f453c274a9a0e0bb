//! The own picture: small, in a corner over the peer's, mirrored as people know themselves, and movable.

use egui::{CornerRadius, Painter, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2};

use crate::ui::theme::{glass, space};

/// Corners of the picture.
pub const RADIUS: u8 = 14;

/// Where the own picture is.
#[derive(Debug)]
pub struct SelfView {
    right: bool,
    bottom: bool,
    /// How far it is dragged from its corner just now.
    dragged: Vec2,
}

impl Default for SelfView {
    fn default() -> Self {
        Self { right: true, bottom: true, dragged: Vec2::ZERO }
    }
}

impl SelfView {
    /// Lays the own picture over `area`, keeping clear of its edges and of `bar` points at the bottom; `paint` draws it.
    /// Dragging moves it; it goes to the nearest corner. A click, or the keyboard, moves it to the next corner.
    pub fn self_view_ui(
        &mut self,
        ui: &mut Ui,
        area: Rect,
        aspect: f32,
        bar: f32,
        paint: impl FnOnce(&Painter, Rect),
    ) -> Response {
        let width = (area.width() * 0.22).clamp(112.0, 240.0);
        let size = Vec2::new(width, width / aspect.clamp(0.5, 2.4));
        let inner = Rect::from_min_max(
            pos2(area.left() + space(4), area.top() + space(17)),
            pos2(area.right() - space(4), area.bottom() - space(4) - bar),
        );
        let corner = pos2(
            if self.right { inner.right() - size.x } else { inner.left() },
            if self.bottom { inner.bottom() - size.y } else { inner.top() },
        );
        let rect = Rect::from_min_size(corner + self.dragged, size);
        let response = ui.allocate_rect(rect, Sense::click_and_drag());
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Button, true, "Your own picture. Press to move it to another corner.")
        });
        if response.dragged() {
            self.dragged += response.drag_delta();
        }
        if response.drag_stopped() {
            self.right = rect.center().x > area.center().x;
            self.bottom = rect.center().y > area.center().y;
            self.dragged = Vec2::ZERO;
        }
        if response.clicked() {
            (self.right, self.bottom) = next_corner(self.right, self.bottom);
        }
        paint(ui.painter(), rect);
        let stroke = if response.has_focus() { Stroke::new(2.0, glass::FOCUS) } else { Stroke::new(1.0, glass::EDGE) };
        ui.painter().rect_stroke(rect, CornerRadius::same(RADIUS), stroke, StrokeKind::Inside);
        response
    }
}

/// Clockwise.
const fn next_corner(right: bool, bottom: bool) -> (bool, bool) {
    match (right, bottom) {
        (true, true) => (false, true),
        (false, true) => (false, false),
        (false, false) => (true, false),
        (true, false) => (true, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_steps_go_round_all_corners() {
        let mut corner = (true, true);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..4 {
            seen.insert(corner);
            corner = next_corner(corner.0, corner.1);
        }
        assert_eq!((seen.len(), corner), (4, (true, true)));
    }
}
