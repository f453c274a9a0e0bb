//! What is done with arbitrary bytes: each target feeds one parser, as a stranger, a peer, a file or a device could, and
//! asserts what has to hold of whatever comes out.
//!
//! Shared by the fuzzers (`fuzz.rs`) and by the test that runs the kept inputs (`tests/corpus.rs`).

use std::cell::RefCell;
use std::io::Cursor;
use std::time::Duration;

use clap::Parser as _;
use visavis::capture::convert::{Converter, Encoding, RawFrame};
use visavis::capture::y4m::Y4mReader;
use visavis::cli::Cli;
use visavis::codec::VideoDecoder;
use visavis::codec::dav1d::Dav1dDecoder;
use visavis::codec::opus::OpusDecoder;
use visavis::crypto::chain::Chain;
use visavis::crypto::envelope;
use visavis::crypto::group::{Group, JoinKeys};
use visavis::crypto::identity::Identity;
use visavis::crypto::kit::Kit;
use visavis::crypto::letter;
use visavis::crypto::link::LinkCode;
use visavis::crypto::sframe::{Opener, Sealer};
use visavis::directory::second_factor::SecondFactor;
use visavis::directory::{check_registration, is_behind};
use visavis::engine::household::Message;
use visavis::media::{AUDIO_BLOCK_SAMPLES, KeyEpoch, LeafIndex, PicturePool, Stream, Timestamp};
use visavis::server::metrics;
use visavis::sim;
use visavis::sound::{Microphone, wav};
use visavis::store::profile::{Settings, StoredContact, StoredTrial};
use visavis::store::vault::{Lock, VaultKey};
use visavis::transport::control::ControlLink;
use visavis::transport::parity::{MOST_WAITING, Rebuilder, Rebuilt};
use visavis::transport::reassemble::{MAX_PARTIAL, MAX_PARTIAL_BYTES, Reassembler};
use visavis::ui::read_qr;
use visavis::wire::address::{Handle, ServerAddress};
use visavis::wire::call::{CallMessage, DirectMessage, Note};
use visavis::wire::feedback::Feedback;
use visavis::wire::link::ContactLink;
use visavis::wire::packet::PacketHeader;
use visavis::wire::parity::Parity;
use visavis::wire::record::SenderRecord;
use visavis::wire::signal::{Hello, ToClient, ToServer};
use visavis::wire::token::Token;
use visavis::wire::{call, signal, sound};

/// What is fuzzed: the name and what is done with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 27] = [
    ("address", address),
    ("camera", camera),
    ("chain", chain),
    ("command-line", command_line),
    ("contact-link", contact_link),
    ("control", control),
    ("envelope", sealed_envelope),
    ("household", household),
    ("http", http),
    ("identity", identity),
    ("kit", kit),
    ("letter", opened_letter),
    ("link", link_code),
    ("link-spec", link_spec),
    ("mls", mls),
    ("opus", opus),
    ("packet", packet),
    ("profile", profile),
    ("qr", qr),
    ("records", records),
    ("registration", registration),
    ("sframe", sframe),
    ("signal", signalling),
    ("vault", vault),
    ("video", video),
    ("wav", wav_file),
    ("y4m", y4m),
];

/// Any time of day: what is fuzzed must not depend on when.
const NOW: u64 = 1_800_000_000;

thread_local! {
    static ALICE: Identity = Identity::create("alice@example.org", NOW, &mut Fixed);
    static GROUP: RefCell<Option<(Group, Group)>> = const { RefCell::new(None) };
}

/// "Random" numbers that are the same each time, so that an input is worth keeping.
struct Fixed;

impl rand::rand_core::TryRng for Fixed {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(7)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(7)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(7);
        Ok(())
    }
}

impl rand::rand_core::TryCryptoRng for Fixed {}

/// Pieces of the input, each with its length in front.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let (piece, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        data = rest;
        Some(piece)
    })
}

/// Text that somebody pastes.
fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(address) = text.parse::<ServerAddress>() {
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    if let Ok(handle) = text.parse::<Handle>() {
        assert_eq!(handle.to_string().parse(), Ok(handle));
    }
}

/// A frame of a camera: what it says of itself, then its bytes.
fn camera(data: &[u8]) {
    let Some(([encoding, width, height], bytes)) = data.split_first_chunk::<3>() else { return };
    let encoding = [Encoding::Nv12, Encoding::Yuyv, Encoding::Mjpeg][usize::from(encoding % 3)];
    let raw = RawFrame {
        data: bytes::Bytes::copy_from_slice(bytes),
        encoding,
        width: u32::from(*width),
        height: u32::from(*height),
        captured: Timestamp::ZERO,
    };
    if let Ok(Some(picture)) = Converter::default().convert(&raw, &mut PicturePool::new(1)) {
        assert!(picture.width() > 0 && picture.height() > 0);
    }
}

/// A device chain, from the directory or in a letter.
fn chain(data: &[u8]) {
    let Ok(chain) = Chain::decode(data) else { return };
    assert_eq!(Chain::decode(&chain.encode()).as_ref(), Ok(&chain));
    let _ = chain.verify(NOW);
}

/// What is typed after the program's name, an argument a line.
fn command_line(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Cli::try_parse_from(std::iter::once("visavis").chain(text.lines()));
}

/// A contact's link, from wherever it was sent, and a token by itself.
fn contact_link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(link) = text.parse::<ContactLink>() {
        assert!(ContactLink::is_meant(text));
        assert_eq!(link.to_string().parse::<ContactLink>().map(|again| again.to_string()), Ok(link.to_string()));
    }
    if let Ok(token) = text.parse::<Token>() {
        assert_eq!(token.text().parse::<Token>().map(|again| again.text()), Ok(token.text()));
    }
}

/// Numbered messages of a call over a path.
fn control(data: &[u8]) {
    let mut link = ControlLink::default();
    for piece in pieces(data) {
        if piece.is_empty() {
            let _ = link.send(CallMessage::Ready([0; 32]));
            link.handle_path();
        }
        let _ = link.handle_bytes(piece);
        let _ = link.poll_bytes();
    }
}

/// An envelope as a stranger has it delivered.
fn sealed_envelope(data: &[u8]) {
    ALICE.with(|alice| assert!(envelope::open(alice.sealing(), data).is_err(), "nobody can have sealed this"));
}

/// What comes to the server's address for monitoring.
fn http(data: &[u8]) {
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert_eq!(metrics::asked(data), metrics::asked(line), "headers change nothing");
}

/// The file of the account's secrets, opened.
fn identity(data: &[u8]) {
    if let Ok(identity) = Identity::from_bytes(data, NOW) {
        let again = Identity::from_bytes(&identity.to_bytes(), NOW).expect("written here");
        assert_eq!((again.device_id(), again.chain()), (identity.device_id(), identity.chain()));
    }
}

/// A recovery kit, typed or read from a file.
fn kit(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(kit) = Kit::from_text(text) {
        let again = Kit::from_text(&kit.to_text()).expect("written here");
        assert_eq!((&again.handle, &again.server), (&kit.handle, &kit.server));
        assert_eq!(again.root(), kit.root());
    }
}

/// The code of a new device, typed or pasted.
fn link_code(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(code) = LinkCode::from_text(text) {
        assert_eq!(LinkCode::from_text(&code.to_text()).as_ref(), Ok(&code));
    }
}

/// The description of a modelled link, whose trace is the text behind the first line; and that text alone.
fn link_spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (spec, trace) = text.split_once('\n').unwrap_or((text, ""));
    let _ = sim::spec::parse(spec, |_| Ok(trace.to_owned()));
    let _ = sim::trace::Trace::parse(trace);
}

/// What is in an envelope that opens.
fn opened_letter(data: &[u8]) {
    ALICE.with(|alice| {
        let _ = letter::check(alice, data, NOW);
    });
}

/// What a peer says under MLS: a commit, a note, a welcome.
fn mls(data: &[u8]) {
    GROUP.with_borrow_mut(|group| {
        let (alice, bob) = group.get_or_insert_with(|| {
            ALICE.with(|alice| {
                let bob = Identity::create("bob@example.org", NOW, &mut rand::rng());
                let (join, key_package) = JoinKeys::generate(bob.device()).expect("keys");
                let (caller, welcome) = Group::create(alice.device(), &bob.device_id(), &key_package).expect("a group");
                (caller, join.join(&welcome, &alice.device_id()).expect("the same group"))
            })
        });
        let epoch = bob.epoch();
        match data.split_first() {
            Some((0, commit)) => assert!(bob.handle_refresh(commit).is_err(), "nobody can have signed this"),
            Some((1, note)) => assert!(bob.open_note(note).is_err(), "nobody can have sealed this"),
            Some((2, key_package)) => ALICE.with(|own| {
                let _ = Group::create(own.device(), &[9; 32], key_package);
            }),
            Some((_, welcome)) => ALICE.with(|own| {
                let (join, _) = JoinKeys::generate(own.device()).expect("keys");
                assert!(join.join(welcome, &[9; 32]).is_err(), "nobody can have made this");
            }),
            None => {}
        }
        assert_eq!((bob.epoch(), bob.authenticator()), (epoch, alice.authenticator()), "it stays where it was");
    });
}

/// Sound of a peer.
fn opus(data: &[u8]) {
    let Ok(mut decoder) = OpusDecoder::open() else { return };
    let mut block = [0.0; AUDIO_BLOCK_SAMPLES];
    for piece in pieces(data) {
        let _ = decoder.decode(piece, &mut block);
        let _ = decoder.conceal(Some(piece), &mut block);
    }
}

/// Datagrams of whoever knows the room.
fn packet(data: &[u8]) {
    let mut frames = Reassembler::new(Duration::from_millis(20));
    let mut rebuilder = Rebuilder::default();
    let mut now = Timestamp::from_nanos(1);
    for piece in pieces(data) {
        now = now + Duration::from_millis(u64::from(piece.first().copied().unwrap_or_default()));
        let mut rebuilt = Vec::new();
        if let Some((header, payload)) = PacketHeader::read(piece) {
            assert_eq!([&header.to_bytes(), payload].concat(), piece);
            rebuilt = rebuilder.handle_packet(&header, payload);
            frames.handle_packet(header, payload, now);
        } else if let Some(parity) = Parity::read(piece) {
            assert_eq!(parity.to_bytes(), piece);
            rebuilt = rebuilder.handle_parity(parity);
        }
        for Rebuilt { header, payload } in rebuilt {
            let packet = [header.to_bytes().as_slice(), &payload].concat();
            assert_eq!(PacketHeader::read(&packet), Some((header, payload.as_slice())));
            frames.handle_packet(header, &payload, now);
        }
        assert!(rebuilder.waiting() <= MOST_WAITING);
        let (bytes, count) = frames.held();
        assert!(count <= MAX_PARTIAL && bytes <= MAX_PARTIAL_BYTES);
        while let Some(frame) = frames.poll_frame(now) {
            assert!(!frame.sealed.is_empty());
        }
    }
}

/// What another device of the account says.
fn household(data: &[u8]) {
    if let Some(message) = Message::decode(data) {
        assert_eq!(Message::decode(&message.encode()), Some(message));
    }
}

/// The settings file, and the lists of contacts and of encoders that were tried.
fn profile(data: &[u8]) {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Lists {
        #[serde(default)]
        contacts: Vec<StoredContact>,
        #[serde(default)]
        trials: Vec<StoredTrial>,
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(settings) = toml::from_str::<Settings>(text) {
        assert!(toml::to_string(&settings).is_ok());
    }
    if let Ok(lists) = toml::from_str::<Lists>(text) {
        assert!(toml::to_string(&lists).is_ok());
    }
}

/// A picture that somebody holds before the camera: its width, then its brightness in rows.
fn qr(data: &[u8]) {
    let Some((width, luma)) = data.split_first() else { return };
    let width = usize::from(*width);
    let height = luma.len().checked_div(width).unwrap_or_default();
    if let Some(text) = read_qr(luma, width, height, width) {
        assert!(text.len() <= 1024);
    }
}

/// What stands in front of pictures and sound of a peer, and its reports of what arrived.
fn records(data: &[u8]) {
    if let Some(report) = Feedback::read(data) {
        let mut again = Vec::new();
        report.write(&mut again);
        assert_eq!(again, data);
    }
    let _ = SenderRecord::read(data);
    if let Some((captured, packet)) = sound::read(data) {
        let mut again = Vec::new();
        sound::write(captured, packet, &mut again);
        assert_eq!(again, data);
    }
}

/// A chain that somebody registers over one that the server keeps, and a second factor as it is kept.
fn registration(data: &[u8]) {
    let mut given = pieces(data);
    let (Some(chain), kept) = (given.next(), given.next()) else { return };
    ALICE.with(|alice| {
        let (device, own) = (alice.device_id(), alice.chain().chain().encode());
        for kept in [kept, Some(own.as_slice())].into_iter().flatten() {
            let _ = is_behind(chain, kept, NOW);
            if let Ok(allowed) = check_registration(&device, chain, Some(kept), "example.org", NOW) {
                assert!(!allowed.revoked.contains(&device), "who is shut out registers nothing");
            }
        }
    });
    if let Ok(mut factor) = postcard::from_bytes::<SecondFactor>(chain) {
        let before = factor.recovery_left();
        let _ = factor.take(std::str::from_utf8(kept.unwrap_or_default()).unwrap_or_default(), NOW);
        assert!(factor.recovery_left() <= before);
    }
}

/// Sealed frames of whoever knows the room: arbitrary bytes, and a true frame with some of its bytes changed.
fn sframe(data: &[u8]) {
    let base = || visavis::crypto::sframe::BaseKey::new([3; 16]);
    let mut stranger = Opener::default();
    stranger.add_epoch(visavis::crypto::sframe::BaseKey::new([4; 16]), KeyEpoch(5), &[LeafIndex(1)]);
    assert!(stranger.open(LeafIndex(1), Stream::Video, b"header", data).is_err(), "nobody can have sealed this");
    let mut opener = Opener::default();
    opener.add_epoch(base(), KeyEpoch(5), &[LeafIndex(1)]);
    let mut sealer = Sealer::new(&base(), KeyEpoch(5), LeafIndex(1));
    let Ok(mut sealed) = sealer.seal(Stream::Video, b"header", b"a picture") else { return };
    let original = sealed.clone();
    sealed.iter_mut().zip(data).for_each(|(byte, flip)| *byte ^= flip);
    let opened = opener.open(LeafIndex(1), Stream::Video, b"header", &sealed);
    assert_eq!(opened.is_ok(), sealed == original);
}

/// Messages between client and server, both ways.
fn signalling(data: &[u8]) {
    if let Some(hello) = signal::decode::<Hello>(data) {
        assert_eq!(signal::decode(&signal::encode(&hello)[4..]), Some(hello));
    }
    if let Some(request) = signal::decode::<ToServer>(data) {
        assert_eq!(signal::decode(&signal::encode(&request)[4..]), Some(request));
    }
    if let Some(answer) = signal::decode::<ToClient>(data) {
        assert_eq!(signal::decode(&signal::encode(&answer)[4..]), Some(answer));
    }
    let _ = (call::decode::<CallMessage>(data), call::decode::<DirectMessage>(data), call::decode::<Note>(data));
}

/// The vault's file and the sealed ones, all of which a thief may have changed.
fn vault(data: &[u8]) {
    if let Ok(lock) = Lock::decode(data) {
        assert_eq!(lock.encode().as_slice(), data);
    }
    let key = VaultKey::random(&mut Fixed);
    if let Ok(contents) = key.open("contacts", data) {
        // Nobody else has the key: it is what the seeds hold.
        assert_eq!(contents.as_slice(), b"sealed");
    }
    assert!(VaultKey::from_bytes(&[8; 32]).is_ok_and(|other| other.open("contacts", data).is_err()));
}

/// Pictures of a peer, one after the other.
fn video(data: &[u8]) {
    let Ok(mut decoder) = Dav1dDecoder::open() else { return };
    for piece in pieces(data) {
        if let Ok(Some(picture)) = decoder.decode(piece) {
            assert!(picture.width() > 0 && picture.height() > 0);
        }
    }
}

/// A file of sound.
fn wav_file(data: &[u8]) {
    thread_local!(static FILE: tempfile::NamedTempFile = tempfile::NamedTempFile::new().expect("a file"));
    FILE.with(|file| {
        std::fs::write(file.path(), data).expect("room for it");
        let Ok(mut microphone) = wav::microphone(file.path()) else { return };
        let mut piece = [0.0; visavis::sound::PIECE_SAMPLES];
        for beat in 1..50 {
            let now = Timestamp::from_nanos(1) + Duration::from_millis(10 * beat);
            match microphone.read(&mut piece, now) {
                Ok(_) => assert!(piece.iter().all(|sample| sample.is_finite() && sample.abs() <= 8.0)),
                Err(_) => return,
            }
        }
    });
}

/// A file of pictures.
fn y4m(data: &[u8]) {
    let Ok(mut reader) = Y4mReader::new(Cursor::new(data)) else { return };
    let header = reader.header();
    if header.width > 512 || header.height > 512 {
        return;
    }
    let mut pool = PicturePool::new(1);
    for _ in 0..4 {
        let Some(mut picture) = pool.acquire(header.width, header.height, header.colour) else { return };
        if reader.read(&mut picture).is_err() {
            return;
        }
        pool.finish(picture);
    }
}
