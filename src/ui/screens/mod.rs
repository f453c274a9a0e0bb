//! The screens, one file each: functions of a snapshot and of what is being typed, giving what the person did.

pub mod account;
pub mod compare;
pub mod contacts;
pub mod devices;
pub mod ended;
pub mod in_call;
pub mod incoming;
pub mod kit;
pub mod link;
pub mod linking;
pub mod requests;
pub mod ringing;
pub mod safety;
pub mod scan;
pub mod server_account;
pub mod settings;
pub mod unlock;
pub mod welcome;
