//! Reads QR codes in pictures of the own camera, on a thread of its own, so that the window never waits for it.
//!
//! One picture waits at most; further ones are passed over while one is being read, since the next is as good.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use crate::media::{Picture, Plane};

/// Longest text that is taken from a code, in bytes: far more than any of ours.
const MAX_TEXT_BYTES: usize = 1024;

/// The brightness of one picture.
struct Luma {
    samples: Vec<u8>,
    width: usize,
    height: usize,
}

/// A reader that runs until it is dropped.
#[derive(Debug)]
pub struct QrReader {
    pictures: SyncSender<Luma>,
    texts: Receiver<Option<String>>,
    reading: bool,
}

impl QrReader {
    /// Starts the thread; nothing if the system gives none.
    #[must_use]
    pub fn start() -> Option<Self> {
        let (pictures, to_read) = sync_channel::<Luma>(1);
        let (tell, texts) = sync_channel(1);
        let run = move || {
            while let Ok(Luma { samples, width, height }) = to_read.recv() {
                if tell.send(read(&samples, width, height, width)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("qr-reader".into()).spawn(run).ok()?;
        Some(Self { pictures, texts, reading: false })
    }

    /// Shows it a picture; passed over if the one before is still being read.
    pub fn show(&mut self, picture: &Picture) {
        if self.reading {
            return;
        }
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let samples = picture.rows(Plane::Y).flat_map(|row| row.iter().take(width)).copied().collect();
        self.reading = self.pictures.try_send(Luma { samples, width, height }).is_ok();
    }

    /// The text of the code in the picture that was read last, once.
    pub fn poll(&mut self) -> Option<String> {
        match self.texts.try_recv() {
            Ok(text) => {
                self.reading = false;
                text
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

/// The text of the first code in rows of `stride` samples of brightness; nothing if there is none, or one of no use.
#[must_use]
pub fn read(luma: &[u8], width: usize, height: usize, stride: usize) -> Option<String> {
    if width == 0 || height == 0 || width > stride || luma.len() < stride.checked_mul(height)? {
        return None;
    }
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| luma[y * stride + x]);
    prepared.detect_grids().iter().find_map(|grid| {
        let (_, text) = grid.decode().ok()?;
        (text.len() <= MAX_TEXT_BYTES).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use qrcode::QrCode;

    use super::*;
    use crate::media::{Colour, PicturePool};

    /// A picture as a camera has it: the code in a part of it, with a soft edge to each square.
    fn picture_of(text: &str) -> Picture {
        let code = QrCode::new(text.as_bytes()).unwrap();
        let (side, dark) = (code.width(), code.to_colors());
        let mut pool = PicturePool::new(1);
        let (width, height, square) = (640, 360, 5);
        let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
        let [(luma, stride), ..] = picture.planes_mut();
        for y in 0..height as usize {
            for x in 0..width as usize {
                let inside = |at: usize| at.checked_sub(40).map(|at| at / square).filter(|at| *at < side);
                let is_dark = inside(x).zip(inside(y)).is_some_and(|(x, y)| dark[y * side + x] == qrcode::Color::Dark);
                luma[y * stride + x] = if is_dark { 60 } else { 190 } + (x % 7) as u8;
            }
        }
        pool.finish(picture)
    }

    #[test]
    fn a_code_before_the_camera_is_read_once() {
        let mut reader = QrReader::start().unwrap();
        assert_eq!(reader.poll(), None);
        let picture = picture_of("visavis:bob@example.org");
        reader.show(&picture);
        reader.show(&picture);
        let found = loop {
            if let Some(text) = reader.poll() {
                break text;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        assert_eq!(found, "visavis:bob@example.org");
        assert_eq!(reader.poll(), None, "the second picture was passed over");
    }

    #[test]
    fn sizes_that_do_not_fit_give_nothing() {
        assert_eq!(read(&[0; 10], 4, 3, 4), None);
        assert_eq!(read(&[], 0, 0, 0), None);
        assert_eq!(read(&[0; 16], 8, 2, 4), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_picture_gives_a_text_or_nothing(luma in proptest::collection::vec(any::<u8>(), 60 * 40)) {
            let _ = read(&luma, 60, 40, 60);
        }
    }
}
