//! People in the window: links and codes, strangers, who is shut out, keys that change, safety numbers.

use std::io::Write;
use std::path::Path;

use egui::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use qrcode::QrCode;
use visavis::engine::config::{SoundChoice, VideoChoice};
use visavis::store::profile::Profile;

use super::{Person, World};

fn link(person: &mut Person) -> String {
    person.press("Show my link");
    person.see("My link as a code to scan");
    person.shown(|text| text.starts_with("visavis:"))
}

/// The digits of the safety number on the screen.
fn digits(person: &Person) -> String {
    let groups = person.window.root().children_recursive().filter_map(|node| node.accesskit_node().value());
    groups.filter(|text| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// Files in which a camera would see the code of this text.
pub fn show_code(file: &Path, text: &str) {
    let code = QrCode::new(text).unwrap();
    let (side, dark) = (code.width(), code.to_colors());
    let (width, height, square) = (640, 480, 7);
    let mut out = std::fs::File::create(file).unwrap();
    write!(out, "YUV4MPEG2 W{width} H{height} F30:1 Ip C420jpeg\nFRAME\n").unwrap();
    let inside = |at: usize| at.checked_sub(40).map(|at| at / square).filter(|at| *at < side);
    let luma = |n: usize| match (inside(n % width), inside(n / width)) {
        (Some(x), Some(y)) if dark[y * side + x] == qrcode::Color::Dark => 50,
        _ => 200,
    };
    let planes: Vec<u8> = (0..width * height).map(luma).chain(vec![128; width * height / 2]).collect();
    out.write_all(&planes).unwrap();
}

#[test]
fn a_link_verifies_at_once_and_who_has_an_old_one_only_asks() {
    let world = World::new();
    let mut alice = world.person("alice");
    let old = link(&mut alice);
    assert_eq!(alice.nameless(), [""; 0]);
    alice.picture("my-link");
    alice.press("Make a new link");
    alice.until("another link", |window| window.query_by_label(&old).is_none());
    let new = alice.shown(|text| text.starts_with("visavis:"));
    assert_ne!(old, new);
    alice.press("Hide my link");

    let mut bob = world.person("bob");
    bob.press("Add contact");
    bob.write("Link or handle", &new[..new.len() - 3]);
    bob.press("Add");
    bob.see("incomplete or damaged");
    bob.write("Link or handle", &new);
    bob.press("Add");
    bob.see("Video call to alice");
    bob.see("Verified");
    bob.press("Video call to alice");
    alice.see("wants a video call");
    alice.see("Not one of your contacts, but they have your link");
    alice.picture("incoming-by-link");
    alice.press("Decline");
    bob.see("They declined the call.");
    alice.press("Done");

    // Carol has the old link: nothing rings, and she learns nothing.
    let mut carol = world.person("carol");
    carol.press("Add contact");
    carol.write("Link or handle", &old);
    carol.press("Add");
    carol.press("Video call to alice");
    alice.see("Requests");
    alice.see("carol@127.0.0.1");
    assert!(!alice.sees("wants a video call") && !alice.sees("Accept"));
    assert_eq!(alice.opens.counts(), (0, 0, 0));
    assert_eq!(alice.nameless(), [""; 0]);
    alice.picture("requests");
    carol.see("Ringing");
    carol.press("Cancel the call");
    carol.press("Call again");
    alice.see("Called 2 times");
    alice.press("Add carol@127.0.0.1 as a contact");
    alice.see("Video call to carol");
    carol.press("Cancel the call");
    carol.press("Call again");
    alice.see("wants a video call");
}

#[test]
fn who_is_blocked_does_not_ring_and_is_let_in_again_in_the_settings() {
    let world = World::new();
    let (mut alice, mut bob) = world.two();
    alice.press("More about bob");
    alice.press("Ring silently");
    alice.see("Rings silently");
    alice.press("More about bob");
    alice.picture("contact-menu");
    alice.press("Block");
    alice.see("Block bob?");
    alice.press("Block bob");
    alice.see("Nobody here yet");
    bob.press("Video call to alice");
    bob.see("Ringing");
    for _ in 0..100 {
        alice.window.step();
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(!alice.sees("wants a video call") && !alice.sees("Requests"));
    }
    bob.press("Cancel the call");
    alice.press("Settings");
    alice.see("bob@127.0.0.1");
    alice.scroll_and_press("Let bob@127.0.0.1 in again");
    alice.see("Nobody is blocked.");
    bob.press("Call again");
    alice.scroll_and_press("Back");
    alice.see("Requests");
    alice.see("bob@127.0.0.1");
}

#[test]
fn another_key_is_shown_beside_the_known_one_and_nobody_is_rung_before_the_choice() {
    let world = World::new();
    let (mut alice, mut bob) = world.two();
    alice.press("Audio call to bob");
    bob.press("Decline");
    alice.see("They declined the call.");
    bob.press("Done");
    drop(alice);
    let profile = Profile::open(&world.folder.path().join("alice")).unwrap();
    let mut contacts = profile.contacts().unwrap();
    assert!(contacts[0].root.is_some(), "the first key that was seen is kept");
    // As if bob had been somebody else before.
    contacts[0].root = Some("B".repeat(51) + "A");
    (contacts[0].chain_length, contacts[0].chain_link) = (0, None);
    (contacts[0].root_length, contacts[0].root_link) = (0, None);
    profile.save_contacts(&contacts).unwrap();
    drop(profile);

    let mut alice = world.open("alice");
    alice.press("Video call to bob");
    alice.see("key has changed");
    alice.press("See both keys");
    alice.see("The key you know");
    alice.see("BBBB");
    alice.see("The new key");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.picture("changed-key");
    bob.press("Video call to alice");
    alice.see("tried to call");
    assert!(!alice.sees("wants a video call"));
    bob.press("Cancel the call");
    alice.press("Keep the key of bob that you know");
    alice.until("it is decided", |window| window.query_by_label_contains("The new key").is_none());
    alice.press("Video call to bob");
    alice.press("See both keys");
    alice.press("Trust the new key of bob");
    alice.until("it is decided", |window| window.query_by_label_contains("The new key").is_none());
    alice.press("Video call to bob");
    bob.press("Done");
    bob.see("wants a video call");
    assert_eq!((alice.opens.counts(), bob.opens.counts()), ((0, 0, 0), (0, 0, 0)));
}

#[test]
fn safety_numbers_are_compared_by_eye_and_by_camera_which_closes_when_that_is_done() {
    let world = World::new();
    let seen = world.folder.path().join("seen.y4m");
    let alice = world.open_before("alice", VideoChoice::File(seen.clone()), SoundChoice::None, SoundChoice::None);
    let (mut alice, mut bob) = (world.through_first_run(alice, "alice"), world.person("bob"));
    alice.add("bob");
    bob.add("alice");
    alice.press("Audio call to bob");
    bob.press("Decline");
    bob.press("Done");
    alice.see("They declined the call.");
    alice.press("Done");
    for (person, whom) in [(&mut alice, "bob"), (&mut bob, "alice")] {
        person.press(&format!("More about {whom}"));
        person.press("Compare safety number");
        person.see("Safety number as a code to scan");
        assert_eq!(person.nameless(), [""; 0]);
    }
    let number = digits(&bob);
    assert_eq!((number.len(), &digits(&alice)), (60, &number));
    bob.press("The digits are the same");
    bob.see("Not verified after all");
    bob.picture("safety-number");

    // Somebody stands between: the number before the camera is another.
    let other = number.replace(|digit: char| digit != '0', "1");
    show_code(&seen, &format!("visavis-number:{other}"));
    alice.press("Scan their code");
    alice.see("NOT the same");
    assert!(alice.opens.open_now().0);
    assert_eq!(alice.nameless(), [""; 0]);
    alice.press("Stop scanning");
    alice.see_the_camera_closed();
    assert!(!alice.sees("Verified"));
    show_code(&seen, &format!("visavis-number:{number}"));
    alice.press("Scan their code");
    alice.see("Not verified after all");
    alice.see_the_camera_closed();
    alice.press("Back");
    alice.see("Verified");

    // A link is read in the same way, and the camera closes when its screen is left.
    bob.press("Back");
    let code = link(&mut bob);
    show_code(&seen, &code);
    alice.press("Add contact");
    assert!(alice.window.query_by_role_and_label(Role::TextInput, "Link or handle").is_some());
    alice.press("Scan a code");
    alice.see("The link was read");
    alice.see_the_camera_closed();
    show_code(&seen, "https://example.org");
    alice.press("Add contact");
    alice.press("Scan a code");
    alice.see("no contact link");
    alice.press("Stop scanning");
    alice.see_the_camera_closed();
}
