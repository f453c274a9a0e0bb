//! One picture on the GPU as RGBA that the processor has made: see [`super::picture`] for when that is the better way.

use super::gpu::check_size;
use super::{RenderError, offscreen};
use crate::media::{Matrix, Picture, Plane, Range};

/// The newest picture as one texture.
pub struct ReadyTexture {
    layout: wgpu::BindGroupLayout,
    smooth: wgpu::Sampler,
    rgba: Vec<u8>,
    current: Option<Current>,
}

struct Current {
    texture: wgpu::Texture,
    bindings: wgpu::BindGroup,
}

/// How shaders see a picture: group 0 of `shaders/ready.wgsl`.
#[must_use]
pub fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding, visibility, ty| wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None };
    let picture = wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    };
    let smooth = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("ready picture"),
        entries: &[
            entry(0, wgpu::ShaderStages::VERTEX_FRAGMENT, picture),
            entry(1, wgpu::ShaderStages::FRAGMENT, smooth),
        ],
    })
}

impl ReadyTexture {
    /// Room for one picture; the texture comes with the first one.
    #[must_use]
    pub fn new(device: &wgpu::Device) -> Self {
        let smooth = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("smooth"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        Self { layout: bind_group_layout(device), smooth, rgba: Vec::new(), current: None }
    }

    /// Converts the picture and replaces the texture's content with it; it reaches the GPU with the next submission.
    pub fn upload(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, picture: &Picture) -> Result<(), RenderError> {
        let size = (picture.width(), picture.height());
        if self.size() != Some(size) {
            check_size(device, size.0, size.1)?;
            self.current = Some(self.texture(device, size));
            self.rgba.resize(4 * size.0 as usize * size.1 as usize, 0);
        }
        convert(picture, &mut self.rgba)?;
        if let Some(Current { texture, .. }) = &self.current {
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(4 * size.0),
                rows_per_image: Some(size.1),
            };
            queue.write_texture(texture.as_image_copy(), &self.rgba, layout, texture.size());
        }
        Ok(())
    }

    /// Size of the picture, once there is one.
    #[must_use]
    pub fn size(&self) -> Option<(u32, u32)> {
        self.current.as_ref().map(|current| (current.texture.width(), current.texture.height()))
    }

    /// Group 0 of the shaders, once there is a picture.
    #[must_use]
    pub fn bindings(&self) -> Option<&wgpu::BindGroup> {
        self.current.as_ref().map(|current| &current.bindings)
    }

    fn texture(&self, device: &wgpu::Device, (width, height): (u32, u32)) -> Current {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("ready picture"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: offscreen::FORMAT,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("ready picture"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(&self.smooth) },
            ],
        });
        Current { texture, bindings }
    }
}

/// Gamma-space RGBA of a picture, rows without gaps. Chroma is not blended: the library's blending version takes it to lie
/// elsewhere and differs from the shaders by more than this one does.
pub(super) fn convert(picture: &Picture, rgba: &mut [u8]) -> Result<(), RenderError> {
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
    yuv::yuv420_to_rgba(&planar, rgba, 4 * picture.width(), range, matrix)
        .map_err(|error| RenderError::Convert(error.to_string()))
}
