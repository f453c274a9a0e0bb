//! Results: words to standard output, JSON there or to a file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::exit::CliError;

/// Says something on standard output. Whoever has stopped reading there has heard enough: that is no error.
pub fn say(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::failure(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something for people: on standard output, unless `json` goes there; then on standard error.
pub fn tell(text: &str, json: Option<&Path>) -> Result<(), CliError> {
    if json == Some(Path::new("-")) {
        eprint!("{text}");
        return Ok(());
    }
    say(text)
}

/// Writes `value` to standard output.
pub fn say_json(value: &impl Serialize) -> Result<(), CliError> {
    write_json(Path::new("-"), value)
}

/// Writes `value` to `path`; `-` is standard output.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(value).map_err(CliError::failure)?;
    text.push('\n');
    if path == Path::new("-") {
        return say(&text);
    }
    fs::write(path, text)
        .map_err(|error| CliError::failure(format!("{}: {error}; choose another file", path.display())))
}
