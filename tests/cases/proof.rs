//! DPoP proofs that a case describes by their claims.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::token::{change, encode, public, sign};

/// A DPoP proof for a request. Without further word it is a good one by the key `holder`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DpopProof {
    /// The name of the key that signs.
    key: Option<String>,
    /// Header members that differ; `null` leaves one out.
    header: Map<String, Value>,
    /// Claims that differ; `null` leaves one out.
    claims: Map<String, Value>,
    /// How many seconds before the request it was made.
    age: i64,
    /// So many characters more in a claim of no meaning.
    padding: usize,
    /// Whether it is signed by another key than it says.
    forged: bool,
    /// The whole proof, in the place of everything else.
    raw: Option<String>,
}

impl DpopProof {
    /// The compact form. `id` is its `jti`, `token` what it goes with.
    pub(crate) fn mint(&self, id: &str, request: (&str, &str), token: &str, now: u64) -> String {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let name = self.key.as_deref().unwrap_or("holder");
        let mut key = public(name);
        let algorithm = key["alg"].take();
        key.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let mut header = json!({ "alg": algorithm, "typ": "dpop+jwt", "jwk": key });
        change(&mut header, &self.header);
        let (method, path) = request;
        let path = path.split('?').next().unwrap();
        let mut claims = json!({
            "jti": id, "htm": method, "htu": format!("https://shop.example{path}"),
            "iat": now.saturating_add_signed(-self.age), "ath": encode(Sha256::digest(token)),
        });
        if self.padding > 0 {
            claims["padding"] = "x".repeat(self.padding).into();
        }
        change(&mut claims, &self.claims);
        let input = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signer = if self.forged { "other" } else { name };
        format!("{input}.{}", encode(sign(signer, input.as_bytes())))
    }
}
