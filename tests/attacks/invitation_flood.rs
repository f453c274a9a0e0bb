//! Ten thousand invitations of strangers: none rings, and they keep neither a contact's call nor the answer to it away.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use visavis::crypto::chain::{Chain, DeviceCard};
use visavis::crypto::identity::{Identity, ephemeral_key};
use visavis::crypto::letter::{self, CallId, Content, Pass};
use visavis::directory::MAX_HELD_PER_DEVICE;
use visavis::net::ceiling::Ceiling;
use visavis::net::client::{ServerLink, connect, connect_from};
use visavis::wire::address::ServerAddress;
use visavis::wire::link::ContactLink;
use visavis::wire::signal::{Role, ToClient, ToServer};
use visavis::wire::token::Token;

use super::support::{Bench, SILENT, Talker, online};

/// Letters of the flood.
const FLOOD: usize = 10_000;
/// Letters on one connection, each of which has a throw-away key.
const EACH: usize = 250;
/// The flood comes from another address than the people: what one address may take is not what is tried here.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Somebody whom the server knows, and nobody else.
async fn stranger(server: &ServerAddress, name: &str) -> (Identity, ServerLink) {
    let identity = Identity::create(&format!("{name}@127.0.0.1"), unix_now(), &mut rand::rng());
    let mut link = connect(server, identity.device(), Role::Device).await.unwrap();
    let chain = identity.chain().chain().encode();
    assert_eq!(link.ask(&ToServer::Register { chain }).await, Ok(ToClient::Done));
    (identity, link)
}

async fn courier(server: &ServerAddress) -> ServerLink {
    let endpoint = quinn::Endpoint::client((ELSEWHERE, 0).into()).unwrap();
    connect_from(&endpoint, &Ceiling::default(), server, &ephemeral_key(&mut rand::rng()), Role::Courier).await.unwrap()
}

async fn device_of(server: &ServerAddress, name: &str) -> DeviceCard {
    let answer = courier(server).await.ask(&ToServer::LookUp { name: name.into() }).await;
    let Ok(ToClient::LookedUp(found)) = answer else { panic!("{answer:?}") };
    Chain::decode(found.chain().unwrap()).unwrap().verify(unix_now()).unwrap().cards()[0]
}

fn invitation(from: &Identity, to: &DeviceCard, shown: Option<Token>) -> ToServer {
    let call = CallId(rand::random());
    let content = Content::Invitation { video: true, room: rand::random(), path_key: rand::random() };
    let pass = Pass { shown, ..Pass::default() };
    let envelope = letter::write(from, to, call, content, pass, unix_now(), &mut rand::rng()).unwrap();
    let token = shown.unwrap_or_else(|| Token::random(&mut rand::rng()));
    ToServer::Deliver { device: to.signing, envelope, token }
}

/// Sends it all, and gives how many letters the server took.
async fn flood(server: &ServerAddress, from: &Identity, to: [DeviceCard; 2]) -> usize {
    let mut taken = 0;
    for _ in 0..FLOOD / EACH {
        let mut courier = courier(server).await;
        let letters = to.map(|to| invitation(from, &to, None));
        for number in 0..EACH {
            taken += usize::from(courier.ask(&letters[number % 2]).await.is_ok());
        }
    }
    taken
}

#[test]
fn ten_thousand_strangers_ring_nowhere_and_keep_no_contact_and_no_answer_away() {
    let bench = Bench::new();
    let server: ServerAddress = bench.server.address.parse().unwrap();
    let runtime = runtime();
    // Bob knows alice, and lets no stranger in.
    bench.introduce("bob", "alice");
    let (mallory, _present) = runtime.block_on(stranger(&server, "mallory"));
    let wait = || {
        let mut bob = bench.choosy("answer", "bob");
        online(bob.args(SILENT).stdin(Stdio::piped()), "bob")
    };
    let mut bob = wait();
    let mut keyboard = bob.stdin.take().unwrap();
    let mut bob = Talker::new(bob);
    let devices = runtime.block_on(async { [device_of(&server, "bob").await, device_of(&server, "alice").await] });
    let (address, flooding) = (server.clone(), mallory);
    let flooding = move || {
        let taken = self::runtime().block_on(flood(&address, &flooding, devices));
        (taken, flooding)
    };
    let flooded = std::thread::Builder::new().name("flood".into()).spawn(flooding).unwrap();

    let mut alice = bench.client("call", "alice");
    let alice = alice.arg("bob@127.0.0.1").args(SILENT).args(["--seconds", "2"]).spawn().unwrap();
    let mut alice = Talker::new(alice);
    bob.wait_for("alice@127.0.0.1 calls");
    keyboard.write_all(b"y\n").unwrap();
    alice.wait_for("in call");
    let (well, said) = alice.end();
    assert!(well, "{said:?}");
    let (taken, mallory) = flooded.join().unwrap();
    assert!(taken < 100, "{taken} letters of a stranger were taken");
    bob.wait_for("They hung up.");

    // The control: the same stranger with bob's link rings at once, so the ear is not deaf.
    drop(bob);
    let link = bench.output("bob", &["contact", "link"]);
    let link: ContactLink = link.trim().parse().unwrap();
    let mut bob = Talker::new(wait());
    let ring = invitation(&mallory, &devices[0], Some(link.token));
    let answer = runtime.block_on(async { courier(&server).await.ask(&ring).await });
    assert_eq!(answer, Ok(ToClient::Delivered));
    bob.wait_for("mallory@127.0.0.1 calls");
    drop(bob);
    let listed: serde_json::Value = serde_json::from_str(&bench.output("bob", &["contact", "list", "--json"])).unwrap();
    let requests = listed["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 1, "{listed}");
    assert_eq!((&requests[0]["handle"], &requests[0]["confirmed"]), (&"mallory@127.0.0.1".into(), &true.into()));
}

/// What the strangers' own count is for: the same letters with a token fill the mailbox, and a contact's finds no room there.
#[test]
fn the_same_flood_with_a_token_would_keep_a_contact_away() {
    let bench = Bench::new();
    let server: ServerAddress = bench.server.address.parse().unwrap();
    drop(Talker::new(online(&mut bench.choosy("answer", "bob"), "bob")));
    let link: ContactLink = bench.output("bob", &["contact", "link"]).trim().parse().unwrap();
    let runtime = runtime();
    let (alice, _present) = runtime.block_on(stranger(&server, "alice"));
    let (mallory, _also) = runtime.block_on(stranger(&server, "mallory"));
    let bob = runtime.block_on(device_of(&server, "bob"));
    let send = async |from: &Identity, shown, letters: usize| {
        let mut courier = courier(&server).await;
        let mut taken = 0;
        for _ in 0..letters {
            taken += usize::from(courier.ask(&invitation(from, &bob, shown)).await.is_ok());
        }
        taken
    };
    runtime.block_on(async {
        assert!(send(&mallory, None, 40).await < MAX_HELD_PER_DEVICE / 2);
        assert_eq!(send(&alice, Some(link.token), 1).await, 1, "a flood of strangers leaves room");
        let room = MAX_HELD_PER_DEVICE - 1;
        assert!(send(&mallory, Some(link.token), 40).await <= room);
        assert_eq!(send(&alice, Some(link.token), 1).await, 0, "one with a token would not");
    });
}
