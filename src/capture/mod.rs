//! Where pictures come from: camera, file, test pattern.
