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
    for (title, names) in groups {
        println!("{title}:");
        if names.is_empty() {
            println!("  none");
        }
        for name in names {
            println!("  {name}");
        }
    }
    for problem in &list.problems {
        eprintln!("{problem}");
    }
    Ok(())
}
