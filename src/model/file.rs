//! The model file: JSON with a version, and a checksum over its content.
//!
//! The checksum is taken over the content as this program writes it, not over
//! the bytes of the file, so that a model survives being formatted or put into
//! another JSON document. Every number in it is an integer or an `f32`: both come
//! back exactly, however a JSON library reads and writes them in between.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Model;
use crate::forest::{Forest, SAMPLE_LIMIT, TREE_LIMIT, Tree};
use crate::policy::problem::{Problem, Problems};
use crate::profile::{FEATURES, Feature, ProfileFile};

/// The member `trained`: where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// How many requests it was trained on.
    pub rows: u32,
    /// How many operations they called often enough to be known.
    pub operations: u32,
    /// The seed of every random choice.
    pub seed: u64,
    /// In how many folds the features were cross-fitted.
    pub folds: u32,
    /// The share of normal requests that were to be flagged.
    pub false_positive_rate: f32,
    /// The share that was flagged among requests that had no part in learning.
    pub held_out_rate: f32,
}

/// What the checksum covers, in the order in which it is written.
#[derive(Serialize)]
struct Content<'a> {
    format: &'a str,
    trained: &'a Trained,
    threshold: f32,
    profile: &'a ProfileFile,
    forest: &'a ForestFile,
}

/// The member `forest`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForestFile {
    /// The names of the features, by column: a model of other features does not fit.
    features: Vec<String>,
    /// How many rows each tree saw.
    sample: u32,
    /// The nodes of each tree, base64.
    trees: Vec<String>,
}

impl Model {
    /// Reads a model from its JSON.
    ///
    /// # Errors
    /// Everything that keeps it from being used, with paths relative to the
    /// model: another version, members that are missing, unknown or wrong, trees
    /// that would lead astray, a checksum that does not fit.
    pub fn parse(value: &Value) -> Result<Self, Vec<Problem>> {
        match value.as_object() {
            Some(members) => Parser {
                members,
                problems: Problems::default(),
            }
            .parse(),
            None => Err(whole("is not a JSON object".to_owned())),
        }
    }

    /// Reads a model from a file's text.
    ///
    /// # Errors
    /// As [`Model::parse`], and a text that is no JSON.
    pub fn parse_str(text: &str) -> Result<Self, Vec<Problem>> {
        match serde_json::from_str(text) {
            Ok(value) => Self::parse(&value),
            Err(error) => Err(whole(format!("is not JSON: {error}"))),
        }
    }

    /// The JSON that [`Model::parse`] reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let profile = ProfileFile::from(&self.profile);
        let forest = ForestFile::from(&self.forest);
        let content = Content {
            format: FORMAT,
            trained: &self.trained,
            threshold: self.threshold,
            profile: &profile,
            forest: &forest,
        };
        let checksum = content.checksum();
        // Nothing in it can fail to become JSON: all keys are strings.
        let mut value = serde_json::to_value(&content).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.insert("sha256".to_owned(), Value::String(checksum));
        }
        value
    }
}

struct Parser<'a> {
    members: &'a Map<String, Value>,
    problems: Problems,
}

impl Parser<'_> {
    fn parse(mut self) -> Result<Model, Vec<Problem>> {
        let format: Option<String> = self.member("format");
        if let Some(format) = format
            && format != FORMAT
        {
            // Of another version nothing else can be said.
            self.problems.add(
                "format",
                format!("is `{format}`; this build reads `{FORMAT}`"),
                RETRAIN,
            );
            return Err(self.finish());
        }
        for name in self.members.keys() {
            if !MEMBERS.contains(&name.as_str()) {
                self.problems.add(
                    name.as_str(),
                    "is no member of a model",
                    format!("remove it; the members are `{}`", MEMBERS.join("`, `")),
                );
            }
        }
        let trained: Option<Trained> = self.member("trained");
        let threshold: Option<f32> = self.member("threshold");
        let profile_file: Option<ProfileFile> = self.member("profile");
        let forest_file: Option<ForestFile> = self.member("forest");
        let checksum: Option<String> = self.member("sha256");

        if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            self.problems
                .add("threshold", "is not between 0 and 1", RETRAIN);
        }
        if let Some(trained) = &trained {
            let rates = [trained.false_positive_rate, trained.held_out_rate];
            if rates.iter().any(|rate| !(0.0..=1.0).contains(rate)) {
                self.problems.add(
                    "trained",
                    "holds a rate that is not between 0 and 1",
                    RETRAIN,
                );
            }
        }
        let profile = match profile_file.as_ref().map(ProfileFile::compile) {
            Some(Ok(profile)) => Some(profile),
            Some(Err(problems)) => {
                self.problems.extend(problems);
                None
            }
            None => None,
        };
        let forest = forest_file
            .as_ref()
            .and_then(|file| file.compile(&mut self.problems));
        let (Some(trained), Some(threshold), Some(profile_file), Some(forest_file)) =
            (trained, threshold, profile_file, forest_file)
        else {
            return Err(self.finish());
        };
        let content = Content {
            format: FORMAT,
            trained: &trained,
            threshold,
            profile: &profile_file,
            forest: &forest_file,
        };
        if checksum.is_some_and(|written| written != content.checksum()) {
            self.problems.add(
                "sha256",
                "is not the checksum of this model: it was changed after training",
                RETRAIN,
            );
        }
        match (profile, forest) {
            (Some(profile), Some(forest)) => self.problems.into_result(Model {
                trained,
                threshold,
                profile,
                forest,
            }),
            _ => Err(self.finish()),
        }
    }

    /// A member of the right type, or a problem.
    fn member<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let Some(value) = self.members.get(name) else {
            self.problems.add(name, "is missing", RETRAIN);
            return None;
        };
        match T::deserialize(value) {
            Ok(member) => Some(member),
            Err(error) => {
                self.problems
                    .add(name, format!("cannot be read: {error}"), RETRAIN);
                None
            }
        }
    }

    fn finish(self) -> Vec<Problem> {
        self.problems.into_result(()).err().unwrap_or_default()
    }
}

impl Content<'_> {
    /// SHA-256 of the content as compact JSON, in hexadecimal.
    fn checksum(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(&bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl ForestFile {
    fn compile(&self, problems: &mut Problems) -> Option<Forest> {
        let known = Feature::ALL.map(|spec| spec.name);
        if self.features != known {
            problems.add(
                "forest.features",
                format!(
                    "are not the features of this build: `{}`",
                    known.join("`, `")
                ),
                RETRAIN,
            );
            return None;
        }
        let sample = usize::try_from(self.sample).unwrap_or(usize::MAX);
        if sample > SAMPLE_LIMIT {
            problems.add(
                "forest.sample",
                format!("is {sample}; at most {SAMPLE_LIMIT} are allowed"),
                RETRAIN,
            );
        }
        if self.trees.is_empty() || self.trees.len() > TREE_LIMIT {
            problems.add(
                "forest.trees",
                format!("are {}; 1 to {TREE_LIMIT} are allowed", self.trees.len()),
                RETRAIN,
            );
            return None;
        }
        let mut trees = Vec::with_capacity(self.trees.len());
        for (index, text) in self.trees.iter().enumerate() {
            let tree = STANDARD
                .decode(text)
                .map_err(|error| format!("is not base64: {error}"))
                .and_then(|bytes| {
                    Tree::parse(&bytes, FEATURES).map_err(|error| format!("is no tree: {error}"))
                });
            match tree {
                Ok(tree) => trees.push(tree),
                Err(message) => {
                    problems.add(format!("forest.trees[{index}]"), message, RETRAIN);
                }
            }
        }
        Some(Forest::new(FEATURES, sample, trees))
    }
}

impl From<&Forest> for ForestFile {
    fn from(forest: &Forest) -> Self {
        let trees = forest.trees().iter();
        Self {
            features: Feature::ALL.iter().map(|s| s.name.to_owned()).collect(),
            sample: u32::try_from(forest.sample()).unwrap_or(u32::MAX),
            trees: trees.map(|tree| STANDARD.encode(tree.to_bytes())).collect(),
        }
    }
}

/// A problem of the model as a whole, whose path is empty.
fn whole(message: String) -> Vec<Problem> {
    vec![Problem {
        path: String::new(),
        message,
        hint: RETRAIN.to_owned(),
    }]
}

/// The version of the file, in its member `format`.
pub const FORMAT: &str = "portcullis-model/1";

const MEMBERS: [&str; 6] = [
    "format",
    "trained",
    "threshold",
    "profile",
    "forest",
    "sha256",
];

const RETRAIN: &str = "train the model again with `portcullis train`";
