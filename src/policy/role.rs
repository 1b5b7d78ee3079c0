//! Roles, with what each implies worked out beforehand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Which roles a caller has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// The names that lead to the claim of a token.
    pub claim: Vec<String>,
    /// The role that a value stands for; `None`: for itself.
    pub map: Option<BTreeMap<String, String>>,
    /// Each role with all that it implies, itself included.
    pub implied: BTreeMap<String, BTreeSet<String>>,
}

impl Roles {
    /// The roles that the values of a claim stand for, with all that they imply.
    pub fn of(&self, claim: &Value) -> BTreeSet<String> {
        let mut roles = BTreeSet::new();
        for value in words(claim) {
            let role = match &self.map {
                None => Some(value),
                Some(map) => map.get(value).map(String::as_str),
            };
            match role.map(|role| (role, self.implied.get(role))) {
                Some((_, Some(implied))) => roles.extend(implied.iter().cloned()),
                Some((role, None)) => roles.extend([role.to_owned()]),
                None => {}
            }
        }
        roles
    }

    /// Whether a role of this name can be had; where any value is a role, any can.
    pub fn knows(&self, role: &str) -> bool {
        let mapped = |map: &BTreeMap<String, String>| map.values().any(|known| known == role);
        self.map.as_ref().is_none_or(mapped)
            || self.implied.values().any(|implied| implied.contains(role))
    }
}

fn words(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(elements) => elements.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
