// The naive way that the bench compares with: a picture that the processor has already made RGBA, sampled as it is.

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var smooth_sampler: sampler;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

@vertex
fn rgba_vertex(@builtin(vertex_index) index: u32) -> Corner {
    let t = vec2f(f32(index & 1u), f32(index >> 1u)) * 2.0;
    return Corner(vec4f(t * 2.0 - 1.0, 0.0, 1.0), vec2f(t.x, 1.0 - t.y));
}

@fragment
fn rgba_fragment(corner: Corner) -> @location(0) vec4f {
    return textureSample(picture, smooth_sampler, corner.at);
}
