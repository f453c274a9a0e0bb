//! The bar at the bottom of a call: microphone and camera, each with a caret for the choice of device, more, hang up.

use egui::{Align2, Popup, Rect, RectAlign, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::{Scene, pane_ui};
use crate::engine::handle::{ActiveView, Snapshot};
use crate::ui::action::Action;
use crate::ui::icons;
use crate::ui::screens::devices::choice::{self, Kind};
use crate::ui::shortcuts;
use crate::ui::theme::{glass, space};
use crate::ui::widgets::buttons::{IconButton, Tone, menu_item_ui};
use crate::ui::widgets::meter;

/// Height of the bar and the room around it.
pub const HEIGHT: f32 = 88.0;
/// Width of the whole bar where there is room for it; in narrower windows everything shrinks.
const WIDTH: f32 = 350.0;
/// A round button, across.
const BUTTON: f32 = 52.0;
/// Width of a caret beside one.
const CARET: f32 = 28.0;
/// Widths of the menus.
const MENU: f32 = 240.0;
const DEVICE_MENU: f32 = 360.0;

/// Draws the bar; `devices` opens the choice of all devices.
pub fn bar_ui(ui: &mut Ui, area: Rect, view: &ActiveView, scene: &Scene, devices: &mut bool) -> Option<Action> {
    let mut done = None;
    let scale = ((area.width() - space(4)) / WIDTH).min(1.0);
    let at = pos2(area.center().x, area.bottom() - space(4));
    pane_ui(ui, "call bar", Align2::CENTER_BOTTOM, at, |ui| {
        ui.spacing_mut().item_spacing.x = (scale * space(3)).round();
        ui.add_space((scale * space(1)).round());
        let (icon, name, tone) = if view.microphone_on {
            (icons::MICROPHONE, "Mute microphone", Tone::Glass)
        } else {
            (icons::MICROPHONE_OFF, "Unmute microphone", Tone::GlassOff)
        };
        let button = IconButton::new(icon, name, tone).hint(shortcuts::MICROPHONE.words);
        let (microphone, caret) = with_caret_ui(ui, button, scale, "Choose microphone");
        if view.microphone_on {
            level_ui(ui, microphone.rect, view.sound.own_level_dbfs);
        }
        if microphone.clicked() {
            done = Some(Action::Microphone(!view.microphone_on));
        }
        let kinds = [Kind::Microphone, Kind::Speaker];
        done = done.take().or(device_menu_ui(&caret, area, &kinds, scene.snapshot));
        let (icon, name, tone) = if view.camera_on {
            (icons::CAMERA, "Turn camera off", Tone::Glass)
        } else {
            (icons::CAMERA_OFF, "Turn camera on", Tone::GlassOff)
        };
        let button = IconButton::new(icon, name, tone).hint(shortcuts::CAMERA.words);
        let (camera, caret) = with_caret_ui(ui, button, scale, "Choose camera");
        if camera.clicked() {
            done = Some(Action::Camera(!view.camera_on));
        }
        done = done.take().or(device_menu_ui(&caret, area, &[Kind::Camera], scene.snapshot));
        let more = ui.add(IconButton::new(icons::MORE, "More", Tone::Glass).diameter((scale * BUTTON).round()));
        done = done.take().or(more_ui(&more, area, view, scene.full_screen, devices));
        let hang_up = IconButton::new(icons::HANG_UP, "Hang up", Tone::Stop).hint(shortcuts::HANG_UP.words);
        if ui.add(hang_up.diameter((scale * BUTTON).round())).clicked() {
            done = Some(Action::HangUp);
        }
        ui.add_space((scale * space(1)).round());
    });
    done
}

/// A round button and a caret beside it, on one ground.
fn with_caret_ui(ui: &mut Ui, button: IconButton, scale: f32, caret: &str) -> (Response, Response) {
    let (across, width) = ((scale * BUTTON).round(), (scale * CARET).round());
    let (rect, _) = ui.allocate_exact_size(vec2(across + width, across), Sense::hover());
    ui.painter().rect_filled(rect, across / 2.0, glass::BUTTON);
    let (left, right) = rect.split_left_right_at_x(rect.left() + across);
    let button = ui.place(left, button.diameter(across));
    (button, caret_ui(ui, right, caret))
}

/// What opens a menu above: the right end of a ground with round ends.
fn caret_ui(ui: &Ui, rect: Rect, name: &str) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(name), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let (painter, radius) = (ui.painter(), rect.height() / 2.0);
    let highlight = rect.shrink2(vec2(0.0, rect.height() * 0.14)).translate(vec2(-rect.width() * 0.12, 0.0));
    if response.hovered() {
        painter.rect_filled(highlight, radius, glass::BUTTON_HOVER);
    }
    if response.has_focus() {
        painter.rect_stroke(highlight, radius, Stroke::new(2.0, glass::FOCUS), StrokeKind::Outside);
    }
    let (middle, reach) = (highlight.center(), rect.width() * 0.2);
    let points = [(-reach, 0.5 * reach), (0.0, -0.5 * reach), (reach, 0.5 * reach)];
    let line = points.map(|(x, y)| middle + vec2(x, y)).to_vec();
    painter.line(line, Stroke::new(2.0, glass::TEXT));
    response.on_hover_text(name)
}

/// A menu above a button, and how wide its inside is: in the middle over the button, but not nearer to the edges of the
/// window than other things are.
fn menu_above<'a>(button: &Response, area: Rect, width: f32) -> (Popup<'a>, f32) {
    let (edge, margin) = (space(4), f32::from(button.ctx.global_style().spacing.menu_margin.left) + 1.0);
    let width = width.min(area.width() - 2.0 * (edge + margin));
    let reach = width / 2.0 + margin + edge;
    let x = button.rect.center().x.clamp(area.left() + reach, (area.right() - reach).max(area.left() + reach));
    let anchor = Rect::from_center_size(pos2(x, button.rect.center().y), button.rect.size());
    (Popup::menu(button).anchor(anchor).align(RectAlign::TOP).gap(space(4)), width)
}

/// The menu of these kinds of devices above a caret. The system is asked for them when it opens.
fn device_menu_ui(caret: &Response, area: Rect, kinds: &[Kind], snapshot: &Snapshot) -> Option<Action> {
    let opens = caret.clicked() && !Popup::is_id_open(&caret.ctx, Popup::default_response_id(caret));
    let (menu, width) = menu_above(caret, area, DEVICE_MENU);
    let menu = menu.show(|ui| {
        ui.set_width(width);
        choice::menu_ui(ui, kinds, snapshot, (area.height() - HEIGHT - space(16)).max(space(20)))
    });
    menu.and_then(|menu| menu.inner).or(opens.then_some(Action::ListDevices))
}

/// The menu with the rest.
fn more_ui(more: &Response, area: Rect, view: &ActiveView, full_screen: bool, devices: &mut bool) -> Option<Action> {
    let mut done = None;
    let (menu, width) = menu_above(more, area, MENU);
    menu.show(|ui| {
        ui.set_width(width);
        let (icon, words) =
            if view.speaker_on { (icons::SPEAKER_OFF, "Speaker off") } else { (icons::SPEAKER, "Speaker on") };
        if menu_item_ui(ui, icon, words, None) {
            done = Some(Action::Speaker(!view.speaker_on));
        }
        if menu_item_ui(ui, icons::SETTINGS, "Camera and sound", None) {
            *devices = true;
            done = Some(Action::ListDevices);
        }
        let (icon, words) = if full_screen {
            (icons::LEAVE_FULL_SCREEN, "Leave full screen")
        } else {
            (icons::FULL_SCREEN, "Full screen")
        };
        for (icon, words, keys, action) in [
            (icon, words, shortcuts::FULL_SCREEN.words, Action::ToggleFullScreen),
            (icons::FIGURES, "Figures", shortcuts::HUD.words, Action::ToggleHud),
            (icons::KEYBOARD, "Shortcuts", shortcuts::HELP.words, Action::ToggleHelp),
        ] {
            if menu_item_ui(ui, icon, words, Some(keys)) {
                done = Some(action);
            }
        }
    });
    done
}

/// How loud it is here, as an arc around the microphone's button.
fn level_ui(ui: &Ui, button: Rect, level_dbfs: f32) {
    let share = meter::share(level_dbfs);
    if share <= 0.0 {
        return;
    }
    let (centre, radius) = (button.center(), button.width() / 2.0 + 1.0);
    let point = |step: f32| {
        let angle = std::f32::consts::PI * (0.5 + step);
        centre + vec2(angle.cos(), angle.sin()) * radius
    };
    let arc = (-12..=12).map(|step| point(share * step as f32 / 12.0)).collect();
    ui.painter().line(arc, Stroke::new(2.5, glass::LIVE));
}
