//! What the caller may see: classified fields of a JSON response are hidden from
//! callers without the clearance for them.
//!
//! What cannot be masked is withheld: a response with classified fields that
//! comes compressed, or is not the JSON that the document declares, is refused.

use crate::denial::Denial;
use crate::policy::api::Response;
use crate::policy::source::Mode;
use crate::policy::{Operation, Policy};
use crate::request::{ResponseHead, is_json};
use crate::stage::Admitted;
use crate::trail::{Hidden, Stage, Trail};

/// What has to happen to the body of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing: it goes on as it comes.
    None,
    /// It is collected and masked from this root of the mask table.
    Mask(u32),
}

/// Whether any response of the operation can hold what this caller may not see.
/// Then the request must not ask for parts of it or for compression.
pub fn concerns(admitted: &Admitted, policy: &Policy) -> bool {
    let hidden = |response: &Response| hides(response.mask, admitted.clearance(), policy);
    admitted
        .operation(policy)
        .is_some_and(|operation| operation.responses.iter().any(hidden))
}

/// Decides by the response's head.
///
/// # Errors
/// [`Denial::ResponseUnmaskable`] when the body would need masking and cannot be
/// masked, and the stage enforces.
pub fn prepare(
    operation: &Operation,
    method: &str,
    clearance: u8,
    head: &ResponseHead,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<Treatment, Denial> {
    let status = head.status().unwrap_or_default();
    let bodiless = head.end_of_stream || method == "HEAD" || matches!(status, 204 | 304);
    let mask = mask_for(operation, status).filter(|mask| hides(Some(*mask), clearance, policy));
    let Some(root) = mask.filter(|_| !bodiless) else {
        trail.pass(Stage::Masking, "nothing to hide");
        return Ok(Treatment::None);
    };
    let plain = head
        .headers
        .all("content-encoding")
        .all(|coding| coding.eq_ignore_ascii_case(b"identity"));
    let json = head.headers.first("content-type").is_some_and(is_json);
    match (json, plain) {
        (true, true) => Ok(Treatment::Mask(root)),
        // An error page in HTML is not the declared document; no class applies to it.
        // What follows a switch of protocols could be anything.
        (false, _) if status != 101 && !(200..300).contains(&status) => {
            trail.pass(Stage::Masking, "not the declared document");
            Ok(Treatment::None)
        }
        _ => {
            trail.object(
                Stage::Masking,
                policy.stages.masking,
                Denial::ResponseUnmaskable,
            )?;
            Ok(Treatment::None)
        }
    }
}

/// Masks a whole body; `None` when it can go on unchanged.
///
/// # Errors
/// [`Denial::ResponseUnmaskable`] when it is not JSON, and the stage enforces.
pub fn mask(
    root: u32,
    clearance: u8,
    body: &[u8],
    policy: &Policy,
    trail: &mut Trail,
) -> Result<Option<Vec<u8>>, Denial> {
    if body.is_empty() {
        trail.pass(Stage::Masking, "nothing to hide");
        return Ok(None);
    }
    let rules = policy.clearances.rules(clearance);
    let Some(masked) = rules.and_then(|rules| policy.masks.mask(root, body, rules).ok()) else {
        trail.object(
            Stage::Masking,
            policy.stages.masking,
            Denial::ResponseUnmaskable,
        )?;
        return Ok(None);
    };
    let total: u32 = masked.hidden.iter().map(|(_, count)| count).sum();
    trail.hidden = masked
        .hidden
        .iter()
        .map(|(level, count)| Hidden {
            classification: policy.clearances.name(*level).to_string(),
            count: *count,
        })
        .collect();
    let observes = policy.stages.masking == Mode::Observe;
    trail.pass(
        Stage::Masking,
        match (total, observes) {
            (0, _) => "nothing to hide".to_string(),
            (total, false) => format!("{total} values hidden"),
            (total, true) => format!("{total} values would be hidden"),
        },
    );
    Ok((total > 0 && !observes).then(|| masked.body.into_owned()))
}

/// The mask of the declared response: the status itself, its class, `default`. An
/// undeclared status gets the mask of a declared one, since an upstream that
/// answers 203 for 200 must not thereby uncover the document.
fn mask_for(operation: &Operation, status: u16) -> Option<u32> {
    let exact = status.to_string();
    let class = format!("{}XX", status / 100);
    [exact.as_str(), class.as_str(), "default"]
        .into_iter()
        .find_map(|wanted| {
            operation
                .responses
                .iter()
                .find(|response| response.status.eq_ignore_ascii_case(wanted))
        })
        .map_or_else(
            || {
                operation
                    .responses
                    .iter()
                    .find_map(|response| response.mask)
            },
            |response| response.mask,
        )
}

fn hides(mask: Option<u32>, clearance: u8, policy: &Policy) -> bool {
    let conceals = |root| {
        policy
            .clearances
            .rules(clearance)
            .is_none_or(|rules| policy.masks.conceals(root, rules))
    };
    mask.is_some_and(conceals)
}
