//! What one request lets an expression in CEL know: for a rule, or for a limit that
//! counts by what the expression gives.

use std::borrow::Cow;

use crate::calendar::Local;
use crate::engine::World;
use crate::policy::route::PathParameters;
use crate::policy::rule::RISK;
use crate::policy::{Operation, Policy};
use crate::rule::{Facts, Fault, List, Map, Members, Value};
use crate::stage::authn::{Caller, Identity, Kind};
use crate::stage::hygiene::Screened;
use crate::time::Time;

/// What one request lets an expression know.
pub(super) struct Asked<'a> {
    headers: RequestHeaders<'a>,
    query: Query<'a>,
    parameters: Option<Parameters<'a>>,
    screened: &'a Screened,
    operation: Option<&'a Operation>,
    caller: &'a Caller,
    policy: &'a Policy,
    now: Time,
    /// What the clock shows, where the expression has a time zone.
    pub(super) local: Option<Local>,
    /// The anomaly score, once it is known.
    pub(super) risk: Option<f32>,
}

impl Facts for Asked<'_> {
    fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        if let Some(name) = name.strip_prefix("caller.") {
            return Ok(self.caller(name));
        }
        if let Some(name) = name.strip_prefix("key.") {
            return Ok(self.credential(Kind::ApiKey, name));
        }
        if let Some(name) = name.strip_prefix("certificate.") {
            return Ok(self.credential(Kind::Certificate, name));
        }
        if let Some(name) = name.strip_prefix("request.") {
            return self.request(name);
        }
        if let Some(name) = name.strip_prefix("time.") {
            return Ok(self.time(name));
        }
        Ok(match name {
            "claims" => Some(Value::Map(match self.caller.identity() {
                Some(identity) => Map::Json(&identity.claims),
                None => Map::Values([].into()),
            })),
            "operation" => self
                .operation
                .map(|operation| Value::from(operation.id.as_str())),
            "source.address" => {
                let address = self.screened.address();
                address.map(|address| Value::String(Cow::Owned(address.to_string())))
            }
            "country" => Some(self.told(self.policy.rules.headers.country.as_deref())?),
            "device" => Some(self.told(self.policy.rules.headers.device.as_deref())?),
            RISK => self.risk.map(|risk| Value::Double(f64::from(risk))),
            _ => None,
        })
    }
}

impl<'a> Asked<'a> {
    /// All but the time and the risk. An undeclared operation has no parameters.
    pub(super) fn of(
        screened: &'a Screened,
        route: Option<(&'a Operation, &'a PathParameters<'a>)>,
        caller: &'a Caller,
        world: &World<'a>,
    ) -> Self {
        Asked {
            headers: RequestHeaders(screened),
            query: Query(screened),
            parameters: route.map(|(_, found)| Parameters {
                found,
                path: screened.path(),
            }),
            screened,
            operation: route.map(|(operation, _)| operation),
            caller,
            policy: world.policy,
            now: world.now,
            local: None,
            risk: None,
        }
    }

    fn caller(&self, name: &str) -> Option<Value<'_>> {
        let identity = self.caller.identity();
        let text = |of: fn(&Identity) -> Option<&str>| identity.and_then(of).map(Value::from);
        match name {
            "kind" => Some(Value::from(match identity.map(|identity| identity.kind) {
                Some(Kind::Token) => "token",
                Some(Kind::ApiKey) => "api_key",
                Some(Kind::Certificate) => "certificate",
                None => "anonymous",
            })),
            "client" => text(|identity| identity.client.as_deref()),
            "subject" => text(|identity| identity.claims.get("sub")?.as_str()),
            "issuer" => text(|identity| Some(&identity.source)),
            "scopes" => {
                let scopes = identity.map_or(&[][..], |identity| &identity.scopes);
                Some(
                    scopes
                        .iter()
                        .map(|scope| Value::from(scope.as_str()))
                        .collect(),
                )
            }
            "roles" => {
                let roles = super::authz::roles::of(self.caller, self.policy);
                let owned = |role| Value::String(Cow::Owned(role));
                Some(roles.into_iter().map(owned).collect())
            }
            _ => None,
        }
    }

    /// What a credential of this kind says. A rule that asks for what none came to say
    /// has no answer, and so denies.
    fn credential(&self, kind: Kind, name: &str) -> Option<Value<'_>> {
        let identity = self.caller.identities().find(|one| one.kind == kind)?;
        let claim = |name: &str| identity.claims.get(name);
        match name {
            "id" | "name" => Some(Value::from(identity.source.as_str())),
            "uris" | "dns" => {
                let texts = claim(if name == "uris" { "uri" } else { name });
                let texts = texts.and_then(|texts| texts.as_array()).into_iter();
                let texts = texts.flatten().filter_map(|text| text.as_str());
                Some(texts.map(Value::from).collect())
            }
            _ => claim(name)?.as_str().map(Value::from),
        }
    }

    fn request(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        let headers = &self.screened.head().headers;
        Ok(match name {
            "method" => Some(Value::from(self.screened.method())),
            "path" => Some(Value::from(self.screened.path())),
            "host" => match headers
                .first(":authority")
                .or_else(|| headers.first("host"))
            {
                Some(host) => Some(Value::from(read(host)?)),
                None => None,
            },
            "headers" => Some(Value::Map(Map::Host(&self.headers))),
            "query" => Some(Value::Map(Map::Host(&self.query))),
            "parameters" => Some(Value::Map(match &self.parameters {
                Some(parameters) => Map::Host(parameters),
                None => Map::Values([].into()),
            })),
            _ => None,
        })
    }

    fn time(&self, name: &str) -> Option<Value<'_>> {
        let local = self.local.as_ref()?;
        Some(match name {
            "year" => Value::Int(local.year.into()),
            "month" => Value::Int(local.month.into()),
            "day" => Value::Int(local.day.into()),
            "weekday" => Value::Int(local.weekday.into()),
            "hour" => Value::Int(local.hour.into()),
            "minute" => Value::Int(local.minute.into()),
            "timestamp" => Value::Timestamp(self.now.nanos().into()),
            _ => return None,
        })
    }

    /// What a header says; nothing, if it is not there.
    fn told(&self, header: Option<&str>) -> Result<Value<'_>, Fault> {
        let told = header.map(|name| self.headers.member(name)).transpose()?;
        Ok(told.flatten().unwrap_or(Value::from("")))
    }
}

/// The headers that reach the upstream, without those that only the gateway may set.
/// Several fields of one name are one list (RFC 9110 §5.3).
#[derive(Debug)]
struct RequestHeaders<'a>(&'a Screened);

impl RequestHeaders<'_> {
    fn is_seen(&self, name: &str) -> bool {
        !name.starts_with(':') && !self.0.dropped_headers().iter().any(|other| other == name)
    }
}

impl Members for RequestHeaders<'_> {
    fn member(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        if !self.is_seen(name) {
            return Ok(None);
        }
        let mut values = self.0.head().headers.all(name);
        let Some(first) = values.next() else {
            return Ok(None);
        };
        let mut text = Cow::Borrowed(read(first)?);
        for value in values {
            text = Cow::Owned(format!("{text}, {}", read(value)?));
        }
        Ok(Some(Value::String(text)))
    }

    fn names(&self) -> Result<Vec<Value<'_>>, Fault> {
        let headers = self.0.head().headers.iter().map(|(name, _)| name);
        Ok(unique(
            headers.filter(|name| self.is_seen(name)).map(Cow::Borrowed),
        ))
    }

    fn bytes(&self) -> usize {
        let headers = self.0.head().headers.iter();
        headers.map(|(name, _)| name.len()).sum()
    }
}

/// The parameters of the query, each with all its values.
#[derive(Debug)]
struct Query<'a>(&'a Screened);

impl Members for Query<'_> {
    fn member(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        let values: Vec<Value<'_>> = self
            .0
            .query()
            .filter(|(other, _)| other.as_ref() == name.as_bytes())
            .map(|(_, value)| owned(value).map(Value::String))
            .collect::<Result<_, _>>()?;
        Ok((!values.is_empty()).then(|| Value::List(List::Values(values.into()))))
    }

    fn names(&self) -> Result<Vec<Value<'_>>, Fault> {
        let names: Vec<Cow<'_, str>> = self
            .0
            .query()
            .map(|(name, _)| owned(name))
            .collect::<Result<_, _>>()?;
        Ok(unique(names.into_iter()))
    }

    fn bytes(&self) -> usize {
        self.0.raw_query().len()
    }
}

/// The parameters of the path, decoded.
#[derive(Debug)]
struct Parameters<'a> {
    found: &'a PathParameters<'a>,
    path: &'a str,
}

impl Members for Parameters<'_> {
    fn member(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        let value = self.found.value(name).map(owned).transpose()?;
        Ok(value.map(Value::String))
    }

    fn names(&self) -> Result<Vec<Value<'_>>, Fault> {
        Ok(self
            .found
            .iter()
            .map(|(name, _)| Value::from(name))
            .collect())
    }

    fn bytes(&self) -> usize {
        self.path.len()
    }
}

fn unique<'a>(names: impl Iterator<Item = Cow<'a, str>>) -> Vec<Value<'a>> {
    let names: std::collections::BTreeSet<Cow<'a, str>> = names.collect();
    names.into_iter().map(Value::String).collect()
}

fn read(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Unreadable)
}

fn owned(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Fault> {
    match bytes {
        Cow::Borrowed(bytes) => read(bytes).map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| Fault::Unreadable),
    }
}
