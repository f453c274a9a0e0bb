// A picture that lies on the GPU as three planes: how their numbers are read as colour, and the blend between samples.
// `src/render/cpu.rs` is the twin of this file: change both together. `ready.wgsl` has the same functions for the other
// form of a picture; `fill.wgsl` and `view.wgsl` stand behind either.

struct Colour {
    // Each row gives one of red, green, blue as dot(row, (Y', Cb, Cr, 1)).
    red: vec4f,
    green: vec4f,
    blue: vec4f,
}

@group(0) @binding(0) var luma_plane: texture_2d<f32>;
@group(0) @binding(1) var cb_plane: texture_2d<f32>;
@group(0) @binding(2) var cr_plane: texture_2d<f32>;
@group(0) @binding(3) var<uniform> colour: Colour;

@group(0) @binding(4) var corners: sampler;

// Width and height in luma samples.
fn picture_size() -> vec2f {
    return vec2f(textureDimensions(luma_plane));
}

// From luma samples to what `colour_at` and `colour_of` want.
fn place_of(sample: vec2f) -> vec2f {
    return sample;
}

// Colour between samples.
fn colour_at(at: vec2f) -> vec3f {
    return rgb_at(blend(luma_plane, at), at);
}

// Colour in the middle of a luma sample.
fn colour_of(at: vec2f) -> vec3f {
    return rgb_at(textureLoad(luma_plane, vec2i(at), 0).r, at);
}

// The plane around a point that is given in samples. Blended here and not by a sampler: the 8-bit weights and results
// of some samplers cost more than one code value. One gather is also cheaper than four loads.
fn blend(plane: texture_2d<f32>, at: vec2f) -> f32 {
    let low = floor(at - 0.5);
    let weight = at - 0.5 - low;
    // The corner between the four samples is half a sample away from where any other four would be taken.
    let four = textureGather(0, plane, corners, (low + 1.0) / vec2f(textureDimensions(plane)));
    return mix(mix(four.w, four.z, weight.x), mix(four.x, four.y, weight.x), weight.y);
}

// Gamma-space RGB from a luma sample and the chroma around the same place, given in luma samples. Chroma is taken to
// lie in the middle of its four luma samples.
fn rgb_at(luma: f32, at: vec2f) -> vec3f {
    let cb = blend(cb_plane, at * 0.5);
    let cr = blend(cr_plane, at * 0.5);
    // The rows have luma in common, red knows no Cb and blue no Cr: half the work of three dot products.
    let y = colour.red.x * luma;
    let rgb = vec3f(
        y + (colour.red.z * cr + colour.red.w),
        y + (colour.green.y * cb + (colour.green.z * cr + colour.green.w)),
        y + (colour.blue.y * cb + colour.blue.w),
    );
    return clamp(rgb, vec3f(0.0), vec3f(1.0));
}
