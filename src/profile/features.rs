//! The numbers by which a request is compared with what is usual.
//!
//! All of them stand in one table, [`Feature::ALL`], with what growing and
//! explaining have to know of each. They follow the models of Kruegel and Vigna
//! (CCS 2003) as far as an [`Observation`](super::Observation) can carry them.

use crate::forest::Axis;

/// One of the numbers that describe how a request differs from the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Feature {
    /// Surprise at the operation itself, in nats.
    OperationRarity,
    /// 1 when training saw the operation too rarely to know it.
    OperationUnseen,
    /// How many undeclared parameters came.
    UndeclaredParameters,
    /// How many declared parameters came that training does not know.
    UnknownParameters,
    /// Surprise at the most surprising absence of a parameter, in nats.
    MissingParameter,
    /// By how many occurrences a parameter was repeated beyond the usual.
    RepeatedParameter,
    /// `ln(1 + z²)` of the length farthest from its mean.
    LengthDeviation,
    /// `ln(length / longest usual)` where a value is longer than usual.
    LengthExcess,
    /// How many classes of characters occur that are unknown in their parameter.
    UnknownClasses,
    /// `ln(1 + n)` of the bytes of such classes.
    UnknownClassBytes,
    /// How many standard deviations the order of characters is from the usual.
    OrderDeviation,
    /// Mean surprise at each next character, in nats.
    OrderSurprise,
    /// How many known characters followed one that they never usually follow.
    UnknownOrders,
    /// How many values are outside the schema's enumeration, where that is
    /// unusual.
    OutsideEnumeration,
}

/// What growing has to know of a feature, and its name in model files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureSpec {
    /// Which feature.
    pub feature: Feature,
    /// Its name in model files and explanations.
    pub name: &'static str,
    /// On which sides it is odd, and the least step worth noticing.
    pub axis: Axis,
}

impl Feature {
    /// Every feature, in the order of its discriminants: the columns of a forest.
    pub const ALL: [FeatureSpec; FEATURES] = [
        spec(
            Self::OperationRarity,
            "operation_rarity",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::OperationUnseen,
            "operation_unseen",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::UndeclaredParameters,
            "undeclared_parameters",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::UnknownParameters,
            "unknown_parameters",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::MissingParameter,
            "missing_parameter",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::RepeatedParameter,
            "repeated_parameter",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::LengthDeviation,
            "length_deviation",
            Axis::grows_only(1.0),
        ),
        spec(Self::LengthExcess, "length_excess", Axis::grows_only(0.5)),
        spec(
            Self::UnknownClasses,
            "unknown_classes",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::UnknownClassBytes,
            "unknown_class_bytes",
            Axis::grows_only(1.0),
        ),
        spec(
            Self::OrderDeviation,
            "order_deviation",
            Axis::grows_only(1.0),
        ),
        spec(Self::OrderSurprise, "order_surprise", Axis::grows_only(0.5)),
        spec(Self::UnknownOrders, "unknown_orders", Axis::grows_only(1.0)),
        spec(
            Self::OutsideEnumeration,
            "outside_enumeration",
            Axis::grows_only(1.0),
        ),
    ];

    /// Its column.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The axes of all features, as [`crate::forest::Forest::grow`] takes them.
    #[must_use]
    pub fn axes() -> [Axis; FEATURES] {
        Self::ALL.map(|spec| spec.axis)
    }
}

/// What drove a feature to its value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cause {
    /// The request as a whole.
    #[default]
    Request,
    /// The parameter at this place of the observation.
    Present(usize),
    /// The absence of the parameter at this place of the operation's profile.
    Absent(usize),
}

/// The features of one request, each with what drove it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Features {
    values: [f32; FEATURES],
    causes: [Cause; FEATURES],
}

impl Features {
    /// The row that a forest scores.
    #[must_use]
    pub fn values(&self) -> &[f32; FEATURES] {
        &self.values
    }

    /// The value of one feature.
    #[must_use]
    pub fn value(&self, feature: Feature) -> f32 {
        self.values.get(feature.index()).copied().unwrap_or(0.0)
    }

    /// What drove one feature.
    #[must_use]
    pub fn cause(&self, feature: Feature) -> Cause {
        self.causes
            .get(feature.index())
            .copied()
            .unwrap_or_default()
    }

    /// Lifts a feature to a value, if that is larger, and notes the cause.
    pub(super) fn raise(&mut self, feature: Feature, value: f32, cause: Cause) {
        let slots = (
            self.values.get_mut(feature.index()),
            self.causes.get_mut(feature.index()),
        );
        if let (Some(slot), Some(noted)) = slots
            && value > *slot
        {
            *slot = value;
            *noted = cause;
        }
    }

    /// Adds to a feature that counts over parameters; the last one that added is
    /// the cause.
    pub(super) fn add(&mut self, feature: Feature, value: f32, cause: Cause) {
        if value > 0.0 {
            self.raise(feature, self.value(feature) + value, cause);
        }
    }
}

const fn spec(feature: Feature, name: &'static str, axis: Axis) -> FeatureSpec {
    FeatureSpec {
        feature,
        name,
        axis,
    }
}

/// How many features there are.
pub const FEATURES: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_columns_and_names_are_unique() {
        let mut names: Vec<&str> = Vec::new();
        for (column, spec) in Feature::ALL.iter().enumerate() {
            assert_eq!(spec.feature.index(), column);
            assert!(spec.axis.floor > 0.0);
            assert!(!names.contains(&spec.name));
            names.push(spec.name);
        }
    }

    #[test]
    fn the_largest_value_names_the_cause() {
        let mut features = Features::default();
        features.raise(Feature::LengthExcess, 2.0, Cause::Present(1));
        features.raise(Feature::LengthExcess, 1.0, Cause::Present(2));
        assert_eq!(features.value(Feature::LengthExcess), 2.0);
        assert_eq!(features.cause(Feature::LengthExcess), Cause::Present(1));
        features.raise(Feature::LengthExcess, f32::NAN, Cause::Present(3));
        assert_eq!(features.value(Feature::LengthExcess), 2.0);
    }
}
