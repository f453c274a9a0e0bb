// Draws a picture into a rectangle of a larger target: scaled, mirrored by its source rectangle, with rounded corners
// and dimmed. Premultiplied alpha.

struct View {
    // Left, top, right, bottom in clip space.
    place: vec4f,
    // Left, top, right, bottom in luma samples; left > right mirrors.
    source: vec4f,
    // Size of the rectangle in pixels.
    size_px: vec2f,
    radius_px: f32,
    // 1 as it is, 0 black.
    brightness: f32,
}

@group(1) @binding(0) var<uniform> view: View;

struct Corner {
    @builtin(position) position: vec4f,
    // Place in the rectangle, in pixels from its top left corner.
    @location(0) inside_px: vec2f,
    // Place in the picture, as `place_of` gives it.
    @location(1) at: vec2f,
}

@vertex
fn view_vertex(@builtin(vertex_index) index: u32) -> Corner {
    // A strip: left top, right top, left bottom, right bottom.
    let t = vec2f(f32(index & 1u), f32(index >> 1u));
    return Corner(
        vec4f(mix(view.place.xy, view.place.zw, t), 0.0, 1.0),
        view.size_px * t,
        place_of(mix(view.source.xy, view.source.zw, t)),
    );
}

// Distance to a rectangle with rounded corners around the origin; below zero inside.
fn rounded_rectangle(at: vec2f, half_size: vec2f, radius: f32) -> f32 {
    let q = abs(at) - half_size + radius;
    return length(max(q, vec2f(0.0))) + min(max(q.x, q.y), 0.0) - radius;
}

@fragment
fn view_fragment(corner: Corner) -> @location(0) vec4f {
    let half_size = view.size_px * 0.5;
    let distance = rounded_rectangle(corner.inside_px - half_size, half_size, view.radius_px);
    // A straight edge lies on pixel borders, half a pixel from the next centre: full cover there without rounding.
    let cover = select(1.0, clamp(0.5 - distance, 0.0, 1.0), view.radius_px > 0.0);
    return vec4f(colour_at(corner.at) * view.brightness, 1.0) * cover;
}

// The same for a rectangle that is neither rounded nor dimmed.
@fragment
fn plain_fragment(corner: Corner) -> @location(0) vec4f {
    return vec4f(colour_at(corner.at), 1.0);
}
