//! The proof that both sides stand in the same epoch of the same call before any media flows.
//!
//! A MAC (HKDF-Expand as a PRF, RFC 5869) under a key from the MLS exporter, over call, role, both devices and the epoch
//! authenticator. On a direct connection a second one adds that connection's TLS exporter, which binds it to the call.

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::letter::CallId;

/// Side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Rang.
    Caller = 0,
    /// Was rung.
    Callee = 1,
}

impl Role {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// What both sides must agree on.
pub struct ReadyContext<'a> {
    /// The call.
    pub call: CallId,
    /// The caller's device key.
    pub caller: [u8; 32],
    /// The callee's device key.
    pub callee: [u8; 32],
    /// The epoch authenticator.
    pub authenticator: &'a [u8],
    /// TLS exporter value of a direct connection; none on the relay, where the two share no TLS session.
    pub channel: Option<[u8; 32]>,
}

/// The proof that `role` sends.
///
/// # Panics
/// Never: the lengths are constants that HKDF can serve.
#[must_use]
pub fn prove(key: &[u8; 32], role: Role, context: &ReadyContext<'_>) -> [u8; 32] {
    let hkdf = Hkdf::<Sha256>::from_prk(key).expect("32 bytes");
    let mut proof = [0; 32];
    let channel: &[u8] = context.channel.as_ref().map_or(&[], |value| value);
    let info: [&[u8]; 7] = [
        b"visavis ready 1\0",
        &context.call.0,
        &[role as u8],
        &context.caller,
        &context.callee,
        channel,
        context.authenticator,
    ];
    hkdf.expand_multi_info(&info, &mut proof).expect("32 bytes");
    proof
}

/// Whether `proof` is what `role` has to send; in constant time.
#[must_use]
pub fn check(key: &[u8; 32], role: Role, context: &ReadyContext<'_>, proof: &[u8; 32]) -> bool {
    prove(key, role, context).ct_eq(proof).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];

    fn context(channel: Option<[u8; 32]>) -> ReadyContext<'static> {
        ReadyContext { call: CallId([2; 16]), caller: [3; 32], callee: [4; 32], authenticator: b"auth", channel }
    }

    #[test]
    fn a_proof_holds_for_its_role_call_epoch_and_channel_only() {
        let proof = prove(&KEY, Role::Caller, &context(None));
        assert!(check(&KEY, Role::Caller, &context(None), &proof));
        assert!(!check(&KEY, Role::Callee, &context(None), &proof));
        assert!(!check(&[9; 32], Role::Caller, &context(None), &proof));
        assert!(!check(&KEY, Role::Caller, &context(Some([5; 32])), &proof));
        assert!(!check(&KEY, Role::Caller, &ReadyContext { call: CallId([9; 16]), ..context(None) }, &proof));
        assert!(!check(&KEY, Role::Caller, &ReadyContext { authenticator: b"fork", ..context(None) }, &proof));
    }
}
