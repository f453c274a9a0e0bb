//! A search for what was sealed in everything that the relay has: its memory while the call runs, its log, its files.

use std::fs::{self, File};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use visavis::capture::SourceFormat;
use visavis::capture::pattern::Pattern;
use visavis::codec::{EncoderKind, FrameRequest, VideoEncoderConfig};
use visavis::media::{Colour, FrameId, PicturePool, Timestamp};

use visavis::net::tls;
use visavis::wire::address::ServerAddress;
use visavis::wire::signal::{self, Hello, Role, ToServer, VERSION};

use super::support::search::{count, in_files, in_memory};
use super::support::{Server, Talker, online, server_command};

/// The bitstream's head, which stands in front of each keyframe of a call of 160 × 96 pixels.
fn head_of_pictures() -> Vec<u8> {
    let (width, height, colour) = (160, 96, Colour::default());
    let config = VideoEncoderConfig { width, height, fps: 30, bitrate_kbps: 100, threads: 1, colour };
    let mut encoder = EncoderKind::Aom.open(&config).unwrap();
    let pattern = Pattern::new(SourceFormat { width, height, interval: Duration::from_millis(33) }).unwrap();
    let mut pool = PicturePool::new(1);
    let mut picture = pool.acquire(width, height, colour).unwrap();
    pattern.draw(FrameId(0), Timestamp::from_nanos(1), &mut picture);
    let mut coded = Vec::new();
    let request = FrameRequest { keyframe: true, ..FrameRequest::at(100) };
    encoder.encode(FrameId(0), &pool.finish(picture), request, &mut coded).unwrap();
    let data = &coded[0].data;
    let at = data.iter().position(|byte| *byte == 0x0a).expect("a sequence header");
    data[at..at + 2 + usize::from(data[at + 1])].to_vec()
}

#[test]
fn nothing_of_a_relayed_call_is_in_the_relays_memory_log_or_files() {
    let canary = head_of_pictures();
    assert!(canary.len() >= 10, "{canary:?}");
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("server"), folder.path().join("log"));
    let mut command = server_command(&data, "127.0.0.1:0");
    command.env("RUST_LOG", "trace").stderr(File::create(&log).unwrap());
    let server = Server::run(&mut command);
    let client = |verb: &str, name: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.args([verb, "--name", name, "--server", &server.address, "--profile"]).arg(folder.path().join(name));
        command.args(["--size", "160x96", "--path", "relay", "--encoder", "aom", "--mic", "none", "--speaker", "none"]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command
    };
    let callee = online(client("answer", "bob").args(["--once", "--auto-accept", "--accept-strangers"]), "bob");
    let callee = Talker::new(callee);
    let caller = client("call", "alice").args(["bob@127.0.0.1", "--seconds", "8"]).spawn().unwrap();
    let mut caller = Talker::new(caller);
    caller.wait_for("in call, by relay");
    std::thread::sleep(Duration::from_secs(2));

    for _ in 0..10 {
        assert_eq!(in_memory(server.child.id(), &canary), 0);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(in_memory(server.child.id(), b"bob@127.0.0.1") > 0, "the same search finds what the server has to know");
    drop((caller, callee));
    assert_eq!((in_files(&data, &canary), count(&fs::read(&log).unwrap(), &canary)), (0, 0));
    assert!(in_files(&data, b"bob@127.0.0.1") > 0 && fs::metadata(&log).unwrap().len() > 0);
}

/// Enters a room of the relay; leaf 0 says the canary there, unsealed, again and again.
async fn chatter(address: &str, leaf: u8, canary: &[u8]) {
    let address: ServerAddress = address.parse().unwrap();
    let config = tls::client_config(&SigningKey::from_bytes(&[leaf + 1; 32]), address.key).unwrap();
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let place = format!("{}:{}", address.host, address.port).parse().unwrap();
    let connection = endpoint.connect_with(config, place, tls::SERVER_NAME).unwrap().await.unwrap();
    let (mut writer, mut reader) = connection.open_bi().await.unwrap();
    let role = Role::Relay { room: [5; 32], leaf };
    writer.write_all(&signal::encode(&Hello { version: VERSION, role })).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if leaf == 0 {
            let message = canary.repeat(10_000 / canary.len());
            writer.write_all(&signal::encode(&ToServer::Room { message })).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        } else if !matches!(reader.read(&mut buffer).await, Ok(Some(_))) {
            return;
        }
    }
}

#[tokio::test]
async fn what_goes_through_the_relay_unsealed_would_be_found() {
    let canary = head_of_pictures();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("server"), "127.0.0.1:0");
    let (process, wanted) = (server.child.id(), canary.clone());
    let search = tokio::task::spawn_blocking(move || {
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            in_memory(process, &wanted) > 0
        })
    });
    tokio::select! {
        found = search => assert!(found.unwrap()),
        () = chatter(&server.address, 0, &canary) => panic!("the relay does not take it"),
        () = chatter(&server.address, 1, &canary) => panic!("the relay does not pass it on"),
    }
}
