//! `visavis devices`: which cameras, microphones and speakers there are.

use super::args::JsonArgs;
use super::exit::CliError;
use super::output;
use crate::capture::camera::native::NativeCameras;
use crate::engine::devices;

/// Lists the devices; opens none.
pub fn devices(arguments: &JsonArgs) -> Result<(), CliError> {
    let list = devices::list(&NativeCameras);
    if arguments.json {
        return output::write_json("-".as_ref(), &list);
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
