//! The content of a message, in the shape that AI SDKs write: a text, or a list of parts.

use larder_core::{ColumnType, ColumnValue, Error, Value, WrongType};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value as Json;

use crate::Part;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MessageContent {
    /// A text.
    Text(String),
    /// Parts of several types.
    Parts(Vec<Part>),
}

impl MessageContent {
    fn from_json(json: Json) -> Result<Self, WrongType> {
        match json {
            Json::String(text) => Ok(Self::Text(text)),
            Json::Array(parts) => {
                let parts = parts.into_iter().enumerate().map(|(position, part)| {
                    Part::from_json(part).map_err(|wrong| WrongType(format!("part {position}: {wrong}")))
                });
                Ok(Self::Parts(parts.collect::<Result<_, _>>()?))
            }
            _ => Err(WrongType("expected a text or a list of parts, each with a type".to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for MessageContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `Invalid` when it is neither a text nor a list of objects, each with a text as its `type`.
impl TryFrom<Json> for MessageContent {
    type Error = Error;

    fn try_from(json: Json) -> Result<Self, Error> {
        Self::from_json(json).map_err(|wrong| Error::invalid("Message", "content", wrong.0))
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
        let json = match self {
            Self::Text(text) => Json::String(text),
            Self::Parts(parts) => parts.into_iter().map(Part::into_json).collect(),
        };
        json.into_value()
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        Self::from_json(Json::from_value(value)?)
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
    use larder_core::{ErrorKind, MAX_JSON_DEPTH, Stamp};
    use serde_json::{Map, json};
    use uuid::Uuid;

    use super::*;
    use crate::{JobId, MessageRole, NewMessage};

    fn written_and_read(json: Json) -> Json {
        let content = MessageContent::from_value(Value::Json(json.clone())).unwrap();
        assert_eq!(serde_json::to_value(&content).unwrap(), json);
        let text = serde_json::to_string(&json).unwrap();
        assert_eq!(serde_json::from_str::<MessageContent>(&text).unwrap(), content);
        match content.into_value().unwrap() {
            Value::Json(json) => json,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_conversation_is_written_as_it_was_read() {
        for json in [
            json!("What is the weather in Oslo?"),
            json!([]),
            json!([
                {"type": "text", "text": "What is on this picture?"},
                {"type": "image", "image": "https://example.org/a.png"},
                {"type": "file", "data": "JVBERi0=", "mimeType": "application/pdf", "filename": "a.pdf"},
            ]),
            json!([
                {"type": "reasoning", "text": "I must ask.", "signature": "EqoB"},
                {"type": "redacted-reasoning", "data": "EmwK"},
                {"type": "tool-call", "toolCallId": "1", "toolName": "weather", "args": {"city": "Oslo"}},
                {"type": "tool-call", "toolCallId": "2", "toolName": "weather", "input": {"city": "Bergen"}},
            ]),
            json!([
                {"type": "tool-result", "toolCallId": "1", "toolName": "weather", "result": "snow", "isError": false},
                {"type": "tool-result", "toolCallId": "2", "toolName": "weather", "output": {"type": "text", "value": "rain"}},
                {"type": "hologram", "depth": 3, "of": {"a": [1, null]}},
            ]),
        ] {
            assert_eq!(written_and_read(json.clone()), json);
        }
    }

    /// Objects made of the names that parts know, with values of every type.
    #[test]
    fn any_list_of_objects_with_a_type_is_written_as_it_was_read() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..20_000 {
            let parts: Vec<_> = (0..random.below(4)).map(|_| random.part()).collect();
            let json = Json::Array(parts);
            assert_eq!(written_and_read(json.clone()), json);
        }
    }

    #[test]
    fn what_is_no_content_is_invalid() {
        for json in [
            json!(null),
            json!(5),
            json!({"text": "no list"}),
            json!({"type": "text", "text": "no list"}),
            json!(["no object"]),
            json!([{"no": "type"}]),
            json!([{"type": 5}]),
            json!([{"type": "text", "text": "good"}, {"type": null}]),
        ] {
            let error = MessageContent::try_from(json.clone()).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Invalid { entity, field, .. } if entity == "Message" && field == "content"),
                "{error}"
            );
            assert!(serde_json::from_value::<MessageContent>(json.clone()).is_err(), "{json}");
            assert!(MessageContent::from_value(Value::Json(json.clone())).is_err(), "{json}");
        }
    }

    #[test]
    fn what_the_databases_cannot_both_keep_is_refused_with_the_field() {
        let nested = |depth| (0..depth).fold(json!(1), |json, _| json!([json]));
        let part = |json| MessageContent::try_from(json!([{"type": "hologram", "of": json}])).unwrap();
        for (content, is_kept) in [
            (part(nested(MAX_JSON_DEPTH - 2)), true),
            (part(nested(MAX_JSON_DEPTH - 1)), false),
            (part(json!({"a\0b": 1})), false),
            (vec![Part::text("a\0b")].into(), false),
            ("\0".into(), false),
        ] {
            let new = NewMessage::new(JobId::from_uuid(Uuid::nil()), MessageRole::User, content);
            let stamp =
                Stamp { id: Uuid::nil(), owner: Some(Uuid::nil()), now: chrono::DateTime::UNIX_EPOCH };
            let written = larder_core::NewEntity::into_values(new, &stamp);
            let refused = written.as_ref().is_err_and(
                |error| matches!(error.kind(), ErrorKind::Invalid { field, .. } if field == "content"),
            );
            assert_eq!((written.is_ok(), refused), (is_kept, !is_kept), "{written:?}");
        }
    }

    #[test]
    fn search_looks_into_the_text_of_all_parts() {
        let content =
            json!([{"type": "text", "text": "one"}, {"type": "image"}, {"type": "reasoning", "text": "two"}]);
        assert_eq!(text_of(&content), "one\ntwo");
    }

    /// Numbers that are the same in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % end
        }

        fn part(&mut self) -> Json {
            const NAMES: [&str; 15] = [
                "text",
                "image",
                "mimeType",
                "mediaType",
                "data",
                "filename",
                "toolCallId",
                "toolName",
                "args",
                "input",
                "result",
                "output",
                "isError",
                "signature",
                "providerOptions",
            ];
            const KINDS: [&str; 9] = [
                "text",
                "image",
                "file",
                "tool-call",
                "tool-result",
                "reasoning",
                "redacted-reasoning",
                "step-start",
                "",
            ];
            let mut part = Map::new();
            for name in NAMES {
                if self.below(3) > 0 {
                    part.insert(name.to_owned(), self.value(0));
                }
            }
            part.insert("type".to_owned(), json!(KINDS[self.below(KINDS.len())]));
            part.into()
        }

        /// A text, mostly: what most fields must be for a part to be of a known type.
        fn value(&mut self, depth: usize) -> Json {
            match self.below(if depth < 3 { 12 } else { 10 }) {
                0 => Json::Null,
                1 => json!(self.below(2) == 0),
                2 => json!(self.below(1000)),
                3 => json!(-0.5),
                10 => (0..self.below(3)).map(|_| self.value(depth + 1)).collect(),
                11 => json!({"type": self.value(depth + 1), "text": self.value(depth + 1)}),
                _ => json!(["", "a", "é\u{1F600}", "image/png"][self.below(4)]),
            }
        }
    }
}
