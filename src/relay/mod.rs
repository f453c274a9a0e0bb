//! Who gets which sealed packet: rooms of a few members, each with its own leaf and its own quota. Sans-IO.

mod quota;

use std::collections::HashMap;

pub use quota::{Quotas, Rate, TokenBucket};

use crate::media::LeafIndex;
use crate::wire::packet::HEADER_LEN;
use crate::wire::parity;
use crate::wire::signal::Refusal;

/// Members of a room.
pub const MAX_MEMBERS: usize = 2;
/// Rooms at one time.
pub const MAX_ROOMS: usize = 10_000;
/// Largest packet that is forwarded.
pub const MAX_PACKET_LEN: usize = 1452;

/// All rooms; `M` is whatever the shell reaches a member by.
#[derive(Debug)]
pub struct Rooms<M> {
    rooms: HashMap<[u8; 32], Vec<Member<M>>>,
    next: u64,
}

#[derive(Debug)]
struct Member<M> {
    leaf: u8,
    ticket: u64,
    way: M,
}

impl<M> Default for Rooms<M> {
    fn default() -> Self {
        Self { rooms: HashMap::new(), next: 0 }
    }
}

impl<M: Clone> Rooms<M> {
    /// Lets a member in; a member that comes back takes the place of its old connection. Gives a ticket for
    /// [`Rooms::leave`] and the members that are there, with their leaves.
    pub fn join(&mut self, room: [u8; 32], leaf: u8, way: M) -> Result<(u64, Vec<(u8, M)>), Refusal> {
        if usize::from(leaf) >= MAX_MEMBERS {
            return Err(Refusal::Room);
        }
        if self.rooms.len() >= MAX_ROOMS && !self.rooms.contains_key(&room) {
            return Err(Refusal::Quota);
        }
        let members = self.rooms.entry(room).or_default();
        members.retain(|member| member.leaf != leaf);
        let others = members.iter().map(|member| (member.leaf, member.way.clone())).collect();
        let ticket = self.next;
        self.next += 1;
        members.push(Member { leaf, ticket, way });
        Ok((ticket, others))
    }

    /// The member with this ticket has gone. Gives those who stay, or nothing if it had been replaced already.
    pub fn leave(&mut self, room: &[u8; 32], ticket: u64) -> Option<Vec<M>> {
        let members = self.rooms.get_mut(room)?;
        let at = members.iter().position(|member| member.ticket == ticket)?;
        members.swap_remove(at);
        let others = members.iter().map(|member| member.way.clone()).collect();
        if members.is_empty() {
            self.rooms.remove(room);
        }
        Some(others)
    }

    /// Everybody in the room but the member with this ticket; nothing if it has gone or was replaced: it may say
    /// nothing any more.
    #[must_use]
    pub fn others(&self, room: &[u8; 32], ticket: u64) -> Option<Vec<M>> {
        let members = self.rooms.get(room)?;
        members
            .iter()
            .any(|member| member.ticket == ticket)
            .then(|| members.iter().filter(|member| member.ticket != ticket).map(|member| member.way.clone()).collect())
    }

    /// Rooms that exist.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rooms.len()
    }
}

/// Whether a packet of the member with `leaf` may be forwarded: well formed, of sane size, and its own.
#[must_use]
pub fn may_pass(leaf: u8, packet: &[u8]) -> bool {
    (HEADER_LEN..=MAX_PACKET_LEN).contains(&packet.len()) && parity::sender(packet) == Some(LeafIndex(leaf))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{FrameId, Stream};
    use crate::wire::packet::{FrameHeader, PacketHeader};
    use crate::wire::parity::{Parity, Part};

    const ROOM: [u8; 32] = [1; 32];

    #[test]
    fn members_see_each_other_and_nobody_else() {
        let mut rooms = Rooms::default();
        let (first, others) = rooms.join(ROOM, 0, "a").unwrap();
        assert!(others.is_empty());
        assert_eq!(rooms.join(ROOM, 1, "b").unwrap().1, [(0, "a")]);
        rooms.join([2; 32], 0, "c").unwrap();
        assert_eq!(rooms.others(&ROOM, first), Some(vec!["b"]));
        assert_eq!(rooms.join(ROOM, 2, "d"), Err(Refusal::Room));
        assert_eq!(rooms.leave(&ROOM, first), Some(vec!["b"]));
        assert_eq!(rooms.leave(&ROOM, first), None);
    }

    #[test]
    fn who_comes_back_replaces_its_old_connection() {
        let mut rooms = Rooms::default();
        let (old, _) = rooms.join(ROOM, 0, "old").unwrap();
        let (new, _) = rooms.join(ROOM, 0, "new").unwrap();
        assert_eq!(rooms.leave(&ROOM, old), None);
        let (other, _) = rooms.join(ROOM, 1, "other").unwrap();
        assert_eq!(rooms.others(&ROOM, other), Some(vec!["new"]));
        assert_eq!(rooms.others(&ROOM, old), None, "the old connection says nothing any more");
        rooms.leave(&ROOM, other);
        assert_eq!(rooms.leave(&ROOM, new), Some(vec![]));
        assert_eq!(rooms.count(), 0);
    }

    #[test]
    fn a_packet_with_anothers_leaf_does_not_pass() {
        let frame = FrameHeader { leaf: LeafIndex(1), stream: Stream::Audio, back: 0, id: FrameId(1) };
        let header = PacketHeader { frame, fragment: 0, fragments: 1, number: 0 };
        let packet = [header.to_bytes().as_slice(), b"sealed"].concat();
        assert!(may_pass(1, &packet));
        assert!(!may_pass(0, &packet));
        assert!(!may_pass(1, &packet[..10]));
        let covered = vec![Part { frame: FrameId(1), fragment: 0 }];
        let parity = Parity { leaf: LeafIndex(1), number: 0, covered, lengths: 6, sum: b"\0\0\x01sealed".to_vec() };
        assert!(may_pass(1, &parity.to_bytes()) && !may_pass(0, &parity.to_bytes()));
        assert!(!may_pass(1, &[packet.as_slice(), &[0; MAX_PACKET_LEN]].concat()));
    }
}
