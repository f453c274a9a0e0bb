//! Who shares a call's link for its later part: another call like it, or a flow that takes what it can get.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use serde::Serialize;

use super::call::{BenchError, CallBench, LOOK, Measured};
use super::figures::Timeline;
use super::pair::Pair;
use super::summary::{Percentiles, round};
use crate::crypto::identity::ephemeral_key;
use crate::engine::clock;
use crate::media::Timestamp;
use crate::net::ceiling::Ceiling;
use crate::net::direct::CallSocket;
use crate::net::impair::{Impairment, Uplink};
use crate::net::tls;
use crate::sim::{LinkConfig, LinkRecord, LinkWatch};

/// How long after somebody joined the figures begin.
const SETTLING: Duration = Duration::from_secs(5);
/// Bytes that the flow hands over at a time.
const CHUNK: usize = 16 * 1024;

/// Who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A second call, with the same settings.
    Call,
    /// A QUIC connection with quinn's Cubic that always has something to send.
    Flow,
}

/// Somebody who shares the caller's sending direction from some moment of the talk on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Company {
    /// Who.
    pub who: Who,
    /// Seconds of the talk before.
    pub after_s: u64,
}

impl fmt::Display for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.who {
            Who::Call => "a second call",
            Who::Flow => "a QUIC connection with Cubic",
        };
        write!(f, "{who} after {} s of the talk", self.after_s)
    }
}

/// What the link saw of whoever joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// When.
    pub at: Timestamp,
    /// Their packets.
    pub link: LinkRecord,
}

/// How a call and its company got on, from five seconds after the joining on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CompanyFigures {
    /// Who joined.
    pub who: Who,
    /// What the link carried of the call meanwhile, with all headers.
    pub own_kbps: f64,
    /// What it carried of the others.
    pub others_kbps: f64,
    /// The one of both.
    pub own_share: f64,
    /// Signal delay of what was sent before they joined, in milliseconds.
    pub alone_ms: Percentiles,
    /// The same beside them.
    pub beside_ms: Percentiles,
}

/// Company that is ready, or there.
pub struct Guests {
    who: Who,
    watch: Arc<LinkWatch>,
    over: Arc<AtomicBool>,
    /// Taken when they leave.
    thread: Option<JoinHandle<Result<Option<Timestamp>, BenchError>>>,
}

impl Guests {
    /// Makes them ready: they join on their own when so much time has passed after the talk began, which `begun` tells.
    pub fn invite(
        company: Company,
        bench: &CallBench,
        link: &Arc<LinkConfig>,
        up: &Arc<Uplink>,
        begun: Arc<AtomicBool>,
    ) -> Result<Self, BenchError> {
        let Company { who, after_s } = company;
        let (watch, over) = (Arc::new(LinkWatch::default()), Arc::new(AtomicBool::new(false)));
        let (watcher, shared) = (Some(Arc::clone(&watch)), Some(Arc::clone(up)));
        let impairment = Impairment { watch: watcher, shared, ..Impairment::new(Arc::clone(link), clock::now) };
        let pair = match who {
            Who::Call => Some(bench.pair(Some(impairment.clone()))?),
            Who::Flow => None,
        };
        let ended = Arc::clone(&over);
        let stay = move || {
            let over = || ended.load(Ordering::Acquire);
            while !begun.load(Ordering::Acquire) && !over() {
                std::thread::sleep(LOOK);
            }
            let joining = clock::now() + Duration::from_secs(after_s);
            while clock::now() < joining && !over() {
                std::thread::sleep(LOOK);
            }
            if over() {
                return Ok(None);
            }
            let at = clock::now();
            match pair {
                Some(pair) => call(pair, over)?,
                None => flow(&impairment, over)?,
            }
            Ok(Some(at))
        };
        let thread = Builder::new().name("company".into()).spawn(stay)?;
        Ok(Self { who, watch, over, thread: Some(thread) })
    }

    /// Asks them to leave, and gives what the link saw of them; nothing if they had not joined yet.
    pub fn leave(mut self) -> Result<Option<(Who, Joined)>, BenchError> {
        self.over.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Ok(None) };
        let at = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(at.map(|at| (self.who, Joined { at, link: self.watch.take() })))
    }
}

impl Drop for Guests {
    /// The talk did not come about: they do not wait for it.
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

fn call(mut pair: Pair, over: impl Fn() -> bool) -> Result<(), BenchError> {
    let broke = |why: &dyn fmt::Display| BenchError::Company("second call", why.to_string());
    pair.talk(false).map_err(|error| broke(&error))?;
    while !over() {
        pair.caller.handle.talk().map_err(|ended| broke(&ended))?;
        std::thread::sleep(LOOK);
    }
    pair.caller.hang_up().map_err(|error| broke(&error))?;
    pair.shutdown();
    Ok(())
}

/// Sends without end, at whatever rate quinn's default controller takes.
fn flow(impairment: &Impairment, over: impl Fn() -> bool) -> Result<(), BenchError> {
    let broke = |why: &dyn fmt::Display| BenchError::Company("flow", why.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let [near_key, far_key] = [(); 2].map(|()| ephemeral_key(&mut rand::rng()));
        let far_public = far_key.verifying_key().to_bytes();
        let config = tls::server_config(&far_key, tls::Accept::Any).map_err(|error| broke(&error))?;
        let far = quinn::Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let config = tls::client_config(&near_key, far_public).map_err(|error| broke(&error))?;
        let near = CallSocket::open(Arc::new(near_key), far_public, Ceiling::default(), Some(impairment))?;
        let dialling = near.endpoint().connect_with(config, far.local_addr()?, tls::SERVER_NAME);
        let dialling = dialling.map_err(|error| broke(&error))?;
        let accepting = async { far.accept().await.ok_or(quinn::ConnectionError::LocallyClosed)?.await };
        let (from, to) = tokio::try_join!(dialling, accepting).map_err(|error| broke(&error))?;
        let sending = async {
            let mut stream = from.open_uni().await?;
            loop {
                stream.write_all(&[0; CHUNK]).await?;
            }
        };
        let receiving = async {
            let mut stream = to.accept_uni().await?;
            while stream.read_chunk(CHUNK, true).await?.is_some() {}
            Err(std::io::Error::other("it ended"))
        };
        let ended = async {
            while !over() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let error: std::io::Error = tokio::select! {
            () = ended => return Ok(()),
            result = sending => { let Err::<(), _>(error) = result else { return Ok(()) }; error }
            result = receiving => { let Err::<(), _>(error) = result else { return Ok(()) }; error }
        };
        Err(broke(&error))
    })
}

impl CompanyFigures {
    /// Of a run that somebody joined; nothing if it ended before they had settled.
    #[must_use]
    pub fn new(timeline: &Timeline, measured: &Measured) -> Option<Self> {
        let (who, joined) = measured.company.as_ref()?;
        let (from, until) = (joined.at + SETTLING, measured.talk.1);
        let kbps = |record: &LinkRecord| {
            let within = |left: Timestamp| left >= from && left < until;
            let carried = record.packets.iter().filter(|packet| packet.left.is_some_and(within));
            carried.map(|packet| f64::from(packet.bytes) * 8.0).sum::<f64>() / until.millis_since(from).max(1.0)
        };
        let (own, others) = (kbps(measured.link.as_ref()?), kbps(&joined.link));
        let alone = timeline.signal_delay_within(measured, measured.talk.0, joined.at);
        let beside = timeline.signal_delay_within(measured, from, until);
        if own + others <= 0.0 || alone.count() == 0 || beside.count() == 0 {
            return None;
        }
        Some(Self {
            who: *who,
            own_kbps: round(own),
            others_kbps: round(others),
            own_share: round(own / (own + others)),
            alone_ms: alone.percentiles(),
            beside_ms: beside.percentiles(),
        })
    }
}
