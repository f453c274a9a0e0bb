//! The screens, one file each: functions of a snapshot and of what is being typed, giving what the person did.

pub mod contacts;
pub mod devices;
pub mod ended;
pub mod in_call;
pub mod incoming;
pub mod ringing;
pub mod safety;
pub mod settings;
pub mod welcome;
