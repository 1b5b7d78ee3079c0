//! Tokens and the fate of each: good ones, and the attacks that we know.
//!
//! Everything is made from fixed keys and takes nothing from the library under test,
//! so the same tokens can be given to it and, over HTTP, to a gateway that trusts
//! [`issuers`]. No fate hangs on a fraction of a
//! second, so a clock that runs will do; the unit tests of `Claims` know the edges.

// The paths are written out so that another test can take this file in by path, too.
#[path = "vectors/confusion.rs"]
mod confusion;
#[path = "vectors/contents.rs"]
mod contents;
#[path = "vectors/mint.rs"]
mod mint;

use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
use serde_json::{Value, json};

use mint::{
    ATTACKERS, ISSUERS, P256_ORDER, RSA_N, b64, der, ec, ec_jwk, ec384_jwk, ec521_jwk, ed25519,
    eddsa, es256, es384, es512, forge, header, join, payload, pkcs1, pss, rs256, signed, with,
};

/// `iss` of the good tokens.
pub(super) const ISSUER: &str = "https://issuer.example";
/// `iss` of an issuer that names a key of its own like one of the first.
pub(super) const SECOND: &str = "https://second.example";
/// `iss` of an issuer that signs by [`SECRET`].
pub(super) const SHARED: &str = "https://shared.example";
/// What that issuer shares with the gateway.
pub(super) const SECRET: &str = "a secret of forty bytes or so, for HS256";
/// `aud` of the good tokens.
pub(super) const AUDIENCE: &str = "https://api.example";
/// `typ` of the good tokens.
pub(super) const TYPE: &str = "at+jwt";

/// One token and its fate.
pub(super) struct Vector {
    /// What it tries.
    pub(super) name: &'static str,
    /// The token, as a client would send it.
    pub(super) token: String,
    /// Nothing, or the code of the refusal.
    pub(super) fate: Result<(), &'static str>,
}

/// The issuers that are trusted, as a policy writes them.
pub(super) fn issuers() -> Vec<Value> {
    let issuer = |name: &str, issuer: &str, algorithms: Value, keys: Value| {
        json!({
            "name": name,
            "issuer": issuer,
            "audiences": [AUDIENCE],
            "token_types": [TYPE],
            "algorithms": algorithms,
            "clock_skew": "0s",
            "keys": keys,
        })
    };
    let every = json!([
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ]);
    vec![
        issuer("first", ISSUER, every, json!({ "inline": keys() })),
        issuer(
            "second",
            SECOND,
            json!(["ES256"]),
            json!({ "inline": confusion::second_keys() }),
        ),
        issuer(
            "shared",
            SHARED,
            json!(["HS256"]),
            json!({ "secret": { "values": [{ "inline": SECRET }] } }),
        ),
    ]
}

/// The issuer's key set: `ec`, `ec384`, `ec521`, `ed` and `rsa`.
fn keys() -> Value {
    let ed = ed25519().pk;
    json!({ "keys": [
        ec_jwk(&ec(ISSUERS), "ec"),
        ec384_jwk("ec384"),
        ec521_jwk("ec521"),
        { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": b64(ed.as_ref()) },
        { "kty": "RSA", "kid": "rsa", "use": "sig", "n": RSA_N, "e": "AQAB" },
    ]})
}

/// Every vector, for a clock at `now` in seconds since 1970. What is good is good for
/// an hour.
pub(super) fn vectors(now: u64) -> Vec<Vector> {
    [
        good(now),
        every_algorithm(now),
        algorithms(now),
        keys_offered(now),
        confusion::public_keys_as_secrets(now),
        confusion::secrets(now),
        confusion::issuers(now),
        signatures(now),
        other_curves(now),
        contents::shapes(now),
        contents::encodings(now),
        contents::headers(now),
        contents::payloads(now),
        contents::claims(now),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn good(now: u64) -> Vec<Vector> {
    let bare = join(r#"{"alg":"ES256","typ":"at+jwt"}"#, &payload(now), es256);
    let rfc9864 = r#"{"alg":"Ed25519","typ":"at+jwt","kid":"ed"}"#;
    let prefixed = r#"{"alg":"ES256","typ":"Application/AT+JWT","kid":"ec"}"#;
    let several = with(now, "aud", json!(["https://other.example", AUDIENCE]));
    let fraction = with(now, "exp", json!(now as f64 + 3_600.5));
    vec![
        ok("no kid", bare),
        ok(
            "EdDSA by its newer name",
            join(rfc9864, &payload(now), eddsa),
        ),
        ok("typ with its prefix", join(prefixed, &payload(now), es256)),
        ok("several audiences", signed(&several)),
        ok("an expiry with a fraction", signed(&fraction)),
        ok(
            "an unknown claim",
            signed(&with(now, "x", json!([null, {"y": 1.5}]))),
        ),
    ]
}

/// Each algorithm with an honest signature and with one that is wrong in its last bit.
fn every_algorithm(now: u64) -> Vec<Vector> {
    type Sign = fn(&[u8]) -> Vec<u8>;
    let table: [(&str, &str, Sign, &str); 10] = [
        ("ES256", "ec", es256, "ES256, spoilt"),
        ("ES384", "ec384", es384, "ES384, spoilt"),
        ("ES512", "ec521", es512, "ES512, spoilt"),
        ("EdDSA", "ed", eddsa, "EdDSA, spoilt"),
        ("RS256", "rsa", pkcs1::<Sha256>, "RS256, spoilt"),
        ("RS384", "rsa", pkcs1::<Sha384>, "RS384, spoilt"),
        ("RS512", "rsa", pkcs1::<Sha512>, "RS512, spoilt"),
        ("PS256", "rsa", pss::<Sha256>, "PS256, spoilt"),
        ("PS384", "rsa", pss::<Sha384>, "PS384, spoilt"),
        ("PS512", "rsa", pss::<Sha512>, "PS512, spoilt"),
    ];
    table
        .into_iter()
        .flat_map(|(name, kid, sign, spoilt)| {
            let token =
                |sign: &dyn Fn(&[u8]) -> Vec<u8>| join(&header(name, kid), &payload(now), sign);
            let spoil = |input: &[u8]| {
                let mut signature = sign(input);
                *signature.last_mut().unwrap() ^= 1;
                signature
            };
            [
                ok(name, token(&sign)),
                no(spoilt, token(&spoil), "signature_invalid"),
            ]
        })
        .collect()
}

fn algorithms(now: u64) -> Vec<Vector> {
    let unsigned = |_: &[u8]| Vec::new();
    let none = |name: &str| join(&header(name, "ec"), &payload(now), unsigned);
    let mac = |input: &[u8]| Sha256::digest(input).to_vec();
    vec![
        no("none", none("none"), "algorithm_unknown"),
        no("None", none("None"), "algorithm_unknown"),
        no("nOnE", none("nOnE"), "algorithm_unknown"),
        no(
            "none, well signed",
            join(&header("none", "ec"), &payload(now), es256),
            "algorithm_unknown",
        ),
        no(
            "HMAC with the public key",
            join(&header("HS256", "rsa"), &payload(now), mac),
            "algorithm_not_allowed",
        ),
        no("an algorithm of nobody", none("XS256"), "algorithm_unknown"),
        no(
            "lower case",
            join(&header("es256", "ec"), &payload(now), es256),
            "algorithm_unknown",
        ),
        no(
            "another kind of key",
            join(&header("ES256", "rsa"), &payload(now), es256),
            "key_unsuitable",
        ),
        no(
            "another curve",
            join(&header("ES384", "ec"), &payload(now), es256),
            "key_unsuitable",
        ),
        no(
            "RSA by an EC key",
            join(&header("RS256", "ec"), &payload(now), rs256),
            "key_unsuitable",
        ),
        no(
            "PKCS1 as PSS",
            join(&header("PS256", "rsa"), &payload(now), rs256),
            "signature_invalid",
        ),
        no(
            "another hash",
            join(&header("RS512", "rsa"), &payload(now), rs256),
            "signature_invalid",
        ),
    ]
}

/// Header members that tell a verifier where to find the attacker's key.
fn keys_offered(now: u64) -> Vec<Vector> {
    let offer =
        |kid: &str, more: &str| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}",{more}}}"#);
    let jwk = format!(r#""jwk":{}"#, ec_jwk(&ec(ATTACKERS), "ec"));
    let jku = r#""jku":"https://evil.example/jwks""#;
    let x5u = r#""x5u":"https://evil.example/x5u""#;
    let x5c = r#""x5c":["MIIB"],"x5t":"AAAA""#;
    let forged = |more: &str| join(&offer("ec", more), &payload(now), forge);
    let long = "k".repeat(8000);
    let by_name = |kid: &str| join(&header("ES256", kid), &payload(now), forge);
    vec![
        no("jwk", forged(&jwk), "signature_invalid"),
        no(
            "jwk, kid unknown",
            join(&offer("evil", &jwk), &payload(now), forge),
            "key_unknown",
        ),
        no("jku", forged(jku), "signature_invalid"),
        no("x5u", forged(x5u), "signature_invalid"),
        no("x5c", forged(x5c), "signature_invalid"),
        ok(
            "jwk beside an honest signature",
            join(&offer("ec", &jwk), &payload(now), es256),
        ),
        no("kid as a path", by_name("../../../dev/null"), "key_unknown"),
        no(
            "kid as SQL",
            by_name("x' UNION SELECT 'AAAA"),
            "key_unknown",
        ),
        no("kid with a NUL", by_name("ec\\u0000"), "key_unknown"),
        no("kid empty", by_name(""), "key_unknown"),
        no("kid in another case", by_name("EC"), "key_unknown"),
        no("kid very long", by_name(&long), "key_unknown"),
        no(
            "no kid, the attacker's key",
            join(r#"{"alg":"ES256","typ":"at+jwt"}"#, &payload(now), forge),
            "signature_invalid",
        ),
    ]
}

fn signatures(now: u64) -> Vec<Vector> {
    let token = |sign: fn(&[u8]) -> Vec<u8>| join(&header("ES256", "ec"), &payload(now), sign);
    let honest = signed(&payload(now));
    let (input, _) = honest.rsplit_once('.').unwrap();
    let (head, _) = input.split_once('.').unwrap();
    let (_, signature) = honest.rsplit_once('.').unwrap();
    let other = b64(with(now, "sub", json!("admin")).to_string().as_bytes());
    let rs = |sign: fn(&[u8]) -> Vec<u8>| join(&header("RS256", "rsa"), &payload(now), sign);
    let refused = "signature_invalid";
    vec![
        no("psychic: r and s are zero", token(|_| vec![0; 64]), refused),
        no(
            "r and s are the order",
            token(|_| [P256_ORDER, P256_ORDER].concat()),
            refused,
        ),
        no(
            "s is zero",
            token(|input| [&es256(input)[..32], &[0; 32]].concat()),
            refused,
        ),
        no("no signature", token(|_| Vec::new()), refused),
        no(
            "cut by a byte",
            token(|input| es256(input)[..63].to_vec()),
            refused,
        ),
        no(
            "longer by a byte",
            token(|input| [&es256(input)[..], &[0]].concat()),
            refused,
        ),
        no("in DER", token(der), refused),
        no(
            "halves exchanged",
            token(|input| [&es256(input)[32..], &es256(input)[..32]].concat()),
            refused,
        ),
        no(
            "payload exchanged",
            format!("{head}.{other}.{signature}"),
            refused,
        ),
        no(
            "header exchanged",
            format!(
                "{}.{}",
                b64(header("ES256", "ec").replace(',', ", ").as_bytes()),
                honest.split_once('.').unwrap().1
            ),
            refused,
        ),
        no("RSA: all zero", rs(|_| vec![0; 256]), refused),
        no(
            "RSA: one",
            rs(|_| [vec![0; 255], vec![1]].concat()),
            refused,
        ),
        no("RSA: beyond the modulus", rs(|_| vec![0xff; 256]), refused),
        no(
            "RSA: leading zero",
            rs(|input| [vec![0], rs256(input)].concat()),
            refused,
        ),
        no("RSA: a megabit", rs(|_| vec![1; 8000]), refused),
        no(
            "EdDSA: small order",
            join(&header("EdDSA", "ed"), &payload(now), |_| {
                [&[1][..], &[0; 63]].concat()
            }),
            refused,
        ),
    ]
}

/// The same mistakes with the longer curves, whose numbers have other lengths.
fn other_curves(now: u64) -> Vec<Vector> {
    let token = |alg: &str, kid: &str, signature: Vec<u8>| {
        join(&header(alg, kid), &payload(now), |_| signature.clone())
    };
    let refused = "signature_invalid";
    vec![
        no(
            "ES256: r and s beyond the order",
            token("ES256", "ec", vec![0xff; 64]),
            refused,
        ),
        no(
            "ES256: r and s are one",
            token("ES256", "ec", [[0; 31].as_slice(), &[1]].concat().repeat(2)),
            refused,
        ),
        no(
            "ES384: psychic",
            token("ES384", "ec384", vec![0; 96]),
            refused,
        ),
        no(
            "ES384: beyond the order",
            token("ES384", "ec384", vec![0xff; 96]),
            refused,
        ),
        no(
            "ES512: psychic",
            token("ES512", "ec521", vec![0; 132]),
            refused,
        ),
        no(
            "ES512: beyond the order",
            token("ES512", "ec521", vec![0xff; 132]),
            refused,
        ),
        no(
            "ES512: without the leading byte of r",
            join(&header("ES512", "ec521"), &payload(now), |input| {
                es512(input)[1..].to_vec()
            }),
            refused,
        ),
        no(
            "ES512 as ES384",
            join(&header("ES384", "ec521"), &payload(now), es512),
            "key_unsuitable",
        ),
        no(
            "EdDSA: all zero",
            token("EdDSA", "ed", vec![0; 64]),
            refused,
        ),
        no(
            "EdDSA: s not reduced",
            join(&header("EdDSA", "ed"), &payload(now), |input| {
                let mut signature = eddsa(input);
                signature[63] |= 0xe0;
                signature
            }),
            refused,
        ),
    ]
}

fn ok(name: &'static str, token: String) -> Vector {
    Vector {
        name,
        token,
        fate: Ok(()),
    }
}

fn no(name: &'static str, token: String, code: &'static str) -> Vector {
    Vector {
        name,
        token,
        fate: Err(code),
    }
}
