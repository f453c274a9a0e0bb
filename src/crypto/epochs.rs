//! 256 epochs of a group, sixteen times round the key ids: no key meets a nonce twice, and no frame opens a second time or
//! in a later epoch.

use std::collections::HashSet;

use ed25519_dalek::SigningKey;

use super::group::{Group, JoinKeys};
use super::sframe::{MAX_EPOCHS, Opener, Sealer, SframeError, header};
use crate::media::{LeafIndex, Stream};

const EPOCHS: usize = 256;
/// Frames of each stream of each leaf in an epoch.
const FRAMES: usize = 3;
/// Always the same, so that the same key and nonce give the same bytes.
const PLAINTEXT: &[u8] = b"as long as a small block of sound";
const METADATA: &[u8] = b"meta";

fn pair() -> [Group; 2] {
    let [caller, callee] = [1, 2].map(|number| SigningKey::from_bytes(&[number; 32]));
    let (join, package) = JoinKeys::generate(&callee).unwrap();
    let (group, welcome) = Group::create(&caller, &callee.verifying_key().to_bytes(), &package).unwrap();
    [group, join.join(&welcome, &caller.verifying_key().to_bytes()).unwrap()]
}

/// What key and nonce made of the plaintext.
fn body(sealed: &[u8]) -> Vec<u8> {
    let (.., header_len) = header::read(sealed).unwrap();
    sealed[header_len..].to_vec()
}

#[test]
fn in_256_epochs_no_key_meets_a_nonce_twice_and_no_frame_opens_twice() {
    let mut groups = pair();
    let mut openers = [Opener::default(), Opener::default()];
    let mut bodies = HashSet::new();
    let mut sent: Vec<Vec<(usize, Stream, Vec<u8>)>> = Vec::new();
    for number in 0..EPOCHS {
        let epoch = groups[0].epoch();
        let mut frames = Vec::new();
        for (side, group) in groups.iter().enumerate() {
            assert_eq!((group.epoch(), group.leaf()), (epoch, LeafIndex(side as u8)));
            let mut sealer = Sealer::new(&group.base_key().unwrap(), epoch, group.leaf());
            for (stream, _) in Stream::ALL.into_iter().flat_map(|stream| (0..FRAMES).map(move |frame| (stream, frame)))
            {
                let sealed = sealer.seal(stream, METADATA, PLAINTEXT).unwrap();
                assert!(bodies.insert(body(&sealed)), "{stream:?} of leaf {side} in epoch {number}");
                frames.push((side, stream, sealed));
            }
            openers[1 - side].add_epoch(group.base_key().unwrap(), epoch, &[group.leaf()]);
        }
        let mut open = |(side, stream, sealed): &(usize, Stream, Vec<u8>)| {
            openers[1 - side].open(LeafIndex(*side as u8), *stream, METADATA, sealed)
        };
        for (earlier, frames) in sent.iter().enumerate() {
            let expected = match number - earlier {
                // The same key ids as now.
                age if age % 16 == 0 => SframeError::Forged,
                age if age < MAX_EPOCHS => SframeError::Replayed,
                // The key ids of an epoch that is still held.
                age if age % 16 < MAX_EPOCHS => SframeError::Replayed,
                _ => SframeError::UnknownKey,
            };
            for frame in frames {
                assert_eq!(open(frame), Err(expected), "epoch {earlier} in epoch {number}");
            }
        }
        for frame in &frames {
            assert_eq!(open(frame).as_deref(), Ok(PLAINTEXT));
            assert_eq!(open(frame), Err(SframeError::Replayed));
        }
        sent.push(frames);
        let (committer, other) = if groups[0].is_committer() { (0, 1) } else { (1, 0) };
        let commit = groups[committer].refresh().unwrap();
        groups[other].handle_refresh(&commit).unwrap();
    }
    assert_eq!(bodies.len(), EPOCHS * 2 * Stream::ALL.len() * FRAMES);
}

/// The eyes of the test above are open: a counter that starts again under the same key is seen.
#[test]
fn a_second_sealer_in_the_same_epoch_would_be_seen() {
    let [group, _] = pair();
    let [first, second] = [(); 2].map(|()| {
        let mut sealer = Sealer::new(&group.base_key().unwrap(), group.epoch(), group.leaf());
        body(&sealer.seal(Stream::Audio, METADATA, PLAINTEXT).unwrap())
    });
    assert_eq!(first, second);
}
