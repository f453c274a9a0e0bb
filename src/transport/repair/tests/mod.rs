//! The ledger by itself, and with everything around it over modelled links.

mod encoded;
mod harness;
mod ladder;
mod ledger;
mod scenarios;
mod source;
