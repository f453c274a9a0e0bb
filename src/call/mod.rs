//! The call as a state machine: typed states, inputs, outputs. Sans-IO.

mod consent;
mod machine;
mod outcome;
mod output;
mod state;
#[cfg(test)]
mod tests;

pub use consent::UserConsent;
pub use machine::{CONNECT, Dial, KEEP_OLD, KEYFRAME_PAUSE, Machine, RECONNECT, REFRESH, SWITCH_AFTER, State};
pub use outcome::Outcome;
pub use output::Output;
pub use state::{Accepted, Active, AddressGrant, Calling, CaptureGrant, Keyed, Parties, Ringing};
