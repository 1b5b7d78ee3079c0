//! The path that stands in front of all others: that of `servers[0].url`.

use super::place::Place;
use crate::policy::problem::Problems;

/// The base path that `servers` of the root, a path item or an operation gives;
/// none when it gives no server. No slash at its end.
pub(super) fn base_path(owner: &Place<'_>, problems: &mut Problems) -> Option<String> {
    let server = owner.get("servers")?.elements().next()?;
    let Some(url) = server.get("url") else {
        problems.add(
            server.at("url"),
            "is missing",
            "write the URL of the API, or its path alone",
        );
        return None;
    };
    let Some(text) = url.value.as_str() else {
        problems.add(&url.path, "is not a string", "write a URL");
        return None;
    };
    let text = substituted(text, &server, problems);
    Some(normal(path_of(&text)))
}

/// A base path as it is put in front: a slash before, none after.
pub(super) fn normal(path: &str) -> String {
    let path = path.trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

/// The URL with its variables' defaults.
fn substituted(text: &str, server: &Place<'_>, problems: &mut Problems) -> String {
    let mut url = String::with_capacity(text.len());
    let mut left = text;
    while let Some((before, after)) = left.split_once('{') {
        let Some((name, rest)) = after.split_once('}') else {
            break;
        };
        url.push_str(before);
        let variable = server.get("variables").and_then(|known| known.get(name));
        let default = variable.and_then(|variable| variable.get("default"));
        match default.and_then(|default| default.value.as_str()) {
            Some(default) => url.push_str(default),
            None => problems.add(
                server.at("url"),
                format!("the variable `{name}` has no default"),
                format!("write `variables.{name}.default` beside the URL"),
            ),
        }
        left = rest;
    }
    url.push_str(left);
    url
}

/// The path of a URL, absolute or relative (RFC 3986 §4.2).
fn path_of(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let authority = url
        .split_once("://")
        .map(|(_, rest)| rest)
        .or_else(|| url.strip_prefix("//"));
    match authority {
        Some(rest) => rest
            .find('/')
            .and_then(|at| rest.get(at..))
            .unwrap_or_default(),
        None => url.strip_prefix('.').unwrap_or(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn takes_the_path_of_the_first_server() {
        for (url, expected) in [
            ("https://api.example.org/v1/", "/v1"),
            ("https://api.example.org", ""),
            ("https://{host}/{version}/x?y=/z", "/v2/x"),
            ("/v1", "/v1"),
            ("/", ""),
            ("v1", "/v1"),
            ("./v1", "/v1"),
            ("//api.example.org/a/b", "/a/b"),
        ] {
            let root = json!({"servers": [{"url": url, "variables": {
                "host": {"default": "example.org"}, "version": {"default": "v2"}}}]});
            let mut problems = Problems::default();
            let path = base_path(&Place::root(&root), &mut problems);
            assert_eq!(path.as_deref(), Some(expected), "{url}");
            assert!(problems.is_empty());
        }
    }

    #[test]
    fn says_what_a_server_lacks() {
        for (server, told) in [
            (json!({}), "openapi.servers[0].url: is missing"),
            (json!({"url": 1}), "openapi.servers[0].url: is not a string"),
            (
                json!({"url": "/{a}"}),
                "openapi.servers[0].url: the variable `a` has no default",
            ),
        ] {
            let root = json!({ "servers": [server] });
            let mut problems = Problems::default();
            base_path(&Place::root(&root), &mut problems);
            let problem = problems.into_result(()).unwrap_err().remove(0).to_string();
            assert!(problem.starts_with(told), "{problem}");
        }
    }
}
