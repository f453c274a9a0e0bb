//! Numbers the frames that are sent: without gaps, since a picture that was skipped before it was sent is not one that was
//! lost, and each with the distance to the frame that it is predicted from.

use std::collections::VecDeque;

use crate::media::FrameId;

/// As far back as the distance reaches, in frames.
const SPAN: usize = 255;

/// The numbers of one stream.
#[derive(Debug, Default)]
pub struct Numbering {
    next: FrameId,
    /// Pictures that were sent and their numbers, the newest last.
    sent: VecDeque<(FrameId, FrameId)>,
}

impl Numbering {
    /// The number for the next frame, which is predicted from the picture `reference`, and how many frames back that is. None if that one was not sent, or too long ago: nobody could decode it.
    #[must_use]
    pub fn number(&self, reference: Option<FrameId>) -> Option<(FrameId, u8)> {
        let Some(reference) = reference else { return Some((self.next, 0)) };
        let (_, number) = self.sent.iter().rfind(|(picture, _)| *picture == reference)?;
        let back = u8::try_from(self.next.0.wrapping_sub(number.0)).ok()?;
        Some((self.next, back))
    }

    /// `picture` was sent under the number that was given last.
    pub fn note_sent(&mut self, picture: FrameId) {
        if self.sent.len() == SPAN {
            self.sent.pop_front();
        }
        self.sent.push_back((picture, self.next));
        self.next = self.next.next();
    }

    /// The picture that was sent under this number.
    #[must_use]
    pub fn picture(&self, number: FrameId) -> Option<FrameId> {
        self.sent.iter().rfind(|(_, sent)| *sent == number).map(|(picture, _)| *picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps_and_distances_count_what_was_sent() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.number(None), Some((FrameId(0), 0)));
        numbering.note_sent(FrameId(0));
        // Picture 1 was skipped.
        assert_eq!(numbering.number(Some(FrameId(0))), Some((FrameId(1), 1)));
        numbering.note_sent(FrameId(2));
        assert_eq!(numbering.number(Some(FrameId(0))), Some((FrameId(2), 2)));
        assert_eq!(numbering.number(Some(FrameId(1))), None, "predicted from what nobody has");
        assert_eq!((numbering.picture(FrameId(1)), numbering.picture(FrameId(2))), (Some(FrameId(2)), None));
    }

    #[test]
    fn what_is_too_far_back_cannot_be_predicted_from() {
        let mut numbering = Numbering::default();
        (0..300).for_each(|id| numbering.note_sent(FrameId(id)));
        assert_eq!(numbering.number(Some(FrameId(45))), Some((FrameId(300), 255)));
        assert_eq!(numbering.number(Some(FrameId(44))), None);
        assert!(numbering.sent.len() <= SPAN);
    }
}
