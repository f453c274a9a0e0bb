//! What devices do to their account at a real server: second factor, new devices, and the end.

use totp_rs::Builder;

use super::*;
use crate::server::disclosure;
use crate::wire::signal::{ENVELOPE_LEN, PaddedChain, Refusal, TOTP_SECRET_LEN};
use crate::wire::token::Token;

const SECRET: [u8; TOTP_SECRET_LEN] = [7; TOTP_SECRET_LEN];

/// The code of `later` steps from now.
fn code(later: u64) -> String {
    Builder::new().with_secret(SECRET).build().unwrap().generate(clock::unix_now() + 30 * later).to_string()
}

async fn account(server: &ServerAddress, identity: &Identity) -> ServerLink {
    connect(server, identity.device(), Role::Account).await.unwrap()
}

async fn enable(link: &mut ServerLink) -> Vec<String> {
    let answer = link.ask(&ToServer::EnableTotp { secret: SECRET, code: code(0) }).await;
    let Ok(ToClient::RecoveryCodes(codes)) = answer else { panic!("{answer:?}") };
    codes
}

async fn status(link: &mut ServerLink) -> Option<u8> {
    let answer = link.ask(&ToServer::AskSecondFactor).await;
    let Ok(ToClient::SecondFactor { recovery_left }) = answer else { panic!("{answer:?}") };
    recovery_left
}

async fn is_known(server: &ServerAddress, name: &str) -> bool {
    let mut courier = courier(server, 200).await.unwrap();
    let answer = courier.ask(&ToServer::LookUp { name: name.into() }).await;
    let Ok(ToClient::LookedUp(found)) = answer else { panic!("{answer:?}") };
    found != PaddedChain::new(None)
}

#[test]
fn a_second_factor_is_enabled_by_its_first_code_and_disabled_by_another() {
    with_server(LIMITS, async |server| {
        let alice = identity(&server, "alice");
        let _present = device(&server, &alice).await;
        let mut link = account(&server, &alice).await;
        assert_eq!(status(&mut link).await, None);
        let wrong = ToServer::EnableTotp { secret: SECRET, code: code(500) };
        assert_eq!(link.ask(&wrong).await, Err(Refusal::CodeWrong.into()));
        let codes = enable(&mut link).await;
        assert_eq!((codes.len(), status(&mut link).await), (10, Some(10)));
        let again = ToServer::EnableTotp { secret: [8; TOTP_SECRET_LEN], code: code(0) };
        assert_eq!(link.ask(&again).await, Err(Refusal::Taken.into()), "not without taking the first away");
        let disable = |code: &str| ToServer::DisableTotp { code: code.into() };
        assert_eq!(link.ask(&disable(&code(0))).await, Err(Refusal::CodeWrong.into()), "replayed");
        assert_eq!(link.ask(&disable(&codes[0])).await, Ok(ToClient::Done));
        assert_eq!(status(&mut link).await, None);
    });
}

#[test]
fn an_account_is_deleted_by_its_own_device_and_with_a_code_if_it_has_a_second_factor() {
    with_server(LIMITS, async |server| {
        let (alice, mallory) = (identity(&server, "alice"), identity(&server, "mallory"));
        let present = device(&server, &alice).await;
        let mut link = account(&server, &alice).await;
        let codes = enable(&mut link).await;
        let delete = |code: Option<&str>| ToServer::Delete { code: code.map(Into::into) };
        let mut stranger = account(&server, &mallory).await;
        assert_eq!(stranger.ask(&delete(Some(&code(1)))).await, Err(Refusal::Unknown.into()));
        assert_eq!(link.ask(&delete(None)).await, Err(Refusal::CodeNeeded.into()));
        assert!(is_known(&server, "alice").await);
        assert_eq!(link.ask(&delete(Some(&codes[1]))).await, Ok(ToClient::Done));
        assert!(!is_known(&server, "alice").await);
        // Its devices are not there any more, and nothing is kept for them.
        tokio::time::timeout(Duration::from_secs(10), present.connection.closed()).await.expect("still there");
        let mut courier = courier(&server, 1).await.unwrap();
        let letter = ToServer::Deliver {
            device: alice.device_id(),
            envelope: vec![0; ENVELOPE_LEN],
            token: Token::random(&mut rand::rng()),
        };
        assert_eq!(courier.ask(&letter).await, Err(Refusal::Unknown.into()));
        assert_eq!(link.ask(&delete(None)).await, Err(Refusal::Unknown.into()));
    });
}

#[test]
fn the_recovery_kit_alone_adds_no_device_to_an_account_with_a_second_factor() {
    with_server(LIMITS, async |server| {
        let alice = identity(&server, "alice");
        let _present = device(&server, &alice).await;
        enable(&mut account(&server, &alice).await).await;
        let recover = |from: &Identity| {
            let now = clock::unix_now();
            Identity::recover(alice.root_key().unwrap(), from.chain().chain().clone(), now, &mut rand::rng()).unwrap()
        };
        let second = recover(&alice);
        let mut link = connect(&server, second.device(), Role::Device).await.unwrap();
        assert_eq!(link.ask(&registration(&second)).await, Err(Refusal::CodeNeeded.into()));
        for (number, expected) in [("000000".to_owned(), Err(Refusal::CodeWrong.into())), (code(1), Ok(ToClient::Done))]
        {
            write_message(&mut link.writer, &ToServer::Code { code: number }).await.unwrap();
            assert_eq!(link.ask(&registration(&second)).await, expected);
        }
        // A device that is there already needs none, nor one that such a device has brought.
        assert_eq!(link.ask(&registration(&second)).await, Ok(ToClient::Done));
        let third = recover(&second);
        assert_eq!(link.ask(&registration(&third)).await, Ok(ToClient::Done), "the second one says so");
        let mut link = connect(&server, third.device(), Role::Device).await.unwrap();
        assert_eq!(link.ask(&registration(&third)).await, Ok(ToClient::Done));
    });
}

#[test]
fn guessing_locks_the_account_and_a_new_connection_does_not_unlock_it() {
    with_server(LIMITS, async |server| {
        let alice = identity(&server, "alice");
        let _present = device(&server, &alice).await;
        let codes = enable(&mut account(&server, &alice).await).await;
        let mut answers = Vec::new();
        for _ in 0..6 {
            let mut link = account(&server, &alice).await;
            answers.push(link.ask(&ToServer::DisableTotp { code: "123456".into() }).await.unwrap_err());
            link.close().await;
        }
        let locked = ConnectError::from(Refusal::CodeLocked { minutes: 15 });
        assert_eq!(answers[3], Refusal::CodeWrong.into());
        assert_eq!(answers[4..], [locked.clone(), locked.clone()]);
        let mut link = account(&server, &alice).await;
        assert_eq!(link.ask(&ToServer::Delete { code: Some(codes[0].clone()) }).await, Err(locked));
    });
}

#[test]
fn a_deleted_account_is_gone_from_the_file_and_the_operator_can_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let config = ServerConfig { listen, data: folder.path().into(), domain: None };
    let db = Box::new(EmbeddedDb::open(&config.data).unwrap());
    let limits = Limits { tidy: Duration::from_millis(50), ..LIMITS };
    let server = RunningServer::start_over(db, &config, limits, None).unwrap();
    let alice = identity(server.address(), "canaryalice");
    let holds = |needle: &[u8]| {
        let files =
            std::fs::read_dir(folder.path()).unwrap().filter_map(|entry| std::fs::read(entry.unwrap().path()).ok());
        files.into_iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    let needles = [b"canaryalice".to_vec(), alice.device_id().to_vec(), alice.root().to_vec(), SECRET.to_vec()];
    let held = |name| disclose(folder.path(), name).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _present = device(server.address(), &alice).await;
        enable(&mut account(server.address(), &alice).await).await;
    });
    assert!(needles.iter().all(|needle| holds(needle)), "the search finds what is there");
    let disclosure = held("canaryalice");
    assert!(disclosure.is_known && disclosure.second_factor.is_some() && disclosure.rows.len() == 4);
    assert!(disclosure.in_memory.is_some(), "asked of the running server");
    let delete = ToServer::Delete { code: Some(code(1)) };
    let deleted = runtime.block_on(async { account(server.address(), &alice).await.ask(&delete).await });
    assert_eq!(deleted, Ok(ToClient::Done));
    assert!(!held("canaryalice").is_known);
    let mut patience = 100;
    while needles.iter().any(|needle| holds(needle)) {
        patience -= 1;
        assert!(patience > 0, "the bytes stay in the file");
        std::thread::sleep(Duration::from_millis(100));
    }
    server.shutdown();
    let disclosure = held("canaryalice");
    assert_eq!(disclosure, disclosure::disclose(&EmbeddedDb::open(folder.path()).unwrap(), "canaryalice").unwrap());
    assert!(disclosure.rows.is_empty() && disclosure.in_memory.is_none());
}
