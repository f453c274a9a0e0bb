//! One picture on the GPU: three R8 textures and the numbers of its colour.
//!
//! Uploads go by `Queue::write_texture`. Measured with `visavis bench render` (2 cores, llvmpipe, developers' build,
//! median time that the calling thread spends on a picture, and processor time of all threads up to gpu_done):
//!
//! | | 640x360 | 1280x720 |
//! |---|---|---|
//! | planes by `write_texture` | 0.06 ms, 2.8 ms | 0.33 ms, 11.8 ms |
//! | planes by `StagingBelt` | 0.13 ms, 2.8 ms | 0.39 ms, 11.7 ms |
//!
//! The belt saves a short-lived buffer and pays for it with mapping and a second set of commands.

use wgpu::util::DeviceExt as _;

use super::gpu::check_size;
use super::{RenderError, colour};
use crate::media::{Colour, Picture, Plane};

/// The planes of the newest picture. Textures are made anew only when the size changes; the colour is written only
/// when it changes.
pub struct PlaneTextures {
    layout: wgpu::BindGroupLayout,
    rows: wgpu::Buffer,
    corners: wgpu::Sampler,
    colour: Colour,
    current: Option<Current>,
}

struct Current {
    size: (u32, u32),
    textures: [wgpu::Texture; 3],
    bindings: wgpu::BindGroup,
}

/// How shaders see a picture: group 0 of `shaders/planes.wgsl`.
#[must_use]
pub fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let plane = |binding| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
        ty: wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
        count: None,
    };
    let rows = wgpu::BindGroupLayoutEntry {
        binding: 3,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let corners = wgpu::BindGroupLayoutEntry {
        binding: 4,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Sampler(wgpu::SamplerBindingType::NonFiltering),
        count: None,
    };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("picture"),
        entries: &[plane(0), plane(1), plane(2), rows, corners],
    })
}

impl PlaneTextures {
    /// Room for one picture; textures come with the first one.
    #[must_use]
    pub fn new(device: &wgpu::Device) -> Self {
        let colour = Colour::default();
        let rows = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("colour"),
            contents: bytemuck::bytes_of(&colour::rows(colour)),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        });
        let corners = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("corners"),
            address_mode_u: wgpu::AddressMode::ClampToEdge,
            address_mode_v: wgpu::AddressMode::ClampToEdge,
            ..wgpu::SamplerDescriptor::default()
        });
        Self { layout: bind_group_layout(device), rows, corners, colour, current: None }
    }

    /// Replaces the picture. The samples have left `picture` when this returns; they reach the GPU with the next
    /// submission.
    pub fn upload(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, picture: &Picture) -> Result<(), RenderError> {
        self.upload_by(device, queue, picture, |texture, bytes, stride| {
            let size = texture.size();
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(stride as u32),
                rows_per_image: Some(size.height),
            };
            queue.write_texture(texture.as_image_copy(), bytes, layout, size);
        })
    }

    /// Replaces the picture by another way: `send` is given each plane's texture, bytes and stride.
    pub fn upload_by(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        picture: &Picture,
        mut send: impl FnMut(&wgpu::Texture, &[u8], usize),
    ) -> Result<(), RenderError> {
        let current = self.prepare(device, queue, picture)?;
        for (plane, texture) in Plane::ALL.into_iter().zip(&current.textures) {
            let (bytes, stride) = picture.plane(plane);
            send(texture, bytes, stride);
        }
        Ok(())
    }

    /// Size of the picture, once there is one.
    #[must_use]
    pub fn size(&self) -> Option<(u32, u32)> {
        self.current.as_ref().map(|current| current.size)
    }

    /// Group 0 of the shaders, once there is a picture.
    #[must_use]
    pub fn bindings(&self) -> Option<&wgpu::BindGroup> {
        self.current.as_ref().map(|current| &current.bindings)
    }

    /// Makes size and colour fit the picture.
    fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        picture: &Picture,
    ) -> Result<&Current, RenderError> {
        if self.colour != picture.colour() {
            self.colour = picture.colour();
            queue.write_buffer(&self.rows, 0, bytemuck::bytes_of(&colour::rows(self.colour)));
        }
        let size = (picture.width(), picture.height());
        let reusable = self.current.take().filter(|current| current.size == size);
        let current = if let Some(current) = reusable {
            current
        } else {
            check_size(device, size.0, size.1)?;
            self.textures(device, size)
        };
        Ok(self.current.insert(current))
    }

    fn textures(&self, device: &wgpu::Device, size: (u32, u32)) -> Current {
        let textures = Plane::ALL.map(|plane| {
            let (width, height) = plane.size(size.0, size.1);
            device.create_texture(&wgpu::TextureDescriptor {
                label: Some("plane"),
                size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::R8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            })
        });
        let views = textures.each_ref().map(|texture| texture.create_view(&wgpu::TextureViewDescriptor::default()));
        let plane = |binding: u32| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(&views[binding as usize]),
        };
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("picture"),
            layout: &self.layout,
            entries: &[
                plane(0),
                plane(1),
                plane(2),
                wgpu::BindGroupEntry { binding: 3, resource: self.rows.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 4, resource: wgpu::BindingResource::Sampler(&self.corners) },
            ],
        });
        Current { size, textures, bindings }
    }
}
