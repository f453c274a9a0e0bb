//! Adapter and device, for drawing without a window, and the same choices for the window's device.

use super::RenderError;

/// Timers that are asked for where the adapter has them: within passes, within encoders, at the borders of passes.
const TIMERS: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS)
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);

/// An open GPU. Cheap to clone; all clones are the same device.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// Makes textures, buffers and pipelines.
    pub device: wgpu::Device,
    /// Takes the work.
    pub queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
}

impl Gpu {
    /// Opens the best adapter without a window. `WGPU_BACKEND` (`vulkan`, `gl`, `metal`, `dx12`) and `WGPU_POWER_PREF`
    /// are honoured; a software rasteriser counts as an adapter when there is no other.
    pub fn open() -> Result<Self, RenderError> {
        // OpenGL only as the last resort: looking for it costs time and memory that the others do not need.
        let attempts = match wgpu::Backends::from_env() {
            Some(asked) => vec![asked],
            None => vec![wgpu::Backends::PRIMARY, wgpu::Backends::GL],
        };
        let mut why = String::new();
        for backends in attempts {
            let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
            descriptor.backends = backends;
            let options = wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::from_env().unwrap_or_default(),
                ..wgpu::RequestAdapterOptions::default()
            };
            match pollster::block_on(wgpu::Instance::new(descriptor).request_adapter(&options)) {
                Ok(adapter) => return Self::from_adapter(&adapter),
                Err(error) => why = error.to_string(),
            }
        }
        let asked = std::env::var("WGPU_BACKEND").map_or_else(|_| String::new(), |asked| format!(" for “{asked}”"));
        Err(RenderError::NoAdapter { asked, why })
    }

    fn from_adapter(adapter: &wgpu::Adapter) -> Result<Self, RenderError> {
        let info = adapter.get_info();
        let (device, queue) = pollster::block_on(adapter.request_device(&device_descriptor(adapter)))
            .map_err(|error| RenderError::NoDevice { adapter: info.name.clone(), why: error.to_string() })?;
        Ok(Self { device, queue, info })
    }

    /// The same device as egui's, for drawing beside the window.
    #[must_use]
    pub fn of_window(state: &egui_wgpu::RenderState) -> Self {
        Self { device: state.device.clone(), queue: state.queue.clone(), info: state.adapter.get_info() }
    }

    /// The adapter's name for reports, such as `llvmpipe (LLVM 15.0.6, 256 bits)`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The graphics interface for reports, such as `vulkan`.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        self.info.backend.to_str()
    }

    /// Whether it is a rasteriser that runs on the processor.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Which timers the device has.
    #[must_use]
    pub fn timers(&self) -> wgpu::Features {
        self.device.features() & TIMERS
    }
}

/// What is asked of every device, offscreen or in a window: timers where there are any, the adapter's own largest
/// texture, and little memory (a rasteriser on the processor takes it from the process).
#[must_use]
pub fn device_descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    wgpu::DeviceDescriptor {
        label: Some("visavis"),
        required_features: adapter.features() & TIMERS,
        required_limits: wgpu::Limits::downlevel_webgl2_defaults().using_resolution(adapter.limits()),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..wgpu::DeviceDescriptor::default()
    }
}

/// How the window is to use the GPU, for eframe's `NativeOptions::wgpu_options`: the device as above, and at most one
/// picture waiting for the screen.
#[must_use]
pub fn window_configuration() -> egui_wgpu::WgpuConfiguration {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    setup.device_descriptor = std::sync::Arc::new(device_descriptor);
    let mut configuration = egui_wgpu::WgpuConfiguration {
        wgpu_setup: egui_wgpu::WgpuSetup::CreateNew(setup),
        ..egui_wgpu::WgpuConfiguration::default()
    };
    configuration.surface.desired_maximum_frame_latency = Some(1);
    configuration
}

/// Longest side of a texture that `device` takes, checked before a texture is made from what a peer sent.
pub(super) fn check_size(device: &wgpu::Device, width: u32, height: u32) -> Result<(), RenderError> {
    let limit = device.limits().max_texture_dimension_2d;
    if width > limit || height > limit {
        return Err(RenderError::TooLarge { width, height, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gpu_has_a_name_and_a_backend_for_reports() {
        let gpu = Gpu::open().expect("a GPU or a software rasteriser");
        assert!(!gpu.name().is_empty());
        assert!(!gpu.backend().is_empty());
    }

    #[test]
    fn a_missing_gpu_is_explained_with_a_remedy() {
        let error = RenderError::NoAdapter { asked: " for “dx12”".to_owned(), why: "none".to_owned() };
        let words = error.to_string();
        assert!(words.contains("mesa-vulkan-drivers") && words.contains("WGPU_BACKEND"), "{words}");
    }

    #[test]
    fn the_window_keeps_one_picture_waiting_at_most() {
        assert_eq!(window_configuration().surface.desired_maximum_frame_latency, Some(1));
    }
}
