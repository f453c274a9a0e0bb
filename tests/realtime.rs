//! Audio callbacks neither allocate nor free: an allocator that ends the program watches over them.

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use assert_no_alloc::AllocDisabler;
use visavis::media::{Doorbell, Timestamp};
use visavis::sound::tap::{CaptureTap, Gauge, PlaybackTap, realtime};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

/// Set in the program that is to end.
const ALLOCATE: &str = "VISAVIS_TEST_ALLOCATES";

/// A bell with an attendant, so that ringing it wakes a thread.
fn bell() -> Arc<Doorbell> {
    let bell = Arc::new(Doorbell::new());
    bell.attend();
    bell
}

#[test]
fn the_microphones_callback_does_not_allocate() {
    let (samples, mut samples_out) = rtrb::RingBuffer::new(1_000);
    let (marks, _marks_out) = rtrb::RingBuffer::new(4);
    let gauge = Arc::new(Gauge::default());
    let mut tap = CaptureTap { samples, marks, channels: 2, written: 0, gauge: Arc::clone(&gauge), bell: bell() };
    // Small and large callbacks of several formats, until every ring is full and beyond.
    for frames in [1, 7, 240, 480, 4_096] {
        tap.take(&vec![0.5_f32; 2 * frames], Timestamp::ZERO, Duration::from_millis(5));
        tap.take(&vec![100_i16; 2 * frames], Timestamp::ZERO, Duration::ZERO);
        tap.take(&vec![200_u8; 2 * frames], Timestamp::ZERO, Duration::ZERO);
    }
    assert!(gauge.missed() > 0, "the ring was full");
    assert_eq!(std::iter::from_fn(|| samples_out.pop().ok()).count(), 1_000);
}

#[test]
fn the_speakers_callback_does_not_allocate() {
    let (mut samples_in, samples) = rtrb::RingBuffer::new(1_000);
    let (reference, _reference_out) = rtrb::RingBuffer::new(100);
    let gauge = Arc::new(Gauge::default());
    let mut tap = PlaybackTap::new(samples, reference, 2, Arc::clone(&gauge), bell());
    samples_in.push_entire_slice(&[0.5; 1_000]).unwrap();
    for frames in [1, 7, 240, 480, 4_096] {
        tap.fill(&mut vec![0.0_f32; 2 * frames], Duration::from_millis(5));
        tap.fill(&mut vec![0_i16; 2 * frames], Duration::ZERO);
    }
    assert!(gauge.missed() > 0, "it ran dry");
}

#[test]
fn the_watch_over_the_callbacks_is_awake() {
    if std::env::var_os(ALLOCATE).is_some() {
        realtime(|| black_box(vec![1_u8; 100]));
        return;
    }
    let itself = std::env::current_exe().unwrap();
    let output = Command::new(itself)
        .args(["--exact", "the_watch_over_the_callbacks_is_awake"])
        .env(ALLOCATE, "1")
        .output()
        .unwrap();
    // A release build does without the watch.
    assert_eq!(output.status.success(), !cfg!(debug_assertions), "{output:?}");
}
