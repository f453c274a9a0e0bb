//! `visavis bench render`: what it costs to bring a picture to the screen's side, by three ways on the same frames.
//!
//! The ways take turns in short blocks, so that a busy machine is busy for all of them.

use std::fmt;

use serde::Serialize;

use super::machine::{Machine, Usage};
use super::summary::{Durations, Percentiles};
use crate::engine::clock;
use crate::media::{Colour, Picture, PicturePool, Plane};
use crate::render::offscreen::FORMAT;
use crate::render::planes::PlaneTextures;
use crate::render::ready::ReadyTexture;
use crate::render::{FillPipeline, Form, Gpu, Offscreen, RenderError};

/// Frames that one way draws before the next takes its turn.
const BLOCK: usize = 50;
/// Different pictures that are shown in turn, so that no cache holds the answer.
const PICTURES: usize = 8;

/// The figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct RenderReport {
    /// Version of this layout.
    pub schema: u32,
    /// What it was measured on.
    pub machine: Machine,
    /// Width of the pictures.
    pub width: u32,
    /// Height of the pictures.
    pub height: u32,
    /// Frames that each way has drawn.
    pub frames: usize,
    /// The ways.
    pub ways: Vec<WayFigures>,
}

/// One way of uploading and drawing.
#[derive(Clone, Debug, Serialize)]
pub struct WayFigures {
    /// Its name.
    pub name: &'static str,
    /// The program draws by this way on this GPU.
    pub used: bool,
    /// Bytes that it sends to the GPU for each picture.
    pub bytes_per_frame: usize,
    /// From the call until the GPU was told everything: what the calling thread spends.
    pub submit_ms: Percentiles,
    /// From the call until the GPU had finished (gpu_done; not presented).
    pub gpu_done_ms: Percentiles,
    /// Processor time of the whole process for each picture, a software GPU included.
    pub cpu_ms_per_frame: f64,
}

/// Names of the ways, in the order in which they are measured and reported.
const NAMES: [&str; 3] = ["planes_write_texture", "planes_staging_belt", "rgba_write_texture"];

#[derive(Default)]
struct Tally {
    submit: Durations,
    done: Durations,
    cpu_s: f64,
}

/// Measures all ways with at least `frames` frames each.
pub fn run(gpu: &Gpu, width: u32, height: u32, frames: usize) -> Result<RenderReport, RenderError> {
    let pictures = pictures(width, height);
    let mut ways = Ways::new(gpu, width, height)?;
    for way in 0..NAMES.len() {
        for picture in &pictures {
            ways.show(way, picture)?;
            ways.wait()?;
        }
    }
    let mut tallies: [Tally; NAMES.len()] = Default::default();
    let rounds = frames.div_ceil(BLOCK);
    for _ in 0..rounds {
        for (way, tally) in tallies.iter_mut().enumerate() {
            let before = Usage::now();
            for number in 0..BLOCK {
                let start = clock::now();
                ways.show(way, &pictures[number % PICTURES])?;
                tally.submit.add(clock::now().millis_since(start));
                ways.wait()?;
                tally.done.add(clock::now().millis_since(start));
            }
            tally.cpu_s += Usage::now().cpu_s - before.cpu_s;
        }
    }
    let luma = width as usize * height as usize;
    let chroma = width.div_ceil(2) as usize * height.div_ceil(2) as usize;
    let bytes = [luma + 2 * chroma, luma + 2 * chroma, 4 * luma];
    let used = match Form::of(gpu) {
        Form::Planes => 0,
        Form::Ready => 2,
    };
    let figures = |(way, tally): (usize, Tally)| WayFigures {
        name: NAMES[way],
        used: way == used,
        bytes_per_frame: bytes[way],
        submit_ms: tally.submit.percentiles(),
        gpu_done_ms: tally.done.percentiles(),
        cpu_ms_per_frame: tally.cpu_s * 1_000.0 / (rounds * BLOCK) as f64,
    };
    Ok(RenderReport {
        schema: 1,
        machine: Machine::this(gpu.name().to_owned(), gpu.backend().to_owned()),
        width,
        height,
        frames: rounds * BLOCK,
        ways: tallies.into_iter().enumerate().map(figures).collect(),
    })
}

impl fmt::Display for RenderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, gpu, backend, os } = &self.machine;
        writeln!(f, "{}x{}, {} pictures by each way", self.width, self.height, self.frames)?;
        writeln!(f, "{cpu}, {cores} cores, {gpu} ({backend}), {os}")?;
        let spent = ["submit p50", "gpu_done p50", "p95", "p99", "cpu", "bytes"];
        write!(f, "{:<22}", "milliseconds")?;
        spent.iter().try_for_each(|name| write!(f, " {name:>12}"))?;
        writeln!(f)?;
        for WayFigures { name, used, bytes_per_frame, submit_ms, gpu_done_ms: done, cpu_ms_per_frame: cpu } in
            &self.ways
        {
            write!(f, "{name:<22}")?;
            [submit_ms.p50, done.p50, done.p95, done.p99, *cpu].iter().try_for_each(|ms| write!(f, " {ms:>12.2}"))?;
            writeln!(f, " {bytes_per_frame:>12}{}", if *used { "  used here" } else { "" })?;
        }
        Ok(())
    }
}

struct Ways<'a> {
    gpu: &'a Gpu,
    target: Offscreen,
    planes: PlaneTextures,
    fill_planes: FillPipeline,
    belt: wgpu::util::StagingBelt,
    ready: ReadyTexture,
    fill_ready: FillPipeline,
}

impl<'a> Ways<'a> {
    fn new(gpu: &'a Gpu, width: u32, height: u32) -> Result<Self, RenderError> {
        let device = &gpu.device;
        let staged: u64 = Plane::ALL.into_iter().map(|plane| staged_bytes(plane.size(width, height))).sum();
        Ok(Self {
            gpu,
            target: Offscreen::new(gpu, width, height)?,
            planes: PlaneTextures::new(device),
            fill_planes: FillPipeline::new(device, FORMAT, Form::Planes),
            belt: wgpu::util::StagingBelt::new(device.clone(), staged),
            ready: ReadyTexture::new(device),
            fill_ready: FillPipeline::new(device, FORMAT, Form::Ready),
        })
    }

    /// Uploads, draws and submits by the way with this number.
    fn show(&mut self, way: usize, picture: &Picture) -> Result<(), RenderError> {
        let Gpu { device, queue, .. } = self.gpu;
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("bench") });
        let (bindings, fill) = match way {
            0 => {
                self.planes.upload(device, queue, picture)?;
                (self.planes.bindings(), &self.fill_planes)
            }
            1 => {
                let belt = &mut self.belt;
                self.planes.upload_by(device, queue, picture, |texture, bytes, stride| {
                    copy_by_belt(belt, &mut encoder, texture, bytes, stride);
                })?;
                belt.finish();
                (self.planes.bindings(), &self.fill_planes)
            }
            _ => {
                self.ready.upload(device, queue, picture)?;
                (self.ready.bindings(), &self.fill_ready)
            }
        };
        let mut pass = self.target.pass(&mut encoder, Some(wgpu::Color::BLACK));
        if let Some(bindings) = bindings {
            fill.draw(&mut pass, bindings);
        }
        drop(pass);
        queue.submit([encoder.finish()]);
        if way == 1 {
            self.belt.recall();
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), RenderError> {
        let result = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
        result.map(|_| ()).map_err(|error| RenderError::Lost(error.to_string()))
    }
}

/// Bytes that a plane takes in a staging buffer, whose rows begin at multiples of 256.
fn staged_bytes((width, height): (u32, u32)) -> u64 {
    u64::from(width.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)) * u64::from(height)
}

/// Sends a plane up by way of `wgpu::util::StagingBelt`, which keeps its mapped buffers.
fn copy_by_belt(
    belt: &mut wgpu::util::StagingBelt,
    encoder: &mut wgpu::CommandEncoder,
    texture: &wgpu::Texture,
    bytes: &[u8],
    stride: usize,
) {
    let (width, height) = (texture.width(), texture.height());
    let staged_row = width.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let Some(size) = wgpu::BufferSize::new(staged_bytes((width, height))) else { return };
    let Some(alignment) = wgpu::BufferSize::new(u64::from(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)) else { return };
    let slice = belt.allocate(size, alignment);
    let (buffer, offset) = (slice.buffer().clone(), slice.offset());
    if let Ok(mut view) = slice.get_mapped_range_mut() {
        for (row, samples) in bytes.chunks(stride).take(height as usize).enumerate() {
            let at = row * staged_row as usize;
            view.slice(at..at + width as usize).copy_from_slice(&samples[..width as usize]);
        }
    }
    encoder.copy_buffer_to_texture(
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout {
                offset,
                bytes_per_row: Some(staged_row),
                rows_per_image: Some(height),
            },
        },
        texture.as_image_copy(),
        texture.size(),
    );
}

/// Pictures that differ from each other in every sample.
fn pictures(width: u32, height: u32) -> Vec<Picture> {
    let mut pool = PicturePool::new(PICTURES);
    let mut made = Vec::with_capacity(PICTURES);
    for number in 0..PICTURES {
        let Some(mut picture) = pool.acquire(width, height, Colour::default()) else { continue };
        for (bytes, stride) in picture.planes_mut() {
            for (row, samples) in bytes.chunks_mut(stride).enumerate() {
                for (column, sample) in samples.iter_mut().enumerate() {
                    *sample = (row * 3 + column * 5 + number * 31) as u8;
                }
            }
        }
        made.push(pool.finish(picture));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_draw_the_same_picture() {
        let gpu = Gpu::open().unwrap();
        // Odd, and no multiple of any alignment; flat chroma, which the baseline does not blend.
        let (width, height) = (83, 47);
        let mut pool = PicturePool::new(1);
        let mut picture = pool.acquire(width, height, Colour::default()).unwrap();
        let [(luma, _), (cb, _), (cr, _)] = picture.planes_mut();
        luma.iter_mut().enumerate().for_each(|(at, sample)| *sample = 16 + (at % 200) as u8);
        cb.fill(100);
        cr.fill(150);
        let picture = pool.finish(picture);
        let mut ways = Ways::new(&gpu, width, height).unwrap();
        let seen = [0, 1, 2].map(|way| {
            ways.show(way, &picture).unwrap();
            ways.target.read(&gpu).unwrap()
        });
        assert_eq!(seen[0], seen[1]);
        let differences = seen[0].rgba.iter().zip(&seen[2].rgba).map(|(one, other)| one.abs_diff(*other));
        assert!(differences.max().unwrap() <= 2);
    }

    #[test]
    fn a_report_has_all_ways_with_frames_and_bytes() {
        let report = run(&Gpu::open().unwrap(), 64, 36, 1).unwrap();
        assert_eq!(report.frames, BLOCK);
        assert_eq!(report.ways.iter().map(|way| way.name).collect::<Vec<_>>(), NAMES);
        let bytes: Vec<_> = report.ways.iter().map(|way| way.bytes_per_frame).collect();
        assert_eq!(bytes, [3_456, 3_456, 9_216]);
        assert!(report.ways.iter().all(|way| way.gpu_done_ms.p50 > 0.0));
        assert_eq!(report.ways.iter().filter(|way| way.used).count(), 1);
    }
}
