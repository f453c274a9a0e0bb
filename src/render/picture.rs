//! The newest picture on the GPU, in the form that costs least there.
//!
//! Three planes are 2.7 times fewer bytes than RGBA, and a GPU converts while it draws. A GPU that is really the processor
//! (llvmpipe, WARP) has no bus to spare and has to work through the conversion as a shader; a converter written for the
//! processor does the same many times faster, and a plain texture is what such a rasteriser draws best.

use super::planes::{self, PlaneTextures};
use super::ready::{self, ReadyTexture};
use super::{Gpu, RenderError};
use crate::media::Picture;

/// How a picture lies on the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As three planes, made colour by the shader.
    Planes,
    /// As RGBA, made by the processor.
    Ready,
}

impl Form {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Planes, Self::Ready];

    /// The one that costs less on `gpu`.
    #[must_use]
    pub fn of(gpu: &Gpu) -> Self {
        if gpu.is_software() { Self::Ready } else { Self::Planes }
    }
}

/// How shaders see a picture: group 0.
#[must_use]
pub fn bind_group_layout(device: &wgpu::Device, form: Form) -> wgpu::BindGroupLayout {
    match form {
        Form::Planes => planes::bind_group_layout(device),
        Form::Ready => ready::bind_group_layout(device),
    }
}

/// The textures of one stream. They are made anew only when the size changes.
pub struct PictureTextures {
    kept: Kept,
    uploads: u64,
}

enum Kept {
    Planes(PlaneTextures),
    Ready(ReadyTexture),
}

impl PictureTextures {
    /// Room for one picture; textures come with the first one.
    #[must_use]
    pub fn new(device: &wgpu::Device, form: Form) -> Self {
        let kept = match form {
            Form::Planes => Kept::Planes(PlaneTextures::new(device)),
            Form::Ready => Kept::Ready(ReadyTexture::new(device)),
        };
        Self { kept, uploads: 0 }
    }

    /// Replaces the picture. The samples have left `picture` when this returns; they reach the GPU with the next
    /// submission.
    pub fn upload(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, picture: &Picture) -> Result<(), RenderError> {
        match &mut self.kept {
            Kept::Planes(planes) => planes.upload(device, queue, picture)?,
            Kept::Ready(ready) => ready.upload(device, queue, picture)?,
        }
        self.uploads += 1;
        Ok(())
    }

    /// Size of the picture, once there is one.
    #[must_use]
    pub fn size(&self) -> Option<(u32, u32)> {
        match &self.kept {
            Kept::Planes(planes) => planes.size(),
            Kept::Ready(ready) => ready.size(),
        }
    }

    /// Group 0 of the shaders, once there is a picture.
    #[must_use]
    pub fn bindings(&self) -> Option<&wgpu::BindGroup> {
        match &self.kept {
            Kept::Planes(planes) => planes.bindings(),
            Kept::Ready(ready) => ready.bindings(),
        }
    }

    /// Pictures uploaded so far.
    #[must_use]
    pub const fn uploads(&self) -> u64 {
        self.uploads
    }
}
