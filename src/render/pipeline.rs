//! The two ways of drawing a picture: over a whole target at its own size, or into a rectangle of a larger one.

use super::fit::Placement;
use super::picture::bind_group_layout;
use super::{Fit, Form, shaders};

/// Draws a picture over the whole of a target of the same size.
pub struct FillPipeline(wgpu::RenderPipeline);

impl FillPipeline {
    /// For targets of `format` and pictures of `form`.
    #[must_use]
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat, form: Form) -> Self {
        let layouts = [Some(&bind_group_layout(device, form))];
        let module = module(device, "fill", shaders::fill(form));
        let entries = ["fill_vertex", "fill_fragment"];
        Self(pipeline(device, &module, entries, &layouts, wgpu::ColorTargetState::from(format)))
    }

    /// Draws the picture with these bindings.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, picture: &wgpu::BindGroup) {
        pass.set_pipeline(&self.0);
        pass.set_bind_group(0, picture, &[]);
        pass.draw(0..3, 0..1);
    }
}

/// How a picture is shown in a rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewSettings {
    /// Letterbox or cover.
    pub fit: Fit,
    /// Left and right exchanged, for the self-view.
    pub mirror: bool,
    /// Radius of the corners in pixels.
    pub radius_px: f32,
    /// 1 as it is, 0 black; below 1 while reconnecting.
    pub brightness: f32,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self { fit: Fit::Letterbox, mirror: false, radius_px: 0.0, brightness: 1.0 }
    }
}

/// Draws pictures into rectangles, with premultiplied alpha.
pub struct ViewPipeline {
    form: Form,
    /// Rounded and dimmed.
    full: wgpu::RenderPipeline,
    /// Neither: over all that is there.
    plain: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
}

/// `View` of `shaders/view.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct ViewNumbers {
    place: [f32; 4],
    source: [f32; 4],
    size_px: [f32; 2],
    radius_px: f32,
    brightness: f32,
}

/// The numbers of one rectangle on the GPU, written only when they change.
pub struct ViewRectangle {
    buffer: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    written: Option<ViewNumbers>,
}

impl ViewPipeline {
    /// For targets of `format` and pictures of `form`.
    #[must_use]
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat, form: Form) -> Self {
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("view"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            }],
        });
        let over = wgpu::ColorTargetState::from(format);
        let blended =
            wgpu::ColorTargetState { blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING), ..over.clone() };
        let layouts = [Some(&bind_group_layout(device, form)), Some(&layout)];
        let module = module(device, "view", shaders::view(form));
        let full = pipeline(device, &module, ["view_vertex", "view_fragment"], &layouts, blended);
        let plain = pipeline(device, &module, ["view_vertex", "plain_fragment"], &layouts, over);
        Self { form, full, plain, layout }
    }

    /// The form of the pictures that it draws.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// A rectangle to be placed and drawn.
    #[must_use]
    pub fn rectangle(&self, device: &wgpu::Device) -> ViewRectangle {
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("view"),
            size: size_of::<ViewNumbers>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("view"),
            layout: &self.layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        ViewRectangle { buffer, bindings, written: None }
    }

    /// Draws the picture into the rectangle. The viewport must be the whole target.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, picture: &wgpu::BindGroup, rectangle: &ViewRectangle) {
        pass.set_pipeline(if rectangle.is_plain() { &self.plain } else { &self.full });
        pass.set_bind_group(0, picture, &[]);
        pass.set_bind_group(1, &rectangle.bindings, &[]);
        pass.draw(0..4, 0..1);
    }
}

impl ViewRectangle {
    /// Places a picture of `picture` luma samples into `rect_px` (left, top, right, bottom) of a target of `target_px`.
    pub fn place(
        &mut self,
        queue: &wgpu::Queue,
        picture: (u32, u32),
        rect_px: [f32; 4],
        target_px: [u32; 2],
        settings: ViewSettings,
    ) {
        let placement = Placement::new(picture, rect_px, settings.fit, settings.mirror);
        let [left, top, right, bottom] = placement.place;
        let across = |x: f32| x / target_px[0].max(1) as f32 * 2.0 - 1.0;
        let down = |y: f32| 1.0 - y / target_px[1].max(1) as f32 * 2.0;
        let size_px = placement.size();
        let numbers = ViewNumbers {
            place: [across(left), down(top), across(right), down(bottom)],
            source: placement.source,
            size_px,
            radius_px: settings.radius_px.clamp(0.0, size_px[0].min(size_px[1]) / 2.0),
            brightness: settings.brightness,
        };
        if self.written != Some(numbers) {
            queue.write_buffer(&self.buffer, 0, bytemuck::bytes_of(&numbers));
            self.written = Some(numbers);
        }
    }

    /// Neither rounded nor dimmed.
    fn is_plain(&self) -> bool {
        self.written.is_some_and(|numbers| numbers.radius_px <= 0.0 && numbers.brightness >= 1.0)
    }
}

fn module(device: &wgpu::Device, name: &str, source: String) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    })
}

/// A pipeline of the vertex and the fragment shader with these names.
fn pipeline(
    device: &wgpu::Device,
    module: &wgpu::ShaderModule,
    [vertex, fragment]: [&str; 2],
    layouts: &[Option<&wgpu::BindGroupLayout>],
    target: wgpu::ColorTargetState,
) -> wgpu::RenderPipeline {
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(fragment),
        bind_group_layouts: layouts,
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(fragment),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module,
            entry_point: Some(vertex),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState {
            topology: wgpu::PrimitiveTopology::TriangleStrip,
            ..wgpu::PrimitiveState::default()
        },
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module,
            entry_point: Some(fragment),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(target)],
        }),
        multiview_mask: None,
        cache: None,
    })
}
