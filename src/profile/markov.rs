//! Which class of character usually follows which.
//!
//! A first-order Markov chain over the classes of a parameter's values, with a
//! start and an end. Costs are negative log-probabilities in one byte each, and
//! only classes that the parameter is known to hold have rows, so a chain over
//! digits takes four bytes and a free text some hundreds.

use std::collections::BTreeMap;

use super::shape::{CLASSES, Class, ClassSet, Shape};

/// A learnt chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The known classes, in order; their places are the states.
    alphabet: ClassSet,
    /// From class to state; [`UNKNOWN`] where the class has none.
    states: [u8; CLASSES],
    /// `(n + 1)²` costs, row by row: from each state, and last from the start,
    /// to each state, and last to the end.
    costs: Vec<u8>,
}

/// How surprising a value is to a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Surprise {
    /// The mean cost of a step, in nats.
    pub mean: f32,
    /// How many steps between known classes were never usual.
    pub unknown_steps: u32,
    /// How many characters shown are of unknown classes.
    pub unknown_bytes: u32,
}

impl Chain {
    /// A chain of these costs; `None` unless there are `(n + 1)²` for the `n`
    /// classes of the alphabet.
    #[must_use]
    pub fn new(alphabet: ClassSet, costs: Vec<u8>) -> Option<Self> {
        let side = alphabet.len() as usize + 1;
        (costs.len() == side * side).then(|| Self::over(alphabet, costs))
    }

    fn over(alphabet: ClassSet, costs: Vec<u8>) -> Self {
        let mut states = [UNKNOWN; CLASSES];
        for (state, class) in (0_u8..).zip(alphabet.iter()) {
            if let Some(slot) = states.get_mut(class.index()) {
                *slot = state;
            }
        }
        Self {
            alphabet,
            states,
            costs,
        }
    }

    /// The classes it knows.
    #[must_use]
    pub fn alphabet(&self) -> ClassSet {
        self.alphabet
    }

    /// Its costs, as [`Chain::new`] takes them.
    #[must_use]
    pub fn costs(&self) -> &[u8] {
        &self.costs
    }

    /// How surprising a shape is; `ends` says whether it shows the whole value.
    #[must_use]
    pub fn surprise(&self, shape: &Shape, ends: bool) -> Surprise {
        let edge = self.alphabet.len() as u8;
        let mut from = edge;
        let mut total = 0_u32;
        let mut steps = 0_u32;
        let mut surprise = Surprise::default();
        let end = ends.then_some(edge);
        let states = shape.classes().map(|class| self.state(class));
        for to in states.chain(end) {
            steps += 1;
            let cost = self.cost(from, to);
            total += u32::from(cost);
            if to == UNKNOWN {
                surprise.unknown_bytes += 1;
            } else if from != UNKNOWN && cost == COST_LIMIT {
                surprise.unknown_steps += 1;
            }
            from = to;
        }
        surprise.mean = total as f32 / COSTS_PER_NAT / steps.max(1) as f32;
        surprise
    }

    fn state(&self, class: Class) -> u8 {
        self.states.get(class.index()).copied().unwrap_or(UNKNOWN)
    }

    fn cost(&self, from: u8, to: u8) -> u8 {
        if from == UNKNOWN || to == UNKNOWN {
            return COST_LIMIT;
        }
        let side = self.alphabet.len() as usize + 1;
        let at = usize::from(from) * side + usize::from(to);
        self.costs.get(at).copied().unwrap_or(COST_LIMIT)
    }
}

/// Counts from which a [`Chain`] is made.
#[derive(Debug, Clone, Default)]
pub struct ChainCounts {
    /// For each class, in how many values it occurs.
    classes: BTreeMap<Class, u32>,
    /// For each step, how often it occurs, and in how many values.
    steps: BTreeMap<(Option<Class>, Option<Class>), (u32, u32)>,
}

impl ChainCounts {
    /// Counts one value: its shape, whether that is all of it, and the classes
    /// that occur only beyond.
    pub fn add(&mut self, shape: &Shape, ends: bool, rest: ClassSet) {
        let shown: ClassSet = shape.classes().collect();
        for class in shown.union(rest).iter() {
            *self.classes.entry(class).or_default() += 1;
        }
        let mut steps: BTreeMap<_, u32> = BTreeMap::new();
        let mut from = None;
        for class in shape.classes() {
            *steps.entry((from, Some(class))).or_default() += 1;
            from = Some(class);
        }
        if ends {
            *steps.entry((from, None)).or_default() += 1;
        }
        for (step, count) in steps {
            let (total, values) = self.steps.entry(step).or_default();
            *total = total.saturating_add(count);
            *values += 1;
        }
    }

    /// The chain, of what occurs in at least `support` values.
    #[must_use]
    pub fn chain(&self, support: u32) -> Chain {
        let known = self.classes.iter().filter(|(_, n)| **n >= support);
        let alphabet: ClassSet = known.map(|(class, _)| *class).collect();
        // A state stands for its class; `None` is the start of a step and the
        // end of one.
        let states: Vec<_> = alphabet.iter().map(Some).chain([None]).collect();
        let mut costs = Vec::with_capacity(states.len() * states.len());
        for from in &states {
            let count = |to: &Option<Class>| match self.steps.get(&(*from, *to)) {
                Some((total, values)) if *values >= support => *total,
                _ => 0,
            };
            let total: f64 = states.iter().map(|to| f64::from(count(to))).sum();
            costs.extend(states.iter().map(|to| quantise(count(to), total)));
        }
        Chain::over(alphabet, costs)
    }
}

/// The cost of a step, below [`COST_LIMIT`] if it was ever seen.
fn quantise(count: u32, total: f64) -> u8 {
    if count == 0 {
        return COST_LIMIT;
    }
    let nats = (total / f64::from(count)).ln();
    let cost = (nats * f64::from(COSTS_PER_NAT)).round();
    cost.clamp(0.0, f64::from(COST_LIMIT - 1)) as u8
}

/// The resolution of costs: 255 of them span 10.2 nats.
pub const COSTS_PER_NAT: f32 = 25.0;

/// The cost of what was never usual.
const COST_LIMIT: u8 = u8::MAX;

const UNKNOWN: u8 = u8::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(values: &[&str], support: u32) -> Chain {
        let mut counts = ChainCounts::default();
        for value in values {
            counts.add(&Shape::of(value.as_bytes()), true, ClassSet::default());
        }
        counts.chain(support)
    }

    fn surprise(chain: &Chain, value: &str) -> Surprise {
        chain.surprise(&Shape::of(value.as_bytes()), true)
    }

    #[test]
    fn usual_order_costs_nothing() {
        let chain = learn(&["ab-12", "cd-34", "ef-56"], 2);
        // `a` goes on or ends in `-`, a digit goes on or ends: ln 2 each, 4 of 6 steps.
        let usual = surprise(&chain, "xy-99");
        assert!(
            (usual.mean - 4.0 / 6.0 * 2.0_f32.ln()).abs() < 0.02,
            "{usual:?}"
        );
        assert_eq!((usual.unknown_steps, usual.unknown_bytes), (0, 0));
    }

    #[test]
    fn known_classes_in_an_unknown_order_are_counted() {
        let chain = learn(&["ab-12", "cd-34"], 2);
        // start to digit, digit to `-`, `-` to letter, letter to the end
        assert_eq!(surprise(&chain, "12-ab").unknown_steps, 4);
    }

    #[test]
    fn unknown_classes_cost_the_most_and_are_counted() {
        let chain = learn(&["ab-12", "cd-34"], 2);
        let odd = surprise(&chain, "''");
        assert_eq!((odd.unknown_bytes, odd.unknown_steps), (2, 0));
        assert_eq!(odd.mean, 255.0 / COSTS_PER_NAT);
    }

    #[test]
    fn what_one_value_in_many_does_is_not_learnt() {
        let mut values = vec!["12"; 50];
        values.push("1' or 1=1");
        assert_eq!(surprise(&learn(&values, 2), "1'").unknown_bytes, 1);
        assert_eq!(surprise(&learn(&values, 1), "1'").unknown_bytes, 0);
    }

    #[test]
    fn an_order_that_one_value_in_many_has_is_not_learnt() {
        let mut values = vec!["ab-12"; 50];
        values.push("12-ab");
        assert_eq!(surprise(&learn(&values, 2), "12-ab").unknown_steps, 4);
        assert_eq!(surprise(&learn(&values, 1), "12-ab").unknown_steps, 0);
    }

    #[test]
    fn a_table_of_another_size_is_refused() {
        let digits: ClassSet = [Class::of(b'0')].into_iter().collect();
        assert!(Chain::new(digits, vec![0; 4]).is_some());
        assert!(Chain::new(digits, vec![0; 3]).is_none());
        assert!(Chain::new(ClassSet::default(), vec![0]).is_some());
    }

    #[test]
    fn a_cut_value_has_no_end() {
        let chain = learn(&["ab-12", "cd-34"], 2);
        let cut = chain.surprise(&Shape::of(b"ab"), false);
        assert_eq!(cut.unknown_steps, 0);
        assert_eq!(surprise(&chain, "ab").unknown_steps, 1);
    }
}
