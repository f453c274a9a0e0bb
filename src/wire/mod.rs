//! Bytes to types and back: packets, feedback, signalling messages. Every parser is total and bounded.

pub mod address;
#[cfg(feature = "client")]
pub mod call;
#[cfg(feature = "client")]
pub mod feedback;
#[cfg(feature = "client")]
pub mod link;
pub mod packet;
#[cfg(feature = "client")]
pub mod padding;
pub mod parity;
pub mod record;
pub mod signal;
#[cfg(feature = "client")]
pub mod sound;
pub mod token;
