//! The ledger by itself, and with everything around it over modelled links.

mod harness;
mod ledger;
mod scenarios;
