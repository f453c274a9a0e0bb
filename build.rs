//! Tells the program which commit and features it was built from, for `--version`.

use std::process::Command;

fn main() {
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if std::path::Path::new(file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    let commit = Command::new("git")
        .args(["rev-parse", "--short=10", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "no commit known".to_owned(), |commit| commit.trim().to_owned());
    println!("cargo:rustc-env=VISAVIS_COMMIT={commit}");
    let features: Vec<&str> = ["client", "server", "rust-dav1d", "c-dav1d"]
        .into_iter()
        .filter(|feature| {
            std::env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase().replace('-', "_"))).is_some()
        })
        .collect();
    println!("cargo:rustc-env=VISAVIS_FEATURES={}", features.join(" "));
}
