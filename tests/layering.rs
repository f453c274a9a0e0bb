//! Holds the invariants of the crate documentation: which part of the program may name which other.
//!
//! Works on the source text (comments and string literals left out), so it also sees code behind a feature.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a folder under `src/` must not name, and why.
struct Rule {
    folder: &'static str,
    forbidden: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        folder: "ui",
        forbidden: &[
            "quinn",
            "cpal",
            "nokhwa",
            "libaom_sys",
            "rav1e",
            "dav1d",
            "libdav1d",
            "opusic_c",
            "openmls",
            "crate::net",
            "crate::codec",
            "crate::capture",
            "crate::sound",
            "crate::crypto",
            "crate::transport",
            "crate::store",
            "crate::cli",
            "crate::bench",
        ],
        why: "the window knows the engine's handle, the call's public types, media and the renderer",
    },
    Rule {
        folder: "relay",
        forbidden: &[
            "openmls",
            "aes_gcm",
            "hpke",
            "sframe",
            "crate::crypto",
            "crate::net",
            "crate::store",
            "tokio",
            "quinn",
        ],
        why: "the relay is sans-IO and cannot open a frame",
    },
    Rule {
        folder: "directory",
        forbidden: &[
            "openmls",
            "aes_gcm",
            "hpke",
            "crypto::group",
            "crypto::sframe",
            "crypto::envelope",
            "crate::net",
            "tokio",
            "quinn",
        ],
        why: "the directory is sans-IO, checks chains and cannot open what it delivers",
    },
    Rule {
        folder: "server",
        forbidden: &[
            "openmls",
            "aes_gcm",
            "hpke",
            "crypto::group",
            "crypto::sframe",
            "crypto::envelope",
            "crate::call",
            "crate::codec",
            "egui",
            "cpal",
            "nokhwa",
        ],
        why: "the server cannot open a frame and builds without window, sound, camera and codecs",
    },
    Rule {
        folder: "crypto",
        forbidden: &[
            "SocketAddr",
            "IpAddr",
            "std::net",
            "quinn",
            "tokio",
            "crate::net",
            "crate::engine",
            "crate::transport",
            "crate::call",
            "std::fs",
            "std::thread",
        ],
        why: "keys see no address, no socket, no clock",
    },
    Rule {
        folder: "transport",
        forbidden: &[
            "crate::crypto",
            "openmls",
            "aes_gcm",
            "hpke",
            "quinn",
            "tokio",
            "UdpSocket",
            "crate::net",
            "crate::engine",
            "std::fs",
            "std::thread",
        ],
        why: "the packet code is sans-IO and sees no key",
    },
    Rule {
        folder: "sim",
        forbidden: &[
            "quinn",
            "tokio",
            "UdpSocket",
            "crate::net",
            "crate::engine",
            "crate::crypto",
            "crate::wire",
            "std::fs",
            "std::thread",
        ],
        why: "the link is a model: no socket, no clock, no thread",
    },
    Rule {
        folder: "call",
        forbidden: &[
            "quinn",
            "tokio",
            "UdpSocket",
            "crate::net",
            "crate::engine",
            "crate::ui",
            "crate::capture",
            "crate::sound",
            "std::fs",
            "std::thread",
        ],
        why: "the call is a sans-IO state machine",
    },
    Rule {
        folder: "wire",
        forbidden: &["std::fs", "std::thread", "UdpSocket", "crate::engine", "crate::net", "crate::call", "crate::ui"],
        why: "parsers know bytes and types only (framing over QUIC streams is the one thing that reads)",
    },
    Rule {
        folder: "media",
        forbidden: &["std::fs", "tokio", "quinn", "crate::engine", "crate::codec", "crate::crypto", "crate::net"],
        why: "what flows does not know who moves it",
    },
    Rule {
        folder: "codec",
        forbidden: &[
            "media::ring",
            "RingSender",
            "RingReceiver",
            "SlotReader",
            "SlotWriter",
            "Doorbell",
            "crate::net",
            "crate::crypto",
        ],
        why: "a codec is a blocking trait; its thread and rings are the engine's",
    },
    Rule {
        folder: "render",
        forbidden: &["crate::codec", "crate::net", "crate::crypto", "crate::call", "crate::sound", "crate::capture"],
        why: "the renderer draws pictures and never waits for a decoder",
    },
];

#[test]
fn no_part_names_what_it_must_not_know() {
    let mut breaches = Vec::new();
    for rule in RULES {
        for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(rule.folder)) {
            let code = code_of(&fs::read_to_string(&file).unwrap());
            for word in rule.forbidden.iter().filter(|word| names(&code, word)) {
                breaches.push(format!("{} names {word}: {}", file.display(), rule.why));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn consent_is_made_only_where_a_person_acts() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut makers = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap().to_path_buf();
        let code = code_of(&fs::read_to_string(&file).unwrap());
        let product = code.split("mod tests").next().unwrap_or_default();
        let is_test = inside.iter().any(|part| part == "tests" || part == "tests.rs");
        if product.contains("given_by_person") && !is_test && inside != Path::new("call/consent.rs") {
            makers.push(inside);
        }
    }
    assert!(!makers.is_empty(), "somebody has to give consent");
    for maker in makers {
        let allowed = ["ui", "cli"].iter().any(|folder| maker.starts_with(folder)) || maker.starts_with("bench");
        assert!(allowed, "{} makes a UserConsent", maker.display());
    }
}

#[test]
fn only_the_engines_clock_reads_a_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap();
        let code = code_of(&fs::read_to_string(&file).unwrap());
        for call in ["Instant::now", "SystemTime::now", "clock_gettime"] {
            assert!(
                !code.contains(call) || inside == Path::new("engine/clock.rs"),
                "{} calls {call}",
                inside.display()
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with `//!`", file.display());
    }
}

#[test]
fn unsafe_code_stays_in_its_named_modules() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap();
        let code = code_of(&fs::read_to_string(&file).unwrap());
        let allowed = ["codec/aom/ffi.rs", "codec/dav1d/port.rs"].map(Path::new).contains(&inside);
        assert!(allowed || !names(&code, "unsafe"), "{} has unsafe code", inside.display());
    }
}

#[test]
fn the_server_is_built_without_window_sound_camera_codecs_and_group_keys() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--no-default-features", "--features", "server"])
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("quinn "), "the tree is not the server's:\n{tree}");
    for word in ["openmls", "hpke", "aes-gcm", "libaom", "rav1e", "dav1d", "opus", "egui", "wgpu", "cpal", "nokhwa"] {
        let named = tree.lines().find(|line| line.split(' ').next().is_some_and(|name| name.contains(word)));
        assert_eq!(named, None, "the server does not need it");
    }
}

#[test]
fn what_must_agree_with_itself_is_there_once() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    for name in ["egui", "eframe", "wgpu", "quinn", "rustls"] {
        let line = format!("name = \"{name}\"");
        assert_eq!(lock.lines().filter(|found| *found == line).count(), 1, "versions of {name}");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The text without comments and string literals.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut previous = '\0';
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            if in_string {
                in_string = character != '"' || previous == '\\';
            } else if character == '/' && characters.peek() == Some(&'/') {
                break;
            } else if character == '"' && previous != '\'' {
                in_string = true;
            } else {
                code.push(character);
            }
            previous = if character == '\\' && previous == '\\' { '\0' } else { character };
        }
        code.push('\n');
    }
    code
}

/// Whether `word` occurs in `code` as a whole word.
fn names(code: &str, word: &str) -> bool {
    let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

#[test]
fn the_reader_of_source_text_tells_code_from_comments() {
    let code = code_of("let a = \"quinn\"; // cpal\nuse quinn_proto;\nuse tokio::net;");
    assert!(!names(&code, "quinn"));
    assert!(!names(&code, "cpal"));
    assert!(names(&code, "tokio"));
}
