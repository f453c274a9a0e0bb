// Draws a picture at its own size over a whole target: one luma sample is one pixel, nothing is blended with what was
// there. The cheap way for headless runs.

@vertex
fn fill_vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
    // One triangle that covers the target: (-1,-1), (3,-1), (-1,3).
    return vec4f(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn fill_fragment(@builtin(position) pixel: vec4f) -> @location(0) vec4f {
    let luma = textureLoad(luma_plane, vec2i(pixel.xy), 0).r;
    return vec4f(rgb_at(luma, pixel.xy), 1.0);
}
