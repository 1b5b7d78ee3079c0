//! Tokens that are wrong in what they hold: shape, encoding, header, payload, claims.

use serde_json::json;

use super::mint::{es256, header, join, join_bytes, payload, signed, spare_bits, with};
use super::{AUDIENCE, ISSUER, Vector, no};

pub(super) fn shapes(now: u64) -> Vec<Vector> {
    let honest = signed(&payload(now));
    let (input, _) = honest.rsplit_once('.').unwrap();
    let refused = "token_not_compact";
    vec![
        no("nothing", String::new(), refused),
        no("a word", "token".into(), refused),
        no("two parts", input.into(), refused),
        no("a dot in front", format!(".{honest}"), refused),
        no("a dot behind", format!("{honest}."), refused),
        no("four parts", format!("{honest}.e30"), refused),
        no("five parts", format!("{honest}.e30.e30"), "token_encrypted"),
        no("a hundred parts", ".".repeat(100), refused),
        no(
            "encrypted, by its own header",
            "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAA.AAAA.AAAA".into(),
            "token_encrypted",
        ),
        no("three empty parts", "..".into(), "token_not_json"),
        no(
            "JSON serialization",
            r#"{"payload":"","signatures":[]}"#.into(),
            refused,
        ),
        no(
            "too large",
            signed(&with(now, "x", json!("x".repeat(16_384)))),
            "token_too_large",
        ),
        no("too large, no token", "x".repeat(20_000), "token_too_large"),
    ]
}

pub(super) fn encodings(now: u64) -> Vec<Vector> {
    let honest = signed(&payload(now));
    let parts: Vec<&str> = honest.split('.').collect();
    let refused = "token_not_base64url";
    let swap = |index: usize, part: String| {
        let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        parts[index] = part;
        parts.join(".")
    };
    vec![
        no(
            "signature: spare bits set",
            swap(2, spare_bits(parts[2])),
            refused,
        ),
        no(
            "signature: padded",
            swap(2, format!("{}==", parts[2])),
            refused,
        ),
        no(
            "signature: a character more",
            swap(2, format!("{}A", parts[2])),
            "signature_invalid",
        ),
        no("header: padded", swap(0, format!("{}=", parts[0])), refused),
        no(
            "payload: a space",
            swap(1, format!(" {}", parts[1])),
            refused,
        ),
        no(
            "payload: a line end",
            swap(1, format!("{}\n", parts[1])),
            refused,
        ),
        no(
            "payload: the other alphabet",
            swap(1, format!("+/+/{}", parts[1])),
            refused,
        ),
        no(
            "payload: not ASCII",
            swap(1, format!("\u{e9}{}", parts[1])),
            refused,
        ),
        no(
            "signature: a percent sign",
            swap(2, format!("{}%3D", parts[2])),
            refused,
        ),
    ]
}

pub(super) fn headers(now: u64) -> Vec<Vector> {
    let token = |header: &str| join(header, &payload(now), es256);
    vec![
        no(
            "alg twice",
            token(r#"{"alg":"none","alg":"ES256","kid":"ec"}"#),
            "token_duplicate_member",
        ),
        no(
            "alg twice, once escaped",
            token(r#"{"\u0061lg":"none","alg":"ES256"}"#),
            "token_duplicate_member",
        ),
        no("no alg", token(r#"{"kid":"ec"}"#), "header_malformed"),
        no(
            "alg is a number",
            token(r#"{"alg":256}"#),
            "header_malformed",
        ),
        no(
            "alg is a list",
            token(r#"{"alg":["ES256"]}"#),
            "header_malformed",
        ),
        no(
            "kid is a number",
            token(r#"{"alg":"ES256","kid":1}"#),
            "header_malformed",
        ),
        no(
            "typ is null",
            token(r#"{"alg":"ES256","typ":null}"#),
            "header_malformed",
        ),
        no(
            "crit",
            token(r#"{"alg":"ES256","crit":["exp"],"exp":1}"#),
            "header_critical",
        ),
        no(
            "crit empty",
            token(r#"{"alg":"ES256","crit":[]}"#),
            "header_critical",
        ),
        no(
            "b64 false",
            token(r#"{"alg":"ES256","b64":false}"#),
            "header_critical",
        ),
        no(
            "header is a list",
            token(r#"["alg","ES256"]"#),
            "token_not_json",
        ),
        no("header is text", token("ES256"), "token_not_json"),
        no(
            "crit for b64",
            token(r#"{"alg":"ES256","kid":"ec","b64":false,"crit":["b64"]}"#),
            "header_critical",
        ),
        no(
            "crit is null",
            token(r#"{"alg":"ES256","kid":"ec","crit":null}"#),
            "header_critical",
        ),
        no(
            "kid twice",
            token(r#"{"alg":"ES256","kid":"evil","kid":"ec"}"#),
            "token_duplicate_member",
        ),
        no(
            "kid is null",
            token(r#"{"alg":"ES256","kid":null}"#),
            "header_malformed",
        ),
        no(
            "header very deep",
            token(&format!(
                r#"{{"alg":"ES256","x":{}{}}}"#,
                "[".repeat(2000),
                "]".repeat(2000)
            )),
            "token_not_json",
        ),
        no(
            "header with a NaN",
            token(r#"{"alg":"ES256","kid":"ec","x":NaN}"#),
            "token_not_json",
        ),
        no(
            "header with a comment",
            token(r#"{"alg":"ES256"/**/}"#),
            "token_not_json",
        ),
        no(
            "typ is a list",
            token(r#"{"alg":"ES256","kid":"ec","typ":["at+jwt"]}"#),
            "header_malformed",
        ),
        no(
            "typ is a nested token",
            token(r#"{"alg":"ES256","kid":"ec","typ":"JWT","cty":"JWT"}"#),
            "type_unexpected",
        ),
        no(
            "header with a BOM",
            token("\u{feff}{\"alg\":\"ES256\"}"),
            "token_not_json",
        ),
        no(
            "header and more",
            token(r#"{"alg":"ES256"}{}"#),
            "token_not_json",
        ),
        no(
            "typ is another",
            token(r#"{"alg":"ES256","typ":"JWT","kid":"ec"}"#),
            "type_unexpected",
        ),
        no(
            "typ is logout",
            token(r#"{"alg":"ES256","typ":"logout+jwt","kid":"ec"}"#),
            "type_unexpected",
        ),
        no(
            "typ is missing",
            token(r#"{"alg":"ES256","kid":"ec"}"#),
            "type_unexpected",
        ),
    ]
}

pub(super) fn payloads(now: u64) -> Vec<Vector> {
    let token = |payload: &[u8]| join_bytes(&header("ES256", "ec"), payload, es256);
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let twice = payload(now)
        .to_string()
        .replacen('{', r#"{"sub":"admin","#, 1);
    let nested = with(now, "x", json!(0))
        .to_string()
        .replace("\"x\":0", r#""x":{"y":1,"y":2}"#);
    vec![
        no(
            "a claim twice",
            token(twice.as_bytes()),
            "token_duplicate_member",
        ),
        no(
            "a nested member twice",
            token(nested.as_bytes()),
            "token_duplicate_member",
        ),
        no("payload empty", token(b""), "token_not_json"),
        no("payload is a list", token(b"[]"), "token_not_json"),
        no("payload is null", token(b"null"), "token_not_json"),
        no(
            "payload is not UTF-8",
            token(b"{\"sub\":\"\xff\xfe\"}"),
            "token_not_json",
        ),
        no(
            "payload is a token",
            token(signed(&payload(now)).as_bytes()),
            "token_not_json",
        ),
        no(
            "payload is a token, and cty says so",
            join_bytes(
                r#"{"alg":"ES256","typ":"at+jwt","kid":"ec","cty":"JWT"}"#,
                signed(&payload(now)).as_bytes(),
                es256,
            ),
            "token_not_json",
        ),
        no(
            "payload is compressed, and zip says so",
            join_bytes(
                r#"{"alg":"ES256","typ":"at+jwt","kid":"ec","zip":"DEF"}"#,
                // An empty stored block.
                &[1, 0, 0, 0xff, 0xff],
                es256,
            ),
            "token_not_json",
        ),
        no(
            "payload with a BOM",
            token(format!("\u{feff}{}", payload(now)).as_bytes()),
            "token_not_json",
        ),
        no(
            "payload with a NaN",
            token(br#"{"exp":NaN}"#),
            "token_not_json",
        ),
        no(
            "payload with an infinity",
            token(br#"{"exp":Infinity}"#),
            "token_not_json",
        ),
        no(
            "payload with a number beyond all numbers",
            token(br#"{"exp":1e999}"#),
            "token_not_json",
        ),
        no(
            "payload with half a surrogate pair",
            token(br#"{"sub":"\ud800"}"#),
            "token_not_json",
        ),
        no(
            "payload with a NUL behind",
            token(format!("{}\0", payload(now)).as_bytes()),
            "token_not_json",
        ),
        no(
            "a claim twice, once escaped",
            token(
                payload(now)
                    .to_string()
                    .replacen('{', r#"{"\u0061ud":"https://other.example","#, 1)
                    .as_bytes(),
            ),
            "token_duplicate_member",
        ),
        no(
            "payload very deep",
            token(deep.as_bytes()),
            "token_not_json",
        ),
    ]
}

pub(super) fn claims(now: u64) -> Vec<Vector> {
    let malformed = [
        ("exp is text", "exp", json!((now + 3_600).to_string())),
        ("exp is null", "exp", json!(null)),
        ("exp is negative", "exp", json!(-1)),
        ("exp is enormous", "exp", json!(1e300)),
        (
            "exp is in milliseconds",
            "exp",
            json!((now + 3_600) * 1_000),
        ),
        ("exp is the greatest number", "exp", json!(u64::MAX)),
        ("exp is a list", "exp", json!([now + 3_600])),
        ("exp is true", "exp", json!(true)),
        ("exp is a fraction too large", "exp", json!(1e18)),
        ("iat is text", "iat", json!("now")),
        ("jti is a number", "jti", json!(7)),
        ("sub is a list", "sub", json!(["alice", "admin"])),
        ("azp is an object", "azp", json!({})),
        ("aud is an object", "aud", json!({ AUDIENCE: true })),
        ("aud is a list in a list", "aud", json!([[AUDIENCE]])),
        ("scp holds a number", "scp", json!(["a", 1])),
        ("nbf is false", "nbf", json!(false)),
        ("iat is a list", "iat", json!([1])),
        ("aud is a number", "aud", json!(1)),
        ("aud holds a number", "aud", json!([AUDIENCE, 1])),
        ("sub is a number", "sub", json!(1)),
        ("scope is a list", "scope", json!(["a"])),
        ("client_id is an object", "client_id", json!({})),
    ];
    let unwanted = [
        ("expired", "exp", json!(now), "token_expired"),
        ("expired long ago", "exp", json!(0), "token_expired"),
        (
            "not valid yet",
            "nbf",
            json!(now + 3_600),
            "token_not_yet_valid",
        ),
        (
            "not valid for a fraction yet",
            "nbf",
            json!(now as f64 + 3_599.5),
            "token_not_yet_valid",
        ),
        (
            "issued tomorrow",
            "iat",
            json!(now + 86_400),
            "token_issued_in_future",
        ),
        (
            "issued in the last year of all",
            "iat",
            json!(253_402_300_799_u64),
            "token_issued_in_future",
        ),
        ("iss is a list", "iss", json!([ISSUER]), "issuer_unexpected"),
        (
            "another issuer",
            "iss",
            json!("https://issuer.example/"),
            "issuer_unexpected",
        ),
        (
            "another audience",
            "aud",
            json!("https://other.example"),
            "audience_unexpected",
        ),
        (
            "no audience in the list",
            "aud",
            json!([]),
            "audience_unexpected",
        ),
        (
            "a part of the audience",
            "aud",
            json!("https://api"),
            "audience_unexpected",
        ),
    ];
    let missing = [
        ("no exp", "exp", "expiry_missing"),
        ("no iss", "iss", "issuer_unexpected"),
        ("no aud", "aud", "audience_unexpected"),
    ];
    let malformed = malformed
        .map(|(name, claim, value)| no(name, signed(&with(now, claim, value)), "claims_malformed"));
    let unwanted =
        unwanted.map(|(name, claim, value, code)| no(name, signed(&with(now, claim, value)), code));
    let missing = missing.map(|(name, claim, code)| {
        let mut payload = payload(now);
        payload.as_object_mut().unwrap().remove(claim);
        no(name, signed(&payload), code)
    });
    malformed
        .into_iter()
        .chain(unwanted)
        .chain(missing)
        .collect()
}
