//! What an authorization server said of tokens, for a while, and which it is being
//! asked about.
//!
//! Each worker keeps its own. Without it every request would cost a call, and a crowd
//! of requests with one token as many calls as requests. Memory is bounded: good tokens
//! and others have two generations each, of which the older is dropped when the younger
//! is full, so that made-up tokens cannot push good ones out.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::time::Time;

/// How long a server's word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// That a token is active, at most; never beyond its `exp`.
    pub active: Duration,
    /// That a token is not active.
    pub inactive: Duration,
    /// How long after an answer an active token may still serve when the server does
    /// not answer any more; nothing: not at all.
    pub stale: Option<Duration>,
}

/// A token, and whose it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct About {
    /// The issuer's place in the policy.
    pub issuer: usize,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T, E> {
    /// The server said it is active, and that still holds.
    Active(Rc<T>),
    /// It is not accepted, and that still holds.
    Refused(E),
    /// It was active, the server did not answer a moment ago, and the policy lets the
    /// old answer serve.
    Stale(Rc<T>),
    /// Nothing that holds; the server must be asked.
    Nothing,
}

/// What became of the wish to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nobody asks yet: make the call.
    Call,
    /// A call about this token is under way: wait for it.
    UnderWay,
    /// More calls are under way than may be.
    Full,
}

/// What is known of tokens. `T` is what an active token comes to, `E` why another is not
/// accepted.
#[derive(Debug)]
pub struct Inquiries<T, E> {
    active: Generations<Active<T>>,
    refused: Generations<(E, Time)>,
    under_way: HashMap<About, Time>,
}

#[derive(Debug)]
struct Active<T> {
    value: Rc<T>,
    answered: Time,
    expires: Time,
    /// When the server was last asked again and did not answer.
    missed: Option<Time>,
}

impl<T, E> Default for Inquiries<T, E> {
    fn default() -> Self {
        Inquiries {
            active: Generations::default(),
            refused: Generations::default(),
            under_way: HashMap::new(),
        }
    }
}

impl<T, E: Clone> Inquiries<T, E> {
    /// What holds now. After a wait for the server `told` is true: what it said a moment
    /// ago counts then, even if it is not to be remembered at all.
    pub fn find(
        &mut self,
        about: &About,
        freshness: Freshness,
        told: bool,
        now: Time,
    ) -> Known<T, E> {
        let holds = |answered: Time, length: Duration| {
            let age = now.since(answered);
            age < length || told && age < A_MOMENT
        };
        if let Some(entry) = self.active.find(about) {
            let value = || Rc::clone(&entry.value);
            let expired = now >= entry.expires;
            let just_told = told && now.since(entry.answered) < A_MOMENT;
            if just_told || !expired && holds(entry.answered, freshness.active) {
                return Known::Active(value());
            }
            let serves = |stale| !expired && now.since(entry.answered) <= stale;
            let missed = |missed| told || now.since(missed) < ASKED_AGAIN_AFTER;
            if freshness.stale.is_some_and(serves) && entry.missed.is_some_and(missed) {
                return Known::Stale(value());
            }
        }
        match self.refused.find(about) {
            Some((reason, at)) if holds(*at, freshness.inactive) => Known::Refused(reason.clone()),
            _ => Known::Nothing,
        }
    }

    /// A request wants the server asked. A call that never ended is forgotten after
    /// `patience`.
    pub fn begin(&mut self, about: About, now: Time, patience: Duration) -> Begun {
        let lost = |begun: &Time| now.since(*begun) > patience;
        match self.under_way.get(&about) {
            Some(begun) if !lost(begun) => return Begun::UnderWay,
            Some(_) => {}
            None if self.under_way.len() >= MOST_UNDER_WAY => {
                self.under_way.retain(|_, begun| !lost(begun));
                if self.under_way.len() >= MOST_UNDER_WAY {
                    return Begun::Full;
                }
            }
            None => {}
        }
        self.under_way.insert(about, now);
        Begun::Call
    }

    /// The server said that the token is active, until `expires` at most. `bytes` is
    /// about what `value` takes.
    pub fn active(&mut self, about: About, value: T, bytes: usize, expires: Time, now: Time) {
        self.under_way.remove(&about);
        self.refused.remove(&about);
        let entry = Active {
            value: Rc::new(value),
            answered: now,
            expires,
            missed: None,
        };
        self.active.insert(about, entry, bytes);
    }

    /// What the server said is reason not to accept the token.
    pub fn refused(&mut self, about: About, reason: E, now: Time) {
        self.under_way.remove(&about);
        self.active.remove(&about);
        self.refused.insert(about, (reason, now), 0);
    }

    /// The server said nothing. That is no verdict, so what was known stays.
    pub fn failed(&mut self, about: &About, now: Time) {
        self.under_way.remove(about);
        if let Some(entry) = self.active.find_mut(about) {
            entry.missed = Some(now);
        }
    }

    /// Whether the server is being asked about this token.
    pub fn under_way(&self, about: &About) -> bool {
        self.under_way.contains_key(about)
    }
}

/// Values in two generations, bounded in number and in bytes.
#[derive(Debug)]
struct Generations<V> {
    young: HashMap<About, (V, usize)>,
    old: HashMap<About, (V, usize)>,
    young_bytes: usize,
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
        }
    }
}

impl<V> Generations<V> {
    /// What is used moves to the younger generation.
    fn find(&mut self, about: &About) -> Option<&V> {
        self.find_mut(about).map(|value| &*value)
    }

    fn find_mut(&mut self, about: &About) -> Option<&mut V> {
        if let Some((value, bytes)) = self.old.remove(about) {
            self.insert(*about, value, bytes);
        }
        self.young.get_mut(about).map(|(value, _)| value)
    }

    fn insert(&mut self, about: About, value: V, bytes: usize) {
        self.remove(&about);
        let bytes = bytes.saturating_add(ENTRY_BYTES);
        if self.young.len() >= MOST_ENTRIES || self.young_bytes + bytes > MOST_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(about, (value, bytes - ENTRY_BYTES));
    }

    fn remove(&mut self, about: &About) {
        self.old.remove(about);
        if let Some((_, bytes)) = self.young.remove(about) {
            self.young_bytes -= bytes + ENTRY_BYTES;
        }
    }
}

/// How long ago a server's word may be to count for a request that waited for it.
const A_MOMENT: Duration = Duration::from_secs(1);

/// How long a stale token serves before its server is asked again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Entries a generation.
const MOST_ENTRIES: usize = 4_096;

/// Bytes a generation, beyond which even a single entry is not kept for long.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What an entry takes beside its value: digest, times, its share of the table.
const ENTRY_BYTES: usize = 128;

/// Tokens that may be asked about at once in one worker.
const MOST_UNDER_WAY: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    const FRESHNESS: Freshness = Freshness {
        active: Duration::from_secs(60),
        inactive: Duration::from_secs(10),
        stale: None,
    };

    const STALE: Freshness = Freshness {
        stale: Some(Duration::from_secs(300)),
        ..FRESHNESS
    };

    fn inquiries() -> Inquiries<&'static str, &'static str> {
        Inquiries::default()
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000_000 + seconds * 1_000)
    }

    fn about(number: usize) -> About {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
        About { issuer: 0, digest }
    }

    #[test]
    fn an_active_token_is_known_until_its_time_or_the_caches_is_over() {
        let mut known = inquiries();
        known.active(about(1), "long", 10, at(1_000), at(0));
        known.active(about(2), "short", 10, at(30), at(0));
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(59)),
            Known::Active(Rc::new("long"))
        );
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(60)),
            Known::Nothing
        );
        assert_eq!(
            known.find(&about(2), FRESHNESS, false, at(29)),
            Known::Active(Rc::new("short"))
        );
        assert_eq!(
            known.find(&about(2), FRESHNESS, false, at(30)),
            Known::Nothing
        );
        assert_eq!(
            known.find(&about(1), FRESHNESS, true, at(61)),
            Known::Nothing
        );
    }

    #[test]
    fn a_refused_token_is_known_for_less_time_and_replaces_what_was() {
        let mut known = inquiries();
        known.active(about(1), "a", 10, at(1_000), at(0));
        known.refused(about(1), "inactive", at(1));
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(10)),
            Known::Refused("inactive")
        );
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(11)),
            Known::Nothing
        );
        assert_eq!(known.find(&about(1), STALE, true, at(11)), Known::Nothing);
        // And the other way round: a token that was not known yet to all of the server.
        known.active(about(1), "b", 10, at(1_000), at(2));
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(3)),
            Known::Active(Rc::new("b"))
        );
    }

    #[test]
    fn many_requests_make_one_call() {
        let mut known = inquiries();
        assert_eq!(known.begin(about(1), at(0), PATIENCE), Begun::Call);
        assert_eq!(known.begin(about(1), at(1), PATIENCE), Begun::UnderWay);
        assert_eq!(known.begin(about(2), at(1), PATIENCE), Begun::Call);
        assert!(known.under_way(&about(1)));
        known.active(about(1), "a", 10, at(100), at(2));
        assert!(!known.under_way(&about(1)));
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(2)),
            Known::Active(Rc::new("a"))
        );
    }

    #[test]
    fn a_failure_is_no_verdict() {
        let mut known = inquiries();
        known.begin(about(1), at(0), PATIENCE);
        known.failed(&about(1), at(0));
        assert_eq!(
            known.find(&about(1), FRESHNESS, false, at(0)),
            Known::Nothing
        );
        assert_eq!(known.begin(about(1), at(0), PATIENCE), Begun::Call);
    }

    #[test]
    fn a_call_that_never_ends_does_not_bar_the_next() {
        let mut known = inquiries();
        known.begin(about(1), at(0), PATIENCE);
        assert_eq!(known.begin(about(1), at(3), PATIENCE), Begun::UnderWay);
        assert_eq!(known.begin(about(1), at(4), PATIENCE), Begun::Call);
    }

    #[test]
    fn calls_are_bounded_and_lost_ones_make_room() {
        let mut known = inquiries();
        for number in 0..MOST_UNDER_WAY {
            assert_eq!(known.begin(about(number), at(0), PATIENCE), Begun::Call);
        }
        let one_more = about(MOST_UNDER_WAY);
        assert_eq!(known.begin(one_more, at(3), PATIENCE), Begun::Full);
        assert_eq!(known.begin(about(0), at(3), PATIENCE), Begun::UnderWay);
        assert_eq!(known.begin(one_more, at(4), PATIENCE), Begun::Call);
        assert_eq!(known.under_way.len(), 1);
    }

    #[test]
    fn a_stale_token_serves_where_that_is_wanted_and_never_beyond_its_expiry() {
        let mut known = inquiries();
        known.active(about(1), "long", 10, at(1_000), at(0));
        known.active(about(2), "short", 10, at(200), at(0));
        // The server is asked first.
        assert_eq!(known.find(&about(1), STALE, false, at(100)), Known::Nothing);
        known.failed(&about(1), at(100));
        let stale = Known::Stale(Rc::new("long"));
        assert_eq!(known.find(&about(1), STALE, true, at(102)), stale);
        // For a while without asking again.
        assert_eq!(known.find(&about(1), STALE, false, at(104)), stale);
        assert_eq!(known.find(&about(1), STALE, false, at(105)), Known::Nothing);
        assert_eq!(
            known.find(&about(1), FRESHNESS, true, at(102)),
            Known::Nothing
        );
        known.failed(&about(1), at(300));
        assert_eq!(known.find(&about(1), STALE, true, at(300)), stale);
        assert_eq!(known.find(&about(1), STALE, true, at(301)), Known::Nothing);
        known.failed(&about(2), at(199));
        let stale = Known::Stale(Rc::new("short"));
        assert_eq!(known.find(&about(2), STALE, true, at(199)), stale);
        assert_eq!(known.find(&about(2), STALE, true, at(200)), Known::Nothing);
    }

    #[test]
    fn who_waited_for_a_word_gets_it_though_it_is_not_remembered() {
        let mut known = inquiries();
        let never = Freshness {
            active: Duration::ZERO,
            inactive: Duration::ZERO,
            stale: None,
        };
        // Expired by our clock, and accepted within the skew.
        known.active(about(1), "a", 10, at(0), at(5));
        known.refused(about(2), "inactive", at(5));
        for (number, word) in [
            (1, Known::Active(Rc::new("a"))),
            (2, Known::Refused("inactive")),
        ] {
            assert_eq!(known.find(&about(number), never, true, at(5)), word);
            assert_eq!(
                known.find(&about(number), never, false, at(5)),
                Known::Nothing
            );
            assert_eq!(
                known.find(&about(number), never, true, at(6)),
                Known::Nothing
            );
        }
    }

    #[test]
    fn made_up_tokens_push_no_good_one_out_and_memory_is_bounded() {
        let mut known = inquiries();
        known.active(about(0), "good", 10, at(1_000), at(0));
        for number in 1..5 * MOST_ENTRIES {
            known.refused(about(number), "inactive", at(0));
            let held = known.refused.young.len() + known.refused.old.len();
            assert!(held <= 2 * MOST_ENTRIES);
        }
        assert_eq!(
            known.find(&about(0), FRESHNESS, false, at(0)),
            Known::Active(Rc::new("good"))
        );
    }

    #[test]
    fn large_values_are_fewer() {
        let mut known = inquiries();
        let bytes = MOST_BYTES / 4;
        for number in 0..20 {
            known.active(about(number), "large", bytes, at(1_000), at(0));
            let held = known.active.young.len() + known.active.old.len();
            assert!(held <= 8, "{held}");
        }
        for _ in 0..20 {
            known.active(about(19), "large", bytes, at(1_000), at(0));
        }
        assert_eq!(
            known.active.young_bytes,
            known.active.young.len() * (bytes + ENTRY_BYTES)
        );
    }
}
