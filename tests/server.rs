//! What the server's process keeps and says, looked for from outside: its log, its files, its memory, its disclosure.
#![expect(clippy::disallowed_methods, reason = "the tests wait for another process")]

mod support;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use visavis::crypto::identity::Identity;
use visavis::engine::clock;
use visavis::net::streams::{MessageReader, write_message};
use visavis::net::{knobs, tls};
use visavis::wire::address::ServerAddress;
use visavis::wire::signal::{ENVELOPE_LEN, Hello, Role, ToClient, ToServer, VERSION};
use visavis::wire::token::Token;

use support::search::{count, in_files, in_memory};
use support::{Server, server_command};

const ROOM: [u8; 32] = [0x5A; 32];

/// A connection whose address the test knows.
struct Link {
    connection: quinn::Connection,
    writer: quinn::SendStream,
    reader: MessageReader,
    local: SocketAddr,
}

impl Link {
    async fn open(server: &ServerAddress, key: &SigningKey, hello: &Hello) -> Self {
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
        let mut config = tls::client_config(key, server.key).unwrap();
        config.transport_config(knobs::client());
        let to = format!("{}:{}", server.host, server.port).parse().unwrap();
        let connection = endpoint.connect_with(config, to, tls::SERVER_NAME).unwrap().await.unwrap();
        let (mut writer, reader) = connection.open_bi().await.unwrap();
        write_message(&mut writer, hello).await.unwrap();
        let local = endpoint.local_addr().unwrap();
        let mut link = Self { connection, writer, reader: MessageReader::new(reader), local };
        link.answer().await;
        link
    }

    async fn in_role(server: &ServerAddress, key: &SigningKey, role: Role) -> Self {
        Self::open(server, key, &Hello { version: VERSION, role }).await
    }

    async fn answer(&mut self) -> Option<ToClient> {
        tokio::time::timeout(Duration::from_secs(10), self.reader.read()).await.expect("no answer").ok()
    }

    async fn ask(&mut self, request: &ToServer) -> Option<ToClient> {
        write_message(&mut self.writer, request).await.unwrap();
        self.answer().await
    }
}

fn courier_key() -> SigningKey {
    SigningKey::from_bytes(&[0xC0; 32])
}

fn letter(to: &Identity, canary: &[u8]) -> ToServer {
    let envelope = canary.iter().copied().cycle().take(ENVELOPE_LEN).collect();
    ToServer::Deliver { device: to.device_id(), envelope, token: Token::random(&mut rand::rng()) }
}

fn registration(identity: &Identity) -> ToServer {
    ToServer::Register { chain: identity.chain().chain().encode() }
}

fn identity(server: &ServerAddress, name: &str) -> Identity {
    Identity::create(&format!("{name}@{}", server.host), clock::unix_now(), &mut rand::rng())
}

/// Everything that clients do, right and wrong. Gives the addresses they came from.
async fn use_everything(server: &ServerAddress, alice: &Identity) -> Vec<SocketAddr> {
    let mut device = Link::in_role(server, alice.device(), Role::Device).await;
    assert_eq!(device.ask(&registration(alice)).await, Some(ToClient::Done));
    let mut courier = Link::in_role(server, &courier_key(), Role::Courier).await;
    let name = || "canaryalice".to_owned();
    assert!(matches!(courier.ask(&ToServer::LookUp { name: name() }).await, Some(ToClient::LookedUp(_))));
    courier.ask(&ToServer::LookUp { name: "canarynobody".into() }).await;
    courier.ask(&ToServer::Presence { names: vec![name()] }).await;
    assert_eq!(courier.ask(&letter(alice, b"x")).await, Some(ToClient::Delivered));
    device.answer().await;
    courier
        .ask(&ToServer::Deliver { device: [0xEE; 32], envelope: vec![1; 5], token: Token::random(&mut rand::rng()) })
        .await;
    let mut account = Link::in_role(server, alice.device(), Role::Account).await;
    account.ask(&ToServer::DisableTotp { code: "000000".into() }).await;
    account.ask(&ToServer::EnableTotp { secret: [1; 20], code: "000000".into() }).await;
    let mut members = Vec::new();
    for leaf in [0, 1, 200] {
        let key = SigningKey::from_bytes(&[leaf + 1; 32]);
        let mut member = Link::in_role(server, &key, Role::Relay { room: ROOM, leaf }).await;
        let _ = write_message(&mut member.writer, &ToServer::Observe).await;
        let _ = member.connection.send_datagram(vec![1; 50].into());
        members.push(member);
    }
    // Nobody's name, another's name, no chain, another version, no message, a packet outside of a room.
    let mallory = identity(server, "canaryalice");
    let mut thief = Link::in_role(server, mallory.device(), Role::Device).await;
    thief.ask(&registration(&mallory)).await;
    thief.ask(&ToServer::Register { chain: vec![7; 100] }).await;
    let old = Link::open(server, &courier_key(), &Hello { version: 0, role: Role::Courier }).await;
    let mut broken = Link::in_role(server, &courier_key(), Role::Courier).await;
    broken.writer.write_all(&[0xFF; 64]).await.unwrap();
    broken.connection.closed().await;
    let stray = Link::in_role(server, &courier_key(), Role::Courier).await;
    stray.connection.send_datagram(vec![1; 50].into()).unwrap();
    stray.connection.closed().await;
    let links = [&device, &courier, &account, &thief, &old, &broken, &stray];
    links.into_iter().chain(&members).map(|link| link.local).collect()
}

/// A server process with its log in a file; gives what clients did and what it said.
fn log_of(folder: &Path, filter: Option<&str>) -> (Identity, Vec<SocketAddr>, Vec<u8>) {
    let (data, log) = (folder.join("data"), folder.join("log"));
    let mut command = server_command(&data, "127.0.0.1:0");
    command.env_remove("RUST_LOG").stderr(File::create(&log).unwrap());
    if let Some(filter) = filter {
        command.env("RUST_LOG", filter);
    }
    let server = Server::run(&mut command);
    let address: ServerAddress = server.address.parse().unwrap();
    let alice = identity(&address, "canaryalice");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let addresses = runtime.block_on(use_everything(&address, &alice));
    drop(server);
    let said = fs::read(&log).unwrap();
    fs::remove_dir_all(&data).unwrap();
    (alice, addresses, said)
}

/// What of the clients stands in a log, in whichever spelling.
fn traces(alice: &Identity, addresses: &[SocketAddr], log: &[u8]) -> Vec<String> {
    let mut wanted = vec!["canary".to_owned()];
    wanted.extend(addresses.iter().map(ToString::to_string));
    wanted.extend(addresses.iter().map(|address| format!("port: {}", address.port())));
    let courier = courier_key().verifying_key().to_bytes();
    for key in [alice.device_id(), alice.root(), alice.chain().cards()[0].sealing, courier, ROOM] {
        wanted.extend([HEXLOWER.encode(&key), HEXLOWER.encode(&key).to_uppercase()]);
        wanted.extend([BASE32_NOPAD.encode(&key), BASE64.encode(&key), format!("{key:?}")]);
    }
    wanted.retain(|text| count(log, text.as_bytes()) > 0);
    wanted
}

#[test]
fn the_log_names_no_address_handle_or_key_at_any_level_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    for filter in [None, Some("visavis=debug"), Some("visavis=trace,visavis_server=trace")] {
        let (alice, addresses, log) = log_of(folder.path(), filter);
        let found = traces(&alice, &addresses, &log);
        assert!(found.is_empty(), "{filter:?}: {found:?}\n{}", String::from_utf8_lossy(&log));
    }
    // The libraries' own log, which nobody gets without asking for it, shows that the search finds what is there.
    let (alice, addresses, log) = log_of(folder.path(), Some("trace"));
    assert!(!traces(&alice, &addresses, &log).is_empty());
}

#[test]
fn an_envelope_never_touches_the_disk_and_leaves_the_memory_when_it_is_acknowledged_or_expires() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "127.0.0.1:0");
    let address: ServerAddress = server.address.parse().unwrap();
    let process = server.child.id();
    let alice = identity(&address, "alice");
    let [taken, expired] = [*b"canary-to-be-taken-0123456789abc", *b"canary-to-expire-0123456789abcde"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let held = runtime.block_on(async {
        let mut device = Link::in_role(&address, alice.device(), Role::Device).await;
        assert_eq!(device.ask(&registration(&alice)).await, Some(ToClient::Done));
        device.connection.close(0_u32.into(), b"");
        let mut courier = Link::in_role(&address, &courier_key(), Role::Courier).await;
        // Until the server has noticed that the device has gone, it says that it has handed it over.
        for canary in [&taken, &expired] {
            let answer = courier.ask(&letter(&alice, canary)).await;
            assert!([Some(ToClient::Held), Some(ToClient::Delivered)].contains(&answer), "{answer:?}");
        }
        let held = Instant::now();
        courier.connection.close(0_u32.into(), b"");
        for canary in [&taken, &expired] {
            assert!(in_memory(process, canary) > 0, "the search finds what is there");
            assert_eq!(in_files(folder.path(), canary), 0);
        }
        let mut device = Link::in_role(&address, alice.device(), Role::Device).await;
        assert_eq!(device.ask(&registration(&alice)).await, Some(ToClient::Done));
        let Some(ToClient::Envelope { number, envelope }) = device.answer().await else { panic!("no envelope") };
        assert!(envelope.starts_with(&taken));
        assert!(matches!(device.answer().await, Some(ToClient::Envelope { .. })), "the other one, not acknowledged");
        write_message(&mut device.writer, &ToServer::Received { number }).await.unwrap();
        assert_eq!(device.ask(&registration(&alice)).await, Some(ToClient::Done), "so that it has read that");
        device.connection.close(0_u32.into(), b"");
        held
    });
    drop(runtime);
    let gone_by = |canary: &[u8], patience: Duration| {
        let began = Instant::now();
        while in_memory(process, canary) > 0 {
            assert!(began.elapsed() < patience, "{} copies are left", in_memory(process, canary));
            std::thread::sleep(Duration::from_millis(250));
        }
    };
    gone_by(&taken, Duration::from_secs(20));
    assert!(in_memory(process, &expired) > 0, "it still waits");
    assert_eq!(in_files(folder.path(), &expired), 0);
    gone_by(&expired, Duration::from_mins(1));
    assert!(held.elapsed() >= Duration::from_secs(40), "it was not given its time");
    assert_eq!(in_files(folder.path(), &expired) + in_files(folder.path(), &taken), 0);
}

fn disclose(data: &Path, handle: &str, options: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
    let output = command.args(["disclose", handle, "--data"]).arg(data).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A profile of somebody whom the server knows.
fn registered(folder: &TempDir, server: &Server, name: &str) -> std::path::PathBuf {
    let profile = folder.path().join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.args(["answer", "--name", name, "--server", &server.address, "--profile"]).arg(&profile);
    command.args(support::SILENT).args(["--video-source", "none"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = support::online(&mut command, name);
    child.kill().unwrap();
    child.wait().unwrap();
    profile
}

fn account(profile: &Path, arguments: &[&str], typed: &str) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.arg("account").args(arguments).arg("--profile").arg(profile);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_account_is_disclosed_then_deleted_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, "127.0.0.1:0");
    let profile = registered(&folder, &server, "canaryalice");
    let text = disclose(&data, "canaryalice@127.0.0.1", &[]);
    assert!(text.contains("Account canaryalice") && text.contains("Second factor off"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&disclose(&data, "canaryalice", &["--json"])).unwrap();
    assert_eq!((&json["is_known"], json["rows"].as_array().unwrap().len()), (&true.into(), 3));
    assert!(json["in_memory"].is_object(), "asked of the running server");

    let status = account(&profile, &["totp", "status"], "");
    assert_eq!(String::from_utf8_lossy(&status.stdout), "The second factor is off.\n");
    let wrong = account(&profile, &["totp", "enable"], "000000\n");
    let said = support::said(&wrong);
    assert!(!wrong.status.success() && said.contains("otpauth://totp/Visavis:canaryalice%40127.0.0.1"), "{said}");
    let kept = account(&profile, &["delete"], "no\n");
    assert!(!kept.status.success() && support::said(&kept).contains("nothing was deleted"));
    assert!(in_files(&data, b"canaryalice") > 0, "the search finds what is there");
    let deleted = account(&profile, &["delete"], "yes\n");
    assert!(deleted.status.success(), "{}", support::said(&deleted));
    assert!(disclose(&data, "canaryalice", &[]).starts_with("Nothing is held"));
    let again = account(&profile, &["totp", "status"], "");
    assert!(support::said(&again).contains("no account"), "{}", support::said(&again));

    // A server that stops leaves nothing of it; nor does one that runs, after a minute.
    Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    let began = Instant::now();
    while in_files(&data, b"canaryalice") > 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "the name stays in the file");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(server.child.wait().unwrap().success());
    assert!(disclose(&data, "canaryalice", &[]).starts_with("Nothing is held"), "the server does not run");
    let nowhere =
        Command::new(env!("CARGO_BIN_EXE_visavis-server")).args(["disclose", "a", "--data", "/nowhere"]).output();
    assert!(support::said(&nowhere.unwrap()).contains("no such file"));
}
