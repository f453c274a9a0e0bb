//! A slow road to a server: a UDP forwarder on loopback that keeps each packet for a while.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Packets on the road at one time; more are lost, as on any road.
const ROOM: usize = 10_000;

/// Forwards what comes to the address that it gives to `server` and back, each packet `delay` later.
pub fn slow_road(server: SocketAddr, delay: Duration) -> SocketAddr {
    let entry = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = entry.local_addr().unwrap();
    let forward = move || {
        let mut exits: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let mut roads = HashMap::new();
        let mut buffer = [0; 2048];
        while let Ok((length, client)) = entry.recv_from(&mut buffer) {
            let exit = exits.entry(client).or_insert_with(|| {
                let exit = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
                let (entry, from) = (Arc::clone(&entry), Arc::clone(&exit));
                let back = road(delay, move |packet| drop(entry.send_to(packet, client)));
                let answers = move || {
                    let mut buffer = [0; 2048];
                    while let Ok(length) = from.recv(&mut buffer) {
                        back(&buffer[..length]);
                    }
                };
                exit.connect(server).unwrap();
                Builder::new().name("answers".into()).spawn(answers).unwrap();
                exit
            });
            let there = roads.entry(client).or_insert_with(|| {
                let exit = Arc::clone(exit);
                road(delay, move |packet| drop(exit.send(packet)))
            });
            there(&buffer[..length]);
        }
    };
    Builder::new().name("slow road".into()).spawn(forward).unwrap();
    address
}

/// Hands every packet to `arrive`, `delay` after it was put on the road.
fn road(delay: Duration, arrive: impl Fn(&[u8]) + Send + 'static) -> impl Fn(&[u8]) {
    let (enter, leave) = sync_channel::<(Instant, Vec<u8>)>(ROOM);
    let travel = move || {
        for (due, packet) in leave {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            arrive(&packet);
        }
    };
    Builder::new().name("road".into()).spawn(travel).unwrap();
    move |packet| drop(enter.try_send((Instant::now() + delay, packet.to_vec())))
}
