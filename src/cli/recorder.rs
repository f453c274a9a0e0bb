//! Writes pictures to a y4m file (`C420jpeg` for full range, `C420mpeg2` else), at the size of the first one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::media::{Picture, Plane, Range, Scaler};

/// A recording. Pictures of another size than the first are brought to its size.
pub struct Recorder {
    out: BufWriter<File>,
    fps: u32,
    size: Option<(u32, u32)>,
    scaler: Scaler,
}

impl Recorder {
    /// Begins a recording at `path` that claims `fps` pictures a second.
    pub fn create(path: &Path, fps: u32) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?), fps, size: None, scaler: Scaler::new(1) })
    }

    /// Adds a picture.
    pub fn add(&mut self, picture: &Picture) -> io::Result<()> {
        let size = if let Some(size) = self.size { size } else { self.begin(picture)? };
        let unscaled = || io::Error::other("a picture cannot be brought to the recording's size");
        let picture = self.scaler.scale(picture, size).ok_or_else(unscaled)?;
        writeln!(self.out, "FRAME")?;
        for plane in Plane::ALL {
            for row in picture.rows(plane) {
                self.out.write_all(row)?;
            }
        }
        Ok(())
    }

    /// Writes what is still in memory.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn begin(&mut self, picture: &Picture) -> io::Result<(u32, u32)> {
        let (chroma, range) = match picture.colour().range {
            Range::Full => ("420jpeg", "FULL"),
            Range::Limited => ("420mpeg2", "LIMITED"),
        };
        let (width, height) = (picture.width(), picture.height());
        writeln!(self.out, "YUV4MPEG2 W{width} H{height} F{}:1 Ip A1:1 C{chroma} XCOLORRANGE={range}", self.fps)?;
        Ok(*self.size.insert((width, height)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, PicturePool};

    #[test]
    fn a_recording_has_a_header_and_all_samples_at_one_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.y4m");
        let mut pool = PicturePool::new(2);
        let mut recorder = Recorder::create(&path, 30).unwrap();
        for (width, height) in [(5, 3), (5, 3), (8, 8)] {
            let picture = pool.acquire(width, height, Colour::default()).unwrap();
            recorder.add(&pool.finish(picture)).unwrap();
        }
        recorder.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let header = b"YUV4MPEG2 W5 H3 F30:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n";
        assert!(bytes.starts_with(header));
        assert_eq!(bytes.len(), header.len() + 3 * (b"FRAME\n".len() + 15 + 6 + 6));
    }
}
