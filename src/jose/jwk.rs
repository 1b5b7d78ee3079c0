//! Reading one JSON Web Key (RFC 7517 §4) out of a published set.
//!
//! Three outcomes, kept apart: a key to verify with; a key that is none of our
//! business, which a set may well hold beside ours (RFC 7517 §5: encryption keys,
//! kinds from the future, sizes out of range); and a mistake somebody must mend.

use rsa::BigUint;
use serde_json::{Map, Value};

use super::key::{Key, Public};
use super::key_set::KeySetProblem;
use super::{Algorithm, base64url};

/// What became of a well-formed key.
pub(super) enum Read {
    /// It verifies signatures.
    Usable(Key),
    /// It is not for us, and why.
    Ignored(String),
}

/// Reads the key at `at` (for example `keys[2]`).
///
/// # Errors
/// A secret that was published, or a member that its kind needs and that is
/// missing, of the wrong type, or not a key's.
pub(super) fn read(jwk: &Map<String, Value>, at: &str) -> Result<Read, KeySetProblem> {
    let jwk = Jwk { members: jwk, at };
    let kty = jwk.required("kty")?;
    jwk.refuse_secrets(kty)?;
    if let Some(reason) = jwk.other_purpose()? {
        return Ok(Read::Ignored(reason));
    }
    let algorithm = match jwk.string("alg")? {
        None => None,
        Some(name) => match name.parse::<Algorithm>() {
            Ok(algorithm) => Some(algorithm),
            Err(_) => return Ok(Read::Ignored("its `alg` is not one of ours".into())),
        },
    };
    let material = match kty {
        "RSA" => jwk.rsa()?,
        "EC" => jwk.elliptic_curve()?,
        "OKP" => jwk.octet_key_pair()?,
        _ => Err("its `kty` is not one of ours".into()),
    };
    let public = match material {
        Ok(public) => public,
        Err(reason) => return Ok(Read::Ignored(reason)),
    };
    if algorithm.is_some_and(|algorithm| !public.fits(algorithm)) {
        return Err(jwk.problem(
            "alg",
            "`alg` names an algorithm that this kind of key cannot compute",
            "make `alg` agree with `kty` and `crv`, or leave it out",
        ));
    }
    let id = jwk.string("kid")?.map(str::to_owned);
    Ok(Read::Usable(Key::new(id, algorithm, public)))
}

/// The material of a key, or why it is out of our range.
type Material = Result<Public, String>;

/// The members of one key, and where it stands.
struct Jwk<'a> {
    members: &'a Map<String, Value>,
    at: &'a str,
}

impl<'a> Jwk<'a> {
    fn problem(&self, member: &str, message: &str, hint: &str) -> KeySetProblem {
        KeySetProblem::new(format!("{}.{member}", self.at), message, hint)
    }

    fn string(&self, member: &str) -> Result<Option<&'a str>, KeySetProblem> {
        match self.members.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.problem(
                member,
                &format!("`{member}` is not a string"),
                "write it as a JSON string",
            )),
        }
    }

    fn required(&self, member: &str) -> Result<&'a str, KeySetProblem> {
        self.string(member)?.ok_or_else(|| {
            self.problem(
                member,
                &format!("`{member}` is missing"),
                "publish the whole public key",
            )
        })
    }

    fn bytes(&self, member: &str) -> Result<Vec<u8>, KeySetProblem> {
        base64url::decode(self.required(member)?).ok_or_else(|| {
            self.problem(
                member,
                &format!("`{member}` is not base64url"),
                "encode it without padding, as RFC 7518 §2 says",
            )
        })
    }

    /// Whoever reads this set now holds the private key: nothing it signs proves anything.
    fn refuse_secrets(&self, kty: &str) -> Result<(), KeySetProblem> {
        let secrets: &[&str] = match kty {
            "RSA" | "EC" | "OKP" => &["d", "p", "q", "dp", "dq", "qi", "oth"],
            "AKP" => &["priv"],
            "oct" => {
                return Err(self.problem(
                    "kty",
                    "a shared secret (`oct`) stands in a set of public keys",
                    "replace the secret, which is no longer one, and sign with a key pair",
                ));
            }
            _ => &[],
        };
        match secrets
            .iter()
            .find(|name| self.members.contains_key(**name))
        {
            None => Ok(()),
            Some(name) => Err(self.problem(
                name,
                "a private key stands in a set of public keys",
                "replace the key pair, whose secret is out, and publish only the public half",
            )),
        }
    }

    /// Why the key is not meant to verify signatures (RFC 7517 §4.2, §4.3), if so.
    fn other_purpose(&self) -> Result<Option<String>, KeySetProblem> {
        if self.string("use")?.is_some_and(|purpose| purpose != "sig") {
            return Ok(Some("its `use` is not `sig`".into()));
        }
        match self.members.get("key_ops") {
            None => Ok(None),
            Some(Value::Array(operations)) if operations.iter().all(Value::is_string) => {
                let verifies = operations.iter().any(|operation| operation == "verify");
                Ok((!verifies).then(|| "its `key_ops` lack `verify`".into()))
            }
            Some(_) => Err(self.problem(
                "key_ops",
                "`key_ops` is not an array of strings",
                "write `[\"verify\"]`, or leave it out",
            )),
        }
    }

    /// RFC 7518 §6.3.1.
    fn rsa(&self) -> Result<Material, KeySetProblem> {
        let modulus = BigUint::from_bytes_be(&self.bytes("n")?);
        let exponent = BigUint::from_bytes_be(&self.bytes("e")?);
        let bits = modulus.bits();
        if !RSA_BITS.contains(&bits) {
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            return Ok(Err(format!(
                "its RSA modulus has {bits} bits, not {least} to {most}"
            )));
        }
        if exponent.bits() > RSA_EXPONENT_BITS {
            return Ok(Err(format!(
                "its RSA exponent has more than {RSA_EXPONENT_BITS} bits"
            )));
        }
        if exponent < BigUint::from(3_u8) {
            return Err(self.problem(
                "e",
                "the exponent is less than 3, so that anyone can sign",
                "publish the real exponent, which is mostly `AQAB`",
            ));
        }
        rsa::RsaPublicKey::new_with_max_size(modulus, exponent, *RSA_BITS.end())
            .map(|key| Ok(Public::Rsa(key)))
            .map_err(|_| {
                self.problem(
                    "n",
                    "the modulus or the exponent is even, which no RSA key has",
                    "publish the key as it was generated",
                )
            })
    }

    /// RFC 7518 §6.2.1.
    fn elliptic_curve(&self) -> Result<Material, KeySetProblem> {
        let key = match self.required("crv")? {
            "P-256" => p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.point(32)?)
                .map(Public::P256)
                .ok(),
            "P-384" => p384::ecdsa::VerifyingKey::from_sec1_bytes(&self.point(48)?)
                .map(Public::P384)
                .ok(),
            "P-521" => p521::ecdsa::VerifyingKey::from_sec1_bytes(&self.point(66)?)
                .map(Public::P521)
                .ok(),
            _ => return Ok(Err("its `crv` is not one of ours".into())),
        };
        key.map(Ok).ok_or_else(|| {
            self.problem(
                "x",
                "`x` and `y` are not a point on the curve that `crv` names",
                "publish both coordinates of the public point",
            )
        })
    }

    /// An uncompressed point whose coordinates take `length` bytes each. Leading zeros
    /// belong to a coordinate (RFC 7518 §6.2.1.2), but issuers are known to leave them
    /// out, and of two P-521 coordinates one starts with a zero. The number is the same,
    /// and whether the point is on its curve is looked at in any case.
    fn point(&self, length: usize) -> Result<Vec<u8>, KeySetProblem> {
        let mut point = vec![0x04];
        for member in ["x", "y"] {
            let coordinate = self.bytes(member)?;
            let Some(zeros) = length.checked_sub(coordinate.len()) else {
                return Err(self.problem(
                    member,
                    &format!("`{member}` has {} bytes, not {length}", coordinate.len()),
                    "publish a point of the curve that `crv` names, as RFC 7518 §6.2.1.2 says",
                ));
            };
            point.resize(point.len() + zeros, 0);
            point.extend(coordinate);
        }
        Ok(point)
    }

    /// RFC 8037 §2.
    fn octet_key_pair(&self) -> Result<Material, KeySetProblem> {
        if self.required("crv")? != "Ed25519" {
            return Ok(Err("its `crv` is not one of ours".into()));
        }
        ed25519_compact::PublicKey::from_slice(&self.bytes("x")?)
            .and_then(|key| key.validate().map(|()| Ok(Public::Ed25519(key))))
            .map_err(|_| {
                self.problem(
                    "x",
                    "`x` is not an Ed25519 public key",
                    "publish the 32 bytes that RFC 8032 §5.1.5 makes",
                )
            })
    }
}

/// Less is within reach of an attacker (RFC 7518 §3.3), and more takes so long to
/// verify that a few tokens would keep a worker busy.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// What common verifiers take; a longer exponent only costs time.
const RSA_EXPONENT_BITS: usize = 33;
