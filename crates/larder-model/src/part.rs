//! The parts of a message, as AI SDKs write them.

use larder_core::WrongType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value as Json};

/// A part of a message: one of the Vercel AI SDK's, or of a type that is not known here.
///
/// Whatever a part holds is kept: fields that are not named here are in its `more`; a part of a known type whose fields are
/// missing, or hold something else than they should, is an [`Other`](Part::Other). What is written equals what was read as
/// JSON.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// `text`: what a person or the model says.
    Text {
        /// The text.
        text: String,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// `image`: a picture.
    Image {
        /// Its address, or its bytes in base64.
        image: String,
        /// What kind of picture it is: `image/png`.
        media_type: Option<String>,
        /// How its fields are called.
        names: PartNames,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// `file`: any file.
    File {
        /// Its address, or its bytes in base64.
        data: String,
        /// What kind of file it is: `application/pdf`.
        media_type: String,
        /// What it is called.
        filename: Option<String>,
        /// How its fields are called.
        names: PartNames,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// `tool-call`: the model calls a tool.
    ToolCall {
        /// The call's id, which its result has too.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What it is called with.
        input: Json,
        /// How its fields are called.
        names: PartNames,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// `tool-result`: what a tool answered.
    ToolResult {
        /// The call's id.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What it answered.
        output: Json,
        /// Did it fail?
        is_error: Option<bool>,
        /// How its fields are called.
        names: PartNames,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// `reasoning`: what the model thought.
    Reasoning {
        /// The text.
        text: String,
        /// The provider's signature of it.
        signature: Option<String>,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// `redacted-reasoning`: what the model thought, to be read by its provider alone.
    RedactedReasoning {
        /// What the provider reads.
        data: String,
        /// All else that it holds.
        more: Map<String, Json>,
    },
    /// Any other.
    Other {
        /// Its type.
        kind: String,
        /// All else that it holds.
        fields: Map<String, Json>,
    },
}

/// How the fields are called that the AI SDK has renamed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PartNames {
    /// `mimeType`, `args`, `result`: until version 4.
    V4,
    /// `mediaType`, `input`, `output`: since version 5.
    #[default]
    V5,
}

impl PartNames {
    const ALL: [Self; 2] = [Self::V5, Self::V4];

    const fn media_type(self) -> &'static str {
        match self {
            Self::V4 => "mimeType",
            Self::V5 => "mediaType",
        }
    }

    const fn input(self) -> &'static str {
        match self {
            Self::V4 => "args",
            Self::V5 => "input",
        }
    }

    const fn output(self) -> &'static str {
        match self {
            Self::V4 => "result",
            Self::V5 => "output",
        }
    }

    /// The names under which a part has the field.
    fn that(has: impl Fn(Self) -> bool) -> Option<Self> {
        Self::ALL.into_iter().find(|names| has(*names))
    }
}

impl Part {
    /// A part of the type `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), more: Map::new() }
    }

    /// Its type, as it is written.
    pub fn kind(&self) -> &str {
        match self {
            Self::Text { .. } => "text",
            Self::Image { .. } => "image",
            Self::File { .. } => "file",
            Self::ToolCall { .. } => "tool-call",
            Self::ToolResult { .. } => "tool-result",
            Self::Reasoning { .. } => "reasoning",
            Self::RedactedReasoning { .. } => "redacted-reasoning",
            Self::Other { kind, .. } => kind,
        }
    }

    /// The part that this JSON is.
    pub(crate) fn from_json(json: Json) -> Result<Self, WrongType> {
        let Json::Object(mut object) = json else {
            return Err(WrongType("a part is an object".to_owned()));
        };
        match object.remove("type") {
            Some(Json::String(kind)) => match Self::known(&kind, &mut Fields(&mut object)) {
                Some(part) => Ok(part),
                None => Ok(Self::Other { kind, fields: object }),
            },
            _ => Err(WrongType("a part has a text as its `type`".to_owned())),
        }
    }

    /// A part of a known type with the fields that such a part has; else `None`, with nothing taken out.
    fn known(kind: &str, fields: &mut Fields<'_>) -> Option<Self> {
        match kind {
            "text" => fields
                .are_texts(&["text"])
                .then(|| Self::Text { text: fields.text("text"), more: fields.rest() }),
            "image" => fields.are_texts(&["image"]).then(|| fields.image()),
            "file" => {
                let names = PartNames::that(|names| fields.are_texts(&["data", names.media_type()]))?;
                Some(fields.file(names))
            }
            "tool-call" => {
                let names = fields.tool(PartNames::input)?;
                Some(fields.tool_call(names))
            }
            "tool-result" => {
                let names = fields.tool(PartNames::output)?;
                Some(fields.tool_result(names))
            }
            "reasoning" => fields.are_texts(&["text"]).then(|| Self::Reasoning {
                text: fields.text("text"),
                signature: fields.maybe_text("signature"),
                more: fields.rest(),
            }),
            "redacted-reasoning" => fields
                .are_texts(&["data"])
                .then(|| Self::RedactedReasoning { data: fields.text("data"), more: fields.rest() }),
            _ => None,
        }
    }

    /// The JSON that it is.
    pub(crate) fn into_json(self) -> Json {
        let kind = Json::from(self.kind());
        let (mut object, fields) = self.into_fields();
        object.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        object.insert("type".to_owned(), kind);
        Json::Object(object)
    }

    /// The fields that are not named here, and those that are.
    fn into_fields(self) -> (Map<String, Json>, NamedFields) {
        match self {
            Self::Text { text, more } => (more, vec![("text", Some(text.into()))]),
            Self::Image { image, media_type, names, more } => {
                (more, vec![("image", Some(image.into())), (names.media_type(), media_type.map(Json::from))])
            }
            Self::File { data, media_type, filename, names, more } => (
                more,
                vec![
                    ("data", Some(data.into())),
                    (names.media_type(), Some(media_type.into())),
                    ("filename", filename.map(Json::from)),
                ],
            ),
            Self::ToolCall { tool_call_id, tool_name, input, names, more } => (
                more,
                vec![
                    ("toolCallId", Some(tool_call_id.into())),
                    ("toolName", Some(tool_name.into())),
                    (names.input(), Some(input)),
                ],
            ),
            Self::ToolResult { tool_call_id, tool_name, output, is_error, names, more } => (
                more,
                vec![
                    ("toolCallId", Some(tool_call_id.into())),
                    ("toolName", Some(tool_name.into())),
                    (names.output(), Some(output)),
                    ("isError", is_error.map(Json::from)),
                ],
            ),
            Self::Reasoning { text, signature, more } => {
                (more, vec![("text", Some(text.into())), ("signature", signature.map(Json::from))])
            }
            Self::RedactedReasoning { data, more } => (more, vec![("data", Some(data.into()))]),
            Self::Other { fields, .. } => (fields, Vec::new()),
        }
    }
}

/// Fields and what they hold; those that hold nothing are not written.
type NamedFields = Vec<(&'static str, Option<Json>)>;

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.clone().into_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The fields of a part, to be taken out once it is known that all are there that must be.
struct Fields<'a>(&'a mut Map<String, Json>);

impl Fields<'_> {
    fn are_texts(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.0.get(*name).is_some_and(Json::is_string))
    }

    /// The names of a part that speaks of a tool and has this field.
    fn tool(&self, field: fn(PartNames) -> &'static str) -> Option<PartNames> {
        let names = PartNames::that(|names| self.0.contains_key(field(names)));
        names.filter(|_| self.are_texts(&["toolCallId", "toolName"]))
    }

    fn image(&mut self) -> Part {
        let names = PartNames::that(|names| self.are_texts(&[names.media_type()])).unwrap_or_default();
        Part::Image {
            image: self.text("image"),
            media_type: self.maybe_text(names.media_type()),
            names,
            more: self.rest(),
        }
    }

    fn file(&mut self, names: PartNames) -> Part {
        Part::File {
            data: self.text("data"),
            media_type: self.text(names.media_type()),
            filename: self.maybe_text("filename"),
            names,
            more: self.rest(),
        }
    }

    fn tool_call(&mut self, names: PartNames) -> Part {
        Part::ToolCall {
            tool_call_id: self.text("toolCallId"),
            tool_name: self.text("toolName"),
            input: self.json(names.input()),
            names,
            more: self.rest(),
        }
    }

    fn tool_result(&mut self, names: PartNames) -> Part {
        Part::ToolResult {
            tool_call_id: self.text("toolCallId"),
            tool_name: self.text("toolName"),
            output: self.json(names.output()),
            is_error: self.maybe_bool("isError"),
            names,
            more: self.rest(),
        }
    }

    fn json(&mut self, name: &str) -> Json {
        self.0.remove(name).unwrap_or_default()
    }

    fn text(&mut self, name: &str) -> String {
        self.maybe_text(name).unwrap_or_default()
    }

    /// Takes a text; anything else stays.
    fn maybe_text(&mut self, name: &str) -> Option<String> {
        let text = std::mem::take(self.0.get_mut(name).filter(|value| value.is_string())?);
        self.0.remove(name);
        match text {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a boolean; anything else stays.
    fn maybe_bool(&mut self, name: &str) -> Option<bool> {
        let value = self.0.get(name)?.as_bool()?;
        self.0.remove(name);
        Some(value)
    }

    fn rest(&mut self) -> Map<String, Json> {
        std::mem::take(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads the part, asserts that it is written as it was, and gives it.
    fn read(json: &Json) -> Part {
        let part = Part::from_json(json.clone()).unwrap();
        assert_eq!(&part.clone().into_json(), json);
        assert_eq!(&serde_json::to_value(&part).unwrap(), json);
        assert_eq!(serde_json::from_value::<Part>(json.clone()).unwrap(), part);
        assert_eq!(part.kind(), json["type"]);
        part
    }

    #[test]
    fn parts_of_version_4_are_read_by_their_fields() {
        let options = json!({"type": "text", "text": "hi", "providerOptions": {"anthropic": {"cacheControl": {"type": "ephemeral"}}}});
        let Part::Text { text, more } = read(&options) else { panic!() };
        assert_eq!((text.as_str(), more.len()), ("hi", 1));

        let image = json!({"type": "image", "image": "https://example.org/a.png", "mimeType": "image/png"});
        let Part::Image { media_type, names, more, .. } = read(&image) else { panic!() };
        assert_eq!((media_type.as_deref(), names, more.len()), (Some("image/png"), PartNames::V4, 0));

        let file =
            json!({"type": "file", "data": "JVBERi0=", "mimeType": "application/pdf", "filename": "a.pdf"});
        let Part::File { data, media_type, filename, .. } = read(&file) else { panic!() };
        assert_eq!(
            (&*data, &*media_type, filename.as_deref()),
            ("JVBERi0=", "application/pdf", Some("a.pdf"))
        );

        let call = json!({"type": "tool-call", "toolCallId": "call_1", "toolName": "weather", "args": {"city": "Oslo", "days": 3}});
        let Part::ToolCall { tool_name, input, names, .. } = read(&call) else { panic!() };
        assert_eq!(
            (&*tool_name, input, names),
            ("weather", json!({"city": "Oslo", "days": 3}), PartNames::V4)
        );

        let result = json!({
            "type": "tool-result", "toolCallId": "call_1", "toolName": "weather", "result": null, "isError": true,
            "experimental_content": [{"type": "text", "text": "no such city"}],
        });
        let Part::ToolResult { output, is_error, more, .. } = read(&result) else { panic!() };
        assert_eq!((output, is_error, more.len()), (Json::Null, Some(true), 1));

        let reasoning = json!({"type": "reasoning", "text": "because", "signature": "EqoB"});
        let Part::Reasoning { text, signature, .. } = read(&reasoning) else { panic!() };
        assert_eq!((&*text, signature.as_deref()), ("because", Some("EqoB")));

        let redacted = json!({"type": "redacted-reasoning", "data": "EmwK"});
        assert_eq!(read(&redacted), Part::RedactedReasoning { data: "EmwK".to_owned(), more: Map::new() });
    }

    #[test]
    fn parts_of_version_5_are_read_by_their_fields() {
        let file = json!({"type": "file", "data": "JVBERi0=", "mediaType": "application/pdf"});
        let Part::File { media_type, names, filename, .. } = read(&file) else { panic!() };
        assert_eq!((&*media_type, names, filename), ("application/pdf", PartNames::V5, None));

        let call = json!({
            "type": "tool-call", "toolCallId": "call_1", "toolName": "weather", "input": {"city": "Oslo"},
            "providerExecuted": true,
        });
        let Part::ToolCall { input, names, more, .. } = read(&call) else { panic!() };
        assert_eq!((input, names, more.len()), (json!({"city": "Oslo"}), PartNames::V5, 1));

        let result = json!({
            "type": "tool-result", "toolCallId": "call_1", "toolName": "weather",
            "output": {"type": "json", "value": {"degrees": -3.5}},
        });
        let Part::ToolResult { output, names, is_error, .. } = read(&result) else { panic!() };
        assert_eq!((&output["type"], names, is_error), (&json!("json"), PartNames::V5, None));
    }

    #[test]
    fn a_part_of_both_versions_loses_neither_name() {
        let call = json!({"type": "tool-call", "toolCallId": "1", "toolName": "t", "args": {"a": 1}, "input": {"a": 2}});
        let Part::ToolCall { input, more, .. } = read(&call) else { panic!() };
        assert_eq!((input, &more["args"]), (json!({"a": 2}), &json!({"a": 1})));
        read(&json!({"type": "image", "image": "a", "mimeType": "image/png", "mediaType": null}));
    }

    #[test]
    fn a_part_of_another_shape_or_type_is_kept_as_it_is() {
        for json in [
            json!({"type": "hologram", "depth": 3, "of": {"a": [1, null]}}),
            json!({"type": "", "kind": "empty"}),
            json!({"type": "text"}),
            json!({"type": "text", "text": null}),
            json!({"type": "image", "image": {"type": "Buffer", "data": [1, 2]}}),
            json!({"type": "file", "data": "JVBERi0="}),
            json!({"type": "file", "data": "JVBERi0=", "mediaType": 5, "mimeType": null}),
            json!({"type": "tool-call", "toolCallId": "1", "toolName": "t"}),
            json!({"type": "tool-call", "toolCallId": 1, "toolName": "t", "args": {}}),
            json!({"type": "tool-result", "toolCallId": "1", "toolName": "t"}),
            json!({"type": "reasoning", "details": []}),
            json!({"type": "redacted-reasoning"}),
        ] {
            let Part::Other { fields, .. } = read(&json) else { panic!("{json}") };
            assert_eq!(fields.len() + 1, json.as_object().unwrap().len());
        }
    }

    #[test]
    fn an_optional_field_of_another_type_is_kept_beside_those_that_are_known() {
        for (json, name) in [
            (json!({"type": "image", "image": "a", "mimeType": null}), "mimeType"),
            (json!({"type": "file", "data": "a", "mediaType": "a/b", "filename": 5}), "filename"),
            (json!({"type": "reasoning", "text": "a", "signature": {}}), "signature"),
            (
                json!({"type": "tool-result", "toolCallId": "1", "toolName": "t", "result": 1, "isError": "no"}),
                "isError",
            ),
        ] {
            let (Part::Image { more, .. }
            | Part::File { more, .. }
            | Part::Reasoning { more, .. }
            | Part::ToolResult { more, .. }) = read(&json)
            else {
                panic!("{json}")
            };
            assert_eq!(more.get(name), json.get(name));
        }
    }
}
