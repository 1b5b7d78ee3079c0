//! A profile as it stands in a model file, and the way back with every check.
//!
//! Chains are written as their alphabet (letters of a shape) and one byte a
//! cost in base64, so that the file stays small and a person can still read
//! which parameter knows which characters.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Chain, ClassSet, OperationProfile, ParameterProfile, Profile, Shape, Usual};
use crate::policy::problem::{Problem, Problems};

/// The member `profile` of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// How many requests it was learnt from.
    pub rows: u32,
    /// By operation id.
    pub operations: BTreeMap<String, OperationFile>,
}

/// One operation of a [`ProfileFile`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationFile {
    /// In how many requests it was called.
    pub count: u32,
    /// Whether that is enough to know it.
    pub known: bool,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ParameterFile>,
}

/// One parameter of an [`OperationFile`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterFile {
    /// In how many requests it was present.
    pub present: u32,
    /// How often it usually comes at most.
    pub repeats: u32,
    /// Whether values that the schema does not list are usual.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
    /// Mean and standard deviation of its length, in bytes.
    pub length: [f32; 2],
    /// Its greatest usual length, in bytes.
    pub longest: u32,
    /// The classes it usually holds, as letters of a shape.
    pub alphabet: Shape,
    /// The costs of its chain, base64.
    pub costs: String,
    /// Mean and standard deviation of its surprise, in nats a step.
    pub surprise: [f32; 2],
}

impl ProfileFile {
    /// The profile that it describes.
    ///
    /// # Errors
    /// Every member that cannot be, with its path below `profile`.
    pub fn compile(&self) -> Result<Profile, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut operations = BTreeMap::new();
        for (id, operation) in &self.operations {
            let mut parameters = BTreeMap::new();
            for (name, parameter) in &operation.parameters {
                let path = format!("profile.operations.{id}.parameters.{name}");
                if let Some(usual) = parameter.compile(&path, &mut problems) {
                    parameters.insert(name.clone(), usual);
                }
            }
            let compiled = OperationProfile {
                count: operation.count,
                known: operation.known,
                parameters,
            };
            operations.insert(id.clone(), compiled);
        }
        problems.into_result(Profile {
            rows: self.rows,
            operations,
        })
    }
}

impl ParameterFile {
    fn compile(&self, path: &str, problems: &mut Problems) -> Option<ParameterProfile> {
        let length = usual(self.length, &format!("{path}.length"), problems);
        let surprise = usual(self.surprise, &format!("{path}.surprise"), problems);
        let alphabet: ClassSet = self.alphabet.classes().collect();
        let costs = STANDARD.decode(&self.costs).ok();
        let chain = costs.and_then(|costs| Chain::new(alphabet, costs));
        if chain.is_none() {
            problems.add(
                format!("{path}.costs"),
                format!(
                    "is not the base64 of {} bytes, as the {} letters of `alphabet` need",
                    (alphabet.len() + 1).pow(2),
                    alphabet.len()
                ),
                RETRAIN,
            );
        }
        Some(ParameterProfile {
            present: self.present,
            repeats: self.repeats,
            unlisted: self.unlisted,
            length: length?,
            longest: self.longest,
            chain: chain?,
            surprise: surprise?,
        })
    }
}

fn usual([mean, deviation]: [f32; 2], path: &str, problems: &mut Problems) -> Option<Usual> {
    if mean.is_finite() && deviation.is_finite() && deviation >= 0.0 {
        return Some(Usual { mean, deviation });
    }
    problems.add(
        path,
        "is not a finite mean and a finite standard deviation of at least 0",
        RETRAIN,
    );
    None
}

impl From<&Profile> for ProfileFile {
    fn from(profile: &Profile) -> Self {
        let operations = profile.operations.iter();
        Self {
            rows: profile.rows,
            operations: operations.map(|(id, o)| (id.clone(), o.into())).collect(),
        }
    }
}

impl From<&OperationProfile> for OperationFile {
    fn from(operation: &OperationProfile) -> Self {
        let parameters = operation.parameters.iter();
        Self {
            count: operation.count,
            known: operation.known,
            parameters: parameters.map(|(n, p)| (n.clone(), p.into())).collect(),
        }
    }
}

impl From<&ParameterProfile> for ParameterFile {
    fn from(parameter: &ParameterProfile) -> Self {
        Self {
            present: parameter.present,
            repeats: parameter.repeats,
            unlisted: parameter.unlisted,
            length: [parameter.length.mean, parameter.length.deviation],
            longest: parameter.longest,
            alphabet: Shape::listing(parameter.chain.alphabet()),
            costs: STANDARD.encode(parameter.chain.costs()),
            surprise: [parameter.surprise.mean, parameter.surprise.deviation],
        }
    }
}

const RETRAIN: &str = "train the model again with `portcullis train`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Observation;

    fn file() -> ProfileFile {
        let rows: Vec<Observation> = (0..200)
            .map(|n| {
                let id = format!("ord-{:04}", n * 37 % 9_999);
                Observation::new("getOrder").declared("order_id", id.as_bytes(), &[])
            })
            .collect();
        ProfileFile::from(&Profile::learn(&rows))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let file = file();
        let text = serde_json::to_string(&file).unwrap();
        let read: ProfileFile = serde_json::from_str(&text).unwrap();
        assert_eq!(read, file);
        assert_eq!(ProfileFile::from(&read.compile().unwrap()), file);
    }

    #[test]
    fn every_bad_number_is_named_with_its_path() {
        let mut file = file();
        let operation = file.operations.get_mut("getOrder").unwrap();
        let parameter = operation.parameters.get_mut("order_id").unwrap();
        parameter.length = [f32::INFINITY, 1.0];
        parameter.surprise = [1.0, -1.0];
        parameter.costs = "AAAA".to_owned();
        let problems = file.compile().unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
        let at = "profile.operations.getOrder.parameters.order_id";
        assert_eq!(
            paths,
            [
                format!("{at}.length"),
                format!("{at}.surprise"),
                format!("{at}.costs")
            ]
        );
    }
}
