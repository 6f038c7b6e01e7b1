//! Defaults of JSON fields, as `default_json` gives them. The compiler checks that they are of the field's type: nothing
//! is read when a program runs, so nothing can fail then.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value as JsonValue;

use crate::Json;

/// `[]`.
#[derive(Debug, Clone, Copy)]
pub struct EmptyArray;

/// `{}`.
#[derive(Debug, Clone, Copy)]
pub struct EmptyObject;

/// A type of JSON that every JSON of the kind `J` is of: [`EmptyArray`], [`EmptyObject`], an array of texts
/// (`[&'static str; N]`) or any other (`serde_json::Value`).
#[diagnostic::on_unimplemented(
    message = "this `default_json` cannot be the default of `{Self}`",
    label = "this JSON is not of this type",
    note = "`serde_json::Value` takes any JSON",
    note = "`Vec<String>` takes `[]` and lists of texts; so does `Json<Vec<String>>`",
    note = "`Json<T>` takes `[]` when `T` is a `Vec` or a set, and `{{}}` when it is a map, of the standard library",
    note = "a default of any other type is for the caller to give: leave `default_json` out"
)]
pub trait DefaultJson<J> {
    /// The value that this JSON is.
    fn default_json(json: J) -> Self;
}

impl<J: Into<JsonValue>> DefaultJson<J> for JsonValue {
    fn default_json(json: J) -> Self {
        json.into()
    }
}

impl From<EmptyArray> for JsonValue {
    fn from(_: EmptyArray) -> Self {
        Self::Array(Vec::new())
    }
}

impl From<EmptyObject> for JsonValue {
    fn from(_: EmptyObject) -> Self {
        Self::Object(serde_json::Map::new())
    }
}

impl<const N: usize> DefaultJson<[&'static str; N]> for Vec<String> {
    fn default_json(texts: [&'static str; N]) -> Self {
        texts.map(str::to_owned).into()
    }
}

macro_rules! empty {
    ($($json:ident: $([$($parameter:ident),+] $type:ty),+;)+) => {$($(
        impl<$($parameter),+> DefaultJson<$json> for $type {
            fn default_json(_: $json) -> Self {
                Self::default()
            }
        }
    )+)+};
}

empty! {
    EmptyArray: [T] Vec<T>, [T] BTreeSet<T>, [T] HashSet<T>;
    EmptyObject: [K, V] BTreeMap<K, V>, [K, V] HashMap<K, V>;
}

impl<J, T: DefaultJson<J>> DefaultJson<J> for Json<T> {
    fn default_json(json: J) -> Self {
        Self(T::default_json(json))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::json;

    use super::*;

    /// What it is as JSON, after it was read as its type again.
    fn written<J, T: DefaultJson<J> + Serialize + DeserializeOwned>(json: J) -> JsonValue {
        let written = serde_json::to_value(T::default_json(json)).expect("JSON");
        let read: T = serde_json::from_value(written).expect("of its type");
        serde_json::to_value(read).expect("JSON")
    }

    #[test]
    fn a_default_is_the_json_that_it_was_made_of() {
        assert_eq!(written::<_, JsonValue>(EmptyArray), json!([]));
        assert_eq!(written::<_, Vec<String>>(EmptyArray), json!([]));
        assert_eq!(written::<_, Json<Vec<i64>>>(EmptyArray), json!([]));
        assert_eq!(written::<_, Json<BTreeSet<String>>>(EmptyArray), json!([]));
        assert_eq!(written::<_, Json<HashSet<String>>>(EmptyArray), json!([]));
        assert_eq!(written::<_, JsonValue>(EmptyObject), json!({}));
        assert_eq!(written::<_, Json<JsonValue>>(EmptyObject), json!({}));
        assert_eq!(written::<_, Json<BTreeMap<String, u8>>>(EmptyObject), json!({}));
        assert_eq!(written::<_, Json<HashMap<String, u8>>>(EmptyObject), json!({}));
        assert_eq!(written::<_, JsonValue>(["read", "write"]), json!(["read", "write"]));
        assert_eq!(written::<_, Vec<String>>(["read", "write"]), json!(["read", "write"]));
        assert_eq!(written::<_, Json<Vec<String>>>(["read"]), json!(["read"]));
        assert_eq!(written::<_, JsonValue>(json!({"a": [1, null]})), json!({"a": [1, null]}));
    }
}
