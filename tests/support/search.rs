//! A search for bytes in all that a server has: its memory and its files.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How often `wanted` stands in the writable memory of a process.
pub fn in_memory(process: u32, wanted: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (from, rest) = line.split_once('-').unwrap();
        let to = rest.split(' ').next().unwrap();
        let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; (to - from).min(1 << 28) as usize];
        // Some pages cannot be read; what can be is looked at.
        let read = memory.read_at(&mut bytes, from).unwrap_or(0);
        found += count(&bytes[..read], wanted);
    }
    found
}

/// How often `wanted` stands in `bytes`.
pub fn count(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
}

/// How often `wanted` stands in the files of a folder.
pub fn in_files(folder: &Path, wanted: &[u8]) -> usize {
    // The operator's socket is no file.
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|file| count(&fs::read(file.path()).unwrap(), wanted)).sum()
}
