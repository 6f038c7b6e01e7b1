//! Errors as HTTP: problem details, as RFC 9457 has them.

use std::borrow::Cow;

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use larder::{Error, ErrorKind};
use serde::{Serialize, Serializer};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a caller is told when a request fails.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Problem {
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    title: &'static str,
    detail: Cow<'static, str>,
    /// The field that broke a rule, and the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self { status, title, detail: detail.into(), field: None, reason: None }
    }

    /// No key, or none that is good: which of the two, and why, is not said.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a good API key is needed: Authorization: Bearer key.secret")
    }

    pub(crate) fn missing_scope(scope: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("this key does not allow {scope}"))
    }

    /// What a kind of error is to a caller. Only what its words are made for is shown, never the context or the cause.
    fn of(kind: &ErrorKind) -> Self {
        let status = match kind {
            ErrorKind::NotFound { .. } | ErrorKind::MissingParent { .. } => StatusCode::NOT_FOUND,
            ErrorKind::Conflict { .. } | ErrorKind::LeaseLost { .. } => StatusCode::CONFLICT,
            ErrorKind::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Busy | ErrorKind::Contention | ErrorKind::Timeout | ErrorKind::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match kind {
            ErrorKind::Invalid { field, reason, .. } => Self {
                field: Some(field.clone()),
                reason: Some(reason.clone()),
                ..Self::new(status, format!("{field}: {reason}"))
            },
            ErrorKind::Timeout => {
                Self::new(status, format!("{kind}: a change may or may not have been made"))
            }
            _ if status == StatusCode::INTERNAL_SERVER_ERROR => {
                Self::new(status, "something is wrong with the service; it was logged")
            }
            _ => Self::new(status, kind.to_string()),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::of(error.kind());
        match problem.status {
            StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(?error, "a request failed"),
            StatusCode::SERVICE_UNAVAILABLE => tracing::warn!(?error, "a request was put off"),
            _ => {}
        }
        problem
    }
}

/// What axum refuses, in its own words, which name the field.
macro_rules! from_rejections {
    ($($rejection:ty),+) => {
        $(impl From<$rejection> for Problem {
            fn from(rejection: $rejection) -> Self {
                Self::new(rejection.status(), rejection.body_text())
            }
        })+
    };
}

from_rejections!(JsonRejection, PathRejection, QueryRejection);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_status() {
        let job = || Cow::Borrowed("Job");
        let kinds = [
            (404, ErrorKind::NotFound { entity: job() }),
            (404, ErrorKind::MissingParent { entity: "Message".into(), parent: job() }),
            (409, ErrorKind::Conflict { entity: job(), field: "id".into() }),
            (409, ErrorKind::LeaseLost { entity: job() }),
            (
                422,
                ErrorKind::Invalid { entity: job(), field: "definition".into(), reason: "too short".into() },
            ),
            (413, ErrorKind::TooLarge),
            (503, ErrorKind::Busy),
            (503, ErrorKind::Contention),
            (503, ErrorKind::Timeout),
            (503, ErrorKind::Unavailable),
            (500, ErrorKind::Ambiguous),
            (500, ErrorKind::Closed),
            (500, ErrorKind::Corrupt { entity: job(), field: "definition".into() }),
            (500, ErrorKind::Denied),
            (500, ErrorKind::Schema),
            (500, ErrorKind::ReadOnly),
            (500, ErrorKind::Full),
            (500, ErrorKind::Database),
        ];
        for (status, kind) in kinds {
            let response = Problem::of(&kind).into_response();
            assert_eq!(response.status().as_u16(), status, "{kind:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503, "{kind:?}");
        }
    }

    #[test]
    fn a_broken_rule_names_its_field_and_nothing_inside_is_shown() {
        let invalid = Error::invalid("Job", "definition", "must be 5 to 1000 characters");
        let shown = serde_json::to_value(Problem::from(invalid)).unwrap();
        let expected = serde_json::json!({
            "status": 422,
            "title": "Unprocessable Entity",
            "detail": "definition: must be 5 to 1000 characters",
            "field": "definition",
            "reason": "must be 5 to 1000 characters",
        });
        assert_eq!(shown, expected);

        let corrupt = ErrorKind::Corrupt { entity: "Job".into(), field: "locked_until".into() };
        for kind in [ErrorKind::Unavailable, ErrorKind::Denied, corrupt] {
            let cause = std::io::Error::other("10.0.0.7 refused");
            let inside = Error::new(kind, "the server db7.example").with_source(cause);
            let shown = serde_json::to_string(&Problem::from(inside)).unwrap();
            for secret in ["db7", "10.0.0.7", "locked_until"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
