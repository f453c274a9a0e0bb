//! Calls between machines that have no address for each other: two clients behind an address translator each, a server
//! between them, all in network namespaces (see `namespaces.sh`). Needs root; fails where namespaces are not permitted.

mod support;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::{Bench, SILENT, Server, Talker, online, server_command};

const HELPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/namespaces.sh");
const SERVER: &str = "203.0.113.1";
/// Each client, the outer address of its translator, and the client's network.
const SIDES: [(&str, &str, &str); 2] = [("a", "203.0.113.10", "192.168.10"), ("b", "203.0.113.20", "192.168.20")];

/// The namespaces of one test; gone with it.
struct Net {
    prefix: String,
}

impl Net {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("visavis-{}-{}-", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let net = Self { prefix };
        net.helper("up");
        net
    }

    fn helper(&self, verb: &str) {
        let output = Command::new(HELPER).args([verb, &self.prefix]).output().unwrap();
        assert!(
            output.status.success(),
            "network namespaces cannot be set up (root? iproute2 and iptables there? see tests/packages.sh): {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The same command inside a namespace.
    fn inside(&self, node: &str, command: &Command) -> Command {
        let mut within = Command::new("ip");
        within.args(["netns", "exec", &format!("{}{node}", self.prefix)]);
        within.arg(command.get_program()).args(command.get_args());
        within.stdout(Stdio::piped()).stderr(Stdio::piped());
        within
    }

    /// A server in its namespace.
    fn bench(&self) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let command = server_command(&folder.path().join("server"), &format!("{SERVER}:4433"));
        let server = Server::run(&mut self.inside("s", &command));
        Bench { folder, server }
    }

    fn run(&self, node: &str, line: &str) -> String {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        let output = self.inside(node, &command).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Forbids (`-I`) or allows again (`-D`) what goes straight to the other side.
    fn peers(&self, rule: &str) {
        for (side, (_, other, _)) in ["a", "b"].into_iter().zip([SIDES[1], SIDES[0]]) {
            self.run(&format!("n{side}"), &format!("iptables {rule} FORWARD -d {other} -j DROP"));
        }
    }

    /// Forbids (`-I`) or allows again (`-D`) what goes to the server.
    fn server(&self, rule: &str) {
        for side in ["a", "b"] {
            self.run(&format!("n{side}"), &format!("iptables {rule} FORWARD -d {SERVER} -j DROP"));
        }
    }

    /// Packets that went straight to the other side, from each.
    fn packets_between(&self) -> [u64; 2] {
        ["a", "b"].map(|side| {
            let table = self.run(&format!("n{side}"), "iptables -L FORWARD 1 -v -x -n");
            table.split_whitespace().next().unwrap().parse().unwrap()
        })
    }

    /// Makes the translators choose another port for each destination, which no punching gets through.
    fn choose_ports_at_random(&self) {
        for side in ["a", "b"] {
            let node = format!("n{side}");
            self.run(&node, "iptables -t nat -F POSTROUTING");
            let rule = format!("iptables -t nat -A POSTROUTING -o wan{side} -j MASQUERADE --random-fully");
            self.run(&node, &rule);
        }
    }

    /// Gives a client another address.
    fn moves(&self, side: usize) {
        let (name, _, network) = SIDES[side];
        self.run(name, &format!("ip addr del {network}.2/24 dev lan"));
        self.run(name, &format!("ip addr add {network}.3/24 dev lan"));
        self.run(name, &format!("ip route add default via {network}.1"));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = Command::new(HELPER).args(["down", &self.prefix]).output();
    }
}

/// A call between the two clients, `a` calling for so many seconds.
struct Call {
    alice: Talker,
    bob: Talker,
    bench: Bench,
}

impl Call {
    fn begin(net: &Net, seconds: u32, answer: &[&str], call: &[&str]) -> Self {
        let bench = net.bench();
        let mut bob = bench.client("answer", "bob");
        bob.args(["--once", "--auto-accept", "--stats", &bench.path("b.json")]).args(SILENT).args(answer);
        let bob = Talker::new(online(&mut net.inside("b", &bob), "bob"));
        let mut alice = bench.client("call", "alice");
        alice.arg(format!("bob@{SERVER}")).args(["--seconds", &seconds.to_string(), "--stats", &bench.path("a.json")]);
        let alice = Talker::new(net.inside("a", alice.args(SILENT).args(call)).spawn().unwrap());
        Self { alice, bob, bench }
    }

    fn wait_for(&mut self, words: &str) {
        self.alice.wait_for(words);
        self.bob.wait_for(words);
    }

    /// Waits for the end, a good one on both sides; gives the figures of both.
    fn end(self) -> [serde_json::Value; 2] {
        for (client, last) in [(self.alice, "You hung up."), (self.bob, "They hung up.")] {
            let (well, said) = client.end();
            assert!(well && said.iter().any(|line| line == last), "{said:?}");
        }
        ["a.json", "b.json"].map(|name| self.bench.stats(name))
    }
}

fn count(stats: &serde_json::Value, what: &str) -> u64 {
    stats["frames"][what].as_u64().unwrap()
}

#[test]
fn two_clients_behind_translators_find_each_other() {
    let net = Net::new();
    let mut call = Call::begin(&net, 6, &[], &[]);
    call.wait_for("in call, direct");
    let [a, b] = call.end();
    for (sender, receiver) in [(&a, &b), (&b, &a)] {
        assert_eq!(receiver["path"], "direct", "{receiver}");
        assert!(count(receiver, "received") + 5 >= count(sender, "sent"), "no frame is lost: {sender} {receiver}");
    }
    let packets = net.packets_between();
    assert!(packets.iter().all(|packets| *packets > 100), "{packets:?}");
}

fn assert_stays_relayed(net: &Net) {
    let [a, b] = Call::begin(net, 6, &[], &[]).end();
    for (sender, receiver) in [(&a, &b), (&b, &a)] {
        assert_eq!((&receiver["path"], &receiver["path_changes"]), (&"relay".into(), &0.into()), "{receiver}");
        assert!(count(receiver, "decoded") > 60, "{receiver}");
        assert!(count(receiver, "received") + 5 >= count(sender, "sent"), "{sender} {receiver}");
    }
}

#[test]
fn with_udp_between_them_forbidden_the_call_stays_with_the_relay() {
    let net = Net::new();
    net.peers("-I");
    assert_stays_relayed(&net);
}

#[test]
fn translators_that_cannot_be_punched_keep_the_call_with_the_relay() {
    let net = Net::new();
    net.choose_ports_at_random();
    assert_stays_relayed(&net);
}

#[test]
fn while_it_rings_no_packet_goes_between_them() {
    let net = Net::new();
    let bench = net.bench();
    // Somebody who is asked and does not answer.
    let mut bob = net.inside("b", bench.client("answer", "bob").arg("--once").args(SILENT));
    let mut bob = Talker::new(online(bob.stdin(Stdio::piped()), "bob"));
    let mut alice = bench.client("call", "alice");
    let mut alice = Talker::new(net.inside("a", alice.arg(format!("bob@{SERVER}")).args(SILENT)).spawn().unwrap());
    alice.wait_for("ringing");
    bob.wait_for(&format!("alice@{SERVER} calls"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(net.packets_between(), [0, 0]);
}

#[test]
fn who_hides_its_address_sends_the_other_side_no_packet() {
    let net = Net::new();
    let [a, b] = Call::begin(&net, 6, &["--path", "relay"], &[]).end();
    for stats in [&a, &b] {
        assert_eq!(stats["path"], "relay", "{stats}");
        assert!(count(stats, "decoded") > 60, "{stats}");
    }
    assert_eq!(net.packets_between(), [0, 0]);
}

#[test]
fn a_call_loses_direct_way_and_relay_in_turn_and_both_and_goes_on() {
    let net = Net::new();
    let mut call = Call::begin(&net, 40, &[], &[]);
    call.wait_for("in call, direct");
    net.peers("-I");
    call.wait_for("in call, by relay");
    net.peers("-D");
    call.wait_for("in call, direct");
    // Longer than the connection to the relay lives without an answer: nobody notices.
    net.server("-I");
    std::thread::sleep(Duration::from_secs(9));
    net.peers("-I");
    call.wait_for("reconnecting");
    net.server("-D");
    call.wait_for("in call, by relay");
    net.peers("-D");
    call.wait_for("in call, direct");
    for stats in call.end() {
        assert_eq!(stats["path"], "direct", "{stats}");
        assert_eq!(count(&stats, "unopened"), 0, "{stats}");
        // After each loss a few pictures come that need one that was lost, until the keyframe.
        assert!(count(&stats, "decoded") * 10 >= count(&stats, "received") * 9, "{stats}");
    }
}

#[test]
fn a_client_that_moves_to_another_address_stays_in_the_call() {
    for side in [0, 1] {
        let net = Net::new();
        let mut call = Call::begin(&net, 14, &[], &[]);
        call.wait_for("in call, direct");
        net.moves(side);
        std::thread::sleep(Duration::from_secs(1));
        let [a, b] = call.end();
        for stats in [&a, &b] {
            assert_eq!(stats["path"], "direct", "it is found again at its new address: {stats}");
            assert!(count(stats, "decoded") > 9 * 20, "{stats}");
        }
    }
}
