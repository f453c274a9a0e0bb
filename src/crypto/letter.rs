//! What an envelope holds: an invitation or an answer to one, signed by the sending device for one recipient.

use ed25519_dalek::{Signature, Signer};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::chain::{Chain, ChainError, DeviceCard, VerifiedChain, is_signed_by};
use super::envelope::{self, EnvelopeError};
use super::identity::{Identity, NewDevice};
use crate::wire::address::Handle;
use crate::wire::token::Token;

/// Seconds that an invitation rings, and that the directory holds an envelope.
pub const RING_S: u64 = 45;
/// Seconds that the clocks of the two devices may differ.
pub const MAX_CLOCK_SKEW_S: u64 = 120;

/// Number of a call, chosen at random by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub [u8; 16]);

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Please answer.
    Invitation {
        /// With picture.
        video: bool,
        /// Name of the relay room: who knows it may enter.
        room: [u8; 32],
        /// The caller's TLS key for this call's connections.
        path_key: [u8; 32],
    },
    /// Yes.
    Accept {
        /// One-time MLS key package, made after the person accepted.
        key_package: Vec<u8>,
        /// The callee's TLS key for this call's connections.
        path_key: [u8; 32],
    },
    /// No.
    Decline,
    /// In another call.
    Busy,
    /// The caller gave up.
    Cancel,
    /// Another device of the callee took it.
    TakenElsewhere,
    /// You are a device of my account now.
    Linked {
        /// That I have seen your code.
        proof: [u8; 32],
        /// What the account's devices hold in common, or a part of it.
        household: Vec<u8>,
    },
    /// To another device of the own account: what they hold in common, or a part of it.
    Household(Vec<u8>),
}

/// Leave to ring, shown and given. Only the two sides see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The sender's leave to ring: a token that the recipient once gave away.
    pub shown: Option<Token>,
    /// The recipient's leave to ring the sender at any time.
    pub given: Option<Token>,
    /// Lets answers to this letter through, for about a minute.
    pub reply: Option<Token>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    to: [u8; 32],
    from: [u8; 32],
    call: CallId,
    time: u64,
    content: Content,
    pass: Pass,
    chain: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Letter {
    body: Vec<u8>,
    signature: Signature,
}

/// A letter whose signature, chain, recipient and age have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The sender's account and devices.
    pub chain: VerifiedChain,
    /// The device that signed.
    pub device: DeviceCard,
    /// Which call it is about.
    pub call: CallId,
    /// What it says.
    pub content: Content,
    /// Leave to ring.
    pub pass: Pass,
}

/// Why a letter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The sender's chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Not the bytes of a letter.
    #[error("the message cannot be read")]
    Malformed,
    /// Written for another device.
    #[error("the message was written for another device")]
    WrongRecipient,
    /// Not signed by an active device of the account it names.
    #[error("the message is not signed by a device of its sender")]
    Signature,
    /// The name that the sender's account goes by is no handle: it would be shown to people.
    #[error("the message's sender goes by a name that is no handle")]
    Handle,
    /// Too old, or dated in the future.
    #[error("the message is too old or the clocks differ by more than two minutes")]
    Stale,
}

/// Writes, signs and seals a letter to one device.
pub fn write(
    from: &Identity,
    to: &DeviceCard,
    call: CallId,
    content: Content,
    pass: Pass,
    unix_now: u64,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, LetterError> {
    let chain = from.chain().chain().encode();
    let body = Body { to: to.signing, from: from.device_id(), call, time: unix_now, content, pass, chain };
    let body = postcard::to_stdvec(&body).map_err(|_| LetterError::Malformed)?;
    let signature = from.device().sign(&message(&body));
    let letter = postcard::to_stdvec(&Letter { body, signature }).map_err(|_| LetterError::Malformed)?;
    Ok(envelope::seal(&to.sealing, &letter, rng)?)
}

/// Opens an envelope to `own` and checks everything about the letter in it.
pub fn read(own: &Identity, envelope: &[u8], unix_now: u64) -> Result<Opened, LetterError> {
    check(own, &envelope::open(own.sealing(), envelope)?, unix_now)
}

/// As [`read`], for a device that is in no account yet.
pub fn read_as_new(new: &NewDevice, envelope: &[u8], unix_now: u64) -> Result<Opened, LetterError> {
    check_for(&new.card().signing, &envelope::open(new.sealing(), envelope)?, unix_now)
}

/// Checks everything about a letter that was in an envelope to `own`.
pub fn check(own: &Identity, letter: &[u8], unix_now: u64) -> Result<Opened, LetterError> {
    check_for(&own.device_id(), letter, unix_now)
}

fn check_for(own: &[u8; 32], letter: &[u8], unix_now: u64) -> Result<Opened, LetterError> {
    let letter: Letter = postcard::from_bytes(letter).map_err(|_| LetterError::Malformed)?;
    let body: Body = postcard::from_bytes(&letter.body).map_err(|_| LetterError::Malformed)?;
    if body.to != *own {
        return Err(LetterError::WrongRecipient);
    }
    if !is_signed_by(&body.from, &message(&letter.body), &letter.signature) {
        return Err(LetterError::Signature);
    }
    if body.time.abs_diff(unix_now) > RING_S + MAX_CLOCK_SKEW_S {
        return Err(LetterError::Stale);
    }
    let chain = Chain::decode(&body.chain)?.verify(unix_now)?;
    let device = chain.cards().iter().find(|card| card.signing == body.from).copied();
    let device = device.ok_or(LetterError::Signature)?;
    if !chain.handle().parse::<Handle>().is_ok_and(|handle| handle.to_string() == chain.handle()) {
        return Err(LetterError::Handle);
    }
    Ok(Opened { chain, device, call: body.call, content: body.content, pass: body.pass })
}

fn message(body: &[u8]) -> Vec<u8> {
    [b"visavis letter 2\0".as_slice(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::group::JoinKeys;

    const NOW: u64 = 1_800_000_000;
    const CALL: CallId = CallId([3; 16]);

    #[test]
    fn a_sender_whose_name_would_do_something_where_it_is_shown_is_not_shown() {
        let (_, bob) = pair();
        let card = bob.chain().cards()[0];
        let read_from = |handle: &str| {
            let sender = Identity::create(handle, NOW, &mut rand::rng());
            let envelope =
                write(&sender, &card, CALL, Content::Decline, Pass::default(), NOW, &mut rand::rng()).unwrap();
            read(&bob, &envelope, NOW).map(|letter| letter.chain.handle().to_owned())
        };
        assert_eq!(read_from("mallory@example.org").as_deref(), Ok("mallory@example.org"));
        let long = format!("{}@example.org", "m".repeat(5000));
        for handle in [
            "mallory@example.org\u{1b}]0;bob\u{7}",
            "bob\u{202e}gro.elpmaxe@",
            "bob@example.org\nalice@example.org",
            "b\u{43e}b@example.org",
            "bob @example.org",
            " bob@example.org",
            "bob",
            "",
            &long,
        ] {
            assert_eq!(read_from(handle), Err(LetterError::Handle), "{handle:?}");
        }
    }

    fn pair() -> (Identity, Identity) {
        let alice = Identity::create("alice@example.org", NOW, &mut rand::rng());
        (alice, Identity::create("bob@example.org", NOW, &mut rand::rng()))
    }

    #[test]
    fn a_letter_names_its_sender_to_its_recipient_only() {
        let (alice, bob) = pair();
        let content = Content::Invitation { video: true, room: [1; 32], path_key: [2; 32] };
        let card = bob.chain().cards()[0];
        let token = || Some(Token::random(&mut rand::rng()));
        let pass = Pass { shown: token(), given: token(), reply: token() };
        let envelope = write(&alice, &card, CALL, content.clone(), pass.clone(), NOW, &mut rand::rng()).unwrap();
        let opened = read(&bob, &envelope, NOW + 10).unwrap();
        assert_eq!((opened.chain.handle(), opened.call, &opened.content), ("alice@example.org", CALL, &content));
        assert_eq!((opened.device.signing, &opened.pass), (alice.device_id(), &pass));
        assert!(read(&alice, &envelope, NOW).is_err());
        assert_eq!(read(&bob, &envelope, NOW + 1000), Err(LetterError::Stale));
    }

    #[test]
    fn an_accept_with_its_key_package_fits_into_an_envelope() {
        let (alice, bob) = pair();
        let (_, key_package) = JoinKeys::generate(bob.device()).unwrap();
        let content = Content::Accept { key_package, path_key: [2; 32] };
        let card = alice.chain().cards()[0];
        let envelope = write(&bob, &card, CALL, content.clone(), Pass::default(), NOW, &mut rand::rng()).unwrap();
        assert_eq!(read(&alice, &envelope, NOW).unwrap().content, content);
    }

    #[test]
    fn a_letter_sealed_anew_to_somebody_else_is_refused() {
        let (alice, bob) = pair();
        let card = bob.chain().cards()[0];
        let carol = Identity::create("carol@example.org", NOW, &mut rand::rng());
        let envelope = write(&alice, &card, CALL, Content::Decline, Pass::default(), NOW, &mut rand::rng()).unwrap();
        let letter = envelope::open(bob.sealing(), &envelope).unwrap();
        let resealed = envelope::seal(&carol.chain().cards()[0].sealing, &letter, &mut rand::rng()).unwrap();
        assert_eq!(read(&carol, &resealed, NOW), Err(LetterError::WrongRecipient));
    }
}
