//! Attacks played against the program, one file an attack; each with a positive control which shows that the test would see
//! the attack succeed. Attacks on the call machine itself are beside it: `src/call/tests/hostile.rs` (silence before the
//! person's yes), `src/call/tests/fork.rs` (different key changes for different sides) and `src/call/machine/beat.rs` (frames
//! in another's name).
#![expect(clippy::disallowed_methods, reason = "tests wait for other processes by the wall clock")]

mod bare_member;
mod canary;
mod copied;
mod directory;
mod false_server;
mod fork;
mod hostile_relay;
mod impostor;
mod invitation_flood;
mod removed;
mod shape;
mod silence;
mod splice;
#[path = "../support/mod.rs"]
mod support;
