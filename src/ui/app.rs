//! The window's contents: takes snapshots and pictures from the engine, shows the screen that fits, does what the person
//! did there. Knows egui only, so that it runs in a window, offscreen and in tests alike.

mod locking;
mod scanning;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use egui::{CentralPanel, Context, Frame, Popup, Ui, UserAttentionType, ViewportCommand};

use super::action::{Action, Page};
use super::hud::{self, Hud, HudSize};
use super::icons;
use super::push_to_talk::PushToTalk;
use super::screens::account::Account;
use super::screens::contacts::Contacts;
use super::screens::in_call::{InCall, Scene};
use super::screens::scan::Scan;
use super::screens::unlock::Unlock;
use super::screens::welcome::Welcome;
use super::screens::{compare, ended, incoming, ringing, settings};
use super::shortcuts;
use super::theme;
use super::widgets::lamps::{Lamps, lamps_ui};
use super::widgets::page::column_ui;
use super::widgets::toast::Toast;
use crate::call::UserConsent;
use crate::engine::clock;
use crate::engine::handle::{CallNumber, CallView, Command, DeviceState, EngineHandle, Snapshot, Zoom};
use crate::media::{FrameId, Stamps};
use crate::render::{Cause, UiFrame, UiFrameHook, UiFrames, VideoPainter, VideoView};

/// The window's contents, and the engine behind them.
pub struct App {
    handle: EngineHandle,
    snapshot: Snapshot,
    welcome: Option<Welcome>,
    page: Page,
    /// The system was asked for its devices since they were last shown.
    listed: bool,
    contacts: Contacts,
    /// A code is being looked for with the camera.
    scan: Option<Scan>,
    account: Account,
    unlock: Unlock,
    in_call: InCall,
    remote: VideoView,
    local: VideoView,
    ui_frames: UiFrames,
    hud: Option<Hud>,
    help: bool,
    /// How large everything is; the engine only keeps it.
    zoom: Zoom,
    talk: PushToTalk,
    toast: Toast,
    /// When the window was last touched, in egui's time.
    touched_s: f64,
    /// Number of the newest notice that was shown.
    noticed: u64,
    /// Whether the call that is or was had a picture, for "call again".
    video: bool,
    /// Pictures of the peer come, so that own ones need not wake the window.
    remote_flows: Arc<AtomicBool>,
    title: String,
    /// And whether it is told of the window's own frames.
    observer: Option<(Observer, bool)>,
}

/// Is told of what was seen.
pub type Observer = Box<dyn FnMut(Seen<'_>) + Send>;

/// What is different in a window in which a call is measured.
pub struct Measuring {
    /// Is told of what is drawn.
    pub observer: Observer,
    /// Also of the window's own frames, which are recorded for that.
    pub with_frames: bool,
    /// The figures over the call, from its beginning.
    pub hud: HudSize,
}

/// What an observer is told of, in the order in which it became known.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A picture of the peer that the GPU has finished, with its record.
    Picture(FrameId, &'a Stamps),
    /// A frame of the window.
    Frame(&'a UiFrame),
}

impl App {
    /// Contents for `ctx`, which gets the theme and is woken by the engine from now on; video is drawn by `painter`.
    #[must_use]
    pub fn new(ctx: &Context, handle: EngineHandle, painter: &Arc<VideoPainter>) -> Self {
        theme::install(ctx);
        ctx.add_plugin(UiFrameHook::new(painter));
        // The same keys are ours, since egui's go further than the screens do.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let remote_flows = Arc::new(AtomicBool::new(false));
        for bell in [&handle.remote_bell, &handle.snapshot_bell] {
            let ctx = ctx.clone();
            bell.attend_with(move || draw_once(&ctx));
        }
        let (waker, flows) = (ctx.clone(), Arc::clone(&remote_flows));
        handle.local_bell.attend_with(move || {
            if !flows.load(Ordering::Relaxed) {
                draw_once(&waker);
            }
        });
        Self {
            handle,
            snapshot: Snapshot::default(),
            welcome: None,
            page: Page::default(),
            listed: false,
            contacts: Contacts::default(),
            scan: None,
            account: Account::default(),
            unlock: Unlock::default(),
            in_call: InCall::default(),
            remote: VideoView::recorded(Arc::clone(painter)),
            local: VideoView::new(Arc::clone(painter)),
            ui_frames: painter.ui_frames().clone(),
            hud: None,
            help: false,
            zoom: Zoom::default(),
            talk: PushToTalk::default(),
            toast: Toast::default(),
            touched_s: 0.0,
            noticed: 0,
            video: true,
            remote_flows,
            title: String::new(),
            observer: None,
        }
    }

    /// Is measured from now on.
    pub fn measure(&mut self, Measuring { observer, with_frames, hud }: Measuring) {
        (self.observer, self.hud) = (Some((observer, with_frames)), Hud::of_size(hud));
        // From the first frame on, which may show a picture already.
        self.ui_frames.set_on(with_frames);
    }

    /// The records of the window's own frames.
    #[must_use]
    pub const fn ui_frames(&self) -> &UiFrames {
        &self.ui_frames
    }

    /// Draws everything.
    pub fn ui(&mut self, ui: &mut Ui) {
        // What is pressed answers what was drawn: another call may have come since.
        let drawn = self.snapshot.call_number;
        self.take(ui);
        self.attend_lock(ui);
        let typing = ui.ctx().text_edit_focused();
        let key = ui.input_mut(|input| shortcuts::handle_keys(input, &self.snapshot.call, self.zoom, typing));
        let by_key = key.is_some();
        self.push_to_talk(ui);
        let code = self.poll_code(time_s(ui));
        let action = key.or(code).or(self.screen_ui(ui));
        if let Some(action) = action {
            self.perform(ui, action, drawn, by_key);
        }
        if self.help && shortcuts::help_ui(ui) {
            self.help = false;
        }
        self.toast.toast_ui(ui);
    }

    /// Space is the microphone's while it belongs to nothing else.
    fn push_to_talk(&mut self, ui: &Ui) {
        let unfocused = ui.memory(|memory| memory.focused().is_none() && memory.top_modal_layer().is_none());
        let free = unfocused && !self.help && !Popup::is_any_open(ui.ctx());
        let told = ui.input(|input| self.talk.handle_keys(input, &self.snapshot.call, free));
        if let Some(on) = told {
            // The screen shows it for as long as it lasts: no toast.
            self.perform(ui, Action::Microphone(on), self.snapshot.call_number, false);
        }
    }

    /// Takes what the engine has made since the last time.
    fn take(&mut self, ui: &Ui) {
        let now = clock::now();
        if self.handle.snapshots.has_changed().unwrap_or(false) {
            self.ui_frames.note_cause(Cause::News);
        }
        let before = std::mem::replace(&mut self.snapshot, self.handle.snapshots.borrow_and_update().clone());
        let open = |snapshot: &Snapshot| snapshot.started && !snapshot.locked;
        if open(&self.snapshot) && !open(&before) {
            let known = self.snapshot.me.as_ref().is_some_and(|me| me.registered);
            self.welcome = (!known).then(Welcome::default);
            self.unlock = Unlock::default();
        }
        if self.snapshot.locked && !before.locked && before.started {
            self.forget_screens();
        }
        if before.me.is_some() && self.snapshot.me.is_none() {
            // Wiped: whatever comes is a new beginning.
            (self.welcome, self.page) = (Some(Welcome::default()), Page::default());
            self.account.forget();
            if let Some((number, words)) = &self.snapshot.notice {
                self.noticed = *number;
                self.toast.warn(words, time_s(ui));
            }
        }
        if self.snapshot.started && !before.started {
            self.zoom = self.snapshot.zoom;
            ui.ctx().set_zoom_factor(self.zoom.factor());
        }
        if let Some((number, words)) = &self.snapshot.notice
            && *number > self.noticed
        {
            self.noticed = *number;
            // Where a form waits for the answer, it stands there.
            if self.welcome.is_none() && !self.snapshot.locked && !self.contacts.is_waiting() {
                self.toast.warn(words, ui.input(|input| input.time));
            }
        }
        let remote = self.handle.remote.take();
        self.remote_flows.store(remote.is_some(), Ordering::Relaxed);
        if let Some(frame) = remote {
            self.ui_frames.note_cause(Cause::Picture);
            self.remote.set_frame(frame);
        }
        if let Some(frame) = self.handle.local.take() {
            self.ui_frames.note_cause(Cause::Picture);
            self.read_code(&frame);
            self.local.set_frame(frame);
        }
        let clock = if let CallView::Active(view) = &self.snapshot.call { view.clock } else { None };
        while let Some((id, stamps)) = self.remote.poll_shown() {
            if let Some((observer, _)) = &mut self.observer {
                observer(Seen::Picture(id, &stamps));
            }
            if let Some(hud) = &mut self.hud {
                hud.picture(&stamps, clock, now);
            }
        }
        let is_told = self.observer.as_ref().is_some_and(|(_, with_frames)| *with_frames);
        self.ui_frames.set_on(is_told || self.hud.as_ref().is_some_and(Hud::is_full));
        while let Some(frame) = self.ui_frames.poll() {
            if let Some((observer, true)) = &mut self.observer {
                observer(Seen::Frame(&frame));
            }
            if let Some(hud) = &mut self.hud {
                hud.frame(&frame);
            }
        }
        if before.appearance != self.snapshot.appearance || !before.started {
            ui.ctx().set_theme(theme::preference(self.snapshot.appearance));
        }
        self.attend_scan();
        self.attend_devices();
        let kind = std::mem::discriminant::<CallView>;
        if kind(&before.call) != kind(&self.snapshot.call) {
            self.call_changed(ui);
        }
    }

    /// Devices are asked for when they are to be shown; what was opened to look at oneself and to check the sound is closed
    /// when they are not.
    fn attend_devices(&mut self) {
        let idle = self.snapshot.call == CallView::Idle;
        let shown = idle
            && !self.snapshot.locked
            && self.welcome.as_ref().map_or(self.page == Page::Settings || self.scan.is_some(), Welcome::shows_devices)
            && self.snapshot.started;
        if shown && !self.listed {
            self.listed = self.handle.send(Command::ListDevices);
        }
        if !shown {
            self.listed = false;
        }
        let looking = idle && self.snapshot.camera != DeviceState::Off;
        if looking && !shown {
            let _ = self.handle.send(Command::StopPreview);
        }
        let check = &self.snapshot.sound_check;
        let checking = idle && (check.listening || check.speaker != DeviceState::Off);
        if checking && !shown {
            let _ = self.handle.send(Command::StopSoundCheck);
        }
        if idle && !looking {
            self.local.clear();
        }
    }

    /// Another part of a call has begun.
    fn call_changed(&mut self, ui: &Ui) {
        let title = match &self.snapshot.call {
            CallView::Idle | CallView::Ended { .. } => "Visavis".to_owned(),
            CallView::Incoming { peer, .. } => format!("{} is calling – Visavis", peer.name),
            CallView::Outgoing { peer, .. } | CallView::Connecting { peer, .. } => {
                format!("Calling {} – Visavis", peer.name)
            }
            CallView::Active(view) => format!("{} – Visavis", view.peer.name),
        };
        if title != self.title {
            self.title.clone_from(&title);
            ui.ctx().send_viewport_cmd(ViewportCommand::Title(title));
        }
        match &self.snapshot.call {
            CallView::Incoming { video, .. } => {
                self.video = *video;
                ui.ctx().send_viewport_cmd(ViewportCommand::RequestUserAttention(UserAttentionType::Critical));
            }
            CallView::Active(_) => {
                self.in_call = InCall::default();
            }
            CallView::Idle | CallView::Ended { .. } => {
                // The last picture of a call is nobody's business after it.
                self.remote.clear();
                self.local.clear();
                ui.ctx().send_viewport_cmd(ViewportCommand::RequestUserAttention(UserAttentionType::Reset));
            }
            CallView::Outgoing { .. } | CallView::Connecting { .. } => {}
        }
    }

    fn screen_ui(&mut self, ui: &mut Ui) -> Option<Action> {
        if !self.snapshot.started {
            return None;
        }
        if self.snapshot.call == CallView::Idle {
            return self.page_ui(ui);
        }
        // A button that was pressed for one call is not released for the next.
        ui.push_id(self.snapshot.call_number, |ui| self.call_ui(ui)).inner
    }

    fn call_ui(&mut self, ui: &mut Ui) -> Option<Action> {
        let lamps = self.lamps();
        let snapshot = &self.snapshot;
        let known = |handle: &str| snapshot.contacts.iter().any(|contact| contact.handle == handle);
        match &snapshot.call {
            CallView::Idle => None,
            CallView::Outgoing { peer, video, ringing, .. } => ringing::ringing_ui(ui, peer, *video, *ringing),
            CallView::Incoming { peer, video, .. } => incoming::incoming_ui(ui, peer, *video),
            CallView::Connecting { peer, .. } => ringing::connecting_ui(ui, peer),
            CallView::Active(view) => {
                let now = clock::now();
                let is_due = self.hud.as_ref().is_some_and(|hud| hud.is_due(now));
                let hud = self.hud.as_mut().map(|hud| hud.figures(view, now));
                if is_due {
                    self.ui_frames.note_cause(Cause::Hud);
                }
                if hud.is_some() {
                    ui.ctx().request_repaint_after(hud::REFRESH);
                }
                let scene = Scene {
                    remote: &self.remote,
                    local: &self.local,
                    snapshot,
                    now,
                    lamps,
                    hud,
                    full_screen: is_full_screen(ui),
                    talking: self.talk.is_held(),
                };
                self.in_call.in_call_ui(ui, view, &scene)
            }
            CallView::Ended { peer, outcome, talked_s } => {
                ended::ended_ui(ui, peer, outcome, *talked_s, self.video, known(&peer.handle), snapshot.locked)
            }
        }
    }

    fn lamps(&self) -> Lamps {
        let (camera, microphone) = self.handle.device_opens.open_now();
        Lamps { camera, microphone }
    }

    fn page_ui(&mut self, ui: &mut Ui) -> Option<Action> {
        let palette = theme::palette(ui.ctx());
        let lamps = self.lamps();
        CentralPanel::default()
            .frame(Frame::new().fill(palette.window))
            .show(ui, |ui| {
                let area = ui.max_rect();
                if self.snapshot.locked {
                    return self.unlock.unlock_ui(ui, &self.snapshot);
                }
                let (action, through) = match (&mut self.welcome, self.page) {
                    (Some(welcome), _) => welcome.welcome_ui(ui, &self.snapshot, &self.local),
                    (None, Page::Compare) => {
                        let (scan, camera, local) = (self.scan.as_ref(), &self.snapshot.camera, &self.local);
                        let scan_ui = |ui: &mut Ui| scan.and_then(|scan| scan.scan_ui(ui, camera, local));
                        (compare::compare_ui(ui, &self.snapshot, scan.is_some(), scan_ui), false)
                    }
                    (None, page) => {
                        let action = match (&self.scan, page) {
                            (Some(scan), _) if scan.purpose.page() == page => {
                                column_ui(ui, theme::COLUMN, |ui| scan.scan_ui(ui, &self.snapshot.camera, &self.local))
                            }
                            (_, Page::Settings) => {
                                settings::settings_ui(ui, &self.snapshot, &self.local, &mut self.account)
                            }
                            _ => self.contacts.contacts_ui(ui, &self.snapshot),
                        };
                        (action, false)
                    }
                };
                if through {
                    self.welcome = None;
                }
                lamps_ui(ui, area, lamps);
                action
            })
            .inner
    }

    fn perform(&mut self, ui: &Ui, action: Action, call: CallNumber, by_key: bool) {
        let command = match action {
            Action::CreateProfile { name, server } => Command::CreateProfile { name, server },
            Action::Call { handle, video } => {
                self.video = video;
                // The click on a call button is the act of the person.
                Command::Dial { handle, video, consent: UserConsent::given_by_person() }
            }
            // So is the click on one of the two accepting buttons.
            Action::Accept { video } => Command::Accept { call, video, consent: UserConsent::given_by_person() },
            Action::Decline => Command::Decline { call },
            Action::HangUp => Command::HangUp { call },
            Action::Dismiss => Command::Dismiss,
            Action::Microphone(on) => {
                let (icon, words) =
                    if on { (icons::MICROPHONE, "Microphone on") } else { (icons::MICROPHONE_OFF, "Microphone off") };
                self.say(ui, by_key, icon, words);
                Command::SetMicrophone { on }
            }
            Action::Camera(on) => {
                let (icon, words) = if on { (icons::CAMERA, "Camera on") } else { (icons::CAMERA_OFF, "Camera off") };
                self.say(ui, by_key, icon, words);
                Command::SetCamera { on }
            }
            Action::Speaker(on) => Command::SetSpeaker { on },
            // So is the click on the button that turns the camera on.
            Action::StartPreview => Command::StartPreview { consent: UserConsent::given_by_person() },
            Action::StopPreview => Command::StopPreview,
            // And on the one that turns the microphone on.
            Action::StartMicrophoneCheck => Command::StartMicrophoneCheck { consent: UserConsent::given_by_person() },
            Action::PlayTestTone => Command::PlayTestTone,
            Action::StopSoundCheck => Command::StopSoundCheck,
            Action::ListDevices => Command::ListDevices,
            Action::ChooseDevices(choice) => Command::ChooseDevices(choice),
            Action::Appearance(appearance) => Command::SetAppearance(appearance),
            Action::Zoom(zoom) => {
                self.zoom = zoom;
                ui.ctx().set_zoom_factor(zoom.factor());
                self.say(ui, by_key, icons::SEARCH, &format!("Everything at {} %", zoom.percent()));
                Command::SetZoom(zoom)
            }
            Action::Unlock(passphrase) => Command::Unlock { passphrase },
            Action::Lock => Command::Lock,
            Action::LockAfter(minutes) => Command::SetLockAfter { minutes },
            Action::HideAddress(hide) => Command::SetHideAddress { hide },
            Action::Account(command) => Command::Account(command),
            Action::Protect(how) => Command::Protect(how),
            Action::ShowKit => Command::ShowKit,
            Action::KitIsKept => Command::KitIsKept,
            Action::HideKit => Command::HideKit,
            Action::ImportKit(text) => Command::ImportKit { text },
            Action::RevokeDevice { device, kit } => Command::RevokeDevice { device, kit },
            Action::StartLink(server) => Command::StartLink { server },
            Action::ReadLink(code) => Command::ReadLink { code },
            Action::ConfirmLink(kit) => Command::ConfirmLink { kit },
            Action::CancelLink => Command::CancelLink,
            Action::Wipe => Command::Wipe,
            Action::Show(page) => {
                self.account.forget();
                self.page = page;
                ui.ctx().request_repaint();
                return;
            }
            Action::AddContact(whom) => Command::AddContact { whom },
            Action::RemoveContact(handle) => Command::RemoveContact { handle },
            Action::RenameContact { handle, name } => Command::RenameContact { handle, name },
            Action::TrustNewKey(handle) => Command::TrustNewKey { handle },
            Action::KeepOldKey(handle) => Command::KeepOldKey { handle },
            Action::SetVerified { handle, verified } => Command::SetVerified { handle, verified },
            Action::SetSilent { handle, silent } => Command::SetSilent { handle, silent },
            Action::Compare(handle) => {
                self.page = Page::Compare;
                Command::Compare { handle: Some(handle) }
            }
            Action::Scan(purpose) => self.start_scan(purpose),
            Action::StopScan => self.stop_scan(),
            Action::RenewLink => Command::RenewLink,
            Action::AcceptRequest(handle) => Command::AcceptRequest { handle },
            Action::DismissRequest(handle) => Command::DismissRequest { handle },
            Action::Block(handle) => Command::Block { handle },
            Action::Unblock(handle) => Command::Unblock { handle },
            Action::ToggleFullScreen => {
                let full = !is_full_screen(ui);
                self.say(ui, by_key, icons::FULL_SCREEN, if full { "Full screen" } else { "Window" });
                ui.ctx().send_viewport_cmd(ViewportCommand::Fullscreen(full));
                return;
            }
            Action::ToggleHud => {
                self.hud = Hud::next(self.hud.take());
                ui.ctx().request_repaint();
                return;
            }
            Action::ToggleHelp => {
                self.help = !self.help;
                ui.ctx().request_repaint();
                return;
            }
            Action::Copied(words) => {
                self.say(ui, true, icons::DONE, words);
                return;
            }
        };
        if !self.handle.send(command) {
            self.toast.warn("The engine has stopped. Close the window and start Visavis again.", time_s(ui));
        }
    }

    /// A toast, where the screen itself does not show what was done to whoever did it.
    fn say(&mut self, ui: &Ui, wanted: bool, icon: char, words: &str) {
        if wanted {
            self.toast.say(icon, words, time_s(ui));
        }
    }
}

fn time_s(ui: &Ui) -> f64 {
    ui.input(|input| input.time)
}

fn is_full_screen(ui: &Ui) -> bool {
    ui.input(|input| input.viewport().fullscreen.unwrap_or(false))
}

/// Asks for one frame. egui takes a request for "now" as one for two, so that widgets settle; of a picture every second frame
/// would show nothing new, and keep the next picture waiting.
fn draw_once(ctx: &Context) {
    ctx.request_repaint_after(Duration::from_nanos(1));
}
