//! Client certificates: what was proved by a TLS handshake, and whom it stands for.
//!
//! Envoy verifies the chain, and that the client holds the key; neither is done
//! again here. What comes from Envoy is the certificate's names and digest, of the
//! connection's own peer or, from a proxy in front that is trusted, in a header
//! ([`xfcc`]). A [`Pattern`] says which certificates stand for whom.

mod pattern;
pub mod xfcc;

pub use pattern::{Dns, Pattern, Uri};

use subtle::ConstantTimeEq as _;

/// A certificate whose holder was at the other end of a verified connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The SHA-256 of its DER encoding.
    pub digest: [u8; 32],
    /// The subject, as RFC 2253 writes it, if it has one.
    pub subject: Option<String>,
    /// URIs among its alternative names. Of the connection's own peer Envoy lends
    /// the first alone.
    pub uris: Vec<String>,
    /// DNS names among its alternative names, of which the same is true.
    pub dns: Vec<String>,
}

impl PeerCertificate {
    /// Whether it is the certificate of a confirmation `x5t#S256` (RFC 8705 §3.1).
    pub fn has_thumbprint(&self, thumbprint: &[u8; 32]) -> bool {
        bool::from(self.digest.ct_eq(thumbprint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_the_digest_and_nothing_near_it() {
        let certificate = PeerCertificate {
            digest: [7; 32],
            subject: None,
            uris: Vec::new(),
            dns: Vec::new(),
        };
        let mut near = [7; 32];
        near[31] = 6;
        assert!(certificate.has_thumbprint(&[7; 32]));
        assert!(!certificate.has_thumbprint(&near));
    }
}
