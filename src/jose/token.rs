//! A token before anyone vouched for it.
//!
//! What can be learnt from it is what choosing a key needs: algorithm, key name,
//! type, and the issuer it claims. Everything else waits in [`Unverified`] until a
//! signature is checked. Header members that offer a key or say where one is
//! (`jwk`, `jku`, `x5u`, `x5c`) are read by nobody: keys come from the issuer's set
//! alone (RFC 8725 §3.10).

use serde_json::{Map, Value};

use super::{
    Algorithm, Claims, KeySet, SharedSecret, Signatures, SignedBy, TokenError, Verification,
    base64url,
};
use crate::strict_json::{self, NotStrict};

/// A well-formed token in compact serialization, of which nothing is proven.
#[derive(Debug)]
pub struct Unverified<'a> {
    signing_input: &'a str,
    signature: Vec<u8>,
    header: Header,
    payload: Map<String, Value>,
}

/// The parts of a header that mean something here.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: SignedBy,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Reads a token of at most `limit` bytes, mostly [`MAX_TOKEN_BYTES`].
    ///
    /// # Errors
    /// Whatever makes it ill-formed, from [`TokenError::TooLarge`] to
    /// [`TokenError::AlgorithmUnknown`], before any costly work.
    pub fn parse(compact: &'a str, limit: usize) -> Result<Self, TokenError> {
        if compact.len() > limit {
            return Err(TokenError::TooLarge);
        }
        let (header, payload, signature) = parts(compact)?;
        let signature = base64url::decode(signature).ok_or(TokenError::NotBase64url)?;
        let header = Header::read(&object(header)?)?;
        let payload = object(payload)?;
        let (signing_input, _) = compact.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        Ok(Unverified {
            signing_input,
            signature,
            header,
            payload,
        })
    }

    /// `alg`: what the token says it was signed by.
    pub fn algorithm(&self) -> SignedBy {
        self.header.algorithm
    }

    /// `kid`: the name of the key that the token says it was signed with.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// `typ`, lower case and without `application/` (RFC 7515 §4.1.9).
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// `iss`, to choose whose keys to try and for nothing else.
    pub fn issuer(&self) -> Option<&str> {
        self.payload.get("iss").and_then(Value::as_str)
    }

    /// Checks the signature against the keys of the issuer that was chosen.
    ///
    /// Whether the claims are those one wants is another question: [`Claims::check`].
    ///
    /// # Errors
    /// [`TokenError::AlgorithmNotAllowed`], [`TokenError::KeyUnknown`],
    /// [`TokenError::KeyUnsuitable`], [`TokenError::AlgorithmUnsupported`],
    /// [`TokenError::SignatureInvalid`], or [`TokenError::ClaimsMalformed`].
    pub fn verify(
        self,
        keys: &KeySet,
        signatures: &dyn Signatures,
        allowed: &[Algorithm],
    ) -> Result<Claims, TokenError> {
        self.check_signature(keys, signatures, allowed)?;
        Claims::signed(self.header, self.payload)
    }

    /// Checks the signature against the secrets of an issuer that shares one.
    ///
    /// # Errors
    /// [`TokenError::AlgorithmNotAllowed`] if no secret is for the token's algorithm,
    /// [`TokenError::KeyUnknown`] if none of those is for its `kid`,
    /// [`TokenError::SignatureInvalid`], or [`TokenError::ClaimsMalformed`].
    pub fn verify_mac(self, secrets: &[SharedSecret]) -> Result<Claims, TokenError> {
        self.check_mac(secrets)?;
        Claims::signed(self.header, self.payload)
    }

    fn check_mac(&self, secrets: &[SharedSecret]) -> Result<(), TokenError> {
        let SignedBy::Secret(algorithm) = self.algorithm() else {
            return Err(TokenError::AlgorithmNotAllowed);
        };
        let mut refusal = TokenError::AlgorithmNotAllowed;
        let message = self.signing_input.as_bytes();
        for secret in secrets {
            if secret.algorithm() != algorithm {
                continue;
            }
            if !secret.answers_to(self.kid()) {
                if refusal == TokenError::AlgorithmNotAllowed {
                    refusal = TokenError::KeyUnknown;
                }
            } else if secret.made(message, &self.signature) {
                return Ok(());
            } else {
                refusal = TokenError::SignatureInvalid;
            }
        }
        Err(refusal)
    }

    fn check_signature(
        &self,
        keys: &KeySet,
        signatures: &dyn Signatures,
        allowed: &[Algorithm],
    ) -> Result<(), TokenError> {
        let algorithm = match self.algorithm() {
            SignedBy::KeyPair(algorithm) if allowed.contains(&algorithm) => algorithm,
            _ => return Err(TokenError::AlgorithmNotAllowed),
        };
        let mut refusal = match self.kid() {
            Some(kid) if keys.names(kid) => TokenError::KeyUnsuitable,
            _ => TokenError::KeyUnknown,
        };
        let message = self.signing_input.as_bytes();
        for key in keys.candidates(self.kid(), algorithm) {
            match signatures.verify(key, algorithm, message, &self.signature) {
                Verification::Valid => return Ok(()),
                Verification::Invalid => refusal = TokenError::SignatureInvalid,
                Verification::Unsupported if refusal == TokenError::SignatureInvalid => {}
                Verification::Unsupported => refusal = TokenError::AlgorithmUnsupported,
            }
        }
        Err(refusal)
    }
}

impl Header {
    fn read(members: &Map<String, Value>) -> Result<Self, TokenError> {
        // `b64: false` changes what is signed, and only `crit` may say so; without it
        // two readers would disagree about the payload.
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(TokenError::HeaderCritical);
        }
        let algorithm = string(members, "alg")?.ok_or(TokenError::HeaderMalformed)?;
        Ok(Header {
            algorithm: SignedBy::named(algorithm).ok_or(TokenError::AlgorithmUnknown)?,
            kid: string(members, "kid")?.map(str::to_owned),
            typ: string(members, "typ")?.map(media_type),
        })
    }
}

/// The comparable form of a `typ`: lower case, without the prefix that may be left
/// out when no other `/` follows (RFC 7515 §4.1.9).
pub(super) fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/") {
        Some(subtype) if !subtype.contains('/') => subtype.to_owned(),
        _ => typ,
    }
}

pub(super) fn parts(compact: &str) -> Result<(&str, &str, &str), TokenError> {
    let mut parts = compact.split('.');
    match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some(header), Some(payload), Some(signature), None, ..) => {
            Ok((header, payload, signature))
        }
        (_, _, _, Some(_), Some(_), None) => Err(TokenError::Encrypted),
        _ => Err(TokenError::NotCompact),
    }
}

pub(super) fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = base64url::decode(part).ok_or(TokenError::NotBase64url)?;
    strict_json::object(&bytes).map_err(|reason| match reason {
        NotStrict::Json => TokenError::NotJson,
        NotStrict::Duplicate => TokenError::DuplicateMember,
    })
}

fn string<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::HeaderMalformed),
    }
}

/// The longest token that is worth reading, in bytes: a quarter of what Envoy's
/// default lets all request headers be together (60 KiB).
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;
    use std::cell::RefCell;

    use crate::jose::{HmacAlgorithm, Key};

    /// Answers what it was told to, once a question.
    struct Scripted(RefCell<Vec<Verification>>);

    impl Signatures for Scripted {
        fn verify(&self, _: &Key, _: Algorithm, _: &[u8], _: &[u8]) -> Verification {
            self.0.borrow_mut().remove(0)
        }
    }

    fn keys(kids: &[&str]) -> KeySet {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid }))
            .collect();
        KeySet::from_json(&json!({ "keys": keys })).unwrap()
    }

    fn token(header: &str) -> String {
        let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.AAAA", b64(header), b64(r#"{"iss":"i","sub":"s"}"#))
    }

    fn verify(kid: &str, kids: &[&str], answers: &[Verification]) -> Result<(), TokenError> {
        let text = token(&json!({ "alg": "EdDSA", "kid": kid }).to_string());
        let scripted = Scripted(RefCell::new(answers.to_vec()));
        Unverified::parse(&text, MAX_TOKEN_BYTES)?
            .verify(&keys(kids), &scripted, &[Algorithm::EdDsa])
            .map(drop)
    }

    #[test]
    fn what_can_be_seen_before_verification_is_what_chooses_the_key() {
        let text = token(r#"{"alg":"EdDSA","kid":"k","typ":"Application/AT+jwt"}"#);
        let token = Unverified::parse(&text, text.len()).unwrap();
        assert_eq!(token.algorithm(), SignedBy::KeyPair(Algorithm::EdDsa));
        assert_eq!(token.kid(), Some("k"));
        assert_eq!(token.typ(), Some("at+jwt"));
        assert_eq!(token.issuer(), Some("i"));
        let short = Unverified::parse(&text, text.len() - 1);
        assert_eq!(short.unwrap_err(), TokenError::TooLarge);
    }

    #[test]
    fn an_algorithm_that_is_not_wanted_reaches_no_key() {
        let text = token(r#"{"alg":"EdDSA"}"#);
        let token = Unverified::parse(&text, MAX_TOKEN_BYTES).unwrap();
        let nobody = Scripted(RefCell::default());
        let refusal = token.verify(&keys(&["a"]), &nobody, &[Algorithm::Es256]);
        assert_eq!(refusal.unwrap_err(), TokenError::AlgorithmNotAllowed);
    }

    #[test]
    fn a_public_key_and_a_secret_never_stand_in_for_each_other() {
        let secret = SharedSecret::new(None, HmacAlgorithm::Hs256, vec![7; 32]).unwrap();
        for alg in ["HS256", "HS384", "HS512"] {
            let text = token(&json!({ "alg": alg, "kid": "a" }).to_string());
            let nobody = Scripted(RefCell::default());
            let token = Unverified::parse(&text, MAX_TOKEN_BYTES).unwrap();
            let refusal = token.verify(&keys(&["a"]), &nobody, &Algorithm::ALL);
            assert_eq!(refusal.unwrap_err(), TokenError::AlgorithmNotAllowed);
        }
        for algorithm in Algorithm::ALL {
            let text = token(&json!({ "alg": algorithm.name(), "kid": "a" }).to_string());
            let token = Unverified::parse(&text, MAX_TOKEN_BYTES).unwrap();
            let refusal = token.verify_mac(std::slice::from_ref(&secret));
            assert_eq!(refusal.unwrap_err(), TokenError::AlgorithmNotAllowed);
        }
    }

    #[test]
    fn a_secret_is_for_its_algorithm_and_name_alone() {
        use HmacAlgorithm::{Hs256, Hs512};
        let secret = |kid: Option<&str>, algorithm, byte| {
            SharedSecret::new(kid.map(String::from), algorithm, vec![byte; 64]).unwrap()
        };
        let signed = |kid: &str, byte: u8| {
            use hmac::{Hmac, KeyInit as _, Mac as _};
            let header = json!({ "alg": "HS256", "kid": kid }).to_string();
            let input = token(&header).rsplit_once('.').unwrap().0.to_owned();
            let mac = Hmac::<sha2::Sha256>::new_from_slice(&[byte; 64]).unwrap();
            let tag = mac.chain_update(&input).finalize().into_bytes();
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        for (text, secrets, fate) in [
            (signed("a", 1), vec![secret(Some("a"), Hs256, 1)], Ok(())),
            (signed("a", 1), vec![secret(None, Hs256, 1)], Ok(())),
            (
                signed("a", 1),
                vec![secret(None, Hs256, 2), secret(None, Hs256, 1)],
                Ok(()),
            ),
            (
                signed("a", 1),
                vec![secret(Some("b"), Hs256, 1)],
                Err(TokenError::KeyUnknown),
            ),
            (
                signed("a", 1),
                vec![secret(None, Hs256, 2), secret(Some("b"), Hs256, 1)],
                Err(TokenError::SignatureInvalid),
            ),
            (
                signed("a", 1),
                vec![secret(None, Hs512, 1)],
                Err(TokenError::AlgorithmNotAllowed),
            ),
            (signed("a", 1), vec![], Err(TokenError::AlgorithmNotAllowed)),
        ] {
            let token = Unverified::parse(&text, MAX_TOKEN_BYTES).unwrap();
            assert_eq!(token.verify_mac(&secrets).map(drop), fate, "{secrets:?}");
        }
    }

    #[test]
    fn every_key_of_the_name_is_tried_and_the_worst_answer_stands() {
        use Verification::{Invalid, Unsupported, Valid};
        let twice = ["a", "b", "a"];
        for (answers, fate) in [
            (&[Valid][..], Ok(())),
            (&[Invalid, Valid], Ok(())),
            (&[Unsupported, Valid], Ok(())),
            (&[Invalid, Invalid], Err(TokenError::SignatureInvalid)),
            (&[Invalid, Unsupported], Err(TokenError::SignatureInvalid)),
            (&[Unsupported, Invalid], Err(TokenError::SignatureInvalid)),
            (
                &[Unsupported, Unsupported],
                Err(TokenError::AlgorithmUnsupported),
            ),
        ] {
            assert_eq!(verify("a", &twice, answers), fate, "{answers:?}");
        }
        assert_eq!(verify("c", &twice, &[]), Err(TokenError::KeyUnknown));
    }
}
