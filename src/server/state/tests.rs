//! What connections share, without connections.

use super::*;
use crate::crypto::identity::Identity;
use crate::store::server_db::EmbeddedDb;

fn state(folder: &std::path::Path) -> Arc<State> {
    let (store, _) = Store::start(Box::new(EmbeddedDb::open(folder).unwrap())).unwrap();
    Arc::new(State::new(store, "example.org".into()))
}

async fn found(state: &State, name: &str) -> Option<Vec<u8>> {
    let ToClient::LookedUp(found) = state.look_up(name.into()).await else { panic!("refused") };
    found.chain().map(<[u8]>::to_vec)
}

fn online(state: &State, names: &[&str]) -> Vec<bool> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let ToClient::Presence { online } = state.presence(&names) else { panic!("refused") };
    online
}

#[tokio::test]
async fn an_account_is_present_while_one_of_its_devices_is_registered_and_connected() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let identity = Identity::create("alice@example.org", clock::unix_now(), &mut rand::rng());
    let device = identity.device_id();
    let chain = identity.chain().chain().encode();
    let connect = || state.connect(device, mpsc::channel(4).0);

    let first = connect();
    assert_eq!(online(&state, &["alice", "bob"]), [false, false], "connected, but not registered");
    assert_eq!(state.register(device, chain.clone(), None).await, ToClient::Done);
    assert_eq!(state.register(device, chain.clone(), None).await, ToClient::Done);
    assert_eq!(online(&state, &["alice", "bob"]), [true, false]);

    // The same device again, before the server has noticed that the old connection is dead.
    let second = connect();
    assert_eq!(state.register(device, chain.clone(), None).await, ToClient::Done);
    drop(first);
    assert_eq!(online(&state, &["alice"]), [true]);
    drop(second);
    assert_eq!(online(&state, &["alice"]), [false]);
}

#[tokio::test]
async fn a_device_has_one_name_and_envelopes_wait_only_for_such_devices() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let now = clock::unix_now();
    let identity = Identity::create("alice@example.org", now, &mut rand::rng());
    let device = identity.device_id();
    let envelope = || vec![0; ENVELOPE_LEN];
    assert_eq!(state.deliver(device, envelope(), false).await, ToClient::Refused(Refusal::Unknown));
    assert_eq!(state.register(device, identity.chain().chain().encode(), None).await, ToClient::Done);
    assert_eq!(state.deliver(device, envelope(), false).await, ToClient::Held);

    let card = crate::crypto::chain::DeviceCard { signing: device, sealing: [1; 32] };
    let root = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let second = Chain::create("bob@example.org", &root, card, identity.device(), now);
    assert_eq!(state.register(device, second.encode(), None).await, ToClient::Refused(Refusal::Taken));
    assert_eq!(found(&state, "bob").await, None);
}

#[tokio::test]
async fn a_revoked_device_is_thrown_out_at_once_and_gets_no_envelope_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let now = clock::unix_now();
    let lost = Identity::create("alice@example.org", now, &mut rand::rng());
    let root = lost.root_key().unwrap();
    let kept = Identity::recover(root, lost.chain().chain().clone(), now, &mut rand::rng()).unwrap();
    let lost_chain = lost.chain().chain().encode();
    let (outbox, mut told) = mpsc::channel(8);
    let connection = state.connect(lost.device_id(), outbox);
    assert_eq!(state.register(lost.device_id(), lost_chain.clone(), None).await, ToClient::Done);
    let both = kept.chain().chain().encode();
    let other = state.connect(kept.device_id(), mpsc::channel(8).0);
    assert_eq!(state.register(kept.device_id(), both.clone(), None).await, ToClient::Done);
    assert_eq!(told.try_recv(), Ok(ToClient::Chain(both)), "an addition is told to the other devices");
    assert_eq!(state.deliver(lost.device_id(), vec![0; ENVELOPE_LEN], false).await, ToClient::Delivered);

    let without = kept.chain().without_device(lost.device_id(), kept.device(), now).encode();
    assert_eq!(state.register(kept.device_id(), without.clone(), None).await, ToClient::Done);
    assert!(matches!(told.try_recv(), Ok(ToClient::Envelope { .. })));
    assert_eq!(told.try_recv(), Ok(ToClient::Chain(without.clone())), "so is a revocation, to the revoked one too");
    connection.revoked().await;
    let unknown = ToClient::Refused(Refusal::Unknown);
    assert_eq!(state.deliver(lost.device_id(), vec![0; ENVELOPE_LEN], false).await, unknown);
    drop(other);
    assert_eq!(online(&state, &["alice"]), [false]);

    // Nor by pretending to be a new one.
    let (outbox, mut told) = mpsc::channel(8);
    let pretending = state.connect(lost.device_id(), outbox);
    assert_eq!(state.await_link(&lost.device_id()), ToClient::Done);
    assert_eq!(state.deliver(lost.device_id(), vec![0; ENVELOPE_LEN], false).await, unknown);
    assert!(told.try_recv().is_err());
    let new = link_address(&lost.device_id());
    assert_eq!(
        state.deliver(new, vec![0; ENVELOPE_LEN], false).await,
        ToClient::Delivered,
        "what is meant for a new one"
    );
    drop(pretending);
    assert_eq!(state.deliver(new, vec![0; ENVELOPE_LEN], false).await, unknown);

    // It comes back: it learns why it may not, and nothing else.
    let (outbox, mut told) = mpsc::channel(8);
    let _again = state.connect(lost.device_id(), outbox);
    assert_eq!(state.register(lost.device_id(), lost_chain, None).await, ToClient::Chain(without));
    state.give_waiting(&lost.device_id());
    assert_eq!(state.deliver(lost.device_id(), vec![0; ENVELOPE_LEN], false).await, unknown);
    assert_eq!(online(&state, &["alice"]), [false]);
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_chain_that_says_nothing_new_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let now = clock::unix_now();
    let identity = Identity::create("alice@example.org", now, &mut rand::rng());
    let device = identity.device_id();
    let kept = identity.chain().chain().encode();
    let renewed = |later_s| identity.chain().with_fresh_head(identity.device(), now + later_s).encode();
    for chain in [kept.clone(), renewed(60)] {
        assert_eq!(state.register(device, chain.clone(), None).await, ToClient::Done);
        assert_eq!(found(&state, "alice").await, Some(kept.clone()));
    }
    assert_eq!(state.register(device, renewed(directory::RENEWAL_S), None).await, ToClient::Done);
    assert_eq!(found(&state, "alice").await, Some(renewed(directory::RENEWAL_S)));
}

#[tokio::test]
async fn a_question_about_too_many_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let names = vec![String::new(); MAX_PRESENCE_NAMES + 1];
    assert_eq!(state.presence(&names), ToClient::Refused(Refusal::Invalid));
}
