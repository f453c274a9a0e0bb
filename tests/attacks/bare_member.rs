//! A member of a call by MLS alone: its memory can be copied, and it does what ours never does.

use ed25519_dalek::SigningKey;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, LeafNodeParameters, MlsGroup, MlsGroupJoinConfig,
    MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProcessedMessageContent,
    ProtocolMessage, SignatureScheme, StagedWelcome,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use visavis::crypto::group::Group;
use visavis::crypto::sframe::{BaseKey, Opener, Sealer};
use visavis::media::{KeyEpoch, LeafIndex, Stream};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;

/// A member by MLS alone, whose memory can be copied.
pub struct Bare {
    provider: OpenMlsRustCrypto,
    key: SigningKey,
    pub mls: MlsGroup,
}

impl Bare {
    /// Takes part in a call that ours has made.
    pub fn called_by(caller: &SigningKey, own: &SigningKey) -> (Group, Self) {
        let provider = OpenMlsRustCrypto::default();
        let (public, signer) = (own.verifying_key().to_bytes().to_vec(), signer(own));
        let credential = BasicCredential::new(public.clone()).into();
        let with_key = CredentialWithKey { credential, signature_key: public.into() };
        let package = KeyPackage::builder().build(SUITE, &provider, &signer, with_key).unwrap();
        let package = package.key_package().tls_serialize_detached().unwrap();
        let (group, welcome) = Group::create(caller, &own.verifying_key().to_bytes(), &package).unwrap();
        let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::tls_deserialize_exact(&welcome).unwrap().extract()
        else {
            panic!("no welcome")
        };
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .build();
        let staged = StagedWelcome::new_from_welcome(&provider, &config, welcome, None).unwrap();
        let mls = staged.into_group(&provider).unwrap();
        (group, Self { provider, key: own.clone(), mls })
    }

    /// All that the memory holds, in other hands.
    pub fn copy(&self) -> Self {
        let provider = OpenMlsRustCrypto::default();
        let held = self.provider.storage().values.read().unwrap().clone();
        *provider.storage().values.write().unwrap() = held;
        let mls = MlsGroup::load(provider.storage(), self.mls.group_id()).unwrap().unwrap();
        Self { provider, key: self.key.clone(), mls }
    }

    pub fn refresh(&mut self) -> Vec<u8> {
        let bundle = self.mls.self_update(&self.provider, &signer(&self.key), LeafNodeParameters::default()).unwrap();
        self.mls.merge_pending_commit(&self.provider).unwrap();
        bundle.into_commit().tls_serialize_detached().unwrap()
    }

    /// Whether a commit that is seen on its way can be followed.
    pub fn follows(&mut self, commit: &[u8]) -> bool {
        let MlsMessageBodyIn::PrivateMessage(message) = MlsMessageIn::tls_deserialize_exact(commit).unwrap().extract()
        else {
            return false;
        };
        let Ok(processed) = self.mls.process_message(&self.provider, ProtocolMessage::from(message)) else {
            return false;
        };
        let ProcessedMessageContent::StagedCommitMessage(commit) = processed.into_content() else { return false };
        self.mls.merge_staged_commit(&self.provider, *commit).is_ok()
    }

    pub fn note(&mut self, text: &[u8]) -> Vec<u8> {
        let note = self.mls.create_message(&self.provider, &signer(&self.key), text).unwrap();
        note.tls_serialize_detached().unwrap()
    }

    /// The key of all frames of its epoch.
    fn base_key(&self) -> BaseKey {
        let secret = self.mls.export_secret(self.provider.crypto(), "SFrame 1.0 Base Key", &[], 16).unwrap();
        BaseKey::new(secret.try_into().unwrap())
    }

    /// Whether it opens this frame, which says itself of which epoch it is.
    pub fn opens(&self, epoch: KeyEpoch, frame: &[u8]) -> bool {
        let mut opener = Opener::default();
        opener.add_epoch(self.base_key(), epoch, &[LeafIndex(0)]);
        opener.open(LeafIndex(0), Stream::Video, b"header", frame).is_ok()
    }
}

/// A frame of ours, as everybody on its way sees it.
pub fn frame(group: &Group) -> (KeyEpoch, Vec<u8>) {
    let mut sealer = Sealer::new(&group.base_key().unwrap(), group.epoch(), group.leaf());
    (group.epoch(), sealer.seal(Stream::Video, b"header", b"a face").unwrap())
}

fn signer(key: &SigningKey) -> SignatureKeyPair {
    let public = key.verifying_key().to_bytes().to_vec();
    SignatureKeyPair::from_raw(SignatureScheme::ED25519, key.to_bytes().to_vec(), public)
}
