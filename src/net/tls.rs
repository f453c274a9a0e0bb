//! TLS for QUIC: both sides show Ed25519 raw public keys (RFC 7250), keys are agreed with X25519MLKEM768 only.
//!
//! No X.509, no TLS 1.2, no 0-RTT, no resumption. A client's `connect` may succeed before the server has refused its
//! key: only what the server answers proves anything.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme, version};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Application protocol of all our connections.
pub const ALPN: &[u8] = b"visavis/1";
/// What clients give as server name: raw keys have no names.
pub const SERVER_NAME: &str = "visavis";
/// DER in front of an Ed25519 public key (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER in front of an Ed25519 private key (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Whose key is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Anybody's; the key is known afterwards ([`peer_key`]).
    Any,
    /// This key only.
    Only([u8; 32]),
}

/// TLS cannot be set up, which valid keys do not cause.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(String);

/// Configuration of a client that shows `own` and accepts only the server key `expected`.
pub fn client_config(own: &SigningKey, expected: [u8; 32]) -> Result<quinn::ClientConfig, TlsError> {
    let provider = provider();
    let key = certified_key(own)?;
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(set_up)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(RawKeyVerifier { accept: Accept::Only(expected), provider }))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    let config = QuicClientConfig::try_from(config).map_err(set_up)?;
    Ok(quinn::ClientConfig::new(Arc::new(config)))
}

/// Configuration of a server that shows `own`.
pub fn server_config(own: &SigningKey, accept: Accept) -> Result<quinn::ServerConfig, TlsError> {
    let provider = provider();
    let key = certified_key(own)?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(set_up)?
        .with_client_cert_verifier(Arc::new(RawKeyVerifier { accept, provider }))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    let config = QuicServerConfig::try_from(config).map_err(set_up)?;
    Ok(quinn::ServerConfig::with_crypto(Arc::new(config)))
}

/// The key that the other side has shown and proved.
#[must_use]
pub fn peer_key(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    raw_key(identity.first()?)
}

/// Whether a connection failed because the other side's key is not the expected one.
#[must_use]
pub fn is_wrong_key(error: &quinn::ConnectionError) -> bool {
    // QUIC carries TLS alerts as 0x100 + alert (RFC 9001 §4.8); a refused key is `access_denied` or a certificate alert.
    let alert = |code: quinn::TransportErrorCode| matches!(u64::from(code), 0x12a..=0x131);
    match error {
        quinn::ConnectionError::TransportError(error) => alert(error.code),
        quinn::ConnectionError::ConnectionClosed(close) => alert(close.error_code),
        _ => false,
    }
}

/// The key of stateless resets, by which a client learns that the server has forgotten its connection.
#[must_use]
pub fn reset_key(secret: &[u8; 32]) -> Arc<dyn quinn::crypto::HmacKey> {
    Arc::new(ResetKey(Zeroizing::new(*secret)))
}

/// HMAC-SHA256 as quinn wants it.
struct ResetKey(Zeroizing<[u8; 32]>);

impl quinn::crypto::HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        signature.copy_from_slice(&self.tag(data));
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), quinn::crypto::CryptoError> {
        let equal = subtle::ConstantTimeEq::ct_eq(self.tag(data).as_slice(), signature);
        bool::from(equal).then_some(()).ok_or(quinn::crypto::CryptoError)
    }
}

impl ResetKey {
    /// HMAC (RFC 2104) over SHA-256.
    fn tag(&self, data: &[u8]) -> [u8; 32] {
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            block.iter_mut().zip(self.0.iter()).for_each(|(block, key)| *block ^= key);
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(data).finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
    }
}

fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![kx_group::X25519MLKEM768];
    Arc::new(provider)
}

fn certified_key(own: &SigningKey) -> Result<Arc<CertifiedKey>, TlsError> {
    let pkcs8 = Zeroizing::new([PKCS8_PREFIX.as_slice(), own.as_bytes()].concat());
    let key = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice())).map_err(set_up)?;
    let spki = [SPKI_PREFIX.as_slice(), own.verifying_key().as_bytes()].concat();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key)))
}

fn set_up(error: impl std::fmt::Display) -> TlsError {
    TlsError(error.to_string())
}

fn raw_key(spki: &[u8]) -> Option<[u8; 32]> {
    spki.strip_prefix(SPKI_PREFIX.as_slice())?.try_into().ok()
}

#[derive(Debug)]
struct RawKeyVerifier {
    accept: Accept,
    provider: Arc<CryptoProvider>,
}

impl RawKeyVerifier {
    fn check(&self, shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = raw_key(shown).filter(|_| more.is_empty());
        match (key, self.accept) {
            (Some(_), Accept::Any) => Ok(()),
            (Some(key), Accept::Only(expected)) if key == expected => Ok(()),
            (Some(_), _) => Err(CertificateError::ApplicationVerificationFailure.into()),
            (None, _) => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.provider.signature_verification_algorithms)
    }
}

const NO_TLS_12: Error = Error::General(String::new());

impl ServerCertVerifier for RawKeyVerifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown, more).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(NO_TLS_12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown, more).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(NO_TLS_12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    fn public(number: u8) -> [u8; 32] {
        key(number).verifying_key().to_bytes()
    }

    /// The keys that client and server saw, or the error of the client.
    async fn connect(expected: [u8; 32], accept: Accept) -> Result<([u8; 32], [u8; 32]), quinn::ConnectionError> {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = quinn::Endpoint::server(server_config(&key(1), accept).unwrap(), local).unwrap();
        let address = server.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let connection = server.accept().await.unwrap().await?;
            connection.open_uni().await?.write_all(b"hello").await.unwrap();
            let shown = peer_key(&connection).unwrap();
            connection.closed().await;
            Ok::<_, quinn::ConnectionError>(shown)
        });
        let client = quinn::Endpoint::client(local).unwrap();
        let config = client_config(&key(2), expected).unwrap();
        let connection = client.connect_with(config, address, SERVER_NAME).unwrap().await?;
        let shown = peer_key(&connection).unwrap();
        let mut stream = connection.accept_uni().await?;
        assert_eq!(stream.read_to_end(5).await.unwrap_or_default(), b"hello");
        connection.close(0_u32.into(), b"");
        Ok((serving.await.unwrap()?, shown))
    }

    #[tokio::test]
    async fn both_sides_know_each_others_key() {
        for accept in [Accept::Any, Accept::Only(public(2))] {
            assert_eq!(connect(public(1), accept).await.unwrap(), (public(2), public(1)));
        }
    }

    #[tokio::test]
    async fn a_wrong_key_is_refused_on_either_side_and_recognised() {
        assert!(is_wrong_key(&connect(public(3), Accept::Any).await.unwrap_err()));
        assert!(is_wrong_key(&connect(public(1), Accept::Only(public(3))).await.unwrap_err()));
    }
}
