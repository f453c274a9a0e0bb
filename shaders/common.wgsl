// Shared by every shader that shows a picture: the three planes, how their numbers are read as colour, and the blend
// between samples. `src/render/cpu.rs` is the twin of this file: change both together.

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

// Weights and places of the four samples around a point, given in samples. Blended here and not by a sampler: the
// 8-bit weights and results of some samplers cost more than one code value.
struct Corners {
    low: vec2i,
    high: vec2i,
    weight: vec2f,
}

fn corners(at: vec2f, size: vec2u) -> Corners {
    let low = floor(at - 0.5);
    let last = vec2i(size) - 1;
    return Corners(
        clamp(vec2i(low), vec2i(0), last),
        clamp(vec2i(low) + 1, vec2i(0), last),
        at - 0.5 - low,
    );
}

fn blend(plane: texture_2d<f32>, c: Corners) -> f32 {
    let above = mix(textureLoad(plane, c.low, 0).r, textureLoad(plane, vec2i(c.high.x, c.low.y), 0).r, c.weight.x);
    let below = mix(textureLoad(plane, vec2i(c.low.x, c.high.y), 0).r, textureLoad(plane, c.high, 0).r, c.weight.x);
    return mix(above, below, c.weight.y);
}

// Gamma-space RGB from a luma sample and the chroma around the same place, given in luma samples. Chroma is taken to
// lie in the middle of its four luma samples.
fn rgb_at(luma: f32, at: vec2f) -> vec3f {
    let c = corners(at * 0.5, textureDimensions(cb_plane));
    let sample = vec4f(luma, blend(cb_plane, c), blend(cr_plane, c), 1.0);
    return clamp(vec3f(dot(colour.red, sample), dot(colour.green, sample), dot(colour.blue, sample)), vec3f(0.0), vec3f(1.0));
}
