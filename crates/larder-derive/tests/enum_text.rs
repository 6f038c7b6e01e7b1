//! What `#[derive(EnumText)]` writes.

// The variants of these enumerations explain themselves.
#![allow(missing_docs)]

extern crate larder_core as larder;

use larder::{__private::serde_json, ColumnType, ColumnValue, EnumText, ErrorKind, Value};
use larder_derive::EnumText;

#[derive(Debug, Clone, PartialEq, EnumText)]
pub enum Role {
    System,
    ToolCall,
    #[entity(rename = "AI")]
    Assistant,
}

#[derive(Debug, Clone, PartialEq, EnumText)]
#[entity(name = "job_state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Screaming {
    OnHold,
}

#[derive(Debug, Clone, PartialEq, EnumText)]
#[entity(rename_all = "kebab-case")]
pub enum Kebab {
    OnHold,
}

#[derive(Debug, Clone, PartialEq, EnumText)]
#[entity(rename_all = "lowercase")]
pub enum Lower {
    OnHold,
}

#[test]
fn names_and_texts_are_in_the_case_that_is_asked_for() {
    assert_eq!((Role::ENUM.name, Role::ENUM.variants), ("role", &["system", "tool_call", "AI"][..]));
    assert_eq!((Screaming::ENUM.name, Screaming::OnHold.as_str()), ("job_state", "ON_HOLD"));
    assert_eq!((Kebab::OnHold.as_str(), Lower::OnHold.as_str()), ("on-hold", "onhold"));
}

#[test]
fn a_value_goes_to_its_column_and_back() {
    assert_eq!(Role::TYPE, ColumnType::Enum(Role::ENUM));
    let value = Role::ToolCall.into_value().expect("a value");
    assert_eq!(value, Value::Text("tool_call".to_owned()));
    assert_eq!(Role::from_value(value), Ok(Role::ToolCall));
    for wrong in [Value::Text("TOOL_CALL".to_owned()), Value::Int(1)] {
        let error = Role::from_value(wrong).expect_err("no role");
        assert_eq!(error.0, "expected one of system, tool_call, AI");
    }
}

#[test]
fn json_and_text_are_the_same_texts() {
    assert_eq!(serde_json::to_string(&Role::Assistant).expect("JSON"), r#""AI""#);
    assert_eq!(serde_json::from_str::<Role>(r#""AI""#).expect("a role"), Role::Assistant);
    let refusal = serde_json::from_str::<Role>(r#""robot""#).expect_err("no role").to_string();
    assert!(
        refusal.starts_with("unknown variant `robot`, expected one of `system`, `tool_call`, `AI`"),
        "{refusal}"
    );
    assert_eq!(format!("[{:>6}]", Role::Assistant), "[    AI]");
    assert_eq!("system".parse::<Role>().expect("a role"), Role::System);
    let error = "robot".parse::<Role>().expect_err("no role");
    assert!(matches!(error.kind(), ErrorKind::Invalid { .. }));
    assert!(error.to_string().ends_with("must be one of system, tool_call, AI"), "{error}");
}

#[test]
fn the_text_of_a_variant_is_a_constant() {
    const TEXT: &str = Role::System.as_str();
    assert_eq!(TEXT, "system");
}
