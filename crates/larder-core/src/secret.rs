//! Values that are not to be seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ColumnType, ColumnValue, EntityKey, Rule, Value, WrongType};

/// A value that is stored as it is and never printed: a token, a hash. Its `Debug` form is `Secret(…)`, it has no `Display`,
/// and [`Secret::expose`] (or [`Secret::into_exposed`]) is the one way to it.
///
/// serde reads and writes it as the value itself, so that a companion can be sent: an entity whose secrets must not leave
/// with it marks them with `#[serde(skip_serializing)]`. Its comparison takes as long as there are equal bytes: it is for
/// tests, not for deciding whether a caller knows a secret.
///
/// ```
/// # use larder_core::Secret;
/// let token = Secret::from("sesame");
/// assert_eq!(format!("{token:?}"), "Secret(…)");
/// assert_eq!(token.expose(), "sesame");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, taken out.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<T: ColumnValue> ColumnValue for Secret<T> {
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = T::NULLABLE;
    const RULES: &'static [Rule] = T::RULES;

    fn into_value(self) -> Result<Value, WrongType> {
        self.0.into_value()
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        T::from_value(value).map(Self)
    }
}

impl EntityKey for Secret {
    fn into_values(self) -> Result<Vec<Value>, WrongType> {
        Ok(vec![self.into_value()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_as_it_is_and_never_printed() {
        let secret = Secret::new(vec![1_u8, 2]);
        assert_eq!(format!("{:?}", Some(&secret)), "Some(Secret(…))");
        assert_eq!(secret.clone().into_value(), Ok(Value::Bytes(vec![1, 2])));
        assert_eq!(Secret::from_value(Value::Bytes(vec![1, 2])), Ok(secret));
        assert_eq!(Secret::<String>::TYPE, ColumnType::Text);
    }

    #[test]
    fn serde_reads_and_writes_the_value() -> Result<(), serde_json::Error> {
        let text = serde_json::to_string(&Secret::from("a"))?;
        assert_eq!((text.as_str(), serde_json::from_str::<Secret>(&text)?), ("\"a\"", "a".into()));
        Ok(())
    }
}
