//! Every order in which two threads can meet at a slot, a ring and a bell, tried one after the other against a model.
//!
//! The operations of slot and ring are wait-free and take effect at one instant each (the hand-over inside is
//! `triple_buffer`'s and `rtrb`'s, which test it themselves), so all orders of whole operations are all that can be
//! seen from outside; what remains is that a bell rings after its value is there, never before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::{Colour, Doorbell, Picture, PicturePool, ring, slot};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Writer,
    Reader,
}

/// All orders of `writes` turns of one and `reads` turns of the other.
fn orders(writes: usize, reads: usize) -> Vec<Vec<Turn>> {
    if writes == 0 && reads == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (turn, left) in [
        (Turn::Writer, writes.checked_sub(1).map(|w| (w, reads))),
        (Turn::Reader, reads.checked_sub(1).map(|r| (writes, r))),
    ] {
        let Some((writes, reads)) = left else { continue };
        for mut rest in orders(writes, reads) {
            rest.insert(0, turn);
            all.push(rest);
        }
    }
    all
}

#[test]
fn the_orders_are_complete_and_different() {
    let mut all: Vec<String> = orders(5, 4).iter().map(|order| format!("{order:?}")).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 126, "9 over 4");
}

#[test]
fn in_every_order_a_slot_gives_the_newest_value_once_and_counts_the_others() {
    for order in orders(6, 6) {
        let (mut writer, mut reader) = slot(Arc::default());
        let (mut next, mut waiting, mut overwritten) = (0, None, 0);
        for turn in &order {
            match turn {
                Turn::Writer => {
                    overwritten += u64::from(waiting.replace(next).is_some());
                    writer.write(next);
                    next += 1;
                }
                Turn::Reader => assert_eq!(reader.take(), waiting.take(), "{order:?}"),
            }
            assert_eq!((writer.stats().written(), writer.stats().overwritten()), (next, overwritten), "{order:?}");
        }
    }
}

#[test]
fn in_every_order_a_ring_keeps_its_items_in_order_and_refuses_the_newest_when_full() {
    for order in orders(7, 6) {
        let (mut sender, mut receiver) = ring("test", 2, Arc::default());
        let (mut model, mut refused) = (VecDeque::new(), 0);
        for (number, turn) in order.iter().enumerate() {
            match turn {
                Turn::Writer if model.len() < 2 => {
                    model.push_back(number);
                    assert_eq!(sender.push(number), Ok(()), "{order:?}");
                }
                Turn::Writer => {
                    refused += 1;
                    assert_eq!(sender.push(number), Err(number), "{order:?}");
                }
                Turn::Reader => assert_eq!(receiver.pop(), model.pop_front(), "{order:?}"),
            }
            assert_eq!((receiver.waiting(), sender.free()), (model.len(), 2 - model.len()), "{order:?}");
            assert_eq!(sender.stats().refused(), refused);
        }
    }
}

#[test]
fn in_every_order_each_value_is_dropped_exactly_once() {
    for order in orders(5, 5) {
        let value = Arc::new(());
        let (mut writer, mut reader) = slot(Arc::default());
        let (mut sender, mut receiver) = ring("test", 2, Arc::default());
        for turn in order {
            match turn {
                Turn::Writer => {
                    writer.write(Arc::clone(&value));
                    drop(sender.push(Arc::clone(&value)));
                }
                Turn::Reader => drop((reader.take(), receiver.pop())),
            }
            assert!(Arc::strong_count(&value) <= 1 + 3 + 2, "three cells of a slot, two places of a ring");
        }
        drop((writer, reader, sender, receiver));
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[test]
fn a_value_is_there_when_its_bell_rings() {
    let bell = Arc::new(Doorbell::new());
    let (mut writer, reader) = slot(Arc::clone(&bell));
    let (mut sender, receiver) = ring("test", 2, Arc::clone(&bell));
    let ends = Mutex::new((reader, receiver));
    let found = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&found);
    bell.attend_with(move || {
        let (reader, receiver) = &mut *ends.lock().unwrap();
        let values = reader.take().into_iter().chain(receiver.pop());
        seen.fetch_add(values.sum(), Ordering::Relaxed);
    });
    writer.write(1);
    assert_eq!(found.load(Ordering::Relaxed), 1);
    sender.push(10).unwrap();
    assert_eq!(found.load(Ordering::Relaxed), 11);
}

/// A reader as every thread of a call is one: takes what is there, and sleeps only when there was nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReaderAt {
    Looking,
    FoundNothing,
    Asleep,
}

#[test]
fn in_every_order_a_reader_that_looks_before_it_sleeps_gets_the_newest_value() {
    // The writer's turn is a whole write; the reader's is one step: look, or go to sleep.
    for order in orders(4, 8) {
        let bell = Arc::new(Doorbell::new());
        let rung = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&rung);
        bell.attend_with(move || its.store(true, Ordering::Release));
        let (mut writer, mut reader) = slot(bell);
        let (mut at, mut written, mut taken) = (ReaderAt::Looking, 0, 0);
        let mut step = |taken: &mut u32| {
            at = match at {
                ReaderAt::Looking => match reader.take() {
                    Some(value) => {
                        *taken = value;
                        ReaderAt::Looking
                    }
                    None => ReaderAt::FoundNothing,
                },
                // Parking returns at once if the bell rang since the last time, as `Doorbell::wait` does.
                ReaderAt::FoundNothing | ReaderAt::Asleep if rung.swap(false, Ordering::AcqRel) => ReaderAt::Looking,
                ReaderAt::FoundNothing | ReaderAt::Asleep => ReaderAt::Asleep,
            };
            at
        };
        for turn in &order {
            match turn {
                Turn::Writer => {
                    written += 1;
                    writer.write(written);
                }
                Turn::Reader => {
                    step(&mut taken);
                }
            }
        }
        while step(&mut taken) != ReaderAt::Asleep {}
        assert_eq!(taken, written, "{order:?}");
    }
}

#[test]
fn in_every_order_a_pool_never_hands_out_a_buffer_that_somebody_holds() {
    // The writer captures a picture and hands it on; the reader lets go of the oldest it holds.
    for order in orders(6, 5) {
        let mut pool = PicturePool::new(3);
        let mut held: VecDeque<(u8, Picture)> = VecDeque::new();
        for (number, turn) in order.iter().enumerate() {
            match turn {
                Turn::Writer => {
                    let code = number as u8 + 1;
                    let filled = pool.acquire(2, 2, Colour::default());
                    assert_eq!(filled.is_some(), held.len() < 3, "{order:?}");
                    let Some(mut filled) = filled else { continue };
                    filled.planes_mut().into_iter().for_each(|(bytes, _)| bytes.fill(code));
                    held.push_back((code, pool.finish(filled)));
                }
                Turn::Reader => drop(held.pop_front()),
            }
            for (code, picture) in &held {
                assert!(super::Plane::ALL.iter().all(|plane| picture.rows(*plane).flatten().all(|byte| byte == code)));
            }
            assert!(pool.counts().buffers <= 3);
        }
    }
}
