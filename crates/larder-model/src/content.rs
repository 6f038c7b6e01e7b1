//! The content of a message, in the shape that AI SDKs write: a text, or a list of parts.

use larder_core::{ColumnType, ColumnValue, Value, WrongType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MessageContent {
    /// A text.
    Text(String),
    /// Parts of several types.
    Parts(Vec<Part>),
}

/// A part of a message: `text`, `image`, `file`, `tool-call`, `tool-result`, `reasoning`, `redacted-reasoning`, or a type
/// that is not known yet. Whatever it holds is kept as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// All else that it holds.
    #[serde(flatten)]
    pub fields: Map<String, Json>,
}

impl Part {
    /// A part of the type `text`.
    pub fn text(text: impl Into<String>) -> Self {
        let fields = Map::from_iter([("text".to_owned(), Json::String(text.into()))]);
        Self { kind: "text".to_owned(), fields }
    }
}

impl From<&str> for MessageContent {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for MessageContent {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Part>> for MessageContent {
    fn from(parts: Vec<Part>) -> Self {
        Self::Parts(parts)
    }
}

impl ColumnValue for MessageContent {
    const TYPE: ColumnType = ColumnType::Json;

    fn into_value(self) -> Result<Value, WrongType> {
        serde_json::to_value(self).map_err(|error| WrongType(error.to_string()))?.into_value()
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        let json = Json::from_value(value)?;
        serde_json::from_value(json)
            .map_err(|_| WrongType("expected a text or a list of parts, each with a type".to_owned()))
    }
}

/// The text in a stored content: the text itself, or the `text` of each part that has one, a line each.
pub(crate) fn text_of(content: &Json) -> String {
    match content {
        Json::String(text) => text.clone(),
        Json::Array(parts) => {
            let texts: Vec<_> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_parts_are_kept_as_they_are() {
        let json =
            json!([{"type": "hologram", "depth": 3, "of": {"a": [1, null]}}, {"type": "text", "text": "hi"}]);
        let content = MessageContent::from_value(Value::Json(json.clone())).unwrap();
        assert_eq!(content.into_value().unwrap(), Value::Json(json));
    }

    #[test]
    fn what_is_no_content_is_refused() {
        assert!(MessageContent::from_value(Value::Json(json!({"text": "no list"}))).is_err());
        assert!(MessageContent::from_value(Value::Json(json!([{"no": "type"}]))).is_err());
    }

    #[test]
    fn search_looks_into_the_text_of_all_parts() {
        let content =
            json!([{"type": "text", "text": "one"}, {"type": "image"}, {"type": "reasoning", "text": "two"}]);
        assert_eq!(text_of(&content), "one\ntwo");
    }
}
