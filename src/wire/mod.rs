//! Bytes to types and back: packets, feedback, signalling messages. Every parser is total and bounded.

pub mod address;
#[cfg(feature = "client")]
pub mod call;
pub mod packet;
pub mod record;
pub mod signal;
#[cfg(feature = "client")]
pub mod sound;
