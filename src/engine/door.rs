//! Who may ring: the tokens that this profile has given away, the strangers who asked, and who is shut out.
//!
//! A stranger is neither a contact nor shows one of the tokens. Strangers are written down and otherwise met with silence.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use rand::CryptoRng;

use super::handle::Request;
use crate::store::door::{StoredBlock, StoredDoor, StoredRequest};
use crate::store::profile::{Profile, ProfileError};
use crate::wire::token::{Token, TokenHash};

/// Most requests that are kept. One more takes the place of the one that has been silent for longest.
pub const MAX_REQUESTS: usize = 50;
/// Most of them whose handle the directory has not confirmed: whoever makes up names takes no place of others.
pub const MAX_UNCONFIRMED: usize = 10;
/// Most people who are shut out; one more takes the place of the first.
pub const MAX_BLOCKED: usize = 500;
/// A further call of the same stranger, and one of somebody unconfirmed, is written to disk no sooner after the last.
const WRITE_AGAIN_S: u64 = 60;

/// The door of an open profile.
#[derive(Debug, Default)]
pub struct Door {
    stored: StoredDoor,
    revision: u64,
    /// When it was last written, in Unix seconds.
    written_s: u64,
    requests: Arc<[Request]>,
    blocked: Arc<[String]>,
}

impl Door {
    /// That of `profile`; its tokens come into being the first time.
    pub fn load(profile: &Profile, rng: &mut impl CryptoRng) -> Result<Self, ProfileError> {
        let mut door = Self { stored: profile.door()?, ..Self::default() };
        if door.link_token().is_none() || door.contacts_token().is_none() {
            door.change(profile, |stored| {
                stored.link.get_or_insert_with(|| Token::random(rng).text());
                stored.contacts.get_or_insert_with(|| Token::random(rng).text());
            })?;
        }
        door.renew_views();
        Ok(door)
    }

    /// Token of the own link.
    #[must_use]
    pub fn link_token(&self) -> Option<Token> {
        token(self.stored.link.as_deref())
    }

    /// Token for contacts.
    #[must_use]
    pub fn contacts_token(&self) -> Option<Token> {
        token(self.stored.contacts.as_deref())
    }

    /// What the server may know of the valid tokens.
    #[must_use]
    pub fn token_hashes(&self) -> Vec<TokenHash> {
        [self.link_token(), self.contacts_token()].into_iter().flatten().map(|token| token.hash()).collect()
    }

    /// Whether whoever shows this may ring.
    #[must_use]
    pub fn admits(&self, shown: Option<&Token>) -> bool {
        shown.is_some_and(|shown| [self.link_token(), self.contacts_token()].contains(&Some(*shown)))
    }

    /// Which state of the tokens and of who is shut out this is; another one after each change.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Who is shut out: handle, and root key if it is known.
    pub fn blocks(&self) -> impl Iterator<Item = (String, Option<String>)> {
        self.stored.blocked.iter().map(|block| (block.handle.clone(), block.root.clone()))
    }

    /// Takes over what another device of the account has decided: the tokens of link and contacts, and whether these
    /// (handle, root key) are shut out.
    pub fn take_over(
        &mut self,
        profile: &Profile,
        tokens: Option<(Token, Token)>,
        blocks: &[(String, Option<String>, bool)],
    ) -> Result<(), ProfileError> {
        if tokens.is_none() && blocks.is_empty() {
            return Ok(());
        }
        self.change(profile, |stored| {
            if let Some((link, contacts)) = tokens {
                (stored.link, stored.contacts) = (Some(link.text()), Some(contacts.text()));
            }
            for (handle, root, is_shut_out) in blocks {
                stored.let_in(handle, root.as_ref());
                if *is_shut_out {
                    stored.shut_out(handle, root.clone());
                }
            }
        })
    }

    /// Makes another link; the old one lets nobody ring any more.
    pub fn renew_link(&mut self, profile: &Profile, rng: &mut impl CryptoRng) -> Result<(), ProfileError> {
        self.change(profile, |stored| stored.link = Some(Token::random(rng).text()))
    }

    /// Whether somebody is shut out.
    #[must_use]
    pub fn is_blocked(&self, handle: &str, root: &[u8; 32]) -> bool {
        let root = BASE32_NOPAD.encode(root);
        self.stored.blocked.iter().any(|block| match &block.root {
            Some(blocked) => *blocked == root,
            None => block.handle == handle,
        })
    }

    /// Shuts somebody out. The tokens that they may have are taken back: only who asked without one has none.
    pub fn block(
        &mut self,
        profile: &Profile,
        handle: &str,
        contact: Option<Option<String>>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), ProfileError> {
        self.change(profile, |stored| {
            // Several may have asked under this name, and all but one have only claimed it: whoever it is, they are shut out.
            let asked = || stored.requests.iter().filter(|request| request.handle == handle);
            let may_have_a_token = contact.is_some() || asked().next().is_none();
            let known = contact.flatten();
            let is_certain = known.is_some() || asked().any(|request| request.confirmed);
            let mut roots: Vec<Option<String>> = asked().map(|request| Some(request.root.clone())).collect();
            roots.extend(known.map(Some));
            if !is_certain {
                roots.push(None);
            }
            for root in roots {
                stored.let_in(handle, root.as_ref());
                stored.shut_out(handle, root);
            }
            if may_have_a_token {
                stored.link = Some(Token::random(rng).text());
                stored.contacts = Some(Token::random(rng).text());
            }
        })
    }

    /// Lets somebody in again.
    pub fn unblock(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.change(profile, |stored| stored.blocked.retain(|block| block.handle != handle))
    }

    /// Whether the directory has said before that this stranger's handle is theirs.
    #[must_use]
    pub fn is_confirmed(&self, handle: &str, root: &[u8; 32]) -> bool {
        let root = BASE32_NOPAD.encode(root);
        self.stored.requests.iter().any(|request| request.confirmed && request.handle == handle && request.root == root)
    }

    /// A stranger has called. `confirmed`: the directory says that the handle is theirs.
    pub fn note_request(
        &mut self,
        profile: &Profile,
        handle: &str,
        root: &[u8; 32],
        confirmed: bool,
        unix_now: u64,
    ) -> Result<(), ProfileError> {
        let root = BASE32_NOPAD.encode(root);
        let same = |request: &&mut StoredRequest| request.handle == handle && request.root == root;
        if let Some(request) = self.stored.requests.iter_mut().find(same) {
            request.count = request.count.saturating_add(1);
            request.last_s = unix_now;
            let is_news = confirmed && !request.confirmed;
            request.confirmed |= confirmed;
            self.renew_views();
            return if is_news || unix_now.saturating_sub(self.written_s) >= WRITE_AGAIN_S {
                self.written_s = unix_now;
                profile.save_door(&self.stored)
            } else {
                Ok(())
            };
        }
        let add = |stored: &mut StoredDoor| {
            let unconfirmed = stored.requests.iter().filter(|request| !request.confirmed).count();
            if !confirmed && unconfirmed >= MAX_UNCONFIRMED {
                drop_oldest(&mut stored.requests, |request| !request.confirmed);
            } else if stored.requests.len() >= MAX_REQUESTS {
                let any_unconfirmed = unconfirmed > 0;
                drop_oldest(&mut stored.requests, |request| !any_unconfirmed || !request.confirmed);
            }
            let (first_s, last_s) = (unix_now, unix_now);
            stored.requests.push(StoredRequest {
                handle: handle.to_owned(),
                root,
                confirmed,
                first_s,
                last_s,
                count: 1,
            });
        };
        if !confirmed && unix_now.saturating_sub(self.written_s) < WRITE_AGAIN_S {
            // Whoever makes up names does not keep the disk busy: written with whatever comes next.
            add(&mut self.stored);
            self.renew_views();
            return Ok(());
        }
        self.written_s = unix_now;
        self.change(profile, add)
    }

    /// The root key that whoever asks under this handle showed; only if the directory has confirmed it.
    #[must_use]
    pub fn confirmed_root(&self, handle: &str) -> Option<String> {
        let request = self.stored.requests.iter().find(|request| request.handle == handle && request.confirmed);
        request.map(|request| request.root.clone())
    }

    /// Forgets the requests under this handle.
    pub fn dismiss(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.change(profile, |stored| stored.requests.retain(|request| request.handle != handle))
    }

    /// The requests, newest first.
    #[must_use]
    pub fn requests(&self) -> Arc<[Request]> {
        Arc::clone(&self.requests)
    }

    /// The handles that are shut out.
    #[must_use]
    pub fn blocked(&self) -> Arc<[String]> {
        Arc::clone(&self.blocked)
    }

    /// What cannot be kept does not hold either.
    fn change(&mut self, profile: &Profile, change: impl FnOnce(&mut StoredDoor)) -> Result<(), ProfileError> {
        let mut changed = self.stored.clone();
        change(&mut changed);
        profile.save_door(&changed)?;
        self.stored = changed;
        self.revision += 1;
        self.renew_views();
        Ok(())
    }

    fn renew_views(&mut self) {
        let mut requests: Vec<_> = self.stored.requests.iter().map(show).collect();
        requests.sort_by_key(|request| std::cmp::Reverse(request.last_s));
        self.requests = requests.into();
        let mut blocked: Vec<String> = Vec::new();
        for block in &self.stored.blocked {
            if !blocked.contains(&block.handle) {
                blocked.push(block.handle.clone());
            }
        }
        self.blocked = blocked.into();
    }
}

impl StoredDoor {
    /// Shuts somebody out, who is asked for no more either.
    fn shut_out(&mut self, handle: &str, root: Option<String>) {
        self.requests.retain(|request| request.handle != handle && Some(&request.root) != root.as_ref());
        if self.blocked.len() >= MAX_BLOCKED {
            self.blocked.remove(0);
        }
        self.blocked.push(StoredBlock { handle: handle.to_owned(), root });
    }

    /// Lets this one in again, and nobody else.
    fn let_in(&mut self, handle: &str, root: Option<&String>) {
        self.blocked.retain(|block| block.handle != handle || block.root.as_ref() != root);
    }
}

fn token(kept: Option<&str>) -> Option<Token> {
    kept.and_then(|text| text.parse().ok())
}

fn drop_oldest(requests: &mut Vec<StoredRequest>, among: impl Fn(&StoredRequest) -> bool) {
    let oldest = requests.iter().enumerate().filter(|(_, request)| among(request));
    if let Some((index, _)) = oldest.min_by_key(|(_, request)| request.last_s) {
        requests.remove(index);
    }
}

fn show(request: &StoredRequest) -> Request {
    let StoredRequest { handle, confirmed, first_s, last_s, count, .. } = request.clone();
    Request { handle, confirmed, first_s, last_s, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> (tempfile::TempDir, Profile, Door) {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path()).unwrap();
        let door = Door::load(&profile, &mut rand::rng()).unwrap();
        (folder, profile, door)
    }

    #[test]
    fn a_token_admits_until_its_link_is_renewed() {
        let (_folder, profile, mut door) = door();
        let (link, contacts) = (door.link_token().unwrap(), door.contacts_token().unwrap());
        assert_ne!(link, contacts);
        assert!(door.admits(Some(&link)) && door.admits(Some(&contacts)));
        assert!(!door.admits(None) && !door.admits(Some(&Token::random(&mut rand::rng()))));
        door.renew_link(&profile, &mut rand::rng()).unwrap();
        assert!(!door.admits(Some(&link)) && door.admits(Some(&contacts)));
        let again = Door::load(&profile, &mut rand::rng()).unwrap();
        assert_eq!(again.token_hashes(), door.token_hashes());
        assert_eq!(again.link_token(), door.link_token());
    }

    #[test]
    fn whoever_is_blocked_loses_their_tokens_and_their_request() {
        let (_folder, profile, mut door) = door();
        let before = door.link_token().unwrap();
        door.note_request(&profile, "eve@example.org", &[5; 32], true, 10).unwrap();
        door.block(&profile, "eve@example.org", None, &mut rand::rng()).unwrap();
        assert!(door.requests().is_empty() && door.admits(Some(&before)), "a stranger had no token");
        door.block(&profile, "mallory@example.org", Some(None), &mut rand::rng()).unwrap();
        assert!(!door.admits(Some(&before)));
        assert!(door.is_blocked("mallory@example.org", &[9; 32]), "without a known key the handle counts");
        door.unblock(&profile, "mallory@example.org").unwrap();
        assert!(door.is_blocked("eve@example.org", &[5; 32]) && door.is_blocked("other@example.org", &[5; 32]));
        assert!(!door.is_blocked("eve@example.org", &[6; 32]), "another account took the handle");
        let mut again = Door::load(&profile, &mut rand::rng()).unwrap();
        assert!(again.is_blocked("eve@example.org", &[5; 32]));
        again.unblock(&profile, "eve@example.org").unwrap();
        assert!(!again.is_blocked("eve@example.org", &[5; 32]) && again.blocked().is_empty());
    }

    #[test]
    fn whoever_asks_under_a_name_that_others_claim_is_shut_out_with_them() {
        let (_folder, profile, mut door) = door();
        let mallory = "mallory@example.org";
        door.note_request(&profile, mallory, &[1; 32], false, 10).unwrap();
        door.note_request(&profile, mallory, &[2; 32], true, 20).unwrap();
        door.block(&profile, mallory, None, &mut rand::rng()).unwrap();
        assert!(door.is_blocked(mallory, &[1; 32]) && door.is_blocked(mallory, &[2; 32]));
        assert!(!door.is_blocked(mallory, &[3; 32]), "whoever takes the name later is somebody else");
        assert_eq!(*door.blocked(), [mallory]);
        door.unblock(&profile, mallory).unwrap();
        assert!(!door.is_blocked(mallory, &[1; 32]) && !door.is_blocked(mallory, &[2; 32]));

        // Only claimed: then it is the name that is shut out.
        door.note_request(&profile, mallory, &[1; 32], false, 10).unwrap();
        door.block(&profile, mallory, None, &mut rand::rng()).unwrap();
        assert!(door.is_blocked(mallory, &[1; 32]) && door.is_blocked(mallory, &[9; 32]));

        // Whoever rang by the link has it.
        let link = door.link_token().unwrap();
        door.block(&profile, "by-link@example.org", None, &mut rand::rng()).unwrap();
        assert!(!door.admits(Some(&link)));
    }

    #[test]
    fn requests_are_counted_and_bounded_and_made_up_names_push_out_no_confirmed_one() {
        let (_folder, profile, mut door) = door();
        door.note_request(&profile, "first@example.org", &[1; 32], true, 10).unwrap();
        door.note_request(&profile, "first@example.org", &[1; 32], true, 20).unwrap();
        let seen = door.requests()[0].clone();
        assert_eq!((seen.first_s, seen.last_s, seen.count, seen.confirmed), (10, 20, 2, true));
        for number in 0..200_u64 {
            let name = format!("made-up{number}@example.org");
            door.note_request(&profile, &name, &[2; 32], false, 100 + number).unwrap();
        }
        assert_eq!(door.requests().len(), 1 + MAX_UNCONFIRMED);
        for number in 0..200_u64 {
            let name = format!("real{number}@example.org");
            door.note_request(&profile, &name, &[3; 32], true, 500 + number).unwrap();
        }
        let again = Door::load(&profile, &mut rand::rng()).unwrap();
        assert_eq!((again.requests().len(), again.requests()[0].last_s), (MAX_REQUESTS, 699));
        assert_eq!(again.requests(), door.requests());
        assert!(
            again.is_confirmed("real199@example.org", &[3; 32]) && !again.is_confirmed("real199@example.org", &[4; 32])
        );
    }
}
