//! Whether the rules of an operation let the request pass.
//!
//! A rule that has no answer denies, whichever way it decides: nothing that was
//! meant to be refused may pass because something was missing.

use std::borrow::Cow;

use crate::calendar::Local;
use crate::denial::Denial;
use crate::engine::World;
use crate::policy::route::PathParameters;
use crate::policy::rule::{RISK, Rule, Verdict};
use crate::policy::{Operation, Policy};
use crate::rule::{Facts, Fault, List, Map, Members, Value, evaluate};
use crate::stage::authn::{Caller, Identity, Kind};
use crate::stage::hygiene::Screened;
use crate::time::Time;
use crate::trail::{Stage, Trail};

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stage) enum When {
    /// With the other questions of authorization.
    Before,
    /// When the anomaly score is known, for the rules that ask for it.
    Scored,
}

/// Asks those of the operation's rules whose time it is.
///
/// # Errors
/// [`Denial::RuleRefused`] or [`Denial::RuleFailed`] of the first that does not let
/// the request pass, when the stage enforces.
pub(in crate::stage) fn check(
    when: When,
    operation: &Operation,
    screened: &Screened,
    parameters: &PathParameters<'_>,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let policy = world.policy;
    let mut passed = Vec::new();
    let rules = operation.rules.iter();
    for rule in rules.filter_map(|place| policy.rules.all.get(*place)) {
        if rule.asks_for_risk != (when == When::Scored) {
            continue;
        }
        let facts = Asked {
            headers: RequestHeaders(screened),
            query: Query(screened),
            parameters: Parameters {
                found: parameters,
                path: screened.path(),
            },
            screened,
            operation,
            caller,
            policy,
            local: rule.zone.local(world.now),
            now: world.now,
            risk: trail.score,
        };
        let denial = match evaluate(&rule.condition, &facts) {
            Ok(truth) if truth == (rule.verdict == Verdict::AllowIf) => {
                passed.push(rule);
                continue;
            }
            Ok(_) => Denial::RuleRefused {
                rule: rule.name.clone(),
            },
            Err(fault) => Denial::RuleFailed {
                rule: rule.name.clone(),
                fault,
            },
        };
        trail.object(Stage::Authorization, policy.stages.authorization, denial)?;
    }
    if !passed.is_empty() {
        trail.pass(Stage::Authorization, note(&passed));
    }
    Ok(())
}

fn note(passed: &[&Rule]) -> String {
    let names: Vec<String> = passed
        .iter()
        .map(|rule| format!("`{}`", rule.name))
        .collect();
    format!("keeps to {}", names.join(", "))
}

/// What one request lets rules know.
struct Asked<'a> {
    headers: RequestHeaders<'a>,
    query: Query<'a>,
    parameters: Parameters<'a>,
    screened: &'a Screened,
    operation: &'a Operation,
    caller: &'a Caller,
    policy: &'a Policy,
    local: Local,
    now: Time,
    risk: Option<f32>,
}

impl Facts for Asked<'_> {
    fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        if let Some(name) = name.strip_prefix("caller.") {
            return Ok(self.caller(name));
        }
        if let Some(name) = name.strip_prefix("key.") {
            return Ok(self.of(Kind::ApiKey, name));
        }
        if let Some(name) = name.strip_prefix("certificate.") {
            return Ok(self.of(Kind::Certificate, name));
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
            "operation" => Some(Value::from(self.operation.id.as_str())),
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

impl Asked<'_> {
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
                let roles = super::roles::of(self.caller, self.policy);
                let owned = |role| Value::String(Cow::Owned(role));
                Some(roles.into_iter().map(owned).collect())
            }
            _ => None,
        }
    }

    /// What a credential of this kind says. A rule that asks for what none came to say
    /// has no answer, and so denies.
    fn of(&self, kind: Kind, name: &str) -> Option<Value<'_>> {
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
            "parameters" => Some(Value::Map(Map::Host(&self.parameters))),
            _ => None,
        })
    }

    fn time(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "year" => Value::Int(self.local.year.into()),
            "month" => Value::Int(self.local.month.into()),
            "day" => Value::Int(self.local.day.into()),
            "weekday" => Value::Int(self.local.weekday.into()),
            "hour" => Value::Int(self.local.hour.into()),
            "minute" => Value::Int(self.local.minute.into()),
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
