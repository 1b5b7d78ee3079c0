//! Whether this is a document that the compiler knows how to read.
//!
//! In another version the same words may mean something else, so it is refused with one
//! problem rather than read as far as it goes.

use super::place::Place;
use crate::policy::problem::Problem;

/// Accepts OpenAPI 3.0 and 3.1.
pub(super) fn check(root: &Place<'_>) -> Result<(), Problem> {
    let problem = |path: &str, message: String, hint: &str| {
        Err(Problem {
            path: path.to_owned(),
            message,
            hint: hint.to_owned(),
        })
    };
    if !root.value.is_object() {
        return problem(
            "openapi",
            "the document is not an object".to_owned(),
            "give an OpenAPI 3.0 or 3.1 document",
        );
    }
    if let Some(swagger) = root.get("swagger") {
        return problem(
            "openapi.swagger",
            format!("the document is Swagger {}", swagger.value),
            "convert it to OpenAPI 3.0 or 3.1, for example with `swagger2openapi`",
        );
    }
    let Some(version) = root.get("openapi") else {
        return problem(
            "openapi.openapi",
            "the version is missing".to_owned(),
            "begin the document with `openapi: 3.1.0`",
        );
    };
    let known = version.value.as_str().is_some_and(|text| {
        let mut parts = text.split('.');
        parts.next() == Some("3") && matches!(parts.next(), Some("0" | "1"))
    });
    if known {
        return Ok(());
    }
    problem(
        "openapi.openapi",
        format!("the version {} is not supported", version.value),
        "write OpenAPI 3.0 or 3.1, the version as a string such as `3.1.0`",
    )
}
