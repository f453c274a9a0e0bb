//! Clicks through the window with real engines and a real server behind it: the same contents as in the real window,
//! driven through AccessKit by the names that a screen reader would say.

mod account;
mod contacts;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use egui::{Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use tempfile::TempDir;
use visavis::engine::config::{EngineConfig, SoundChoice, VideoChoice, VideoSettings};
use visavis::engine::handle::DeviceOpens;
use visavis::engine::{Engine, clock};
use visavis::render::{Gpu, VideoPainter};
use visavis::server::{RunningServer, ServerConfig};
use visavis::store::profile::Profile;
use visavis::ui::App;

/// Longest time for anything between two engines on this machine, with room for a busy one.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server and a folder for profiles.
struct World {
    folder: TempDir,
    server: RunningServer,
    painter: Arc<VideoPainter>,
}

/// Steps of waiting after which somebody moves the pointer: fewer than the controls of a call stay without it.
const STEPS_TO_STIR: u32 = 8;

/// Somebody at a window.
struct Person {
    window: Harness<'static>,
    opens: Arc<DeviceOpens>,
    _engine: Engine,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = ServerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: folder.path().join("server"),
            domain: None,
        };
        let painter = VideoPainter::offscreen(&Gpu::open().unwrap()).unwrap();
        Self { server: RunningServer::start(&config).unwrap(), folder, painter }
    }

    /// A window over the profile `folder`, without sound.
    fn open(&self, folder: &str) -> Person {
        self.open_with(folder, SoundChoice::None, SoundChoice::None)
    }

    fn open_with(&self, folder: &str, microphone: SoundChoice, speaker: SoundChoice) -> Person {
        self.open_before(folder, VideoChoice::Pattern, microphone, speaker)
    }

    /// A window with this in front of its camera.
    fn open_before(&self, folder: &str, seen: VideoChoice, microphone: SoundChoice, speaker: SoundChoice) -> Person {
        let profile = Profile::open(&self.folder.path().join(folder)).unwrap();
        let config = EngineConfig {
            video: VideoSettings::new(160, 96, 30),
            video_source: Some(seen),
            microphone: Some(microphone),
            speaker: Some(speaker),
            ..EngineConfig::default()
        };
        let (engine, handle) = Engine::start(profile, config).unwrap();
        let opens = Arc::clone(&handle.device_opens);
        let (mut app, mut handle, painter) = (None, Some(handle), Arc::clone(&self.painter));
        let window = Harness::builder().with_size(egui::vec2(1040.0, 1100.0)).build_ui(move |ui| {
            let app = app.get_or_insert_with(|| App::new(ui.ctx(), handle.take().unwrap(), &painter));
            app.ui(ui);
        });
        Person { window, opens, _engine: engine }
    }

    /// Somebody who has been through the first run, without sound.
    fn person(&self, name: &str) -> Person {
        self.person_with(name, SoundChoice::None, SoundChoice::None)
    }

    fn person_with(&self, name: &str, microphone: SoundChoice, speaker: SoundChoice) -> Person {
        let person = self.open_with(name, microphone, speaker);
        self.through_first_run(person, name)
    }

    fn through_first_run(&self, mut person: Person, name: &str) -> Person {
        person.register(name, &self.server.address().to_string());
        person.see("Look at yourself");
        assert_eq!(person.nameless(), [""; 0]);
        person.press("Continue");
        person.see("no recovery kit has been kept");
        person.press("Later");
        person.see("You are ready");
        person.press("Show my contacts");
        person.see("Nobody here yet");
        person
    }

    /// Two people who have each other as contacts.
    fn two(&self) -> (Person, Person) {
        let (mut alice, mut bob) = (self.person("alice"), self.person("bob"));
        alice.add("bob");
        bob.add("alice@127.0.0.1");
        (alice, bob)
    }
}

impl Person {
    /// Steps until `holds`, and moves the pointer now and then like a person who is looking for something: the
    /// controls of a call leave a window in which nothing moves, and how many steps a wait takes depends on the machine.
    fn until(&mut self, what: &str, holds: impl Fn(&Harness) -> bool) {
        let start = clock::now();
        for waited in 1.. {
            self.window.step();
            if holds(&self.window) {
                return;
            }
            if waited % STEPS_TO_STIR == 0 {
                self.stir();
            }
            assert!(
                clock::now().since(start) < PATIENCE,
                "{what} did not come about; on the screen: {:?}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that a screen reader finds.
    fn screen(&self) -> Vec<String> {
        let nodes = self.window.root().children_recursive();
        nodes.filter_map(|node| node.accesskit_node().label().or(node.accesskit_node().value())).collect()
    }

    fn see(&mut self, words: &str) {
        self.until(words, |window| window.query_all_by_label_contains(words).next().is_some());
    }

    fn see_the_camera_closed(&mut self) {
        let opens = Arc::clone(&self.opens);
        self.until("the camera is closed", |_| !opens.open_now().0);
    }

    fn press(&mut self, name: &str) {
        self.until(name, |window| window.query_by_label(name).is_some());
        self.window.get_by_label(name).click();
        self.window.run_steps(3);
    }

    /// Presses what may lie further down.
    fn scroll_and_press(&mut self, name: &str) {
        self.until(name, |window| window.query_by_label(name).is_some());
        self.window.get_by_label(name).scroll_to_me();
        self.window.run_steps(8);
        self.press(name);
    }

    /// Moves the pointer, which brings the controls of a call back.
    fn stir(&mut self) {
        for x in [20.0, 24.0] {
            self.window.event(egui::Event::PointerMoved(egui::pos2(x, 500.0)));
            self.window.step();
        }
    }

    fn sees(&self, words: &str) -> bool {
        self.window.query_all_by_label_contains(words).next().is_some()
    }

    /// The recovery kit that is on the screen.
    fn kit(&mut self) -> String {
        self.see("Check:");
        let lines = self.screen();
        let from = lines.iter().position(|line| line.starts_with("Visavis recovery kit")).unwrap();
        let to = lines.iter().position(|line| line.starts_with("Check:")).unwrap();
        lines[from..=to].join(" ")
    }

    /// A text on the screen.
    fn shown(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let texts = self.window.query_all_by_role(Role::Label).filter_map(|node| node.accesskit_node().value());
        texts.into_iter().find(|text| is_wanted(text)).expect("a text on the screen")
    }

    fn write(&mut self, field: &str, text: &str) {
        self.write_into(Role::TextInput, field, text);
    }

    fn write_hidden(&mut self, field: &str, text: &str) {
        self.write_into(Role::PasswordInput, field, text);
    }

    fn write_into(&mut self, role: Role, field: &str, text: &str) {
        self.window.get_by_role_and_label(role, field).focus();
        self.window.step();
        self.window.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.window.get_by_role_and_label(role, field).type_text(text);
        self.window.run_steps(2);
    }

    fn register(&mut self, name: &str, server: &str) {
        self.see("Welcome to Visavis");
        self.write("Your name on the server", name);
        self.write("Server address", server);
        self.press("Continue");
    }

    fn add(&mut self, handle: &str) {
        self.press("Add contact");
        self.write("Link or handle", handle);
        self.press("Add");
        self.see("Video call to");
    }

    fn shortcut(&mut self, key: Key) {
        self.window.key_press_modifiers(Modifiers::CTRL | Modifiers::SHIFT, key);
        self.window.run_steps(2);
    }

    /// Keeps a picture of the window where whoever wants to look at it has said so.
    fn picture(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("VISAVIS_PICTURES") {
            let picture = self.window.render().unwrap();
            picture.save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
        }
    }

    /// Buttons and fields that a screen reader could not name.
    fn nameless(&self) -> Vec<String> {
        let controls =
            [Role::Button, Role::TextInput, Role::PasswordInput, Role::CheckBox, Role::ComboBox, Role::Slider];
        let nodes = self.window.root().children_recursive();
        let nameless = nodes.filter(|node| {
            let node = node.accesskit_node();
            controls.contains(&node.role()) && node.label().is_none_or(|label| label.trim().is_empty())
        });
        nameless.map(|node| format!("{:?}", node.accesskit_node().role())).collect()
    }
}

#[test]
fn a_whole_call_is_clicked_through_on_both_sides() {
    let world = World::new();
    let (mut alice, mut bob) = world.two();
    alice.see("Available");

    alice.press("Video call to bob");
    alice.see("Ringing");
    bob.see("wants a video call");
    assert_eq!(bob.nameless(), [""; 0]);
    assert_eq!((alice.opens.counts(), bob.opens.counts()), ((0, 0, 0), (0, 0, 0)), "nothing opens before the yes");
    bob.press("Accept");

    for person in [&mut alice, &mut bob] {
        person.see("Your own picture");
        person.see("Camera is on");
        person.until("the first picture", |window| {
            window.query_all_by_label_contains("Waiting for the first picture").next().is_none()
        });
        assert_eq!(person.nameless(), [""; 0]);
    }
    alice.press("Mute microphone");
    alice.see("Unmute microphone");
    bob.see("muted");
    alice.press("Choose microphone");
    alice.see("Microphone: No microphone");
    alice.window.key_press(Key::Escape);
    alice.window.run_steps(3);
    bob.press("Choose camera");
    bob.press("Camera: No camera");
    alice.see("Their camera is off");
    bob.until("the camera's handle is dropped", |window| window.query_by_label("Camera is on").is_none());
    bob.press("Choose camera");
    assert_eq!(bob.nameless(), [""; 0]);
    bob.press("Camera: Moving test pattern");
    bob.see("Camera is on");
    alice.until("bob is seen again", |window| window.query_by_label("Their camera is off").is_none());
    bob.shortcut(Key::V);
    bob.see("Camera off");
    alice.see("Their camera is off");
    bob.until("the camera's handle is dropped", |window| window.query_by_label("Camera is on").is_none());
    assert!(!bob.opens.open_now().0);

    alice.press("Security of this call");
    bob.press("Security of this call");
    let number = |person: &Person| {
        let groups = person.window.root().children_recursive().filter_map(|node| node.accesskit_node().value());
        groups.filter(|text| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())).collect::<Vec<_>>()
    };
    assert_eq!(number(&alice).len(), 12);
    assert_eq!(number(&alice), number(&bob), "both sides compare the same digits");
    alice.press("Close");

    alice.press("More");
    alice.press("Camera and sound");
    alice.see("Speaker");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.press("Done");

    alice.press("Hang up");
    alice.see("You hung up.");
    bob.see("They hung up.");
    assert_eq!(bob.nameless(), [""; 0]);
    alice.press("Done");
    alice.see("Contacts");
    assert_eq!((alice.opens.open_now(), bob.opens.open_now()), ((false, false), (false, false)));
}

#[test]
fn a_muted_person_is_heard_while_space_is_held_and_a_focused_control_keeps_its_space() {
    let world = World::new();
    let (mut alice, mut bob) = world.two();
    alice.press("Video call to bob");
    bob.press("Accept without camera");
    alice.press("Mute microphone");
    alice.see("Unmute microphone");
    bob.see("muted");
    alice.window.key_down(Key::Space);
    alice.see("Talking while Space is held");
    alice.see("Mute microphone");
    bob.until("she is heard", |window| window.query_by_label("muted").is_none());
    alice.window.key_up(Key::Space);
    alice.see("Unmute microphone");
    bob.see("muted");
    assert!(!alice.sees("Talking while Space is held"));

    alice.window.get_by_label("Unmute microphone").focus();
    alice.window.run_steps(2);
    alice.window.key_press(Key::Space);
    alice.see("Mute microphone");
    alice.window.run_steps(3);
    assert!(!alice.sees("Talking while Space is held") && alice.window.query_by_label("Mute microphone").is_some());
    alice.shortcut(Key::H);
    bob.see("They hung up.");
}

#[test]
fn declining_cancelling_and_answering_without_a_camera_are_told_to_the_other_side() {
    let world = World::new();
    let (mut alice, mut bob) = world.two();
    alice.press("Video call to bob");
    bob.press("Decline");
    alice.see("They declined the call.");
    bob.press("Done");

    alice.press("Call again");
    bob.see("wants a video call");
    alice.press("Cancel the call");
    bob.see("You missed the call.");
    assert_eq!((alice.opens.counts(), bob.opens.counts()), ((0, 0, 0), (0, 0, 0)));
    bob.press("Done");

    alice.press("Call again");
    bob.press("Accept without camera");
    alice.see("Their camera is off");
    bob.see("Turn camera on");
    assert_eq!(bob.opens.counts().0, 0);
    bob.shortcut(Key::H);
    alice.see("They hung up.");
}

#[test]
fn a_name_that_is_taken_can_be_replaced_on_the_same_screen() {
    let world = World::new();
    let _alice = world.person("alice");
    let mut late = world.open("late");
    late.register("alice", "nonsense");
    late.see("server address looks like");
    assert_eq!(late.nameless(), [""; 0]);
    late.write("Server address", &world.server.address().to_string());
    late.press("Continue");
    late.see("name is taken");
    late.write("Your name on the server", "alicia");
    late.press("Continue");
    late.see("Look at yourself");
    late.press("Continue");
    late.press("Later");
    late.see("alicia@127.0.0.1");

    // Another start finds the name that was taken in the end.
    drop(late);
    let mut again = world.open("late");
    again.see("alicia@127.0.0.1");
    again.see("Nobody here yet");
}

#[test]
fn a_look_at_oneself_ends_with_the_screen_and_settings_are_kept() {
    let world = World::new();
    let mut alice = world.person("alice");
    alice.press("Settings");
    alice.see("Microphone");
    assert_eq!(alice.opens.counts(), (0, 0, 0), "looking for devices opens none");
    alice.press("Look at yourself");
    alice.see("Turn the camera off");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.press("Light");
    alice.until("light colours", |window| window.ctx.theme() == egui::Theme::Light);
    alice.press("Larger");
    alice.see("110 %");
    alice.press("Back");
    alice.see("Nobody here yet");
    for _ in 0..12 {
        alice.window.key_press_modifiers(Modifiers::COMMAND, Key::Plus);
        alice.window.run_steps(2);
    }
    alice.see("Everything at 200 %");
    alice.until("twice the size, and no more", |window| (window.ctx.zoom_factor() - 2.0).abs() < 0.01);
    let opens = Arc::clone(&alice.opens);
    alice.until("the camera is released", |_| opens.open_now() == (false, false));
    assert_eq!(alice.opens.counts().0, 1);

    drop(alice);
    let mut again = world.open("alice");
    again.until("light colours", |window| window.ctx.theme() == egui::Theme::Light);
    again.until("the size is kept", |window| (window.ctx.zoom_factor() - 2.0).abs() < 0.01);
    again.window.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    again.until("the usual size", |window| (window.ctx.zoom_factor() - 1.0).abs() < 0.01);
}

/// Through the sound server that `tests/with-desktop.sh` starts: what is played to its sink `microphone` is heard.
#[test]
fn the_microphone_is_checked_with_the_test_tone_and_closed_on_leaving_and_when_somebody_calls() {
    let world = World::new();
    let device = |name: &str| SoundChoice::Device(Some(name.to_owned()));
    let mut alice = world.person_with("alice", device("microphone.monitor"), device("microphone"));
    let mut bob = world.person("bob");
    alice.add("bob");
    bob.add("alice");
    alice.press("Settings");
    alice.see("Test the microphone");
    assert_eq!(alice.opens.counts(), (0, 0, 0), "nothing opens unasked");
    let level = |window: &Harness| {
        let meter = window.query_by_role_and_label(Role::Meter, "Microphone level");
        meter.and_then(|meter| meter.accesskit_node().numeric_value())
    };
    alice.press("Test the microphone");
    alice.until("silence is shown", |window| level(window) == Some(0.0));
    alice.see("Microphone is on");
    alice.press("Play a test tone");
    alice.until("the tone is heard", |window| level(window).is_some_and(|level| level > 40.0));
    alice.see("You should hear three notes");
    let opens = Arc::clone(&alice.opens);
    assert_eq!((opens.counts(), opens.open_now()), ((0, 1, 1), (false, true)));
    assert_eq!(alice.nameless(), [""; 0]);
    alice.until("the tone is over", |window| window.query_by_label_contains("three notes").is_none());
    alice.press("Turn the microphone off");
    alice.until("the lamp goes out", |window| window.query_by_label("Microphone is on").is_none());

    alice.press("Test the microphone");
    alice.see("Microphone is on");
    alice.press("Back");
    alice.until("the microphone is released", |_| !opens.open_now().1);

    alice.press("Settings");
    alice.press("Test the microphone");
    alice.see("Microphone is on");
    bob.press("Audio call to alice");
    alice.see("wants an audio call");
    assert!(!opens.open_now().1, "a microphone is open while it rings");
    alice.press("Decline");
    assert_eq!(opens.counts().1, 3);
}

#[test]
fn a_check_of_what_is_not_there_says_so() {
    let world = World::new();
    let missing = SoundChoice::Device(Some("no such thing".into()));
    let mut alice = world.person_with("alice", missing, SoundChoice::None);
    alice.press("Settings");
    alice.press("Test the microphone");
    alice.see("There is no sound device 'no such thing'");
    alice.press("Play a test tone");
    alice.see("No speaker is chosen");
    assert_eq!(alice.opens.counts(), (0, 0, 0));
}

#[test]
fn contacts_are_renamed_searched_and_removed() {
    let world = World::new();
    let mut alice = world.person("alice");
    for name in ["ben", "cleo", "dora", "emil", "fay", "gus"] {
        alice.press("Add contact");
        alice.write("Link or handle", name);
        alice.press("Add");
        alice.see(&format!("Video call to {name}"));
    }
    alice.press("Add contact");
    alice.write("Link or handle", "ben");
    alice.press("Add");
    alice.see("one of your contacts already");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.press("Cancel");

    alice.press("More about cleo");
    alice.press("Rename");
    alice.write("Name for cleo@127.0.0.1", "Aunt Cleo");
    alice.press("Save");
    alice.see("Video call to Aunt Cleo");
    alice.write("Search contacts", "aunt");
    assert!(alice.sees("Audio call to Aunt Cleo") && !alice.sees("Audio call to ben"));
    alice.write("Search contacts", "nobody");
    alice.see("No contact matches");
    alice.write("Search contacts", "cleo");
    alice.press("More about Aunt Cleo");
    alice.press("Remove");
    alice.press("Remove Aunt Cleo");
    alice.until("Cleo is gone", |window| window.query_by_label("Video call to Aunt Cleo").is_none());
}

#[test]
fn a_window_that_nobody_touches_does_not_repaint() {
    let world = World::new();
    let (mut alice, bob) = world.two();
    alice.see("Available");
    // Whatever was going on has come to rest.
    alice.window.run();
    std::thread::sleep(Duration::from_millis(500));
    alice.window.run_ok();
    let causes = alice.window.ctx.repaint_causes();
    assert!(!alice.window.ctx.has_requested_repaint(), "the contacts repaint on their own: {causes:?}");
    let passes = alice.window.ctx.cumulative_pass_nr();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(alice.window.ctx.cumulative_pass_nr(), passes);
    assert!(!alice.window.ctx.has_requested_repaint(), "{:?}", alice.window.ctx.repaint_causes());
    drop(bob);
}
