//! I420 planes to pixels on the GPU, in a window or offscreen, and the CPU twin that checks the colours.
