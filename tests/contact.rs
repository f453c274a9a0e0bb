//! `visavis contact`: links, contacts, strangers who called and who is shut out, on the command line.

mod support;

use std::process::{Output, Stdio};

use support::{Bench, SILENT, Talker, online, said};

/// Runs `contact` over the profile of `name`, which may fail.
fn contact(bench: &Bench, name: &str, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.env("VISAVIS_KEYRING", "off").arg("contact").args(arguments);
    command.arg("--profile").arg(bench.folder.path().join(name)).output().unwrap()
}

fn list(bench: &Bench, name: &str) -> serde_json::Value {
    serde_json::from_str(&bench.output(name, &["contact", "list", "--json"])).unwrap()
}

fn waiting(bench: &Bench) -> Talker {
    let mut bob = bench.choosy("answer", "bob");
    Talker::new(online(bob.args(["--once", "--auto-accept"]).args(SILENT).stdin(Stdio::null()), "bob"))
}

fn call(bench: &Bench, whom: &str) -> Output {
    bench.choosy("call", "alice").args([whom, "--seconds", "1"]).args(SILENT).output().unwrap()
}

#[test]
fn a_link_lets_somebody_call_until_it_is_renewed_and_makes_them_known_at_once() {
    let bench = Bench::new();
    let new = contact(&bench, "bob", &["link"]);
    assert_eq!(new.status.code(), Some(2), "{}", said(&new));
    drop(waiting(&bench));
    let old = bench.output("bob", &["contact", "link"]);
    let link = bench.output("bob", &["contact", "link", "--renew"]);
    assert_ne!(old, link);

    let bob = waiting(&bench);
    let called = call(&bench, link.trim());
    assert!(called.status.success(), "{}", said(&called));
    assert!(bob.end().0);
    let known = &list(&bench, "alice")["contacts"][0];
    assert_eq!((&known["handle"], &known["verified"]), (&"bob@127.0.0.1".into(), &true.into()));
    assert_eq!(list(&bench, "bob")["contacts"], serde_json::json!([]), "she is no contact of his by that");

    // Somebody else has the old link only: a stranger, of whom nothing is heard.
    let bob = waiting(&bench);
    let mut carol = bench.choosy("call", "carol");
    let mut carol = Talker::new(carol.arg(old.trim()).args(SILENT).spawn().unwrap());
    carol.wait_for("ringing");
    std::thread::sleep(std::time::Duration::from_secs(3));
    drop((carol, bob));
    let asked = list(&bench, "bob");
    let asked = asked["requests"].as_array().unwrap();
    assert!(asked.len() == 1 && asked[0]["handle"] == "carol@127.0.0.1" && asked[0]["confirmed"] == true, "{asked:?}");
}

#[test]
fn a_link_of_another_key_is_refused_loudly_and_nonsense_is_named() {
    let bench = Bench::new();
    drop(waiting(&bench));
    let link = bench.output("bob", &["contact", "link"]);
    let parts: Vec<&str> = link.trim().split('/').collect();
    let forged = format!("{}/{}/{}/{}", parts[0], parts[1], "B".repeat(51) + "A", parts[3]);
    drop(waiting(&bench));
    let called = call(&bench, &forged);
    assert!(!called.status.success() && !said(&called).contains("ringing"), "{}", said(&called));
    assert!(said(&called).contains("key"), "{}", said(&called));

    let again = contact(&bench, "alice", &["add", link.trim()]);
    assert!(!again.status.success() && said(&again).contains("another key than the one you know"), "{}", said(&again));
    let elsewhere = format!("{}/{}/{}/{}", parts[0], "B".repeat(51) + "A", parts[2], parts[3]);
    let false_server = contact(&bench, "alice", &["add", &elsewhere]);
    assert_eq!(false_server.status.code(), Some(2));
    assert!(said(&false_server).contains("names another key for 127.0.0.1"), "{}", said(&false_server));
    for nonsense in ["visavis:abc", "nobody at all"] {
        let refused = contact(&bench, "alice", &["add", nonsense]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    }
}

#[test]
fn who_is_blocked_hears_nothing_and_can_be_let_in_again() {
    let bench = Bench::new();
    bench.introduce("bob", "alice");
    bench.introduce("alice", "bob");
    bench.output("bob", &["contact", "block", "alice@127.0.0.1"]);
    let shut_out = list(&bench, "bob");
    assert_eq!((&shut_out["contacts"], &shut_out["blocked"][0]), (&serde_json::json!([]), &"alice@127.0.0.1".into()));
    let bob = waiting(&bench);
    let mut alice = bench.choosy("call", "alice");
    let mut alice = Talker::new(alice.arg("bob@127.0.0.1").args(SILENT).spawn().unwrap());
    alice.wait_for("ringing");
    std::thread::sleep(std::time::Duration::from_secs(3));
    drop((alice, bob));
    assert_eq!(list(&bench, "bob")["requests"], serde_json::json!([]), "not even as a request");

    let back = bench.choosy("call", "bob").arg("alice@127.0.0.1").args(SILENT).output().unwrap();
    assert!(!back.status.success(), "{}", said(&back));
    bench.output("bob", &["contact", "unblock", "alice@127.0.0.1"]);
    assert_eq!(contact(&bench, "bob", &["unblock", "alice@127.0.0.1"]).status.code(), Some(2));
    bench.introduce("bob", "alice");
    let bob = waiting(&bench);
    let called = call(&bench, "bob@127.0.0.1");
    assert!(called.status.success() && bob.end().0, "{}", said(&called));
}
