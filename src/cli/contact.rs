//! `visavis contact`: the own link, and the people this profile knows or keeps out. Works on the profile, without a server.

use serde::Serialize;

use super::args::{ContactCommand, ProfileArgs};
use super::exit::{CliError, Exit};
use super::output;
use crate::crypto::identity::Identity;
use crate::engine::clock;
use crate::engine::contacts::{ContactError, Contacts, check_server};
use crate::engine::door::Door;
use crate::store::profile::Profile;
use crate::wire::address::Handle;
use crate::wire::link::ContactLink;

/// A contact, for `list --json`.
#[derive(Serialize)]
struct Line<'a> {
    handle: &'a str,
    name: &'a str,
    verified: bool,
    key_changed: bool,
    silent: bool,
}

/// A stranger who called, for `list --json`.
#[derive(Serialize)]
struct Asking<'a> {
    handle: &'a str,
    confirmed: bool,
    count: u32,
}

/// What `list --json` prints.
#[derive(Serialize)]
struct List<'a> {
    schema: u32,
    contacts: Vec<Line<'a>>,
    requests: Vec<Asking<'a>>,
    blocked: &'a [String],
}

/// Does what was asked.
pub fn contact(profile: &ProfileArgs, command: &ContactCommand) -> Result<(), CliError> {
    let profile = profile.open()?;
    let mut contacts = Contacts::load(&profile).map_err(CliError::failure)?;
    let mut door = Door::load(&profile, &mut rand::rng()).map_err(CliError::failure)?;
    match command {
        ContactCommand::Link { renew } => {
            if *renew {
                door.renew_link(&profile, &mut rand::rng()).map_err(CliError::failure)?;
            }
            output::say(&format!("{}\n", own_link(&profile, &door)?))
        }
        ContactCommand::Add { whom } => {
            let settings = profile.settings().map_err(CliError::failure)?;
            let (own, server) =
                (settings.handle.unwrap_or_default(), settings.server.and_then(|text| text.parse().ok()));
            let fits = server.map_or(Ok(()), |server| check_server(whom, &server));
            let handle = fits.and_then(|()| contacts.add(&profile, whom, &own)).map_err(|error| match error {
                ContactError::Profile(_) => CliError::failure(error),
                _ => CliError::new(Exit::Usage, error),
            })?;
            door.unblock(&profile, &handle).map_err(CliError::failure)?;
            door.dismiss(&profile, &handle).map_err(CliError::failure)?;
            output::say(&format!("{handle}\n"))
        }
        ContactCommand::List(arguments) => list(&contacts, &door, arguments.json),
        ContactCommand::Remove { handle } => {
            known(&contacts, handle)?;
            contacts.remove(&profile, &handle.to_string()).map_err(CliError::failure)
        }
        ContactCommand::Block { handle } => {
            let handle = handle.to_string();
            door.block(&profile, &handle, contacts.root_of(&handle), &mut rand::rng()).map_err(CliError::failure)?;
            contacts.remove(&profile, &handle).map_err(CliError::failure)
        }
        ContactCommand::Unblock { handle } => {
            let handle = handle.to_string();
            if !door.blocked().contains(&handle) {
                return Err(CliError::new(Exit::Usage, format!("{handle} is not blocked")));
            }
            door.unblock(&profile, &handle).map_err(CliError::failure)
        }
    }
}

/// The link of the profile, which has to be registered for that.
pub fn own_link(profile: &Profile, door: &Door) -> Result<ContactLink, CliError> {
    let new =
        || CliError::new(Exit::Usage, "the profile is new: `visavis answer` with --name and --server registers it");
    let settings = profile.settings().map_err(CliError::failure)?;
    let handle = settings.handle.and_then(|handle| handle.parse().ok()).ok_or_else(new)?;
    let server = settings.server.and_then(|server| server.parse().ok()).ok_or_else(new)?;
    let identity = profile.identity().map_err(CliError::failure)?.ok_or_else(new)?;
    let identity = Identity::from_bytes(&identity, clock::unix_now()).map_err(CliError::failure)?;
    let token = door.link_token().ok_or_else(new)?;
    ContactLink::new(handle, server, identity.root(), token).ok_or_else(new)
}

fn known(contacts: &Contacts, handle: &Handle) -> Result<(), CliError> {
    if contacts.has(&handle.to_string()) {
        return Ok(());
    }
    Err(CliError::new(Exit::Usage, format!("{handle} is none of your contacts; `visavis contact list` shows them")))
}

fn list(contacts: &Contacts, door: &Door, json: bool) -> Result<(), CliError> {
    let (people, requests, blocked) = (contacts.view(), door.requests(), door.blocked());
    if json {
        let contacts = people.iter().map(|it| Line {
            handle: &it.handle,
            name: &it.name,
            verified: it.verified,
            key_changed: it.key_changed,
            silent: it.silent,
        });
        let asking = requests.iter().map(|it| Asking { handle: &it.handle, confirmed: it.confirmed, count: it.count });
        let list = List { schema: 1, contacts: contacts.collect(), requests: asking.collect(), blocked: &blocked };
        return output::say_json(&list);
    }
    let mut lines = Vec::new();
    for contact in &*people {
        let state = match (contact.key_changed, contact.verified) {
            (true, _) => "key changed",
            (false, true) => "verified",
            (false, false) => "",
        };
        lines.push(format!("{}\t{}\t{state}\n", contact.handle, contact.name));
    }
    for request in &*requests {
        let handle = if request.confirmed { &request.handle } else { &format!("{} (unconfirmed)", request.handle) };
        lines.push(format!("{handle}\t\tasked {} times\n", request.count));
    }
    lines.extend(blocked.iter().map(|handle| format!("{handle}\t\tblocked\n")));
    output::say(&lines.concat())
}
