//! Look-ups and envelopes, as a real server handles them.

use super::*;
use crate::relay::Rate;
use crate::wire::signal::{ENVELOPE_LEN, Refusal, encode};
use crate::wire::token::Token;

/// The token that everybody here gives to everybody.
fn token() -> Token {
    "a".repeat(26).parse().unwrap()
}

pub(super) fn letter(to: &Identity, fill: u8) -> ToServer {
    letter_with(to, fill, token())
}

fn letter_with(to: &Identity, fill: u8, token: Token) -> ToServer {
    ToServer::Deliver { device: to.device_id(), envelope: vec![fill; ENVELOPE_LEN], token }
}

/// A device that is registered and lets in whoever shows the token.
async fn open_device(server: &ServerAddress, identity: &Identity) -> ServerLink {
    let mut link = device(server, identity).await;
    let announced = ToServer::SetTokens { tokens: vec![token().hash()] };
    assert_eq!(link.ask(&announced).await, Ok(ToClient::Done));
    link
}

async fn envelope(link: &mut ServerLink) -> (u64, u8) {
    let pushed = tokio::time::timeout(Duration::from_secs(10), link.reader.read()).await.expect("it does not come");
    let Ok(ToClient::Envelope { number, envelope }) = pushed else { panic!("{pushed:?}") };
    assert_eq!(envelope.len(), ENVELOPE_LEN);
    (number, envelope[0])
}

#[test]
fn known_and_unknown_handles_cost_the_same_reads_and_answers_of_one_size() {
    with_watched_server(LIMITS, async |server, watch| {
        let alice = identity(&server, "alice");
        let _link = device(&server, &alice).await;
        let mut courier = courier(&server, 1).await.unwrap();
        let mut look_up = async |name: &str| {
            let (reads, bytes) = (watch.reads(), courier.connection.stats().frame_rx.stream);
            let answer = courier.ask(&ToServer::LookUp { name: name.into() }).await.unwrap();
            let frames = courier.connection.stats().frame_rx.stream - bytes;
            assert!(frames > 0, "the answer came over the network");
            let ToClient::LookedUp(found) = &answer else { panic!("{answer:?}") };
            (found.chain().is_some(), watch.reads() - reads, encode(&answer).len())
        };
        let (known, unknown) = (look_up("alice").await, look_up("nobody").await);
        assert_eq!((known.0, unknown.0), (true, false));
        assert_eq!((known.1, known.2), (unknown.1, unknown.2));
        assert_eq!(known.1, 1);
    });
}

#[test]
fn an_envelope_for_a_dead_connection_is_given_again_until_it_is_acknowledged() {
    with_server(LIMITS, async |server| {
        let alice = identity(&server, "alice");
        let mut first = open_device(&server, &alice).await;
        let mut courier = courier(&server, 1).await.unwrap();
        for fill in [1, 2] {
            assert_eq!(courier.ask(&letter(&alice, fill)).await, Ok(ToClient::Delivered));
        }
        let (one, two) = (envelope(&mut first).await, envelope(&mut first).await);
        assert_eq!((one.1, two.1), (1, 2));
        // Only the first is acknowledged; then the device comes back from elsewhere while the old connection lingers.
        write_message(&mut first.writer, &ToServer::Received { number: one.0 }).await.unwrap();
        assert_eq!(first.ask(&registration(&alice)).await, Ok(ToClient::Done));
        let mut second = device(&server, &alice).await;
        assert_eq!(envelope(&mut second).await, two, "the same one, by its number");
        write_message(&mut second.writer, &ToServer::Received { number: two.0 }).await.unwrap();
        assert_eq!(second.ask(&registration(&alice)).await, Ok(ToClient::Done));
        let mut third = device(&server, &alice).await;
        assert_eq!(courier.ask(&letter(&alice, 3)).await, Ok(ToClient::Delivered));
        assert_eq!(envelope(&mut third).await.1, 3, "nothing that was acknowledged comes before it");
    });
}

#[test]
fn another_device_acknowledges_nothing_that_is_not_its_own() {
    with_server(Limits { key_requests: Rate { per_second: 0.0, burst: 3.0 }, ..LIMITS }, async |server| {
        let (alice, mallory) = (identity(&server, "alice"), identity(&server, "mallory"));
        let mut link = open_device(&server, &alice).await;
        let mut courier = courier(&server, 1).await.unwrap();
        assert_eq!(courier.ask(&letter(&alice, 1)).await, Ok(ToClient::Delivered));
        let sent = envelope(&mut link).await;
        let mut other = device(&server, &mallory).await;
        for _ in 0..10 {
            let _ = write_message(&mut other.writer, &ToServer::Received { number: sent.0 }).await;
        }
        other.connection.closed().await;
        let mut again = device(&server, &alice).await;
        assert_eq!(envelope(&mut again).await, sent);
    });
}

#[test]
fn envelopes_wait_for_accounts_only_and_not_in_any_number() {
    with_server(LIMITS, async |server| {
        let (alice, nobody) = (identity(&server, "alice"), identity(&server, "nobody"));
        open_device(&server, &alice).await.close().await;
        let mut courier = courier(&server, 1).await.unwrap();
        assert_eq!(courier.ask(&letter(&nobody, 1)).await, Err(Refusal::Unknown.into()));
        let mut held = 0;
        while let Ok(answer) = courier.ask(&letter(&alice, 1)).await {
            assert!([ToClient::Held, ToClient::Delivered].contains(&answer));
            held += 1;
            assert!(held <= crate::directory::MAX_HELD_PER_DEVICE);
        }
        assert_eq!(held, crate::directory::MAX_HELD_PER_DEVICE);
    });
}

#[test]
fn one_address_sends_so_many_envelopes_whatever_keys_it_shows() {
    with_server(Limits { envelopes: Rate { per_second: 0.0, burst: 4.0 }, ..LIMITS }, async |server| {
        let alice = identity(&server, "alice");
        let _link = open_device(&server, &alice).await;
        let mut delivered = 0;
        for number in 1..4 {
            let mut courier = courier(&server, number).await.unwrap();
            for _ in 0..2 {
                delivered += usize::from(courier.ask(&letter(&alice, 1)).await.is_ok());
            }
        }
        assert_eq!(delivered, 4);
    });
}

#[test]
fn strangers_take_no_room_and_no_quota_from_those_who_show_a_token() {
    let strangers = Rate { per_second: 0.0, burst: 6.0 };
    with_server(Limits { strangers_to: strangers, ..LIMITS }, async |server| {
        let alice = identity(&server, "alice");
        open_device(&server, &alice).await.close().await;
        let mut held = 0;
        for number in 0..40 {
            let mut courier = courier(&server, number).await.unwrap();
            let token = Token::random(&mut rand::rng());
            held += usize::from(courier.ask(&letter_with(&alice, 1, token)).await.is_ok());
        }
        assert_eq!(held, crate::directory::MAX_HELD_OF_STRANGERS, "the flood fills its own few places");
        let mut friend = courier(&server, 99).await.unwrap();
        for _ in 0..crate::directory::MAX_HELD_PER_DEVICE {
            assert!(friend.ask(&letter(&alice, 2)).await.is_ok(), "a token holder is as free as ever");
        }
    });
}

#[test]
fn one_address_and_one_device_have_so_much_room_for_strangers_and_answers_that_are_awaited_are_none() {
    let few = Rate { per_second: 0.0, burst: 2.0 };
    for (to, from) in [(few, LIMITS.strangers), (LIMITS.strangers_to, few)] {
        with_server(Limits { strangers_to: to, strangers: from, ..LIMITS }, async |server| {
            let alice = identity(&server, "alice");
            let mut link = device(&server, &alice).await;
            let mut courier = courier(&server, 1).await.unwrap();
            let reply = token();
            for expected in [Ok(ToClient::Delivered), Ok(ToClient::Delivered), Err(Refusal::Quota.into())] {
                assert_eq!(courier.ask(&letter_with(&alice, 1, reply)).await, expected);
            }
            for _ in 0..2 {
                envelope(&mut link).await;
            }
            assert_eq!(link.ask(&ToServer::AwaitReplies { token: reply.hash() }).await, Ok(ToClient::Done));
            assert_eq!(courier.ask(&letter_with(&alice, 3, reply)).await, Ok(ToClient::Delivered));
            assert_eq!(envelope(&mut link).await.1, 3);
        });
    }
}
