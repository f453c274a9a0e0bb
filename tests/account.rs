//! The command line of an account with several devices, against a real server process.

mod support;

#[test]
fn the_command_line_exports_imports_links_revokes_and_wipes() {
    let bench = support::Bench::new();
    let run = |profile: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.env("VISAVIS_KEYRING", "off").args(["--profile", &bench.path(profile)]);
        let output = command.args(arguments).stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), support::said(&output))
    };
    let mut alice = bench.answering("alice", &support::SILENT);
    alice.kill().unwrap();
    alice.wait().unwrap();
    let kit = bench.path("kit.txt");
    let (ok, _, said) = run("alice", &["account", "export-kit", &kit]);
    assert!(ok && said.contains("has left this device"), "{said}");
    let text = std::fs::read_to_string(&kit).unwrap();
    assert!(text.contains("alice@127.0.0.1") && text.contains(&bench.server.address), "{text}");
    assert!(!run("alice", &["account", "export-kit", "-"]).0, "the root is gone");

    let (ok, out, said) = run("second", &["account", "import-kit", &kit]);
    assert!(ok && out.starts_with("alice@127.0.0.1"), "{out}{said}");
    let (_, out, said) = run("second", &["account", "devices", "--json"]);
    let devices: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{said}"));
    assert_eq!(devices.as_array().unwrap().len(), 2);
    let first = devices[0]["device"].as_str().unwrap();
    let (ok, out, said) = run("second", &["account", "revoke", &first[..12], "--kit", &kit]);
    assert!(ok, "{out}{said}");
    let (_, out, _) = run("second", &["account", "devices"]);
    assert!(out.lines().count() == 1 && out.contains("(this one)"), "{out}");
    let (ok, _, said) = run("second", &["account", "wipe"]);
    assert!(!ok && said.contains("--yes"), "{said}");
    assert!(run("second", &["account", "wipe", "--yes"]).0);
    let left: Vec<_> =
        std::fs::read_dir(bench.path("second")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}
