//! Tells the program which commit and features it was built from, for `--version`.

use std::process::Command;

fn main() {
    // In a work tree of its own, these files are elsewhere than in `.git`.
    for file in ["HEAD", "logs/HEAD"].into_iter().filter_map(|file| git(&["rev-parse", "--git-path", file])) {
        if std::path::Path::new(&file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    let commit = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "no commit known".to_owned());
    println!("cargo:rustc-env=VISAVIS_COMMIT={commit}");
    let features: Vec<&str> = ["client", "server", "rust-dav1d", "c-dav1d"]
        .into_iter()
        .filter(|feature| {
            std::env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase().replace('-', "_"))).is_some()
        })
        .collect();
    println!("cargo:rustc-env=VISAVIS_FEATURES={}", features.join(" "));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
