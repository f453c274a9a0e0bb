//! The sender's own queue: what waits for its turn, sent at a pace and not at all once it is too late.
//!
//! Sound goes first and at once; the pace makes up for it. At most [`MAX_WAITING`] packets wait; full: the newest is refused. Of
//! a video frame of which one packet is refused or too late nothing more is sent, since the rest is worth nothing without it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::{FrameId, Timestamp};

/// Most packets that wait: a keyframe of a large picture.
pub const MAX_WAITING: usize = 512;
/// Least that leaves together, beside two packets: timers are no finer.
const BURST: Duration = Duration::from_millis(2);

/// A packet that waits.
#[derive(Debug)]
pub struct Waiting<P> {
    /// The packet.
    pub packet: P,
    /// Its bytes, with all headers.
    pub bytes: usize,
    /// The video frame that it belongs to; without one it is sound or a report.
    pub frame: Option<FrameId>,
    /// When it is of no use any more.
    pub deadline: Timestamp,
}

/// The deadline queue and its pace.
#[derive(Debug)]
pub struct Pacer<P> {
    sound: VecDeque<Waiting<P>>,
    video: VecDeque<Waiting<P>>,
    video_bytes: usize,
    bps: f64,
    /// When the next video packet may leave.
    next: Timestamp,
    /// Video packets that leave together, which lets a pair of them measure the link: how many so far, and their time.
    burst: (u32, Duration),
    dropped: u64,
    /// The newest frame of which a packet is missing.
    broken: Option<FrameId>,
}

impl<P> Pacer<P> {
    /// An empty queue with this pace.
    #[must_use]
    pub const fn new(bps: f64) -> Self {
        Self {
            sound: VecDeque::new(),
            video: VecDeque::new(),
            video_bytes: 0,
            bps,
            next: Timestamp::ZERO,
            burst: (0, Duration::ZERO),
            dropped: 0,
            broken: None,
        }
    }

    /// Sends at this pace from now on.
    pub const fn set_pace(&mut self, bps: f64) {
        self.bps = bps;
    }

    /// A packet is to be sent.
    pub fn handle_packet(&mut self, waiting: Waiting<P>) {
        if self.waiting() >= MAX_WAITING {
            self.drop_packet(&waiting);
        } else if waiting.frame.is_some() {
            self.video_bytes += waiting.bytes;
            self.video.push_back(waiting);
        } else {
            self.sound.push_back(waiting);
        }
    }

    /// When the next packet may leave.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.sound.is_empty() { (!self.video.is_empty()).then_some(self.next) } else { Some(Timestamp::ZERO) }
    }

    /// The next packet that leaves by now.
    pub fn poll_packet(&mut self, now: Timestamp) -> Option<Waiting<P>> {
        while let Some(waiting) = self.sound.pop_front() {
            if waiting.deadline >= now {
                self.next = self.next.max(now - BURST) + self.time(waiting.bytes);
                return Some(waiting);
            }
            self.drop_packet(&waiting);
        }
        while now >= self.next
            && let Some(waiting) = self.video.pop_front()
        {
            self.video_bytes -= waiting.bytes;
            if waiting.deadline >= now && self.broken != waiting.frame {
                self.charge(waiting.bytes, now);
                return Some(waiting);
            }
            self.drop_packet(&waiting);
        }
        None
    }

    /// Bytes of video that wait.
    #[must_use]
    pub const fn video_bytes(&self) -> usize {
        self.video_bytes
    }

    /// Packets that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sound.len() + self.video.len()
    }

    /// The newest frame of which a packet was refused or too late: what follows it cannot be decoded.
    #[must_use]
    pub const fn broken(&self) -> Option<FrameId> {
        self.broken
    }

    /// Packets that were refused or too late.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn charge(&mut self, bytes: usize, now: Timestamp) {
        let (packets, taken) = self.burst;
        self.burst = (packets + 1, taken + self.time(bytes));
        let (packets, taken) = self.burst;
        if (packets >= 2 && taken >= BURST) || self.video.is_empty() {
            self.next = self.next.max(now - BURST) + taken;
            self.burst = (0, Duration::ZERO);
        }
    }

    fn drop_packet(&mut self, waiting: &Waiting<P>) {
        self.dropped += 1;
        self.broken = waiting.frame.or(self.broken);
    }

    fn time(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.bps.max(1_000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000 + millis * 1_000_000)
    }

    fn video(number: u32, frame: u32, deadline: Timestamp) -> Waiting<u32> {
        Waiting { packet: number, bytes: 1_000, frame: Some(FrameId(frame)), deadline }
    }

    fn sound(number: u32, deadline: Timestamp) -> Waiting<u32> {
        Waiting { packet: number, bytes: 100, frame: None, deadline }
    }

    fn sent(pacer: &mut Pacer<u32>, now: Timestamp) -> Vec<u32> {
        std::iter::from_fn(|| pacer.poll_packet(now)).map(|waiting| waiting.packet).collect()
    }

    #[test]
    fn video_leaves_in_pairs_at_the_pace() {
        let mut pacer = Pacer::new(1_000_000.0);
        (0..6).for_each(|number| pacer.handle_packet(video(number, 0, at(100))));
        assert_eq!((sent(&mut pacer, at(0)), pacer.video_bytes()), (vec![0, 1], 4_000));
        assert_eq!(pacer.poll_timeout(), Some(at(14)), "two packets of 8 ms, less the burst");
        assert_eq!(sent(&mut pacer, at(13)), [0; 0]);
        assert_eq!(sent(&mut pacer, at(14)), [2, 3]);
        assert_eq!(sent(&mut pacer, at(30)), [4, 5]);
        assert_eq!((pacer.poll_timeout(), pacer.video_bytes()), (None, 0));
    }

    #[test]
    fn sound_does_not_wait_for_video() {
        let mut pacer = Pacer::new(1_000_000.0);
        (0..4).for_each(|number| pacer.handle_packet(video(number, 0, at(100))));
        assert_eq!(sent(&mut pacer, at(0)), [0, 1]);
        pacer.handle_packet(sound(9, at(100)));
        assert!(pacer.poll_timeout() <= Some(at(1)));
        assert_eq!(sent(&mut pacer, at(1)), [9]);
        assert_eq!(sent(&mut pacer, at(14)), [0; 0], "the sound's time is charged too");
        assert_eq!(sent(&mut pacer, at(15)), [2, 3]);
    }

    #[test]
    fn what_is_too_late_is_dropped_with_the_rest_of_its_frame_and_no_other() {
        let mut pacer = Pacer::new(1_000_000.0);
        for (number, frame, deadline) in [(0, 0, 5), (1, 0, 50), (2, 1, 50)] {
            pacer.handle_packet(video(number, frame, at(deadline)));
        }
        pacer.handle_packet(sound(9, at(3)));
        assert_eq!((sent(&mut pacer, at(10)), pacer.dropped()), (vec![2], 3));
        assert_eq!(pacer.broken(), Some(FrameId(0)));
    }

    #[test]
    fn a_full_queue_refuses_the_newest_and_the_rest_of_its_frame() {
        let mut pacer = Pacer::new(1e9);
        (0..=MAX_WAITING as u32).for_each(|number| pacer.handle_packet(video(number, number, at(100))));
        assert_eq!((pacer.waiting(), pacer.dropped()), (MAX_WAITING, 1));
        assert!(!sent(&mut pacer, at(50)).is_empty());
        pacer.handle_packet(video(9_999, MAX_WAITING as u32, at(100)));
        (0..100).for_each(|step| drop(sent(&mut pacer, at(51 + step))));
        assert_eq!((pacer.waiting(), pacer.dropped()), (0, 2));
    }
}
