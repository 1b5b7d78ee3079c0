//! What a limit counts apart.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use crate::policy::source::ClaimPath;

/// What a limit counts apart: one thing, or each combination of several. An empty list
/// counts everything together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(untagged)]
pub enum Key {
    /// One thing.
    One(KeyPart),
    /// Each combination of these.
    Several(Vec<KeyPart>),
}

impl Key {
    /// The things that are counted apart.
    pub fn parts(&self) -> &[KeyPart] {
        match self {
            Key::One(part) => std::slice::from_ref(part),
            Key::Several(parts) => parts,
        }
    }

    /// The same, each with its path, if the key stands at `path`.
    pub fn parts_at(&self, path: &str) -> Vec<(String, &KeyPart)> {
        match self {
            Key::One(part) => vec![(path.to_owned(), part)],
            Key::Several(parts) => {
                let placed = |(index, part)| (format!("{path}[{index}]"), part);
                parts.iter().enumerate().map(placed).collect()
            }
        }
    }
}

impl Default for Key {
    fn default() -> Self {
        Key::One(KeyPart::Client)
    }
}

/// One thing that a limit can count apart. A request that lacks it is counted by its
/// address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyPart {
    /// The client's address, of IPv6 its /64.
    Address,
    /// The network of the client's address.
    Network(Prefixes),
    /// The API key.
    ApiKey,
    /// The subject of the token, or who else a credential stands for.
    Subject,
    /// The OAuth client (`client_id` or `azp`), or the subject where the token names none.
    Client,
    /// A claim that is a string, a number or a truth value.
    Claim(ClaimPath),
    /// The operation.
    Operation,
    /// What an expression in CEL gives, which is a string, an int or a bool. It may ask for
    /// what rules may ask for, except the time and the risk.
    Cel(String),
}

/// How much of an address names a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Prefixes {
    /// Bits of an IPv4 address.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0, max = 32)))]
    pub ipv4: u8,
    /// Bits of an IPv6 address.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0, max = 128)))]
    pub ipv6: u8,
}
