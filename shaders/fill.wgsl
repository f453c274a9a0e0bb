// Draws a picture at its own size over a whole target: one luma sample is one pixel, nothing is blended with what was
// there. The cheap way for headless runs.

struct Pixel {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

@vertex
fn fill_vertex(@builtin(vertex_index) index: u32) -> Pixel {
    // One triangle that covers the target: (-1,-1), (3,-1), (-1,3).
    let corner = vec2f(f32(index & 1u), f32(index >> 1u)) * 2.0;
    return Pixel(vec4f(corner * 2.0 - 1.0, 0.0, 1.0), place_of(vec2f(corner.x, 1.0 - corner.y) * picture_size()));
}

@fragment
fn fill_fragment(pixel: Pixel) -> @location(0) vec4f {
    return vec4f(colour_of(pixel.at), 1.0);
}
