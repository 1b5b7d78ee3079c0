//! The token bucket as a textbook has it, to hold the quota stage against: a level
//! that rises with time and falls with requests. The stage keeps no level, only the
//! moment at which the bucket is full again, so that the two share no idea.

/// A bucket of one client. Times and levels are in nanoseconds.
pub(crate) struct Bucket {
    interval: i128,
    capacity: i128,
    level: i128,
    looked_at: u64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(interval: u64, burst: u64, now: u64) -> Self {
        let capacity = i128::from(interval) * i128::from(burst);
        Bucket {
            interval: interval.into(),
            capacity,
            level: capacity,
            looked_at: now,
        }
    }

    /// Takes a request out: how many are left, or else how long until there is one.
    /// Time must not run backwards.
    pub(crate) fn take(&mut self, now: u64) -> Result<u64, u64> {
        self.rise(now);
        if self.level < self.interval {
            return Err(u64::try_from(self.interval - self.level).unwrap());
        }
        self.level -= self.interval;
        Ok(u64::try_from(self.level / self.interval).unwrap())
    }

    /// Takes a request out whether it is there or not.
    pub(crate) fn owe(&mut self, now: u64) {
        self.rise(now);
        self.level -= self.interval;
    }

    fn rise(&mut self, now: u64) {
        let elapsed = i128::from(now.checked_sub(self.looked_at).unwrap());
        self.level = self.capacity.min(self.level + elapsed);
        self.looked_at = now;
    }
}
