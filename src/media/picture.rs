//! Raw pictures: 8-bit I420 (Y, U, V planes, chroma halved both ways, odd sizes rounded up) with their colour
//! description, and the pool that capture takes them from.

use std::fmt;
use std::sync::Arc;

/// Widest and highest picture that any part accepts.
pub const MAX_DIMENSION: u32 = 4096;

/// Luma weights of the Y′CbCr matrix (ITU-T H.273 `MatrixCoefficients`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: webcams and small pictures.
    #[default]
    Bt601,
    /// ITU-R BT.709: high-definition video.
    Bt709,
}

/// Which code values black and white have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16–235, chroma 16–240.
    #[default]
    Limited,
    /// 0–255, as JPEG has it.
    Full,
}

/// How the numbers of a picture are to be read as colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colour {
    /// The matrix.
    pub matrix: Matrix,
    /// The range.
    pub range: Range,
}

/// One of the three planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Plane {
    /// Luma, full size.
    Y = 0,
    /// Blue difference, half size both ways.
    U = 1,
    /// Red difference, half size both ways.
    V = 2,
}

impl Plane {
    /// All planes in order.
    pub const ALL: [Self; 3] = [Self::Y, Self::U, Self::V];

    /// Width and height of this plane in a picture of `width` × `height`.
    #[must_use]
    pub const fn size(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Y => (width, height),
            Self::U | Self::V => chroma_size(width, height),
        }
    }
}

/// Size of the chroma planes of a picture of `width` × `height`: half, rounded up.
#[must_use]
pub const fn chroma_size(width: u32, height: u32) -> (u32, u32) {
    (width.div_ceil(2), height.div_ceil(2))
}

/// Where the bytes of a picture live: a pool's buffer, or a decoder's own picture without a copy.
pub trait PlaneStore: Send + Sync {
    /// The plane's bytes and its stride in bytes. At least `stride × (height − 1) + width` bytes for the plane's size.
    fn plane(&self, plane: Plane) -> (&[u8], usize);
}

/// A finished picture: immutable, cheap to clone, sent between threads.
#[derive(Clone)]
pub struct Picture {
    width: u32,
    height: u32,
    colour: Colour,
    store: Arc<dyn PlaneStore>,
}

impl Picture {
    /// Wraps planes that live elsewhere. `None` if the size is zero or above [`MAX_DIMENSION`], or a plane is too short
    /// for it.
    #[must_use]
    pub fn from_store(width: u32, height: u32, colour: Colour, store: Arc<dyn PlaneStore>) -> Option<Self> {
        if width == 0 || height == 0 || width > MAX_DIMENSION || height > MAX_DIMENSION {
            return None;
        }
        for plane in Plane::ALL {
            let (plane_width, plane_height) = plane.size(width, height);
            let (bytes, stride) = store.plane(plane);
            let needed = stride.checked_mul(plane_height as usize - 1)?.checked_add(plane_width as usize)?;
            if stride < plane_width as usize || bytes.len() < needed {
                return None;
            }
        }
        Some(Self { width, height, colour, store })
    }

    /// Width in luma samples.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in luma samples.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How its numbers are to be read.
    #[must_use]
    pub const fn colour(&self) -> Colour {
        self.colour
    }

    /// A plane's bytes (from its first sample) and its stride in bytes.
    #[must_use]
    pub fn plane(&self, plane: Plane) -> (&[u8], usize) {
        self.store.plane(plane)
    }

    /// The rows of a plane, each exactly as wide as the plane.
    pub fn rows(&self, plane: Plane) -> impl Iterator<Item = &[u8]> {
        let (width, height) = plane.size(self.width, self.height);
        let (bytes, stride) = self.store.plane(plane);
        bytes.chunks(stride).take(height as usize).map(move |row| &row[..width as usize])
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}×{}, {:?})", self.width, self.height, self.colour)
    }
}

/// The buffers of one capture source. Owned by the capturing thread; a buffer comes back by itself when the last
/// clone of its picture is dropped, wherever that happens.
///
/// Capacity: fixed. When empty: [`PicturePool::acquire`] gives nothing and the capture is skipped and counted, because
/// it means that pictures are held up further down and more of them would only be later ones.
pub struct PicturePool {
    buffers: Vec<Arc<Buffer>>,
    capacity: usize,
    exhausted: u64,
}

struct Buffer {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}

/// Rows start at multiples of this many bytes: a whole vector register.
const ROW_ALIGNMENT: usize = 64;

impl Buffer {
    fn strides(&self) -> (usize, usize) {
        let chroma_width = self.width.div_ceil(2) as usize;
        ((self.width as usize).next_multiple_of(ROW_ALIGNMENT), chroma_width.next_multiple_of(ROW_ALIGNMENT))
    }

    /// Byte offsets where U begins, V begins, and all ends.
    fn layout(&self) -> (usize, usize, usize) {
        let (luma_stride, chroma_stride) = self.strides();
        let u = luma_stride * self.height as usize;
        let v = u + chroma_stride * self.height.div_ceil(2) as usize;
        (u, v, v + chroma_stride * self.height.div_ceil(2) as usize)
    }

    fn resize(&mut self, width: u32, height: u32) {
        self.width = width;
        self.height = height;
        let (_, _, end) = self.layout();
        self.bytes.resize(end, 0);
        self.bytes.shrink_to(end);
    }
}

impl PlaneStore for Buffer {
    fn plane(&self, plane: Plane) -> (&[u8], usize) {
        let (u, v, end) = self.layout();
        let (luma_stride, chroma_stride) = self.strides();
        match plane {
            Plane::Y => (&self.bytes[..u], luma_stride),
            Plane::U => (&self.bytes[u..v], chroma_stride),
            Plane::V => (&self.bytes[v..end], chroma_stride),
        }
    }
}

/// How a pool is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Buffers that the pool knows of, in use or free; never above its capacity.
    pub buffers: usize,
    /// How often no picture was free.
    pub exhausted: u64,
}

impl PicturePool {
    /// A pool of at most `capacity` pictures; memory is taken when they are first needed.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { buffers: Vec::with_capacity(capacity), capacity, exhausted: 0 }
    }

    /// A picture to be filled, its old content undefined. `None` when all are in use, or the size is zero or above
    /// [`MAX_DIMENSION`].
    pub fn acquire(&mut self, width: u32, height: u32, colour: Colour) -> Option<PictureMut> {
        if width == 0 || height == 0 || width > MAX_DIMENSION || height > MAX_DIMENSION {
            return None;
        }
        let free = self.buffers.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some());
        let mut buffer = match free {
            Some(index) => self.buffers.swap_remove(index),
            None if self.buffers.len() < self.capacity => Arc::new(Buffer { bytes: Vec::new(), width: 0, height: 0 }),
            None => {
                self.exhausted += 1;
                return None;
            }
        };
        let inner = Arc::get_mut(&mut buffer)?;
        if (inner.width, inner.height) != (width, height) {
            inner.resize(width, height);
        }
        Some(PictureMut { buffer, colour })
    }

    /// Turns a filled picture into a finished one and keeps its buffer for later.
    pub fn finish(&mut self, picture: PictureMut) -> Picture {
        let PictureMut { buffer, colour } = picture;
        if self.buffers.len() < self.capacity {
            self.buffers.push(Arc::clone(&buffer));
        }
        Picture { width: buffer.width, height: buffer.height, colour, store: buffer }
    }

    /// How it is used so far.
    #[must_use]
    pub const fn counts(&self) -> PoolCounts {
        PoolCounts { buffers: self.buffers.len(), exhausted: self.exhausted }
    }
}

/// A picture that is being filled: one owner, writable. Hand it to [`PicturePool::finish`].
pub struct PictureMut {
    buffer: Arc<Buffer>,
    colour: Colour,
}

impl PictureMut {
    /// Width in luma samples.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.buffer.width
    }

    /// Height in luma samples.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.buffer.height
    }

    /// All three planes, each as (bytes, stride), to be written.
    ///
    /// # Panics
    /// Never: a picture being filled has one owner.
    pub fn planes_mut(&mut self) -> [(&mut [u8], usize); 3] {
        let buffer = Arc::get_mut(&mut self.buffer).expect("a picture being filled has one owner");
        let (u, v, end) = buffer.layout();
        let (luma_stride, chroma_stride) = buffer.strides();
        let (luma, chroma) = buffer.bytes[..end].split_at_mut(u);
        let (cb, cr) = chroma.split_at_mut(v - u);
        [(luma, luma_stride), (cb, chroma_stride), (cr, chroma_stride)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_chroma_up() {
        let mut pool = PicturePool::new(1);
        let picture = pool.acquire(5, 3, Colour::default()).unwrap();
        let picture = pool.finish(picture);
        assert_eq!(picture.rows(Plane::Y).count(), 3);
        assert!(picture.rows(Plane::Y).all(|row| row.len() == 5));
        assert_eq!(picture.rows(Plane::U).count(), 2);
        assert!(picture.rows(Plane::V).all(|row| row.len() == 3));
    }

    #[test]
    fn a_buffer_comes_back_when_the_last_clone_is_dropped() {
        let mut pool = PicturePool::new(1);
        let filled = pool.acquire(4, 4, Colour::default()).unwrap();
        let first = pool.finish(filled);
        let clone = first.clone();
        drop(first);
        assert!(pool.acquire(4, 4, Colour::default()).is_none());
        assert_eq!(pool.counts(), PoolCounts { buffers: 1, exhausted: 1 });
        drop(clone);
        assert!(pool.acquire(4, 4, Colour::default()).is_some());
    }

    #[test]
    fn an_unfinished_picture_that_is_dropped_does_not_shrink_the_pool() {
        let mut pool = PicturePool::new(1);
        drop(pool.acquire(4, 4, Colour::default()));
        assert!(pool.acquire(4, 4, Colour::default()).is_some());
    }

    #[test]
    fn size_may_change_from_picture_to_picture() {
        let mut pool = PicturePool::new(1);
        for (width, height) in [(64, 64), (7, 9), (640, 360)] {
            let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
            for (plane, _) in picture.planes_mut() {
                plane.fill(128);
            }
            let picture = pool.finish(picture);
            assert!(picture.rows(Plane::V).flatten().all(|&sample| sample == 128));
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let mut pool = PicturePool::new(1);
        assert!(pool.acquire(0, 4, Colour::default()).is_none());
        assert!(pool.acquire(4, MAX_DIMENSION + 1, Colour::default()).is_none());
    }

    struct Short;
    impl PlaneStore for Short {
        fn plane(&self, _: Plane) -> (&[u8], usize) {
            (&[0; 10], 4)
        }
    }

    #[test]
    fn planes_too_short_for_the_size_are_refused() {
        assert!(Picture::from_store(4, 4, Colour::default(), Arc::new(Short)).is_none());
        assert!(Picture::from_store(4, 2, Colour::default(), Arc::new(Short)).is_some());
    }
}
