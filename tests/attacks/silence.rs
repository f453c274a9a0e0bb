//! What a callee's machine does while it rings: nothing that the caller, or anybody on the way, could notice.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use super::support::{Bench, SILENT, Talker, online};

/// Inodes of the UDP sockets of a process.
fn sockets(process: u32) -> HashSet<String> {
    let udp: HashSet<String> = ["/proc/net/udp", "/proc/net/udp6"]
        .into_iter()
        .flat_map(|table| fs::read_to_string(table).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| Some(line.split_whitespace().nth(9)?.to_owned()))
        .collect();
    let links = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .filter(|inode| udp.contains(inode))
        .collect()
}

/// Whether a program of this number records sound.
fn records_sound(process: u32) -> bool {
    let output = Command::new("pactl").args(["list", "source-outputs"]).output().unwrap();
    assert!(output.status.success(), "no sound server: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).contains(&format!("application.process.id = \"{process}\""))
}

#[test]
fn while_it_rings_no_socket_and_no_microphone_is_opened_and_after_yes_both_are() {
    let bench = Bench::new();
    bench.introduce("bob", "alice");
    // The first call of a contact makes the callee ask the directory about their devices. What is known is not asked again.
    let first = bench.answering("bob", &["--decline"]);
    assert_eq!(bench.call("alice", "bob", &SILENT).status.code(), Some(1));
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(1));
    let mut callee = bench.client("answer", "bob");
    callee.args(["--once", "--mic", "device", "--speaker", "none"]).stdin(std::process::Stdio::piped());
    let mut callee = online(&mut callee, "bob");
    let (number, mut keyboard) = (callee.id(), callee.stdin.take().unwrap());
    let mut callee = Talker::new(callee);
    let idle = sockets(number);
    assert!(!idle.is_empty(), "it is online");

    let mut caller = bench.client("call", "alice");
    caller.args(["bob@127.0.0.1", "--mic", "none", "--speaker", "none", "--seconds", "3"]);
    let caller = Talker::new(caller.spawn().unwrap());
    callee.wait_for("calls");
    for _ in 0..20 {
        assert!(sockets(number).is_subset(&idle), "a socket of its own for the caller");
        assert!(!records_sound(number));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    std::io::Write::write_all(&mut keyboard, b"y\n").unwrap();
    callee.wait_for("in call");
    let mut seen = (false, false);
    for _ in 0..25 {
        seen = (seen.0 || !sockets(number).is_subset(&idle), seen.1 || records_sound(number));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(seen, (true, true), "the same eyes see both after the yes");
    drop(caller);
}
