//! What a server counts of itself, for its operator's monitoring: how much, never who. Served as plain text over HTTP, to this
//! machine alone unless the operator says otherwise: `/healthz` and `/metrics` (the format of Prometheus).

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::state::State;
use crate::wire::signal::Refusal;

/// Most bytes of a question with all its headers.
pub const MAX_REQUEST_BYTES: usize = 4096;
/// Questions that are answered at one time; more wait in the system's queue.
const AT_ONCE: usize = 8;
/// For a whole question, and for its answer to be read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the server says no, as it is counted.
const REASONS: [&str; 11] = [
    "version",
    "invalid",
    "unknown",
    "taken",
    "chain",
    "quota",
    "room",
    "deleted",
    "code_needed",
    "code_wrong",
    "code_locked",
];

const fn reason(refusal: Refusal) -> usize {
    match refusal {
        Refusal::Version => 0,
        Refusal::Invalid => 1,
        Refusal::Unknown => 2,
        Refusal::Taken => 3,
        Refusal::Chain => 4,
        Refusal::Quota => 5,
        Refusal::Room => 6,
        Refusal::Deleted => 7,
        Refusal::CodeNeeded => 8,
        Refusal::CodeWrong => 9,
        Refusal::CodeLocked { .. } => 10,
    }
}

/// What has happened since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    refusals: [AtomicU64; REASONS.len()],
    turned_away: AtomicU64,
}

impl Counters {
    /// A packet of so many bytes went on to so many members.
    pub fn relayed(&self, bytes: usize, members: usize) {
        self.packets.fetch_add(members as u64, Ordering::Relaxed);
        self.bytes.fetch_add((bytes * members) as u64, Ordering::Relaxed);
    }

    /// A packet did not go on: it was not its sender's, or too much.
    pub fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Something was refused.
    pub fn refused(&self, refusal: Refusal) {
        self.refusals[reason(refusal)].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was refused before it stood.
    pub fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }
}

/// How much there is of everything at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Connections, those in their handshake included.
    pub connections: usize,
    /// Devices that are registered and connected.
    pub devices: usize,
    /// Accounts, if the database has answered.
    pub accounts: Option<u64>,
    /// Sealed envelopes that wait.
    pub envelopes: usize,
    /// Rooms of the relay.
    pub rooms: usize,
    /// Questions that wait for the database.
    pub store_queue: usize,
}

/// All of it in the text format of Prometheus.
#[must_use]
pub fn render(figures: &Figures, counters: &Counters) -> String {
    let mut text = String::with_capacity(4096);
    let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        let _ = writeln!(text, "# HELP visavis_{name} {help}\n# TYPE visavis_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "visavis_{name}{labels} {value}");
        }
    };
    let alone = |value: u64| vec![(String::new(), value)];
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (name, help, value) in [
        ("connections", "Connections that are open.", Some(figures.connections as u64)),
        ("devices", "Devices that are registered and connected.", Some(figures.devices as u64)),
        ("accounts", "Accounts in the database.", figures.accounts),
        ("envelopes_waiting", "Sealed envelopes that wait for a device.", Some(figures.envelopes as u64)),
        ("rooms", "Rooms of the relay.", Some(figures.rooms as u64)),
        ("store_queue", "Questions that wait for the database.", Some(figures.store_queue as u64)),
    ] {
        family(name, "gauge", help, &value.map(alone).unwrap_or_default());
    }
    for (name, help, counter) in [
        ("relayed_packets_total", "Packets that the relay has passed on.", &counters.packets),
        ("relayed_bytes_total", "Bytes of these packets.", &counters.bytes),
        ("dropped_packets_total", "Packets that it has not: too many, or not their sender's.", &counters.dropped),
        ("turned_away_total", "Connections that were refused before they stood.", &counters.turned_away),
    ] {
        family(name, "counter", help, &alone(count(counter)));
    }
    let refusals = REASONS.iter().zip(&counters.refusals);
    let refusals: Vec<_> = refusals.map(|(name, counter)| (format!("{{reason=\"{name}\"}}"), count(counter))).collect();
    family("refusals_total", "counter", "What was refused, by reason.", &refusals);
    text
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether the server works.
    Health,
    /// What it counts.
    Metrics,
    /// Nothing that is here.
    Unknown,
    /// Something else than to read.
    NotAllowed,
    /// No question of HTTP/1.
    Malformed,
}

/// What a question asks for, by its first line. Its headers change nothing.
#[must_use]
pub fn asked(request: &[u8]) -> Asked {
    let line = request.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|&byte| byte == b' ');
    let (method, target, version, rest) = (words.next(), words.next(), words.next(), words.next());
    match (method, target, version, rest) {
        (Some(method), Some(target), Some(b"HTTP/1.1" | b"HTTP/1.0"), None) => match (method, target) {
            (b"GET", b"/healthz") => Asked::Health,
            (b"GET", b"/metrics") => Asked::Metrics,
            (b"GET", [b'/', ..]) => Asked::Unknown,
            (method, [b'/' | b'*', ..]) if !method.is_empty() && method.iter().all(u8::is_ascii_uppercase) => {
                Asked::NotAllowed
            }
            _ => Asked::Malformed,
        },
        _ => Asked::Malformed,
    }
}

/// Where questions come in.
pub struct Listener(std::net::TcpListener);

impl Listener {
    /// Listens there, for TCP.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Where it listens.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers for as long as the server runs; inside its runtime.
    pub async fn serve(self, state: &Arc<State>, endpoint: &quinn::Endpoint) {
        let listener = match TcpListener::from_std(self.0) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "no figures for monitoring");
                return std::future::pending().await;
            }
        };
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (state, endpoint) = (Arc::clone(state), endpoint.clone());
                    tokio::spawn(async move {
                        answer(stream, &state, &endpoint).await;
                        drop(place);
                    });
                }
                // Too many files are open: later there may be fewer.
                Err(_) => tokio::time::sleep(PATIENCE).await,
            }
        }
    }
}

/// One question, one answer. Who does not ask or read in time gets none.
async fn answer(mut stream: TcpStream, state: &State, endpoint: &quinn::Endpoint) {
    let Ok(Ok(request)) = tokio::time::timeout(PATIENCE, read_request(&mut stream)).await else { return };
    let (status, body) = match asked(&request) {
        Asked::Health => match tokio::time::timeout(PATIENCE, state.accounts()).await {
            Ok(Some(_)) => ("200 OK", "ok\n".to_owned()),
            _ => ("503 Service Unavailable", "the database does not answer\n".to_owned()),
        },
        Asked::Metrics => {
            let accounts = tokio::time::timeout(PATIENCE, state.accounts()).await.ok().flatten();
            let figures = Figures { connections: endpoint.open_connections(), accounts, ..state.figures() };
            ("200 OK", render(&figures, &state.counters))
        }
        Asked::Unknown => ("404 Not Found", "there are /healthz and /metrics\n".to_owned()),
        Asked::NotAllowed => ("405 Method Not Allowed", "only GET\n".to_owned()),
        Asked::Malformed => ("400 Bad Request", "this is no request of HTTP/1.1\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let write = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(PATIENCE, write).await;
}

/// A question up to the empty line behind its headers, or as much of it as is read at all.
async fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::with_capacity(512);
    loop {
        let is_whole = request.windows(4).any(|end| end == b"\r\n\r\n") || request.windows(2).any(|end| end == b"\n\n");
        if is_whole || request.len() >= MAX_REQUEST_BYTES {
            return Ok(request);
        }
        let mut piece = [0; 512];
        let room = piece.len().min(MAX_REQUEST_BYTES - request.len());
        match stream.read(&mut piece[..room]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => request.extend_from_slice(&piece[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_question_is_known_by_its_first_line() {
        for (line, wanted) in [
            ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", Asked::Health),
            ("GET /metrics HTTP/1.0\n\n", Asked::Metrics),
            ("GET /metrics?all HTTP/1.1\r\n\r\n", Asked::Unknown),
            ("GET / HTTP/1.1\r\n\r\n", Asked::Unknown),
            ("POST /metrics HTTP/1.1\r\n\r\n", Asked::NotAllowed),
            ("OPTIONS * HTTP/1.1\r\n\r\n", Asked::NotAllowed),
            ("GET  /metrics HTTP/1.1\r\n\r\n", Asked::Malformed),
            ("GET metrics HTTP/1.1\r\n\r\n", Asked::Malformed),
            ("get /metrics HTTP/1.1\r\n\r\n", Asked::Malformed),
            ("GET /metrics HTTP/2\r\n\r\n", Asked::Malformed),
            ("GET /metrics\r\n\r\n", Asked::Malformed),
            ("\x16\x03\x01\x02", Asked::Malformed),
            ("", Asked::Malformed),
        ] {
            assert_eq!(asked(line.as_bytes()), wanted, "{line:?}");
        }
    }

    #[test]
    fn every_refusal_is_counted_under_a_name_of_its_own() {
        let refusals = [
            Refusal::Version,
            Refusal::Invalid,
            Refusal::Unknown,
            Refusal::Taken,
            Refusal::Chain,
            Refusal::Quota,
            Refusal::Room,
            Refusal::Deleted,
            Refusal::CodeNeeded,
            Refusal::CodeWrong,
            Refusal::CodeLocked { minutes: 7 },
        ];
        let counters = Counters::default();
        for (times, refusal) in (1..).zip(refusals) {
            (0..times).for_each(|_| counters.refused(refusal));
        }
        let text = render(&Figures::default(), &counters);
        for (times, name) in (1..).zip(REASONS) {
            assert!(text.contains(&format!("visavis_refusals_total{{reason=\"{name}\"}} {times}\n")), "{text}");
        }
        assert!(text.contains("# TYPE visavis_accounts gauge\n# HELP"), "nothing is made up: {text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_question(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
            prop_assert_eq!(asked(&bytes), asked(first));
        }
    }
}
