//! A JWK Set (RFC 7517 §5): the public keys that one issuer signs with.
//!
//! It comes from the policy or from the issuer's endpoint, so it is read as a whole
//! or refused as a whole, with everything that is wrong with it said at once. What
//! it holds and how long a look-up takes is bounded.

use std::fmt;

use serde_json::{Map, Value};

use super::jwk::{self, Read};
use super::{Algorithm, Key};
use crate::strict_json::{self, NotStrict};

/// The keys of one issuer. Holds at least one.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    /// The places of the keys, sorted by their `kid`, so that finding one takes as
    /// long in a set of hundreds as in a set of ten.
    by_id: Vec<usize>,
    ignored: Vec<Ignored>,
}

/// A key of the set that is not ours to use, for whoever wonders where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Where it stands: `keys[2]`.
    pub at: String,
    /// Why it is ignored: lower case, no full stop.
    pub reason: String,
}

/// One thing that is wrong with a key set: where, what, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetProblem {
    /// Where it stands: `keys[2].n`; empty for the set as a whole.
    pub at: String,
    /// What is wrong: lower case, no full stop, no key material.
    pub message: String,
    /// How to mend it: an instruction, lower case, no full stop.
    pub hint: String,
}

impl KeySetProblem {
    pub(super) fn new(at: impl Into<String>, message: &str, hint: &str) -> Self {
        KeySetProblem {
            at: at.into(),
            message: message.to_owned(),
            hint: hint.to_owned(),
        }
    }
}

impl fmt::Display for KeySetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl KeySet {
    /// Reads the text of a JWK Set, in which no member name may occur twice.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one thing: see [`KeySet::from_json`].
    pub fn parse(text: &[u8]) -> Result<Self, Vec<KeySetProblem>> {
        if text.len() > MAX_BYTES {
            return Err(vec![KeySetProblem::new(
                "",
                &format!("the key set has more than {MAX_BYTES} bytes"),
                "publish only the keys in use",
            )]);
        }
        match strict_json::object(text) {
            Ok(members) => Self::from_members(&members),
            Err(NotStrict::Duplicate) => Err(vec![KeySetProblem::new(
                "",
                "a member name occurs twice in one object",
                "leave one of the two",
            )]),
            Err(NotStrict::Json) => Err(vec![not_a_set()]),
        }
    }

    /// Reads a JWK Set that stands in a JSON document.
    ///
    /// Keys for other purposes and of unknown kinds are [ignored](KeySet::ignored),
    /// as RFC 7517 §5 asks.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one thing: it is not a set, has too
    /// many keys, holds a malformed or a secret key, or none that verifies signatures.
    pub fn from_json(document: &Value) -> Result<Self, Vec<KeySetProblem>> {
        match document {
            Value::Object(members) => Self::from_members(members),
            _ => Err(vec![not_a_set()]),
        }
    }

    /// The keys that `kid` and `algorithm` of a token's header leave, at most eight.
    ///
    /// With a `kid`, only keys of that name: a key without one was not meant by a
    /// token that names its key. Without a `kid`, every key that takes the algorithm.
    /// Either way a token buys no more than eight verifications.
    pub fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &Key> {
        let (named, all) = match kid {
            Some(kid) => (self.named(kid), &[][..]),
            None => (&[][..], self.keys.as_slice()),
        };
        named
            .iter()
            .filter_map(|place| self.keys.get(*place))
            .chain(all)
            .filter(move |key| key.accepts(algorithm))
            .take(MAX_CANDIDATES)
    }

    /// Whether any key has the name `kid`, whatever its algorithm.
    pub fn names(&self, kid: &str) -> bool {
        !self.named(kid).is_empty()
    }

    /// Every usable key, in the order of the set.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that are not used, and why.
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// The places of the keys that have this name, in the order of the set.
    fn named(&self, kid: &str) -> &[usize] {
        let id = |place: &usize| self.keys.get(*place).and_then(Key::id);
        let from = self.by_id.partition_point(|place| id(place) < Some(kid));
        let rest = self.by_id.get(from..).unwrap_or_default();
        let count = rest.partition_point(|place| id(place) == Some(kid));
        rest.get(..count).unwrap_or_default()
    }

    fn from_members(members: &Map<String, Value>) -> Result<Self, Vec<KeySetProblem>> {
        let Some(Value::Array(entries)) = members.get("keys") else {
            return Err(vec![not_a_set()]);
        };
        if entries.len() > MAX_KEYS {
            return Err(vec![KeySetProblem::new(
                "keys",
                &format!("there are more than {MAX_KEYS} keys"),
                "publish only the keys in use",
            )]);
        }
        let mut set = KeySet {
            keys: Vec::new(),
            by_id: Vec::new(),
            ignored: Vec::new(),
        };
        let mut problems = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("keys[{index}]");
            let Value::Object(key) = entry else {
                problems.push(KeySetProblem::new(
                    at,
                    "a key is not a JSON object",
                    "write a JSON Web Key, as RFC 7517 §4 says",
                ));
                continue;
            };
            match jwk::read(key, &at) {
                Ok(Read::Usable(key)) => set.keys.push(key),
                Ok(Read::Ignored(reason)) => set.ignored.push(Ignored { at, reason }),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() && set.keys.is_empty() {
            problems.push(set.no_usable_key());
        }
        if problems.is_empty() {
            set.sort_by_id();
            Ok(set)
        } else {
            Err(problems)
        }
    }

    /// By insertion: a sort of the standard library is 12 kB of code, for 512 keys at most.
    fn sort_by_id(&mut self) {
        let id = |place: usize| self.keys.get(place).and_then(Key::id);
        let mut sorted: Vec<usize> = Vec::with_capacity(self.keys.len());
        for place in 0..self.keys.len() {
            let at = sorted.partition_point(|other| id(*other) <= id(place));
            sorted.insert(at, place);
        }
        self.by_id = sorted;
    }

    fn no_usable_key(&self) -> KeySetProblem {
        let reasons: Vec<String> = self
            .ignored
            .iter()
            .take(MAX_CANDIDATES)
            .map(|ignored| format!(" ({}: {})", ignored.at, ignored.reason))
            .collect();
        KeySetProblem::new(
            "keys",
            &format!("no key verifies signatures{}", reasons.concat()),
            "publish an RSA (2048 to 8192 bits), P-256, P-384, P-521 or Ed25519 key",
        )
    }
}

fn not_a_set() -> KeySetProblem {
    KeySetProblem::new(
        "",
        "this is not a JWK Set",
        "write a JSON object with an array `keys`, as RFC 7517 §5 says",
    )
}

/// The longest text that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The most keys that a set may hold.
const MAX_KEYS: usize = 512;

/// The most keys that are tried for one token.
const MAX_CANDIDATES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ed(more: &Value) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": X });
        let members = key.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        key
    }

    fn set(keys: &[Value]) -> Result<KeySet, Vec<KeySetProblem>> {
        KeySet::from_json(&json!({ "keys": keys }))
    }

    fn rsa(bytes: usize, last: u8, e: &str) -> Value {
        let modulus = [vec![0xff; bytes - 1], vec![last]].concat();
        use base64::Engine as _;
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(modulus);
        json!({ "kty": "RSA", "n": n, "e": e })
    }

    /// Where a problem of a set with this one key stands, if there is one.
    fn problem(key: Value) -> String {
        match set(&[key, ed(&json!({}))]) {
            Ok(_) => String::new(),
            Err(problems) => problems[0].at.clone(),
        }
    }

    fn ignored(key: Value) -> usize {
        set(&[key, ed(&json!({}))]).unwrap().ignored().len()
    }

    #[test]
    fn a_secret_in_a_published_set_is_a_problem() {
        let mut weak = rsa(256, 1, "AQAB");
        weak["dp"] = json!("AA");
        assert_eq!(problem(weak), "keys[0].dp");
        assert_eq!(problem(ed(&json!({ "d": X }))), "keys[0].d");
        assert_eq!(problem(ed(&json!({ "d": X, "use": "enc" }))), "keys[0].d");
        assert_eq!(problem(json!({ "kty": "oct", "k": "AAAA" })), "keys[0].kty");
        let said = set(&[ed(&json!({ "d": "c2VjcmV0" }))]).unwrap_err();
        assert!(!said[0].to_string().contains("c2VjcmV0"));
    }

    #[test]
    fn keys_for_something_else_are_ignored() {
        for key in [
            ed(&json!({ "use": "enc" })),
            ed(&json!({ "key_ops": ["sign"] })),
            ed(&json!({ "alg": "HS256" })),
            ed(&json!({ "alg": "RSA-OAEP" })),
            json!({ "kty": "LMS" }),
            json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" }),
            json!({ "kty": "OKP", "crv": "X25519", "x": X }),
            rsa(255, 1, "AQAB"),
            rsa(1025, 1, "AQAB"),
            rsa(256, 1, "AQAAAAAAAQ"),
        ] {
            assert_eq!(ignored(key.clone()), 1, "{key}");
        }
        for key in [
            ed(&json!({ "use": "sig", "key_ops": ["verify", "sign"], "alg": "EdDSA" })),
            rsa(256, 1, "AQAB"),
            rsa(1024, 1, "Aw"),
        ] {
            assert_eq!(ignored(key.clone()), 0, "{key}");
        }
    }

    #[test]
    fn mistakes_are_problems() {
        let point = |x: &str, y: &str| json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        for (key, at) in [
            (json!({}), "keys[0].kty"),
            (json!({ "kty": 1 }), "keys[0].kty"),
            (json!("key"), "keys[0]"),
            (ed(&json!({ "kid": 1 })), "keys[0].kid"),
            (ed(&json!({ "use": ["sig"] })), "keys[0].use"),
            (ed(&json!({ "key_ops": "verify" })), "keys[0].key_ops"),
            (ed(&json!({ "alg": "ES256" })), "keys[0].alg"),
            (ed(&json!({ "alg": 1 })), "keys[0].alg"),
            (ed(&json!({ "x": "AAAA" })), "keys[0].x"),
            (ed(&json!({ "x": format!("{X}=") })), "keys[0].x"),
            (json!({ "kty": "OKP" }), "keys[0].crv"),
            (point(X, &format!("AA{X}")), "keys[0].y"),
            (point(X, X), "keys[0].x"),
            (point(X, ""), "keys[0].x"),
            (point("", ""), "keys[0].x"),
            (rsa(256, 2, "AQAB"), "keys[0].n"),
            (rsa(256, 1, "AQ"), "keys[0].e"),
            (rsa(256, 1, "AA"), "keys[0].e"),
            (rsa(256, 1, "BA"), "keys[0].n"),
            (json!({ "kty": "RSA", "e": "AQAB" }), "keys[0].n"),
        ] {
            assert_eq!(problem(key.clone()), at, "{key}");
        }
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let problems = set(&[json!({}), ed(&json!({})), ed(&json!({ "kid": 1 }))]).unwrap_err();
        let at: Vec<_> = problems.iter().map(|problem| problem.at.as_str()).collect();
        assert_eq!(at, ["keys[0].kty", "keys[2].kid"]);
    }

    #[test]
    fn a_set_that_verifies_nothing_is_refused_with_the_reason() {
        let none = set(&[ed(&json!({ "use": "enc" }))]).unwrap_err();
        assert!(none[0].message.contains("keys[0]: its `use` is not `sig`"));
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
            assert_eq!(
                KeySet::parse(text.as_bytes()).unwrap_err().len(),
                1,
                "{text}"
            );
        }
        let twice = format!(r#"{{"keys":[{{"kid":"a","kid":"b","kty":"OKP","x":"{X}"}}]}}"#);
        let problems = KeySet::parse(twice.as_bytes()).unwrap_err();
        assert!(problems[0].message.contains("twice"));
    }

    #[test]
    fn what_is_read_is_bounded() {
        let many = vec![ed(&json!({})); MAX_KEYS];
        assert_eq!(set(&many).unwrap().keys().len(), MAX_KEYS);
        assert!(set(&[many, vec![ed(&json!({}))]].concat()).is_err());
        assert!(KeySet::parse(&vec![b' '; MAX_BYTES + 1]).is_err());
    }

    #[test]
    fn every_key_of_a_large_set_is_found_by_its_name() {
        let kid = |number: usize| format!("key-{}", number * 7919 % MAX_KEYS);
        let keys: Vec<_> = (0..MAX_KEYS)
            .map(|number| ed(&json!({ "kid": kid(number) })))
            .collect();
        let set = set(&keys).unwrap();
        for number in 0..MAX_KEYS {
            let found: Vec<_> = set
                .candidates(Some(&kid(number)), Algorithm::EdDsa)
                .map(Key::id)
                .collect();
            assert_eq!(found, [Some(kid(number).as_str())]);
        }
        for stranger in ["", "key-", "key-512", "key-1x", "zzz", "\u{10ffff}"] {
            assert!(!set.names(stranger), "{stranger}");
        }
    }

    #[test]
    fn candidates_are_those_that_the_header_names() {
        let set = set(&[
            ed(&json!({ "kid": "a" })),
            ed(&json!({ "kid": "a", "alg": "EdDSA" })),
            ed(&json!({ "kid": "b" })),
            ed(&json!({})),
        ])
        .unwrap();
        let count = |kid, algorithm| set.candidates(kid, algorithm).count();
        assert_eq!(count(Some("a"), Algorithm::EdDsa), 2);
        assert_eq!(count(Some("b"), Algorithm::EdDsa), 1);
        assert_eq!(count(Some(""), Algorithm::EdDsa), 0);
        assert_eq!(count(None, Algorithm::EdDsa), 4);
        assert_eq!(count(None, Algorithm::Es256), 0);
        assert!(set.names("a") && !set.names("c"));
        let order: Vec<_> = set.candidates(Some("a"), Algorithm::EdDsa).collect();
        assert!(std::ptr::eq(order[0], &set.keys()[0]));
        let many = KeySet::from_json(&json!({ "keys": vec![ed(&json!({})); 100] })).unwrap();
        let tried = many.candidates(None, Algorithm::EdDsa).count();
        assert_eq!(tried, MAX_CANDIDATES);
    }
}
