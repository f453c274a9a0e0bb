//! Face to face: the peer's picture over the whole window, the own one in a corner, and controls that leave when nothing
//! moves. What matters stays: that one is muted, that the connection is gone, which devices are open.

mod bar;

use std::time::Duration;

use egui::{
    Align, Align2, Area, Frame, Id, Layout, Margin, Order, Popup, Rect, RichText, ScrollArea, Ui, Vec2, pos2, vec2,
};

use super::devices::choices_ui;
use super::ended::clock_duration;
use super::safety::{self, safety_ui};
use crate::engine::handle::{ActiveView, DeviceState, PathView, Snapshot};
use crate::media::Timestamp;
use crate::render::fit::Placement;
use crate::render::{Fit, VideoLook, VideoView};
use crate::ui::action::Action;
use crate::ui::hud::{Figures, full_ui};
use crate::ui::icons;
use crate::ui::theme::{self, glass, space, text};
use crate::ui::widgets::avatar;
use crate::ui::widgets::buttons::{IconButton, TextButton, Tone, icon_ui};
use crate::ui::widgets::lamps::{Lamps, lamps_ui};
use crate::ui::widgets::page::heading_ui;
use crate::ui::widgets::self_view::{self, SelfView};

/// The controls leave when nothing has moved for so long, in seconds.
const STILL_S: f64 = 3.0;
/// The share of a picture that may be cut off to fill the window.
const CROPPED: f32 = 0.2;
/// Corners of a pane over the picture: round ends.
const PANE_RADIUS: u8 = 34;
/// The large figures begin below who it is.
const FULL_HUD_TOP: f32 = 88.0;
/// How bright the last picture is while the connection is gone.
const DIMMED: f32 = 0.35;

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct InCall {
    self_view: SelfView,
    panel: bool,
    devices: bool,
    moved_s: f64,
}

/// What this screen shows besides the call's own state.
pub struct Scene<'a> {
    /// The peer's picture.
    pub remote: &'a VideoView,
    /// The own picture.
    pub local: &'a VideoView,
    /// For the choice of devices.
    pub snapshot: &'a Snapshot,
    /// For the call's clock.
    pub now: Timestamp,
    /// Whether a camera and a microphone are open, by their handles.
    pub lamps: Lamps,
    /// Figures, if they are wanted.
    pub hud: Option<&'a Figures>,
    /// The window fills the screen.
    pub full_screen: bool,
    /// Space is held to talk.
    pub talking: bool,
}

impl InCall {
    /// Draws the call; gives what was done.
    pub fn in_call_ui(&mut self, ui: &mut Ui, view: &ActiveView, scene: &Scene) -> Option<Action> {
        let area = ui.max_rect();
        let shown = self.controls_are_shown(ui);
        remote_ui(ui, area, view, scene.remote);
        if view.path == PathView::Reconnecting {
            reconnecting_ui(ui, area);
        }
        if let (true, Some((width, height))) = (view.camera_on, scene.local.picture_size()) {
            let below = if shown { bar::HEIGHT } else { 0.0 };
            self.self_view.self_view_ui(ui, area, width as f32 / height as f32, below, |painter, rect| {
                let radius = f32::from(self_view::RADIUS);
                scene.local.paint(painter, rect, VideoLook { fit: Fit::Cover, mirror: true, radius, brightness: 1.0 });
            });
        }
        lamps_ui(ui, area, scene.lamps);
        let mut done = None;
        if shown {
            self.head_ui(ui, area, view, scene.now);
            done = bar::bar_ui(ui, area, view, scene, &mut self.devices);
        }
        let above = own_microphone_ui(ui, area, view, shown, scene.talking);
        if let Some(figures) = scene.hud {
            hud_ui(ui, area, above, &figures.line);
            if let Some(full) = &figures.full {
                full_ui(ui.painter(), area.left_top() + vec2(space(4), FULL_HUD_TOP), full);
            }
        }
        status_ui(ui, area, view, shown, scene.now);
        self.panel_ui(ui, area, view);
        done.or(self.devices_ui(ui, area, scene.snapshot))
    }

    /// Whether the controls are there: something moved lately, the keyboard is on one of them, or a panel is open.
    fn controls_are_shown(&mut self, ui: &Ui) -> bool {
        let (now_s, active) = ui.input(|input| {
            let moved = input.pointer.delta() != Vec2::ZERO || input.pointer.any_down();
            (input.time, moved || !input.events.is_empty())
        });
        if active || self.moved_s == 0.0 {
            self.moved_s = now_s;
        }
        let held = self.panel
            || self.devices
            || Popup::is_any_open(ui.ctx())
            || ui.memory(|memory| memory.focused().is_some());
        let left_s = self.moved_s + STILL_S - now_s;
        if !held && left_s > 0.0 {
            ui.ctx().request_repaint_after(Duration::from_secs_f64(left_s));
        }
        held || left_s > 0.0
    }

    /// Who it is, how long, and the lock.
    fn head_ui(&mut self, ui: &mut Ui, area: Rect, view: &ActiveView, now: Timestamp) {
        let at = area.left_top() + vec2(space(4), space(4));
        pane_ui(ui, "call head", Align2::LEFT_TOP, at, |ui| {
            ui.set_max_width((area.width() - space(40)).max(space(40)));
            let (icon, tone) =
                if view.peer.key_changed { (icons::WARNING, Tone::Stop) } else { (icons::LOCK, Tone::GlassQuiet) };
            let lock = IconButton::new(icon, "Security of this call", tone).diameter(32.0).pressed(self.panel);
            if ui.add(lock).clicked() {
                self.panel = !self.panel;
            }
            ui.add(egui::Label::new(strong(&view.peer.name, glass::TEXT)).truncate());
            ui.label(RichText::new(clock_duration(now.since(view.since).as_secs())).color(glass::WEAK));
            if !view.peer_microphone_on {
                icon_ui(ui, icons::MICROPHONE_OFF, 18.0, glass::WEAK);
                ui.label(RichText::new("muted").size(text::SMALL).color(glass::WEAK));
            }
            ui.add_space(space(1));
        });
    }

    fn panel_ui(&mut self, ui: &mut Ui, area: Rect, view: &ActiveView) {
        if !self.panel {
            return;
        }
        if ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            self.panel = false;
            return;
        }
        let width = safety::WIDTH.min(area.width() - space(8));
        Area::new(Id::unique("security"))
            .order(Order::Foreground)
            .fixed_pos(area.left_top() + vec2(space(4), space(18)))
            .show(ui.ctx(), |ui| {
                ui.set_max_size(vec2(width, (area.height() - space(18) - bar::HEIGHT).max(space(40))));
                if safety_ui(ui, view) {
                    self.panel = false;
                }
            });
    }
}

impl InCall {
    /// Another camera, microphone or speaker, without leaving the call.
    fn devices_ui(&mut self, ui: &Ui, area: Rect, snapshot: &Snapshot) -> Option<Action> {
        if !self.devices {
            return None;
        }
        let mut done = None;
        let frame = Frame::window(ui.style());
        let modal = egui::Modal::new(Id::unique("devices in call")).frame(frame).show(ui.ctx(), |ui| {
            ui.set_width((area.width() - space(20)).min(400.0));
            heading_ui(ui, "Camera and sound");
            // Heading, button and margins stay in sight, however large everything is.
            let height = (area.height() - space(48)).max(space(20));
            let list = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
            list.show(ui, |ui| done = choices_ui(ui, snapshot));
            ui.add_space(space(2));
            ui.add(TextButton::new("Done", Tone::Main)).clicked()
        });
        self.devices = !(modal.inner || modal.should_close());
        done
    }
}

fn strong(words: &str, colour: egui::Color32) -> RichText {
    RichText::new(words).font(theme::strong(text::BODY)).color(colour)
}

fn remote_ui(ui: &mut Ui, area: Rect, view: &ActiveView, remote: &VideoView) {
    if let (true, Some(size)) = (view.peer_camera_on, remote.picture_size()) {
        let brightness = if view.path == PathView::Reconnecting { DIMMED } else { 1.0 };
        let fit = fit(size, area);
        let rect = [area.left(), area.top(), area.right(), area.bottom()];
        let [left, top, right, bottom] = Placement::new(size, rect, fit, false).place;
        for bar in around(area, Rect::from_min_max(pos2(left, top), pos2(right, bottom))) {
            ui.painter().rect_filled(bar, 0.0, glass::CANVAS);
        }
        remote.paint(ui.painter(), area, VideoLook { fit, brightness, ..VideoLook::default() });
        return;
    }
    ui.painter().rect_filled(area, 0.0, glass::CANVAS);
    let centre = area.center() - vec2(0.0, space(8));
    avatar::paint(ui.painter(), centre, super::ringing::AVATAR, &view.peer.handle, &view.peer.name);
    let words = if view.peer_camera_on { "Waiting for the first picture…" } else { "Their camera is off" };
    let below = pos2(area.center().x, centre.y + super::ringing::AVATAR / 2.0 + space(5));
    let place = Rect::from_center_size(below, vec2(area.width() - space(8), space(6)));
    ui.place(place, egui::Label::new(RichText::new(words).color(glass::WEAK)));
}

/// What is not covered by a picture in the middle of an area, and a point below its edges. A whole window of canvas beneath it
/// would cost a rasteriser a third of the frame's time.
fn around(area: Rect, picture: Rect) -> impl Iterator<Item = Rect> {
    let inner = picture.shrink(1.0);
    let bars = [
        Rect::from_min_max(area.min, pos2(area.right(), inner.top())),
        Rect::from_min_max(pos2(area.left(), inner.bottom()), area.max),
        Rect::from_min_max(area.min, pos2(inner.left(), area.bottom())),
        Rect::from_min_max(pos2(inner.right(), area.top()), area.max),
    ];
    let is_seen = move |bar: &Rect| bar.width().min(bar.height()) > 1.0;
    bars.into_iter().filter(is_seen)
}

/// Fills the window where little of the picture is lost by it, and shows all of the picture where much would be.
fn fit((width, height): (u32, u32), area: Rect) -> Fit {
    let ratio = width as f32 / height as f32 / area.aspect_ratio();
    if ratio.min(1.0 / ratio) >= 1.0 - CROPPED { Fit::Cover } else { Fit::Letterbox }
}

fn reconnecting_ui(ui: &mut Ui, area: Rect) {
    pane_ui(ui, "reconnecting", Align2::CENTER_CENTER, area.center(), |ui| {
        ui.add_space(space(1));
        icon_ui(ui, icons::NO_CONNECTION, 20.0, glass::WARNING);
        ui.label(strong("Reconnecting…", glass::TEXT));
        ui.label(RichText::new("what you see is the last that came").color(glass::WEAK));
        ui.add_space(space(1));
    });
}

/// That one is muted, or is heard only while a key is held: above the bar, or in its place when it has gone. Gives how
/// much is taken at the bottom.
fn own_microphone_ui(ui: &Ui, area: Rect, view: &ActiveView, shown: bool, talking: bool) -> f32 {
    /// A remark and the room above it.
    const REMARK: f32 = 44.0;
    let above = if shown { bar::HEIGHT } else { space(4) };
    let at = pos2(area.center().x, area.bottom() - above);
    let speaking = view.sound.speaking_while_muted;
    if talking {
        let icon = (icons::MICROPHONE, glass::LIVE);
        remark_ui(ui, "talking", Align2::CENTER_BOTTOM, at, icon, "Talking while Space is held");
    } else if !view.microphone_on && (!shown || speaking) {
        let words = if speaking { "You are muted, and you are speaking" } else { "You are muted" };
        remark_ui(ui, "muted", Align2::CENTER_BOTTOM, at, (icons::MICROPHONE_OFF, glass::WARNING), words);
    } else {
        return above;
    }
    above + REMARK
}

/// What must not be missed: nothing is heard, a device is not there. At the top in the middle, below each other.
fn status_ui(ui: &Ui, area: Rect, view: &ActiveView, shown: bool, now: Timestamp) {
    let sound = &view.sound;
    let mut lines = Vec::new();
    if let Some(since) = sound.no_sound_since
        && view.path != PathView::Reconnecting
    {
        let seconds = now.since(since).as_secs().max(1);
        lines.push((icons::SPEAKER_OFF, format!("No incoming sound for {seconds} s")));
    }
    let missing = |device: &DeviceState| matches!(device, DeviceState::Missing { .. });
    // Said with the controls, not all the time: it is a state that people may have chosen to live with.
    for (device, icon, words) in [
        (&sound.microphone, icons::MICROPHONE_OFF, "They cannot hear you: no microphone can be used"),
        (&sound.speaker, icons::SPEAKER_OFF, "You cannot hear them: no speaker can be used"),
    ] {
        if shown && missing(device) {
            lines.push((icon, words.to_owned()));
        }
    }
    for (index, (icon, words)) in lines.iter().enumerate() {
        let at = area.center_top() + vec2(0.0, space(16) + 44.0 * index as f32);
        remark_ui(ui, &format!("status {index}"), Align2::CENTER_TOP, at, (*icon, glass::WARNING), words);
    }
}

/// One line about what is not as it should be, or not as it is otherwise.
fn remark_ui(ui: &Ui, name: &str, pivot: Align2, at: egui::Pos2, (icon, colour): (char, egui::Color32), words: &str) {
    pane_ui(ui, name, pivot, at, |ui| {
        ui.add_space(space(1));
        icon_ui(ui, icon, 18.0, colour);
        ui.add(egui::Label::new(strong(words, glass::TEXT)).truncate());
        ui.add_space(space(1));
    });
}

fn hud_ui(ui: &Ui, area: Rect, above: f32, words: &str) {
    let at = area.center_bottom() - vec2(0.0, above);
    let galley =
        ui.painter().layout(words.to_owned(), theme::plain(text::SMALL), glass::TEXT, area.width() - space(16));
    let place = Align2::CENTER_BOTTOM.anchor_size(at, galley.size() + vec2(space(4), space(2)));
    ui.painter().rect_filled(place, 6.0, glass::PANE);
    ui.painter().galley(place.min + vec2(space(2), space(1)), galley, glass::TEXT);
}

/// A dark pane over the picture, in a row.
fn pane_ui(ui: &Ui, name: &str, pivot: Align2, at: egui::Pos2, contents: impl FnOnce(&mut Ui)) {
    Area::new(Id::unique(name)).pivot(pivot).fixed_pos(at).order(Order::Middle).show(ui.ctx(), |ui| {
        let frame = Frame::new().fill(glass::PANE).corner_radius(PANE_RADIUS).inner_margin(Margin::same(8));
        frame.show(ui, |ui| ui.with_layout(Layout::left_to_right(Align::Center), contents));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use egui_kittest::Harness;
    use egui_kittest::kittest::NodeT;

    use super::*;
    use crate::engine::handle::Peer;
    use crate::render::{Gpu, VideoPainter};

    #[test]
    fn canvas_is_drawn_where_no_picture_is() {
        let area = Rect::from_min_max(pos2(10.0, 20.0), pos2(110.0, 220.0));
        assert_eq!(around(area, area).count(), 0, "a picture that fills it leaves nothing");
        let picture = Rect::from_min_max(pos2(10.0, 60.0), pos2(110.0, 180.0));
        let bars: Vec<_> = around(area, picture).collect();
        for y in 20..220 {
            let place = pos2(50.0, y as f32 + 0.5);
            assert!(picture.contains(place) || bars.iter().any(|bar| bar.contains(place)), "{place}");
        }
        assert!(bars.iter().all(|bar| bar.intersect(picture).height() <= 1.0), "{bars:?}");
    }

    #[test]
    fn a_little_is_cut_off_but_never_much() {
        let window = |width, height| Rect::from_min_size(egui::Pos2::ZERO, vec2(width, height));
        assert_eq!(fit((1280, 720), window(1040.0, 700.0)), Fit::Cover);
        assert_eq!(fit((1280, 720), window(420.0, 700.0)), Fit::Letterbox);
        assert_eq!(fit((720, 1280), window(1040.0, 700.0)), Fit::Letterbox);
        assert_eq!(fit((640, 360), window(1280.0, 720.0)), Fit::Cover);
    }

    /// What a screen reader finds after so many seconds in which nobody moved.
    fn seen(view: ActiveView, still_s: u64) -> Vec<String> {
        let painter = VideoPainter::offscreen(&Gpu::open().unwrap()).unwrap();
        let (remote, local) = (VideoView::new(Arc::clone(&painter)), VideoView::new(painter));
        let (mut screen, snapshot) = (InCall::default(), Snapshot::default());
        let now = Timestamp::from_nanos(1) + Duration::from_mins(1);
        let builder = Harness::builder().with_step_dt(1.0).with_max_steps(2);
        let mut harness = builder.build_ui(move |ui| {
            theme::install(ui.ctx());
            let (lamps, hud) = (Lamps { camera: true, microphone: false }, None);
            let (full_screen, talking) = (false, false);
            let (remote, local, snapshot) = (&remote, &local, &snapshot);
            let scene = Scene { remote, local, snapshot, now, lamps, hud, full_screen, talking };
            screen.in_call_ui(ui, &view, &scene);
        });
        (0..still_s).for_each(|_| harness.step());
        let nodes = harness.root().children_recursive();
        nodes.filter_map(|node| node.accesskit_node().label().or(node.accesskit_node().value())).collect()
    }

    fn view() -> ActiveView {
        let peer = Peer { handle: "bob@example.org".into(), name: "Bob".into(), ..Peer::default() };
        ActiveView { peer, microphone_on: true, camera_on: true, peer_microphone_on: true, ..ActiveView::default() }
    }

    fn has(seen: &[String], words: &str) -> bool {
        seen.iter().any(|label| label.contains(words))
    }

    #[test]
    fn the_controls_leave_when_nothing_moves_but_not_that_one_is_muted() {
        let at_first = seen(view(), 0);
        assert!(has(&at_first, "Hang up") && has(&at_first, "Security of this call"), "{at_first:?}");
        let later = seen(ActiveView { microphone_on: false, ..view() }, 6);
        assert!(!has(&later, "Hang up") && has(&later, "You are muted"), "{later:?}");
        assert!(has(&later, "Camera is on") && !has(&later, "Microphone is on"), "the lamps stay: {later:?}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let lost = seen(ActiveView { path: PathView::Reconnecting, ..view() }, 6);
        assert!(has(&lost, "Reconnecting") && has(&lost, "the last that came"), "{lost:?}");
        let mut unheard = view();
        unheard.microphone_on = false;
        unheard.sound.speaking_while_muted = true;
        unheard.sound.no_sound_since = Some(Timestamp::from_nanos(1) + Duration::from_secs(56));
        unheard.sound.speaker = DeviceState::Missing { why: "unplugged".into() };
        let said = seen(unheard, 0);
        for words in ["you are speaking", "No incoming sound for 4 s", "no speaker can be used", "camera is off"] {
            assert!(has(&said, words), "{words}: {said:?}");
        }
    }
}
