//! A directory that lies about the callee's devices: an old list, another account's, a list whose only device was shut out,
//! noise; of somebody whose keys are known also other keys, a shorter list, one that hides a revocation. Nobody is rung.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use ed25519_dalek::SigningKey;
use visavis::crypto::chain::{Chain, DeviceCard, MAX_HEAD_AGE_S};
use visavis::engine::Engine;
use visavis::engine::config::EngineConfig;
use visavis::engine::handle::Command;
use visavis::store::profile::Profile;

use super::false_server::{FalseServer, call};
use super::support::said;

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn chain(handle: &str, time: u64) -> Chain {
    Chain::create(handle, &key(1), card(2), &key(2), time)
}

#[test]
fn a_directory_that_lies_about_devices_makes_nobody_ring() {
    let genuine = chain("bob@127.0.0.1", now());
    let of_nobody =
        genuine.clone().verify(now()).unwrap().without_device(key(2).verifying_key().to_bytes(), &key(1), now());
    let lies = [
        ("an old list", chain("bob@127.0.0.1", now() - MAX_HEAD_AGE_S - 3600).encode(), "has not been renewed"),
        ("another account's", chain("carol@127.0.0.1", now()).encode(), "another account's device list"),
        ("from the future", chain("bob@127.0.0.1", now() + 24 * 3600).encode(), "dated in the future"),
        ("signed by a stranger", genuine.clone().with_head(&key(3), now()).encode(), "a key that may not do so"),
        ("signed by who was shut out", of_nobody.with_head(&key(2), now()).encode(), "a key that may not do so"),
        ("cut in the middle", genuine.encode()[..100].to_vec(), "cannot be read"),
    ];
    for (lie, answer, words) in lies {
        let folder = tempfile::tempdir().unwrap();
        let server = FalseServer::start(answer);
        let output = call(&server.address, folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{lie}: {}", said(&output));
        assert!(said(&output).contains(words), "{lie}: {}", said(&output));
        assert_eq!(server.letters(), 0, "{lie}");
    }
}

#[test]
fn the_same_directory_with_the_true_list_is_given_the_letter() {
    let folder = tempfile::tempdir().unwrap();
    let server = FalseServer::start(chain("bob@127.0.0.1", now()).encode());
    assert_eq!(letters_of_a_call(&server, folder.path()), 1);
}

/// How many letters a call sends until there are some, or for long enough.
fn letters_of_a_call(server: &FalseServer, profile: &Path) -> usize {
    let before = server.letters();
    let mut caller = call(&server.address, profile).spawn().unwrap();
    let began = Instant::now();
    while server.letters() == before && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    caller.kill().unwrap();
    caller.wait().unwrap();
    server.letters() - before
}

fn card(number: u8) -> DeviceCard {
    DeviceCard { signing: key(number).verifying_key().to_bytes(), sealing: [9; 32] }
}

/// A profile with bob among its contacts, who has not been looked up yet.
fn know_bob(folder: &Path) {
    let (engine, mut handle) = Engine::start(Profile::open(folder).unwrap(), EngineConfig::default()).unwrap();
    assert!(handle.send(Command::AddContact { whom: "bob@127.0.0.1".into() }));
    let known = handle.wait_for(Some(Duration::from_secs(20)), |now| !now.contacts.is_empty()).unwrap();
    assert_eq!(known.contacts.len(), 1);
    engine.shutdown().unwrap();
}

#[test]
fn a_directory_that_changes_its_mind_about_somebody_known_makes_nobody_ring() {
    // Two devices; then one was lost and shut out.
    let first = chain("bob@127.0.0.1", now()).verify(now()).unwrap();
    let both = first.with_device(card(4), &key(1), now()).verify(now()).unwrap();
    let seen = both.without_device(card(4).signing, &key(2), now()).verify(now()).unwrap();
    let by_thief = both.without_device(card(2).signing, &key(4), now()).verify(now()).unwrap();
    let lies = [
        ("the lost device served again, as it was", both.with_fresh_head(&key(4), now()).encode()),
        ("the list cut to its beginning", first.with_fresh_head(&key(2), now()).encode()),
        ("the lost device's own continuation", by_thief.with_fresh_head(&key(4), now()).encode()),
    ];
    let folder = tempfile::tempdir().unwrap();
    know_bob(folder.path());
    let truth = seen.with_fresh_head(&key(2), now()).encode();
    let server = FalseServer::start(truth.clone());
    let refused = |lie: &str, answer: Vec<u8>, words: &str| {
        server.say(answer);
        let before = server.letters();
        let output = call(&server.address, folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{lie}: {}", said(&output));
        assert!(said(&output).contains(words), "{lie}: {}", said(&output));
        assert_eq!(server.letters(), before, "{lie}");
    };
    assert!(letters_of_a_call(&server, folder.path()) > 0, "what is true, and seen from now on");
    for (lie, answer) in lies {
        refused(lie, answer, "may be hidden");
    }
    // The same list, and one that goes on from it, are believed by the same eyes.
    server.say(truth);
    assert!(letters_of_a_call(&server, folder.path()) > 0);
    server.say(seen.with_device(card(5), &key(1), now()).with_head(&key(2), now()).encode());
    assert!(letters_of_a_call(&server, folder.path()) > 0, "a second device has come since");

    let other_root = Chain::create("bob@127.0.0.1", &key(11), card(12), &key(12), now());
    refused("other keys", other_root.encode(), "account key has changed");
    let stranger = tempfile::tempdir().unwrap();
    server.say(both.with_fresh_head(&key(4), now()).encode());
    assert!(letters_of_a_call(&server, stranger.path()) > 0, "who has not seen the revocation is deceived");
}
