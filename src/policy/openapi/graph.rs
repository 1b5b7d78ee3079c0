//! From places to the smallest arena of mask nodes that says the same.
//!
//! Places without anything classified in them need no node, and places that cannot be
//! told apart share one: what is left is what the filter must hold in memory.

use super::mask::State;
use crate::policy::api::MaskNode;
use std::collections::HashMap;

/// The nodes, and the node of each state that has one.
pub(super) fn nodes(
    states: &[State<'_>],
    classifications: &[String],
) -> (Vec<MaskNode>, Vec<Option<u32>>) {
    let live = live(states);
    let drafts: Vec<Option<MaskNode>> = states
        .iter()
        .zip(&live)
        .map(|(state, lives)| lives.then(|| draft(state, &live, classifications)))
        .collect();
    share(&drafts)
}

/// Which places have something classified in them.
fn live(states: &[State<'_>]) -> Vec<bool> {
    let mut parents: Vec<Vec<usize>> = vec![Vec::new(); states.len()];
    for (index, state) in states.iter().enumerate() {
        let properties = state.properties.values().flatten();
        for child in properties.chain(&state.items).chain(&state.additional) {
            if let Some(known) = parents.get_mut(*child) {
                known.push(index);
            }
        }
    }
    let mut live: Vec<bool> = states.iter().map(|state| state.level.is_some()).collect();
    let mut open: Vec<usize> = (0..live.len())
        .filter(|index| live.get(*index) == Some(&true))
        .collect();
    while let Some(child) = open.pop() {
        for &parent in parents.get(child).into_iter().flatten() {
            if let Some(lives) = live.get_mut(parent).filter(|lives| !**lives) {
                *lives = true;
                open.push(parent);
            }
        }
    }
    live
}

/// The node of a place, its children still numbered as states.
fn draft(state: &State<'_>, live: &[bool], classifications: &[String]) -> MaskNode {
    let node = |child: Option<usize>| {
        child
            .filter(|child| live.get(*child) == Some(&true))
            .and_then(|child| u32::try_from(child).ok())
    };
    let level = state.level.and_then(|level| classifications.get(level));
    let mut draft = MaskNode {
        classification: level.cloned(),
        items: node(state.items),
        additional: node(state.additional),
        ..MaskNode::default()
    };
    for (name, child) in &state.properties {
        // Next to classified additional members an unclassified one must be named, or
        // it would be taken for one of them.
        let child = node(*child).or(draft.additional.map(|_| BLANK));
        if let Some(child) = child {
            draft.properties.push(((*name).to_owned(), child));
        }
    }
    // The masker hides an object where only elements are declared, and takes the
    // elements of an undeclared array for the object: what is declared, though
    // unclassified, must show.
    let members = !draft.properties.is_empty() || draft.additional.is_some();
    if state.object && !members && draft.items.is_some() {
        draft.additional = Some(BLANK);
    }
    if state.array && members && draft.items.is_none() {
        draft.items = Some(BLANK);
    }
    draft
}

/// Merges the drafts that say the same, by refining a partition of them until nothing
/// more sets two of one class apart. A graph as deep as it takes to use up the rounds is
/// left unmerged.
fn share(drafts: &[Option<MaskNode>]) -> (Vec<MaskNode>, Vec<Option<u32>>) {
    let blank = MaskNode::default();
    let mut classes: Vec<Option<u32>> = drafts.iter().map(|d| d.as_ref().map(|_| 0)).collect();
    let (mut count, mut rounds) = (0, 0);
    loop {
        rounds += 1;
        let class = |child: u32| {
            let class = usize::try_from(child).ok().and_then(|at| classes.get(at));
            class.copied().flatten()
        };
        let renumbered = |draft: &MaskNode| MaskNode {
            classification: draft.classification.clone(),
            properties: draft
                .properties
                .iter()
                .map(|(name, child)| (name.clone(), class(*child).unwrap_or(BLANK)))
                .collect(),
            items: draft.items.map(|child| class(child).unwrap_or(BLANK)),
            additional: draft.additional.map(|child| class(child).unwrap_or(BLANK)),
        };
        let mut known: HashMap<MaskNode, u32> = HashMap::new();
        let mut nodes: Vec<MaskNode> = Vec::new();
        let mut refined = Vec::with_capacity(drafts.len());
        for draft in drafts {
            refined.push(draft.as_ref().map(|draft| {
                let node = renumbered(draft);
                let next = u32::try_from(nodes.len()).unwrap_or(BLANK);
                match known.get(&node) {
                    Some(class) if rounds < MOST_ROUNDS => *class,
                    _ => {
                        known.insert(node.clone(), next);
                        nodes.push(node);
                        next
                    }
                }
            }));
        }
        let finished = nodes.len() == count;
        count = nodes.len();
        classes = refined;
        if finished {
            return (with_blank(nodes, blank), classes);
        }
    }
}

/// Puts the blank node last, if any node points to it.
fn with_blank(mut nodes: Vec<MaskNode>, blank: MaskNode) -> Vec<MaskNode> {
    let place = u32::try_from(nodes.len()).unwrap_or(BLANK);
    let mut used = false;
    for node in &mut nodes {
        let properties = node.properties.iter_mut().map(|(_, child)| child);
        for child in properties
            .chain(&mut node.items)
            .chain(&mut node.additional)
        {
            if *child == BLANK {
                *child = place;
                used = true;
            }
        }
    }
    if used {
        nodes.push(blank);
    }
    nodes
}

/// Stands for the node of a place that is declared and has nothing classified in it.
const BLANK: u32 = u32::MAX;

/// A round for each level of nesting is what the deepest documents need.
const MOST_ROUNDS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    /// States in a row, each the only element of the one before, the last classified.
    fn row(length: usize) -> Vec<State<'static>> {
        (0..length)
            .map(|index| State {
                level: (index + 1 == length).then_some(0),
                items: (index + 1 < length).then_some(index + 1),
                ..State::default()
            })
            .collect()
    }

    #[test]
    fn a_row_deeper_than_the_rounds_is_kept_as_it_is() {
        for length in [1, 2, MOST_ROUNDS - 2, MOST_ROUNDS * 3] {
            let mut states = row(length);
            states.push(State::default());
            let (nodes, of_state) = nodes(&states, &["low".to_owned()]);
            assert_eq!(nodes.len(), length);
            assert_eq!(of_state.last(), Some(&None));
            let mut at = of_state[0];
            let mut seen = 0;
            while let Some(node) = at {
                seen += 1;
                let node = &nodes[node as usize];
                assert_eq!(node.classification.is_some(), seen == length);
                at = node.items;
            }
            assert_eq!(seen, length);
        }
    }

    /// Two rows that say the same.
    fn twice(length: usize) -> Vec<State<'static>> {
        let mut states = row(length);
        states.extend(row(length).into_iter().map(|state| State {
            items: state.items.map(|child| child + length),
            ..state
        }));
        states
    }

    #[test]
    fn states_that_say_the_same_share_a_node_within_the_rounds() {
        let names = ["low".to_owned()];
        let (shared, of_state) = nodes(&twice(3), &names);
        assert_eq!(shared.len(), 3);
        assert_eq!(of_state[0], of_state[3]);
        assert_ne!(of_state[0], of_state[1]);
        let (unmerged, _) = nodes(&twice(MOST_ROUNDS), &names);
        assert_eq!(unmerged.len(), 2 * MOST_ROUNDS);
    }
}
