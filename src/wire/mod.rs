//! Bytes to types and back: packets, feedback, signalling messages. Every parser is total and bounded.

pub mod record;
