//! The socket of a call: one UDP port for the relay and for the direct way, so that the address that the server sees is
//! the one that the peer can reach.
//!
//! The caller dials, the callee listens for the peer's key alone and knocks: small packets that open its address
//! translator. Whose connection stands has still proved nothing about the call; that takes the second proof of readiness.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use quinn::Runtime;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinSet;

use super::ceiling::Ceiling;
use super::impair::{ImpairedSocket, Impairment};
use super::tls::TlsError;
use super::{knobs, tls};
use crate::call::AddressGrant;
use crate::transport::candidates::{self, MAX_CANDIDATES};

/// How long candidates are dialled in one round, and how long a handshake may take.
pub const DIAL: Duration = Duration::from_secs(4);
/// Pause between the first packets to two candidates.
const PACE: Duration = Duration::from_millis(10);
/// Knocks on each candidate in one round, and the pause between them.
const KNOCKS: u32 = 30;
const KNOCK_PAUSE: Duration = Duration::from_millis(100);
/// What a knock is: no QUIC packet, so that nobody answers it.
const KNOCK: [u8; 1] = [0];
/// For the TLS exporter (RFC 8446 §7.5).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-visavis direct 1";

/// The socket of one call, for all its connections.
#[derive(Clone, Debug)]
pub struct CallSocket {
    endpoint: quinn::Endpoint,
    /// The same socket, for knocks.
    raw: Arc<UdpSocket>,
    own: Arc<SigningKey>,
    peer: [u8; 32],
    ceiling: Ceiling,
}

impl CallSocket {
    /// Opens a socket for IPv6 and IPv4, or for IPv4 alone where there is no other. `own` is this side's key of the call,
    /// `peer` the other's. With an impairment everything but knocks goes through its link. Must be called inside the runtime
    /// that is to drive it.
    pub fn open(
        own: Arc<SigningKey>,
        peer: [u8; 32],
        ceiling: Ceiling,
        impairment: Option<&Impairment>,
    ) -> io::Result<Self> {
        let socket = dual_stack().or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
        knobs::make_roomy(&socket);
        let raw = Arc::new(socket.try_clone()?);
        let config = quinn::EndpointConfig::default();
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = match impairment {
            None => quinn::Endpoint::new(config, None, socket, runtime)?,
            Some(impairment) => {
                let socket = ImpairedSocket::new(runtime.wrap_udp_socket(socket)?, impairment);
                quinn::Endpoint::new_with_abstract_socket(config, None, socket, runtime)?
            }
        };
        Ok(Self { endpoint, raw, own, peer, ceiling })
    }

    /// For connections to the relay.
    #[must_use]
    pub const fn endpoint(&self) -> &quinn::Endpoint {
        &self.endpoint
    }

    /// What its connections may have on their way.
    #[must_use]
    pub const fn ceiling(&self) -> &Ceiling {
        &self.ceiling
    }

    /// Addresses of this machine's interfaces that the socket can be reached at.
    #[must_use]
    pub fn interfaces(&self, _grant: &AddressGrant) -> Vec<IpAddr> {
        let six = self.endpoint.local_addr().is_ok_and(|local| local.is_ipv6());
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| six || ip.is_ipv4()).collect()
    }

    /// Where this machine can be reached. `observed`: as the server sees this socket; `server_here`: the server is on
    /// this machine.
    #[must_use]
    pub fn candidates(&self, grant: &AddressGrant, observed: Option<SocketAddr>, server_here: bool) -> Vec<SocketAddr> {
        let Ok(local) = self.endpoint.local_addr() else { return Vec::new() };
        candidates::own(self.interfaces(grant), local.port(), observed, server_here)
    }

    /// Lets the peer, and nobody else, connect from now on. [`CallSocket::accept`] gives the attempts.
    pub fn listen(&self, _grant: &AddressGrant) -> Result<(), TlsError> {
        let mut config = tls::server_config(&self.own, tls::Accept::Only(self.peer))?;
        config.transport_config(knobs::direct(&self.ceiling));
        config.max_incoming(MAX_CANDIDATES).incoming_buffer_size(8 * 1024).incoming_buffer_size_total(64 * 1024);
        self.endpoint.set_server_config(Some(config));
        Ok(())
    }

    /// The next attempt of somebody to connect; `None` when the call is over. Only the peer's gets through the handshake.
    pub async fn accept(&self) -> Option<quinn::Incoming> {
        self.endpoint.accept().await
    }

    /// Lets nobody connect any more.
    pub fn stop_listening(&self) {
        self.endpoint.set_server_config(None);
    }

    /// Closes the socket once its connections have said their last, at the latest after `patience`.
    pub async fn close(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.endpoint.wait_idle()).await;
        self.endpoint.close(0_u32.into(), b"");
    }

    /// Dials all candidates at once, a little apart; gives the connection that stands first.
    pub async fn dial(&self, candidates: Vec<SocketAddr>) -> Option<quinn::Connection> {
        let mut config = tls::client_config(&self.own, self.peer).ok()?;
        config.transport_config(knobs::direct(&self.ceiling));
        let mut attempts = JoinSet::new();
        for (at, candidate) in (0..).zip(candidates) {
            let (endpoint, config) = (self.endpoint.clone(), config.clone());
            attempts.spawn(async move {
                tokio::time::sleep(PACE * at).await;
                endpoint.connect_with(config, candidate, tls::SERVER_NAME).ok()?.await.ok()
            });
        }
        let first = async {
            while let Some(attempt) = attempts.join_next().await {
                if let Ok(Some(connection)) = attempt {
                    return Some(connection);
                }
            }
            None
        };
        tokio::time::timeout(DIAL, first).await.ok().flatten()
    }

    /// Knocks on all candidates for a while, so that what they send comes in.
    pub async fn knock(&self, candidates: Vec<SocketAddr>) {
        let six = self.raw.local_addr().is_ok_and(|local| local.is_ipv6());
        for _ in 0..KNOCKS {
            for candidate in &candidates {
                let to = match candidate {
                    SocketAddr::V4(four) if six => SocketAddr::new(four.ip().to_ipv6_mapped().into(), four.port()),
                    other => *other,
                };
                // A candidate that cannot be reached from here is just not reached.
                let _ = self.raw.send_to(&KNOCK, to);
            }
            tokio::time::sleep(KNOCK_PAUSE).await;
        }
    }
}

/// What binds a proof to this connection: both ends of it, and nobody else, have the same.
#[must_use]
pub fn channel_binding(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let mut value = [0; 32];
    connection.export_keying_material(&mut value, EXPORTER_LABEL, b"").ok()?;
    Some(value)
}

fn dual_stack() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(false)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::ceiling::ControllerChoice;
    use crate::net::knobs::DATAGRAM_LEN;
    use quinn::congestion;

    fn socket(own: u8, peer: u8, controller: ControllerChoice) -> CallSocket {
        let key = |number| SigningKey::from_bytes(&[number; 32]);
        let (peer, ceiling) = (key(peer).verifying_key().to_bytes(), Ceiling::new(controller));
        CallSocket::open(Arc::new(key(own)), peer, ceiling, None).unwrap()
    }

    async fn pair() -> (CallSocket, quinn::Connection, CallSocket, quinn::Connection) {
        pair_with(ControllerChoice::Ours).await
    }

    async fn pair_with(controller: ControllerChoice) -> (CallSocket, quinn::Connection, CallSocket, quinn::Connection) {
        let (callee, caller) = (socket(1, 2, controller), socket(2, 1, controller));
        callee.listen(&AddressGrant::for_test()).unwrap();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, callee.endpoint().local_addr().unwrap().port()));
        let accepting = callee.clone();
        let accepted = tokio::spawn(async move { accepting.accept().await.unwrap().await.unwrap() });
        let dialled = caller.dial(vec![at]).await.unwrap();
        (callee, accepted.await.unwrap(), caller, dialled)
    }

    #[tokio::test]
    async fn both_ends_and_no_other_connection_have_the_same_binding() {
        let (_callee, accepted, _caller, dialled) = pair().await;
        let binding = channel_binding(&dialled).unwrap();
        assert_eq!(channel_binding(&accepted), Some(binding));
        let (_callee, _accepted, _caller, other) = pair().await;
        assert_ne!(channel_binding(&other), Some(binding));
    }

    #[tokio::test]
    async fn the_chosen_controller_holds_the_connections_of_both_sides() {
        use ControllerChoice::{Bbr, Cubic, Ours};
        for choice in [Ours, Cubic, Bbr] {
            let (_callee, accepted, _caller, dialled) = pair_with(choice).await;
            for connection in [accepted, dialled] {
                let state = connection.congestion_state().into_any();
                let is = (state.is::<Ceiling>(), state.is::<congestion::Cubic>(), state.is::<congestion::Bbr>());
                assert_eq!(is, (choice == Ours, choice == Cubic, choice == Bbr), "{choice:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_large_keyframe_goes_out_whole_as_one_burst() {
        const PACKETS: usize = 120;
        let (_callee, accepted, _caller, dialled) = pair().await;
        for number in 0..PACKETS {
            dialled.send_datagram(vec![number as u8; DATAGRAM_LEN].into()).unwrap();
        }
        for number in 0..PACKETS {
            let packet = accepted.read_datagram().await.unwrap();
            assert_eq!((packet.len(), packet[0]), (DATAGRAM_LEN, number as u8));
        }
    }

    #[tokio::test]
    async fn a_closed_socket_ends_its_connections_and_makes_no_more() {
        let (callee, accepted, caller, dialled) = pair().await;
        callee.stop_listening();
        callee.close(Duration::ZERO).await;
        dialled.closed().await;
        accepted.closed().await;
        let at = caller.endpoint().local_addr().unwrap();
        assert!(callee.dial(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()))]).await.is_none());
        assert!(callee.accept().await.is_none());
    }

    #[test]
    fn what_is_offered_can_be_reached_at_this_socket() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let socket = socket(1, 2, ControllerChoice::Ours);
        let offered = socket.candidates(&AddressGrant::for_test(), None, true);
        let local = socket.endpoint().local_addr().unwrap();
        assert!(!offered.is_empty());
        assert!(offered.iter().all(|address| address.port() == local.port()));
        assert!(local.is_ipv6() || offered.iter().all(SocketAddr::is_ipv4));
    }
}
