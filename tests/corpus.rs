//! Every parser with the inputs that the program itself makes, with those that fuzzing found worth keeping, and with those that
//! once broke something.
//!
//! With `VISAVIS_SEEDS=FOLDER` the inputs that the program makes are also written down there, for fuzzers to begin with.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "fuzz/seeds.rs"]
mod seeds;
#[path = "fuzz/targets.rs"]
mod targets;

fn target(name: &str) -> fn(&[u8]) {
    targets::TARGETS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}")).1
}

#[test]
fn what_the_program_makes_is_read_and_so_is_each_part_of_it() {
    let folder = std::env::var_os("VISAVIS_SEEDS").map(PathBuf::from);
    let mut counts: HashMap<String, usize> = HashMap::new();
    seeds::make(&mut |name, seed, bytes| {
        *counts.entry(name.to_owned()).or_default() += 1;
        let target = target(name);
        target(bytes);
        // Cut off, and with each of some bytes changed.
        for part in 1..8 {
            target(&bytes[..bytes.len() * part / 8]);
            let mut changed = bytes.to_vec();
            if let Some(byte) = changed.get_mut(bytes.len() * part / 8) {
                *byte ^= 1 << part;
                target(&changed);
            }
        }
        if let Some(folder) = &folder {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join(seed), bytes).unwrap();
        }
    });
    for (name, _) in targets::TARGETS {
        assert!(counts.get(name).is_some_and(|count| *count >= 3), "{name}: {counts:?}");
    }
}

#[test]
fn every_kept_input_gives_a_value_or_an_error() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let folder = corpus.join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut inputs = 0;
        for file in files.map(|file| file.unwrap().path()) {
            // Named before it is tried: a decoder may end the whole process.
            eprintln!("{}", file.display());
            target(&fs::read(&file).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no kept inputs");
    }
}
