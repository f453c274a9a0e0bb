//! Strangers who come slowly, often, or with more than they may, and a disk that is slow.

use super::*;
use crate::media::{FrameId, LeafIndex, Stream};
use crate::relay::Rate;
use crate::wire::packet::{FrameHeader, PacketHeader};
use crate::wire::signal::{Hello, MAX_REQUEST_BYTES, Refusal, VERSION, encode};

const SHORT: Duration = Duration::from_millis(200);
const CLOSED: Duration = Duration::from_secs(10);

/// A handshake, and nothing more.
async fn handshake(server: &ServerAddress, number: u8) -> quinn::Connection {
    let endpoint = quinn::Endpoint::client((std::net::Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let mut config = tls::client_config(&SigningKey::from_bytes(&[number; 32]), server.key).unwrap();
    config.transport_config(knobs::client());
    let to = format!("{}:{}", server.host, server.port).parse().unwrap();
    endpoint.connect_with(config, to, tls::SERVER_NAME).unwrap().await.unwrap()
}

/// The server's close code; the connection has to end.
async fn close_code(connection: &quinn::Connection) -> u64 {
    let reason = tokio::time::timeout(CLOSED, connection.closed()).await.expect("the connection stays");
    let quinn::ConnectionError::ApplicationClosed(close) = reason else { panic!("{reason}") };
    close.error_code.into_inner()
}

fn code(code: quinn::VarInt) -> u64 {
    code.into_inner()
}

#[test]
fn a_slow_disk_holds_up_no_packet() {
    with_watched_server(LIMITS, async |server, watch| {
        let (one, two) = (member(&server, 1, 0).await, member(&server, 2, 1).await);
        let frame = FrameHeader { leaf: LeafIndex(0), stream: Stream::Audio, back: 0, id: FrameId(1) };
        let header = PacketHeader { frame, fragment: 0, fragments: 1, number: 0 };
        let (mut link, disk) = register_while_the_disk_is_held(&server, &watch).await;
        for number in 0..200_u8 {
            let packet = [header.to_bytes().as_slice(), &[number]].concat();
            one.connection.send_datagram(packet.into()).unwrap();
            let passed = tokio::time::timeout(CLOSED, two.connection.read_datagram()).await;
            assert_eq!(passed.expect("the relay waits for the disk").unwrap().last(), Some(&number));
        }
        let answered = tokio::time::timeout(SHORT, link.reader.read::<ToClient>()).await;
        assert!(answered.is_err(), "the write has not ended: {answered:?}");
        drop(disk);
        assert_eq!(link.reader.read().await, Ok(ToClient::Done));
    });
}

#[test]
fn who_says_nothing_or_dribbles_does_not_stay() {
    let limits = Limits { greeting: SHORT, registration: SHORT, message: SHORT, ..LIMITS };
    with_server(limits, async |server| {
        let silent = handshake(&server, 1).await;
        let half_open = handshake(&server, 2).await;
        // A stream that is opened with nothing in it, and one with half a greeting.
        let (mut writer, _reader) = half_open.open_bi().await.unwrap();
        writer.write_all(&[0, 0]).await.unwrap();
        let never_registers = connect(&server, &SigningKey::from_bytes(&[3; 32]), Role::Device).await.unwrap();
        let mut dribbles = courier(&server, 4).await.unwrap();
        let request = encode(&ToServer::LookUp { name: "alice".into() });
        dribbles.writer.write_all(&request[..3]).await.unwrap();
        let mut in_room = member(&server, 5, 0).await;
        let room = encode(&ToServer::Room { message: vec![0; 1000] });
        in_room.writer.write_all(&room[..100]).await.unwrap();
        // Who does all in time stays.
        let alice = identity(&server, "alice");
        let mut stays = device(&server, &alice).await;
        for connection in [&silent, &half_open] {
            let reason = tokio::time::timeout(CLOSED, connection.closed()).await.expect("the connection stays");
            assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
        }
        for link in [&never_registers, &dribbles, &in_room] {
            assert_eq!(close_code(&link.connection).await, code(connection::GOING_AWAY));
        }
        assert_eq!(stays.ask(&registration(&alice)).await, Ok(ToClient::Done));
    });
}

#[test]
fn a_connection_has_one_stream_and_packets_only_in_a_room() {
    with_server(LIMITS, async |server| {
        let link = courier(&server, 1).await.unwrap();
        assert!(tokio::time::timeout(SHORT, link.connection.open_bi()).await.is_err(), "a second stream");
        assert!(tokio::time::timeout(SHORT, link.connection.open_uni()).await.is_err(), "a stream one way");
        link.connection.send_datagram(vec![0; 100].into()).unwrap();
        assert_eq!(close_code(&link.connection).await, code(connection::BROKEN));
        let alice = identity(&server, "alice");
        let link = device(&server, &alice).await;
        link.connection.send_datagram(vec![0; 100].into()).unwrap();
        assert_eq!(close_code(&link.connection).await, code(connection::BROKEN));
    });
}

#[test]
fn messages_that_are_too_long_or_of_another_role_end_the_connection() {
    with_server(LIMITS, async |server| {
        let stranger = handshake(&server, 1).await;
        let (mut writer, _reader) = stranger.open_bi().await.unwrap();
        // A stranger announces more than a greeting has.
        writer.write_all(&65_u32.to_be_bytes()).await.unwrap();
        let reason = tokio::time::timeout(CLOSED, stranger.closed()).await.expect("the connection stays");
        assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
        let announced = |length: usize| (length as u32).to_be_bytes();
        let mut link = courier(&server, 2).await.unwrap();
        link.writer.write_all(&announced(MAX_REQUEST_BYTES + 1)).await.unwrap();
        assert_eq!(close_code(&link.connection).await, code(connection::BROKEN));
        let mut link = courier(&server, 3).await.unwrap();
        write_message(&mut link.writer, &ToServer::Observe).await.unwrap();
        assert_eq!(close_code(&link.connection).await, code(connection::BROKEN));
    });
}

#[test]
fn another_version_is_told_so() {
    with_server(LIMITS, async |server| {
        let connection = handshake(&server, 1).await;
        let (mut writer, reader) = connection.open_bi().await.unwrap();
        write_message(&mut writer, &Hello { version: VERSION - 1, role: Role::Courier }).await.unwrap();
        let answer = crate::net::streams::MessageReader::new(reader).read::<ToClient>().await;
        assert_eq!(answer, Ok(ToClient::Refused(Refusal::Version)));
    });
}

#[test]
fn one_key_has_so_many_connections_and_requests() {
    let key_requests = Rate { per_second: 0.0, burst: 5.0 };
    with_server(Limits { per_key: 2, key_requests, ..LIMITS }, async |server| {
        let mut first = courier(&server, 1).await.unwrap();
        let mut second = courier(&server, 1).await.unwrap();
        assert_eq!(courier(&server, 1).await.err(), Some(Refusal::Quota.into()));
        let mut other = courier(&server, 2).await.unwrap();
        let ask = ToServer::LookUp { name: "alice".into() };
        let mut answered = 0;
        for _ in 0..5 {
            answered += usize::from(first.ask(&ask).await.is_ok());
            answered += usize::from(second.ask(&ask).await.is_ok());
        }
        assert_eq!(answered, 5, "a second connection does not get around the quota");
        assert!(other.ask(&ask).await.is_ok());
    });
}

#[test]
fn one_address_makes_so_many_requests_and_comes_so_often() {
    let requests = Rate { per_second: 0.0, burst: 4.0 };
    with_server(Limits { requests, arrivals: Rate { per_second: 0.0, burst: 5.0 }, ..LIMITS }, async |server| {
        let mut answered = 0;
        for number in 1..=5 {
            let mut courier = courier(&server, number).await.unwrap();
            let answer = courier.ask(&ToServer::LookUp { name: "alice".into() }).await;
            answered += usize::from(answer.is_ok());
            courier.close().await;
        }
        assert_eq!(answered, 4);
        assert_eq!(courier(&server, 6).await.err(), Some(ConnectError::Unreachable));
    });
}

#[test]
fn one_address_does_not_fill_the_server_with_accounts_but_those_that_are_there_come_in() {
    let limits = Limits { newcomers: Rate { per_second: 0.0, burst: 3.0 }, ..LIMITS };
    with_server(limits, async |server| {
        let people: Vec<_> = (0..6).map(|number| identity(&server, &format!("name-{number}"))).collect();
        for round in 0..2 {
            for (number, person) in people.iter().enumerate() {
                let mut link = connect(&server, person.device(), Role::Device).await.unwrap();
                let answer = link.ask(&registration(person)).await;
                let refused = Err(ConnectError::Refused(Refusal::Quota));
                let expected = if number < 3 { Ok(ToClient::Done) } else { refused };
                assert_eq!(answer, expected, "{number} in round {round}");
            }
        }
    });
}
