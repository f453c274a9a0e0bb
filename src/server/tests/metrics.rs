//! What a server tells its operator's monitoring, and who asks it slowly, wrongly or all at once.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::mail::letter;
use super::*;
use crate::media::{FrameId, LeafIndex, Stream};
use crate::server::metrics::MAX_REQUEST_BYTES;
use crate::wire::packet::{FrameHeader, PacketHeader};

/// The status and the body of the answer to these bytes; nothing if the connection ends without one.
async fn tell(metrics: SocketAddr, request: &[u8]) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(metrics).await.unwrap();
    // It may hang up before it has read all of a question that is too long.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("it hangs");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length.parse(), Ok(body.len()));
    Some((head.lines().next().unwrap().to_owned(), body.to_owned()))
}

async fn page(metrics: SocketAddr, path: &str) -> (String, String) {
    tell(metrics, format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes()).await.unwrap()
}

fn value(page: &str, name: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("visavis_{name} ")));
    line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
}

#[test]
fn what_happens_is_counted_and_nobody_is_named() {
    with_measured_server(LIMITS, async |server, _, metrics| {
        assert_eq!(page(metrics, "/healthz").await, ("HTTP/1.1 200 OK".into(), "ok\n".into()));
        let (_, before) = page(metrics, "/metrics").await;
        for name in ["connections", "accounts", "envelopes_waiting", "rooms", "relayed_packets_total", "store_queue"] {
            assert_eq!(value(&before, name), 0, "{name}");
        }

        let (alice, bob) = (identity(&server, "alice"), identity(&server, "bob"));
        let link = device(&server, &alice).await;
        let away = device(&server, &bob).await;
        away.close().await;
        let mut courier = courier(&server, 1).await.unwrap();
        while is_online(&mut courier, "bob").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(courier.ask(&letter(&bob, 1)).await, Ok(ToClient::Held));
        let unknown = courier.ask(&letter(&identity(&server, "nobody"), 1)).await;
        assert!(unknown.is_err(), "{unknown:?}");
        let (one, two) = (member(&server, 2, 0).await, member(&server, 3, 1).await);
        let packet = |leaf| {
            let frame = FrameHeader { leaf: LeafIndex(leaf), stream: Stream::Audio, back: 0, id: FrameId(1) };
            let header = PacketHeader { frame, fragment: 0, fragments: 1, number: 0 };
            [header.to_bytes().as_slice(), b"sealed"].concat()
        };
        let length = packet(0).len() as u64;
        for _ in 0..5 {
            one.connection.send_datagram(packet(0).into()).unwrap();
            two.connection.read_datagram().await.unwrap();
        }
        one.connection.send_datagram(packet(1).into()).unwrap();
        one.connection.send_datagram(packet(0).into()).unwrap();
        two.connection.read_datagram().await.unwrap();

        let (_, mut now) = page(metrics, "/metrics").await;
        // Bob's connection is closed, which the server may not have noticed yet.
        for _ in 0..500 {
            if value(&now, "connections") == 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            now = page(metrics, "/metrics").await.1;
        }
        for (name, wanted) in [
            ("connections", 4),
            ("devices", 1),
            ("accounts", 2),
            ("envelopes_waiting", 1),
            ("rooms", 1),
            ("relayed_packets_total", 6),
            ("relayed_bytes_total", 6 * length),
            ("dropped_packets_total", 1),
            ("refusals_total{reason=\"unknown\"}", 1),
            ("refusals_total{reason=\"quota\"}", 0),
        ] {
            assert_eq!(value(&now, name), wanted, "{name}: {now}");
        }
        let names = ["alice", "bob", "127.0.0.1", "localhost"];
        assert!(!names.iter().any(|name| now.contains(name)), "{now}");
        // Nothing but names that stand in the program, and numbers that are too short for a key.
        assert!(now.split_ascii_whitespace().all(|word| word.len() < 48), "{now}");
        drop((link, one, two));
    });
}

#[test]
fn a_server_whose_database_hangs_is_not_healthy_and_still_tells_what_it_knows() {
    with_measured_server(LIMITS, async |server, watch, metrics| {
        let (mut link, disk) = register_while_the_disk_is_held(&server, &watch).await;
        assert_eq!(page(metrics, "/healthz").await.0, "HTTP/1.1 503 Service Unavailable");
        let (status, now) = page(metrics, "/metrics").await;
        assert_eq!((status.as_str(), value(&now, "connections")), ("HTTP/1.1 200 OK", 1));
        assert!(!now.contains("\nvisavis_accounts "), "{now}");
        drop(disk);
        assert_eq!(link.reader.read().await, Ok(ToClient::Done));
        assert_eq!(page(metrics, "/healthz").await.0, "HTTP/1.1 200 OK");
    });
}

#[test]
fn who_asks_wrongly_slowly_or_too_much_holds_nobody_up() {
    with_measured_server(LIMITS, async |_, _, metrics| {
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("DELETE /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            ("hello\r\n\r\n", "400 Bad Request"),
        ] {
            assert_eq!(tell(metrics, request.as_bytes()).await.unwrap().0, format!("HTTP/1.1 {status}"));
        }
        // Without an end, as long as anybody likes: as much is read as a question may have.
        let endless = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(MAX_REQUEST_BYTES));
        let _ = tell(metrics, endless.as_bytes()).await;
        let noise = tell(metrics, &[0x16; 4 * MAX_REQUEST_BYTES]).await;
        assert!(noise.is_none_or(|(status, _)| status == "HTTP/1.1 400 Bad Request"));

        // More than are served at one time say nothing, or stop in the middle; whoever asks after them is answered.
        let mut silent = Vec::new();
        for number in 0..30 {
            let mut stream = TcpStream::connect(metrics).await.unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET /met").await.unwrap();
            }
            silent.push(stream);
        }
        assert_eq!(page(metrics, "/healthz").await.0, "HTTP/1.1 200 OK");
        for mut stream in silent {
            let mut nothing = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut nothing)).await;
            assert!(ended.is_ok() && nothing.is_empty());
        }
    });
}
