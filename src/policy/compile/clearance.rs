//! Who may see which class, and how a class is hidden.

use super::{known_names, unique};
use crate::mask::{Hide, MAX_LEVELS, Rules};
use crate::policy::Clearances;
use crate::policy::problem::Problems;
use crate::policy::source::{self, Mask, Source};

pub(super) fn clearances(source: &Source, problems: &mut Problems) -> Clearances {
    let classes = &source.classifications;
    unique(
        classes.iter().map(|class| class.name.as_str()),
        "policy.classifications",
        problems,
    );
    if classes.len() > usize::from(MAX_LEVELS) {
        problems.add(
            "policy.classifications",
            format!("has {} classes", classes.len()),
            format!("use at most {MAX_LEVELS}"),
        );
    }
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    let mut level = |name: &str, path: String| {
        let found = names
            .iter()
            .position(|known| known == name)
            .and_then(|level| u8::try_from(level).ok());
        if found.is_none() {
            problems.add(
                path,
                format!("`{name}` is not one of the classifications"),
                known_names(&names),
            );
        }
        found.unwrap_or_default()
    };
    let written = &source.clearances;
    let everybody = written
        .default
        .as_ref()
        .map_or(0, |name| level(name, "policy.clearances.default".into()));
    let unclassified = written.unclassified.as_ref().map_or(0, |name| {
        level(name, "policy.clearances.unclassified".into())
    });
    let grants = written
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            let path = format!("policy.clearances.rules[{index}].clearance");
            (rule.scope.clone(), level(&rule.clearance, path))
        })
        .collect();
    let hide = |(level, class): (usize, &source::Classification), clearance: usize| {
        (level > clearance).then_some(match class.mask {
            Mask::Redact => Hide::Redact,
            Mask::Remove => Hide::Remove,
            Mask::Null => Hide::Null,
            Mask::Last4 => Hide::Last4,
        })
    };
    let rules = (0..names.len().max(1))
        .map(|clearance| {
            let levels: Vec<_> = classes
                .iter()
                .enumerate()
                .map(|class| hide(class, clearance))
                .collect();
            // Without classes there is one level, and everybody sees it.
            let levels = if levels.is_empty() {
                vec![None]
            } else {
                levels
            };
            Rules::new(levels, unclassified)
        })
        .collect();
    Clearances {
        names,
        everybody,
        grants,
        rules,
    }
}
