//! Which of a stream's last frames something has happened to: been sent, arrived, been decoded.

use super::FrameId;

/// As far back as a frame can name the one that it is predicted from, and that frame itself.
const SPAN: usize = 256;

/// Remembers the last 256 frames, and perhaps some that are older.
#[derive(Clone, Debug)]
pub struct RecentFrames {
    /// By number, modulo the span.
    seen: [Option<FrameId>; SPAN],
}

impl Default for RecentFrames {
    fn default() -> Self {
        Self::new()
    }
}

impl RecentFrames {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: [None; SPAN] }
    }

    /// It has happened to this one.
    pub const fn insert(&mut self, id: FrameId) {
        self.seen[id.0 as usize % SPAN] = Some(id);
    }

    /// Whether it has happened to this one.
    #[must_use]
    pub fn contains(&self, id: FrameId) -> bool {
        self.seen[id.0 as usize % SPAN] == Some(id)
    }

    /// It has happened to none.
    pub const fn clear(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frames_are_remembered_across_the_wrap_around_and_no_others() {
        let mut recent = RecentFrames::new();
        for id in (u32::MAX - 300..=u32::MAX).chain(0..100).filter(|id| id % 3 != 0) {
            recent.insert(FrameId(id));
        }
        for id in (u32::MAX - 155..=u32::MAX).chain(0..100) {
            assert_eq!(recent.contains(FrameId(id)), id % 3 != 0, "{id}");
        }
        assert!(!recent.contains(FrameId(100)));
        recent.clear();
        assert!(!recent.contains(FrameId(1)));
    }
}
