//! From the files a person wrote to the one document that Envoy carries.
//!
//! `build`, `check` and `explain` all begin here, and every problem in every file
//! is gathered before anything is refused.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::calendar;
use crate::policy::api::Api;
use crate::policy::openapi::{self, Options};
use crate::policy::plugin::{self, FORMAT, Plugin};
use crate::policy::problem::{Problem, Problems};
use crate::policy::source::{Environment, Keys, NetworkList, RevocationList, Secret, Source};
use crate::policy::{Policy, compile, prepare, structure};

/// A configuration that the filter will take, and what it means.
pub struct Assembled {
    /// The JSON text for Envoy's plugin configuration.
    pub configuration: String,
    /// What the filter makes of it.
    pub policy: Policy,
}

/// Reads a policy with all that it refers to, or a configuration that was built before.
///
/// # Errors
/// Every problem found in any of the files.
pub fn assemble(path: &Path) -> Result<Assembled, Vec<Problem>> {
    let text = read_text(path, "policy")?;
    let document = parse(&text, path, "policy")?;
    if document.get("format").is_some() {
        // The text as it stands: its digest names the policy.
        let configuration = text;
        let policy = plugin::load(configuration.as_bytes(), Environment::Elsewhere)?;
        return Ok(Assembled {
            configuration,
            policy,
        });
    }
    let mut problems = Problems::default();
    structure::check(&document, "policy", &mut problems);
    problems.into_result(())?;
    let source: Source = serde_json::from_value(document)
        .map_err(|error| vec![unreadable("policy", &error.to_string())])?;
    let plugin = gather(source, path.parent().unwrap_or(Path::new("")))?;
    let configuration = serde_json::to_string(&plugin)
        .map_err(|error| vec![unreadable("plugin", &error.to_string())])?;
    let policy = plugin::load(configuration.as_bytes(), Environment::Elsewhere)?;
    Ok(Assembled {
        configuration,
        policy,
    })
}

/// Puts everything inline. What is wrong in one file does not hide what is wrong in
/// another.
fn gather(mut source: Source, folder: &Path) -> Result<Plugin, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut note = |found: Vec<Problem>| problems.extend(found);
    for (index, issuer) in source.issuers.iter_mut().enumerate() {
        let path = format!("policy.issuers[{index}].keys.file");
        if let Some(Keys::File(name)) = &issuer.keys {
            match read_object(&folder.join(name), &path) {
                Ok(document) => issuer.keys = Some(Keys::Inline(document)),
                Err(found) => note(found),
            }
        }
    }
    for (name, list) in &mut source.networks.lists {
        let path = format!("policy.networks.lists.{name}.file");
        if let NetworkList::File(name) = list {
            match read_text(&folder.join(name), &path) {
                Ok(text) => *list = NetworkList::lines(&text),
                Err(found) => note(found),
            }
        }
    }
    for hours in source.hours.values_mut() {
        if let Some(rule) = calendar::rule_of(&hours.time_zone) {
            hours.time_zone = rule;
        }
    }
    if let Some(revocation) = &mut source.revocation
        && let RevocationList::File(name) = &revocation.list
    {
        match read_object(&folder.join(name), "policy.revocation.list.file") {
            Ok(document) => revocation.list = RevocationList::Inline(document),
            Err(found) => note(found),
        }
    }
    for (path, secret) in source.secrets_mut() {
        if let Secret::File(name) = secret {
            match read_text(&folder.join(&name), &format!("{path}.file")) {
                Ok(text) => *secret = Secret::Inline(text.trim_end_matches(['\r', '\n']).into()),
                Err(found) => note(found),
            }
        }
    }
    let model = source
        .anomaly
        .as_ref()
        .map(|anomaly| read_document(&folder.join(&anomaly.model), "policy.anomaly.model"));
    let model = model.transpose().map_err(&mut note).ok().flatten();
    let rules = prepare::rules(&source).map_err(&mut note).ok();
    let (keys, flaws) = prepare::keys(&source);
    note(flaws);
    let api = compile_api(&source, folder).map_err(&mut note).ok();
    let complete = problems.is_empty();
    let plugin = Plugin {
        format: FORMAT.into(),
        policy: source,
        api: api.unwrap_or_default(),
        rules: rules.unwrap_or_default(),
        keys,
        model,
    };
    if complete {
        return Ok(plugin);
    }
    // The rest is looked at as well. What is missing in it because a file could not
    // be read was noted already.
    let rest = compile::compile(plugin, String::new(), Environment::Elsewhere)
        .err()
        .unwrap_or_default();
    let noted = |problem: &Problem| {
        problem.path == "model"
            || problem.path.starts_with("rules.")
            || problem.path == "keys"
            || problem.path.ends_with(".file")
    };
    problems.extend(rest.into_iter().filter(|problem| !noted(problem)));
    problems.into_result(())?;
    Err(Vec::new())
}

fn compile_api(source: &Source, folder: &Path) -> Result<Api, Vec<Problem>> {
    let document = read_document(&folder.join(&source.openapi), "openapi")?;
    let classifications: Vec<String> = source
        .classifications
        .iter()
        .map(|class| class.name.clone())
        .collect();
    let networks: Vec<String> = source.networks.lists.keys().cloned().collect();
    let hours: Vec<String> = source.hours.keys().cloned().collect();
    let quota_plans: Vec<String> = source.quotas.plans.keys().cloned().collect();
    openapi::compile(
        &document,
        &Options {
            base_path: source.base_path.clone(),
            classifications: &classifications,
            networks: &networks,
            hours: &hours,
            quota_plans: &quota_plans,
        },
    )
}

fn read_object(file: &Path, path: &str) -> Result<Map<String, Value>, Vec<Problem>> {
    match read_document(file, path)? {
        Value::Object(document) => Ok(document),
        _ => Err(vec![Problem {
            path: path.into(),
            message: format!("`{}` does not hold a JSON object", file.display()),
            hint: "name a file that `portcullis token --new-key` or `portcullis revoke` wrote"
                .into(),
        }]),
    }
}

/// Reads JSON or YAML. `path` is where a problem with it is reported.
///
/// # Errors
/// The file cannot be read, or holds neither.
pub fn read_document(file: &Path, path: &str) -> Result<Value, Vec<Problem>> {
    parse(&read_text(file, path)?, file, path)
}

fn read_text(file: &Path, path: &str) -> Result<String, Vec<Problem>> {
    fs::read_to_string(file).map_err(|error| {
        vec![Problem {
            path: path.into(),
            message: format!("`{}` cannot be read: {error}", file.display()),
            hint: "paths are relative to the policy".into(),
        }]
    })
}

fn parse(text: &str, file: &Path, path: &str) -> Result<Value, Vec<Problem>> {
    let place = |problem: Problem| Problem {
        path: path.into(),
        message: format!("`{}`: {}", file.display(), problem.message),
        ..problem
    };
    openapi::read(text).map_err(|found| found.into_iter().map(place).collect())
}

fn unreadable(path: &str, message: &str) -> Problem {
    Problem {
        path: path.into(),
        message: message.into(),
        hint: "compare it with `portcullis schema`".into(),
    }
}
