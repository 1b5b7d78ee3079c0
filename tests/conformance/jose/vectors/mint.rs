//! The keys behind the vectors, and tokens put together by hand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use rsa::BigUint;
use rsa::pkcs8::AssociatedOid;
use rsa::rand_core::{CryptoRng, RngCore};
use rsa::sha2::digest::DynDigest;
use rsa::sha2::{Digest, Sha256};
use serde_json::{Value, json};

use super::{AUDIENCE, ISSUER, TYPE};

pub(super) fn header(algorithm: &str, kid: &str) -> String {
    format!(r#"{{"alg":"{algorithm}","typ":"{TYPE}","kid":"{kid}"}}"#)
}

pub(super) fn payload(now: u64) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "web",
        "scope": "orders:read", "iat": now - 60, "nbf": now, "exp": now + 3600,
    })
}

pub(super) fn with(now: u64, claim: &str, value: Value) -> Value {
    let mut payload = payload(now);
    payload[claim] = value;
    payload
}

pub(super) fn signed(payload: &Value) -> String {
    join(&header("ES256", "ec"), payload, es256)
}

pub(super) fn join(header: &str, payload: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    join_bytes(header, payload.to_string().as_bytes(), sign)
}

pub(super) fn join_bytes(header: &str, payload: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", b64(header.as_bytes()), b64(payload));
    format!("{input}.{}", b64(&sign(input.as_bytes())))
}

pub(super) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same bytes to a careless decoder, by another text.
pub(super) fn spare_bits(part: &str) -> String {
    let (rest, last) = part.split_at(part.len() - 1);
    let next = match last {
        "A" => "B",
        "Q" => "R",
        "g" => "h",
        "w" => "x",
        other => panic!("64 bytes cannot end in {other}"),
    };
    format!("{rest}{next}")
}

pub(super) fn ec(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

pub(super) fn ec_jwk(key: &p256::ecdsa::SigningKey, kid: &str) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": b64(x), "y": b64(y) })
}

pub(super) fn ed25519() -> ed25519_compact::KeyPair {
    ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([ISSUERS; 32]))
}

pub(super) fn es256(input: &[u8]) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = ec(ISSUERS).sign(input);
    signature.to_bytes().to_vec()
}

pub(super) fn forge(input: &[u8]) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = ec(ATTACKERS).sign(input);
    signature.to_bytes().to_vec()
}

pub(super) fn der(input: &[u8]) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = ec(ISSUERS).sign(input);
    signature.to_der().as_bytes().to_vec()
}

pub(super) fn eddsa(input: &[u8]) -> Vec<u8> {
    ed25519().sk.sign(input, None).to_vec()
}

pub(super) fn ec384_jwk(kid: &str) -> Value {
    let point = ec384().verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(48);
    json!({ "kty": "EC", "crv": "P-384", "kid": kid, "x": b64(x), "y": b64(y) })
}

pub(super) fn es384(input: &[u8]) -> Vec<u8> {
    let signature: p384::ecdsa::Signature = ec384().sign(input);
    signature.to_bytes().to_vec()
}

fn ec384() -> p384::ecdsa::SigningKey {
    p384::ecdsa::SigningKey::from_slice(&[ISSUERS; 48]).unwrap()
}

pub(super) fn ec521_jwk(kid: &str) -> Value {
    let point = ec521().verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(66);
    json!({ "kty": "EC", "crv": "P-521", "kid": kid, "x": b64(x), "y": b64(y) })
}

pub(super) fn es512(input: &[u8]) -> Vec<u8> {
    let signature: p521::ecdsa::Signature = ec521().sign(input);
    signature.to_bytes().to_vec()
}

fn ec521() -> p521::ecdsa::SigningKey {
    p521::ecdsa::SigningKey::from_slice(&[ISSUERS; 66]).unwrap()
}

pub(super) fn rs256(input: &[u8]) -> Vec<u8> {
    pkcs1::<Sha256>(input)
}

/// RS256, RS384, RS512.
pub(super) fn pkcs1<D: Digest + AssociatedOid>(input: &[u8]) -> Vec<u8> {
    rsa_key()
        .sign(rsa::Pkcs1v15Sign::new::<D>(), &D::digest(input))
        .unwrap()
}

/// PS256, PS384, PS512; the salt is as long as the hash (RFC 7518 §3.5).
pub(super) fn pss<D>(input: &[u8]) -> Vec<u8>
where
    D: Digest + DynDigest + Send + Sync + 'static,
{
    rsa_key()
        .sign_with_rng(&mut FixedSalt, rsa::Pss::new::<D>(), &D::digest(input))
        .unwrap()
}

fn rsa_key() -> rsa::RsaPrivateKey {
    let number = |text: &str| BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(text).unwrap());
    let primes = vec![number(RSA_P), number(RSA_Q)];
    let e = BigUint::from(65_537_u32);
    rsa::RsaPrivateKey::from_components(number(RSA_N), e, number(RSA_D), primes).unwrap()
}

/// The same salt every time, so that the same tokens come out.
struct FixedSalt;

impl CryptoRng for FixedSalt {}

impl RngCore for FixedSalt {
    fn next_u32(&mut self) -> u32 {
        rsa::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rsa::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0x5a);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// The seed of the issuer's keys.
pub(super) const ISSUERS: u8 = 1;
/// The seed of a key that nobody trusts.
pub(super) const ATTACKERS: u8 = 2;

/// The order of P-256: the first number that is not a scalar.
pub(super) const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

// The RSA key of RFC 7520 §3.4, which the whole world knows.
pub(super) const RSA_N: &str = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";
const RSA_D: &str = "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3XTGgdrhCku9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ";
const RSA_P: &str = "3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4Vupk8rw9JR0AzZ0N2fvuIAmr_WCsmGpeNqQnev1T7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJlsPp6Zv8bUq0k";
const RSA_Q: &str = "uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrUeq3MP15vMMON8lHTeZu2lmKvwqW7anV5UzhM1iZ7z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB3pVFJ0s7pFc";
