//! Where a request comes from: an address, a country, a program.
//!
//! It is asked before who calls, since it costs least, and whoever may not come from
//! where he comes from shall not try credentials either. A country and the name of a
//! program are what somebody says; they keep out the careless, not the determined.

use std::borrow::Cow;

use crate::denial::Denial;
use crate::policy::Policy;
use crate::policy::network::{Agents, Countries, Networks, Territory};
use crate::request::Headers;
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};

/// Holds the request against the operation's territory, the countries and the programs.
///
/// # Errors
/// [`Denial::AddressForbidden`], [`Denial::CountryForbidden`] or
/// [`Denial::AgentForbidden`], if the stage enforces.
pub fn restrict(
    screened: &Screened,
    territory: &Territory,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let networks = &policy.networks;
    let headers = &screened.head().headers;
    let mut note = None;
    let mut objections = Vec::new();
    if territory.is_bounded() {
        match locate(screened, territory, networks) {
            Some(found) => note = Some(found),
            None => objections.push(Denial::AddressForbidden),
        }
    }
    if let Some(countries) = &networks.countries {
        if is_from(countries, headers) {
            note.get_or_insert(Cow::Borrowed("from where it may"));
        } else {
            objections.push(Denial::CountryForbidden);
        }
    }
    if let Some(agents) = &networks.agents {
        if may_ask(agents, headers) {
            note.get_or_insert(Cow::Borrowed("from where it may"));
        } else {
            objections.push(Denial::AgentForbidden);
        }
    }
    let objected = !objections.is_empty();
    for denial in objections {
        trail.object(Stage::Network, policy.stages.network, denial)?;
    }
    if let (Some(note), false) = (note, objected) {
        trail.pass(Stage::Network, note);
    }
    Ok(())
}

/// In words, why the address may; `None`: it may not.
fn locate(
    screened: &Screened,
    territory: &Territory,
    networks: &Networks,
) -> Option<Cow<'static, str>> {
    // Where hygiene only observes, there may be none, and what is nowhere is not inside.
    let address = screened.address()?;
    let holding = |places: &[usize]| {
        places
            .iter()
            .filter_map(|place| networks.lists.get(*place))
            .find(|(_, set)| set.contains(address))
    };
    if holding(&territory.deny).is_some() {
        return None;
    }
    match &territory.allow {
        None => Some("in no denied network".into()),
        Some(allowed) => holding(allowed).map(|(name, _)| format!("in `{name}`").into()),
    }
}

/// A request from nobody knows where is from no allowed country, and from no denied one.
fn is_from(countries: &Countries, headers: &Headers) -> bool {
    let mut values = headers.all(&countries.header);
    let country = values.next().unwrap_or_default();
    if values.next().is_some() {
        // One of them is the client's own, and nobody can tell which.
        return false;
    }
    let is = |code: &String| code.as_bytes().eq_ignore_ascii_case(country);
    !countries.deny.iter().any(is)
        && countries
            .allow
            .as_ref()
            .is_none_or(|allow| allow.iter().any(is))
}

fn may_ask(agents: &Agents, headers: &Headers) -> bool {
    let mut named = false;
    for value in headers.all("user-agent") {
        if value.len() > MOST_AGENT_BYTES {
            return false;
        }
        let name = String::from_utf8_lossy(value).trim().to_ascii_lowercase();
        if agents.deny.iter().any(|pattern| pattern.matches(&name)) {
            return false;
        }
        named |= !name.is_empty();
    }
    named || !agents.require
}

/// Longer names are refused: real ones are shorter, and each pattern reads all of it.
const MOST_AGENT_BYTES: usize = 1_024;
