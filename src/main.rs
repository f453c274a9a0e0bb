//! The client: arguments to command line or window.

use std::process::ExitCode;

use clap::Parser;
use visavis::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::start_log(&cli);
    match cli::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visavis: {error}");
            ExitCode::from(error.code())
        }
    }
}
