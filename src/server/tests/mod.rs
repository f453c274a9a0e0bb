//! A server and strangers who mean no good, over real sockets.

mod account;
mod db;
mod hygiene;
mod mail;
mod metrics;

use std::future::Future;
use std::sync::Arc;

use self::db::{HeldUp, Watch, WatchedDb};
use super::*;
use crate::crypto::identity::Identity;
use crate::net::client::{ConnectError, ServerLink, connect};
use crate::net::streams::write_message;
use crate::wire::signal::{Role, ToClient, ToServer};

fn with_server<F: Future>(limits: Limits, test: impl FnOnce(ServerAddress) -> F) -> F::Output {
    with_watched_server(limits, |server, _| test(server))
}

/// A server whose database can be held up and counts what it is asked.
fn with_watched_server<F: Future>(limits: Limits, test: impl FnOnce(ServerAddress, Arc<Watch>) -> F) -> F::Output {
    with_measured_server(limits, |server, watch, _| test(server, watch))
}

/// The same, with the address at which it tells what it counts.
fn with_measured_server<F: Future>(
    limits: Limits,
    test: impl FnOnce(ServerAddress, Arc<Watch>, SocketAddr) -> F,
) -> F::Output {
    let folder = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let config = ServerConfig { listen, data: folder.path().into(), domain: None };
    let watch = Arc::new(Watch::default());
    let db = WatchedDb::new(EmbeddedDb::open(&config.data).unwrap(), Arc::clone(&watch));
    let server = RunningServer::start_over(Box::new(db), &config, limits, Some(listen)).unwrap();
    let metrics = server.metrics_address().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(server.address().clone(), watch, metrics))
}

async fn courier(server: &ServerAddress, number: u8) -> Result<ServerLink, ConnectError> {
    connect(server, &SigningKey::from_bytes(&[number; 32]), Role::Courier).await
}

async fn member(server: &ServerAddress, number: u8, leaf: u8) -> ServerLink {
    connect(server, &SigningKey::from_bytes(&[number; 32]), Role::Relay { room: [1; 32], leaf }).await.unwrap()
}

fn identity(server: &ServerAddress, name: &str) -> Identity {
    Identity::create(&format!("{name}@{}", server.host), clock::unix_now(), &mut rand::rng())
}

fn registration(identity: &Identity) -> ToServer {
    ToServer::Register { chain: identity.chain().chain().encode() }
}

/// A device that has registered.
async fn device(server: &ServerAddress, identity: &Identity) -> ServerLink {
    let mut link = connect(server, identity.device(), Role::Device).await.unwrap();
    assert_eq!(link.ask(&registration(identity)).await, Ok(ToClient::Done));
    link
}

/// A device's connection with a registration that the server cannot write until what comes with it is dropped.
async fn register_while_the_disk_is_held(server: &ServerAddress, watch: &Arc<Watch>) -> (ServerLink, HeldUp) {
    let identity = identity(server, "alice");
    let mut link = connect(server, identity.device(), Role::Device).await.unwrap();
    let (disk, before) = (watch.hold_up(), watch.writes());
    write_message(&mut link.writer, &registration(&identity)).await.unwrap();
    while watch.writes() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (link, disk)
}

async fn is_online(courier: &mut ServerLink, name: &str) -> bool {
    let answer = courier.ask(&ToServer::Presence { names: vec![name.into()] }).await;
    answer == Ok(ToClient::Presence { online: vec![true] })
}

#[test]
fn a_device_that_stops_reading_is_not_present_for_good() {
    with_server(LIMITS, async |server| {
        let identity = identity(&server, "alice");
        let register = registration(&identity);
        let mut link = device(&server, &identity).await;
        let mut courier = courier(&server, 1).await.unwrap();
        assert!(is_online(&mut courier, "alice").await);

        // The next answer cannot be written: the server ends the connection from the writing side.
        drop(link.reader);
        let _ = write_message(&mut link.writer, &register).await;
        link.connection.closed().await;
        for _ in 0..50 {
            if !is_online(&mut courier, "alice").await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the device is there still");
    });
}

#[test]
fn one_address_gets_so_many_connections_and_places_again_when_they_end() {
    with_server(Limits { per_address: 3, ..LIMITS }, async |server| {
        let mut links = Vec::new();
        for number in 0..3 {
            links.push(courier(&server, number).await.unwrap());
        }
        assert_eq!(courier(&server, 3).await.err(), Some(ConnectError::Unreachable));
        links.pop().unwrap().connection.close(0_u32.into(), b"");
        for _ in 0..50 {
            if courier(&server, 4).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the place is not free again");
    });
}

#[test]
fn a_courier_that_asks_nothing_and_a_refused_member_do_not_stay() {
    with_server(Limits { patience: Duration::from_millis(100), ..LIMITS }, async |server| {
        let link = courier(&server, 1).await.unwrap();
        link.connection.closed().await;
        let role = Role::Relay { room: [1; 32], leaf: 200 };
        let link = connect(&server, &SigningKey::from_bytes(&[2; 32]), role).await.unwrap();
        let reason = link.connection.closed().await;
        assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
    });
}
