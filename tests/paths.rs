//! The ways of a call between real programs on one machine: direct and by relay, and what happens when one is lost.

#![expect(clippy::disallowed_methods, reason = "a slow road keeps packets by the wall clock")]

#[path = "support/slow.rs"]
mod slow;
mod support;

use std::time::Duration;

use slow::slow_road;
use support::{Bench, SILENT, Talker, assert_nothing_held_back, online};

fn count(stats: &serde_json::Value, what: &str) -> u64 {
    stats["frames"][what].as_u64().unwrap()
}

/// Somebody who waits for calls, and somebody who calls for so many seconds.
fn pair(bench: &Bench, seconds: &str, answer: &[&str], call: &[&str]) -> (Talker, Talker) {
    let (a, b) = (bench.path("a.json"), bench.path("b.json"));
    let bob = bench.answering("bob", &[&SILENT, ["--auto-accept", "--stats", &b].as_slice(), answer].concat());
    let mut alice = bench.client("call", "alice");
    alice.args(["bob@127.0.0.1", "--seconds", seconds, "--stats", &a]).args(SILENT).args(call);
    (Talker::new(alice.spawn().unwrap()), Talker::new(bob))
}

fn end_well(alice: Talker, bob: Talker) {
    let (well, said) = alice.end();
    assert!(well && said.iter().any(|line| line == "You hung up."), "{said:?}");
    let (well, said) = bob.end();
    assert!(well && said.iter().any(|line| line == "They hung up."), "{said:?}");
}

#[test]
fn a_call_becomes_direct_and_no_frame_is_lost_by_that() {
    let bench = Bench::new();
    let (mut alice, mut bob) = pair(&bench, "4", &[], &[]);
    alice.wait_for("in call, direct");
    bob.wait_for("in call, direct");
    end_well(alice, bob);
    let (a, b) = (bench.stats("a.json"), bench.stats("b.json"));
    for (sender, receiver) in [(&a, &b), (&b, &a)] {
        assert_eq!((&receiver["path"], &receiver["path_changes"]), (&"direct".into(), &1.into()), "{receiver}");
        // What was sent while the other side was already hanging up may be missing.
        assert!(count(receiver, "received") + 5 >= count(sender, "sent"), "{sender} {receiver}");
        assert_nothing_held_back(&receiver["frames"]);
        assert_eq!(count(receiver, "unopened"), 0, "{receiver}");
    }
}

/// By relay a packet takes 140 ms, directly no time at all: whatever is sent directly overtakes four pictures.
#[test]
fn what_is_still_on_the_slow_way_when_the_call_becomes_direct_costs_no_keyframe() {
    let mut bench = Bench::new();
    let (place, key) = bench.server.address.split_once('/').unwrap();
    let slow = slow_road(place.parse().unwrap(), Duration::from_millis(70));
    bench.server.address = format!("{slow}/{key}");
    let (mut alice, mut bob) = pair(&bench, "5", &[], &[]);
    alice.wait_for("in call, by relay");
    alice.wait_for("in call, direct");
    bob.wait_for("in call, direct");
    end_well(alice, bob);
    let (a, b) = (bench.stats("a.json"), bench.stats("b.json"));
    for (sender, receiver) in [(&a, &b), (&b, &a)] {
        assert_eq!(receiver["path"], "direct", "{receiver}");
        // Four or five are on the slow way, and may be passed by one that does not need them; figures are a tenth of a second
        // old at most.
        assert!(count(receiver, "received") + 9 >= count(sender, "sent"), "{sender} {receiver}");
        // The first one, and one for each size that the ladder goes up when the fast way carries more.
        let changes = sender["sending"]["changes"].as_u64().unwrap();
        assert!(count(sender, "keyframes") <= 1 + changes, "{sender}");
        assert_nothing_held_back(&receiver["frames"]);
    }
}

#[test]
fn one_side_that_hides_its_address_keeps_the_call_with_the_relay() {
    for (answer, call, bob_hides) in
        [(["--path", "relay"].as_slice(), [].as_slice(), false), (&[], &["--path", "relay"], false), (&[], &[], true)]
    {
        let bench = Bench::new();
        if bob_hides {
            std::fs::create_dir(bench.path("bob")).unwrap();
            std::fs::write(bench.path("bob/settings.toml"), "hide_address = true\n").unwrap();
        }
        let (alice, bob) = pair(&bench, "4", answer, call);
        end_well(alice, bob);
        for name in ["a.json", "b.json"] {
            let stats = bench.stats(name);
            assert_eq!((&stats["path"], &stats["path_changes"]), (&"relay".into(), &0.into()), "{stats}");
            assert!(count(&stats, "decoded") >= 30, "{stats}");
        }
    }
}

#[test]
fn a_direct_call_outlives_the_server_and_ends_properly() {
    let mut bench = Bench::new();
    let (mut alice, mut bob) = pair(&bench, "14", &[], &[]);
    alice.wait_for("in call, direct");
    bob.wait_for("in call, direct");
    bench.kill_server();
    // Longer than any connection to the server lives without an answer.
    std::thread::sleep(Duration::from_secs(10));
    end_well(alice, bob);
    let (a, b) = (bench.stats("a.json"), bench.stats("b.json"));
    for (sender, receiver) in [(&a, &b), (&b, &a)] {
        assert_eq!((&receiver["path"], &receiver["path_changes"]), (&"direct".into(), &1.into()), "{receiver}");
        assert!(count(receiver, "received") + 5 >= count(sender, "sent"), "{sender} {receiver}");
        assert!(count(receiver, "decoded") > 10 * 20, "{receiver}");
    }
}

#[test]
fn a_server_that_comes_back_finds_everybody_there_again() {
    let mut bench = Bench::new();
    let mut bob = bench.client("answer", "bob");
    let mut bob = Talker::new(online(bob.arg("--auto-accept").args(SILENT), "bob"));
    let call = |bench: &Bench, seconds: &str| {
        let mut alice = bench.client("call", "alice");
        Talker::new(alice.args(["bob@127.0.0.1", "--seconds", seconds]).args(SILENT).spawn().unwrap())
    };
    let mut alice = call(&bench, "6");
    alice.wait_for("in call, direct");
    bob.wait_for("in call, direct");
    bench.restart_server();
    let (well, said) = alice.end();
    assert!(well, "{said:?}");
    // The call went on for almost six seconds after the restart: presence is back within that time.
    let (well, said) = call(&bench, "1").end();
    assert!(well, "{said:?}");
    bob.wait_for("They hung up.");
    bob.wait_for("They hung up.");
}

/// Whoever of the two does not know the other shows no address, whichever side that is.
#[test]
fn a_call_with_a_stranger_stays_with_the_relay_and_becomes_direct_between_contacts() {
    for (alice_knows, bob_knows) in [(true, false), (false, true), (true, true)] {
        let bench = Bench::new();
        for (knows, name, whom) in [(alice_knows, "alice", "bob"), (bob_knows, "bob", "alice")] {
            if knows {
                bench.befriend(name, whom);
            }
        }
        let mut bob = bench.choosy("answer", "bob");
        bob.args(["--once", "--auto-accept", "--accept-strangers"]).args(SILENT);
        let bob = Talker::new(online(&mut bob, "bob"));
        let mut alice = bench.choosy("call", "alice");
        alice.args(["bob@127.0.0.1", "--seconds", "3", "--stats", &bench.path("a.json")]).args(SILENT);
        end_well(Talker::new(alice.spawn().unwrap()), bob);
        let path = if alice_knows && bob_knows { "direct" } else { "relay" };
        let stats = bench.stats("a.json");
        assert_eq!(stats["path"], path, "{stats}");
        let directly = stats["traffic"]["direct_packets"].as_u64().unwrap();
        assert_eq!(directly > 0, path == "direct", "{stats}");
    }
}
