//! What an issuer signed.
//!
//! A [`Claims`] is a witness: it cannot be made but from a token whose signature was
//! checked, or of what an authorization server answered when it was asked about one
//! (RFC 7662), so code that takes one need not ask. That they are the claims one wants
//! (issuer, audience, dates, type) is a second question, and [`Claims::check`] its
//! only answer.

use std::time::Duration;

use serde_json::{Map, Value};

use super::token::{Header, media_type};
use super::{SignedBy, TokenError};
use crate::time::Time;

/// Claims that their issuer vouches for. Registered ones have the right types.
#[derive(Debug, Clone)]
pub struct Claims {
    algorithm: Option<SignedBy>,
    kid: Option<String>,
    typ: Option<String>,
    members: Map<String, Value>,
    /// In milliseconds since 1970, as the other dates.
    expires_at: Option<u64>,
    not_before: Option<u64>,
    issued_at: Option<u64>,
}

/// What a token must say to be accepted now.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// `iss`, compared exactly (RFC 9068 §4).
    pub issuer: &'a str,
    /// Names that mean us: `aud` must hold one. If there are none, a token that
    /// names any audience is for somebody else (RFC 7519 §4.1.3).
    pub audiences: &'a [String],
    /// The time.
    pub now: Time,
    /// How far the issuer's clock may be off; parts of a millisecond do not count.
    pub skew: Duration,
    /// Values of `typ` to accept, as RFC 7515 §4.1.9 compares them; none for any.
    pub types: &'a [String],
    /// How long after `iat` to accept the token, whatever `exp` says.
    pub max_age: Option<Duration>,
    /// Claims that must be there, whatever they hold (RFC 9068 §2.2).
    pub required: &'a [String],
}

impl Claims {
    /// Call this with what a signature covers, once it was checked, and not before.
    pub(super) fn signed(header: Header, members: Map<String, Value>) -> Result<Self, TokenError> {
        Ok(Claims {
            algorithm: Some(header.algorithm),
            kid: header.kid,
            typ: header.typ,
            ..Claims::introspected(members)?
        })
    }

    /// Call this with what an authorization server says of a token, over a connection
    /// that vouches for the server, and with nothing else.
    ///
    /// # Errors
    /// [`TokenError::ClaimsMalformed`]: a registered claim has the wrong type.
    pub fn introspected(members: Map<String, Value>) -> Result<Self, TokenError> {
        for name in ["iss", "sub", "jti", "client_id", "azp", "scope"] {
            if members.get(name).is_some_and(|value| !value.is_string()) {
                return Err(TokenError::ClaimsMalformed);
            }
        }
        for name in ["aud", "scp"] {
            if members
                .get(name)
                .is_some_and(|value| !is_string_or_strings(value))
            {
                return Err(TokenError::ClaimsMalformed);
            }
        }
        Ok(Claims {
            algorithm: None,
            kid: None,
            typ: None,
            // Rounded so that whole milliseconds compare with them as the fractions would.
            expires_at: date(&members, "exp", f64::ceil)?,
            not_before: date(&members, "nbf", f64::ceil)?,
            issued_at: date(&members, "iat", f64::floor)?,
            members,
        })
    }

    /// Whether the token is acceptable now.
    ///
    /// # Errors
    /// The first of these that fails: type, issuer, audience, expiry (which must be
    /// there), begin, age, the other claims that are required.
    pub fn check(&self, expect: &Expect<'_>) -> Result<(), TokenError> {
        let typ = self.typ.as_deref();
        let accepts = |wanted: &String| typ == Some(media_type(wanted).as_str());
        if !expect.types.is_empty() && !expect.types.iter().any(accepts) {
            return Err(TokenError::TypeUnexpected);
        }
        if self.issuer() != Some(expect.issuer) {
            return Err(TokenError::IssuerUnexpected);
        }
        let for_us = if expect.audiences.is_empty() {
            self.audiences().next().is_none()
        } else {
            self.audiences()
                .any(|audience| expect.audiences.iter().any(|ours| ours == audience))
        };
        if !for_us {
            return Err(TokenError::AudienceUnexpected);
        }
        self.check_dates(expect)?;
        let missing = |name: &&String| !self.members.contains_key(name.as_str());
        match expect.required.iter().find(missing) {
            Some(_) => Err(TokenError::ClaimMissing),
            None => Ok(()),
        }
    }

    /// Until when the token may be believed without looking at it again: `exp`, or its
    /// greatest age if that comes first. Nothing is added for the skew.
    pub fn good_until(&self, max_age: Option<Duration>) -> Time {
        let aged = max_age
            .zip(self.issued_at)
            .map(|(age, issued_at)| issued_at.saturating_add(millis(age)));
        let until = self.expires_at.into_iter().chain(aged).min();
        Time::from_millis(until.unwrap_or_default())
    }

    fn check_dates(&self, expect: &Expect<'_>) -> Result<(), TokenError> {
        let (now, skew) = (expect.now.millis(), millis(expect.skew));
        let expires_at = self.expires_at.ok_or(TokenError::ExpiryMissing)?;
        if now >= expires_at.saturating_add(skew) {
            return Err(TokenError::Expired);
        }
        let latest = now.saturating_add(skew);
        if self.not_before.is_some_and(|begin| begin > latest) {
            return Err(TokenError::NotYetValid);
        }
        if self.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        let Some(max_age) = expect.max_age else {
            return Ok(());
        };
        let issued_at = self.issued_at.ok_or(TokenError::AgeUnknown)?;
        let age = millis(max_age).saturating_add(skew);
        if now > issued_at.saturating_add(age) {
            return Err(TokenError::TooOld);
        }
        Ok(())
    }

    /// `alg` of the header; none of a token that was introspected.
    pub fn algorithm(&self) -> Option<SignedBy> {
        self.algorithm
    }

    /// `kid` of the header.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ` of the header, lower case and without `application/`.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `jti`.
    pub fn id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// The client that asked for the token: `client_id` (RFC 9068 §2.2), or else `azp`.
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id").or_else(|| self.text("azp"))
    }

    /// `aud`, whether one string or several.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        strings(self.members.get("aud"))
    }

    /// The scopes granted: the words of `scope` (RFC 9068 §2.2.3), or else of `scp`,
    /// which some issuers write, as a string or as an array.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let claim = self
            .members
            .get("scope")
            .or_else(|| self.members.get("scp"));
        strings(claim)
            .flat_map(|words| words.split(' '))
            .filter(|word| !word.is_empty())
    }

    /// `exp` in seconds since 1970: the first whole second at which it has passed.
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at.map(|at| at.div_ceil(1_000))
    }

    /// `nbf` in seconds since 1970: the first whole second at which it has come.
    pub fn not_before(&self) -> Option<u64> {
        self.not_before.map(|at| at.div_ceil(1_000))
    }

    /// `iat` in seconds since 1970, fractions dropped.
    pub fn issued_at(&self) -> Option<u64> {
        self.issued_at.map(|at| at / 1_000)
    }

    /// The claim below these member names, outermost first. A path of names rather
    /// than dotted text, because claim names may be URLs.
    pub fn claim<Name: AsRef<str>>(&self, path: &[Name]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.members.get(first.as_ref())?, |value, name| {
                value.as_object()?.get(name.as_ref())
            })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }
}

fn is_string_or_strings(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(Value::is_string),
        other => other.is_string(),
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let several = value.and_then(Value::as_array).into_iter().flatten();
    value
        .filter(|value| value.is_string())
        .into_iter()
        .chain(several)
        .filter_map(Value::as_str)
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// A `NumericDate` (RFC 7519 §2), seconds since 1970 and not always whole, as
/// milliseconds.
fn date(
    members: &Map<String, Value>,
    name: &str,
    round: fn(f64) -> f64,
) -> Result<Option<u64>, TokenError> {
    let Some(value) = members.get(name) else {
        return Ok(None);
    };
    let millis = match (value.as_u64(), value.as_f64()) {
        (Some(whole), _) => whole.saturating_mul(1_000),
        // Beyond the range the cast would saturate; the range is checked below.
        (None, Some(seconds)) if seconds >= 0.0 => round(seconds * 1_000.0) as u64,
        _ => return Err(TokenError::ClaimsMalformed),
    };
    if millis > YEAR_9999 * 1_000 {
        return Err(TokenError::ClaimsMalformed);
    }
    Ok(Some(millis))
}

/// The last second of the year 9999. Later dates are milliseconds taken for seconds,
/// or an attempt to overflow a sum.
const YEAR_9999: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Algorithm;
    use serde_json::json;

    fn claims(members: &Value) -> Result<Claims, TokenError> {
        let header = Header {
            algorithm: SignedBy::KeyPair(Algorithm::EdDsa),
            kid: None,
            typ: Some(media_type("application/at+JWT")),
        };
        Claims::signed(header, members.as_object().unwrap().clone())
    }

    fn check(members: &Value, change: impl Fn(&mut Expect<'_>)) -> Result<(), TokenError> {
        let audiences = ["us".to_owned()];
        let mut expect = Expect {
            issuer: "i",
            audiences: &audiences,
            now: Time::from_millis(1_000_000),
            skew: Duration::ZERO,
            types: &[],
            max_age: None,
            required: &[],
        };
        change(&mut expect);
        claims(members).unwrap().check(&expect)
    }

    fn dated(name: &str, value: Value) -> Value {
        let mut members = json!({ "iss": "i", "aud": "us", "exp": 2000 });
        members[name] = value;
        members
    }

    #[test]
    fn dates_hold_to_the_second_and_skew_stretches_them() {
        for (exp, skew, fate) in [
            (json!(1001), 0, Ok(())),
            (json!(1000.25), 0, Ok(())),
            (json!(1000), 0, Err(TokenError::Expired)),
            (json!(999.75), 0, Err(TokenError::Expired)),
            (json!(991), 10, Ok(())),
            (json!(990), 10, Err(TokenError::Expired)),
        ] {
            let members = dated("exp", exp);
            assert_eq!(
                check(&members, |e| e.skew = Duration::from_secs(skew)),
                fate,
                "{members}"
            );
        }
        for (nbf, skew, fate) in [
            (json!(1000), 0, Ok(())),
            (json!(1000.25), 0, Err(TokenError::NotYetValid)),
            (json!(1010), 10, Ok(())),
            (json!(1011), 10, Err(TokenError::NotYetValid)),
        ] {
            let members = dated("nbf", nbf);
            assert_eq!(
                check(&members, |e| e.skew = Duration::from_secs(skew)),
                fate,
                "{members}"
            );
        }
    }

    #[test]
    fn fractions_of_a_second_count() {
        let at = |now: u64, skew: u64, claim: &str, value: Value| {
            check(&dated(claim, value), |e| {
                e.now = Time::from_millis(now);
                e.skew = Duration::from_millis(skew);
            })
        };
        for (now, skew, exp, fate) in [
            (1_000_249, 0, json!(1000.25), Ok(())),
            (1_000_250, 0, json!(1000.25), Err(TokenError::Expired)),
            (1_000_499, 500, json!(1000), Ok(())),
            (1_000_500, 500, json!(1000), Err(TokenError::Expired)),
            (999_999, 0, json!(1e3), Ok(())),
        ] {
            assert_eq!(at(now, skew, "exp", exp), fate, "{now} {skew}");
        }
        for (now, skew, nbf, fate) in [
            (1_000_000, 250, json!(1000.25), Ok(())),
            (1_000_000, 249, json!(1000.25), Err(TokenError::NotYetValid)),
            (1_000_999, 0, json!(1001), Err(TokenError::NotYetValid)),
        ] {
            assert_eq!(at(now, skew, "nbf", nbf), fate, "{now} {skew}");
        }
    }

    #[test]
    fn a_token_is_good_until_it_expires_or_is_too_old() {
        let members = json!({ "exp": 2000.5, "iat": 1000 });
        let until = |members: &Value, age: Option<u64>| {
            let age = age.map(Duration::from_secs);
            claims(members).unwrap().good_until(age).millis()
        };
        assert_eq!(until(&members, None), 2_000_500);
        assert_eq!(until(&members, Some(600)), 1_600_000);
        assert_eq!(until(&members, Some(6_000)), 2_000_500);
        assert_eq!(until(&json!({ "exp": 2000 }), Some(600)), 2_000_000);
        assert_eq!(until(&json!({}), None), 0);
    }

    #[test]
    fn a_profile_asks_for_its_claims() {
        let required = ["jti".to_owned(), "sub".to_owned()];
        let require = |e: &mut Expect<'_>| e.required = &*required.to_vec().leak();
        let mut members = dated("jti", json!("1"));
        assert_eq!(check(&members, require), Err(TokenError::ClaimMissing));
        members["sub"] = json!("ada");
        assert_eq!(check(&members, require), Ok(()));
    }

    #[test]
    fn sums_of_dates_do_not_overflow() {
        let members = dated("iat", json!(1000));
        assert_eq!(
            check(&members, |e| (e.skew, e.max_age) =
                (Duration::MAX, Some(Duration::MAX))),
            Ok(())
        );
        assert_eq!(
            check(&members, |e| e.now = Time::from_nanos(u64::MAX)),
            Err(TokenError::Expired)
        );
    }

    #[test]
    fn age_is_counted_from_iat_if_it_matters() {
        assert_eq!(check(&dated("iat", json!(100)), |_| {}), Ok(()));
        for (iat, fate) in [
            (json!(900), Ok(())),
            (json!(899), Err(TokenError::TooOld)),
            (json!(1000), Ok(())),
        ] {
            let members = dated("iat", iat);
            assert_eq!(
                check(&members, |e| e.max_age = Some(Duration::from_secs(100))),
                fate,
                "{members}"
            );
        }
        for iat in [json!(1000.5), json!(1001), json!(YEAR_9999)] {
            let fate = check(&dated("iat", iat), |_| {});
            assert_eq!(fate, Err(TokenError::IssuedInFuture));
        }
        let none = dated("x", json!(0));
        let fate = check(&none, |e| e.max_age = Some(Duration::from_secs(100)));
        assert_eq!(fate, Err(TokenError::AgeUnknown));
    }

    #[test]
    fn an_audience_is_for_whom_it_names() {
        let anyone = json!({ "iss": "i", "exp": 2000 });
        let somebody = dated("x", json!(0));
        assert_eq!(check(&anyone, |e| e.audiences = &[]), Ok(()));
        assert_eq!(
            check(&somebody, |e| e.audiences = &[]),
            Err(TokenError::AudienceUnexpected)
        );
        assert_eq!(check(&anyone, |_| {}), Err(TokenError::AudienceUnexpected));
        assert_eq!(check(&dated("aud", json!(["x", "us"])), |_| {}), Ok(()));
    }

    #[test]
    fn types_compare_as_media_types_do() {
        let types = |typ: &str| &*vec![typ.to_owned()].leak();
        let members = dated("x", json!(0));
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
            assert_eq!(check(&members, |e| e.types = types(typ)), Ok(()), "{typ}");
        }
        for typ in ["JWT", "at+jwt2", "application/x/at+jwt", ""] {
            let fate = check(&members, |e| e.types = types(typ));
            assert_eq!(fate, Err(TokenError::TypeUnexpected), "{typ}");
        }
    }

    #[test]
    fn scopes_are_words_wherever_they_stand() {
        for (members, expected) in [
            (json!({ "scope": "a  b " }), &["a", "b"][..]),
            (json!({ "scp": "a b" }), &["a", "b"]),
            (json!({ "scp": ["a", "b"] }), &["a", "b"]),
            (json!({ "scope": "a", "scp": ["b"] }), &["a"]),
            (json!({ "scope": "" }), &[]),
            (json!({}), &[]),
        ] {
            let claims = claims(&members).unwrap();
            assert_eq!(claims.scopes().collect::<Vec<_>>(), expected, "{members}");
        }
    }

    #[test]
    fn claims_are_found_by_their_path() {
        let members =
            json!({ "https://x.example/r": { "a.b": [1] }, "client_id": "c", "azp": "z" });
        let claims = claims(&members).unwrap();
        assert_eq!(
            claims.claim(&["https://x.example/r", "a.b"]),
            Some(&json!([1]))
        );
        assert_eq!(claims.claim(&["https://x.example/r", "a"]), None);
        assert_eq!(claims.claim::<&str>(&[]), None);
        assert_eq!(claims.client_id(), Some("c"));
    }
}
