//! The call as a state machine: typed states, inputs, outputs. Sans-IO.

mod consent;
mod machine;
mod outcome;
mod state;
#[cfg(test)]
mod tests;

pub use consent::UserConsent;
pub use machine::{CONNECT, Dial, KEEP_OLD, Machine, Output, RECONNECT, REFRESH, SWITCH_AFTER, State};
pub use outcome::Outcome;
pub use state::{Accepted, Active, AddressGrant, Calling, CaptureGrant, Keyed, Parties, Ringing};
