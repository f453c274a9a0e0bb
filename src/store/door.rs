//! What a profile keeps of the door: the tokens it has given away, strangers who asked to talk, and who is shut out.

use serde::{Deserialize, Serialize};

/// Everything about who may ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredDoor {
    /// Token of the link that is valid now.
    pub link: Option<String>,
    /// Token that contacts get inside sealed letters.
    pub contacts: Option<String>,
    /// Strangers who called, in the order they first did.
    pub requests: Vec<StoredRequest>,
    /// Who is shut out.
    pub blocked: Vec<StoredBlock>,
}

/// A stranger who called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRequest {
    /// As they call themselves.
    pub handle: String,
    /// The root key that they showed.
    pub root: String,
    /// The directory says that the handle is theirs.
    pub confirmed: bool,
    /// Unix seconds of the first call.
    pub first_s: u64,
    /// Unix seconds of the last call.
    pub last_s: u64,
    /// How often they called.
    pub count: u32,
}

/// Somebody who is shut out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlock {
    /// As they were called.
    pub handle: String,
    /// Their root key; without one, the handle is what counts.
    pub root: Option<String>,
}
