//! The rows of the main table: Envoy alone, with a filter that does nothing, with its
//! own JWT chain, and with Portcullis and all its request stages.

use super::{ALONE, EMPTY, alone, empty, filters, forged, open};
use crate::Result;
use crate::contestant::{Contestant, Gateway, Probe, Setup, Traffic, native, portcullis};
use crate::http::bearer;
use crate::token::Algorithm::Rs256;
use crate::workshop::Workshop;

/// The rows, in the order of the table.
pub(crate) const ROWS: &[Contestant] = &[
    Contestant::new("direct", "upstream, no Envoy", |workshop| {
        Ok(open(None, ORDER, token(workshop)?))
    }),
    Contestant::new(ALONE, "Envoy alone", |workshop| {
        Ok(alone(ORDER, token(workshop)?))
    }),
    Contestant::new(EMPTY, "empty Wasm filter", |workshop| {
        empty(workshop, ORDER, token(workshop)?)
    }),
    Contestant::new("native", "native chain, warm token", |workshop| {
        chain(workshop, None)
    }),
    Contestant::new("native-cache", "native chain, jwt cache", |workshop| {
        chain(workshop, Some(1000))
    }),
    Contestant::new("native-cold", "native chain, cold token", |workshop| {
        chain(workshop, None)
    })
    .sending(COLD),
    Contestant::new("portcullis", "Portcullis, warm token", |workshop| {
        gate(workshop, ORDER)
    }),
    Contestant::new(
        "portcullis-masked",
        "Portcullis, warm, masking",
        |workshop| gate(workshop, CUSTOMER),
    ),
    Contestant::new("portcullis-cold", "Portcullis, cold token", |workshop| {
        gate(workshop, ORDER)
    })
    .sending(COLD),
];

fn chain(workshop: &Workshop<'_>, cache: Option<u32>) -> Result<Setup> {
    let jwks = workshop.issuer.jwks(Rs256)?;
    guarded(workshop, filters(native::chain(&jwks, cache)), ORDER)
}

fn gate(workshop: &Workshop<'_>, path: &'static str) -> Result<Setup> {
    let gateway = Gateway {
        audit: true,
        ..filters(vec![portcullis::whole(workshop)?])
    };
    let mut setup = guarded(workshop, gateway, path)?;
    let undeclared = Probe::new("/v1/undeclared", &setup.fields, 404);
    setup.probes.push(undeclared);
    Ok(setup)
}

/// Something that takes a good token, and neither a forged one nor none.
fn guarded(workshop: &Workshop<'_>, gateway: Gateway, path: &'static str) -> Result<Setup> {
    let token = workshop.issuer.token(Rs256)?;
    let fields = bearer(&token);
    let good = Probe {
        masked: path == CUSTOMER,
        ..Probe::new(path, &fields, 200)
    };
    let probes = vec![
        good,
        Probe::new(path, "", 401),
        Probe::new(path, &bearer(&forged(&token)), 401),
    ];
    Ok(Setup {
        gateway: Some(gateway),
        path,
        fields,
        probes,
    })
}

fn token(workshop: &Workshop<'_>) -> Result<String> {
    Ok(bearer(&workshop.issuer.token(Rs256)?))
}

const COLD: Traffic = Traffic::Signed(Rs256);
/// An operation of `openapi.yaml` with a parameter of each kind, whose answer is not
/// classified.
const ORDER: &str = "/v1/orders/ord_4711?limit=20&status=active";
/// The same, with an answer that this caller may not see whole.
const CUSTOMER: &str = "/v1/customers/cus_4711?limit=20&status=active";
