//! What a renderer without planes does, for the bench to compare with: colour on the processor, then RGBA up.

use super::gpu::check_size;
use super::pipeline::pipeline;
use super::{Gpu, Offscreen, RenderError, offscreen, shaders};
use crate::media::{Matrix, Picture, Plane, Range};

/// Shows pictures of one size by way of RGBA.
pub struct RgbaBaseline {
    texture: wgpu::Texture,
    bindings: wgpu::BindGroup,
    pipeline: wgpu::RenderPipeline,
    rgba: Vec<u8>,
}

impl RgbaBaseline {
    /// For pictures of `width` × `height`.
    pub fn new(gpu: &Gpu, width: u32, height: u32) -> Result<Self, RenderError> {
        let device = &gpu.device;
        check_size(device, width, height)?;
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("rgba"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: offscreen::FORMAT,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty,
            count: None,
        };
        let picture = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("rgba"),
            entries: &[entry(0, picture), entry(1, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering))],
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("rgba"),
            layout: &layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(&sampler) },
            ],
        });
        let target = wgpu::ColorTargetState::from(offscreen::FORMAT);
        let pipeline = pipeline(device, "rgba", shaders::rgba().to_owned(), &[Some(&layout)], target);
        Ok(Self { texture, bindings, pipeline, rgba: vec![0; 4 * width as usize * height as usize] })
    }

    /// Converts, uploads, draws into a target of the same size and submits. False if the picture has another size than
    /// this was made for.
    #[must_use]
    pub fn show(&mut self, gpu: &Gpu, picture: &Picture, target: &Offscreen) -> bool {
        let size = self.texture.size();
        if (picture.width(), picture.height()) != (size.width, size.height) || !self.convert(picture) {
            return false;
        }
        gpu.queue.write_texture(
            self.texture.as_image_copy(),
            &self.rgba,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(4 * size.width),
                rows_per_image: Some(size.height),
            },
            size,
        );
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("rgba") });
        let mut pass = target.pass(&mut encoder, Some(wgpu::Color::BLACK));
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.draw(0..3, 0..1);
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
        true
    }

    fn convert(&mut self, picture: &Picture) -> bool {
        let [(luma, luma_stride), (cb, cb_stride), (cr, cr_stride)] = Plane::ALL.map(|plane| picture.plane(plane));
        let planar = yuv::YuvPlanarImage {
            y_plane: luma,
            y_stride: luma_stride as u32,
            u_plane: cb,
            u_stride: cb_stride as u32,
            v_plane: cr,
            v_stride: cr_stride as u32,
            width: picture.width(),
            height: picture.height(),
        };
        let range = match picture.colour().range {
            Range::Limited => yuv::YuvRange::Limited,
            Range::Full => yuv::YuvRange::Full,
        };
        let matrix = match picture.colour().matrix {
            Matrix::Bt601 => yuv::YuvStandardMatrix::Bt601,
            Matrix::Bt709 => yuv::YuvStandardMatrix::Bt709,
        };
        yuv::yuv420_to_rgba(&planar, &mut self.rgba, 4 * picture.width(), range, matrix).is_ok()
    }
}
