//! How QUIC is tuned for calls. quinn's own defaults suit downloads, not faces.

use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{IdleTimeout, TransportConfig, VarInt};

use super::ceiling::Ceiling;

/// Largest datagram that is sent before the path's real limit is known: fits QUIC's smallest packet of 1200 bytes.
pub const DATAGRAM_LEN: usize = 1150;
/// Bytes of datagrams that wait for the network: one keyframe of a large picture, not seconds (quinn's default is 1 MiB).
pub const DATAGRAM_SEND_BYTES: usize = 192 * 1024;
/// Bytes in flight before anything is acknowledged: a keyframe. The 14 kB of RFC 9002 would let one out only over several
/// round trips, since a sender that has little to say never grows its window.
pub(super) const FIRST_WINDOW_BYTES: u64 = 96 * 1024;
/// Bytes that the server lets be on their way to a member: half a second at 12 Mb/s, more than any call sends.
const PASSED_BYTES: u64 = 768 * 1024;
/// Seconds of silence that a room's connection outlives: a tunnel of ten seconds, and as much again. Whoever is in touch with the
/// server outside a call is given up sooner, by its own side's say.
const OUTLIVED_S: u32 = 20;
/// The same of a direct connection: after that another is looked for, while the relay serves.
#[cfg(feature = "client")]
const DIRECT_OUTLIVED_S: u32 = 12;
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

/// For a client's connection to a relay room: its silence is noticed sooner, and outlived for as long as a tunnel is. What may
/// be on its way is the call's to say.
#[cfg(feature = "client")]
#[must_use]
pub fn room(ceiling: &Ceiling) -> Arc<TransportConfig> {
    let mut config = common(OUTLIVED_S);
    config.congestion_controller_factory(ceiling.factory());
    config.keep_alive_interval(Some(Duration::from_secs(1)));
    config.max_concurrent_uni_streams(VarInt::from_u32(0)).max_concurrent_bidi_streams(VarInt::from_u32(0));
    Arc::new(config)
}

/// For the connection between the two sides of a call, on both sides: one stream, short patience, quick first tries (the
/// peer's address translator may only now be opening). What may be on its way is the call's to say.
#[cfg(feature = "client")]
#[must_use]
pub fn direct(ceiling: &Ceiling) -> Arc<TransportConfig> {
    let mut config = common(DIRECT_OUTLIVED_S);
    config.congestion_controller_factory(ceiling.factory());
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

/// For the server's side of a connection: a stranger may open one stream and fill little. How fast media go is between the two
/// ends of a call: whatever a member sends is passed on, and waits for no controller in between.
#[must_use]
pub fn server() -> Arc<TransportConfig> {
    let mut config = common(OUTLIVED_S);
    let passing = Ceiling::default();
    passing.set(PASSED_BYTES);
    config
        .congestion_controller_factory(Arc::new(passing))
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

#[cfg(all(test, feature = "client"))]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::engine::clock;
    use crate::net::direct::CallSocket;
    use crate::net::impair::Impairment;
    use crate::net::tls;
    use crate::sim::spec;

    const SENT: usize = 500;

    #[tokio::test]
    async fn the_server_passes_media_on_at_their_own_pace_whatever_is_lost_behind_it() {
        let key = |number| SigningKey::from_bytes(&[number; 32]);
        let (server_key, member) = (key(1), Arc::new(key(2)));
        let mut config = tls::server_config(&server_key, tls::Accept::Any).unwrap();
        config.transport_config(server());
        let relay = quinn::Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let at = relay.local_addr().unwrap();
        let link = spec::parse("delay=40ms,down.loss=5%,seed=3", |_| Err(String::new())).unwrap();
        let impairment = Impairment::new(Arc::new(link), clock::now);
        let server_public = server_key.verifying_key().to_bytes();
        let socket =
            CallSocket::open(Arc::clone(&member), server_public, Ceiling::default(), Some(&impairment)).unwrap();
        let accepting = tokio::spawn(async move { (relay.accept().await.unwrap().await.unwrap(), relay) });
        let mut config = tls::client_config(&member, server_public).unwrap();
        config.transport_config(room(socket.ceiling()));
        let dialled = socket.endpoint().connect_with(config, at, tls::SERVER_NAME).unwrap().await.unwrap();
        let (connection, _relay) = accepting.await.unwrap();
        // 2 Mb/s, which nobody's controller may cut to what would be fair after such losses.
        let sending = tokio::spawn(async move {
            for number in 0..SENT {
                connection.send_datagram(vec![number as u8; 1_000].into()).unwrap();
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
            connection
        });
        let mut arrived = 0;
        while let Ok(Ok(_)) = tokio::time::timeout(Duration::from_secs(1), dialled.read_datagram()).await {
            arrived += 1;
        }
        let _connection = sending.await.unwrap();
        assert!(arrived > SENT * 90 / 100, "{arrived} of {SENT}");
    }
}
