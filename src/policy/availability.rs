//! When an operation may be called, as the stages ask it.

use crate::calendar::opening::Opening;
use crate::time::Time;

/// When an operation may be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Availability {
    /// Whether it is closed until the policy says otherwise.
    pub closed: bool,
    /// When it is being maintained.
    pub maintenance: Vec<Window>,
    /// Its hours, by their place in the policy; `None`: always.
    pub hours: Option<usize>,
}

/// Hours that have a name.
#[derive(Debug, Clone)]
pub struct Hours {
    /// Their name.
    pub name: String,
    /// The rule of the time zone, as it was written.
    pub time_zone: String,
    /// When that is.
    pub opening: Opening,
}

/// A time with a beginning and an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: Time,
    /// The first moment after it.
    pub to: Time,
}

impl Window {
    /// Whether the moment lies in it.
    pub fn contains(&self, time: Time) -> bool {
        self.from <= time && time < self.to
    }
}
