//! What one caller may see.

use super::bit;

/// How a hidden value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hide {
    /// The string `"***"`, whatever the value was.
    Redact,
    /// The member or the element is left out; a whole body becomes `null`.
    Remove,
    /// `null`.
    Null,
    /// A string, or the digits of a number as a string, with all but the last four
    /// characters replaced by `*`. What has fewer than eight characters, or is
    /// neither, is redacted.
    Last4,
}

/// How each level of classification appears to one caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    levels: Vec<Option<Hide>>,
    undeclared: u8,
    hidden: u64,
}

impl Rules {
    /// `levels` says for each level how it is hidden, `None` for visible; a level
    /// beyond the list is redacted. `undeclared` is the level of places without a
    /// classification of their own or of a classified ancestor.
    #[must_use]
    pub fn new(levels: Vec<Option<Hide>>, undeclared: u8) -> Self {
        let visible = (0..super::MAX_LEVELS)
            .zip(&levels)
            .filter(|(_, hide)| hide.is_none())
            .fold(0, |bits, (level, _)| bits | bit(level));
        Self {
            levels,
            undeclared,
            hidden: !visible,
        }
    }

    /// How a level is hidden; `None` when it is visible.
    #[must_use]
    pub fn hide(&self, level: u8) -> Option<Hide> {
        match self.levels.get(usize::from(level)) {
            Some(hide) => *hide,
            None => Some(Hide::Redact),
        }
    }

    /// The level of places without any classification.
    #[must_use]
    pub fn undeclared(&self) -> u8 {
        self.undeclared
    }

    /// Whether places without any classification are hidden.
    #[must_use]
    pub fn hides_undeclared(&self) -> bool {
        self.hide(self.undeclared).is_some()
    }

    /// Whether one of the levels in `reach` is hidden.
    pub(super) fn hides_any(&self, reach: u64) -> bool {
        self.hidden & reach != 0
    }

    /// The highest hidden level in `reach`, or that of undeclared places.
    pub(super) fn worst(&self, reach: u64) -> u8 {
        (0..super::MAX_LEVELS)
            .rev()
            .find(|level| self.hidden & reach & bit(*level) != 0)
            .unwrap_or(self.undeclared)
    }
}
