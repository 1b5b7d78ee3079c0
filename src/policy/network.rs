//! Where requests may come from, as the stages ask it.

use crate::network::NetworkSet;
use crate::pattern::Pattern;

/// Where requests may come from, and from which programs.
#[derive(Debug, Default)]
pub struct Networks {
    /// Whose `x-forwarded-for` is believed.
    pub trusted: NetworkSet,
    /// The lists, by name; territories name them by their places.
    pub lists: Vec<(String, NetworkSet)>,
    /// What holds for operations that the document does not declare.
    pub everywhere: Territory,
    /// The countries.
    pub countries: Option<Countries>,
    /// The programs.
    pub agents: Option<Agents>,
}

/// From where an operation may be called: an address in an allowed list, if any are
/// named, and in no denied one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Territory {
    /// Lists by their places; `None`: from everywhere.
    pub allow: Option<Vec<usize>>,
    /// Lists by their places.
    pub deny: Vec<usize>,
}

impl Territory {
    /// Whether it draws any line.
    pub fn is_bounded(&self) -> bool {
        self.allow.is_some() || !self.deny.is_empty()
    }
}

/// The countries from which requests may come, by their two letters in upper case.
#[derive(Debug)]
pub struct Countries {
    /// The header that names the country.
    pub header: String,
    /// The only ones, if any are named.
    pub allow: Option<Vec<String>>,
    /// Those that may not.
    pub deny: Vec<String>,
}

/// The programs that may ask.
#[derive(Debug)]
pub struct Agents {
    /// Those that may not.
    pub deny: Vec<Pattern>,
    /// Whether every request must name one.
    pub require: bool,
}
