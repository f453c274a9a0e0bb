//! `--link`: reads the description of a modelled link, and the recorded trace that it may name.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use crate::sim::LinkConfig;
use crate::sim::spec::{SpecError, parse};

/// Largest file that is read as a trace.
const MAX_TRACE_BYTES: u64 = 64 << 20;

/// See [`crate::sim::spec`].
pub(super) fn parse_link(text: &str) -> Result<Arc<LinkConfig>, SpecError> {
    parse(text, read_trace).map(Arc::new)
}

/// The text of a recorded trace, or why there is none.
pub(super) fn read_trace(name: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(name).and_then(|file| file.take(MAX_TRACE_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(error.to_string()),
        Ok(bytes) if bytes as u64 > MAX_TRACE_BYTES => Err("it is too large to be a trace".into()),
        Ok(_) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Rate;

    #[test]
    fn a_file_is_read_as_a_trace_and_what_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let trace = file("drive.up", "1\n2\n");
        assert!(matches!(parse_link(&format!("{trace},delay=20ms")).unwrap().up.rate, Rate::Trace(_)));
        let said = parse_link(&file("letter.txt", "Dear Ada")).unwrap_err().to_string();
        assert!(said.contains("letter.txt") && said.contains("line 1"), "{said}");
        assert!(parse_link("/no/such/trace").is_err());
    }
}
