//! What one request has spent: told to its client, and given back where it is only lent.

use std::rc::Rc;

use super::table::{Change, Owner, Table};
use super::{Algorithm, Standing};
use crate::time::Time;

/// What became of one request's quotas.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The plan that counted it after authentication.
    pub plan: Option<Rc<str>>,
    /// The tier of its caller, if that chose the plan.
    pub tier: Option<Rc<str>>,
    /// How its caller stands with each limit, in the order in which they were asked.
    pub readings: Vec<Reading>,
    /// What must be given back when it is over.
    pub held: Vec<Taking>,
}

/// How a caller stands with a limit after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The limit's name in its plan.
    pub limit: Rc<str>,
    /// How it stands.
    pub standing: Standing,
    /// The time in which all of the quota comes back, in nanoseconds.
    pub window_ns: Option<u64>,
    /// Whether the request went over it.
    pub exceeded: bool,
}

/// Something that was taken.
#[derive(Debug, Clone)]
pub struct Taking {
    /// From whom.
    pub owner: Owner,
    /// How it is counted.
    pub algorithm: Algorithm,
    /// How much.
    pub cost: u64,
    /// When.
    pub taken_at: Time,
}

impl Taking {
    /// Gives it back. Should other workers write first too often, it stays taken, and
    /// time brings it back.
    pub fn give_back(&self, table: &Table<'_>, now: Time) {
        let given = table.update(&self.owner, now, |state| {
            let state = self.algorithm.give_back(state, self.cost, self.taken_at);
            Change::Write(state, ())
        });
        if given.is_err() {
            log::warn!("a quota could not be given back: other workers were faster");
        }
    }
}
