//! What a token is bound to: who sends it must prove to hold that as well.

use serde_json::Value;

use super::{TokenError, base64url};

/// The methods of a confirmation claim (`cnf`, RFC 7800 §3.1) that are understood.
/// Others are ignored, as the RFC asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `x5t#S256`: the SHA-256 of a client certificate (RFC 8705 §3.1).
    pub certificate: Option<[u8; 32]>,
}

impl Confirmation {
    /// Reads the claim `cnf`; without one a token is bound to nothing.
    ///
    /// # Errors
    /// [`TokenError::ClaimsMalformed`]: a method that is understood cannot be read.
    /// To take the token for an unbound one would undo what its issuer meant.
    pub fn read(cnf: Option<&Value>) -> Result<Confirmation, TokenError> {
        let Some(cnf) = cnf else {
            return Ok(Confirmation::default());
        };
        let methods = cnf.as_object().ok_or(TokenError::ClaimsMalformed)?;
        let thumbprint = |value: &Value| {
            let digest = base64url::decode(value.as_str()?)?;
            <[u8; 32]>::try_from(digest).ok()
        };
        let certificate = match methods.get("x5t#S256") {
            None => None,
            Some(value) => Some(thumbprint(value).ok_or(TokenError::ClaimsMalformed)?),
        };
        Ok(Confirmation { certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_binding_is_read_whole_or_not_at_all() {
        let read = |cnf: Value| Confirmation::read(Some(&cnf));
        let digest = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let bound = read(json!({ "x5t#S256": digest, "other": 1 })).unwrap();
        assert_eq!(bound.certificate, Some([1; 32]));
        assert_eq!(Confirmation::read(None), Ok(Confirmation::default()));
        assert_eq!(read(json!({})), Ok(Confirmation::default()));
        for broken in [
            json!(null),
            json!([]),
            json!({ "x5t#S256": 1 }),
            json!({ "x5t#S256": "" }),
            json!({ "x5t#S256": digest[1..] }),
            json!({ "x5t#S256": format!("{digest}=") }),
        ] {
            assert_eq!(
                read(broken.clone()),
                Err(TokenError::ClaimsMalformed),
                "{broken}"
            );
        }
    }
}
