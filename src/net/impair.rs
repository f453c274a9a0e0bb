//! A modelled link in front of the call's socket, in real time and without privileges: what the program sends goes through the
//! model's one direction, what it receives through the other.
//!
//! What is due at once passes at once. The rest waits in the model, whose queues are bounded, and leaves when the runtime's
//! timer says so: up to a millisecond late, which the model does not add up. What the system's own queue does not take at that
//! moment is lost, as on a real interface.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::Notify;
use tokio::time::Sleep;

use crate::media::Timestamp;
use crate::sim::{Direction, Link, LinkConfig, LinkWatch, Passed};

/// What IPv4 and UDP put before a payload: the model's rates count it.
const HEADER_BYTES: usize = 28;
/// Batches taken from the system before other tasks have their turn.
const BATCHES: usize = 32;
/// How long packets that were sent before the socket closed may still be on their way.
const LINGER: Duration = Duration::from_secs(2);

/// A link to be put before sockets, and the clock that it runs by.
#[derive(Clone, Debug)]
pub struct Impairment {
    /// The link.
    pub link: Arc<LinkConfig>,
    /// The engine's clock.
    pub clock: fn() -> Timestamp,
    /// Who wants to know what becomes of what is sent.
    pub watch: Option<Arc<LinkWatch>>,
    /// The sending direction that this socket shares with others; nothing: it has one of its own.
    pub shared: Option<Arc<Uplink>>,
}

impl Impairment {
    /// A link that is nobody else's and that nobody watches.
    #[must_use]
    pub const fn new(link: Arc<LinkConfig>, clock: fn() -> Timestamp) -> Self {
        Self { link, clock, watch: None, shared: None }
    }
}

/// The sending direction of a link, for one socket or for several that share it. Its traces and outages begin with the first.
#[derive(Default)]
pub struct Uplink {
    begun: Mutex<Option<Begun>>,
    /// The next packet is due at another time than before, or a socket is closed.
    changed: Notify,
    /// Sockets that are open: each sends what is due, whosever it is.
    open: AtomicUsize,
}

struct Begun {
    start: Timestamp,
    direction: Direction<Outgoing>,
}

/// A socket behind a modelled link.
pub(super) struct ImpairedSocket {
    shared: Arc<Shared>,
    down: Mutex<Receiving>,
}

/// What the socket and its timer task share.
struct Shared {
    inner: Arc<dyn AsyncUdpSocket>,
    clock: fn() -> Timestamp,
    up: Arc<Uplink>,
    watch: Option<Arc<LinkWatch>>,
    closed: AtomicBool,
}

/// The receiving direction, and when it next has something.
struct Receiving {
    link: Direction<(Bytes, RecvMeta)>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone)]
struct Outgoing {
    socket: Arc<dyn AsyncUdpSocket>,
    contents: Bytes,
    destination: SocketAddr,
    ecn: Option<EcnCodepoint>,
    src_ip: Option<IpAddr>,
}

impl ImpairedSocket {
    /// Puts a link before `inner`. Its traces and outages begin now, those of a shared direction began with its first socket.
    /// Must be called inside the runtime that is to drive it.
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, impairment: &Impairment) -> Arc<Self> {
        let Impairment { link, clock, watch, shared } = impairment;
        let (up, watch) = (shared.clone().unwrap_or_default(), watch.clone());
        let Link { up: direction, down } = Link::new(link, clock());
        let start = lock(&up.begun).get_or_insert(Begun { start: clock(), direction }).start;
        if let Some(watch) = &watch {
            watch.begin(start);
        }
        up.open.fetch_add(1, Ordering::AcqRel);
        let shared = Arc::new(Shared { inner, clock: *clock, up, watch, closed: AtomicBool::new(false) });
        tokio::spawn(Arc::clone(&shared).send_when_due());
        Arc::new(Self { shared, down: Mutex::new(Receiving { link: down, timer: None }) })
    }
}

impl Drop for ImpairedSocket {
    fn drop(&mut self) {
        self.shared.up.open.fetch_sub(1, Ordering::AcqRel);
        self.shared.closed.store(true, Ordering::Release);
        self.shared.up.changed.notify_waiters();
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Sends what is due, until the socket is closed and nothing is on its way any more, or others that are open see to it.
    async fn send_when_due(self: Arc<Self>) {
        loop {
            let changed = self.up.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let due = lock(&self.up.begun).as_mut().and_then(|up| up.send_due(self.now()));
            let pause = due.map(|due| due.since(self.now()));
            let closed = self.closed.load(Ordering::Acquire);
            if closed && self.up.open.load(Ordering::Acquire) > 0 {
                return;
            }
            match pause {
                None if closed => return,
                Some(pause) if closed && pause > LINGER => return,
                None => changed.await,
                Some(pause) => tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = changed => {}
                },
            }
        }
    }
}

impl Begun {
    /// Sends what is due by now; gives when the next is.
    fn send_due(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some(Outgoing { socket, contents, destination, ecn, src_ip }) = self.direction.poll_packet(now) {
            let transmit = Transmit { destination, ecn, contents: &contents, segment_size: None, src_ip };
            let _ = socket.try_send(&transmit);
        }
        self.direction.poll_timeout()
    }
}

impl AsyncUdpSocket for ImpairedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.shared.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        let mut begun = lock(&self.shared.up.begun);
        let Some(up) = &mut *begun else { return Ok(()) };
        let before = up.direction.poll_timeout();
        // Only under the lock: the direction's time does not go back.
        let now = self.shared.now();
        let &Transmit { destination, ecn, src_ip, contents, segment_size } = transmit;
        for segment in contents.chunks(segment_size.unwrap_or(contents.len()).max(1)) {
            let contents = Bytes::copy_from_slice(segment);
            let bytes = segment.len() + HEADER_BYTES;
            let socket = Arc::clone(&self.shared.inner);
            let left = up.direction.handle_packet(now, bytes, Outgoing { socket, contents, destination, ecn, src_ip });
            if let Some(watch) = &self.shared.watch {
                watch.note(Passed { entered: now, left, bytes: bytes as u32 });
            }
        }
        let after = up.send_due(now);
        if after.is_some() && after != before {
            self.shared.up.changed.notify_waiters();
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut down = lock(&self.down);
        let Receiving { link, timer } = &mut *down;
        for _ in 0..BATCHES {
            let now = self.shared.now();
            let due = give_due(link, now, bufs, meta);
            if due > 0 {
                return Poll::Ready(Ok(due));
            }
            // The caller's buffers are free until something is due, and as large as the system wants them.
            match self.shared.inner.poll_recv(cx, bufs, meta) {
                Poll::Ready(Ok(received)) => take_in(link, self.shared.now(), &bufs[..received], &meta[..received]),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let Some(due) = link.poll_timeout() else { return Poll::Pending };
                    let sleep = timer.insert(Box::pin(tokio::time::sleep(due.since(now))));
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.inner.local_addr()
    }

    fn max_receive_segments(&self) -> usize {
        self.shared.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.shared.inner.may_fragment()
    }
}

/// What the system has received goes into the link, packet by packet.
fn take_in(link: &mut Direction<(Bytes, RecvMeta)>, now: Timestamp, bufs: &[IoSliceMut<'_>], meta: &[RecvMeta]) {
    for (buf, meta) in bufs.iter().zip(meta) {
        let received = &buf[..meta.len.min(buf.len())];
        for packet in received.chunks(meta.stride.max(1)) {
            let meta = RecvMeta { len: packet.len(), stride: packet.len(), ..*meta };
            link.handle_packet(now, packet.len() + HEADER_BYTES, (Bytes::copy_from_slice(packet), meta));
        }
    }
}

/// Fills the buffers with what is due, one packet each; gives how many are filled.
fn give_due(
    link: &mut Direction<(Bytes, RecvMeta)>,
    now: Timestamp,
    bufs: &mut [IoSliceMut<'_>],
    metas: &mut [RecvMeta],
) -> usize {
    let mut filled = 0;
    for (buf, meta) in bufs.iter_mut().zip(metas) {
        let Some((packet, packet_meta)) = link.poll_packet(now) else { break };
        let len = packet.len().min(buf.len());
        buf[..len].copy_from_slice(&packet[..len]);
        *meta = RecvMeta { len, stride: len, ..packet_meta };
        filled += 1;
    }
    filled
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uplink").finish_non_exhaustive()
    }
}

impl fmt::Debug for ImpairedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImpairedSocket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::call::AddressGrant;
    use crate::engine::clock;
    use crate::net::ceiling::Ceiling;
    use crate::net::direct::CallSocket;
    use crate::sim::spec;

    fn open(own: u8, peer: u8, link: Option<&str>) -> CallSocket {
        let key = |number| SigningKey::from_bytes(&[number; 32]);
        let link = link.map(|link| Arc::new(spec::parse(link, |_| Err(String::new())).unwrap()));
        let impairment = link.map(|link| Impairment::new(link, clock::now));
        let peer = key(peer).verifying_key().to_bytes();
        CallSocket::open(Arc::new(key(own)), peer, Ceiling::default(), impairment.as_ref()).unwrap()
    }

    /// The two sockets, and the connection from the one behind the link to the other.
    async fn connected(link: &str) -> ([CallSocket; 2], quinn::Connection, quinn::Connection) {
        let (callee, caller) = (open(1, 2, None), open(2, 1, Some(link)));
        callee.listen(&AddressGrant::for_test()).unwrap();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, callee.endpoint().local_addr().unwrap().port()));
        let accepting = callee.clone();
        let accepted = tokio::spawn(async move { accepting.accept().await.unwrap().await.unwrap() });
        let dialled = caller.dial(vec![at]).await.unwrap();
        ([callee, caller], dialled, accepted.await.unwrap())
    }

    /// Sends numbered datagrams one way, then gives those that arrived and the time from the first to the last.
    async fn numbers(from: &quinn::Connection, to: &quinn::Connection, count: u8, len: usize) -> (Vec<u8>, Duration) {
        let begun = clock::now();
        for number in 0..count {
            let mut datagram = vec![0; len];
            datagram[0] = number;
            from.send_datagram(datagram.into()).unwrap();
        }
        let (mut arrived, mut last) = (Vec::new(), begun);
        while let Ok(Ok(datagram)) = tokio::time::timeout(Duration::from_millis(700), to.read_datagram()).await {
            arrived.push(datagram[0]);
            last = clock::now();
        }
        (arrived, last.since(begun))
    }

    #[tokio::test]
    async fn a_connection_behind_a_delay_takes_it_both_ways() {
        let (_sockets, near, far) = connected("delay=20ms").await;
        assert!(near.rtt() >= Duration::from_millis(40), "{:?}", near.rtt());
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (arrived, taken) = numbers(from, to, 20, 100).await;
            assert_eq!(arrived, (0..20).collect::<Vec<_>>());
            assert!(taken >= Duration::from_millis(20), "{taken:?}");
        }
    }

    #[tokio::test]
    async fn losses_and_rate_hold_in_the_direction_that_has_them() {
        let (_sockets, near, far) = connected("up.rate=2mbit,down.loss=50%,seed=3").await;
        let (arrived, taken) = numbers(&near, &far, 40, 1_000).await;
        assert_eq!(arrived.len(), 40);
        assert!(taken >= Duration::from_millis(156), "40 kB at 2 Mb/s take 160 ms less what was idle: {taken:?}");
        let (arrived, _) = numbers(&far, &near, 200, 1_000).await;
        assert!((50..150).contains(&arrived.len()), "{}", arrived.len());
    }

    /// The packets of two sockets leave a direction that they share one after the other, and two of their own side by side.
    #[tokio::test]
    async fn sockets_that_share_a_direction_share_its_rate() {
        let key = |number| SigningKey::from_bytes(&[number; 32]);
        let link = Arc::new(spec::parse("up.rate=1mbit,up.queue=2s", |_| Err(String::new())).unwrap());
        for shared in [None, Some(Arc::new(Uplink::default()))] {
            let watch = Arc::new(LinkWatch::default());
            let mut waits = Vec::new();
            for (own, peer) in [(1, 2), (3, 4)] {
                let impairment = Impairment {
                    shared: shared.clone(),
                    watch: Some(Arc::clone(&watch)),
                    ..Impairment::new(Arc::clone(&link), clock::now)
                };
                let callee = open(own, peer, None);
                let peer = key(own).verifying_key().to_bytes();
                let own = Arc::new(key(own + 1));
                let caller = CallSocket::open(own, peer, Ceiling::default(), Some(&impairment)).unwrap();
                callee.listen(&AddressGrant::for_test()).unwrap();
                let at = SocketAddr::from((Ipv4Addr::LOCALHOST, callee.endpoint().local_addr().unwrap().port()));
                let accepting = callee.clone();
                let accepted = tokio::spawn(async move { accepting.accept().await.unwrap().await.unwrap() });
                let near = caller.dial(vec![at]).await.unwrap();
                let far = accepted.await.unwrap();
                waits.push((callee, caller, near, far));
            }
            let [(.., near, far), (.., other_near, other_far)] = &waits[..] else { unreachable!() };
            drop(watch.take());
            let both = tokio::join!(numbers(near, far, 40, 1_000), numbers(other_near, other_far, 40, 1_000));
            assert_eq!((both.0.0.len(), both.1.0.len()), (40, 40));
            let mut large = watch.take().packets;
            large.retain(|packet| packet.bytes > 1_000);
            large.sort_by_key(|packet| packet.left);
            let apart = |pair: &[Passed]| pair[1].left.unwrap().since(pair[0].left.unwrap());
            let close = large.windows(2).filter(|pair| apart(pair) < Duration::from_millis(8)).count();
            assert!(large.len() >= 80 && (close == 0) == shared.is_some(), "{close} of {}", large.len());
        }
    }

    /// What a socket sent before it was closed is sent by the one that shares its direction, however long it is on its way.
    #[tokio::test]
    async fn a_closed_socket_leaves_its_direction_to_the_others() {
        let key = |number| SigningKey::from_bytes(&[number; 32]);
        let link = Arc::new(spec::parse("up.delay=3s", |_| Err(String::new())).unwrap());
        let shared = Arc::new(Uplink::default());
        let impairment =
            Impairment { shared: Some(Arc::clone(&shared)), ..Impairment::new(Arc::clone(&link), clock::now) };
        let [one, other] = [1, 2].map(|own| {
            let peer = key(own + 2).verifying_key().to_bytes();
            CallSocket::open(Arc::new(key(own)), peer, Ceiling::default(), Some(&impairment)).unwrap()
        });
        assert_eq!(shared.open.load(Ordering::Acquire), 2);
        let sink = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sink.set_nonblocking(true).unwrap();
        let dialling = tokio::spawn({
            let (one, at) = (one.clone(), sink.local_addr().unwrap());
            async move { drop(one.dial(vec![at]).await) }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        dialling.abort();
        one.close(Duration::ZERO).await;
        drop(one);
        let mut buf = [0; 2_048];
        assert!(sink.recv(&mut buf).is_err(), "it is on its way for 3 s");
        let begun = clock::now();
        while sink.recv(&mut buf).is_err() {
            assert!(clock::now().since(begun) < Duration::from_secs(10), "it was given up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(shared.open.load(Ordering::Acquire), 1);
        drop(other);
    }

    #[tokio::test]
    async fn a_link_that_changes_nothing_lets_everything_through_at_once() {
        let (_sockets, near, far) = connected("perfect").await;
        for (from, to) in [(&near, &far), (&far, &near)] {
            assert_eq!(numbers(from, to, 100, 1_000).await.0, (0..100).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn the_last_word_arrives_although_the_socket_is_closed() {
        let ([_callee, caller], near, far) = connected("delay=50ms").await;
        near.close(7_u32.into(), b"");
        drop(near);
        caller.close(Duration::ZERO).await;
        drop(caller);
        let closed = tokio::time::timeout(Duration::from_secs(1), far.closed()).await.unwrap();
        assert!(
            matches!(closed, quinn::ConnectionError::ApplicationClosed(ref frame) if frame.error_code == 7_u32.into()),
            "{closed}"
        );
    }
}
