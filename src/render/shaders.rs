//! The shader sources, built into the program; those that show planes stand behind the shared part.

const COMMON: &str = include_str!("../../shaders/common.wgsl");
const FILL: &str = include_str!("../../shaders/fill.wgsl");
const VIEW: &str = include_str!("../../shaders/view.wgsl");
const RGBA: &str = include_str!("../../shaders/rgba.wgsl");

/// A picture at its own size over a whole target.
pub fn fill() -> String {
    [COMMON, FILL].concat()
}

/// A picture in a rectangle.
pub fn view() -> String {
    [COMMON, VIEW].concat()
}

/// A picture that is RGBA already; needs no shared part.
pub const fn rgba() -> &'static str {
    RGBA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shader_is_valid() {
        for source in [fill(), view(), rgba().to_owned()] {
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
        let built_in = [COMMON, FILL, VIEW, RGBA];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(built_in.contains(&text.as_str()), "{} is not built in", path.display());
        }
    }
}
