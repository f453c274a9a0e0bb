//! Exit codes, and the error that ends a command: what happened, what to do, which code.

use std::fmt;

/// Exit codes of `visavis`; scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It worked.
    Success = 0,
    /// It did not.
    Failure = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// A bench ran and missed its threshold.
    ThresholdMissed = 3,
    /// A device that was asked for is missing.
    NoDevice = 4,
    /// The network or the server cannot be reached, or the server refuses.
    NoNetwork = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Why a command ended: one sentence with cause and remedy, and the exit code.
#[derive(Debug)]
pub struct CliError {
    exit: u8,
    message: String,
}

impl CliError {
    /// An error with this code.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit: exit as u8, message: message.to_string() }
    }

    /// A plain failure.
    pub fn failure(message: impl fmt::Display) -> Self {
        Self::new(Exit::Failure, message)
    }

    /// How a call ended that was not held: its sentence and its code.
    #[must_use]
    pub fn outcome(outcome: &crate::call::Outcome) -> Self {
        Self { exit: outcome.exit_code(), message: outcome.sentence() }
    }

    /// The process's exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.exit
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}
