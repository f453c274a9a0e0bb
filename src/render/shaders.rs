//! The shader sources, built into the program. What draws a picture stands behind the form that the picture has.

use super::Form;

const PLANES: &str = include_str!("../../shaders/planes.wgsl");
const READY: &str = include_str!("../../shaders/ready.wgsl");
const FILL: &str = include_str!("../../shaders/fill.wgsl");
const VIEW: &str = include_str!("../../shaders/view.wgsl");

/// A picture at its own size over a whole target.
pub fn fill(form: Form) -> String {
    [picture(form), FILL].concat()
}

/// A picture in a rectangle.
pub fn view(form: Form) -> String {
    [picture(form), VIEW].concat()
}

const fn picture(form: Form) -> &'static str {
    match form {
        Form::Planes => PLANES,
        Form::Ready => READY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shader_is_valid() {
        for source in Form::ALL.into_iter().flat_map(|form| [fill(form), view(form)]) {
            let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| {
                panic!("{}", error.emit_to_string(&source));
            });
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
        }
    }

    #[test]
    fn no_shader_file_is_left_out() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
        let built_in = [PLANES, READY, FILL, VIEW];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(built_in.contains(&text.as_str()), "{} is not built in", path.display());
        }
    }
}
