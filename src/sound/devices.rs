//! Which microphones and speakers there are, and how they are opened: at 48 kHz where they can, in pieces of 10 ms.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{
    BufferSize, Device, ErrorKind, Host, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfig,
};
use serde::Serialize;

use super::tap::Gauge;
use super::{SoundError, system};
use crate::media::SAMPLE_RATE_HZ;

/// Longest time for opening a stream.
pub(super) const BUILD: Duration = Duration::from_secs(2);

/// What a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SoundKind {
    /// Hears.
    Microphone,
    /// Plays.
    Speaker,
}

/// A microphone or a speaker, as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SoundDevice {
    /// What it does.
    pub kind: SoundKind,
    /// What the system calls it; stays the same when others come and go.
    pub id: String,
    /// What people call it; with the id where two of a kind would share a name.
    pub name: String,
    /// Whether the system would choose it.
    pub is_default: bool,
    /// Samples a second that it runs at unless asked otherwise; 0 if it does not say.
    pub rate_hz: u32,
    /// Least and most samples a second.
    pub rates_hz: (u32, u32),
    /// Channels that it has unless asked otherwise; 0 if it does not say.
    pub channels: u16,
}

/// All microphones and speakers, those of the system's choice first. Empty if there are none, or no sound system.
#[must_use]
pub fn devices() -> Vec<SoundDevice> {
    let Some(host) = system::host() else { return Vec::new() };
    let Ok(all) = host.devices() else { return Vec::new() };
    let all = all.filter(|device| !is_void(device));
    let defaults = [SoundKind::Microphone, SoundKind::Speaker].map(|kind| default_device(&host, kind));
    let mut found = Vec::new();
    for device in all {
        for (kind, default) in [SoundKind::Microphone, SoundKind::Speaker].into_iter().zip(&defaults) {
            found.extend(describe(&device, kind, default.as_ref() == Some(&device)));
        }
    }
    found.sort_by_key(|device| (device.kind == SoundKind::Speaker, !device.is_default));
    tell_apart(&mut found);
    found
}

/// Gives devices of one kind and name their ids to their names: two headsets of one make must not be taken for one.
fn tell_apart(devices: &mut [SoundDevice]) {
    let names: Vec<_> = devices.iter().map(|device| (device.kind, device.name.clone())).collect();
    for device in devices {
        let same = names.iter().filter(|(kind, name)| (*kind, name) == (device.kind, &device.name)).count();
        if same > 1 {
            device.name = full_name(&device.name, &device.id);
        }
    }
}

/// The name of a device that shares its short one with another.
fn full_name(name: &str, id: &str) -> String {
    format!("{name} ({id})")
}

fn describe(device: &Device, kind: SoundKind, is_default: bool) -> Option<SoundDevice> {
    let rates: Vec<(u32, u32)> = match kind {
        SoundKind::Microphone => device.supported_input_configs().ok()?.map(|range| rates(&range)).collect(),
        SoundKind::Speaker => device.supported_output_configs().ok()?.map(|range| rates(&range)).collect(),
    };
    let least = rates.iter().map(|rates| rates.0).min()?;
    let most = rates.iter().map(|rates| rates.1).max()?;
    let usual = default_config(device, kind).ok();
    Some(SoundDevice {
        kind,
        id: device.id().map(|id| id.id().to_owned()).unwrap_or_default(),
        name: device.to_string(),
        is_default,
        rate_hz: usual.as_ref().map_or(0, SupportedStreamConfig::sample_rate),
        rates_hz: (least, most),
        channels: usual.as_ref().map_or(0, SupportedStreamConfig::channels),
    })
}

fn rates(range: &cpal::SupportedStreamConfigRange) -> (u32, u32) {
    (range.min_sample_rate(), range.max_sample_rate())
}

/// A device that was found, and how to open it.
pub(super) struct Found {
    pub device: Device,
    pub name: String,
    pub format: SampleFormat,
    pub config: StreamConfig,
}

/// Finds a device by id or name, or the system's choice.
pub(super) fn find(kind: SoundKind, wanted: Option<&str>) -> Result<Found, SoundError> {
    let host = system::host();
    let device = match (wanted, &host) {
        (None, host) => host.as_ref().and_then(|host| default_device(host, kind)).ok_or(match kind {
            SoundKind::Microphone => SoundError::NoMicrophone,
            SoundKind::Speaker => SoundError::NoSpeaker,
        })?,
        (Some(wanted), None) => return Err(SoundError::NotFound(wanted.to_owned())),
        (Some(wanted), Some(host)) => {
            let usable = |device: &Device| match kind {
                SoundKind::Microphone => device.supports_input(),
                SoundKind::Speaker => device.supports_output(),
            };
            let mut all = host.devices().into_iter().flatten().filter(usable);
            let named = |device: &Device| {
                let name = device.to_string();
                name == wanted || device.id().is_ok_and(|id| id.id() == wanted || full_name(&name, id.id()) == wanted)
            };
            all.find(named).ok_or_else(|| SoundError::NotFound(wanted.to_owned()))?
        }
    };
    let name = device.to_string();
    let usual = default_config(&device, kind).map_err(|error| unusable(&name, &error))?;
    let chosen = choose(usual, &device, kind);
    let piece = chosen.sample_rate() / 100;
    let buffer_size = match chosen.buffer_size() {
        SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&piece) => BufferSize::Fixed(piece),
        _ => BufferSize::Default,
    };
    let config = StreamConfig { buffer_size, ..chosen.config() };
    Ok(Found { device, name, format: chosen.sample_format(), config })
}

/// Opens a stream as `config` says; where the system does not take that buffer, with its own.
pub(super) fn build_stream<T>(
    name: &str,
    config: StreamConfig,
    build: impl Fn(StreamConfig) -> Result<T, cpal::Error>,
) -> Result<T, SoundError> {
    let opened = build(config).or_else(|error| match config.buffer_size {
        BufferSize::Fixed(_) => build(StreamConfig { buffer_size: BufferSize::Default, ..config }),
        BufferSize::Default => Err(error),
    });
    opened.map_err(|error| unusable(name, &error))
}

/// What a stream does with its errors: it notes those after which it does not go on.
pub(super) fn on_loss(gauge: &Arc<Gauge>, name: &str) -> impl FnMut(cpal::Error) + Send + 'static {
    let (gauge, name) = (Arc::clone(gauge), name.to_owned());
    move |error| {
        if !matches!(error.kind(), ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged) {
            gauge.set_fault(SoundError::Gone { name: name.clone(), why: error.to_string() });
        }
    }
}

fn unusable(name: &str, error: &cpal::Error) -> SoundError {
    SoundError::Unusable { name: name.to_owned(), why: error.to_string() }
}

/// ALSA's device that hears nothing and plays to nobody: nothing that a person would call sound.
fn is_void(device: &Device) -> bool {
    device.id().is_ok_and(|id| id.host().name() == "ALSA" && id.id() == "null")
}

fn default_device(host: &Host, kind: SoundKind) -> Option<Device> {
    match kind {
        SoundKind::Microphone => host.default_input_device(),
        SoundKind::Speaker => host.default_output_device(),
    }
}

fn default_config(device: &Device, kind: SoundKind) -> Result<SupportedStreamConfig, cpal::Error> {
    match kind {
        SoundKind::Microphone => device.default_input_config(),
        SoundKind::Speaker => device.default_output_config(),
    }
}

/// The device's own configuration, but at 48 kHz if it can do that too.
fn choose(usual: SupportedStreamConfig, device: &Device, kind: SoundKind) -> SupportedStreamConfig {
    if usual.sample_rate() == SAMPLE_RATE_HZ {
        return usual;
    }
    let mut ranges: Vec<_> = match kind {
        SoundKind::Microphone => device.supported_input_configs().into_iter().flatten().collect(),
        SoundKind::Speaker => device.supported_output_configs().into_iter().flatten().collect(),
    };
    ranges.retain(|range| range.channels() == usual.channels() && range.sample_format() == usual.sample_format());
    ranges.into_iter().find_map(|range| range.try_with_sample_rate(SAMPLE_RATE_HZ)).unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_name_and_kind_are_told_apart_by_their_ids() {
        let device = |kind, id: &str, name: &str| SoundDevice {
            kind,
            id: id.into(),
            name: name.into(),
            is_default: false,
            rate_hz: 48_000,
            rates_hz: (48_000, 48_000),
            channels: 1,
        };
        let (hears, plays) = (SoundKind::Microphone, SoundKind::Speaker);
        let mut devices = [device(hears, "a", "Headset"), device(hears, "b", "Headset"), device(plays, "c", "Headset")];
        tell_apart(&mut devices);
        assert_eq!(devices.map(|device| device.name), ["Headset (a)", "Headset (b)", "Headset"]);
    }
}
