//! What one schema says about the places below it, without looking further.
//!
//! Schemas are known by where they stand in the document, so one that many
//! references share is read once and a circle of references ends.

use super::classification;
use super::place::{Document, Place};
use crate::policy::problem::Problems;
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;

/// A schema, by the order in which it was first met.
pub(super) type SchemaId = usize;

/// What a schema says.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts<'a> {
    /// Its classification, counted from the lowest.
    pub(super) level: Option<usize>,
    /// Schemas that speak about the same place: references, `allOf` and its kin.
    pub(super) same: Vec<SchemaId>,
    pub(super) properties: Vec<(&'a str, SchemaId)>,
    pub(super) items: Vec<SchemaId>,
    pub(super) additional: Vec<SchemaId>,
    /// Whether it declares an object, or an array.
    pub(super) object: bool,
    pub(super) array: bool,
}

impl Facts<'_> {
    /// Whether it says anything beyond what the schemas it points to say.
    pub(super) fn speaks(&self) -> bool {
        self.level.is_some()
            || self.object
            || self.array
            || !self.items.is_empty()
            || !self.additional.is_empty()
    }
}

/// All schemas met so far.
pub(super) struct Schemas<'a> {
    document: Document<'a>,
    classifications: &'a [String],
    ids: HashMap<usize, SchemaId>,
    met: Vec<(Place<'a>, Option<Rc<Facts<'a>>>)>,
    /// Component schemas by the schema they extend with `allOf`.
    heirs: HashMap<usize, Vec<Place<'a>>>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(document: &'a Value, classifications: &'a [String]) -> Self {
        Self {
            document: Document::new(document),
            classifications,
            ids: HashMap::new(),
            met: Vec::new(),
            heirs: heirs(document),
        }
    }

    /// The identity of a schema.
    pub(super) fn id(&mut self, schema: Place<'a>) -> SchemaId {
        let next = self.met.len();
        let id = *self.ids.entry(address(schema.value)).or_insert(next);
        if id == next {
            self.met.push((schema, None));
        }
        id
    }

    /// What a schema says; read when it is first asked for.
    pub(super) fn facts(&mut self, id: SchemaId, problems: &mut Problems) -> Rc<Facts<'a>> {
        match self.met.get(id) {
            Some((_, Some(facts))) => facts.clone(),
            Some((place, None)) => {
                let place = place.clone();
                let facts = Rc::new(self.read(&place, problems));
                if let Some((_, slot)) = self.met.get_mut(id) {
                    *slot = Some(facts.clone());
                }
                facts
            }
            None => Rc::default(),
        }
    }

    fn read(&mut self, schema: &Place<'a>, problems: &mut Problems) -> Facts<'a> {
        if !schema.value.is_object() {
            if !schema.value.is_boolean() {
                problems.add(
                    &schema.path,
                    "the schema is neither an object nor a boolean",
                    "write a schema, or `{}` for any value",
                );
            }
            return Facts::default();
        }
        let mut facts = Facts {
            level: classification::level(schema, self.classifications, problems),
            same: self.same(schema, problems),
            ..Facts::default()
        };
        if let Some(properties) = schema.get("properties") {
            for (name, property) in properties.members() {
                facts.properties.push((name, self.id(property)));
            }
        }
        // Where one element stands is not looked at: a place in a tuple counts for
        // all its elements.
        for keyword in [
            "items",
            "prefixItems",
            "additionalItems",
            "unevaluatedItems",
            "contains",
        ] {
            let Some(member) = schema.get(keyword) else {
                continue;
            };
            if member.value.is_array() {
                facts
                    .items
                    .extend(member.elements().map(|element| self.id(element)));
            } else {
                facts.items.push(self.id(member));
            }
        }
        // Nor are patterns matched: what one of them may name, all may.
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            if let Some(member) = schema
                .get(keyword)
                .filter(|member| member.value.is_object())
            {
                facts.additional.push(self.id(member));
            }
        }
        if let Some(patterns) = schema.get("patternProperties") {
            facts
                .additional
                .extend(patterns.members().map(|(_, pattern)| self.id(pattern)));
        }
        facts.object = declares(schema, "object")
            || schema.get("properties").is_some()
            || schema.get("additionalProperties").is_some();
        facts.array = declares(schema, "array") || !facts.items.is_empty();
        facts
    }

    /// The schemas that speak about the same place. `not` says only what is absent.
    fn same(&mut self, schema: &Place<'a>, problems: &mut Problems) -> Vec<SchemaId> {
        let mut same = Vec::new();
        if let Some(reference) = schema.reference()
            && let Some(target) = self.document.target(schema, reference, problems)
        {
            same.push(self.id(target));
        }
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if schema.get(keyword).is_some() {
                problems.add(
                    schema.at(keyword),
                    "a reference that depends on the way to it cannot be compiled",
                    "write `$ref`",
                );
            }
        }
        for keyword in ["allOf", "oneOf", "anyOf"] {
            if let Some(branches) = schema.get(keyword) {
                same.extend(branches.elements().map(|branch| self.id(branch)));
            }
        }
        for keyword in ["if", "then", "else"] {
            same.extend(schema.get(keyword).map(|branch| self.id(branch)));
        }
        if let Some(dependent) = schema.get("dependentSchemas") {
            same.extend(dependent.members().map(|(_, branch)| self.id(branch)));
        }
        if let Some(discriminator) = schema.get("discriminator") {
            same.extend(self.kinds(schema, &discriminator, problems));
        }
        same
    }

    /// A schema with a discriminator stands for those that extend it, too
    /// (OpenAPI 3.1 §4.8.25).
    fn kinds(
        &mut self,
        schema: &Place<'a>,
        discriminator: &Place<'a>,
        problems: &mut Problems,
    ) -> Vec<SchemaId> {
        let mut kinds = self
            .heirs
            .get(&address(schema.value))
            .cloned()
            .unwrap_or_default();
        if let Some(mapping) = discriminator.get("mapping") {
            for (_, entry) in mapping.members() {
                let Some(text) = entry.value.as_str() else {
                    continue;
                };
                // A bare name is that of a component.
                let pointer = if text.contains(['#', '/', '.']) {
                    text.to_owned()
                } else {
                    format!("#/components/schemas/{text}")
                };
                kinds.extend(self.document.target(&entry, &pointer, problems));
            }
        }
        kinds.into_iter().map(|kind| self.id(kind)).collect()
    }
}

/// Which component schemas extend which schema.
fn heirs(document: &Value) -> HashMap<usize, Vec<Place<'_>>> {
    let mut heirs: HashMap<usize, Vec<Place<'_>>> = HashMap::new();
    let root = Place::root(document);
    let Some(schemas) = root.get("components").and_then(|c| c.get("schemas")) else {
        return heirs;
    };
    for (_, schema) in schemas.members() {
        let Some(all) = schema.get("allOf") else {
            continue;
        };
        for branch in all.elements() {
            // A broken reference is reported where the schema is used.
            let parent = branch.reference().and_then(|reference| {
                Document::new(document).target(&branch, reference, &mut Problems::default())
            });
            if let Some(parent) = parent {
                heirs
                    .entry(address(parent.value))
                    .or_default()
                    .push(schema.clone());
            }
        }
    }
    heirs
}

fn declares(schema: &Place<'_>, kind: &str) -> bool {
    schema.get("type").is_some_and(|declared| {
        declared.value == kind || declared.elements().any(|one| one.value == kind)
    })
}

/// A value of the document is known by its address: the document does not move.
fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}
