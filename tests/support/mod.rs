//! Real programs for tests: a server process, client processes, and what they say.
#![allow(dead_code, reason = "each test needs some of it")]

pub mod search;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use tempfile::TempDir;

/// A server that dies with the test.
pub struct Server {
    pub child: Child,
    pub address: String,
}

impl Server {
    pub fn start(data: &Path, listen: &str) -> Self {
        Self::run(&mut server_command(data, listen))
    }

    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.is_empty(), "the server did not start");
        Self { child, address: address.trim().to_owned() }
    }

    pub fn place(&self) -> &str {
        self.address.split_once('/').unwrap().0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn server_command(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
    command.args(["--listen", listen, "--data"]).arg(data);
    command
}

/// Starts somebody who waits for calls, and waits until the server knows it.
pub fn online(command: &mut Command, name: &str) -> Child {
    wait_until_online(command.spawn().unwrap(), name)
}

/// Waits until the server knows somebody who was started.
pub fn wait_until_online(mut child: Child, name: &str) -> Child {
    // The handle is printed as soon as the server knows it; the rest of the output stays readable.
    let mut handle = [0; 64];
    let read = child.stdout.as_mut().unwrap().read(&mut handle).unwrap();
    let said = String::from_utf8_lossy(&handle[..read]).into_owned();
    if !said.starts_with(name) {
        let _ = child.kill();
        panic!("{name} did not come online: {said}{}", self::said(&child.wait_with_output().unwrap()));
    }
    child
}

/// Without sound: a sound system that is not there complains on standard error, in the middle of our words.
pub const SILENT: [&str; 4] = ["--mic", "none", "--speaker", "none"];

/// A folder for profiles and data, and a server.
pub struct Bench {
    pub folder: TempDir,
    pub server: Server,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("server"), "127.0.0.1:0");
        Self { folder, server }
    }

    /// Somebody who lets in strangers too, and knows alice; or who calls and knows bob.
    pub fn client(&self, verb: &str, name: &str) -> Command {
        let mut command = self.choosy(verb, name);
        if verb == "answer" {
            self.befriend(name, "alice");
            command.arg("--accept-strangers");
        } else {
            self.befriend(name, "bob");
        }
        command
    }

    /// Somebody who lets in whom they know.
    pub fn choosy(&self, verb: &str, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.env("VISAVIS_KEYRING", "off");
        command.arg(verb);
        command.args(["--name", name, "--server", &self.server.address, "--profile"]);
        command.arg(self.folder.path().join(name)).args(["--size", "160x96"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Makes somebody a contact of `name`: strangers' calls go by relay only.
    pub fn befriend(&self, name: &str, whom: &str) {
        let host = self.server.place().rsplit_once(':').unwrap().0;
        self.add_contact(name, &format!("{whom}@{host}"));
    }

    /// Gives `name` the link of `whom`, whose key is known from then on: nothing has to be asked about their calls.
    pub fn introduce(&self, name: &str, whom: &str) {
        drop(Talker::new(online(&mut self.choosy("answer", whom), whom)));
        self.add_contact(name, self.output(whom, &["contact", "link"]).trim());
    }

    fn add_contact(&self, name: &str, whom: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.env("VISAVIS_KEYRING", "off").args(["contact", "add", whom, "--profile"]);
        let added = command.arg(self.folder.path().join(name)).output().unwrap();
        assert!(added.status.success() || said(&added).contains("already"), "{}", said(&added));
    }

    /// What a command about the profile of `name` prints.
    pub fn output(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.env("VISAVIS_KEYRING", "off").args(arguments).arg("--profile").arg(self.folder.path().join(name));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Somebody who waits for calls, online already.
    pub fn answering(&self, name: &str, options: &[&str]) -> Child {
        online(self.client("answer", name).arg("--once").args(options), name)
    }

    pub fn call(&self, name: &str, whom: &str, options: &[&str]) -> Output {
        self.client("call", name).arg(format!("{whom}@127.0.0.1")).args(options).output().unwrap()
    }

    /// Kills the server and starts another one in its place, over the same data.
    pub fn restart_server(&mut self) {
        let place = self.server.place().to_owned();
        self.kill_server();
        self.server = Server::start(&self.folder.path().join("server"), &place);
    }

    pub fn kill_server(&mut self) {
        self.server.child.kill().unwrap();
        self.server.child.wait().unwrap();
    }

    pub fn stats(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join(name)).unwrap()).unwrap()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// A second of a tone, to be spoken into a call.
pub fn write_tone(path: impl AsRef<Path>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..48_000 {
        writer.write_sample((8_000.0 * (n as f32 * 0.05).sin()) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

/// What was received has been decoded: the decoder keeps nothing back. Only what was still between the threads when the
/// call ended may be missing: one picture that waits and one in the decoder.
pub fn assert_nothing_held_back(frames: &serde_json::Value) {
    let count = |what: &str| frames[what].as_u64().unwrap();
    assert_eq!(count("decoder_depth"), 0, "{frames}");
    assert!(count("decoded") + 2 >= count("received"), "{frames}");
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A client whose words on standard error are read while it runs.
pub struct Talker {
    child: Child,
    words: Receiver<String>,
    said: Vec<String>,
}

impl Talker {
    /// Longest wait for a word: a machine may be slow, but not for ever.
    const PATIENCE: Duration = Duration::from_mins(1);

    pub fn new(mut child: Child) -> Self {
        let (lines, words) = sync_channel(1000);
        let errors = BufReader::new(child.stderr.take().unwrap());
        let read = move || errors.lines().map_while(Result::ok).for_each(|line| drop(lines.send(line)));
        std::thread::Builder::new().name("words".into()).spawn(read).unwrap();
        Self { child, words, said: Vec::new() }
    }

    /// Waits until the client says this from now on.
    pub fn wait_for(&mut self, word: &str) {
        loop {
            match self.words.recv_timeout(Self::PATIENCE) {
                Ok(line) => {
                    let found = line.contains(word);
                    self.said.push(line);
                    if found {
                        return;
                    }
                }
                Err(error) => panic!("waited for '{word}' ({error}): {:?}", self.said),
            }
        }
    }

    /// Waits for the end: whether it was a good one, and all that was said.
    pub fn end(mut self) -> (bool, Vec<String>) {
        let status = self.child.wait().unwrap();
        self.said.extend(self.words.iter());
        (status.success(), std::mem::take(&mut self.said))
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
