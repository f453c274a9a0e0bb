//! Asks for a passphrase: from `VISAVIS_PASSPHRASE`, else at the terminal, without showing what is typed.

use std::io::{self, BufRead, IsTerminal, Write};

use zeroize::Zeroizing;

use super::exit::{CliError, Exit};

/// For scripts. Whoever can read the process's environment can read it.
const VARIABLE: &str = "VISAVIS_PASSPHRASE";
/// For changing a passphrase by a script.
const NEW_VARIABLE: &str = "VISAVIS_NEW_PASSPHRASE";

/// The passphrase of the profile.
pub fn ask() -> Result<Zeroizing<String>, CliError> {
    from_environment(VARIABLE).map_or_else(|| typed("Passphrase of this profile: ", VARIABLE), Ok)
}

/// A new passphrase, which is typed twice.
pub fn ask_for_new() -> Result<Zeroizing<String>, CliError> {
    if let Some(given) = from_environment(NEW_VARIABLE) {
        return Ok(given);
    }
    let first = typed("New passphrase: ", NEW_VARIABLE)?;
    let second = typed("Once more: ", NEW_VARIABLE)?;
    if *first == *second { Ok(first) } else { Err(CliError::failure("the two are not the same; nothing was changed")) }
}

fn from_environment(variable: &str) -> Option<Zeroizing<String>> {
    std::env::var(variable).ok().filter(|given| !given.is_empty()).map(Zeroizing::new)
}

fn typed(prompt: &str, variable: &str) -> Result<Zeroizing<String>, CliError> {
    if !io::stdin().is_terminal() {
        let why =
            format!("this profile has a passphrase; set {variable}, or run this at a terminal, which asks for it");
        return Err(CliError::new(Exit::Usage, why));
    }
    eprint!("{prompt}");
    io::stderr().flush().map_err(CliError::failure)?;
    let read = without_echo(|| {
        let mut line = Zeroizing::new(String::new());
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    eprintln!();
    let line = read.map_err(CliError::failure)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(unix)]
fn without_echo<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let usual = tcgetattr(io::stdin())?;
    let mut quiet = usual.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
    let result = read();
    tcsetattr(io::stdin(), OptionalActions::Flush, &usual)?;
    result
}

/// Elsewhere what is typed is seen.
#[cfg(not(unix))]
fn without_echo<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    read()
}
