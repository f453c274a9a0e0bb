//! The controller over modelled links, on virtual time: scenarios with their figures, and what holds on every link.

mod bulk;
mod harness;
mod hostile;
mod invariants;
mod scenarios;
mod window;
