//! How QUIC is tuned for calls. quinn's own defaults suit downloads, not faces.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};

/// Largest datagram that is sent before the path's real limit is known: fits QUIC's smallest packet of 1200 bytes.
pub const DATAGRAM_LEN: usize = 1150;
/// Bytes of datagrams that wait for the network: a keyframe or two, not seconds (quinn's default is 1 MiB).
const DATAGRAM_SEND_BYTES: usize = 64 * 1024;
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

fn common(idle_s: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_s * 1000))))
        // The default of 333 ms makes the first lost handshake packet cost a second.
        .initial_rtt(Duration::from_millis(100))
        .datagram_send_buffer_size(DATAGRAM_SEND_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BYTES));
    config
}
