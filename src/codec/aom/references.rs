//! Which frame each of the decoder's eight reference slots holds, and which slots the next frame reads and overwrites.
//!
//! Each frame is predicted from the one before it, or, when that may be lost, from the newest one held that the other side is
//! known to have. Slots are overwritten oldest first, but never those two; and of frames that are not quite new every second
//! goes before the others, so that those held reach back over a long round trip.

use crate::media::FrameId;

/// Slots of an AV1 decoder.
pub const SLOTS: usize = 8;

/// What one frame does with the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// A keyframe: predicted from nothing, and in all slots afterwards.
    Key,
    /// A frame that is predicted from another.
    Inter {
        /// The slot of that other frame.
        from: usize,
        /// The other frame.
        reference: FrameId,
        /// The slot that the frame is kept in.
        into: usize,
    },
}

/// Frames this new are all held.
const NEW: u32 = 3;

/// The slots, all of the same frame after a keyframe.
#[derive(Clone, Debug, Default)]
pub struct References {
    slots: Option<[FrameId; SLOTS]>,
    /// Size of the frame in each slot.
    sizes: [(u32, u32); SLOTS],
    previous: FrameId,
    /// The newest frame held that the other side is known to have.
    known: Option<FrameId>,
}

/// Whether a frame of one size can be predicted from one of another here: AV1 allows references of twice the size. Larger ones
/// than its reference libaom only makes as keyframes.
fn can_follow(size: (u32, u32), reference: (u32, u32)) -> bool {
    let (width, height) = reference;
    (width.div_ceil(2)..=width).contains(&size.0) && (height.div_ceil(2)..=height).contains(&size.1)
}

impl References {
    /// What the next frame does: predicted from the frame before it, or from the newest one that is held and known to have
    /// arrived, of which `acknowledged` is the latest news, if that is preferred and there is one. A keyframe, if it is
    /// demanded and there is none, or where a frame of this size cannot be predicted from it.
    #[must_use]
    pub fn plan(&mut self, acknowledged: Option<FrameId>, demanded: bool, preferred: bool, size: (u32, u32)) -> Plan {
        let Some(slots) = &self.slots else { return Plan::Key };
        self.known = acknowledged.filter(|acknowledged| slots.contains(acknowledged)).or(self.known);
        let reference = if demanded { self.known } else { self.known.filter(|_| preferred).or(Some(self.previous)) };
        let Some(reference) = reference else { return Plan::Key };
        let Some(from) = slots.iter().position(|held| *held == reference) else { return Plan::Key };
        if !can_follow(size, self.sizes[from]) {
            return Plan::Key;
        }
        let age = |id: FrameId| self.previous.0.wrapping_sub(id.0);
        let free = |slot: &usize| {
            let held = slots[*slot];
            // A frame in several slots is kept in the first of them.
            let first = slots.iter().position(|other| *other == held) == Some(*slot);
            !first || (held != self.previous && Some(held) != self.known && held != reference)
        };
        let rank = |slot: &usize| {
            let held = slots[*slot];
            let is_useless = self.known.is_some_and(|known| age(held) > age(known));
            (is_useless, !held.0.is_multiple_of(2) && age(held) >= NEW, age(held))
        };
        // There are more slots than frames to be kept.
        let into = (0..SLOTS).filter(free).max_by_key(rank).unwrap_or((from + 1) % SLOTS);
        Plan::Inter { from, reference, into }
    }

    /// Frame `id` of this size came out as planned.
    pub fn note(&mut self, id: FrameId, plan: Plan, size: (u32, u32)) {
        if let (Plan::Inter { into, .. }, Some(slots)) = (plan, &mut self.slots) {
            (slots[into], self.sizes[into]) = (id, size);
        } else {
            (self.slots, self.sizes) = (Some([id; SLOTS]), [size; SLOTS]);
            self.known = None;
        }
        self.previous = id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: (u32, u32) = (640, 360);

    fn encode(references: &mut References, id: u32, acknowledged: Option<u32>, from: bool) -> Plan {
        let plan = references.plan(acknowledged.map(FrameId), from, false, SIZE);
        references.note(FrameId(id), plan, SIZE);
        plan
    }

    #[test]
    fn a_stream_begins_with_a_keyframe_and_goes_on_from_frame_to_frame() {
        let mut references = References::default();
        assert_eq!(encode(&mut references, 7, None, false), Plan::Key);
        for id in 8..40 {
            let plan = encode(&mut references, id, None, false);
            assert!(matches!(plan, Plan::Inter { reference, .. } if reference.0 == id - 1), "{plan:?}");
        }
    }

    #[test]
    fn what_was_acknowledged_is_there_for_as_long_as_it_is_the_newest() {
        let mut references = References::default();
        for id in 0..5 {
            encode(&mut references, id, None, false);
        }
        for id in 5..100 {
            encode(&mut references, id, Some(3), false);
        }
        let plan = encode(&mut references, 100, Some(3), true);
        assert!(matches!(plan, Plan::Inter { reference: FrameId(3), .. }), "{plan:?}");
        let plan = encode(&mut references, 101, Some(3), false);
        assert!(matches!(plan, Plan::Inter { reference: FrameId(100), .. }), "{plan:?}");
    }

    #[test]
    fn what_is_not_held_any_more_or_was_never_acknowledged_makes_a_keyframe() {
        let mut references = References::default();
        for id in 0..20 {
            encode(&mut references, id, None, false);
        }
        assert_eq!(references.plan(Some(FrameId(5)), true, false, SIZE), Plan::Key);
        assert_eq!(references.plan(None, true, false, SIZE), Plan::Key);
        assert!(matches!(references.plan(None, false, true, SIZE), Plan::Inter { reference: FrameId(19), .. }));
        assert!(
            matches!(references.plan(Some(FrameId(12)), true, false, SIZE), Plan::Inter { .. }),
            "every second one is held"
        );
    }

    #[test]
    fn over_a_round_trip_of_nine_frames_what_was_acknowledged_is_found() {
        let mut references = References::default();
        for id in 0..200_u32 {
            let plan = references.plan(id.checked_sub(9).map(FrameId), false, id % 3 == 0, SIZE);
            if let Plan::Inter { reference, .. } = plan
                && id >= 20
                && id % 3 == 0
            {
                assert!((9..=10).contains(&(id - reference.0)), "{id} from {reference:?}");
            }
            references.note(FrameId(id), plan, SIZE);
        }
    }

    #[test]
    fn a_frame_of_another_size_follows_one_that_is_as_large_or_up_to_twice_as_large() {
        for (size, is_key) in
            [((640, 360), false), ((480, 270), false), ((320, 180), false), ((240, 134), true), ((960, 540), true)]
        {
            let mut references = References::default();
            encode(&mut references, 0, None, false);
            assert_eq!(references.plan(None, false, false, size) == Plan::Key, is_key, "{size:?}");
        }
        let mut references = References::default();
        for (id, size) in [(0, SIZE), (1, (320, 180))] {
            let plan = references.plan(None, false, false, size);
            references.note(FrameId(id), plan, size);
        }
        let small = (160, 90);
        assert!(matches!(
            references.plan(Some(FrameId(0)), false, false, small),
            Plan::Inter { reference: FrameId(1), .. }
        ));
        assert_eq!(
            references.plan(Some(FrameId(0)), true, false, small),
            Plan::Key,
            "the acknowledged one is too large for it"
        );
    }

    proptest! {
        #[test]
        fn a_plan_names_what_its_slot_holds(steps in proptest::collection::vec((0_u32..12, any::<bool>()), 1..200), first: u32) {
            let mut references = References::default();
            let mut held = [None; SLOTS];
            for (step, (behind, from)) in steps.into_iter().enumerate() {
                let id = FrameId(first.wrapping_add(step as u32));
                let acknowledged = (step > behind as usize).then(|| FrameId(id.0.wrapping_sub(behind + 1)));
                let plan = references.plan(acknowledged, from, !from && behind % 2 == 0, SIZE);
                references.note(id, plan, SIZE);
                match plan {
                    Plan::Key => held = [Some(id); SLOTS],
                    Plan::Inter { from, reference, into } => {
                        prop_assert_eq!(held[from], Some(reference));
                        prop_assert!(into != from, "a frame is not overwritten by what is predicted from it");
                        held[into] = Some(id);
                    }
                }
            }
        }
    }
}
