//! Whoever is not who it claims to be: a server with the right key in an X.509 certificate, clients without a raw key, early data
//! that could be replayed. (Another key: `tests/call.rs`; a direct connection without or with a false proof of readiness:
//! `src/call/tests.rs` and `src/engine/direct.rs`.)

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use visavis::net::tls::{ALPN, SERVER_NAME};
use visavis::wire::address::ServerAddress;

use super::false_server::{self, FalseServer, call};
use super::support::{Bench, said};

/// DER in front of an Ed25519 private key (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

fn private_key() -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from([&PKCS8_PREFIX, false_server::key().as_bytes().as_slice()].concat()).into()
}

/// That key, as it is shown by itself.
fn raw_key() -> Arc<CertifiedKey> {
    let signer = aws_lc_rs::sign::any_supported_type(&private_key()).unwrap();
    let public = signer.public_key().unwrap();
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(public.to_vec())], signer))
}

#[test]
fn the_right_key_in_a_certificate_is_not_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let PrivateKeyDer::Pkcs8(pkcs8) = private_key() else { unreachable!("as made above") };
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![SERVER_NAME.into()]).unwrap().self_signed(&pair).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private_key())
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config).unwrap()));
    let server = FalseServer::start_with(config, Vec::new());
    let output = call(&server.address, folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert_eq!(server.greetings(), 0, "nothing is said to it");
}

#[test]
fn the_same_key_by_itself_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = FalseServer::start(Vec::new());
    let output = call(&server.address, folder.path()).output().unwrap();
    assert!(output.status.code() == Some(1) && server.greetings() > 0, "{}", said(&output));
}

/// Believes anybody: it is the server's side that is tried.
#[derive(Debug)]
struct Gullible {
    raw: bool,
}

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.raw
    }
}

/// A client that believes anybody, with or without raw keys, and keeps tickets for early data.
fn gullible(raw_server: bool, own_raw_key: bool) -> quinn::ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible { raw: raw_server }));
    let mut config = if own_raw_key {
        builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(raw_key())))
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = true;
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
}

/// Whether a client comes in: the server says something, or only ends the connection.
async fn comes_in(config: &quinn::ClientConfig, to: SocketAddr) -> bool {
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let Ok(connection) = endpoint.connect_with(config.clone(), to, SERVER_NAME).unwrap().await else { return false };
    let Ok((mut writer, mut reader)) = connection.open_bi().await else { return false };
    let hello = visavis::wire::signal::Hello {
        version: visavis::wire::signal::VERSION,
        role: visavis::wire::signal::Role::Courier,
    };
    if writer.write_all(&visavis::wire::signal::encode(&hello)).await.is_err() {
        return false;
    }
    matches!(reader.read(&mut [0; 100]).await, Ok(Some(_)))
}

#[tokio::test]
async fn who_shows_no_raw_key_does_not_come_in() {
    let bench = Bench::new();
    let to = bench.server.place().parse().unwrap();
    assert!(comes_in(&gullible(true, true), to).await, "who does it right comes in");
    assert!(!comes_in(&gullible(true, false), to).await, "no key of its own");
    assert!(!comes_in(&gullible(false, false), to).await, "certificates only");
    assert!(!comes_in(&gullible(false, true), to).await, "wants a certificate of the server");
}

/// Whether a second connection to the same server may begin with early data.
async fn offers_early_data(config: &quinn::ClientConfig, to: SocketAddr) -> bool {
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let first = endpoint.connect_with(config.clone(), to, SERVER_NAME).unwrap().await.unwrap();
    // A ticket comes after the handshake.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    first.close(0_u32.into(), b"");
    endpoint.connect_with(config.clone(), to, SERVER_NAME).unwrap().into_0rtt().is_ok()
}

#[tokio::test]
async fn nothing_can_be_said_before_the_handshake_is_over_so_nothing_said_there_can_be_said_again() {
    let bench = Bench::new();
    let to = bench.server.place().parse().unwrap();
    assert!(!offers_early_data(&gullible(true, true), to).await);

    let mut careless = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::AlwaysResolvesServerRawPublicKeys::new(raw_key())));
    careless.alpn_protocols = vec![ALPN.to_vec()];
    careless.max_early_data_size = u32::MAX;
    let careless = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(careless).unwrap()));
    let server = FalseServer::start_with(careless, Vec::new());
    let to = server.address.parse::<ServerAddress>().unwrap();
    let to = format!("{}:{}", to.host, to.port).parse().unwrap();
    assert!(offers_early_data(&gullible(true, false), to).await, "a careless server is seen to be one");
}
