//! From sealed frames to packets and back, messages that survive a change of path, and which path is taken. Sans-IO; sees no key.

pub mod candidates;
pub mod control;
pub mod jitter;
pub mod packetise;
pub mod punch;
pub mod reassemble;
pub mod ways;
