//! The client: arguments to command line or window.

use std::process::ExitCode;

use visavis::cli::{self, Cli};

/// Ends a debug build that allocates in an audio callback; elsewhere it is the system's allocator.
#[cfg(debug_assertions)]
#[global_allocator]
static ALLOCATOR: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;

fn main() -> ExitCode {
    let cli = Cli::of_this_process();
    cli::start_log(&cli);
    match cli::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visavis: {error}");
            ExitCode::from(error.code())
        }
    }
}
