//! The MLS group of a call (RFC 9420, suite 0x004F: ML-KEM-768 + X25519, AES-128-GCM, SHA-256, Ed25519).
//!
//! Lives in memory only and dies with the call. Members are device signing keys; handshakes travel as PrivateMessage.
//! One committer refreshes the keys in each epoch, the members taking turns by leaf, so that no two commits compete.

use ed25519_dalek::SigningKey;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, KeyPackageIn, LeafNodeParameters, MlsGroup,
    MlsGroupCreateConfig, MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProcessedMessageContent, ProtocolMessage, ProtocolVersion, Sender,
    SignatureScheme, StagedWelcome,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use zeroize::Zeroizing;

use super::sframe::BaseKey;
use crate::media::{KeyEpoch, LeafIndex};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;
/// Most bytes of a key package, a welcome or a handshake message of a call.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Why the group gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Bytes that are no message of this kind, or too many.
    #[error("a key message cannot be read")]
    Malformed,
    /// Another suite than the one in use.
    #[error("a key message uses another cipher suite")]
    WrongSuite,
    /// A member that is not the expected device.
    #[error("a key message names a device that was not invited")]
    WrongMember,
    /// A commit that is out of turn or does more than refresh.
    #[error("a key message does what its sender may not do")]
    NotAllowed,
    /// MLS refused it.
    #[error("the key agreement failed: {0}")]
    Mls(String),
}

/// Where the keys of one group, or of one key package, live.
fn fresh_provider() -> OpenMlsRustCrypto {
    #[cfg(test)]
    BEGUN.set(BEGUN.get() + 1);
    OpenMlsRustCrypto::default()
}

#[cfg(test)]
thread_local!(static BEGUN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

/// How many key packages and groups this thread has begun to make, for tests of when there must be none.
#[cfg(test)]
pub(crate) fn begun() -> usize {
    BEGUN.get()
}

fn refused(error: impl std::fmt::Display) -> GroupError {
    GroupError::Mls(error.to_string())
}

/// Private half of a one-time key package. Made after the person accepted, used up by joining.
pub struct JoinKeys {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
}

impl std::fmt::Debug for JoinKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinKeys")
    }
}

impl JoinKeys {
    /// Fresh keys, and the key package that goes to the caller.
    pub fn generate(device: &SigningKey) -> Result<(Self, Vec<u8>), GroupError> {
        let provider = fresh_provider();
        let (signer, credential) = identity(device);
        let bundle = KeyPackage::builder().build(SUITE, &provider, &signer, credential).map_err(refused)?;
        let bytes = bundle.key_package().tls_serialize_detached().map_err(refused)?;
        Ok((Self { provider, signer }, bytes))
    }

    /// Joins the group that `creator` made for the two of us.
    pub fn join(self, welcome: &[u8], creator: &[u8; 32]) -> Result<Group, GroupError> {
        let MlsMessageBodyIn::Welcome(welcome) = read_message(welcome)?.extract() else {
            return Err(GroupError::Malformed);
        };
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(1)
            .use_ratchet_tree_extension(true)
            .build();
        let group = StagedWelcome::new_from_welcome(&self.provider, &config, welcome, None)
            .and_then(|staged| staged.into_group(&self.provider))
            .map_err(refused)?;
        let group = Group { provider: self.provider, signer: self.signer, mls: group };
        if group.mls.ciphersuite() != SUITE {
            return Err(GroupError::WrongSuite);
        }
        let members = group.members();
        let own: [u8; 32] = group.signer.public().try_into().map_err(|_| GroupError::Malformed)?;
        if members != [(LeafIndex(0), *creator), (LeafIndex(1), own)] {
            return Err(GroupError::WrongMember);
        }
        Ok(group)
    }
}

/// The group as one member holds it.
pub struct Group {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    mls: MlsGroup,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group(epoch {})", self.epoch().0)
    }
}

impl Group {
    /// A group of this device (leaf 0) and the device `peer`, whose key package came with its accept (leaf 1). Gives the
    /// welcome for it.
    pub fn create(device: &SigningKey, peer: &[u8; 32], key_package: &[u8]) -> Result<(Self, Vec<u8>), GroupError> {
        let provider = fresh_provider();
        let (signer, credential) = identity(device);
        let package = read_key_package(&provider, key_package)?;
        if package.ciphersuite() != SUITE {
            return Err(GroupError::WrongSuite);
        }
        if package.leaf_node().signature_key().as_slice() != peer {
            return Err(GroupError::WrongMember);
        }
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(1)
            .use_ratchet_tree_extension(true)
            .build();
        let mut group = MlsGroup::new(&provider, &signer, &config, credential).map_err(refused)?;
        let (_, welcome, _) = group.add_members(&provider, &signer, &[package]).map_err(refused)?;
        group.merge_pending_commit(&provider).map_err(refused)?;
        let welcome = welcome.tls_serialize_detached().map_err(refused)?;
        Ok((Self { provider, signer, mls: group }, welcome))
    }

    /// The epoch, counted by MLS.
    #[must_use]
    pub fn epoch(&self) -> KeyEpoch {
        KeyEpoch(self.mls.epoch().as_u64())
    }

    /// Own leaf.
    #[must_use]
    pub fn leaf(&self) -> LeafIndex {
        LeafIndex(self.mls.own_leaf_index().u32() as u8)
    }

    /// All members with their device keys, by leaf.
    #[must_use]
    pub fn members(&self) -> Vec<(LeafIndex, [u8; 32])> {
        self.mls
            .members()
            .filter_map(|member| Some((LeafIndex(member.index.u32() as u8), member.signature_key.try_into().ok()?)))
            .collect()
    }

    /// Whether it is this member's turn to refresh the keys of this epoch.
    #[must_use]
    pub fn is_committer(&self) -> bool {
        self.committer() == Some(self.leaf())
    }

    /// Refreshes the keys and moves to the next epoch. The bytes go to all other members, in order.
    pub fn refresh(&mut self) -> Result<Vec<u8>, GroupError> {
        if !self.is_committer() {
            return Err(GroupError::NotAllowed);
        }
        let bundle =
            self.mls.self_update(&self.provider, &self.signer, LeafNodeParameters::default()).map_err(refused)?;
        let commit = bundle.into_commit().tls_serialize_detached().map_err(refused)?;
        self.mls.merge_pending_commit(&self.provider).map_err(refused)?;
        Ok(commit)
    }

    /// Two refreshes of one epoch: the one that this member follows, and another one.
    #[cfg(test)]
    pub(crate) fn refresh_two_ways(&mut self) -> Result<(Vec<u8>, Vec<u8>), GroupError> {
        if !self.is_committer() {
            return Err(GroupError::NotAllowed);
        }
        let mut update = || {
            self.mls.clear_pending_commit(self.provider.storage()).map_err(refused)?;
            let bundle =
                self.mls.self_update(&self.provider, &self.signer, LeafNodeParameters::default()).map_err(refused)?;
            bundle.into_commit().tls_serialize_detached().map_err(refused)
        };
        let (other, own) = (update()?, update()?);
        self.mls.merge_pending_commit(&self.provider).map_err(refused)?;
        Ok((own, other))
    }

    /// Takes a refresh of another member; afterwards the group is in the next epoch.
    pub fn handle_refresh(&mut self, bytes: &[u8]) -> Result<(), GroupError> {
        let message = match read_message(bytes)?.extract() {
            MlsMessageBodyIn::PrivateMessage(message) => ProtocolMessage::from(message),
            _ => return Err(GroupError::Malformed),
        };
        let processed = self.mls.process_message(&self.provider, message).map_err(refused)?;
        let in_turn = matches!(processed.sender(), Sender::Member(leaf)
            if Some(LeafIndex(leaf.u32() as u8)) == self.committer());
        let ProcessedMessageContent::StagedCommitMessage(commit) = processed.into_content() else {
            return Err(GroupError::NotAllowed);
        };
        if !in_turn || commit.queued_proposals().next().is_some() {
            return Err(GroupError::NotAllowed);
        }
        let before = self.members();
        self.mls.merge_staged_commit(&self.provider, *commit).map_err(refused)?;
        // A refresh changes keys, never who is in the call.
        if self.members() == before { Ok(()) } else { Err(GroupError::WrongMember) }
    }

    /// Seals a short message for the other members.
    pub fn seal_note(&mut self, note: &[u8]) -> Result<Vec<u8>, GroupError> {
        let message = self.mls.create_message(&self.provider, &self.signer, note).map_err(refused)?;
        message.tls_serialize_detached().map_err(refused)
    }

    /// Opens a message of another member, of this epoch or the one before.
    pub fn open_note(&mut self, bytes: &[u8]) -> Result<Vec<u8>, GroupError> {
        let message = match read_message(bytes)?.extract() {
            MlsMessageBodyIn::PrivateMessage(message) => ProtocolMessage::from(message),
            _ => return Err(GroupError::Malformed),
        };
        let processed = self.mls.process_message(&self.provider, message).map_err(refused)?;
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(note) => Ok(note.into_bytes()),
            _ => Err(GroupError::NotAllowed),
        }
    }

    /// The key that all frame keys of this epoch come from (RFC 9605 §5.2).
    pub fn base_key(&self) -> Result<BaseKey, GroupError> {
        self.export::<16>("SFrame 1.0 Base Key").map(|key| BaseKey::new(*key))
    }

    /// The key under which members prove to each other that they stand in this epoch.
    pub fn ready_key(&self) -> Result<Zeroizing<[u8; 32]>, GroupError> {
        self.export("visavis ready 1")
    }

    /// The epoch's authenticator: equal on all sides only if they agree on everything.
    #[must_use]
    pub fn authenticator(&self) -> Vec<u8> {
        self.mls.epoch_authenticator().as_slice().to_vec()
    }

    fn export<const N: usize>(&self, label: &str) -> Result<Zeroizing<[u8; N]>, GroupError> {
        let secret = Zeroizing::new(self.mls.export_secret(self.provider.crypto(), label, &[], N).map_err(refused)?);
        let mut key = Zeroizing::new([0; N]);
        key.copy_from_slice(&secret);
        Ok(key)
    }

    fn committer(&self) -> Option<LeafIndex> {
        let members = self.members();
        let turn = self.epoch().0.checked_rem(members.len() as u64)?;
        members.get(turn as usize).map(|(leaf, _)| *leaf)
    }
}

fn identity(device: &SigningKey) -> (SignatureKeyPair, CredentialWithKey) {
    let public = device.verifying_key().to_bytes().to_vec();
    let signer = SignatureKeyPair::from_raw(SignatureScheme::ED25519, device.to_bytes().to_vec(), public.clone());
    let credential = BasicCredential::new(public.clone());
    (signer, CredentialWithKey { credential: credential.into(), signature_key: public.into() })
}

fn read_message(bytes: &[u8]) -> Result<MlsMessageIn, GroupError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(GroupError::Malformed);
    }
    MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| GroupError::Malformed)
}

fn read_key_package(provider: &OpenMlsRustCrypto, bytes: &[u8]) -> Result<KeyPackage, GroupError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(GroupError::Malformed);
    }
    let package = KeyPackageIn::tls_deserialize_exact(bytes).map_err(|_| GroupError::Malformed)?;
    package.validate(provider.crypto(), ProtocolVersion::Mls10).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmls::prelude::NewSignerBundle;
    use proptest::prelude::*;

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    fn public(number: u8) -> [u8; 32] {
        key(number).verifying_key().to_bytes()
    }

    fn pair() -> (Group, Group) {
        let (join, package) = JoinKeys::generate(&key(2)).unwrap();
        let (caller, welcome) = Group::create(&key(1), &public(2), &package).unwrap();
        let callee = join.join(&welcome, &public(1)).unwrap();
        (caller, callee)
    }

    fn secrets(group: &Group) -> (u64, Vec<u8>, Vec<u8>) {
        (group.epoch().0, group.authenticator(), group.ready_key().unwrap().to_vec())
    }

    #[test]
    fn two_devices_agree_and_know_their_leaves() {
        let (caller, callee) = pair();
        assert_eq!(secrets(&caller), secrets(&callee));
        assert_eq!((caller.leaf(), callee.leaf()), (LeafIndex(0), LeafIndex(1)));
        assert_eq!(caller.members(), callee.members());
    }

    #[test]
    fn refreshes_take_turns_and_change_every_key() {
        let (mut caller, mut callee) = pair();
        for _ in 0..6 {
            let before = secrets(&caller);
            let (first, second) =
                if caller.is_committer() { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
            assert_eq!(second.refresh(), Err(GroupError::NotAllowed));
            let commit = first.refresh().unwrap();
            second.handle_refresh(&commit).unwrap();
            assert_eq!(secrets(&caller), secrets(&callee));
            let after = secrets(&caller);
            assert!(before.0 + 1 == after.0 && before.1 != after.1 && before.2 != after.2);
        }
    }

    #[test]
    fn a_stranger_in_place_of_the_invited_device_is_refused() {
        let (_, package) = JoinKeys::generate(&key(3)).unwrap();
        assert_eq!(Group::create(&key(1), &public(2), &package).unwrap_err(), GroupError::WrongMember);
        let (join, package) = JoinKeys::generate(&key(2)).unwrap();
        let (_, welcome) = Group::create(&key(4), &public(2), &package).unwrap();
        assert_eq!(join.join(&welcome, &public(1)).unwrap_err(), GroupError::WrongMember);
    }

    #[test]
    fn a_changed_or_repeated_commit_is_refused_and_harms_nothing() {
        let (mut caller, mut callee) = pair();
        let (first, second) =
            if caller.is_committer() { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
        let commit = first.refresh().unwrap();
        let mut changed = commit.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(second.handle_refresh(&changed).is_err());
        second.handle_refresh(&commit).unwrap();
        assert!(second.handle_refresh(&commit).is_err());
        assert_eq!(secrets(&caller), secrets(&callee));
    }

    #[test]
    fn a_refresh_that_puts_another_device_in_its_senders_place_is_refused() {
        let (mut caller, mut callee) = pair();
        let (first, second) =
            if caller.is_committer() { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
        let (signer, credential_with_key) = identity(&key(3));
        let stranger = NewSignerBundle { signer: &signer, credential_with_key };
        let parameters = LeafNodeParameters::default();
        let bundle =
            first.mls.self_update_with_new_signer(&first.provider, &first.signer, stranger, parameters).unwrap();
        let commit = bundle.into_commit().tls_serialize_detached().unwrap();
        assert_eq!(second.handle_refresh(&commit), Err(GroupError::WrongMember));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_give_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Group::create(&key(1), &public(2), &bytes).is_err());
            let (join, _) = JoinKeys::generate(&key(2)).unwrap();
            prop_assert!(join.join(&bytes, &public(1)).is_err());
        }
    }
}
