//! The window's contents: takes snapshots and pictures from the engine, shows the screen that fits, does what the person
//! did there. Knows egui only, so that it runs in a window, offscreen and in tests alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egui::{CentralPanel, Context, Frame, Popup, Ui, UserAttentionType, ViewportCommand};

use super::action::{Action, Page};
use super::hud::{self, Hud};
use super::icons;
use super::push_to_talk::PushToTalk;
use super::screens::contacts::Contacts;
use super::screens::in_call::{InCall, Scene};
use super::screens::welcome::Welcome;
use super::screens::{ended, incoming, ringing, settings};
use super::shortcuts;
use super::theme;
use super::widgets::lamps::{Lamps, lamps_ui};
use super::widgets::toast::Toast;
use crate::call::UserConsent;
use crate::engine::clock;
use crate::engine::handle::{CallView, Command, DeviceState, EngineHandle, Snapshot, Zoom};
use crate::media::{FrameId, Stamps};
use crate::render::{VideoPainter, VideoView};

/// The window's contents, and the engine behind them.
pub struct App {
    handle: EngineHandle,
    snapshot: Snapshot,
    welcome: Option<Welcome>,
    page: Page,
    /// The system was asked for its devices since they were last shown.
    listed: bool,
    contacts: Contacts,
    in_call: InCall,
    remote: VideoView,
    local: VideoView,
    hud: Option<Hud>,
    help: bool,
    /// How large everything is; the engine only keeps it.
    zoom: Zoom,
    talk: PushToTalk,
    toast: Toast,
    /// Number of the newest notice that was shown.
    noticed: u64,
    /// Whether the call that is or was had a picture, for "call again".
    video: bool,
    /// Pictures of the peer come, so that own ones need not wake the window.
    remote_flows: Arc<AtomicBool>,
    title: String,
    observer: Option<Observer>,
}

/// Is told of each picture of the peer that the GPU has finished, with its record.
pub type Observer = Box<dyn FnMut(FrameId, &Stamps) + Send>;

impl App {
    /// Contents for `ctx`, which gets the theme and is woken by the engine from now on; video is drawn by `painter`.
    #[must_use]
    pub fn new(ctx: &Context, handle: EngineHandle, painter: &Arc<VideoPainter>) -> Self {
        theme::install(ctx);
        // The same keys are ours, since egui's go further than the screens do.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let remote_flows = Arc::new(AtomicBool::new(false));
        for bell in [&handle.remote_bell, &handle.snapshot_bell] {
            let ctx = ctx.clone();
            bell.attend_with(move || ctx.request_repaint());
        }
        let (waker, flows) = (ctx.clone(), Arc::clone(&remote_flows));
        handle.local_bell.attend_with(move || {
            if !flows.load(Ordering::Relaxed) {
                waker.request_repaint();
            }
        });
        Self {
            handle,
            snapshot: Snapshot::default(),
            welcome: None,
            page: Page::default(),
            listed: false,
            contacts: Contacts::default(),
            in_call: InCall::default(),
            remote: VideoView::new(Arc::clone(painter)),
            local: VideoView::new(Arc::clone(painter)),
            hud: None,
            help: false,
            zoom: Zoom::default(),
            talk: PushToTalk::default(),
            toast: Toast::default(),
            noticed: 0,
            video: true,
            remote_flows,
            title: String::new(),
            observer: None,
        }
    }

    /// Has `observer` told of the pictures that were drawn: for measuring.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// Draws everything.
    pub fn ui(&mut self, ui: &mut Ui) {
        self.take(ui);
        let typing = ui.ctx().text_edit_focused();
        let key = ui.input_mut(|input| shortcuts::handle_keys(input, &self.snapshot.call, self.zoom, typing));
        let by_key = key.is_some();
        self.push_to_talk(ui);
        let action = key.or(self.screen_ui(ui));
        if let Some(action) = action {
            self.perform(ui, action, by_key);
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
            self.perform(ui, Action::Microphone(on), false);
        }
    }

    /// Takes what the engine has made since the last time.
    fn take(&mut self, ui: &Ui) {
        let now = clock::now();
        let before = std::mem::replace(&mut self.snapshot, self.handle.snapshots.borrow_and_update().clone());
        if self.snapshot.started && !before.started {
            let known = self.snapshot.me.as_ref().is_some_and(|me| me.registered);
            self.welcome = (!known).then(Welcome::default);
            self.zoom = self.snapshot.zoom;
            ui.ctx().set_zoom_factor(self.zoom.factor());
        }
        if let Some((number, words)) = &self.snapshot.notice
            && *number > self.noticed
        {
            self.noticed = *number;
            // Where a form waits for the answer, it stands there.
            if self.welcome.is_none() && !self.contacts.is_waiting() {
                self.toast.warn(words.to_string(), ui.input(|input| input.time));
            }
        }
        let remote = self.handle.remote.take();
        self.remote_flows.store(remote.is_some(), Ordering::Relaxed);
        if let Some(frame) = remote {
            self.remote.set_frame(frame);
        }
        if let Some(frame) = self.handle.local.take() {
            self.local.set_frame(frame);
        }
        while let Some((id, stamps)) = self.remote.poll_shown() {
            if let Some(observer) = &mut self.observer {
                observer(id, &stamps);
            }
            if let Some(hud) = &mut self.hud {
                hud.picture(&stamps, now);
            }
        }
        if before.appearance != self.snapshot.appearance || !before.started {
            ui.ctx().set_theme(theme::preference(self.snapshot.appearance));
        }
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
            && self.welcome.as_ref().map_or(self.page == Page::Settings, Welcome::shows_devices)
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
        let lamps = self.lamps();
        let snapshot = &self.snapshot;
        let known = |handle: &str| snapshot.contacts.iter().any(|contact| contact.handle == handle);
        match &snapshot.call {
            CallView::Idle => self.page_ui(ui),
            CallView::Outgoing { peer, video, ringing, .. } => ringing::ringing_ui(ui, peer, *video, *ringing),
            CallView::Incoming { peer, video, .. } => incoming::incoming_ui(ui, peer, *video, known(&peer.handle)),
            CallView::Connecting { peer, .. } => ringing::connecting_ui(ui, peer),
            CallView::Active(view) => {
                let now = clock::now();
                let hud = self.hud.as_mut().map(|hud| hud.line(view, now));
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
                ended::ended_ui(ui, peer, outcome, *talked_s, self.video, known(&peer.handle))
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
                let (action, through) = match (&mut self.welcome, self.page) {
                    (Some(welcome), _) => welcome.welcome_ui(ui, &self.snapshot, &self.local),
                    (None, Page::Contacts) => (self.contacts.contacts_ui(ui, &self.snapshot), false),
                    (None, Page::Settings) => (settings::settings_ui(ui, &self.snapshot, &self.local), false),
                };
                if through {
                    self.welcome = None;
                }
                lamps_ui(ui, area, lamps);
                action
            })
            .inner
    }

    fn perform(&mut self, ui: &Ui, action: Action, by_key: bool) {
        let command = match action {
            Action::CreateProfile { name, server } => Command::CreateProfile { name, server },
            Action::Call { handle, video } => {
                self.video = video;
                // The click on a call button is the act of the person.
                Command::Dial { handle, video, consent: UserConsent::given_by_person() }
            }
            // So is the click on one of the two accepting buttons.
            Action::Accept { video } => Command::Accept { video, consent: UserConsent::given_by_person() },
            Action::Decline => Command::Decline,
            Action::HangUp => Command::HangUp,
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
            Action::Show(page) => {
                self.page = page;
                ui.ctx().request_repaint();
                return;
            }
            Action::AddContact(handle) => Command::AddContact { handle },
            Action::RemoveContact(handle) => Command::RemoveContact { handle },
            Action::RenameContact { handle, name } => Command::RenameContact { handle, name },
            Action::TrustNewKey(handle) => Command::TrustNewKey { handle },
            Action::ToggleFullScreen => {
                let full = !is_full_screen(ui);
                self.say(ui, by_key, icons::FULL_SCREEN, if full { "Full screen" } else { "Window" });
                ui.ctx().send_viewport_cmd(ViewportCommand::Fullscreen(full));
                return;
            }
            Action::ToggleHud => {
                self.hud = if self.hud.is_some() { None } else { Some(Hud::default()) };
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
