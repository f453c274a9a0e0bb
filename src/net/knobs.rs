//! How QUIC is tuned for calls. quinn's own defaults suit downloads, not faces.

use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{IdleTimeout, TransportConfig, VarInt};

/// Largest datagram that is sent before the path's real limit is known: fits QUIC's smallest packet of 1200 bytes.
pub const DATAGRAM_LEN: usize = 1150;
/// Bytes of datagrams that wait for the network: one keyframe of a large picture, not seconds (quinn's default is 1 MiB).
const DATAGRAM_SEND_BYTES: usize = 192 * 1024;
/// Bytes in flight before anything is acknowledged: a keyframe. The 14 kB of RFC 9002 would let one out only over several
/// round trips, since a sender that has little to say never grows its window.
const FIRST_WINDOW_BYTES: u64 = 96 * 1024;
/// Bytes that the system keeps for a socket in either direction, as far as it allows: a keyframe comes as one burst.
const SOCKET_BYTES: usize = 1 << 20;
/// Bytes of datagrams that wait for us: a stall of the reader of some 100 ms.
const DATAGRAM_RECEIVE_BYTES: usize = 256 * 1024;

/// For a client's connection to the server.
#[must_use]
pub fn client() -> Arc<TransportConfig> {
    let mut config = common(8);
    config.keep_alive_interval(Some(Duration::from_secs(2)));
    config.max_concurrent_uni_streams(VarInt::from_u32(0)).max_concurrent_bidi_streams(VarInt::from_u32(0));
    Arc::new(config)
}

/// For a client's connection to a relay room: its silence is noticed sooner.
#[must_use]
pub fn room() -> Arc<TransportConfig> {
    let mut config = common(8);
    config.keep_alive_interval(Some(Duration::from_secs(1)));
    config.max_concurrent_uni_streams(VarInt::from_u32(0)).max_concurrent_bidi_streams(VarInt::from_u32(0));
    Arc::new(config)
}

/// For the connection between the two sides of a call, on both sides: one stream, short patience, quick first tries (the
/// peer's address translator may only now be opening).
#[must_use]
pub fn direct() -> Arc<TransportConfig> {
    let mut config = common(3);
    config
        .initial_rtt(Duration::from_millis(50))
        .keep_alive_interval(Some(Duration::from_millis(250)))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .stream_receive_window(VarInt::from_u32(128 * 1024))
        .receive_window(VarInt::from_u32(128 * 1024))
        .send_window(512 * 1024);
    Arc::new(config)
}

/// For the server's side of a connection: a stranger may open one stream and fill little.
#[must_use]
pub fn server() -> Arc<TransportConfig> {
    let mut config = common(8);
    config
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .stream_receive_window(VarInt::from_u32(128 * 1024))
        .receive_window(VarInt::from_u32(256 * 1024))
        .send_window(512 * 1024);
    Arc::new(config)
}

/// Asks the system for room in the socket's queues; what it refuses is done without.
pub fn make_roomy(socket: &std::net::UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
}

fn common(idle_s: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    let mut controller = CubicConfig::default();
    controller.initial_window(FIRST_WINDOW_BYTES);
    config
        .congestion_controller_factory(Arc::new(controller))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_s * 1000))))
        // The default of 333 ms makes the first lost handshake packet cost a second.
        .initial_rtt(Duration::from_millis(100))
        .datagram_send_buffer_size(DATAGRAM_SEND_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BYTES));
    config
}
