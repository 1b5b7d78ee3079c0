//! Which operation a request asks for.
//!
//! What no template matches is refused, so this is where the default deny
//! begins. Templates become a tree of segments in which parameter names play no
//! part. A literal segment wins over a templated one, and when the branch it
//! opens leads nowhere the next one is tried (OpenAPI 3.1 §4.8.8). Each node of
//! the tree stands at one depth, hence at one segment of the path, so a search
//! enters each at most once: its cost is bounded by the document, and no path can
//! make it explode.

use super::api::Operation;
use super::problem::{Problem, Problems};
use std::borrow::Cow;

pub mod template;

use template::{Segment, Shape, Template};

/// Every template of an API, ready to be searched.
#[derive(Debug)]
pub struct Router {
    /// The root is the first.
    nodes: Vec<Node>,
}

/// What a search came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The operation, as an index into the list the router was built from.
    Operation {
        /// Its place in that list.
        index: usize,
        /// What the path holds where the template has parameters.
        parameters: PathParameters<'a>,
    },
    /// The path is declared, the method is not. A `HEAD` is answered by a
    /// declared `HEAD` alone: what is not declared is denied.
    MethodNotAllowed {
        /// The declared methods, for the `Allow` header (RFC 9110 §10.2.1).
        allow: &'a str,
    },
    /// No template matches.
    NotFound,
}

/// The values of a template's parameters, decoded only when they are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathParameters<'a> {
    names: &'a [String],
    raw: Vec<&'a str>,
}

impl<'a> PathParameters<'a> {
    /// Name and percent-decoded value, in the order of the template. Bytes, since
    /// a client may encode what is not UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, [u8]>)> + '_ {
        self.names
            .iter()
            .zip(&self.raw)
            .map(|(name, raw)| (name.as_str(), template::decode(raw)))
    }

    /// The percent-decoded value of one parameter.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.iter()
            .find_map(|(candidate, value)| (candidate == name).then_some(value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the template has no parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

impl Router {
    /// Builds the tree.
    ///
    /// # Errors
    /// Templates that cannot be read, and two operations that answer one method
    /// on the same paths.
    pub fn new(operations: &[Operation]) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut router = Self {
            nodes: vec![Node::default()],
        };
        for (index, operation) in operations.iter().enumerate() {
            let path = format!("api.operations[{index}].path");
            match Template::parse(&operation.path) {
                Ok(template) => {
                    if let Err(earlier) = router.insert(&template, &operation.method, index) {
                        problems.add(
                            path,
                            format!(
                                "`{} {}` matches the same requests as operation {earlier}",
                                operation.method, operation.path
                            ),
                            "keep one of them",
                        );
                    }
                }
                Err(flaw) => problems.add(path, flaw.message, flaw.hint),
            }
        }
        for node in &mut router.nodes {
            node.settle();
        }
        problems.into_result(router)
    }

    /// Finds the operation for a method and a canonical path: no dot or empty
    /// segments, unreserved characters decoded, other escapes in upper case
    /// (RFC 3986 §6.2.2). A trailing slash is significant.
    #[must_use]
    pub fn find<'a>(&'a self, method: &str, path: &'a str) -> Found<'a> {
        let (Some(root), Some(rest)) = (self.nodes.first(), path.strip_prefix('/')) else {
            return Found::NotFound;
        };
        let mut raw = Vec::new();
        let Some(node) = self.descend(root, Some(rest), &mut raw) else {
            return Found::NotFound;
        };
        match node.answers.iter().find(|answer| answer.method == method) {
            Some(answer) => Found::Operation {
                index: answer.index,
                parameters: PathParameters {
                    names: &answer.names,
                    raw,
                },
            },
            None => Found::MethodNotAllowed { allow: &node.allow },
        }
    }

    /// The node that the rest of the path leads to, its values in `raw`. The
    /// recursion is as deep as a template at most ([`template::MAX_SEGMENTS`]).
    fn descend<'a>(
        &'a self,
        node: &'a Node,
        rest: Option<&'a str>,
        raw: &mut Vec<&'a str>,
    ) -> Option<&'a Node> {
        let Some(rest) = rest else {
            return (!node.answers.is_empty()).then_some(node);
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let literal = node
            .literals
            .binary_search_by(|(name, _)| name.as_str().cmp(segment))
            .ok()
            .and_then(|at| node.literals.get(at))
            .and_then(|(_, child)| self.nodes.get(*child));
        if let Some(found) = literal.and_then(|child| self.descend(child, rest, raw)) {
            return Some(found);
        }
        let kept = raw.len();
        for (shape, child) in &node.templated {
            if let Some(child) = self.nodes.get(*child)
                && shape.matches(segment, raw)
                && let Some(found) = self.descend(child, rest, raw)
            {
                return Some(found);
            }
            raw.truncate(kept);
        }
        None
    }

    /// Adds an operation, or says which one already answers there.
    fn insert(&mut self, template: &Template, method: &str, index: usize) -> Result<(), usize> {
        let mut at = 0;
        for segment in &template.segments {
            at = self.child(at, segment);
        }
        let Some(node) = self.nodes.get_mut(at) else {
            return Ok(());
        };
        if let Some(answer) = node.answers.iter().find(|answer| answer.method == method) {
            return Err(answer.index);
        }
        node.answers.push(Answer {
            method: method.to_owned(),
            index,
            names: template.names.clone(),
        });
        Ok(())
    }

    /// The child that a segment leads to, made when it is missing. Children are
    /// searched linearly here and sorted by [`Node::settle`] afterwards.
    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else {
            return at;
        };
        let known = match segment {
            Segment::Literal(text) => match node.literals.binary_search_by(|(l, _)| l.cmp(text)) {
                Ok(found) => node.literals.get(found).map(|(_, child)| *child),
                Err(gap) => {
                    node.literals.insert(gap, (text.clone(), next));
                    None
                }
            },
            Segment::Templated(shape) => {
                let found = node.templated.iter().find(|(known, _)| known == shape);
                let child = found.map(|(_, child)| *child);
                if child.is_none() {
                    node.templated.push((shape.clone(), next));
                }
                child
            }
        };
        known.unwrap_or_else(|| {
            self.nodes.push(Node::default());
            next
        })
    }
}

/// One segment deeper than its parent.
#[derive(Debug, Default)]
struct Node {
    /// Sorted by name.
    literals: Vec<(String, usize)>,
    /// The most specific first.
    templated: Vec<(Shape, usize)>,
    /// What a path that ends here asks for.
    answers: Vec<Answer>,
    /// Their methods, for the `Allow` header.
    allow: String,
}

#[derive(Debug)]
struct Answer {
    method: String,
    index: usize,
    names: Vec<String>,
}

impl Node {
    fn settle(&mut self) {
        self.templated.sort_by(|(a, _), (b, _)| a.specificity(b));
        let mut methods: Vec<&str> = self.answers.iter().map(|a| a.method.as_str()).collect();
        methods.sort_unstable();
        self.allow = methods.join(", ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(declared: &[(&str, &str)]) -> Result<Router, Vec<Problem>> {
        let operations: Vec<Operation> = declared
            .iter()
            .map(|(method, path)| Operation {
                id: format!("{method} {path}"),
                method: (*method).to_owned(),
                path: (*path).to_owned(),
                ..Operation::default()
            })
            .collect();
        Router::new(&operations)
    }

    /// `index name=value ...`, the methods allowed, or a dash.
    fn told(router: &Router, method: &str, path: &str) -> String {
        match router.find(method, path) {
            Found::Operation { index, parameters } => parameters
                .iter()
                .fold(index.to_string(), |told, (name, value)| {
                    format!("{told} {name}={}", String::from_utf8_lossy(&value))
                }),
            Found::MethodNotAllowed { allow } => format!("allow {allow}"),
            Found::NotFound => "-".to_owned(),
        }
    }

    #[test]
    fn finds_what_is_declared_and_nothing_else() {
        let router = router(&[
            ("GET", "/orders"),
            ("POST", "/orders"),
            ("GET", "/orders/{id}"),
            ("GET", "/orders/new"),
            ("DELETE", "/orders/{order}"),
            ("GET", "/orders/new/{part}"),
            ("GET", "/orders/{id}/lines"),
            ("GET", "/"),
            ("GET", "/slash/"),
            ("GET", "/files/{name}.{ext}"),
            ("GET", "/files/{name}"),
            ("GET", "/range/{a}..{b}"),
            ("GET", "/caf\u{e9}/{x}"),
            ("POST", "/jobs/{job}:cancel"),
            ("GET", "/two/{a}2{b}"),
            ("GET", "/end/{a}F"),
        ])
        .unwrap();
        let long = format!("/files/{}", "a.".repeat(50_000));
        for (method, path, expected) in [
            ("GET", "/orders", "0"),
            ("POST", "/orders", "1"),
            ("PUT", "/orders", "allow GET, POST"),
            ("get", "/orders", "allow GET, POST"),
            ("HEAD", "/orders", "allow GET, POST"),
            ("GET", "/orders/", "-"),
            ("GET", "/orders/7", "2 id=7"),
            ("DELETE", "/orders/7", "4 order=7"),
            // The literal wins for its path, whatever the method.
            ("GET", "/orders/new", "3"),
            ("DELETE", "/orders/new", "allow GET"),
            ("GET", "/orders/new/wheel", "5 part=wheel"),
            ("GET", "/orders/new/lines", "5 part=lines"),
            ("GET", "/orders/old/lines", "6 id=old"),
            ("GET", "/orders/old/wheel", "-"),
            ("GET", "/orders/a%2Fb", "2 id=a/b"),
            ("GET", "/orders/%FF", "2 id=\u{fffd}"),
            ("GET", "/orders/{id}", "2 id={id}"),
            ("GET", "/", "7"),
            ("GET", "", "-"),
            ("OPTIONS", "*", "-"),
            ("GET", "/slash/", "8"),
            ("GET", "/slash", "-"),
            ("GET", "/files/a.tar.gz", "9 name=a ext=tar.gz"),
            ("GET", "/files/.gz", "10 name=.gz"),
            ("GET", "/files/a.", "10 name=a."),
            ("GET", "/files/..a", "9 name=. ext=a"),
            ("GET", "/range/1..2", "11 a=1 b=2"),
            ("GET", "/range/..2", "-"),
            ("GET", "/range/1..", "-"),
            ("GET", "/range/1...", "11 a=1 b=."),
            ("GET", "/caf%C3%A9/1", "12 x=1"),
            ("GET", "/caf%C3%A9/", "-"),
            ("POST", "/jobs/8:cancel", "13 job=8"),
            ("POST", "/jobs/8", "-"),
            ("GET", "/two/x2y", "14 a=x b=y"),
            // The 2 belongs to an escape.
            ("GET", "/two/x%2Fy", "-"),
            ("GET", "/end/x%2F", "-"),
            ("GET", "/end/xF", "15 a=x"),
            ("GET", "/two/x%2F2y", "14 a=x/ b=y"),
            (
                "GET",
                &long,
                &format!("9 name=a ext={}", "a.".repeat(49_999)),
            ),
        ] {
            assert_eq!(told(&router, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn values_are_found_by_name() {
        let router = router(&[("GET", "/a/{x}/b/{y}")]).unwrap();
        let Found::Operation { parameters, .. } = router.find("GET", "/a/1/b/%20%zz") else {
            panic!("not found");
        };
        assert_eq!(parameters.len(), 2);
        assert_eq!(parameters.value("x").as_deref(), Some(&b"1"[..]));
        assert_eq!(parameters.value("y").as_deref(), Some(&b" %zz"[..]));
        assert_eq!(parameters.value("z"), None);
    }

    #[test]
    fn a_branch_that_leads_nowhere_is_left_with_its_values() {
        let router = router(&[("GET", "/{a}.x/{b}/end"), ("GET", "/{c}/{d}/{e}")]).unwrap();
        assert_eq!(told(&router, "GET", "/1.x/2/3"), "1 c=1.x d=2 e=3");
        assert_eq!(told(&router, "GET", "/1.x/2/end"), "0 a=1 b=2");
    }

    #[test]
    fn a_search_enters_each_node_once_at_most() {
        // Every mixture of literal and parameter over twelve segments, none of
        // which ends the way the path does: all branches are tried in vain.
        let paths: Vec<String> = (0..4096u32)
            .map(|bits| {
                (0..12).fold(String::new(), |path, segment| match bits >> segment & 1 {
                    0 => path + "/a",
                    _ => format!("{path}/{{p{segment}}}"),
                }) + "/end"
            })
            .collect();
        let declared: Vec<(&str, &str)> = paths.iter().map(|path| ("GET", path.as_str())).collect();
        let router = router(&declared).unwrap();
        assert_eq!(router.nodes.len(), 8191 + 4096);
        let path = "/a".repeat(12) + "/other";
        for _ in 0..100 {
            assert_eq!(told(&router, "GET", &path), "-");
        }
        assert_eq!(told(&router, "GET", &("/a".repeat(12) + "/end")), "0");
        assert_eq!(told(&router, "GET", &"/a".repeat(100_000)), "-");
        // Texts that could stand anywhere in a long segment: linear, not tried again.
        let many = router_of_one("/{a}a{b}a{c}a{d}a{e}a{f}b");
        assert_eq!(
            told(&many, "GET", &format!("/{}", "a".repeat(200_000))),
            "-"
        );
    }

    fn router_of_one(path: &str) -> Router {
        router(&[("GET", path)]).unwrap()
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let problems = router(&[
            ("GET", "/a/{x}"),
            ("GET", "/a/{y}"),
            ("GET", "a"),
            ("GET", "/a//b"),
            ("GET", "/a/../b"),
            ("GET", "/a?b=c"),
            ("GET", "/{a}{b}"),
            ("GET", "/{a}/{a}"),
            ("GET", "/{a"),
            ("GET", "/a}"),
            ("GET", "/{}"),
            ("GET", "/%2e"),
        ])
        .unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
        let expected: Vec<String> = (1..12)
            .map(|index| format!("api.operations[{index}].path"))
            .collect();
        assert_eq!(paths, expected);
        assert!(problems[0].message.contains("operation 0"));
        let deep = "/a".repeat(template::MAX_SEGMENTS + 1);
        assert!(router(&[("GET", &deep)]).is_err());
    }
}
