//! Who may call an operation: OpenAPI's OR of ANDs, with each scheme tied to what
//! satisfies it.

use std::rc::Rc;

use super::credential::Carrier;
use crate::denial::Challenges;

/// One security scheme of the document, and what satisfies it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// Its name in the document.
    pub name: String,
    /// What satisfies it.
    pub proof: Proof,
}

/// What satisfies a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An access token of one of these issuers, by their places in the policy.
    Token {
        /// The issuers.
        issuers: Vec<usize>,
    },
    /// An API key of one of these sets, by their places in the policy.
    ApiKey {
        /// Where the key travels.
        carrier: Carrier,
        /// The sets.
        sets: Vec<usize>,
    },
    /// A client certificate that one of these entries matches, by their places in
    /// the policy.
    Certificate {
        /// The entries.
        entries: Vec<usize>,
    },
}

/// Who may call an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Any of these suffices.
    pub alternatives: Vec<Requirement>,
    /// Whether nothing suffices as well.
    pub public: bool,
    /// The schemes that occur in the alternatives, by their places in the policy.
    pub schemes: Vec<usize>,
    /// How a client learns of all this.
    pub challenges: Rc<Challenges>,
}

/// Demands that must all be met.
pub type Requirement = Vec<Demand>;

/// A scheme that must be satisfied, by a credential with these scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The scheme's place in the policy.
    pub scheme: usize,
    /// Every one of these is needed.
    pub scopes: Vec<String>,
}
