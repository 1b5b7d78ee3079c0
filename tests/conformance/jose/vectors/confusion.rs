//! Tokens that are taken for what they are not: a public key for a secret, a secret
//! for a key pair, one issuer's token for another's.

use hmac::{EagerHash, Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::sha2::Sha256 as RsaSha256;
use serde_json::json;
use sha2::{Sha256, Sha384, Sha512};

use super::mint::{ISSUERS, RSA_N, b64, ec, ec_jwk, es256, header, join, payload, pkcs1, with};
use super::{ISSUER, SECOND, SECRET, SHARED, Vector, no, ok};

/// A public key is known to everybody, so a verifier that takes one for a secret
/// believes everybody (RFC 8725 §2.1).
pub(super) fn public_keys_as_secrets(now: u64) -> Vec<Vector> {
    let refused = "algorithm_not_allowed";
    let key = ec(ISSUERS);
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF);
    let pem = pem.unwrap();
    let der = key.verifying_key().to_public_key_der().unwrap();
    let jwk = ec_jwk(&key, "ec").to_string();
    let jwks = super::keys().to_string();
    let point = key.verifying_key().to_sec1_point(false);
    let token = |alg: &str, secret: &[u8]| {
        join(&header(alg, "ec"), &payload(now), |input| {
            hmac::<Sha256>(secret, input)
        })
    };
    vec![
        no("HS256 by the PEM", token("HS256", pem.as_bytes()), refused),
        no(
            "HS256 by the PEM without its last line end",
            token("HS256", pem.trim_end().as_bytes()),
            refused,
        ),
        no("HS256 by the DER", token("HS256", der.as_bytes()), refused),
        no("HS256 by the JWK", token("HS256", jwk.as_bytes()), refused),
        no(
            "HS256 by the key set",
            token("HS256", jwks.as_bytes()),
            refused,
        ),
        no(
            "HS256 by the point",
            token("HS256", point.as_bytes()),
            refused,
        ),
        no(
            "HS256 by the modulus",
            join(&header("HS256", "rsa"), &payload(now), |input| {
                hmac::<Sha256>(RSA_N.as_bytes(), input)
            }),
            refused,
        ),
        no(
            "HS384 by the PEM",
            join(&header("HS384", "ec"), &payload(now), |input| {
                hmac::<Sha384>(pem.as_bytes(), input)
            }),
            refused,
        ),
        no(
            "HS512 by the PEM",
            join(&header("HS512", "ec"), &payload(now), |input| {
                hmac::<Sha512>(pem.as_bytes(), input)
            }),
            refused,
        ),
        no("HS256 by nothing", token("HS256", b""), refused),
        no(
            "HS256 by an empty file that kid names",
            join(
                &header("HS256", "../../../dev/null"),
                &payload(now),
                |input| hmac::<Sha256>(b"", input),
            ),
            refused,
        ),
        no(
            "HS256 by a secret in its own header",
            join(
                &json!({
                    "alg": "HS256", "typ": "at+jwt", "kid": "ec",
                    "jwk": { "kty": "oct", "k": b64(b"known to everybody") },
                })
                .to_string(),
                &payload(now),
                |input| hmac::<Sha256>(b"known to everybody", input),
            ),
            refused,
        ),
        no("hs256", token("hs256", pem.as_bytes()), "algorithm_unknown"),
        no(
            "an algorithm that is a path",
            token("../HS256", pem.as_bytes()),
            "algorithm_unknown",
        ),
    ]
}

/// The issuer that shares a secret.
pub(super) fn secrets(now: u64) -> Vec<Vector> {
    let claims = with(now, "iss", json!(SHARED));
    let shared =
        |alg: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| join(&header(alg, "s"), &claims, sign);
    let honest = shared("HS256", &|input| hmac::<Sha256>(SECRET.as_bytes(), input));
    let (input, _) = honest.rsplit_once('.').unwrap();
    let tag = hmac::<Sha256>(SECRET.as_bytes(), input.as_bytes());
    let refused = "signature_invalid";
    vec![
        ok("HS256, and its secret", honest.clone()),
        no(
            "HS256, spoilt",
            shared("HS256", &|input| {
                let mut tag = hmac::<Sha256>(SECRET.as_bytes(), input);
                tag[0] ^= 1;
                tag
            }),
            refused,
        ),
        no(
            "HS256 by another secret",
            shared("HS256", &|input| hmac::<Sha256>(b"secret", input)),
            refused,
        ),
        no(
            "HS256 with half a tag",
            format!("{input}.{}", b64(&tag[..16])),
            refused,
        ),
        no("HS256 without a tag", format!("{input}."), refused),
        no(
            "HS256 with a longer tag",
            format!("{input}.{}", b64(&[&tag[..], &[0]].concat())),
            refused,
        ),
        no(
            "HS512 by the secret of HS256",
            shared("HS512", &|input| hmac::<Sha512>(SECRET.as_bytes(), input)),
            "algorithm_not_allowed",
        ),
        no(
            "a key pair where a secret is due",
            join(&header("ES256", "ec"), &claims, es256),
            "algorithm_not_allowed",
        ),
        no(
            "RSA where a secret is due",
            join(&header("RS256", "rsa"), &claims, pkcs1::<RsaSha256>),
            "algorithm_not_allowed",
        ),
        no(
            "no signature where a secret is due",
            shared("none", &|_| Vec::new()),
            "algorithm_unknown",
        ),
        no(
            "the secret where a key pair is due",
            join(&header("HS256", "ec"), &payload(now), |input| {
                hmac::<Sha256>(SECRET.as_bytes(), input)
            }),
            "algorithm_not_allowed",
        ),
    ]
}

/// Two issuers that name their keys alike, and whose keys are of the same kind.
pub(super) fn issuers(now: u64) -> Vec<Vector> {
    let of = |issuer: &str| with(now, "iss", json!(issuer));
    let by_second = |claims| join(&header("ES256", "ec"), claims, second_es256);
    let by_first = |claims| join(&header("ES256", "ec"), claims, es256);
    vec![
        ok("the second issuer", by_second(&of(SECOND))),
        no(
            "the second issuer's key for the first",
            by_second(&of(ISSUER)),
            "signature_invalid",
        ),
        no(
            "the first issuer's key for the second",
            by_first(&of(SECOND)),
            "signature_invalid",
        ),
        no(
            "a key that only the first issuer has",
            join(&header("RS256", "rsa"), &of(SECOND), pkcs1::<RsaSha256>),
            "algorithm_not_allowed",
        ),
        no(
            "an issuer that nobody named",
            by_first(&of("https://evil.example")),
            "issuer_unexpected",
        ),
        no(
            "an issuer in another case",
            by_first(&of("https://ISSUER.example")),
            "issuer_unexpected",
        ),
        no(
            "both issuers at once",
            by_first(&with(now, "iss", json!([ISSUER, SECOND]))),
            "issuer_unexpected",
        ),
        no(
            "the issuer in the header alone",
            {
                let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ec", "iss": ISSUER });
                let mut claims = payload(now);
                claims.as_object_mut().unwrap().remove("iss");
                join(&header.to_string(), &claims, es256)
            },
            "issuer_unexpected",
        ),
    ]
}

/// The second issuer's set: a key of the same name as one of the first.
pub(super) fn second_keys() -> serde_json::Value {
    json!({ "keys": [ec_jwk(&ec(SECONDS), "ec")] })
}

fn second_es256(input: &[u8]) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = ec(SECONDS).sign(input);
    signature.to_bytes().to_vec()
}

fn hmac<D: EagerHash>(secret: &[u8], input: &[u8]) -> Vec<u8> {
    let mac = Hmac::<D>::new_from_slice(secret).unwrap();
    mac.chain_update(input).finalize().into_bytes().to_vec()
}

/// The seed of the second issuer's key.
const SECONDS: u8 = 3;
