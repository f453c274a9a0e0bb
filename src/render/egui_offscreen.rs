//! A whole egui frame, video included, drawn without a window: for `visavis demo` on a machine without a screen and
//! for pictures of the user interface.

use super::gpu::check_size;
use super::offscreen::FORMAT;
use super::{Gpu, Image, Offscreen, RenderError, UiFrameHook};
use crate::media::Timestamp;

/// A window's inside without the window.
pub struct EguiOffscreen {
    gpu: Gpu,
    renderer: egui_wgpu::Renderer,
    context: egui::Context,
    target: Offscreen,
    pixels_per_point: f32,
}

impl EguiOffscreen {
    /// An inside of `width` × `height` pixels.
    pub fn new(gpu: Gpu, width: u32, height: u32, pixels_per_point: f32) -> Result<Self, RenderError> {
        check_size(&gpu.device, width, height)?;
        let options = egui_wgpu::RendererOptions { dithering: false, ..egui_wgpu::RendererOptions::default() };
        let renderer = egui_wgpu::Renderer::new(&gpu.device, FORMAT, options);
        let target = Offscreen::new(&gpu, width, height)?;
        Ok(Self { gpu, renderer, context: egui::Context::default(), target, pixels_per_point })
    }

    /// The context, for fonts and style.
    #[must_use]
    pub const fn context(&self) -> &egui::Context {
        &self.context
    }

    /// What it draws with.
    #[must_use]
    pub const fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Runs and draws one frame at the time `now`, as a window would.
    pub fn frame(&mut self, now: Timestamp, run_ui: impl FnMut(&mut egui::Ui)) {
        let output = self.context.run_ui(self.input(now), run_ui);
        let (width, height) = self.target.size();
        let screen =
            egui_wgpu::ScreenDescriptor { size_in_pixels: [width, height], pixels_per_point: output.pixels_per_point };
        let Gpu { device, queue, .. } = &self.gpu;
        let shapes = self.context.tessellate(output.shapes, output.pixels_per_point);
        self.context.with_plugin(|hook: &mut UiFrameHook| hook.frames().note_tessellated());
        let mut textures = output.textures_delta;
        for (id, deltas) in textures.set.drain() {
            for delta in deltas {
                self.renderer.update_texture(device, queue, id, &delta);
            }
        }
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("egui") });
        let mut commands = self.renderer.update_buffers(device, queue, &mut encoder, &shapes, &screen);
        let mut pass = self.target.pass(&mut encoder, Some(wgpu::Color::TRANSPARENT)).forget_lifetime();
        self.renderer.render(&mut pass, &shapes, &screen);
        drop(pass);
        commands.push(encoder.finish());
        queue.submit(commands);
        for id in textures.free.drain() {
            self.renderer.free_texture(&id);
        }
    }

    /// Waits until the GPU has drawn the last frame, so that the next one shows what is new by then: what a window's
    /// presentation does by itself.
    pub fn settle(&self) -> Result<(), RenderError> {
        let done = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
        done.map(|_| ()).map_err(|error| RenderError::Lost(error.to_string()))
    }

    /// What the last frame looks like; waits for the GPU.
    pub fn picture(&self) -> Result<Image, RenderError> {
        self.target.read(&self.gpu)
    }

    fn input(&self, now: Timestamp) -> egui::RawInput {
        let (width, height) = self.target.size();
        let size = egui::vec2(width as f32, height as f32) / self.pixels_per_point;
        let mut input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, size)),
            time: Some(now.as_secs_f64()),
            focused: true,
            ..egui::RawInput::default()
        };
        input.viewports.entry(egui::ViewportId::ROOT).or_default().native_pixels_per_point =
            Some(self.pixels_per_point);
        input
    }
}
