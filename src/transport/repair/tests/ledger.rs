//! The ledger by itself.

use proptest::prelude::*;

use super::super::*;

const TRIP: Duration = Duration::from_millis(80);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(1) + Duration::from_millis(millis)
}

/// A packet of the usual size.
const PACKET: Bytes = Bytes::from_static(&[0; 1_000]);

const fn part(id: u32, fragment: u16) -> Part {
    Part { frame: FrameId(id), fragment }
}

fn report(first: u32, arrived: &[bool]) -> Feedback {
    let arrivals = arrived.iter().map(|arrived| arrived.then_some(1)).collect();
    Feedback { first, earliest: 0, held: 0, arrivals }
}

/// Sends frames of two packets each, numbered as in a stream that has no others.
#[derive(Default)]
struct Sender {
    repair: Repair,
    next: u32,
}

impl Sender {
    fn send(&mut self, id: u32, reference: Option<u32>, now: Timestamp) -> [u32; 2] {
        self.repair.note_frame(FrameId(id), reference.map(FrameId), 2, now);
        [0, 1].map(|fragment| self.send_packet(part(id, fragment), now))
    }

    fn send_packet(&mut self, part: Part, now: Timestamp) -> u32 {
        self.next += 1;
        self.repair.note_packet(self.next, Outgoing { part, packet: PACKET }, 1_200, now);
        self.next
    }

    fn arrive(&mut self, numbers: [u32; 2]) {
        for number in numbers {
            self.repair.handle_arrived(number);
        }
        self.repair.acknowledge();
    }

    /// Declares a packet lost; gives what is to be sent again at once.
    fn lose(&mut self, number: u32, now: Timestamp) -> Option<Part> {
        self.repair.handle_lost(number, TRIP, now);
        match self.repair.poll_mending(now) {
            Some(Mending::Again(again)) => Some(again.part),
            _ => None,
        }
    }
}

#[test]
fn a_frame_is_acknowledged_when_it_and_all_it_is_predicted_from_arrived() {
    let mut sender = Sender::default();
    let packets = [0, 1, 2].map(|id: u32| sender.send(id, id.checked_sub(1), at(0)));
    assert_eq!(sender.repair.acknowledged(), None);
    sender.arrive(packets[0]);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(0)));
    sender.arrive(packets[2]);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(0)), "frame 1 is not there");
    sender.arrive(packets[1]);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(2)));
    assert!(!sender.repair.is_broken());
}

#[test]
fn a_lost_packet_is_sent_again_while_that_is_in_time() {
    let mut sender = Sender::default();
    let [first, second] = sender.send(0, None, at(0));
    sender.repair.handle_arrived(first);
    assert_eq!(sender.lose(second, at(100)), Some(part(0, 1)));
    assert_eq!(sender.lose(second, at(100)), None, "once");
    let number = sender.send_packet(part(0, 1), at(100));
    sender.arrive([number, number]);
    assert_eq!((sender.repair.acknowledged(), sender.repair.is_broken()), (Some(FrameId(0)), false));
    assert_eq!((sender.repair.poll_timeout(), sender.repair.share()), (None, 0.0), "one loss is no reason for more");
}

#[test]
fn what_cannot_be_in_time_dooms_what_hangs_on_it_until_a_frame_needs_none_of_it() {
    let mut sender = Sender::default();
    let packets = [0, 1, 2].map(|id: u32| sender.send(id, id.checked_sub(1), at(0)));
    sender.arrive(packets[0]);
    assert_eq!(sender.lose(packets[1][0], at(211)), None);
    assert!(sender.repair.is_broken(), "2 is predicted from 1");
    sender.send(3, Some(2), at(215));
    assert!(sender.repair.is_broken(), "and 3 from 2");
    assert_eq!(sender.lose(packets[2][0], at(50)), None, "nobody needs it any more");
    let mended = sender.send(4, sender.repair.acknowledged().map(|id| id.0), at(220));
    assert!(!sender.repair.is_broken());
    sender.arrive(mended);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(4)));
}

#[test]
fn a_report_says_what_arrived_and_what_is_lost() {
    let mut sender = Sender::default();
    let packets = [0, 1, 2].map(|id: u32| sender.send(id, id.checked_sub(1), at(0)));
    let first = packets[0][0];
    // Of six packets the second is missing; the last one may still come.
    let told = report(first, &[true, false, true, true, true]);
    sender.repair.handle_report(&told, sender.next, TRIP, at(90));
    assert!(matches!(sender.repair.poll_mending(at(90)), Some(Mending::Again(again)) if again.part == part(0, 1)));
    let number = sender.send_packet(part(0, 1), at(90));
    sender.repair.handle_report(&told, sender.next, TRIP, at(95));
    sender.repair.handle_report(&report(number - 1, &[true; 2]), sender.next, TRIP, at(120));
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(2)));
    assert_eq!(sender.repair.poll_mending(at(500)), None, "nothing is sent again twice");
}

#[test]
fn what_was_not_sent_yet_has_not_arrived_whoever_says_so() {
    let mut sender = Sender::default();
    let [first, _] = sender.send(0, None, at(0));
    for ahead in [2, 3, 1_000, 1 << 30] {
        sender.repair.handle_report(&report(first + ahead, &[true; 3]), sender.next, TRIP, at(20));
        assert_eq!(sender.repair.poll_mending(at(100)), None, "{ahead}");
    }
    // The same about what was sent makes it lost.
    let told = report(sender.send(1, Some(0), at(33))[1], &[true]);
    sender.repair.handle_report(&told, sender.next, TRIP, at(100));
    assert!(sender.repair.poll_mending(at(100)).is_some());
}

#[test]
fn no_part_is_sent_again_before_news_of_it_can_have_come_or_more_than_twice() {
    let mut sender = Sender::default();
    let [first, second] = sender.send(0, None, at(0));
    assert_eq!(sender.lose(first, at(20)), Some(part(0, 0)));
    let number = sender.send_packet(part(0, 0), at(20));
    assert_eq!(sender.lose(number, at(30)), None);
    assert!(sender.repair.is_broken(), "it is given up instead");
    sender.send(1, None, at(33));
    assert_eq!(sender.lose(second, at(100)), None, "nobody needs it any more");
    let [mut number, _] = sender.send(2, Some(1), at(66));
    for now in [100, 150] {
        assert_eq!(sender.lose(number, at(now)), Some(part(2, 0)));
        number = sender.send_packet(part(2, 0), at(now));
    }
    assert_eq!(sender.lose(number, at(200)), None);
}

/// A path that loses one packet in ten, until the plan knows.
fn lossy() -> (Sender, u32) {
    let mut sender = Sender::default();
    for id in 0..100 {
        let packets = sender.send(id, id.checked_sub(1), at(u64::from(id) * 33));
        for number in packets {
            if number % 10 == 0 {
                sender.repair.handle_lost(number, TRIP, at(u64::from(id) * 33));
                let number = sender.send_packet(part(id, u16::from(number == packets[1])), at(u64::from(id) * 33));
                sender.repair.handle_arrived(number);
            } else {
                sender.repair.handle_arrived(number);
            }
        }
        sender.repair.acknowledge();
        while sender.repair.poll_mending(at(u64::from(id) * 33)).is_some() {}
    }
    let number = sender.next;
    sender.repair.handle_report(&report(number, &[true]), sender.next, TRIP, at(3_300));
    (sender, 100)
}

#[test]
fn on_a_path_that_loses_much_what_is_sent_again_is_sent_twice_and_soon() {
    let (mut sender, id) = lossy();
    assert!(sender.repair.plan.lossy && sender.repair.share() > 0.05, "{:?}", sender.repair.plan);
    let [first, _] = sender.send(id, Some(id - 1), at(3_400));
    // One later packet has come, and is held long enough.
    let mut told = report(first, &[false, true]);
    told.held = 300;
    sender.repair.handle_report(&told, sender.next, TRIP, at(3_500));
    assert!(matches!(sender.repair.poll_mending(at(3_500)), Some(Mending::Again(_))));
    assert_eq!(sender.repair.poll_timeout(), Some(at(3_500) + COPY_AFTER));
    assert!(matches!(sender.repair.poll_mending(at(3_525)), Some(Mending::Again(_))));
    let [one, other] = [0, 1].map(|_| sender.send_packet(part(id, 0), at(3_525)));
    assert_eq!(sender.lose(one, at(3_600)), None, "the other is on its way");
    assert!(!sender.repair.is_broken());
    sender.arrive([other, other]);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(id)));
}

#[test]
fn on_such_a_path_every_other_frame_is_to_be_predicted_from_what_arrived() {
    let (mut sender, first) = lossy();
    let mut anchors = 0;
    for id in first..first + 30 {
        let prefers = sender.repair.prefers_acknowledged();
        anchors += u32::from(prefers);
        sender.send(id, Some(if prefers { first - 1 } else { id - 1 }), at(3_400));
    }
    assert!((15..=16).contains(&anchors), "{anchors}");
    let mut without = Repair::new(Remedies { references: false, ..Remedies::default() });
    (without.plan, without.acknowledged) = (sender.repair.plan, Some(FrameId(0)));
    assert!(!without.prefers_acknowledged());
}

#[test]
fn a_torn_frame_that_a_later_one_may_have_passed_is_not_predicted_from() {
    let mut sender = Sender::default();
    let whole = sender.send(0, None, at(0));
    sender.arrive(whole);
    let [first, second] = sender.send(1, Some(0), at(33));
    sender.repair.handle_arrived(first);
    assert!(sender.lose(second, at(100)).is_some());
    let passing = sender.send(2, Some(0), at(100));
    let again = sender.send_packet(part(1, 1), at(101));
    sender.arrive([again, again]);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(0)), "2 may be out already, and 1 then never is");
    sender.arrive(passing);
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(2)));
}

#[test]
fn what_parity_rebuilds_there_counts_as_arrived() {
    let mut sender = Sender::default();
    let [first, second] = sender.send(0, None, at(0));
    let other = sender.send(1, Some(0), at(33));
    sender.next += 1;
    sender.repair.note_parity(sender.next, vec![part(0, 1), part(1, 0)]);
    let told = report(first, &[true, false, true, true, true]);
    assert_eq!((second + 1, sender.next), (other[0], first + 4));
    sender.repair.handle_report(&told, sender.next, TRIP, at(120));
    assert_eq!(sender.repair.acknowledged(), Some(FrameId(1)));
    assert_eq!(sender.repair.poll_mending(at(120)), None, "it is there");
}

proptest! {
    /// Sends 60 packets a second to somebody who says whatever he likes, as often as he likes.
    #[test]
    fn whatever_is_reported_what_is_sent_again_keeps_to_its_budget(
        reports in proptest::collection::vec(
            (-20_i32..20, any::<bool>(), proptest::collection::vec(any::<bool>(), 1..60), any::<u16>(), 0_u64..20),
            1..300,
        ),
    ) {
        let mut sender = Sender::default();
        let (mut id, mut now, mut next_frame, mut first, mut again) = (0, 0, 0, 0, 0_usize);
        for (from, is_far, arrived, held, pause) in reports {
            now += pause;
            while next_frame <= now {
                sender.send(id, id.checked_sub(1), at(next_frame));
                (id, next_frame, first) = (id + 1, next_frame + 33, first + 2);
            }
            let from = if is_far { from.wrapping_mul(100_000_000) } else { from };
            let mut told = report(sender.next.wrapping_add_signed(from), &arrived);
            told.held = held;
            sender.repair.handle_report(&told, sender.next, TRIP, at(now));
            while let Some(mending) = sender.repair.poll_mending(at(now)) {
                again += 1;
                match mending {
                    Mending::Again(outgoing) => drop(sender.send_packet(outgoing.part, at(now))),
                    Mending::Parity(_) => prop_assert!(false, "these packets cannot be covered"),
                }
            }
            let repair = &sender.repair;
            prop_assert!(again as f64 <= f64::from(first) * BUDGET_SHARE + BUDGET_BYTES / 1_000.0);
            prop_assert!(repair.frames.len() <= MOST_FRAMES && repair.packets.len() <= MOST_PACKETS);
            prop_assert!(repair.mending.len() <= MOST_MENDING && repair.parity.len() <= MOST_WAITING);
        }
    }
}
