//! Challenges: how a client could have proven who it is (RFC 9110 §11.6.1).
//!
//! An operation knows at load which schemes it takes, so its challenges are made
//! then. What was wrong with a credential is said to the schemes that carry tokens,
//! in the words of RFC 6750 §3.1, and nothing more exact than those words.

use std::fmt::Write as _;

/// How one may authenticate for an operation, in the document's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenges {
    /// The schemes.
    pub offers: Vec<Offer>,
    /// The scopes of the first requirement with a token, separated by spaces.
    pub scope: String,
    /// Where the protected resource's metadata are (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
}

/// One scheme that an operation takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// `Bearer` (RFC 6750).
    Bearer,
    /// An API key. No such scheme is registered, but a 401 must carry a challenge
    /// (RFC 9110 §15.5.2), and this says what would do.
    ApiKey {
        /// `header`, `query` or `cookie`.
        place: &'static str,
        /// Its name there.
        name: String,
    },
    /// A client certificate, of which the same is true.
    Certificate,
    /// `DPoP` (RFC 9449 §7.1).
    Dpop {
        /// The accepted algorithms of proofs, separated by spaces.
        algorithms: String,
    },
}

/// What is wrong with the credentials of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// None came, or not enough of them: no error code (RFC 6750 §3.1).
    Missing,
    /// The credential itself is malformed.
    InvalidRequest,
    /// The token cannot be believed.
    InvalidToken,
    /// The proof that came with the token proves nothing (RFC 9449 §7.1).
    InvalidProof,
    /// The proof lacks a nonce that comes with this answer (RFC 9449 §9).
    NonceNeeded,
    /// It lacks scopes; these would do.
    InsufficientScope(String),
    /// The log-in behind it is too weak or too long ago (RFC 9470 §3).
    InsufficientAuthentication {
        /// What `acr` may be, separated by spaces; empty: anything.
        acr_values: String,
        /// How long ago the log-in may be.
        max_age_seconds: Option<u64>,
    },
}

impl Default for Challenges {
    /// Where there is no declared operation: a token of any issuer.
    fn default() -> Self {
        Challenges {
            offers: vec![Offer::Bearer],
            scope: String::new(),
            resource_metadata: None,
        }
    }
}

impl Challenges {
    /// The values of `WWW-Authenticate`, one a scheme.
    pub fn say(&self, fault: &Fault) -> Vec<String> {
        self.offers
            .iter()
            .map(|offer| self.one(offer, fault))
            .collect()
    }

    fn one(&self, offer: &Offer, fault: &Fault) -> String {
        let mut parameters = Parameters::default();
        match offer {
            Offer::Bearer => {
                self.token_parameters(fault, &mut parameters);
                parameters.after("Bearer")
            }
            Offer::ApiKey { place, name } => {
                parameters.add("in", Some(place));
                parameters.add("name", Some(name));
                parameters.after("ApiKey")
            }
            Offer::Certificate => "MutualTLS".into(),
            Offer::Dpop { algorithms } => {
                self.token_parameters(fault, &mut parameters);
                parameters.add("error", dpop_error(fault));
                parameters.add("algs", Some(algorithms));
                parameters.after("DPoP")
            }
        }
    }

    fn token_parameters(&self, fault: &Fault, parameters: &mut Parameters) {
        let (error, scope) = match fault {
            Fault::Missing => (None, self.scope.as_str()),
            // Whoever sends a bearer token has nothing to do with proofs.
            Fault::InvalidProof | Fault::NonceNeeded => (None, ""),
            Fault::InvalidRequest => (Some("invalid_request"), ""),
            Fault::InvalidToken => (Some("invalid_token"), ""),
            Fault::InsufficientScope(scope) => (Some("insufficient_scope"), scope.as_str()),
            Fault::InsufficientAuthentication { .. } => {
                (Some("insufficient_user_authentication"), "")
            }
        };
        parameters.add("error", error);
        if let Fault::InsufficientAuthentication {
            acr_values,
            max_age_seconds,
        } = fault
        {
            let acr_values = Some(acr_values.as_str()).filter(|values| !values.is_empty());
            parameters.add("acr_values", acr_values);
            let max_age = max_age_seconds.map(|seconds| seconds.to_string());
            parameters.add("max_age", max_age.as_deref());
        }
        parameters.add("scope", Some(scope).filter(|scope| !scope.is_empty()));
        parameters.add("resource_metadata", self.resource_metadata.as_deref());
    }
}

/// What only `DPoP` can say.
fn dpop_error(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::InvalidProof => Some("invalid_dpop_proof"),
        Fault::NonceNeeded => Some("use_dpop_nonce"),
        _ => None,
    }
}

/// Parameters of one challenge, in quotes.
#[derive(Default)]
struct Parameters(String);

impl Parameters {
    fn add(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value else {
            return;
        };
        let separator = if self.0.is_empty() { " " } else { ", " };
        // A scope holds neither quotes nor backslashes (RFC 6749 §3.3), a URI neither.
        let plain: String = value
            .chars()
            .filter(|character| !matches!(character, '"' | '\\'))
            .collect();
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{separator}{name}=\"{plain}\"");
    }

    fn after(self, scheme: &str) -> String {
        format!("{scheme}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_is_for_who_sent_something() {
        let challenges = Challenges {
            scope: "a b".into(),
            resource_metadata: Some("https://api.example/.well-known/x".into()),
            ..Challenges::default()
        };
        assert_eq!(
            challenges.say(&Fault::Missing),
            [r#"Bearer scope="a b", resource_metadata="https://api.example/.well-known/x""#]
        );
        assert_eq!(
            Challenges::default().say(&Fault::InvalidToken),
            [r#"Bearer error="invalid_token""#]
        );
        assert_eq!(Challenges::default().say(&Fault::Missing), ["Bearer"]);
    }

    #[test]
    fn what_is_no_token_is_told_nothing_of_the_fault() {
        let challenges = Challenges {
            offers: vec![
                Offer::ApiKey {
                    place: "header",
                    name: "x-api-key".into(),
                },
                Offer::Certificate,
            ],
            ..Challenges::default()
        };
        for fault in [Fault::Missing, Fault::InvalidToken] {
            assert_eq!(
                challenges.say(&fault),
                [r#"ApiKey in="header", name="x-api-key""#, "MutualTLS"]
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_proof_is_said_to_whom_sends_proofs() {
        let challenges = Challenges {
            offers: vec![
                Offer::Bearer,
                Offer::Dpop {
                    algorithms: "ES256 EdDSA".into(),
                },
            ],
            ..Challenges::default()
        };
        for (fault, bearer, dpop) in [
            (Fault::Missing, "", ""),
            (Fault::InvalidProof, "", r#" error="invalid_dpop_proof","#),
            (Fault::NonceNeeded, "", r#" error="use_dpop_nonce","#),
            (
                Fault::InvalidToken,
                r#" error="invalid_token""#,
                r#" error="invalid_token","#,
            ),
        ] {
            assert_eq!(
                challenges.say(&fault),
                [
                    format!("Bearer{bearer}"),
                    format!(r#"DPoP{dpop} algs="ES256 EdDSA""#)
                ]
            );
        }
    }

    #[test]
    fn a_parameter_stays_in_its_quotes() {
        let fault = Fault::InsufficientScope(r#"a", realm="x\"#.into());
        assert_eq!(
            Challenges::default().say(&fault),
            [r#"Bearer error="insufficient_scope", scope="a, realm=x""#]
        );
    }
}
