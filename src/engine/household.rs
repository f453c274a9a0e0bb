//! What the devices of one account hold in common: contacts, who is shut out, and the tokens that let people ring.
//!
//! Each item is a fact with the time at which it was decided. Of two facts about one thing the later holds, on every device
//! and in whatever order they come. What is decided on a device goes to the others at once, those that were away compare
//! digests when they come back. Sans-IO.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contacts::{Contacts, MAX_CONTACTS, Person};
use super::door::{Door, MAX_BLOCKED};
use crate::store::profile::{Profile, ProfileError};
use crate::wire::address::Handle;
use crate::wire::token::Token;

/// Most facts that are kept: beyond, those go first that say that something is no more.
const MAX_FACTS: usize = 2 * (MAX_CONTACTS + MAX_BLOCKED);
/// Most bytes of facts in one message, beside which a letter has to hold the chain.
const PORTION_BYTES: usize = 4 * 1024;

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// The tokens that the account gives away.
    Tokens,
    /// A contact, by handle.
    Contact(String),
    /// Somebody who is shut out or not: handle, and root key if it is known.
    Block(String, Option<String>),
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// There is no such thing any more.
    Nothing,
    /// These tokens are valid.
    Tokens {
        /// That of the account's link.
        link: Token,
        /// That for contacts.
        contacts: Token,
    },
    /// A contact, as the person wants them.
    Contact(Person),
    /// Shut out.
    ShutOut,
}

/// Something decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub about: Subject,
    /// When, in Unix seconds.
    pub decided_s: u64,
    /// What.
    pub decision: Decision,
}

/// Hash of all facts.
pub type FactsDigest = [u8; 32];

/// What the recipient is to do about differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    /// Nothing.
    No,
    /// If it holds other facts than these, afterwards: answer with all of them, and let the sender compare.
    Answer(FactsDigest),
    /// The same, and there the comparison ends.
    AnswerOnce(FactsDigest),
}

/// What one device tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    facts: Vec<Fact>,
    /// About all facts of the sender.
    pub compare: Compare,
}

impl Message {
    /// For a letter.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// From bytes of a device of the own account. `None`: not the bytes of a message.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((message, [])) => Some(message),
            _ => None,
        }
    }
}

/// The facts that a device knows.
#[derive(Debug, Default)]
pub struct Household {
    facts: BTreeMap<Subject, (u64, Decision)>,
    /// Up to which changes of contacts and door facts have been made.
    seen: Option<(u64, u64)>,
}

impl Household {
    /// Those of `profile`.
    pub fn load(profile: &Profile) -> Result<Self, ProfileError> {
        let Some(bytes) = profile.household()? else { return Ok(Self::default()) };
        match postcard::take_from_bytes::<Vec<Fact>>(&bytes) {
            Ok((facts, [])) => Ok(Self { facts: facts.into_iter().map(entry).collect(), seen: None }),
            _ => Err(profile.damaged_household()),
        }
    }

    /// Makes facts of what has been decided on this device since the last time, keeps and returns them. `founding`: this is
    /// the account's first device, whose first tokens outrank those that every other brings along.
    pub fn observe(
        &mut self,
        profile: &Profile,
        contacts: &Contacts,
        door: &Door,
        founding: bool,
        unix_now: u64,
    ) -> Result<Vec<Fact>, ProfileError> {
        let revisions = Some((contacts.revision(), door.revision()));
        if self.seen == revisions {
            return Ok(Vec::new());
        }
        let present = present(contacts, door);
        let gone = self.facts.keys().filter(|about| !present.contains_key(about));
        let gone: Vec<_> = gone.map(|about| (about.clone(), Decision::Nothing)).collect();
        let mut news = Vec::new();
        for (about, decision) in present.into_iter().chain(gone) {
            // While it is undecided whether another key is believed, nothing is said about the contact.
            if matches!(&about, Subject::Contact(handle) if contacts.is_undecided(handle)) {
                continue;
            }
            let decided_s = match self.facts.get(&about) {
                Some((_, known)) if *known == decision => continue,
                Some((earlier, _)) => unix_now.max(earlier + 1),
                None if about == Subject::Tokens => u64::from(founding),
                None => unix_now,
            };
            news.push(Fact { about, decided_s, decision });
        }
        if !news.is_empty() {
            self.keep(profile, news.clone())?;
        }
        self.seen = revisions;
        Ok(news)
    }

    /// Makes what another device of the account has decided, as far as it is later than what is known, hold here too.
    pub fn take_over(
        &mut self,
        profile: &Profile,
        contacts: &mut Contacts,
        door: &mut Door,
        message: Message,
    ) -> Result<(), ProfileError> {
        let mut news: Vec<Fact> =
            message.facts.into_iter().filter(|fact| is_sound(fact) && self.is_news(fact)).collect();
        let (mut people, mut blocks, mut tokens) = (Vec::new(), Vec::new(), None);
        for fact in &news {
            match (&fact.about, &fact.decision) {
                (Subject::Contact(handle), Decision::Contact(person)) => {
                    people.push((handle.clone(), Some(person.clone())));
                }
                (Subject::Contact(handle), _) => people.push((handle.clone(), None)),
                (Subject::Block(handle, root), decision) => {
                    blocks.push((handle.clone(), root.clone(), *decision == Decision::ShutOut));
                }
                (Subject::Tokens, Decision::Tokens { link, contacts }) => tokens = Some((*link, *contacts)),
                (Subject::Tokens, _) => {}
            }
        }
        let left_out = contacts.take_over(profile, people)?;
        door.take_over(profile, tokens, &blocks)?;
        // A fact that does not hold here is not known here: it would look like a decision to undo it.
        news.retain(|fact| !matches!(&fact.about, Subject::Contact(handle) if left_out.contains(handle)));
        self.keep(profile, news)
    }

    /// What to answer to a comparison; nothing if both hold the same.
    #[must_use]
    pub fn answer(&self, compare: Compare) -> Vec<Vec<u8>> {
        let own = self.digest();
        match compare {
            Compare::Answer(theirs) if theirs != own => portions(self.all(), Compare::AnswerOnce(own)),
            Compare::AnswerOnce(theirs) if theirs != own => portions(self.all(), Compare::No),
            _ => Vec::new(),
        }
    }

    /// Asks the other devices whether they hold the same.
    #[must_use]
    pub fn question(&self) -> Vec<Vec<u8>> {
        portions(Vec::new(), Compare::Answer(self.digest()))
    }

    /// Everything, for a device that knows nothing yet.
    #[must_use]
    pub fn everything(&self) -> Vec<Vec<u8>> {
        portions(self.all(), Compare::No)
    }

    fn digest(&self) -> FactsDigest {
        Sha256::new_with_prefix(b"visavis household 1\0").chain_update(encode(&self.all())).finalize().into()
    }

    fn all(&self) -> Vec<Fact> {
        let fact = |(about, (decided_s, decision)): (&Subject, &(u64, Decision))| Fact {
            about: about.clone(),
            decided_s: *decided_s,
            decision: decision.clone(),
        };
        self.facts.iter().map(fact).collect()
    }

    /// Two that were decided at the same time: which one holds is the same everywhere.
    fn is_news(&self, fact: &Fact) -> bool {
        let Some((decided_s, decision)) = self.facts.get(&fact.about) else { return true };
        (fact.decided_s, encode(&fact.decision)) > (*decided_s, encode(decision))
    }

    /// What cannot be kept does not hold.
    fn keep(&mut self, profile: &Profile, news: Vec<Fact>) -> Result<(), ProfileError> {
        let mut facts = self.facts.clone();
        facts.extend(news.into_iter().map(entry));
        while facts.len() > MAX_FACTS {
            let gone = facts.iter().filter(|(_, (_, decision))| *decision == Decision::Nothing);
            let Some(oldest) = gone.min_by_key(|(_, (decided_s, _))| *decided_s).map(|(about, _)| about.clone()) else {
                break;
            };
            facts.remove(&oldest);
        }
        let before = std::mem::replace(&mut self.facts, facts);
        profile.save_household(&encode(&self.all())).inspect_err(|_| self.facts = before)
    }
}

/// Facts as they go into letters, a few kilobytes each; one portion at least. The last says what is to be compared.
#[must_use]
pub fn portions(facts: Vec<Fact>, compare: Compare) -> Vec<Vec<u8>> {
    let mut portions = Vec::new();
    let mut part = Vec::new();
    let mut length = 0;
    for fact in facts {
        let more = encode(&fact).len();
        if length + more > PORTION_BYTES {
            portions.push(Message { facts: std::mem::take(&mut part), compare: Compare::No }.encode());
            length = 0;
        }
        length += more;
        part.push(fact);
    }
    portions.push(Message { facts: part, compare }.encode());
    portions
}

/// What holds on this device now.
fn present(contacts: &Contacts, door: &Door) -> BTreeMap<Subject, Decision> {
    let people = contacts.people().map(|(handle, person)| (Subject::Contact(handle), Decision::Contact(person)));
    let blocks = door.blocks().map(|(handle, root)| (Subject::Block(handle, root), Decision::ShutOut));
    let tokens = door.link_token().zip(door.contacts_token());
    let tokens = tokens.map(|(link, contacts)| (Subject::Tokens, Decision::Tokens { link, contacts }));
    people.chain(blocks).chain(tokens).collect()
}

/// Whether a fact says something that can be: it comes from the other device's disk by way of the network.
fn is_sound(fact: &Fact) -> bool {
    let is_handle = |handle: &str| handle.parse::<Handle>().is_ok_and(|parsed| parsed.to_string() == handle);
    match (&fact.about, &fact.decision) {
        (Subject::Tokens, Decision::Tokens { .. }) => true,
        (Subject::Contact(handle), Decision::Contact(person)) => is_handle(handle) && person.is_sound(),
        (Subject::Contact(handle), Decision::Nothing) => is_handle(handle),
        (Subject::Block(handle, root), Decision::ShutOut | Decision::Nothing) => {
            is_handle(handle) && root.as_ref().is_none_or(|root| super::contacts::is_key(root))
        }
        _ => false,
    }
}

fn entry(fact: Fact) -> (Subject, (u64, Decision)) {
    (fact.about, (fact.decided_s, fact.decision))
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Into memory there is nothing that fails for these types.
    postcard::to_stdvec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
