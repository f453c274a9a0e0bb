//! Pictures from a y4m file (YUV4MPEG2): 8-bit 4:2:0, progressive; streamed, never loaded; played again from its
//! beginning when it ends.
//!
//! The parser is total and bounded: no header is read beyond [`MAX_HEADER_BYTES`], no picture is larger than the
//! largest of a call, and whatever is not understood gives an error that says what is.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::pattern::wait_for_tick;
use super::{CaptureError, Captured, POOL_PICTURES, SourceFormat, VideoSource};
use crate::engine::clock;
use crate::media::{Colour, FrameId, Matrix, PictureMut, PicturePool, Plane, PoolCounts, Range, Timestamp};

/// First word of every file.
const MAGIC: &str = "YUV4MPEG2";
/// Longest header of a file or a frame.
const MAX_HEADER_BYTES: usize = 1024;
/// Pictures from this height on are high definition, whose matrix is BT.709: the format does not say.
const HIGH_DEFINITION: u32 = 720;
/// Shortest and longest time between two pictures that a file may ask for.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(4)..=Duration::from_secs(10);

/// Why a file gives no pictures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Y4mError {
    /// The system refused to open or read it.
    #[error("{0}; give the path of a Y4M file that you can read")]
    Io(String),
    /// Not a y4m file at all.
    #[error("it does not begin with YUV4MPEG2; convert it, for example with ffmpeg -i INPUT -pix_fmt yuv420p OUT.y4m")]
    NotY4m,
    /// A header that is longer than any real one, or ends too early.
    #[error("its header is longer than {MAX_HEADER_BYTES} bytes or has no end")]
    HeaderTooLong,
    /// A header field that cannot be read.
    #[error("its header says '{0}', which cannot be understood")]
    BadField(String),
    /// A kind of picture that calls do not use.
    #[error("its pictures are '{0}', not 8-bit 4:2:0; convert it with ffmpeg -i INPUT -pix_fmt yuv420p OUT.y4m")]
    Sampling(String),
    /// Half pictures.
    #[error("its pictures are interlaced; convert it with ffmpeg -i INPUT -vf yadif -pix_fmt yuv420p OUT.y4m")]
    Interlaced,
    /// No width, no height, or sizes beyond what a call uses.
    #[error(
        "its pictures are {width}×{height}, outside of {} to {}",
        super::MIN_DIMENSION,
        crate::media::MAX_DIMENSION
    )]
    Size {
        /// Width, zero if missing.
        width: u32,
        /// Height, zero if missing.
        height: u32,
    },
    /// Something else where a frame should begin.
    #[error("it is damaged: no frame begins at byte {0}")]
    NoFrame(u64),
    /// Nothing in it.
    #[error("it has no whole picture in it")]
    Empty,
}

/// What a file says about its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Y4mHeader {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Time between two pictures, if it says.
    pub interval: Option<Duration>,
    /// How the numbers are to be read.
    pub colour: Colour,
}

impl Y4mHeader {
    /// Reads the header line, without its end.
    pub fn parse(line: &[u8]) -> Result<Self, Y4mError> {
        let line = std::str::from_utf8(line).map_err(|_| Y4mError::NotY4m)?;
        let mut fields = line.split_ascii_whitespace();
        if fields.next() != Some(MAGIC) {
            return Err(Y4mError::NotY4m);
        }
        let (mut width, mut height, mut interval, mut range) = (0, 0, None, Range::Limited);
        for field in fields {
            let bad = || Y4mError::BadField(field.to_owned());
            let (key, value) = field.split_at_checked(1).ok_or_else(bad)?;
            match key {
                "W" => width = value.parse().map_err(|_| bad())?,
                "H" => height = value.parse().map_err(|_| bad())?,
                // The file does not know its rate.
                "F" if value == "0:0" => {}
                "F" => interval = Some(parse_rate(value).ok_or_else(bad)?),
                "I" if matches!(value, "t" | "b" | "m") => return Err(Y4mError::Interlaced),
                "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(Y4mError::Sampling(value.to_owned()));
                }
                "X" if value == "COLORRANGE=FULL" => range = Range::Full,
                // The pixels' aspect, the chroma's place, comments: nothing that changes what is sent.
                _ => {}
            }
        }
        if !SourceFormat::new(width, height, 1).is_supported() {
            return Err(Y4mError::Size { width, height });
        }
        let matrix = if height >= HIGH_DEFINITION { Matrix::Bt709 } else { Matrix::Bt601 };
        Ok(Self { width, height, interval, colour: Colour { matrix, range } })
    }
}

/// Time between two pictures from a rate such as `30000:1001`.
fn parse_rate(value: &str) -> Option<Duration> {
    let (pictures, seconds) = value.split_once(':')?;
    let (pictures, seconds): (u32, u32) = (pictures.parse().ok()?, seconds.parse().ok()?);
    let interval = (u64::from(seconds) * 1_000_000_000).checked_div(pictures.into()).map(Duration::from_nanos)?;
    INTERVALS.contains(&interval).then_some(interval)
}

/// Reads pictures one after the other, and again from the first when they end.
pub struct Y4mReader<R> {
    input: R,
    header: Y4mHeader,
    /// Where the first frame begins.
    first: u64,
    /// Where reading stands.
    at: u64,
    /// Whether a whole picture was found since the beginning.
    found: bool,
}

impl<R: BufRead + Seek> Y4mReader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, Y4mError> {
        let start = input.fill_buf().map_err(|error| Y4mError::Io(error.to_string()))?;
        if !start.starts_with(MAGIC.as_bytes()) {
            return Err(Y4mError::NotY4m);
        }
        let line = read_line(&mut input)?.ok_or(Y4mError::NotY4m)?;
        let header = Y4mHeader::parse(&line)?;
        let first = line.len() as u64 + 1;
        Ok(Self { input, header, first, at: first, found: false })
    }

    /// What the file says about its pictures.
    #[must_use]
    pub const fn header(&self) -> Y4mHeader {
        self.header
    }

    /// Fills `picture`, which has the file's size, with the next picture. A last picture that is cut off is left out.
    pub fn read(&mut self, picture: &mut PictureMut) -> Result<(), Y4mError> {
        if self.try_read(picture)? {
            return Ok(());
        }
        if !self.found {
            return Err(Y4mError::Empty);
        }
        self.input.seek(SeekFrom::Start(self.first)).map_err(|error| Y4mError::Io(error.to_string()))?;
        (self.at, self.found) = (self.first, false);
        // Somebody may have cut the file off meanwhile: then it is empty now.
        if self.try_read(picture)? { Ok(()) } else { Err(Y4mError::Empty) }
    }

    /// False at the end of the file.
    fn try_read(&mut self, picture: &mut PictureMut) -> Result<bool, Y4mError> {
        let Some(line) = read_line(&mut self.input)? else { return Ok(false) };
        if line.split(|byte| *byte == b' ').next() != Some(b"FRAME") {
            return Err(Y4mError::NoFrame(self.at));
        }
        self.at += line.len() as u64 + 1;
        let (width, height) = (self.header.width, self.header.height);
        for (plane, (bytes, stride)) in Plane::ALL.into_iter().zip(picture.planes_mut()) {
            let (plane_width, plane_height) = plane.size(width, height);
            for row in bytes.chunks_mut(stride).take(plane_height as usize) {
                match self.input.read_exact(&mut row[..plane_width as usize]) {
                    Ok(()) => self.at += u64::from(plane_width),
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
                    Err(error) => return Err(Y4mError::Io(error.to_string())),
                }
            }
        }
        self.found = true;
        Ok(true)
    }
}

/// A line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Y4mError> {
    let mut line = Vec::new();
    let mut bounded = input.take(MAX_HEADER_BYTES as u64 + 1);
    bounded.read_until(b'\n', &mut line).map_err(|error| Y4mError::Io(error.to_string()))?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(Y4mError::HeaderTooLong),
    }
}

/// A y4m file as a source: in its own size, paced by its own rate, or by the one asked for if it does not know its own.
pub struct Y4mSource {
    path: PathBuf,
    name: String,
    reader: Y4mReader<BufReader<File>>,
    format: SourceFormat,
    pool: PicturePool,
    next_at: Option<Timestamp>,
}

impl Y4mSource {
    /// Opens `path`; `interval` paces files that do not know their rate.
    pub fn open(path: &Path, interval: Duration) -> Result<Self, CaptureError> {
        let in_file = |why: Y4mError| CaptureError::File { path: path.to_path_buf(), why };
        let file = File::open(path).map_err(|error| in_file(Y4mError::Io(error.to_string())))?;
        let reader = Y4mReader::new(BufReader::with_capacity(1 << 18, file)).map_err(in_file)?;
        let Y4mHeader { width, height, interval: own, .. } = reader.header();
        let format = SourceFormat { width, height, interval: own.unwrap_or(interval) };
        let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string());
        let path = path.to_path_buf();
        Ok(Self { path, name, reader, format, pool: PicturePool::new(POOL_PICTURES), next_at: None })
    }
}

impl VideoSource for Y4mSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&self) -> SourceFormat {
        self.format
    }

    fn next(&mut self, _id: FrameId) -> Result<Option<Captured>, CaptureError> {
        if !wait_for_tick(&mut self.next_at, self.format.interval) {
            return Ok(None);
        }
        let Y4mHeader { width, height, colour, .. } = self.reader.header();
        let Some(mut picture) = self.pool.acquire(width, height, colour) else { return Ok(None) };
        self.reader.read(&mut picture).map_err(|why| CaptureError::File { path: self.path.clone(), why })?;
        let captured = clock::now();
        Ok(Some(Captured { picture: self.pool.finish(picture), captured, converted: captured }))
    }

    fn pool(&self) -> PoolCounts {
        self.pool.counts()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use proptest::prelude::*;

    use super::*;
    use crate::media::Picture;

    fn file(header: &str, size: usize, frames: u8) -> Vec<u8> {
        let mut bytes = format!("{header}\n").into_bytes();
        for frame in 0..frames {
            bytes.extend_from_slice(if frame % 2 == 0 { b"FRAME\n" } else { b"FRAME Ip XCOMMENT\n" });
            bytes.extend(std::iter::repeat_n(frame + 1, size));
        }
        bytes
    }

    fn read(reader: &mut Y4mReader<impl BufRead + Seek>) -> Result<Picture, Y4mError> {
        let mut pool = PicturePool::new(1);
        let header = reader.header();
        let mut picture = pool.acquire(header.width, header.height, header.colour).unwrap();
        reader.read(&mut picture)?;
        Ok(pool.finish(picture))
    }

    fn first_samples(bytes: Vec<u8>, count: usize) -> Vec<u8> {
        let mut reader = Y4mReader::new(Cursor::new(bytes)).unwrap();
        (0..count).map(|_| read(&mut reader).unwrap().rows(Plane::Y).next().unwrap()[0]).collect()
    }

    const ODD: usize = 17 * 19 + 2 * 9 * 10;

    #[test]
    fn pictures_come_in_order_and_again_from_the_first() {
        let bytes = file("YUV4MPEG2 W17 H19 F25:1 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2", ODD, 3);
        assert_eq!(first_samples(bytes.clone(), 7), [1, 2, 3, 1, 2, 3, 1]);
        let mut reader = Y4mReader::new(Cursor::new(bytes)).unwrap();
        let picture = read(&mut reader).unwrap();
        assert!(Plane::ALL.iter().all(|plane| picture.rows(*plane).flatten().all(|sample| *sample == 1)));
        assert_eq!(reader.header().interval, Some(Duration::from_millis(40)));
    }

    #[test]
    fn a_last_picture_that_is_cut_off_is_left_out() {
        let mut bytes = file("YUV4MPEG2 W17 H19 F25:1", ODD, 3);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(first_samples(bytes, 3), [1, 2, 1]);
        let mut bytes = file("YUV4MPEG2 W17 H19 F25:1", ODD, 1);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(read(&mut Y4mReader::new(Cursor::new(bytes)).unwrap()).err(), Some(Y4mError::Empty));
    }

    #[test]
    fn the_variants_of_420_are_read_and_others_refused_by_name() {
        for good in ["", "C420", "C420jpeg", "C420mpeg2", "C420paldv", "Ip", "I?", "A0:0 Xanything"] {
            assert!(Y4mHeader::parse(format!("YUV4MPEG2 W16 H16 F30:1 {good}").as_bytes()).is_ok(), "{good}");
        }
        for bad in ["422", "444", "mono", "420p10", "444alpha", "411"] {
            let line = format!("YUV4MPEG2 W16 H16 F30:1 C{bad}");
            assert_eq!(Y4mHeader::parse(line.as_bytes()), Err(Y4mError::Sampling(bad.into())));
        }
        assert_eq!(Y4mHeader::parse(b"YUV4MPEG2 W16 H16 It"), Err(Y4mError::Interlaced));
    }

    #[test]
    fn rate_range_and_matrix_follow_the_header() {
        let header = |fields: &str| Y4mHeader::parse(format!("YUV4MPEG2 {fields}").as_bytes());
        assert_eq!(header("W16 H16 F30000:1001").unwrap().interval, Some(Duration::from_nanos(33_366_666)));
        assert_eq!(header("W16 H16 F0:0").unwrap().interval, None);
        assert_eq!(header("W16 H16").unwrap().interval, None);
        assert_eq!(header("W16 H16 XCOLORRANGE=FULL").unwrap().colour.range, Range::Full);
        assert_eq!(header("W1280 H720").unwrap().colour, Colour { matrix: Matrix::Bt709, range: Range::Limited });
        for bad in ["F30", "F30:x", "F1000000:1", "F1:4000000", "W-1", "H1e3", "Wé"] {
            assert!(matches!(header(&format!("W16 H16 {bad}")), Err(Y4mError::BadField(_))), "{bad}");
        }
        for (width, height) in [(15, 16), (16, 4097), (4_000_000_000, 16)] {
            assert_eq!(header(&format!("W{width} H{height}")), Err(Y4mError::Size { width, height }));
        }
        assert_eq!(header("H16"), Err(Y4mError::Size { width: 0, height: 16 }));
    }

    #[test]
    fn what_is_no_y4m_file_is_said() {
        let open = |bytes: &[u8]| Y4mReader::new(Cursor::new(bytes.to_vec())).err();
        assert_eq!(open(b""), Some(Y4mError::NotY4m));
        assert_eq!(open(b"RIFF....AVI \n"), Some(Y4mError::NotY4m));
        assert_eq!(open(&[b'Y'; 5000]), Some(Y4mError::NotY4m));
        assert_eq!(open(&[b"YUV4MPEG2 X".as_slice(), &[b'x'; 5000]].concat()), Some(Y4mError::HeaderTooLong));
        assert_eq!(open(b"YUV4MPEG2 W16 H16"), Some(Y4mError::HeaderTooLong));
        let mut damaged = file("YUV4MPEG2 W17 H19", ODD, 1);
        damaged.extend_from_slice(b"FRAMES\n");
        let mut reader = Y4mReader::new(Cursor::new(damaged)).unwrap();
        assert!(read(&mut reader).is_ok());
        assert_eq!(read(&mut reader).err(), Some(Y4mError::NoFrame(18 + 6 + ODD as u64)));
    }

    #[test]
    fn the_source_paces_names_its_file_and_gives_the_files_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        File::create(&path).unwrap().write_all(&file("YUV4MPEG2 W17 H19 F100:1", ODD, 2)).unwrap();
        let mut source = Y4mSource::open(&path, Duration::from_secs(1)).unwrap();
        assert_eq!((source.name(), source.format().width, source.format().fps()), ("clip.y4m", 17, 100));
        let times: Vec<_> = (0..4).map(|id| source.next(FrameId(id)).unwrap().unwrap().captured).collect();
        assert!(times[3].since(times[0]) >= Duration::from_millis(15), "not paced");
        let missing = Y4mSource::open(&folder.path().join("none.y4m"), Duration::from_secs(1)).err().unwrap();
        assert!(missing.to_string().contains("none.y4m"), "{missing}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_pictures_or_an_error(
            header in proptest::option::of("YUV4MPEG2( [WHFICAX][0-9a-z:=]{0,6}){0,6}\n(FRAME\n)?"),
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let mut input = header.unwrap_or_default().into_bytes();
            input.extend(bytes);
            if let Ok(mut reader) = Y4mReader::new(Cursor::new(input)) {
                for _ in 0..3 {
                    let _ = read(&mut reader);
                }
            }
        }

        #[test]
        fn a_damaged_file_gives_pictures_or_an_error(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = file("YUV4MPEG2 W17 H19 F25:1 Ip C420jpeg", ODD, 3);
            for (at, flip) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(mut reader) = Y4mReader::new(Cursor::new(bytes)) {
                for _ in 0..5 {
                    let _ = read(&mut reader);
                }
            }
        }
    }
}
