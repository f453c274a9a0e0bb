//! The call as a state machine: typed states, inputs, outputs. Sans-IO.

mod consent;
mod outcome;

pub use consent::UserConsent;
pub use outcome::Outcome;
