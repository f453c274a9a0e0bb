//! `visavis devices`: which cameras, microphones and speakers there are.

use serde::Serialize;

use super::args::JsonArgs;
use super::exit::CliError;
use super::output;
use crate::capture::camera::native::NativeCameras;
use crate::engine::devices::{self, DeviceList};

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    #[serde(flatten)]
    list: &'a DeviceList,
}

/// Lists the devices; opens none.
pub fn devices(arguments: &JsonArgs) -> Result<(), CliError> {
    let list = devices::list(&NativeCameras);
    if arguments.json {
        return output::say_json(&Report { schema: 1, list: &list });
    }
    let groups = [("cameras", &list.cameras), ("microphones", &list.microphones), ("speakers", &list.speakers)];
    let listed = groups.map(|(title, names)| {
        let names = if names.is_empty() { "none".to_owned() } else { names.join("\n  ") };
        format!("{title}:\n  {names}\n")
    });
    output::say(&listed.concat())?;
    for problem in &list.problems {
        eprintln!("{problem}");
    }
    Ok(())
}
