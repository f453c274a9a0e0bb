//! Keys: identity, device chain, sealed envelopes, the MLS group, SFrame, safety number. Sans-IO.
//!
//! Sees no socket address and reads no clock. Only [`chain`] is part of the server, which checks chains and can open
//! nothing.

pub mod chain;
#[cfg(feature = "client")]
pub mod envelope;
#[cfg(all(test, feature = "client"))]
mod epochs;
#[cfg(feature = "client")]
pub mod group;
#[cfg(feature = "client")]
pub mod identity;
#[cfg(feature = "client")]
pub mod kit;
#[cfg(feature = "client")]
pub mod letter;
#[cfg(feature = "client")]
pub mod link;
#[cfg(feature = "client")]
pub mod ready;
#[cfg(feature = "client")]
pub mod safety;
#[cfg(feature = "client")]
pub mod sframe;
#[cfg(all(test, feature = "client"))]
mod vectors;
