//! The states of a call as types: what must not happen before the person's yes does not compile.
//!
//! [`Calling`] and [`Ringing`] own no keys for media and no way to a device. [`Ringing::accept`] uses up a
//! [`UserConsent`]; only then is a key package made. [`Active`] needs an accepted call, the group and the peer's proof of
//! readiness; only a reference to it (or a consent of its own, for the preview) gives a [`CaptureGrant`], which every
//! capturing device asks for.
//!
//! A consent is used once:
//! ```
//! fn open_once(consent: visavis::call::UserConsent) {
//!     drop(consent);
//! }
//! ```
//! ```compile_fail,E0382
//! fn open_twice(consent: visavis::call::UserConsent) {
//!     drop(consent);
//!     drop(consent);
//! }
//! ```
//! A grant comes from an active call, not from one that rings:
//! ```
//! fn capture(active: &visavis::call::Active) -> visavis::call::CaptureGrant {
//!     active.grant()
//! }
//! ```
//! ```compile_fail,E0599
//! fn capture(ringing: &visavis::call::Ringing) -> visavis::call::CaptureGrant {
//!     ringing.grant()
//! }
//! ```
//! and cannot be made up:
//! ```compile_fail,E0423
//! let grant = visavis::call::CaptureGrant(());
//! ```
//! The same goes for telling the peer where this machine can be reached:
//! ```
//! fn tell(active: &visavis::call::Active) -> visavis::call::AddressGrant {
//!     active.address_grant()
//! }
//! ```
//! ```compile_fail,E0599
//! fn tell(ringing: &visavis::call::Ringing) -> visavis::call::AddressGrant {
//!     ringing.address_grant()
//! }
//! ```

use ed25519_dalek::SigningKey;

use super::UserConsent;
use crate::crypto::chain::{DeviceCard, VerifiedChain};
use crate::crypto::group::{Group, GroupError, JoinKeys};
use crate::crypto::letter::CallId;
use crate::crypto::ready::{self, ReadyContext, Role};

/// The other side and the call's name and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// Number of the call.
    pub call: CallId,
    /// Our side.
    pub role: Role,
    /// With picture.
    pub video: bool,
    /// Name of the relay room.
    pub room: [u8; 32],
    /// The peer's account.
    pub peer: VerifiedChain,
}

/// We ring: invitations are out.
#[derive(Debug)]
pub struct Calling {
    /// Who and which.
    pub parties: Parties,
    /// Dialling was the person's act.
    consent: UserConsent,
}

/// We are rung: nothing is open, nothing is sent.
#[derive(Debug)]
pub struct Ringing {
    /// Who and which.
    pub parties: Parties,
    /// The device that rings.
    pub device: DeviceCard,
    /// The caller's TLS key for this call.
    pub path_key: [u8; 32],
}

/// Both persons said yes; keys are being agreed.
#[derive(Debug)]
pub struct Accepted {
    /// Who and which.
    pub parties: Parties,
    /// The peer's device.
    pub device: DeviceCard,
    /// The peer's TLS key for this call.
    pub path_key: [u8; 32],
    join: Option<JoinKeys>,
    _consent: UserConsent,
}

/// Accepted, and in the group; the peer's proof is awaited.
#[derive(Debug)]
pub struct Keyed {
    /// What was accepted.
    pub accepted: Accepted,
    /// The group.
    pub group: Group,
}

/// Face to face: both stand in the same epoch.
#[derive(Debug)]
pub struct Active {
    /// What was accepted.
    pub accepted: Accepted,
    /// The group.
    pub group: Group,
}

/// What a step gives back that failed: the call as it was, and why.
pub type Failed<State> = Box<(State, GroupError)>;

/// Leave to open a microphone or a camera.
#[derive(Debug)]
pub struct CaptureGrant(());

/// Leave to find out where this machine can be reached and to tell the peer.
#[derive(Debug)]
pub struct AddressGrant(());

#[cfg(test)]
impl AddressGrant {
    /// For tests of what needs one.
    pub(crate) const fn for_test() -> Self {
        Self(())
    }
}

impl CaptureGrant {
    /// For looking at oneself outside a call: the person asked for it.
    #[must_use]
    pub const fn for_preview(_consent: UserConsent) -> Self {
        Self(())
    }
}

impl Calling {
    /// The person dialled.
    #[must_use]
    pub const fn new(parties: Parties, consent: UserConsent) -> Self {
        Self { parties, consent }
    }

    /// The peer accepted on `device`: makes the group and the welcome for it. With an error the call is given back.
    pub fn accepted(
        self,
        own: &SigningKey,
        device: DeviceCard,
        path_key: [u8; 32],
        key_package: &[u8],
    ) -> Result<(Keyed, Vec<u8>), Failed<Self>> {
        let (group, welcome) = match Group::create(own, &device.signing, key_package) {
            Ok(made) => made,
            Err(error) => return Err(Box::new((self, error))),
        };
        let accepted = Accepted { parties: self.parties, device, path_key, join: None, _consent: self.consent };
        Ok((Keyed { accepted, group }, welcome))
    }

    /// Both rang each other at once and the peer's call goes on: our act of calling stands as our acceptance.
    pub fn yield_to(self, theirs: Ringing, own: &SigningKey) -> Result<(Accepted, Vec<u8>), GroupError> {
        theirs.accept(self.consent, own)
    }
}

impl Ringing {
    /// The person accepts: only now a key package comes into being. Gives it for the answer.
    pub fn accept(self, consent: UserConsent, own: &SigningKey) -> Result<(Accepted, Vec<u8>), GroupError> {
        let (join, key_package) = JoinKeys::generate(own)?;
        let Self { parties, device, path_key } = self;
        Ok((Accepted { parties, device, path_key, join: Some(join), _consent: consent }, key_package))
    }
}

impl Accepted {
    /// The welcome came: joins the group. With an error the call is given back, and joins nothing any more.
    pub fn join(mut self, welcome: &[u8]) -> Result<Keyed, Failed<Self>> {
        let join = self.join.take().ok_or(GroupError::NotAllowed);
        match join.and_then(|join| join.join(welcome, &self.device.signing)) {
            Ok(group) => Ok(Keyed { accepted: self, group }),
            Err(error) => Err(Box::new((self, error))),
        }
    }
}

impl Keyed {
    /// Our proof of readiness; `channel` is the TLS exporter value of a direct connection.
    pub fn prove(&self, channel: Option<[u8; 32]>) -> Result<[u8; 32], GroupError> {
        prove(&self.accepted, &self.group, channel)
    }

    /// The peer's proof came: active if it holds, else the call is given back.
    pub fn ready(self, proof: &[u8; 32]) -> Result<Active, Failed<Self>> {
        match check(&self.accepted, &self.group, None, proof) {
            Ok(true) => Ok(Active { accepted: self.accepted, group: self.group }),
            Ok(false) => Err(Box::new((self, GroupError::WrongMember))),
            Err(error) => Err(Box::new((self, error))),
        }
    }
}

impl Active {
    /// Leave to open a microphone or a camera for this call.
    #[must_use]
    pub const fn grant(&self) -> CaptureGrant {
        CaptureGrant(())
    }

    /// Leave to gather candidate addresses for this call.
    #[must_use]
    pub const fn address_grant(&self) -> AddressGrant {
        AddressGrant(())
    }

    /// Our proof for a direct connection with this TLS exporter value.
    pub fn prove_direct(&self, channel: [u8; 32]) -> Result<[u8; 32], GroupError> {
        prove(&self.accepted, &self.group, Some(channel))
    }

    /// Whether the peer's proof for a direct connection holds.
    pub fn check_direct(&self, channel: [u8; 32], proof: &[u8; 32]) -> Result<bool, GroupError> {
        check(&self.accepted, &self.group, Some(channel), proof)
    }
}

fn prove(accepted: &Accepted, group: &Group, channel: Option<[u8; 32]>) -> Result<[u8; 32], GroupError> {
    let key = group.ready_key()?;
    let authenticator = group.authenticator();
    let context = context(accepted, group, &authenticator, channel)?;
    Ok(ready::prove(&key, accepted.parties.role, &context))
}

fn check(accepted: &Accepted, group: &Group, channel: Option<[u8; 32]>, proof: &[u8; 32]) -> Result<bool, GroupError> {
    let key = group.ready_key()?;
    let authenticator = group.authenticator();
    let context = context(accepted, group, &authenticator, channel)?;
    Ok(ready::check(&key, accepted.parties.role.other(), &context, proof))
}

fn context<'a>(
    accepted: &Accepted,
    group: &Group,
    authenticator: &'a [u8],
    channel: Option<[u8; 32]>,
) -> Result<ReadyContext<'a>, GroupError> {
    let members = group.members();
    let [(_, caller), (_, callee)] = members[..] else { return Err(GroupError::WrongMember) };
    Ok(ReadyContext { call: accepted.parties.call, caller, callee, authenticator, channel })
}
