//! From sealed frames to packets and back, and messages that survive a change of path. Sans-IO; sees no key.

pub mod control;
pub mod packetise;
pub mod reassemble;
