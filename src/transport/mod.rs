//! From sealed frames to packets and back, messages that survive a change of path, and which path is taken. Sans-IO; sees no key.

pub mod candidates;
pub mod clock;
pub mod control;
pub mod jitter;
pub mod numbering;
pub mod packetise;
pub mod parity;
pub mod punch;
pub mod rate;
pub mod reassemble;
pub mod repair;
pub mod ways;
