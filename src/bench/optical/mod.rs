//! `bench optical`: glass to glass. A window shows labels, a camera looks at it, and each label that is read gives the time from
//! its hand-over to the window system (`present_requested`) to the camera's time of the first picture with it.
//!
//! The screen's part (waiting for the refresh, the panel) and the camera's (exposure, read-out, transport, as far as the driver's
//! time is after them) are both in it, and cannot be told apart. A recording can stand in for the camera, to try everything but
//! the light.

pub mod find;
#[cfg(test)]
mod find_tests;
pub mod geometry;
pub mod report;
pub mod run;
pub mod sightings;
pub mod target;
