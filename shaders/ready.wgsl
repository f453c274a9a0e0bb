// A picture that the processor has already made RGBA, for a GPU that is the processor itself. The same functions as in
// `planes.wgsl`. A rasteriser has a fast way for a texture that is sampled where an interpolated coordinate says and
// nothing else; so nothing is computed here that could be done elsewhere.

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var smooth_sampler: sampler;

// Width and height in luma samples.
fn picture_size() -> vec2f {
    return vec2f(textureDimensions(picture));
}

// From luma samples to what `colour_at` and `colour_of` want.
fn place_of(sample: vec2f) -> vec2f {
    return sample / picture_size();
}

// Colour between samples.
fn colour_at(at: vec2f) -> vec3f {
    return textureSample(picture, smooth_sampler, at).rgb;
}

// Colour in the middle of a luma sample.
fn colour_of(at: vec2f) -> vec3f {
    return textureSample(picture, smooth_sampler, at).rgb;
}
