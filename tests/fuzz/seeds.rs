//! Valid inputs for every target, made by the program itself, for fuzzers to begin with. (JPEG pictures, which it does not
//! make, are kept in corpus/camera: a gradient of 32 × 24 pixels in four ways of coding.)

use std::time::Duration;

use visavis::capture::SourceFormat;
use visavis::capture::pattern::Pattern;
use visavis::codec::opus::OpusEncoder;
use visavis::codec::{EncoderKind, FrameRequest, VideoEncoderConfig};
use visavis::crypto::chain::Chain;
use visavis::crypto::envelope;
use visavis::crypto::group::{Group, JoinKeys};
use visavis::crypto::identity::{Identity, ephemeral_key};
use visavis::crypto::kit::Kit;
use visavis::crypto::letter::{self, CallId, Content, Pass};
use visavis::crypto::link::LinkCode;
use visavis::directory::second_factor::SecondFactor;
use visavis::engine::contacts::Person;
use visavis::engine::household::{Compare, Decision, Fact, Subject, portions};
use visavis::media::{AUDIO_BLOCK_SAMPLES, Colour, FrameId, LeafIndex, PicturePool, Stamps, Stream, Timestamp};
use visavis::store::vault::{Cost, Lock, VaultKey};
use visavis::transport::control::ControlLink;
use visavis::transport::packetise::{PacketNumbers, packetise};
use visavis::transport::parity::{ParityMaker, Spread};
use visavis::wire::call::{self, CallMessage, DirectMessage, Note};
use visavis::wire::feedback::Feedback;
use visavis::wire::link::ContactLink;
use visavis::wire::packet::FrameHeader;
use visavis::wire::parity::Part;
use visavis::wire::record::SenderRecord;
use visavis::wire::signal::{self, Hello, Refusal, Role, ToClient, ToServer, VERSION};
use visavis::wire::token::Token;

const NOW: u64 = 1_800_000_000;

/// Takes an input: the target, a name, the bytes.
pub type Keep<'a> = &'a mut dyn FnMut(&str, &str, &[u8]);

/// Hands all of them over.
pub fn make(keep: Keep<'_>) {
    addresses(keep);
    camera(keep);
    identities(keep);
    calls(keep);
    sound_and_pictures(keep);
    signalling(keep);
    files(keep);
    secrets(keep);
    registrations(keep);
    command_lines(keep);
    links(keep);
    questions(keep);
    households(keep);
}

fn households(keep: Keep<'_>) {
    let token = || "a".repeat(26).parse().expect("a token");
    let bob = "bob@example.org".to_owned();
    let facts = [
        ("tokens", Subject::Tokens, Decision::Tokens { link: token(), contacts: token() }),
        ("contact", Subject::Contact(bob.clone()), Decision::Contact(Person::default())),
        ("removed", Subject::Contact(bob.clone()), Decision::Nothing),
        ("shut-out", Subject::Block(bob, Some("A".repeat(52))), Decision::ShutOut),
    ];
    let mut all = Vec::new();
    for (name, about, decision) in facts {
        all.push(Fact { about, decided_s: NOW, decision });
        for message in portions(all.clone(), Compare::Answer([1; 32])) {
            keep("household", name, &message);
        }
    }
    for (name, compare) in [("question", Compare::Answer([7; 32])), ("no-question", Compare::No)] {
        for message in portions(Vec::new(), compare) {
            keep("household", name, &message);
        }
    }
}

/// Each with its length in front.
fn pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let with_length = |piece: &[u8]| [&(piece.len() as u16).to_be_bytes(), piece].concat();
    pieces.into_iter().flat_map(with_length).collect()
}

fn addresses(keep: Keep<'_>) {
    let key = "a".repeat(51) + "q";
    for (name, text) in [
        ("server", format!("calls.example.org:4474/{key}")),
        ("ipv4", format!("192.0.2.1/{key}")),
        ("ipv6", format!("[2001:db8::1]:443/{key}")),
        ("handle", "alice@example.org".into()),
        ("handle-ipv6", "a.b-c_d@[::1]".into()),
    ] {
        keep("address", name, text.as_bytes());
    }
}

fn camera(keep: Keep<'_>) {
    let ramp = |length: usize| (0..length).map(|n| n as u8).collect::<Vec<_>>();
    keep("camera", "nv12", &[&[0, 16, 16], ramp(384).as_slice()].concat());
    keep("camera", "nv12-odd", &[&[0, 17, 19], ramp(600).as_slice()].concat());
    keep("camera", "yuyv", &[&[1, 16, 16], ramp(512).as_slice()].concat());
}

fn identities(keep: Keep<'_>) {
    let [alice, bob] =
        ["alice", "bob"].map(|name| Identity::create(&format!("{name}@example.org"), NOW, &mut rand::rng()));
    let (root, device) = (ephemeral_key(&mut rand::rng()), bob.device());
    let [first, second] = [&bob, &alice].map(|identity| identity.chain().cards()[0]);
    let one = Chain::create("bob@example.org", &root, first, device, NOW);
    keep("chain", "one", &one.encode());
    keep("chain", "cut", &one.encode()[..60]);
    let one = one.verify(NOW).expect("signed here");
    let two = one.with_device(second, &root, NOW);
    keep("chain", "two", &two.encode());
    let two = two.verify(NOW).expect("signed here");
    keep("chain", "revoked", &two.without_device(second.signing, device, NOW).encode());
    keep("chain", "revoked-by-root", &two.without_device(first.signing, &root, NOW).encode());

    let (_, key_package) = JoinKeys::generate(bob.device()).expect("keys");
    let call = CallId([3; 16]);
    let contents = [
        ("invitation", Content::Invitation { video: true, room: [1; 32], path_key: [2; 32] }),
        ("accept", Content::Accept { key_package, path_key: [2; 32] }),
        ("decline", Content::Decline),
        ("busy", Content::Busy),
        ("cancel", Content::Cancel),
        ("taken", Content::TakenElsewhere),
        ("household", Content::Household(vec![0; 40])),
    ];
    for (name, content) in contents {
        let card = alice.chain().cards()[0];
        let sealed =
            letter::write(&bob, &card, call, content, Pass::default(), NOW, &mut rand::rng()).expect("a letter");
        keep("envelope", name, &sealed);
        keep("letter", name, &envelope::open(alice.sealing(), &sealed).expect("sealed for her"));
    }
}

fn calls(keep: Keep<'_>) {
    let [alice, bob] =
        ["alice", "bob"].map(|name| Identity::create(&format!("{name}@example.org"), NOW, &mut rand::rng()));
    let (join, key_package) = JoinKeys::generate(bob.device()).expect("keys");
    let (mut caller, welcome) = Group::create(alice.device(), &bob.device_id(), &key_package).expect("a group");
    let mut callee = join.join(&welcome, &alice.device_id()).expect("the same group");
    let note = caller.seal_note(&call::encode(&Note::HangUp)).expect("a note");
    let (first, second) = if caller.is_committer() { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
    let commit = first.refresh().expect("a commit");
    second.handle_refresh(&commit).expect("its commit");
    let later = second.seal_note(b"note").expect("a note");
    let all = [
        (0, "commit", &commit),
        (1, "note", &note),
        (1, "later-note", &later),
        (2, "package", &key_package),
        (3, "welcome", &welcome),
    ];
    for (kind, name, bytes) in all {
        keep("mls", name, &[&[kind], bytes.as_slice()].concat());
    }

    let mut link = ControlLink::default();
    let messages = [
        ("ready", CallMessage::Ready([1; 32])),
        ("sealed", CallMessage::Sealed(note)),
        ("refresh", CallMessage::Refresh(commit)),
        ("welcome", CallMessage::Welcome(welcome)),
    ];
    let mut all = Vec::new();
    for (name, message) in messages {
        keep("signal", &format!("call-{name}"), &call::encode(&message));
        link.send(message).expect("room");
        all.push(link.poll_bytes().expect("a message"));
        keep("control", name, &pieces(all.iter().map(Vec::as_slice)));
    }
    keep("control", "new-path", &pieces([[].as_slice(), &all[0], &all[0], &[], &all[1]]));
    keep("signal", "direct", &call::encode(&DirectMessage::Call(all.swap_remove(0))));
    let here = "192.0.2.1:4474".parse().expect("an address");
    for (name, note) in [
        ("switches", Note::Switches { microphone: true, camera: false }),
        ("epoch", Note::EpochReached(7)),
        ("candidates", Note::Candidates { addresses: vec![here; 3], answer: true }),
    ] {
        keep("signal", &format!("note-{name}"), &call::encode(&note));
    }
}

fn sound_and_pictures(keep: Keep<'_>) {
    let mut encoder = OpusEncoder::open().expect("Opus");
    let packets: Vec<Vec<u8>> = (0..6)
        .map(|block| {
            let mut samples = [0.0; AUDIO_BLOCK_SAMPLES];
            let tone = |n: usize| ((block * AUDIO_BLOCK_SAMPLES + n) as f32 * 0.05).sin() * block as f32 * 0.1;
            samples.iter_mut().enumerate().for_each(|(n, sample)| *sample = tone(n));
            encoder.encode(&samples).expect("a packet")
        })
        .collect();
    for count in 1..=packets.len() {
        keep("opus", &count.to_string(), &pieces(packets[..count].iter().map(Vec::as_slice)));
    }

    for (number, stream) in Stream::ALL.into_iter().enumerate() {
        let frame = FrameHeader { leaf: LeafIndex(1), stream, back: u8::from(number != 0), id: FrameId(9) };
        for length in [1, 900, 5000] {
            let (mut numbers, mut sent) = (PacketNumbers::default(), Vec::new());
            packetise(frame, &vec![number as u8; length], 1200, |_, mut packet| {
                numbers.stamp(&mut packet);
                sent.push(packet);
            });
            keep("packet", &format!("{number}-{length}"), &pieces(sent.iter().map(Vec::as_slice)));
            sent.reverse();
            keep("packet", &format!("{number}-{length}-reversed"), &pieces(sent.iter().map(Vec::as_slice)));
        }
    }

    let spread = Some(Spread { each: 3, apart: 2 });
    let (mut maker, mut numbers, mut sent) = (ParityMaker::default(), PacketNumbers::default(), Vec::new());
    for id in (0..4).map(FrameId) {
        let frame = FrameHeader { leaf: LeafIndex(1), stream: Stream::Video, back: u8::from(id.0 > 0), id };
        packetise(frame, &vec![id.0 as u8; 900 + id.0 as usize * 300], 700, |fragment, mut packet| {
            numbers.stamp(&mut packet);
            let parity = maker.handle_packet(Part { frame: id, fragment }, packet.clone().into(), spread, 1200);
            sent.push(packet);
            sent.extend(parity.map(|parity| parity.to_bytes()));
        });
    }
    for missing in [0, 3] {
        let there = sent.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, packet)| packet.as_slice());
        keep("packet", &format!("parity-{missing}"), &pieces(there));
    }

    let mut record = Vec::new();
    SenderRecord::new(FrameId(0), &Stamps::new(), None, None).write(&mut record);
    keep("records", "empty", &record);
    let report = Feedback { first: 7, earliest: 100, held: 3, arrivals: vec![Some(0), None, Some(900)] };
    let mut bytes = Vec::new();
    report.write(&mut bytes);
    keep("records", "report", &bytes);
    for (number, packet) in packets.iter().enumerate().take(4) {
        let mut bytes = Vec::new();
        visavis::wire::sound::write(Timestamp::from_nanos(1_000_000 * number as i64), packet, &mut bytes);
        keep("records", &format!("sound-{number}"), &bytes);
        keep("sframe", &number.to_string(), &packet[..packet.len().min(16 << number)]);
    }
    keep("sframe", "nothing", &[0; 8]);

    for (name, width, height) in [("square", 64, 64), ("odd", 67, 35), ("small", 16, 16)] {
        let interval = Duration::from_millis(33);
        let pattern = Pattern::new(SourceFormat { width, height, interval }).expect("a pattern");
        let colour = Colour::default();
        let config = VideoEncoderConfig { width, height, fps: 30, bitrate_kbps: 100, threads: 1, colour };
        let mut encoder = EncoderKind::Aom.open(&config).expect("an encoder");
        let mut pool = PicturePool::new(1);
        let mut coded = Vec::new();
        for number in 0..4 {
            let mut picture = pool.acquire(width, height, colour).expect("a picture");
            pattern.draw(FrameId(number), Timestamp::from_nanos(1), &mut picture);
            let picture = pool.finish(picture);
            let request = FrameRequest { keyframe: number == 0, ..FrameRequest::at(100) };
            encoder.encode(FrameId(number), &picture, request, &mut coded).expect("a frame");
        }
        let frames: Vec<&[u8]> = coded.iter().map(|frame| frame.data.as_slice()).collect();
        keep("video", name, &pieces(frames.iter().copied()));
        keep("video", &format!("{name}-key"), &pieces([frames[0]]));
    }
}

fn signalling(keep: Keep<'_>) {
    let mut keep = |name: &str, message: Vec<u8>| keep("signal", name, &message[4..]);
    keep("hello", signal::encode(&Hello { version: VERSION, role: Role::Relay { room: [1; 32], leaf: 1 } }));
    keep("welcome", signal::encode(&ToClient::Welcome { domain: "example.org".into() }));
    keep("refused", signal::encode(&ToClient::Refused(Refusal::Quota)));
    keep("look-up", signal::encode(&ToServer::LookUp { name: "alice".into() }));
    keep("presence", signal::encode(&ToServer::Presence { names: vec!["alice".into(), "bob".into()] }));
    keep("envelope", signal::encode(&ToClient::Envelope { number: 7, envelope: vec![1; 90] }));
    keep("received", signal::encode(&ToServer::Received { number: 7 }));
    keep("room", signal::encode(&ToServer::Room { message: vec![1; 40] }));
}

fn files(keep: Keep<'_>) {
    for (name, text) in [
        ("empty", ""),
        ("handle", "handle = \"alice@example.org\"\nhide_address = true\n"),
        ("devices", "[devices]\ncamera = \"Cam\"\nmicrophone = \"none\"\n"),
        ("unknown", "colour = 3\n"),
        ("broken", "handle = ["),
    ] {
        keep("profile", name, text.as_bytes());
    }
    let contact =
        "handle = \"bob@example.org\"\nroot = \"ABC\"\nverified = true\nchain_length = 3\nkey_changed = false\n";
    keep("profile", "contacts", format!("[[contacts]]\n{contact}[[contacts]]\n{contact}").as_bytes());
    for (name, channels, bits, format) in [
        ("int16", 1, 16, hound::SampleFormat::Int),
        ("int24-stereo", 2, 24, hound::SampleFormat::Int),
        ("float", 1, 32, hound::SampleFormat::Float),
        ("int8-many", 6, 8, hound::SampleFormat::Int),
    ] {
        let spec = hound::WavSpec { channels, sample_rate: 8000, bits_per_sample: bits, sample_format: format };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("a writer");
        for sample in 0..120 * i32::from(channels) {
            let written = match format {
                hound::SampleFormat::Float => writer.write_sample(sample as f32 / 1000.0),
                hound::SampleFormat::Int => writer.write_sample(sample % 100),
            };
            written.expect("a sample");
        }
        writer.finalize().expect("a file");
        keep("wav", name, &bytes.into_inner());
    }
    let header = |text: &str| format!("YUV4MPEG2 {text}\n").into_bytes();
    let frame = [b"FRAME\n".as_slice(), &[128; 384]].concat();
    let film = |head: Vec<u8>, frames: usize| [head, frame.repeat(frames)].concat();
    keep("y4m", "two", &film(header("W16 H16 F30:1 Ip A1:1 C420jpeg"), 2));
    keep("y4m", "full-range", &film(header("W16 H16 F25:1 C420mpeg2 XCOLORRANGE=FULL"), 1));
    keep("y4m", "cut", &film(header("W16 H16 F30:1"), 2)[..600]);
    keep("y4m", "interlaced", &film(header("W16 H16 F30:1 It"), 1));
    keep("y4m", "no-frames", &header("W16 H16 F30:1"));
}

/// What a profile holds, and what is printed or typed to carry it elsewhere.
fn secrets(keep: Keep<'_>) {
    let alice = Identity::create("alice@example.org", NOW, &mut rand::rng());
    let mut without_root = Identity::from_bytes(&alice.to_bytes(), NOW).expect("an identity");
    without_root.drop_root();
    keep("identity", "first", &alice.to_bytes());
    keep("identity", "without-root", &without_root.to_bytes());
    keep("identity", "cut", &alice.to_bytes()[..90]);

    let server = || format!("calls.example.org:4474/{}q", "a".repeat(51)).parse().expect("an address");
    for (name, handle) in [("alice", "alice@example.org"), ("ipv6", "a.b-c_d@[::1]")] {
        let kit = Kit::new(handle.parse().expect("a handle"), server(), ephemeral_key(&mut rand::rng())).to_text();
        keep("kit", name, kit.as_bytes());
        keep("kit", &format!("{name}-typed"), kit.to_uppercase().replace('\n', " ").as_bytes());
    }
    for number in 0..3 {
        let code = LinkCode::new(alice.chain().cards()[0], [number; 32], &mut rand::rng()).to_text();
        keep("link", &number.to_string(), code.as_bytes());
    }

    let key = VaultKey::from_bytes(&[7; 32]).expect("a key");
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let locks = [
        ("keyring", Ok(Lock::in_keyring(&mut rand::rng()))),
        ("file", Ok(Lock::in_file(&key))),
        ("passphrase", Lock::under_passphrase(&key, "correct horse battery", cost, &mut rand::rng())),
    ];
    for (name, lock) in locks {
        keep("vault", name, &lock.expect("a lock").encode());
    }
    keep("vault", "sealed", &key.seal("contacts", b"sealed", &mut rand::rng()));
}

/// What devices register, with what the server has of them.
fn registrations(keep: Keep<'_>) {
    let alice = Identity::create("alice@example.org", NOW, &mut rand::rng());
    let first = alice.chain().chain().encode();
    let root = alice.root_key().expect("it was made here");
    let second = Identity::recover(root, alice.chain().chain().clone(), NOW, &mut rand::rng()).expect("a device");
    let both = second.chain().chain().encode();
    let without = second.chain().without_device(alice.device_id(), second.device(), NOW).encode();
    for (name, new, kept) in
        [("same", &first, &first), ("grown", &both, &first), ("behind", &first, &both), ("revoked", &without, &both)]
    {
        keep("registration", name, &pieces([new.as_slice(), kept]));
    }
    // A secret and a time whose code is known: RFC 6238's.
    let secret = *b"12345678901234567890";
    if let Ok((factor, codes)) = SecondFactor::begin(secret, "287082", 59, &mut rand::rng()) {
        let kept = postcard::to_stdvec(&factor).expect("plain data");
        keep("registration", "recovery-code", &pieces([kept.as_slice(), codes[0].as_bytes()]));
        keep("registration", "wrong-code", &pieces([kept.as_slice(), b"000000"]));
    }
}

fn command_lines(keep: Keep<'_>) {
    for (name, text) in [
        ("call", "call\nbob@example.org\n--seconds\n5\n--size\n640x360\n--mic\nnone"),
        ("answer", "answer\n--auto-accept\n--speaker\nfile.wav\n--path\nrelay"),
        ("bench", "bench\ncall\n--one-way\n--seconds\n20\n--max-p95\n10"),
        ("account", "account\nrevoke\nabc\n--kit\nkit.txt"),
        ("quiet-verbose", "-q\n-vv\ndevices"),
    ] {
        keep("command-line", name, text.as_bytes());
    }
}

/// Contacts' links, as text and as codes before a camera; descriptions of modelled ones.
fn links(keep: Keep<'_>) {
    for (name, handle, server) in [
        ("alice", "alice@calls.example.org", "calls.example.org:4474"),
        ("ipv6", "a.b-c_d@[2001:db8::1]", "[2001:db8::1]:443"),
    ] {
        let server = format!("{server}/{}q", "a".repeat(51)).parse().expect("an address");
        let token = Token::random(&mut rand::rng());
        keep("contact-link", &format!("{name}-token"), token.text().as_bytes());
        let link =
            ContactLink::new(handle.parse().expect("a handle"), server, [7; 32], token).expect("a link").to_string();
        keep("contact-link", name, link.as_bytes());
        keep("contact-link", &format!("{name}-shouted"), link.to_uppercase().as_bytes());
    }
    for (name, text, square) in [("short", "visavis:", 2), ("long", "visavis:alice@calls.example.org:4474/aaaa", 3)] {
        for level in [qrcode::EcLevel::L, qrcode::EcLevel::H] {
            let code = qrcode::QrCode::with_error_correction_level(text, level).expect("a code");
            let (side, colours) = (code.width(), code.to_colors());
            let width = (side + 4) * square;
            let luma = (0..width * width).map(|at| {
                let [x, y] = [at % width, at / width].map(|at| (at / square).checked_sub(2).filter(|at| *at < side));
                let is_dark = x.zip(y).is_some_and(|(x, y)| colours[y * side + x] == qrcode::Color::Dark);
                if is_dark { 40 } else { 200 }
            });
            let picture: Vec<u8> = std::iter::once(width as u8).chain(luma).collect();
            assert_eq!(visavis::ui::read_qr(&picture[1..], width, width, width).as_deref(), Some(text));
            keep("qr", &format!("{name}-{level:?}"), &picture);
        }
    }
    for (name, text) in [
        ("profile", "bad-wifi,up.delay=40ms"),
        ("rates", "rate=2mbit/10s:500kbit/20s:2mbit,queue=64kB,jitter=5ms,loss=2%,burst=3,reorder=1%"),
        ("trace", "trace=file,down.queue=100ms,blackout=10s+10s,on-off=5s:200ms,seed=7\n1\n5\n5\n20\n"),
    ] {
        keep("link-spec", name, text.as_bytes());
    }
}

/// Of a monitoring system, and of others that come by.
fn questions(keep: Keep<'_>) {
    for (name, text) in [
        ("metrics", "GET /metrics HTTP/1.1\r\nHost: localhost:4475\r\nAccept: */*\r\n\r\n"),
        ("health", "GET /healthz HTTP/1.0\n\n"),
        ("post", "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
        ("tls", "\u{16}\u{3}\u{1}\u{2}"),
    ] {
        keep("http", name, text.as_bytes());
    }
}
