//! The tokens of the rows that need a new one for each request, made before the clock
//! runs and never used twice by one row.

use crate::Result;
use crate::authority::GOOD;
use crate::contestant::Traffic;
use crate::http::bearer;
use crate::token::Issuer;

/// Makes tokens, none twice.
pub(crate) struct Mint<'a> {
    issuer: &'a Issuer,
    made: usize,
}

/// The header lines of some rounds, for each kind of traffic that needs new ones.
pub(crate) struct Stock {
    kinds: Vec<(Traffic, Vec<String>)>,
    rounds: usize,
}

impl<'a> Mint<'a> {
    /// A mint that has made nothing but [`Issuer::token`].
    pub(crate) fn new(issuer: &'a Issuer) -> Self {
        Self { issuer, made: 1 }
    }

    /// Makes `each` tokens for each of `rounds`, of every kind that `wanted` names.
    pub(crate) fn stock(
        &mut self,
        wanted: impl Iterator<Item = Traffic>,
        each: usize,
        rounds: usize,
    ) -> Result<Stock> {
        let mut kinds: Vec<(Traffic, Vec<String>)> = vec![];
        for traffic in wanted.filter(|traffic| *traffic != Traffic::Same) {
            if kinds.iter().all(|(known, _)| *known != traffic) {
                eprintln!("minting {} tokens", each * rounds);
                kinds.push((traffic, self.make(traffic, each * rounds)?));
            }
        }
        Ok(Stock { kinds, rounds })
    }

    fn make(&mut self, traffic: Traffic, count: usize) -> Result<Vec<String>> {
        let first = self.made;
        self.made += count;
        let tokens = match traffic {
            Traffic::Same => vec![],
            Traffic::Signed(algorithm) => self.issuer.mint(algorithm, first, count)?,
            Traffic::Opaque => (first..first + count)
                .map(|serial| format!("{GOOD}{serial:032x}"))
                .collect(),
        };
        Ok(tokens.iter().map(|token| bearer(token)).collect())
    }
}

impl Stock {
    /// What a row of this traffic may use up in one round.
    pub(crate) fn share(&self, traffic: Traffic, round: usize) -> &[String] {
        let kind = self.kinds.iter().find(|(kind, _)| *kind == traffic);
        kind.and_then(|(_, all)| all.chunks((all.len() / self.rounds).max(1)).nth(round))
            .unwrap_or_default()
    }
}
