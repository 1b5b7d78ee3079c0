//! What a token is bound to: who sends it must prove to hold that as well.

use serde_json::Value;

use super::{TokenError, base64url};

/// The methods of a confirmation claim (`cnf`, RFC 7800 §3.1) that are understood.
/// Others are ignored, as the RFC asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `jkt`: the thumbprint of a key that signs DPoP proofs (RFC 9449 §6.1).
    pub key: Option<[u8; 32]>,
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
        let thumbprint = |name: &str| {
            let Some(value) = methods.get(name) else {
                return Ok(None);
            };
            let digest = value.as_str().and_then(base64url::decode);
            let digest = digest.and_then(|digest| <[u8; 32]>::try_from(digest).ok());
            digest.map(Some).ok_or(TokenError::ClaimsMalformed)
        };
        Ok(Confirmation {
            key: thumbprint("jkt")?,
            certificate: thumbprint("x5t#S256")?,
        })
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
        assert_eq!((bound.certificate, bound.key), (Some([1; 32]), None));
        let bound = read(json!({ "jkt": digest })).unwrap();
        assert_eq!((bound.certificate, bound.key), (None, Some([1; 32])));
        assert_eq!(Confirmation::read(None), Ok(Confirmation::default()));
        assert_eq!(read(json!({})), Ok(Confirmation::default()));
        assert_eq!(read(json!(null)), Err(TokenError::ClaimsMalformed));
        assert_eq!(read(json!([])), Err(TokenError::ClaimsMalformed));
        for method in ["x5t#S256", "jkt"] {
            for broken in [
                json!(1),
                json!(""),
                json!(digest[1..]),
                json!(format!("{digest}=")),
            ] {
                let cnf = json!({ method: broken });
                assert_eq!(read(cnf.clone()), Err(TokenError::ClaimsMalformed), "{cnf}");
            }
        }
    }
}
