//! The calls into libaom, behind a safe interface.
#![allow(unsafe_code, reason = "libaom is a C library")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::raw::{c_int, c_uint};
use std::ptr;

use libaom_sys as aom;

use super::references::Plan;
use crate::codec::VideoEncoderConfig;
use crate::media::{Matrix, Picture, Plane, Range};

/// libaom's speed setting for real-time use, 0 to 11: 10 codes 640×360 in about 3 ms on one core.
const SPEED: c_int = 10;
/// Longest time between two keyframes in frames: none but those asked for.
const NEVER: c_uint = 1 << 30;

/// An open encoder.
pub struct Context {
    /// Boxed: libaom keeps pointers into it.
    codec: Box<aom::aom_codec_ctx_t>,
    settings: aom::aom_codec_enc_cfg_t,
    image: aom::aom_image_t,
}

// SAFETY: libaom's context has no thread affinity; it is used by one thread at a time because every method takes
// `&mut self`. The pointers in `image` are set for the length of one call to `encode`.
unsafe impl Send for Context {}

impl Context {
    /// Opens an encoder; the error is the library's reason.
    pub fn open(config: &VideoEncoderConfig) -> Result<Self, String> {
        // SAFETY: returns a pointer to a static table.
        let interface = unsafe { aom::aom_codec_av1_cx() };
        let mut settings = MaybeUninit::<aom::aom_codec_enc_cfg_t>::zeroed();
        // SAFETY: `interface` is valid and `settings` is writable memory of the right type.
        let result =
            unsafe { aom::aom_codec_enc_config_default(interface, settings.as_mut_ptr(), aom::AOM_USAGE_REALTIME) };
        check(result)?;
        // SAFETY: filled by the successful call above; the structure is plain data for which zero was valid already.
        let mut settings = unsafe { settings.assume_init() };
        apply(&mut settings, config);

        let mut codec = Box::new(MaybeUninit::<aom::aom_codec_ctx_t>::zeroed());
        // SAFETY: all pointers are valid; the version is that of the bindings.
        let result = unsafe {
            aom::aom_codec_enc_init_ver(
                codec.as_mut_ptr(),
                interface,
                &raw const settings,
                0,
                aom::AOM_ENCODER_ABI_VERSION as c_int,
            )
        };
        check(result)?;
        // SAFETY: initialised by the successful call above.
        let codec = unsafe { codec.assume_init() };
        // SAFETY: an image is plain data with nullable pointers, for which zero is valid.
        let image = unsafe { MaybeUninit::<aom::aom_image_t>::zeroed().assume_init() };
        let mut context = Self { codec, settings, image };
        context.configure(config)?;
        context.image = describe(context.image, config);
        Ok(context)
    }

    /// Rate from the next frame on.
    pub fn set_bitrate(&mut self, kbps: u32) -> Result<(), String> {
        self.control(aom::AV1E_SET_BITRATE_ONE_PASS_CBR, kbps as c_int)
    }

    /// Pictures of this size, no larger than those that it was opened for, from the next one on, at this rate.
    pub fn resize(&mut self, config: &VideoEncoderConfig) -> Result<(), String> {
        apply(&mut self.settings, config);
        // SAFETY: the context is valid, and the settings are those it was opened with but for size and rate.
        let result = unsafe { aom::aom_codec_enc_config_set(&raw mut *self.codec, &raw const self.settings) };
        self.check(result).map_err(|why| format!("changing the size: {why}"))?;
        self.image = describe(self.image, config);
        Ok(())
    }

    /// Base quantiser index of the last frame.
    pub fn quantiser(&mut self) -> Result<u8, String> {
        let mut index: c_int = 0;
        let control = aom::AOME_GET_LAST_QUANTIZER as c_int;
        // SAFETY: the context is valid; this control takes a pointer to an `int`, which libaom writes to.
        let result = unsafe { aom::aom_codec_control(&raw mut *self.codec, control, &raw mut index) };
        self.check(result).map_err(|why| format!("reading the quantiser: {why}"))?;
        Ok(index.clamp(0, 255) as u8)
    }

    /// Encodes a picture of the size that the encoder was opened for. `time` counts frames.
    pub fn encode(&mut self, picture: &Picture, time: i64, plan: Plan) -> Result<Option<(Vec<u8>, bool)>, String> {
        if (picture.width(), picture.height()) != (self.image.d_w, self.image.d_h) {
            return Err("picture of another size".into());
        }
        for plane in Plane::ALL {
            let (bytes, stride) = picture.plane(plane);
            self.image.planes[plane as usize] = bytes.as_ptr().cast_mut();
            self.image.stride[plane as usize] = c_int::try_from(stride).map_err(|_| "stride too large")?;
        }
        let flags = match plan {
            Plan::Key => aom::AOM_EFLAG_FORCE_KF,
            Plan::Inter { from, into, .. } => {
                self.set_references(from, into)?;
                0
            }
        };
        // SAFETY: context and image are valid, the planes hold `stride × height` samples of the picture's size (checked
        // by `Picture`, and the size above), and libaom only reads the input image, during this call: with no lookahead
        // it copies it into its own buffer before it returns.
        let result =
            unsafe { aom::aom_codec_encode(&raw mut *self.codec, &raw const self.image, time, 1, flags.into()) };
        self.image.planes = [ptr::null_mut(); 3];
        self.check(result)?;
        let mut iterator = ptr::null();
        let mut coded = None;
        loop {
            // SAFETY: the context is valid and the iterator began as null, as the interface demands.
            let packet = unsafe { aom::aom_codec_get_cx_data(&raw mut *self.codec, &raw mut iterator) };
            // SAFETY: null or a packet that stays valid until the next call to `aom_codec_encode`.
            let Some(packet) = (unsafe { packet.as_ref() }) else { break };
            if packet.kind != aom::AOM_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says which member of the union is set.
            let frame = unsafe { packet.data.frame };
            // SAFETY: libaom gives `sz` readable bytes at `buf`.
            let data = unsafe { std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) };
            coded = Some((data.to_vec(), frame.flags & aom::AOM_FRAME_IS_KEY != 0));
        }
        Ok(coded)
    }

    /// The next frame is predicted from slot `from` and kept in slot `into`.
    fn set_references(&mut self, from: usize, into: usize) -> Result<(), String> {
        let slot = |slot: usize| c_int::try_from(slot).map_err(|_| "no such slot");
        // LAST is the only reference, since entropy contexts come from it too. The others only name the slot to be
        // refreshed, which libaom looks for among their slots.
        let mut config =
            aom::aom_svc_ref_frame_config_t { reference: [0; 7], ref_idx: [slot(into)?; 7], refresh: [0; 8] };
        (config.reference[0], config.ref_idx[0]) = (1, slot(from)?);
        *config.refresh.get_mut(into).ok_or("no such slot")? = 1;
        let control = aom::AV1E_SET_SVC_REF_FRAME_CONFIG as c_int;
        // SAFETY: the context is valid; this control takes a pointer to that structure, which libaom copies from.
        let result = unsafe { aom::aom_codec_control(&raw mut *self.codec, control, &raw mut config) };
        self.check(result).map_err(|why| format!("choosing references: {why}"))
    }

    fn configure(&mut self, config: &VideoEncoderConfig) -> Result<(), String> {
        let tile_columns_log2 = match (config.threads, config.width) {
            (0 | 1, _) | (_, ..640) => 0,
            _ => 1,
        };
        let matrix = match config.colour.matrix {
            Matrix::Bt601 => aom::AOM_CICP_MC_BT_601,
            Matrix::Bt709 => aom::AOM_CICP_MC_BT_709,
        };
        let settings = [
            (aom::AOME_SET_CPUUSED, SPEED),
            (aom::AV1E_SET_AQ_MODE, 3),
            (aom::AV1E_SET_DELTAQ_MODE, 0),
            (aom::AV1E_SET_TILE_COLUMNS, tile_columns_log2),
            (aom::AV1E_SET_ROW_MT, c_int::from(config.threads > 1)),
            (aom::AV1E_SET_CDF_UPDATE_MODE, 1),
            (aom::AV1E_SET_COEFF_COST_UPD_FREQ, 3),
            (aom::AV1E_SET_MODE_COST_UPD_FREQ, 3),
            (aom::AV1E_SET_MV_COST_UPD_FREQ, 3),
            (aom::AV1E_SET_ENABLE_ORDER_HINT, 0),
            (aom::AV1E_SET_ENABLE_TPL_MODEL, 0),
            (aom::AV1E_SET_ENABLE_CDEF, 1),
            (aom::AV1E_SET_ENABLE_OBMC, 0),
            (aom::AV1E_SET_ENABLE_WARPED_MOTION, 0),
            (aom::AV1E_SET_ENABLE_GLOBAL_MOTION, 0),
            (aom::AV1E_SET_ENABLE_REF_FRAME_MVS, 0),
            (aom::AV1E_SET_ENABLE_PALETTE, 0),
            (aom::AV1E_SET_ENABLE_CFL_INTRA, 0),
            (aom::AV1E_SET_ENABLE_SMOOTH_INTRA, 0),
            (aom::AV1E_SET_ENABLE_ANGLE_DELTA, 0),
            (aom::AV1E_SET_ENABLE_FILTER_INTRA, 0),
            (aom::AV1E_SET_INTRA_DEFAULT_TX_ONLY, 1),
            (aom::AV1E_SET_DISABLE_TRELLIS_QUANT, 1),
            (aom::AOME_SET_MAX_INTRA_BITRATE_PCT, 300),
            (aom::AV1E_SET_COLOR_PRIMARIES, aom::AOM_CICP_CP_BT_709 as c_int),
            (aom::AV1E_SET_TRANSFER_CHARACTERISTICS, aom::AOM_CICP_TC_BT_709 as c_int),
            (aom::AV1E_SET_MATRIX_COEFFICIENTS, matrix as c_int),
            (aom::AV1E_SET_COLOR_RANGE, c_int::from(config.colour.range == Range::Full)),
        ];
        settings.into_iter().try_for_each(|(control, value)| self.control(control, value))
    }

    fn control(&mut self, control: aom::aome_enc_control_id, value: c_int) -> Result<(), String> {
        // SAFETY: the context is valid, and every control used here takes one `int` (or `unsigned int` of the same size).
        let result = unsafe { aom::aom_codec_control(&raw mut *self.codec, control as c_int, value) };
        self.check(result).map_err(|why| format!("setting {control} to {value}: {why}"))
    }

    fn check(&self, result: aom::aom_codec_err_t) -> Result<(), String> {
        if result == aom::AOM_CODEC_OK {
            return Ok(());
        }
        // SAFETY: the context is valid; gives null or a string that lives as long as it.
        let detail = unsafe { aom::aom_codec_error_detail(&raw const *self.codec) };
        if detail.is_null() {
            return check(result);
        }
        // SAFETY: not null, and C strings of libaom end in zero.
        Err(unsafe { CStr::from_ptr(detail) }.to_string_lossy().into_owned())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context was initialised and is not used afterwards.
        unsafe { aom::aom_codec_destroy(&raw mut *self.codec) };
    }
}

fn check(result: aom::aom_codec_err_t) -> Result<(), String> {
    if result == aom::AOM_CODEC_OK {
        return Ok(());
    }
    // SAFETY: gives a static string for every number.
    Err(unsafe { CStr::from_ptr(aom::aom_codec_err_to_string(result)) }.to_string_lossy().into_owned())
}

fn apply(settings: &mut aom::aom_codec_enc_cfg_t, config: &VideoEncoderConfig) {
    settings.g_w = config.width;
    settings.g_h = config.height;
    settings.g_threads = config.threads.max(1) as c_uint;
    settings.g_timebase.num = 1;
    settings.g_timebase.den = config.fps as c_int;
    settings.g_lag_in_frames = 0;
    settings.g_error_resilient = 0;
    settings.g_pass = aom::AOM_RC_ONE_PASS;
    settings.rc_end_usage = aom::AOM_CBR;
    settings.rc_target_bitrate = config.bitrate_kbps;
    settings.rc_dropframe_thresh = 0;
    settings.rc_resize_mode = 0;
    settings.rc_min_quantizer = 10;
    settings.rc_max_quantizer = 56;
    settings.rc_undershoot_pct = 50;
    settings.rc_overshoot_pct = 50;
    settings.rc_buf_sz = 1000;
    settings.rc_buf_initial_sz = 600;
    settings.rc_buf_optimal_sz = 600;
    settings.kf_mode = aom::AOM_KF_DISABLED;
    settings.kf_max_dist = NEVER;
}

fn describe(mut image: aom::aom_image_t, config: &VideoEncoderConfig) -> aom::aom_image_t {
    image.fmt = aom::AOM_IMG_FMT_I420;
    image.bit_depth = 8;
    image.bps = 12;
    image.x_chroma_shift = 1;
    image.y_chroma_shift = 1;
    (image.w, image.d_w) = (config.width, config.width);
    (image.h, image.d_h) = (config.height, config.height);
    image.range = if config.colour.range == Range::Full { aom::AOM_CR_FULL_RANGE } else { aom::AOM_CR_STUDIO_RANGE };
    image
}
