//! A contact link: everything that is needed to ring somebody and to know that it is them, as text for a message or a code.
//!
//! `visavis:NAME@HOST:PORT/SERVER-KEY/ROOT-KEY/TOKEN`, the keys and the token in base 32. Whoever has the link may ring until
//! its owner makes another.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use super::address::{Handle, ServerAddress};
use super::token::Token;

/// How a link begins.
pub const SCHEME: &str = "visavis:";
/// No link is longer, in bytes: a host may have 253.
const MAX_LINK_BYTES: usize = 512;

/// Somebody's link.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactLink {
    /// Whose.
    pub handle: Handle,
    /// Where they can be rung; its host is the handle's.
    pub server: ServerAddress,
    /// The account's root key: who shows another is somebody else.
    pub root: [u8; 32],
    /// Leave to ring.
    pub token: Token,
}

/// Why text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another kind of text.
    #[error("a contact link begins with visavis: and comes from another person's \"My link\"")]
    NotALink,
    /// Cut off or changed on its way.
    #[error("the link is incomplete or damaged; copy all of it, or scan the code")]
    Damaged,
}

impl ContactLink {
    /// The link of `handle`; nothing if it is not an account of `server`.
    #[must_use]
    pub fn new(handle: Handle, server: ServerAddress, root: [u8; 32], token: Token) -> Option<Self> {
        (handle.host() == server.host).then_some(Self { handle, server, root, token })
    }

    /// Whether text is meant to be a link, whole or not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
    }
}

impl fmt::Display for ContactLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.server.host, self.server.port);
        let [key, root] = [self.server.key, self.root].map(|key| BASE32_NOPAD.encode(&key));
        write!(f, "{SCHEME}{}@{host}:{port}/{key}/{root}/{}", self.handle.name(), self.token.text())
    }
}

/// Without the token: what is printed by accident lets nobody ring.
impl fmt::Debug for ContactLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactLink").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl FromStr for ContactLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if !Self::is_meant(text) {
            return Err(LinkError::NotALink);
        }
        let rest = text.get(SCHEME.len()..).filter(|_| text.len() <= MAX_LINK_BYTES).ok_or(LinkError::Damaged)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let [place, server_key, root, token] = parts[..] else { return Err(LinkError::Damaged) };
        let (name, place) = place.split_once('@').ok_or(LinkError::Damaged)?;
        let server: ServerAddress = format!("{place}/{server_key}").parse().map_err(|_| LinkError::Damaged)?;
        let handle = Handle::new(name, &server.host).map_err(|_| LinkError::Damaged)?;
        let root = BASE32_NOPAD.decode(root.to_ascii_uppercase().as_bytes()).map_err(|_| LinkError::Damaged)?;
        let root = root.try_into().map_err(|_| LinkError::Damaged)?;
        let token = token.parse().map_err(|_| LinkError::Damaged)?;
        Ok(Self { handle, server, root, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(host: &str) -> ContactLink {
        let server = ServerAddress { host: host.into(), port: 4474, key: [7; 32] };
        let token = Token::random(&mut rand::rng());
        ContactLink::new(Handle::new("alice", host).unwrap(), server, [9; 32], token).unwrap()
    }

    #[test]
    fn a_link_survives_its_text_in_either_case() {
        for host in ["example.org", "127.0.0.1", "[::1]"] {
            let link = link(host);
            let text = link.to_string();
            assert_eq!(text.parse(), Ok(link.clone()));
            assert_eq!(format!(" {}\n", text.to_lowercase()).parse(), Ok(link.clone()));
            assert!(!format!("{link:?}").contains(&link.token.text()));
        }
        let other = ServerAddress { host: "example.net".into(), port: 1, key: [0; 32] };
        let alice = Handle::new("alice", "example.org").unwrap();
        assert_eq!(ContactLink::new(alice, other, [0; 32], Token::random(&mut rand::rng())), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = link("example.org").to_string();
        for other in ["", "alice@example.org", "https://example.org", "visavi", "é"] {
            assert_eq!(other.parse::<ContactLink>(), Err(LinkError::NotALink), "{other}");
        }
        for length in SCHEME.len()..text.len() {
            assert_eq!(text[..length].parse::<ContactLink>(), Err(LinkError::Damaged), "{}", &text[..length]);
        }
        assert_eq!(format!("{text}/x").parse::<ContactLink>(), Err(LinkError::Damaged));
        assert_eq!(format!("{text}{}", "A".repeat(600)).parse::<ContactLink>(), Err(LinkError::Damaged));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_link_or_an_error(text in "(visavis:)?[a-zA-Z0-9@:/.é-]{0,200}") {
            if let Ok(link) = text.parse::<ContactLink>() {
                prop_assert_eq!(link.to_string().parse(), Ok(link));
            }
        }

        #[test]
        fn a_changed_character_gives_another_link_or_none(place in 8_usize..160, with in "[a-zA-Z0-9@:/.é]") {
            let link = link("example.org");
            let mut text: Vec<char> = link.to_string().chars().collect();
            let place = place.min(text.len() - 1);
            let with = with.chars().next().unwrap();
            prop_assume!(!text[place].eq_ignore_ascii_case(&with));
            text[place] = with;
            let text: String = text.into_iter().collect();
            prop_assert_ne!(text.parse(), Ok(link));
        }
    }
}
