//! What the GPU takes for a pass, by its own clock. Its times have no place on ours: only their differences mean anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Gpu;

/// Passes that are being measured or read at once. Full: the pass is not measured.
const SLOTS: usize = 4;
/// Begin and end of a pass.
const QUERIES: u32 = 2;
const BYTES: u64 = QUERIES as u64 * wgpu::QUERY_SIZE as u64;

/// Timers within passes that follow each other: those of one window, or of pictures that are drawn offscreen.
pub struct GpuTimer {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    slots: [Slot; SLOTS],
    nanos_per_tick: f64,
    /// The pass that has been recorded and is to be read with the next frame.
    recorded: Option<u64>,
    begun: Option<u64>,
}

struct Slot {
    buffer: wgpu::Buffer,
    busy: Arc<AtomicBool>,
}

impl GpuTimer {
    /// Nothing if the GPU has no timers within passes.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Option<Self> {
        let needed = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        if !gpu.timers().contains(needed) {
            return None;
        }
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("pass timer"),
            ty: wgpu::QueryType::Timestamp,
            count: QUERIES * SLOTS as u32,
        });
        let buffer = |size, usage| {
            let label = Some("pass timer");
            gpu.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        };
        let read = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        Some(Self {
            queries,
            resolved: buffer(
                SLOTS as u64 * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT,
                wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            ),
            slots: std::array::from_fn(|_| Slot { buffer: buffer(BYTES, read), busy: Arc::default() }),
            nanos_per_tick: f64::from(gpu.queue.get_timestamp_period()),
            recorded: None,
            begun: None,
        })
    }

    /// Marks the beginning of the pass of this frame.
    pub fn begin(&mut self, pass: &mut wgpu::RenderPass<'_>, number: u64) {
        let slot = slot_of(number);
        self.begun = (!self.slots[slot].busy.load(Ordering::Acquire)).then_some(number);
        if self.begun.is_some() {
            pass.write_timestamp(&self.queries, slot as u32 * QUERIES);
        }
    }

    /// Marks its end.
    pub fn end(&mut self, pass: &mut wgpu::RenderPass<'_>, number: u64) {
        if self.begun.take() == Some(number) {
            pass.write_timestamp(&self.queries, slot_of(number) as u32 * QUERIES + 1);
            self.recorded = Some(number);
        }
    }

    /// Has the last pass read with the commands of `encoder`, which come after it; `tell` is told its number and what it took.
    pub fn resolve(&mut self, encoder: &mut wgpu::CommandEncoder, tell: impl FnOnce(u64, Duration) + Send + 'static) {
        let Some(number) = self.recorded.take() else { return };
        let slot = slot_of(number);
        let Slot { buffer, busy } = &self.slots[slot];
        let (first, at) = (slot as u32 * QUERIES, slot as u64 * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT);
        encoder.resolve_query_set(&self.queries, first..first + QUERIES, &self.resolved, at);
        encoder.copy_buffer_to_buffer(&self.resolved, at, buffer, 0, BYTES);
        busy.store(true, Ordering::Release);
        let (mapped, busy, nanos) = (buffer.clone(), Arc::clone(busy), self.nanos_per_tick);
        encoder.map_buffer_on_submit(buffer, wgpu::MapMode::Read, .., move |result| {
            if result.is_ok() {
                if let Some(ticks) = mapped.get_mapped_range(..).ok().and_then(|bytes| ticks(&bytes)) {
                    tell(number, Duration::from_nanos((ticks as f64 * nanos) as u64));
                }
                mapped.unmap();
            }
            busy.store(false, Ordering::Release);
        });
    }
}

const fn slot_of(number: u64) -> usize {
    number as usize % SLOTS
}

/// From the beginning to the end; nothing if the clock went backwards.
fn ticks(bytes: &[u8]) -> Option<u64> {
    let (begin, end) = bytes.split_first_chunk::<8>()?;
    u64::from_le_bytes(end.try_into().ok()?).checked_sub(u64::from_le_bytes(*begin))
}
