//! The listening shell around directory and relay.
