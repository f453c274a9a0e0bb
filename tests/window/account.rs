//! The account in the window: its kit, its devices, and what protects its keys.

use egui::Role;
use egui_kittest::kittest::Queryable;
use visavis::engine::clock;
use visavis::engine::config::{SoundChoice, VideoChoice};

use super::World;
use super::contacts::show_code;

#[test]
fn an_account_comes_to_other_windows_by_code_and_by_kit_and_a_lost_one_is_shut_out() {
    let world = World::new();
    let seen = world.folder.path().join("seen.y4m");
    let mut alice = world.open_before("alice", VideoChoice::File(seen.clone()), SoundChoice::None, SoundChoice::None);
    alice.register("alice", &world.server.address().to_string());
    alice.press("Continue");
    alice.see("no recovery kit has been kept");
    alice.press("Show the recovery kit");
    alice.see("Check:");
    alice.picture("kit");
    assert_eq!(alice.nameless(), [""; 0]);
    let kit = alice.kit();
    alice.press("I have it");
    alice.see("You have the recovery kit");
    alice.press("Continue");
    alice.press("Show my contacts");
    alice.add("bob");

    // A second window is linked by the code that it shows, and the number is compared.
    let mut tablet = world.open("tablet");
    tablet.press("Link to another device");
    tablet.write("Server address", &world.server.address().to_string());
    tablet.press("Show the code");
    tablet.see("visavis-link:");
    tablet.see("to be scanned");
    tablet.picture("link");
    assert_eq!(tablet.nameless(), [""; 0]);
    let code = tablet.screen().into_iter().find(|line| line.starts_with("visavis-link:")).unwrap();
    let is_number = |line: &String| line.len() == 9 && line.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
    let number = tablet.screen().into_iter().find(is_number).unwrap();
    alice.press("Settings");
    alice.see("Your devices");
    show_code(&seen, "https://example.org");
    alice.scroll_and_press("Scan its code");
    alice.see("no device's code");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.press("Stop scanning");
    alice.see_the_camera_closed();
    show_code(&seen, &code);
    alice.scroll_and_press("Scan its code");
    alice.see(&number);
    alice.see_the_camera_closed();
    alice.scroll_and_press("Another number");
    alice.see("Start Visavis there");
    alice.write("Code of a new device", &code);
    alice.scroll_and_press("Add the device");
    alice.see(&number);
    alice.write_into(Role::MultilineTextInput, "Your recovery kit, since this device does not have the root", &kit);
    assert_eq!(alice.nameless(), [""; 0]);
    alice.picture("compare");
    alice.scroll_and_press("The same: add it");
    tablet.see("Look at yourself");
    tablet.press("Continue");
    tablet.press("Show my contacts");
    tablet.see("Video call to bob");
    alice.see("is part of your account now");

    // A third one comes by the kit.
    let mut third = world.open("third");
    third.press("Use a recovery kit");
    third.write_into(Role::MultilineTextInput, "The whole kit, as it was printed", "nonsense");
    third.press("Bring my account here");
    third.see("not a whole recovery kit");
    third.write_into(Role::MultilineTextInput, "The whole kit, as it was printed", &kit);
    third.press("Bring my account here");
    third.see("Look at yourself");
    tablet.see("device was ADDED to your account");

    // The third is shut out: its window begins anew.
    alice.until("three devices", |window| window.query_all_by_label_contains("Remove ").count() == 2);
    let name = alice.screen().into_iter().rfind(|line| line.starts_with("Remove ")).unwrap();
    alice.scroll_and_press(&name);
    alice.see("It is shut out at once");
    alice.picture("devices");
    alice.scroll_and_press("Shut it out");
    third.see("Welcome to Visavis");
    third.see("removed from the account");
    third.picture("shut-out");

    // And who wants to leave wipes everything.
    tablet.press("Settings");
    tablet.scroll_and_press("Wipe this profile");
    tablet.scroll_and_press("Wipe everything");
    tablet.see("Welcome to Visavis");
}

#[test]
fn a_passphrase_that_was_set_is_asked_for_at_the_next_start() {
    let world = World::new();
    let mut alice = world.person("alice");
    alice.add("bob");
    alice.press("Settings");
    alice.see("Whoever can read your files");
    alice.write_hidden("New passphrase", "correct horse battery");
    alice.write_hidden("The same once more", "correct horse battery");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.scroll_and_press("Set passphrase");
    alice.see("Sealed under your passphrase");
    drop(alice);

    let mut again = world.open("alice");
    again.see("Welcome back");
    assert!(!again.sees("alice") && !again.sees("bob"), "{:?}", again.screen());
    again.write_hidden("Passphrase", "another horse battery");
    again.press("Open");
    again.see("passphrase is wrong");
    assert_eq!(again.nameless(), [""; 0]);
    again.picture("unlock");
    again.write_hidden("Passphrase", "correct horse battery");
    again.press("Open");
    again.see("Video call to bob");
}

#[test]
fn a_second_factor_is_turned_on_in_the_settings_and_asked_for_when_the_account_is_deleted() {
    let world = World::new();
    let mut alice = world.person("alice");
    alice.press("Settings");
    alice.scroll_and_press("Set up");
    alice.see("authenticator app, then");
    assert_eq!(alice.nameless(), [""; 0]);
    let link = alice.shown(|text| text.starts_with("otpauth://totp/Visavis:alice%40127.0.0.1?secret="));
    let secret = link.split_once("secret=").unwrap().1.split('&').next().unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let field = "Code of the app, or a recovery code";
    alice.write_hidden(field, "000000");
    alice.scroll_and_press("Turn on");
    alice.see("The code is wrong");
    let code = totp_rs::Builder::new().with_secret(secret).build().unwrap().generate(clock::unix_now());
    alice.write_hidden(field, &code.to_string());
    alice.scroll_and_press("Turn on");
    alice.see("not shown again");
    let is_code = |text: &String| text.len() == 19 && text.split('-').all(|group| group.len() == 4);
    let codes: Vec<String> = alice.screen().into_iter().filter(is_code).collect();
    assert_eq!(codes.len(), 10);
    alice.scroll_and_press("I have written them down");
    alice.see("10 recovery codes are left");

    // Somebody who has the kit needs a code of it.
    alice.scroll_and_press("Show the recovery kit");
    let kit = alice.kit();
    alice.scroll_and_press("I have it");
    let mut second = world.open("second");
    second.press("Use a recovery kit");
    second.write_into(Role::MultilineTextInput, "The whole kit, as it was printed", &kit);
    second.press("Bring my account here");
    second.see("one of its codes adds this device");
    second.picture("second-factor");
    assert_eq!(second.nameless(), [""; 0]);
    second.write_hidden(field, "000000");
    second.press("Add this device");
    second.see("The code is wrong");
    second.write_hidden(field, &codes[0]);
    second.press("Add this device");
    second.see("Look at yourself");

    alice.write_hidden(field, &codes[1]);
    alice.write("Your handle, to delete it", "alice@127.0.0.1");
    alice.scroll_and_press("Delete the account");
    alice.see("Welcome to Visavis");
}

#[test]
fn a_window_that_nobody_touches_locks_itself_and_calls_are_answered_without_showing_anybody() {
    let world = World::new();
    let (mut alice, mut bob) = world.two();
    alice.add("carol");
    alice.press("Settings");
    alice.see("can also lock itself");
    alice.write_hidden("New passphrase", "correct horse battery");
    alice.write_hidden("The same once more", "correct horse battery");
    alice.scroll_and_press("Set passphrase");
    alice.scroll_and_press("After 1 minute");
    alice.see("Calls still ring");
    assert_eq!(alice.nameless(), [""; 0]);
    alice.picture("lock-settings");
    // A touch now and then keeps it open; a quarter of a second passes with each step.
    for _ in 0..3 {
        alice.window.run_steps(150);
        alice.stir();
    }
    assert!(alice.sees("Lock now"));
    // What is left on the screen of a call that nobody took is no touch, and not shown behind the lock.
    bob.press("Audio call to alice");
    alice.see("wants an audio call");
    bob.press("Cancel the call");
    alice.see("You missed the call.");
    bob.press("Done");
    alice.window.run_steps(300);
    alice.see("Welcome back");
    let hidden = |alice: &super::Person| !["bob", "carol", "alice@", "visavis:"].iter().any(|words| alice.sees(words));
    assert!(hidden(&alice), "{:?}", alice.screen());
    alice.picture("locked");

    // A call comes through and is answered; who calls is all that is shown.
    bob.press("Audio call to alice");
    alice.see("wants an audio call");
    assert!(!alice.sees("carol"));
    alice.press("Accept");
    for person in [&mut alice, &mut bob] {
        person.see("Turn camera on");
    }
    bob.press("Hang up");
    alice.see("They hung up.");
    assert!(!alice.sees("Call again") && !alice.sees("carol"), "{:?}", alice.screen());
    alice.press("Done");
    alice.see("Welcome back");
    assert!(hidden(&alice), "{:?}", alice.screen());

    alice.write_hidden("Passphrase", "another horse battery");
    alice.press("Open");
    alice.see("passphrase is wrong");
    alice.write_hidden("Passphrase", "correct horse battery");
    alice.press("Open");
    alice.see("Video call to carol");
    alice.press("Settings");
    alice.scroll_and_press("Lock now");
    alice.see("Welcome back");
    drop(alice);
    let mut again = world.open("alice");
    again.see("Welcome back");
}
