//! The options of a URL: `name=value&name=value`.

use std::{str::FromStr, time::Duration};

use larder_core::Result;
use percent_encoding::percent_decode_str;

use crate::config::config;

/// Options that were given and not yet taken. Each name is one of those allowed, and given once.
#[derive(Debug)]
pub(crate) struct Options(Vec<(String, String)>);

impl Options {
    pub(crate) fn parse(text: &str, allowed: &[&str]) -> Result<Self> {
        let mut options: Vec<(String, String)> = Vec::new();
        for option in text.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !allowed.contains(&name) {
                return Err(config(format!("unknown option {name}; allowed are {}", allowed.join(", "))));
            }
            if options.iter().any(|(before, _)| before == name) {
                return Err(config(format!("option {name} is given twice")));
            }
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            options.push((name.to_owned(), value));
        }
        Ok(Self(options))
    }

    /// Was the option given, and not taken yet?
    #[cfg(feature = "replica")]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// The value of an option, when it was given. `read` says what is wrong with a value that it refuses.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
        let Some(position) = self.0.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        let (_, value) = self.0.swap_remove(position);
        read(&value).map(Some).map_err(|wrong| config(format!("option {name}={value}: {wrong}")))
    }
}

/// A whole number from `min` to `max`.
pub(crate) fn whole_number<T>(text: &str, min: T, max: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + Copy + std::fmt::Display,
{
    let refusal = || format!("must be a whole number from {min} to {max}");
    let number = text.parse().map_err(|_| refusal())?;
    if (min..=max).contains(&number) { Ok(number) } else { Err(refusal()) }
}

/// `250ms`, `5s`, `2m` or `1h`, from `min` to `max`.
pub(crate) fn duration(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let refusal = || format!("must be a duration like 250ms, 5s or 2m, from {min:?} to {max:?}");
    let duration = humantime::parse_duration(text).map_err(|_| refusal())?;
    if (min..=max).contains(&duration) { Ok(duration) } else { Err(refusal()) }
}

/// A number of bytes like `512KiB`, `16MiB` or `1GiB`, from `min` to `max`.
pub(crate) fn size(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let bytes = with_unit(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)])
        .ok_or("must be a size like 512KiB, 16MiB or 1GiB")?;
    if (min..=max).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("must be from {}KiB to {}GiB", min >> 10, max >> 30))
    }
}

/// A whole number followed by one of the units, in the smallest of them.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// `true` or `false`.
pub(crate) fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}
