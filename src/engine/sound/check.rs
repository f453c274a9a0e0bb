//! A check of microphone and speaker outside a call: how loud it is here, and a tone to be heard. Each opens the device
//! that it checks and nothing else, and closes it when it is stopped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::counters::{DeviceState, SoundCounters};
use super::input::Input;
use super::output::Output;
use super::running::Running;
use crate::call::CaptureGrant;
use crate::engine::clock;
use crate::engine::config::SoundChoice;
use crate::engine::handle::DeviceOpens;
use crate::media::{Doorbell, RingReceiver, RingSender, ring};
use crate::sound::level::Meter;
use crate::sound::tone::{Player, TEST_LENGTH, Tone};
use crate::sound::{PIECE, PIECE_SAMPLES};

/// Chosen microphones that wait for the check: clicks of a person. Full: newest dropped.
const CHOICES: usize = 8;
/// Speakers that wait to be heard by an echo canceller, which there is none of. Full: newest dropped.
const REFERENCES: usize = 1;

/// What a person sees of a check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoundCheckView {
    /// The microphone that is listened to.
    pub microphone: DeviceState,
    /// The microphone is wanted, and may not be open yet.
    pub listening: bool,
    /// How loud it is here, decibels below full scale; means nothing unless the microphone is open.
    pub level_dbfs: f32,
    /// The speaker, which is open for as long as the tone sounds.
    pub speaker: DeviceState,
}

/// The two checks, neither of which runs unless it was asked for.
pub struct SoundCheck {
    opens: Arc<DeviceOpens>,
    counters: Arc<SoundCounters>,
    listening: Option<Listening>,
    tone: Option<Running>,
    /// Something was asked for since the last stop.
    used: bool,
}

struct Listening {
    choices: RingSender<SoundChoice>,
    _running: Running,
}

impl SoundCheck {
    /// Opens nothing yet; `opens` counts what is opened later.
    pub fn new(opens: Arc<DeviceOpens>) -> Self {
        Self { opens, counters: Arc::default(), listening: None, tone: None, used: false }
    }

    /// Whether something is to be looked at from time to time.
    pub const fn is_running(&self) -> bool {
        self.listening.is_some() || self.tone.is_some()
    }

    /// Forgets a tone that is over.
    pub fn tend(&mut self) {
        self.tone.take_if(|tone| tone.is_finished());
    }

    /// What is to be shown.
    pub fn view(&self) -> SoundCheckView {
        let view = self.counters.view(clock::now());
        SoundCheckView {
            microphone: view.microphone,
            listening: self.listening.is_some(),
            level_dbfs: view.own_level_dbfs,
            speaker: view.speaker,
        }
    }

    /// Listens to a microphone until it is stopped. The grant is the proof that the person asked for it.
    pub fn listen(&mut self, grant: CaptureGrant, microphone: SoundChoice) -> io::Result<()> {
        let bell = Arc::new(Doorbell::new());
        let (choices, chosen) = ring("checked microphones", CHOICES, Arc::clone(&bell));
        let (opens, counters) = (Arc::clone(&self.opens), Arc::clone(&self.counters));
        (self.listening, self.used) = (None, true);
        let running = Running::start("microphone-check", bell, move |stop, bell| {
            listen(&grant, microphone, chosen, stop, bell, opens, &counters);
        })?;
        self.listening = Some(Listening { choices, _running: running });
        Ok(())
    }

    /// Plays the test tone once, from its beginning.
    pub fn play(&mut self, speaker: SoundChoice) -> io::Result<()> {
        let (opens, counters) = (Arc::clone(&self.opens), Arc::clone(&self.counters));
        (self.tone, self.used) = (None, true);
        self.counters.set_speaker(DeviceState::Off);
        let play = move |stop: &AtomicBool, bell: &Arc<Doorbell>| play(speaker, stop, bell, opens, &counters);
        self.tone = Some(Running::start("test-tone", Arc::new(Doorbell::new()), play)?);
        Ok(())
    }

    /// Other devices were chosen: the microphone is listened to at once, the speaker with the next tone.
    pub fn choose(&mut self, microphone: SoundChoice) {
        if let Some(listening) = &mut self.listening {
            let _ = listening.choices.push(microphone);
        }
        if matches!(self.view().speaker, DeviceState::Missing { .. }) {
            self.counters.set_speaker(DeviceState::Off);
        }
    }

    /// Closes both devices, and has them closed when it returns.
    pub fn stop(&mut self) {
        if self.used {
            (self.listening, self.tone, self.used) = (None, None, false);
            self.counters = Arc::default();
        }
    }
}

/// The thread `microphone-check`.
fn listen(
    _grant: &CaptureGrant,
    microphone: SoundChoice,
    mut chosen: RingReceiver<SoundChoice>,
    stop: &AtomicBool,
    bell: &Arc<Doorbell>,
    opens: Arc<DeviceOpens>,
    counters: &SoundCounters,
) {
    let note_none = |choice: &SoundChoice| {
        if *choice == SoundChoice::None {
            let why = "no microphone is chosen: nobody will hear you".into();
            counters.set_microphone(DeviceState::Missing { why });
        }
    };
    note_none(&microphone);
    let mut input = Input::new(microphone, Arc::clone(bell), opens);
    let (mut meter, mut piece) = (Meter::default(), [0.0; PIECE_SAMPLES]);
    while !stop.load(Ordering::Acquire) {
        let now = clock::now();
        while let Some(choice) = chosen.pop() {
            let none = choice.clone();
            input.choose(choice, now, counters);
            note_none(&none);
        }
        input.tend(now, counters);
        while input.read(&mut piece, now, counters).is_some() {
            counters.set_own_level(meter.measure(&piece));
        }
        bell.wait(Some(input.due(now)));
    }
}

/// The thread `test-tone`.
fn play(
    speaker: SoundChoice,
    stop: &AtomicBool,
    bell: &Arc<Doorbell>,
    opens: Arc<DeviceOpens>,
    counters: &SoundCounters,
) {
    if speaker == SoundChoice::None {
        let why = "no speaker is chosen: you will hear nobody".into();
        return counters.set_speaker(DeviceState::Missing { why });
    }
    let (references, _nobody) = ring("references", REFERENCES, Arc::default());
    let mut output = Output::new(speaker, Arc::clone(bell), opens, references);
    let mut player = Player::new(Tone::Test);
    let mut pieces_left = TEST_LENGTH.as_millis() / PIECE.as_millis();
    let mut heard_at = None;
    while !stop.load(Ordering::Acquire) {
        let now = clock::now();
        output.tend(true, now, counters);
        if matches!(counters.view(now).speaker, DeviceState::Missing { .. }) {
            return;
        }
        while output.is_there() && output.is_hungry() && pieces_left > 0 {
            output.play(&player.piece(), 0.0);
            pieces_left -= 1;
        }
        // The last of it is heard later than it is handed over.
        if pieces_left == 0 && now >= *heard_at.get_or_insert_with(|| now + output.delay()) {
            break;
        }
        bell.wait(Some(output.due(now).min(PIECE)));
    }
    drop(output);
    counters.set_speaker(DeviceState::Off);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::call::UserConsent;
    use crate::media::SAMPLE_RATE_HZ;
    use crate::sound::Microphone;
    use crate::sound::level::level_dbfs;
    use crate::sound::wav;

    fn check() -> (SoundCheck, Arc<DeviceOpens>) {
        let opens = Arc::new(DeviceOpens::default());
        (SoundCheck::new(Arc::clone(&opens)), opens)
    }

    fn grant() -> CaptureGrant {
        CaptureGrant::for_preview(UserConsent::given_by_person())
    }

    fn wait(check: &SoundCheck, holds: impl Fn(&SoundCheckView) -> bool) -> SoundCheckView {
        let start = clock::now();
        loop {
            let view = check.view();
            if holds(&view) {
                return view;
            }
            assert!(clock::now().since(start) < Duration::from_secs(20), "in vain: {view:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A file of half a second that is as loud as it can be.
    fn loud(path: &Path) -> SoundChoice {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        (0..SAMPLE_RATE_HZ / 2)
            .for_each(|n| writer.write_sample(if n % 100 < 50 { i16::MAX } else { i16::MIN }).unwrap());
        writer.finalize().unwrap();
        SoundChoice::File(path.to_owned())
    }

    #[test]
    fn the_level_of_what_is_heard_is_shown_and_the_microphone_is_closed_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut check, opens) = check();
        assert!(!check.is_running() && opens.counts() == (0, 0, 0), "nothing opens unasked");
        check.listen(grant(), loud(&folder.path().join("loud.wav"))).unwrap();
        wait(&check, |view| matches!(view.microphone, DeviceState::Open { .. }) && view.level_dbfs > -3.0);
        assert_eq!((opens.open_now().1, opens.counts()), (true, (0, 1, 0)));
        check.stop();
        assert_eq!((check.view().microphone, opens.open_now().1, check.is_running()), (DeviceState::Off, false, false));
    }

    #[test]
    fn another_microphone_is_listened_to_at_once_and_none_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (mut check, opens) = check();
        let says = |words: &'static str| move |view: &SoundCheckView| matches!(&view.microphone, DeviceState::Missing { why } if why.contains(words));
        check.listen(grant(), SoundChoice::File("/nowhere.wav".into())).unwrap();
        wait(&check, says("/nowhere.wav"));
        check.choose(SoundChoice::None);
        wait(&check, says("no microphone is chosen"));
        assert_eq!(opens.counts(), (0, 0, 0));
        check.choose(loud(&folder.path().join("loud.wav")));
        wait(&check, |view| matches!(view.microphone, DeviceState::Open { .. }));
    }

    #[test]
    fn the_tone_is_played_whole_and_the_speaker_is_closed_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let (mut check, opens) = check();
        check.play(SoundChoice::File(path.clone())).unwrap();
        wait(&check, |view| matches!(view.speaker, DeviceState::Open { .. }));
        wait(&check, |view| view.speaker == DeviceState::Off);
        assert_eq!(opens.counts(), (0, 0, 1));
        let (mut heard, mut piece) = (wav::microphone(&path).unwrap(), [0.0; PIECE_SAMPLES]);
        let mut loud = 0;
        let start = clock::now();
        for number in 0..200_u32 {
            if heard.read(&mut piece, start + PIECE * number).unwrap().is_some() && level_dbfs(&piece) > -40.0 {
                loud += 1;
            }
        }
        assert!(loud > 100, "{loud} pieces of 10 ms");
    }

    #[test]
    fn a_speaker_that_cannot_be_used_is_said_until_another_is_chosen() {
        let (mut check, opens) = check();
        check.play(SoundChoice::File("/nowhere/heard.wav".into())).unwrap();
        wait(&check, |view| matches!(&view.speaker, DeviceState::Missing { why } if why.contains("/nowhere")));
        check.choose(SoundChoice::None);
        assert_eq!(check.view().speaker, DeviceState::Off);
        check.play(SoundChoice::None).unwrap();
        wait(&check, |view| matches!(&view.speaker, DeviceState::Missing { why } if why.contains("no speaker")));
        assert_eq!(opens.counts(), (0, 0, 0));
    }

    #[test]
    fn a_tone_can_be_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let (mut check, _) = check();
        check.play(SoundChoice::File(folder.path().join("heard.wav"))).unwrap();
        wait(&check, |view| matches!(view.speaker, DeviceState::Open { .. }));
        check.stop();
        assert_eq!(check.view(), SoundCheckView { level_dbfs: check.view().level_dbfs, ..SoundCheckView::default() });
    }
}
