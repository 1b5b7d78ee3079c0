//! What one request has spent: told to its client, and given back where it is only lent.

use std::rc::Rc;

use super::adaptive::Adaptive;
use super::fields::{self, Announce, Notice, Unit};
use super::share::Share;
use super::table::{Change, Owner, Table};
use super::{Algorithm, Standing};
use crate::ratelimit::lease::Refill;
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
    /// What is to be asked for in the background.
    pub refills: Vec<Refill>,
    /// Limits that the upstream's answer can tighten.
    pub watched: Vec<Watched>,
    /// When its client is told.
    pub announce: Announce,
    /// What its client is told with the response, once that is known.
    pub told: Option<Vec<(&'static str, String)>>,
}

/// How a caller stands with a limit after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The plan.
    pub plan: Rc<str>,
    /// The tier of the caller, if that chose the plan.
    pub tier: Option<Rc<str>>,
    /// The limit's name in its plan.
    pub limit: Rc<str>,
    /// What became of the request there.
    pub verdict: Verdict,
    /// How it stands; `None`: nobody could tell.
    pub standing: Option<Standing>,
    /// The time in which all of the quota comes back, in nanoseconds.
    pub window_ns: Option<u64>,
    /// How much of the limit holds for now.
    pub share: Share,
    /// What is counted.
    pub unit: Unit,
    /// Whether its client may be told: the limit holds for it, and can refuse.
    pub told: bool,
    /// Where it is counted, if it is counted here.
    pub counted: Option<(Owner, Algorithm)>,
}

/// What became of a request at one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was counted.
    Allowed,
    /// It was not counted, since another limit refused it or handed it on.
    Spared,
    /// It is over the limit, and refused for it.
    Refused,
    /// It is over the limit, which only observes.
    Observed,
    /// It is over the limit, which hands it to another plan.
    Shed,
    /// It could not be counted.
    Uncounted,
    /// The rate limit service did not answer, and it passed uncounted.
    FailedOpen,
    /// The rate limit service did not answer, and it was refused for that.
    FailedClosed,
    /// The rate limit service did not answer, and it was counted here.
    FailedLocal,
}

impl Verdict {
    /// As records and metrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allowed => "allowed",
            Verdict::Spared => "spared",
            Verdict::Refused => "refused",
            Verdict::Observed => "observed",
            Verdict::Shed => "shed",
            Verdict::Uncounted => "uncounted",
            Verdict::FailedOpen => "failed_open",
            Verdict::FailedClosed => "failed_closed",
            Verdict::FailedLocal => "failed_local",
        }
    }
}

impl Account {
    /// The header fields of a refusal; `of_quota`: that is why it is one.
    pub fn with_refusal(&self, of_quota: bool) -> Vec<(&'static str, String)> {
        let wanted = self.announce.always || (of_quota && self.announce.refused);
        match &self.told {
            _ if !wanted => Vec::new(),
            Some(told) => told.clone(),
            None => self.fields(|reading| reading.standing),
        }
    }

    /// The header fields of a response, as things stand by now.
    pub fn with_response(&self, table: &Table<'_>, now: Time) -> Vec<(&'static str, String)> {
        if !self.announce.always {
            return Vec::new();
        }
        self.fields(|reading| match &reading.counted {
            Some((owner, algorithm)) => Some(algorithm.standing(&table.read(owner, now), now)),
            None => reading.standing,
        })
    }

    fn fields(
        &self,
        standing: impl Fn(&Reading) -> Option<Standing>,
    ) -> Vec<(&'static str, String)> {
        let told = |reading: &&Reading| reading.told;
        let named: Vec<(String, &Reading, Standing)> = self
            .readings
            .iter()
            .filter(told)
            .filter_map(|reading| Some((self.name(reading), reading, standing(reading)?)))
            .collect();
        let notices = || {
            named.iter().map(|(name, reading, standing)| Notice {
                name,
                unit: reading.unit,
                quota: standing.quota,
                window_ns: reading.window_ns,
                left: standing.left,
                next_ns: standing.next_ns,
            })
        };
        let mut told = Vec::new();
        told.extend(fields::policy(notices()).map(|value| (fields::POLICY, value)));
        told.extend(fields::rate_limit(notices()).map(|value| (fields::RATE_LIMIT, value)));
        if self.announce.legacy {
            told.extend(fields::legacy(notices()).into_iter().flatten());
        }
        told
    }

    /// A limit's name in its plan. Before authentication another plan holds, whose
    /// limits go by their full names where they are called the same.
    fn name(&self, reading: &Reading) -> String {
        let is_other = |other: &Reading| other.told && other.plan != reading.plan;
        let taken = self.plan.as_ref() != Some(&reading.plan)
            && self
                .readings
                .iter()
                .any(|other| is_other(other) && other.limit == reading.limit);
        match taken {
            true => format!("{}/{}", reading.plan, reading.limit),
            false => reading.limit.to_string(),
        }
    }
}

/// A limit that the upstream's answer can tighten.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its name: `plan/limit`.
    pub limit: Rc<str>,
    /// Whose state tells how the upstream does.
    pub owner: Owner,
    /// When it tightens.
    pub adaptive: Adaptive,
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
