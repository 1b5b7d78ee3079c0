//! Limits as a textbook has them, exact and one request at a time, to hold the stage
//! against. They share no idea with it: the bucket is a level, the window and what is
//! under way are lists.

/// How a limit counts. Times are in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Bucket {
        interval: u64,
        burst: u64,
    },
    /// What was spent in a window of the clock counts in the next by the part of it that
    /// the last `length` still covers.
    Window {
        length: u64,
        quota: u64,
    },
    InFlight {
        most: u64,
    },
}

/// One limit of one client.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) kind: Kind,
    pub(crate) cost: u64,
    pub(crate) observes: bool,
    /// Of a bucket: what is in it, in nanoseconds of filling, and when that was so.
    level: Option<(i128, u64)>,
    spent: Vec<(u64, u64)>,
    under_way: Vec<u64>,
}

impl Limit {
    pub(crate) fn new(kind: Kind, cost: u64, observes: bool) -> Self {
        Limit {
            kind,
            cost,
            observes,
            level: None,
            spent: Vec::new(),
            under_way: Vec::new(),
        }
    }

    fn level(&self, now: u64) -> i128 {
        let Kind::Bucket { interval, burst } = self.kind else {
            unreachable!("only buckets have a level")
        };
        let capacity = i128::from(interval) * i128::from(burst);
        match self.level {
            None => capacity,
            Some((level, at)) => capacity.min(level + i128::from(now) - i128::from(at)),
        }
    }

    /// Whether a request fits.
    pub(crate) fn fits(&self, now: u64) -> bool {
        match self.kind {
            Kind::Bucket { interval, .. } => {
                self.level(now) >= i128::from(interval) * i128::from(self.cost)
            }
            Kind::Window { length, quota } => {
                let (window, into) = (now / length, now % length);
                let of = |wanted: u64| -> u128 {
                    let spent = self.spent.iter().filter(|(at, _)| at / length == wanted);
                    spent.map(|(_, cost)| u128::from(*cost)).sum()
                };
                let before = window.checked_sub(1).map_or(0, of) * u128::from(length - into);
                let now = (of(window) + u128::from(self.cost)) * u128::from(length);
                before + now <= u128::from(quota) * u128::from(length)
            }
            Kind::InFlight { most } => self.under_way.iter().sum::<u64>() + self.cost <= most,
        }
    }

    fn take(&mut self, now: u64) {
        match self.kind {
            Kind::Bucket { interval, .. } => {
                let price = i128::from(interval) * i128::from(self.cost);
                self.level = Some((self.level(now) - price, now));
            }
            Kind::Window { .. } => self.spent.push((now, self.cost)),
            Kind::InFlight { .. } => self.under_way.push(self.cost),
        }
    }

    fn end(&mut self) {
        self.under_way.pop();
    }
}

/// The limits of a plan, for one client.
#[derive(Debug, Clone)]
pub(crate) struct Plan(pub(crate) Vec<Limit>);

impl Plan {
    /// The places of the limits that refuse a request; none, and it has spent.
    pub(crate) fn ask(&mut self, now: u64) -> Vec<usize> {
        let refusing = self.refusing(now);
        if refusing.is_empty() {
            for limit in self.0.iter_mut().filter(|limit| limit.fits(now)) {
                limit.take(now);
            }
        }
        refusing
    }

    /// The places of the limits that would refuse one.
    pub(crate) fn refusing(&self, now: u64) -> Vec<usize> {
        let places = 0..self.0.len();
        places
            .filter(|place| !self.0[*place].observes && !self.0[*place].fits(now))
            .collect()
    }

    /// One of the requests that passed is over.
    pub(crate) fn end(&mut self) {
        self.0.iter_mut().for_each(Limit::end);
    }
}
