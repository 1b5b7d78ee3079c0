//! From an OpenAPI document to the compiled [`Api`].
//!
//! The document is the security artefact, so what is unclear in it is refused
//! rather than guessed: every problem at once, each with its path. The walk is over
//! plain JSON values. A typed model of OpenAPI would drop what it does not know, and
//! what it does not know may be what a person relies on.

use super::api::{Api, Operation, Response};
use super::problem::{Problem, Problems};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

mod claim;
mod classification;
mod extension;
mod graph;
mod mask;
mod names;
mod operation;
mod parameter;
mod place;
mod quota;
mod reading;
mod response;
mod schema;
mod security;
mod server;
mod step_up;
mod version;

#[cfg(test)]
mod suites;

pub use reading::read;

use mask::{Masks, StateId};
use operation::Paths;
use place::{Document, Place};

/// What the document may refer to, and where the API lives.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Put in front of every path in place of the path of `servers`.
    pub base_path: Option<String>,
    /// The names that `x-classification` may take, lowest first.
    pub classifications: &'a [String],
    /// The names that `x-networks` may use.
    pub networks: &'a [String],
    /// The names that `x-hours` may take.
    pub hours: &'a [String],
    /// The names that `x-quota` may take.
    pub quota_plans: &'a [String],
}

/// Compiles a document (OpenAPI 3.0 or 3.1).
///
/// # Errors
/// Every problem found, each at its path under `openapi`.
pub fn compile(document: &Value, options: &Options<'_>) -> Result<Api, Vec<Problem>> {
    let mut problems = Problems::default();
    let root = Place::root(document);
    if let Err(problem) = version::check(&root) {
        return Err(vec![problem]);
    }
    let mut compiler = Compiler {
        document: Document::new(document),
        options,
        masks: Masks::new(document, options.classifications),
        bodies: Vec::new(),
        unmaskable: Vec::new(),
    };
    let title = root.get("info").and_then(|info| info.get("title"));
    let title = title.and_then(|title| title.value.as_str());
    if title.is_none() {
        problems.add(
            "openapi.info.title",
            "is missing or not a string",
            "name the API",
        );
    }
    classification::check(&root, options.classifications, &mut problems);
    let (operations, schemes) =
        Paths::new(&mut compiler, &root, &mut problems).operations(&mut problems);
    let mut api = Api {
        title: title.unwrap_or_default().to_owned(),
        operations,
        schemes,
        masks: Vec::new(),
    };
    compiler.finish(&mut api, &mut problems);
    check_ids(&api.operations, &mut problems);
    problems.into_result(api).map_err(unique)
}

/// What is gathered while the operations are walked.
struct Compiler<'a, 'o> {
    document: Document<'a>,
    options: &'o Options<'o>,
    masks: Masks<'a>,
    /// For each operation the statuses with a JSON body, and the places in it.
    bodies: Vec<Vec<(String, Option<StateId>)>>,
    /// Places whose content cannot be masked: where, and what travels there.
    unmaskable: Vec<(StateId, String, String)>,
}

impl Compiler<'_, '_> {
    /// Compiles the masks and gives each response its own.
    fn finish(self, api: &mut Api, problems: &mut Problems) {
        let compiled = self.masks.compile(problems);
        for (state, path, what) in self.unmaskable {
            if compiled.node(state).is_some() {
                problems.add(
                    path,
                    format!("{what} holds classified places, which only JSON bodies can hide"),
                    "drop it from the response, or take `x-classification` out of its schema",
                );
            }
        }
        for (operation, bodies) in api.operations.iter_mut().zip(self.bodies) {
            operation.responses = bodies
                .into_iter()
                .map(|(status, state)| Response {
                    status,
                    mask: state.and_then(|state| compiled.node(state)),
                })
                .collect();
        }
        api.masks = compiled.nodes;
    }
}

/// Audit records and learnt behaviour are kept under the id of an operation.
fn check_ids(operations: &[Operation], problems: &mut Problems) {
    let mut ids: BTreeMap<&str, &Operation> = BTreeMap::new();
    for operation in operations {
        if let Some(first) = ids.insert(&operation.id, operation) {
            problems.add(
                "openapi.paths",
                format!(
                    "`{}` is the operationId of both `{} {}` and `{} {}`",
                    operation.id, first.method, first.path, operation.method, operation.path
                ),
                "give each operation its own `operationId`",
            );
        }
    }
}

/// A component used in many places is reported once.
fn unique(problems: Vec<Problem>) -> Vec<Problem> {
    let mut seen = HashSet::new();
    let mut unique = problems;
    unique.retain(|problem| seen.insert(problem.to_string()));
    unique
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compiled(yaml: &str) -> Result<Api, Vec<String>> {
        let names = ["low".to_owned(), "high".to_owned()];
        let options = Options {
            base_path: None,
            classifications: &names,
            networks: &names,
            hours: &names,
            quota_plans: &names,
        };
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        compile(&read(yaml).map_err(told)?, &options).map_err(told)
    }

    const SHOP: &str = "
openapi: 3.1.0
info: {title: Shop, version: '1'}
servers: [{url: 'https://shop.example/v1'}]
security: [{oauth: [read]}]
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, schema: {type: string}}
      - {name: X-Trace, in: header}
      - {name: Accept, in: header}
    get:
      x-quota: low
      parameters:
        - {$ref: '#/components/parameters/View'}
        - {name: X-Trace, in: header, required: true}
      responses:
        200: {$ref: '#/components/responses/Order'}
        4XX: {description: none, content: {application/problem+json: {schema: {type: object}}}}
        default: {description: no body}
    post:
      operationId: change
      security: [{}, {oauth: [read, write], key: []}]
    delete: {security: []}
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {}}
    key: {type: http, scheme: Bearer}
  parameters:
    View: {name: view, in: query, schema: {$ref: '#/components/schemas/View'}}
  schemas:
    View: {enum: [full, 2, true, null]}
    Order: {properties: {buyer: {$ref: '#/components/schemas/Person'}, total: {type: number}}}
    Person:
      type: object
      properties:
        email: {x-classification: low, type: string}
        friend: {$ref: '#/components/schemas/Person'}
        lines: {type: array, items: {type: string}}
  responses:
    Order: {content: {application/json; charset=utf-8: {schema: {$ref: '#/components/schemas/Order'}}}}
";

    #[test]
    fn compiles_what_the_document_says() {
        let api = compiled(SHOP).unwrap();
        let found = serde_json::to_value(&api).unwrap();
        let id = json!({"name": "id", "in": "path", "required": true});
        let trace = json!({"name": "x-trace", "in": "header"});
        let expected = json!({
            "title": "Shop",
            "operations": [
                {"id": "DELETE /orders/{id}", "method": "DELETE", "path": "/v1/orders/{id}",
                    "security": [[]], "parameters": [id, trace]},
                {"id": "GET /orders/{id}", "method": "GET", "path": "/v1/orders/{id}", "quota": {"plan": "low"},
                    "security": [[{"scheme": "oauth", "scopes": ["read"]}]],
                    "parameters": [id,
                        {"name": "view", "in": "query", "enumeration": ["full", "2", "true"]},
                        {"name": "x-trace", "in": "header", "required": true}],
                    "responses": [{"status": "200", "mask": 0}, {"status": "4XX"}]},
                {"id": "change", "method": "POST", "path": "/v1/orders/{id}",
                    "security": [[], [{"scheme": "key"},
                        {"scheme": "oauth", "scopes": ["read", "write"]}]],
                    "parameters": [id, trace]},
            ],
            "schemes": [
                {"name": "key", "credential": "token"},
                {"name": "oauth", "credential": "token"},
            ],
            "masks": [
                {"properties": [["buyer", 1]]},
                {"properties": [["email", 2], ["friend", 1]]},
                {"class": "low"},
            ],
        });
        assert_eq!(found, expected, "{found:#}");
        assert_eq!(serde_json::from_value::<Api>(found).unwrap(), api);
    }

    #[test]
    fn the_mask_of_a_response_hides_what_its_schema_classifies() {
        use crate::mask::{Hide, Rules, Table};
        let api = compiled(SHOP).unwrap();
        let table = Table::new(&api.masks, |name| (name == "low").then_some(1)).unwrap();
        let root = api.operations[1].responses[0].mask.unwrap();
        let rules = Rules::new(vec![None, Some(Hide::Redact)], 0);
        let body =
            br#"{"total":1.50,"buyer":{"email":"a@b","friend":{"email":"c@d","lines":[1]}}}"#;
        let masked = table.mask(root, body, &rules).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&masked.body),
            r#"{"total":1.50,"buyer":{"email":"***","friend":{"email":"***","lines":[1]}}}"#
        );
    }

    #[test]
    fn the_policy_may_say_where_the_api_lives() {
        let options = Options {
            base_path: Some("api/".to_owned()),
            classifications: &["low".to_owned()],
            networks: &[],
            hours: &[],
            quota_plans: &["low".to_owned()],
        };
        let api = compile(&read(SHOP).unwrap(), &options).unwrap();
        assert_eq!(api.operations[0].path, "/api/orders/{id}");
    }

    /// Each change to the shop is one problem: what is replaced, by what, and what is told.
    #[test]
    fn says_what_is_wrong_and_where() {
        let paths = "openapi.paths./orders/{id}";
        for (from, to, told) in [
            (
                "3.1.0",
                "3.2.0",
                "openapi.openapi: the version \"3.2.0\" is not supported",
            ),
            (
                "openapi: 3.1.0",
                "openapi: 3.1",
                "openapi.openapi: the version 3.1 is not",
            ),
            (
                "openapi: 3.1.0",
                "swagger: '2.0'",
                "openapi.swagger: the document is Swagger",
            ),
            ("title: Shop, ", "", "openapi.info.title: is missing"),
            (
                "security: [{oauth: [read]}]",
                "",
                &format!("{paths}.get.security: nothing says who"),
            ),
            (
                "{oauth: [read]}",
                "{oath: [read]}",
                "openapi.security[0].oath: `oath` is not a security",
            ),
            (
                "{oauth: [read]}",
                "{oauth: read}",
                "openapi.security[0].oauth: the scopes are not",
            ),
            (
                "{oauth: [read]}",
                "oauth",
                "openapi.security[0]: is not an object",
            ),
            (
                "security: []",
                "security:",
                &format!("{paths}.delete.security: is not a list"),
            ),
            (
                "type: oauth2",
                "type: oauth",
                "openapi.components.securitySchemes.oauth.type: `oauth`",
            ),
            (
                "x-quota: low",
                "x-quota: lo",
                &format!("{paths}.get.x-quota: \"lo\" is not a quota plan"),
            ),
            (
                "x-classification: low",
                "x-classification: lo",
                "openapi.components.schemas.Person.properties.email.x-classification: \"lo\" is not",
            ),
            (
                "operationId: change",
                "operationId: GET /orders/{id}",
                "openapi.paths: `GET /orders/{id}` is the operationId of both",
            ),
            (
                "operationId: change",
                "operationId: 3",
                &format!("{paths}.post.operationId: is not"),
            ),
            (
                "    delete:",
                "    fetch:",
                &format!("{paths}.fetch: `fetch` is not a method"),
            ),
            (
                "in: path",
                "in: pat",
                &format!("{paths}.parameters[0].in: is missing or no place"),
            ),
            (
                "name: id, in: path",
                "name: id, in: query",
                &format!("{paths}.delete.parameters: the path has `{{id}}`"),
            ),
            (
                "{name: X-Trace, in: header}",
                "{name: trace, in: path}",
                &format!("{paths}.delete.parameters: `trace` is declared"),
            ),
            (
                "name: Accept",
                "name: x-trace",
                &format!("{paths}.parameters[2]: `x-trace` is declared twice"),
            ),
            (
                "parameters/View",
                "parameters/Vew",
                &format!(
                    "{paths}.get.parameters[0].$ref: `#/components/parameters/Vew` points to nothing"
                ),
            ),
            (
                "200: {",
                "OK: {",
                &format!("{paths}.get.responses.OK: `OK` is not a status"),
            ),
            (
                "application/json;",
                "text/csv;",
                "openapi.components.responses.Order.content.text/csv; charset=utf-8.schema: a body of",
            ),
            (
                "Order: {content",
                "Order: {headers: {X-Buyer: {schema: {$ref: '#/components/schemas/Person'}}}, content",
                "openapi.components.responses.Order.headers.X-Buyer.schema: the header `X-Buyer` holds",
            ),
            (
                "Order: {content",
                "Order: {x-classification: low, content",
                "openapi.components.responses.Order.x-classification: a classification outside",
            ),
            (
                "components:\n",
                "  /orders/{nr}: {get: {parameters: [{name: nr, in: path}]}}\ncomponents:\n",
                "openapi.paths./orders/{nr}: `GET` matches the same requests as `/orders/{id}`",
            ),
            (
                "components:\n",
                "  orders: {get: {}}\ncomponents:\n",
                "openapi.paths.orders: `orders` does not begin",
            ),
            (
                "components:\n",
                "  /x: {$ref: '#/paths/~1x'}\ncomponents:\n",
                "openapi.paths./x.$ref: the reference leads back",
            ),
            (
                "components:\n",
                "  /x:\ncomponents:\n",
                "openapi.paths./x: is not an object",
            ),
        ] {
            assert!(SHOP.contains(from), "{from}");
            let problems = compiled(&SHOP.replacen(from, to, 1)).expect_err(told);
            assert!(
                problems.iter().any(|one| one.starts_with(told)),
                "{told}\n{problems:#?}"
            );
        }
    }

    #[test]
    fn lists_every_problem_once() {
        let text = SHOP
            .replace("security: [", "x-security: [")
            .replace("parameters/View", "parameters/Nothing")
            .replace("schemas/Person", "schemas/Nobody");
        let problems = compiled(&text).unwrap_err();
        let starts = [
            "openapi.security: nothing in the document says",
            "openapi.paths./orders/{id}.get.parameters[0].$ref",
            "openapi.components.schemas.Order.properties.buyer.$ref",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn a_document_may_declare_nothing() {
        for paths in ["paths: {}", "paths: {/a: {parameters: []}}", "webhooks: {}"] {
            let text = format!("openapi: 3.1.0\ninfo: {{title: T}}\n{paths}");
            assert_eq!(compiled(&text).unwrap().operations, [], "{paths}");
        }
        for (text, told) in [
            (
                "{\"openapi\": \"3.0.0\", \"info\": {\"title\": \"T\"}}",
                "openapi.paths: is missing",
            ),
            (
                "openapi: 3.0.0\npaths: {}",
                "openapi.info.title: is missing",
            ),
            ("[]", "openapi: the document is not an object"),
            ("", "openapi: the document is not an object"),
        ] {
            assert!(compiled(text).unwrap_err()[0].starts_with(told), "{text}");
        }
    }

    #[test]
    fn a_shared_path_item_is_compiled_where_it_is_used() {
        let text = SHOP.replace(
            "components:\n",
            "  /orders/{nr}: {put: {parameters: [{name: nr, in: path}]}}\n  /shared:\n    $ref: '#/components/pathItems/Shared'\n    put: {}\n  /own: {servers: [{url: /v2}], get: {}}\ncomponents:\n  pathItems: {Shared: {get: {}}}\n",
        );
        let api = compiled(&text).unwrap();
        let ids: Vec<&str> = api.operations.iter().map(|o| o.id.as_str()).collect();
        assert!(
            ids.contains(&"GET /shared") && ids.contains(&"PUT /shared"),
            "{ids:?}"
        );
        assert!(
            api.operations
                .iter()
                .any(|operation| operation.path == "/v2/own")
        );
    }
}
