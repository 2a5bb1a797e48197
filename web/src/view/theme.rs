//! In which colours a page is shown: as the system has it, or as somebody chose. The choice is kept in a cookie, so that it needs no script.

/// Name of the cookie.
pub const COOKIE: &str = "netloom-theme";

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system of whoever looks has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in the form, the cookie and the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word; the system's of any other.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default()
    }

    /// Icon, as a path on a 16 x 16 grid.
    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::System => "M2 2.5h12v8.5H2zM5.5 14h5M8 11v3",
            Self::Light => {
                "M8 5a3 3 0 1 0 .01 0zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1"
            }
            Self::Dark => "M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z",
        }
    }

    /// The theme that one press of the button leads to.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_leads_round_all_and_an_odd_word_is_the_systems() {
        assert!(Theme::ALL.into_iter().all(|theme| theme.next().next().next() == theme && theme.next() != theme));
        assert!(Theme::ALL.into_iter().all(|theme| Theme::from_word(theme.as_str()) == theme));
        assert_eq!(Theme::from_word("<pink>"), Theme::System);
    }
}
