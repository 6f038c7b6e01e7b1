//! A field of a patch.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a patch does with a field: leave it, or set it. For a nullable field the value is an `Option`, so that
/// `Change::Set(None)` sets it to null. In JSON an absent field is left, `null` sets a nullable field to null and is
/// an error for any other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// The field stays as it is.
    #[default]
    Leave,
    /// The field becomes this.
    Set(T),
}

impl<T> Change<T> {
    /// True for [`Change::Leave`].
    pub fn is_leave(&self) -> bool {
        matches!(self, Self::Leave)
    }

    /// The new value, if there is one.
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::Leave => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<T> From<T> for Change<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::Set)
    }
}

/// Written with `#[serde(skip_serializing_if = "Change::is_leave")]`, so that what is left is absent.
impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leave => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}
