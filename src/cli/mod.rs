//! The command line, one file a subcommand. Data goes to stdout, log and progress to stderr.

mod args;
mod exit;

pub use args::{Cli, CliCommand};
pub use exit::{CliError, Exit};
