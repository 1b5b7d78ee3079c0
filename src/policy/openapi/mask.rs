//! From schemas to mask nodes.
//!
//! Several schemas may speak about one place of a body: branches of `oneOf`, what a
//! reference adds, two media types. A [`StateId`] stands for one such set. Each member
//! below it is again a place about which a set of schemas speaks, and equal sets are one
//! state, so circles close. Where the schemas of a set differ in their classification,
//! the highest counts: which branch a body follows is not known before it is read.

use super::graph;
use super::place::Place;
use super::schema::{Facts, SchemaId, Schemas};
use crate::policy::api::MaskNode;
use crate::policy::problem::Problems;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// A place in some body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StateId(usize);

/// The places met so far, explored when all roots are known.
pub(super) struct Masks<'a> {
    schemas: Schemas<'a>,
    classifications: &'a [String],
    ids: HashMap<Vec<SchemaId>, StateId>,
    /// The sets, in order of their ids.
    sets: Vec<Vec<SchemaId>>,
    work: usize,
}

/// The finished arena.
pub(super) struct Compiled {
    pub(super) nodes: Vec<MaskNode>,
    /// Where each state went; `None` when nothing in it is classified.
    of_state: Vec<Option<u32>>,
}

impl Compiled {
    /// The node of a place, if anything in it is classified.
    pub(super) fn node(&self, state: StateId) -> Option<u32> {
        self.of_state.get(state.0).copied().flatten()
    }
}

/// What a set of schemas says about a place.
#[derive(Debug, Default)]
pub(super) struct State<'a> {
    pub(super) level: Option<usize>,
    pub(super) properties: BTreeMap<&'a str, Option<usize>>,
    pub(super) items: Option<usize>,
    pub(super) additional: Option<usize>,
    pub(super) object: bool,
    pub(super) array: bool,
}

impl<'a> Masks<'a> {
    pub(super) fn new(document: &'a Value, classifications: &'a [String]) -> Self {
        Self {
            schemas: Schemas::new(document, classifications),
            classifications,
            ids: HashMap::new(),
            sets: Vec::new(),
            work: 0,
        }
    }

    /// The place about which these schemas speak; none when they say nothing.
    pub(super) fn root(
        &mut self,
        schemas: Vec<Place<'a>>,
        problems: &mut Problems,
    ) -> Option<StateId> {
        let ids = schemas
            .into_iter()
            .map(|schema| self.schemas.id(schema))
            .collect();
        self.state(ids, problems)
    }

    /// Explores every place and makes the nodes.
    pub(super) fn compile(mut self, problems: &mut Problems) -> Compiled {
        let mut states = Vec::new();
        while let Some(set) = self.sets.get(states.len()).cloned() {
            if self.work > MOST_WORK {
                problems.add(
                    "openapi.components.schemas",
                    "the schemas of the responses combine in too many ways to be masked",
                    "use fewer `oneOf`, `anyOf` and `allOf` within each other",
                );
                break;
            }
            let state = self.explore(&set, problems);
            states.push(state);
        }
        let (nodes, of_state) = graph::nodes(&states, self.classifications);
        Compiled { nodes, of_state }
    }

    /// The state for a set of schemas: closed under what speaks about the same place,
    /// without those that only point on.
    fn state(&mut self, ids: Vec<SchemaId>, problems: &mut Problems) -> Option<StateId> {
        let mut seen: HashSet<SchemaId> = ids.iter().copied().collect();
        let mut open = ids;
        let mut set = Vec::new();
        while let Some(id) = open.pop() {
            self.work += 1;
            let facts = self.schemas.facts(id, problems);
            open.extend(facts.same.iter().filter(|same| seen.insert(**same)));
            if facts.speaks() {
                set.push(id);
            }
        }
        if set.is_empty() {
            return None;
        }
        set.sort_unstable();
        let next = StateId(self.sets.len());
        Some(match self.ids.get(&set) {
            Some(state) => *state,
            None => {
                self.sets.push(set.clone());
                self.ids.insert(set, next);
                next
            }
        })
    }

    fn explore(&mut self, set: &[SchemaId], problems: &mut Problems) -> State<'a> {
        let facts: Vec<Rc<Facts<'a>>> = set
            .iter()
            .map(|id| self.schemas.facts(*id, problems))
            .collect();
        let mut properties: BTreeMap<&'a str, (Vec<SchemaId>, HashSet<usize>)> = BTreeMap::new();
        for (index, one) in facts.iter().enumerate() {
            for (name, schema) in &one.properties {
                let (schemas, declaring) = properties.entry(name).or_default();
                schemas.push(*schema);
                declaring.insert(index);
            }
        }
        // What one branch declares is an additional member of the others.
        for (index, one) in facts.iter().enumerate() {
            if one.additional.is_empty() {
                continue;
            }
            for (schemas, declaring) in properties.values_mut() {
                self.work += 1;
                if !declaring.contains(&index) {
                    schemas.extend(&one.additional);
                }
            }
        }
        let below = |this: &mut Self, schemas: Vec<SchemaId>, problems: &mut Problems| {
            this.state(schemas, problems).map(|state| state.0)
        };
        let items = facts.iter().flat_map(|one| one.items.clone()).collect();
        let additional = facts
            .iter()
            .flat_map(|one| one.additional.clone())
            .collect();
        State {
            level: facts.iter().filter_map(|one| one.level).max(),
            items: below(self, items, problems),
            additional: below(self, additional, problems),
            properties: properties
                .into_iter()
                .map(|(name, (schemas, _))| (name, below(self, schemas, problems)))
                .collect(),
            object: facts.iter().any(|one| one.object),
            array: facts.iter().any(|one| one.array),
        }
    }
}

/// How many schemas may be looked at before the document is taken for hostile: GitHub's
/// 1,223 operations need a sixtieth.
const MOST_WORK: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The arena for one schema, next to the components it may use.
    fn arena(schema: Value, components: Value) -> Value {
        let document = json!({"root": schema, "components": {"schemas": components}});
        let names = ["low".to_owned(), "high".to_owned()];
        let mut masks = Masks::new(&document, &names);
        let mut problems = Problems::default();
        let root = Place::root(&document).get("root").unwrap();
        let state = masks.root(vec![root], &mut problems);
        let compiled = masks.compile(&mut problems);
        problems.into_result(()).unwrap();
        match state.and_then(|state| compiled.node(state)) {
            None => Value::Null,
            Some(root) => {
                assert_eq!(root, 0, "the first root comes first");
                serde_json::to_value(&compiled.nodes).unwrap()
            }
        }
    }

    fn low() -> Value {
        json!({"type": "string", "x-classification": "low"})
    }

    fn high() -> Value {
        json!({"x-classification": "high"})
    }

    #[test]
    fn what_is_not_classified_has_no_node() {
        let circle = json!({"A": {"properties": {"a": {"$ref": "#/components/schemas/A"}}}});
        for schema in [
            json!({}),
            json!(true),
            json!({"$ref": "#/components/schemas/A"}),
            json!({"items": {"properties": {"b": {"type": "string"}}}}),
            json!({"not": {"x-classification": "high"}}),
        ] {
            assert_eq!(arena(schema, circle.clone()), Value::Null);
        }
    }

    #[test]
    fn every_keyword_that_holds_a_schema_is_walked() {
        let leaf = json!({"class": "low"});
        for (schema, root) in [
            (
                json!({"properties": {"a": low()}}),
                json!({"properties": [["a", 1]]}),
            ),
            (json!({"items": low()}), json!({"items": 1})),
            (
                json!({"prefixItems": [{}, low()], "items": {}}),
                json!({"items": 1}),
            ),
            (
                json!({"additionalProperties": low()}),
                json!({"additional": 1}),
            ),
            (
                json!({"patternProperties": {"^x": low()}}),
                json!({"additional": 1}),
            ),
            (
                json!({"allOf": [{"oneOf": [{"anyOf": [{"items": low()}]}]}]}),
                json!({"items": 1}),
            ),
            (
                json!({"if": {}, "then": {}, "else": {"items": low()}}),
                json!({"items": 1}),
            ),
            (
                json!({"dependentSchemas": {"a": {"items": low()}}}),
                json!({"items": 1}),
            ),
            (
                json!({"$ref": "#/components/schemas/A"}),
                json!({"items": 1}),
            ),
        ] {
            let found = arena(schema.clone(), json!({"A": {"items": low()}}));
            assert_eq!(found, json!([root, leaf]), "{schema}");
        }
    }

    #[test]
    fn where_branches_differ_the_higher_counts() {
        let both = json!({"oneOf": [{"properties": {"a": low()}}, {"properties": {"a": high()}}]});
        assert_eq!(
            arena(both, json!({})),
            json!([{"properties": [["a", 1]]}, {"class": "high"}])
        );
        // Beside a reference, in either version.
        let beside = json!({"$ref": "#/components/schemas/L", "x-classification": "high"});
        assert_eq!(
            arena(beside, json!({"L": low()})),
            json!([{"class": "high"}])
        );
        // What one branch names is an additional member of the other.
        let mixed = json!({"oneOf": [
            {"properties": {"a": {}}}, {"additionalProperties": low()}]});
        let leaf = json!({"class": "low"});
        assert_eq!(
            arena(mixed, json!({})),
            json!([{"properties": [["a", 1]], "additional": 1}, leaf])
        );
    }

    #[test]
    fn what_is_declared_and_unclassified_shows_next_to_what_is() {
        let leaf = json!({"class": "low"});
        let named = json!({"properties": {"a": {}}, "additionalProperties": low()});
        assert_eq!(
            arena(named, json!({})),
            json!([{"properties": [["a", 2]], "additional": 1}, leaf, {}])
        );
        let object = json!({"oneOf": [{"items": low()}, {"type": ["object", "null"]}]});
        assert_eq!(
            arena(object, json!({})),
            json!([{"items": 1, "additional": 2}, leaf, {}])
        );
        let array = json!({"oneOf": [{"properties": {"a": low()}}, {"type": "array"}]});
        assert_eq!(
            arena(array, json!({})),
            json!([{"properties": [["a", 1]], "items": 2}, leaf, {}])
        );
    }

    #[test]
    fn circles_close_and_equal_places_are_one() {
        let components = json!({
            "A": {"properties": {"next": {"$ref": "#/components/schemas/B"}, "pin": high()}},
            "B": {"properties": {"next": {"$ref": "#/components/schemas/A"}, "pin": high()}},
        });
        assert_eq!(
            arena(json!({"$ref": "#/components/schemas/A"}), components),
            json!([{"properties": [["next", 0], ["pin", 1]]}, {"class": "high"}])
        );
    }

    #[test]
    fn a_discriminator_stands_for_those_that_extend_the_schema() {
        let pet = json!({"$ref": "#/components/schemas/Pet"});
        let components = |discriminator: Value| {
            json!({
                "Pet": {"type": "object", "discriminator": discriminator},
                "Cat": {"allOf": [pet, {"properties": {"chip": low()}}]},
                "Dog": {"properties": {"tag": low()}},
            })
        };
        let found = arena(pet.clone(), components(json!({"propertyName": "kind"})));
        assert_eq!(found[0], json!({"properties": [["chip", 1]]}));
        let mapping = json!({"propertyName": "kind", "mapping": {"d": "Dog"}});
        let found = arena(pet.clone(), components(mapping));
        assert_eq!(found[0], json!({"properties": [["chip", 1], ["tag", 1]]}));
    }

    #[test]
    fn what_combines_without_end_is_refused() {
        // "The letter twenty places before the last is an a": a state for each way in which
        // the last twenty letters may have fallen.
        let schema = |number: u32| json!({"$ref": format!("#/components/schemas/S{number}")});
        let mut schemas = serde_json::Map::new();
        for number in 1..20 {
            let next = schema(number + 1);
            let step = json!({"properties": {"a": next, "b": next}});
            schemas.insert(format!("S{number}"), step);
        }
        schemas.insert("S20".to_owned(), high());
        let start = json!({"properties": {"a": {"anyOf": [schema(0), schema(1)]}, "b": schema(0)}});
        schemas.insert("S0".to_owned(), start);
        let document = json!({"root": {"$ref": "#/components/schemas/S0"}, "components": {"schemas": schemas}});
        let names = ["high".to_owned()];
        let mut masks = Masks::new(&document, &names);
        let mut problems = Problems::default();
        masks.root(
            vec![Place::root(&document).get("root").unwrap()],
            &mut problems,
        );
        masks.compile(&mut problems);
        let problem = problems.into_result(()).unwrap_err().remove(0).to_string();
        assert!(problem.contains("too many ways"), "{problem}");
    }
}
