//! A relay that does with sealed frames what it likes: it plays them again, swaps, cuts, and passes them off as others.

use visavis::crypto::sframe::{BaseKey, Opener, Sealer};
use visavis::media::{FrameId, KeyEpoch, LeafIndex, Stream};
use visavis::wire::packet::FrameHeader;

const ALICE: LeafIndex = LeafIndex(0);
const CAROL: LeafIndex = LeafIndex(2);
const OLD: KeyEpoch = KeyEpoch(6);
const NEW: KeyEpoch = KeyEpoch(7);

/// What the relay holds of a frame: the clear header and the sealed bytes.
#[derive(Clone)]
struct Held {
    header: FrameHeader,
    sealed: Vec<u8>,
}

fn base(epoch: KeyEpoch) -> BaseKey {
    BaseKey::new([epoch.0 as u8; 16])
}

/// Three frames of each stream of two members in two epochs.
fn frames() -> Vec<Held> {
    let mut held = Vec::new();
    for epoch in [OLD, NEW] {
        for leaf in [ALICE, CAROL] {
            let mut sealer = Sealer::new(&base(epoch), epoch, leaf);
            for stream in Stream::ALL {
                for id in 0..3 {
                    let header = FrameHeader { leaf, stream, back: u8::from(id != 0), id: FrameId(id) };
                    let sealed = sealer.seal(stream, &header.metadata(), &[id as u8; 50]).unwrap();
                    held.push(Held { header, sealed });
                }
            }
        }
    }
    held
}

fn receiver() -> Opener {
    let mut opener = Opener::default();
    for epoch in [OLD, NEW] {
        opener.add_epoch(base(epoch), epoch, &[ALICE, CAROL]);
    }
    opener
}

fn opens(opener: &mut Opener, Held { header, sealed }: &Held) -> bool {
    opener.open(header.leaf, header.stream, &header.metadata(), sealed).is_ok()
}

#[test]
fn what_the_relay_leaves_alone_opens_in_any_order_but_only_once() {
    let mut frames = frames();
    let mut opener = receiver();
    frames.reverse();
    assert!(frames.iter().all(|frame| opens(&mut opener, frame)));
    assert!(!frames.iter().any(|frame| opens(&mut opener, frame)), "played again");
}

#[test]
fn no_frame_opens_in_anothers_place() {
    let frames = frames();
    for (number, frame) in frames.iter().enumerate() {
        for (other, victim) in frames.iter().enumerate().filter(|(other, _)| *other != number) {
            let spliced = Held { header: victim.header, sealed: frame.sealed.clone() };
            // The clear headers of the two epochs are alike: that is the same frame in its own place.
            assert!(
                frame.header == victim.header || !opens(&mut receiver(), &spliced),
                "{number} in the place of {other}"
            );
        }
    }
}

#[test]
fn no_part_of_a_frame_can_be_changed_cut_or_added() {
    for frame in frames() {
        for at in 0..frame.sealed.len() {
            let mut changed = frame.clone();
            changed.sealed[at] ^= 0x20;
            assert!(!opens(&mut receiver(), &changed));
            let cut = Held { sealed: frame.sealed[..at].to_vec(), ..frame.clone() };
            assert!(!opens(&mut receiver(), &cut));
        }
        let longer = Held { sealed: [frame.sealed.as_slice(), &[0]].concat(), ..frame.clone() };
        assert!(!opens(&mut receiver(), &longer));
        let FrameHeader { leaf, stream, back, id } = frame.header;
        for header in [
            FrameHeader { leaf: LeafIndex(leaf.0 ^ 2), ..frame.header },
            FrameHeader { stream: Stream::ALL[(stream as usize + 1) % Stream::ALL.len()], ..frame.header },
            FrameHeader { back: back ^ 1, ..frame.header },
            FrameHeader { id: id.next(), ..frame.header },
        ] {
            assert!(!opens(&mut receiver(), &Held { header, ..frame.clone() }));
        }
    }
}

#[test]
fn frames_of_an_epoch_that_is_over_or_of_who_is_no_member_do_not_open() {
    let frames = frames();
    let (old, new) = frames.split_at(frames.len() / 2);
    let mut opener = receiver();
    opener.drop_before(NEW);
    assert!(!old.iter().any(|frame| opens(&mut opener, frame)) && new.iter().all(|frame| opens(&mut opener, frame)));

    let mut opener = Opener::default();
    opener.add_epoch(base(NEW), NEW, &[CAROL]);
    let opened: Vec<_> = new.iter().filter(|frame| opens(&mut opener, frame)).collect();
    assert!(!opened.is_empty() && opened.iter().all(|frame| frame.header.leaf == CAROL), "alice was removed");
}

#[test]
fn a_ghost_with_a_place_in_the_room_but_none_in_the_group_is_neither_heard_nor_hears() {
    let ghost = LeafIndex(3);
    let mut sealer = Sealer::new(&BaseKey::new([99; 16]), NEW, ghost);
    for claimed in [ghost, ALICE] {
        let header = FrameHeader { leaf: claimed, stream: Stream::Audio, back: 0, id: FrameId(50) };
        let sealed = sealer.seal(Stream::Audio, &header.metadata(), b"boo").unwrap();
        assert!(!opens(&mut receiver(), &Held { header, sealed }));
    }
    let mut ears = Opener::default();
    ears.add_epoch(BaseKey::new([99; 16]), NEW, &[ALICE, CAROL]);
    assert!(!frames().iter().any(|frame| opens(&mut ears, frame)));
}
