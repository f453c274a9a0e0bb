//! Results as JSON, to standard output or a file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::exit::CliError;

/// Writes `value` to `path`; `-` is standard output.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(value).map_err(CliError::failure)?;
    text.push('\n');
    let result = if path == Path::new("-") { io::stdout().write_all(text.as_bytes()) } else { fs::write(path, text) };
    result.map_err(|error| CliError::failure(format!("{}: {error}; choose another --json FILE", path.display())))
}
