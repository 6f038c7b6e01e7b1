//! The entities, as `sea-orm-cli` writes them. The same for both databases but for the type of times.

// The derives make public items beside these.
#![allow(unreachable_pub)]

pub(crate) mod job;
pub(crate) mod message;
pub(crate) mod user;

use sea_orm::{DeriveActiveEnum, EnumIter};

#[derive(Debug, Clone, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "job_status")]
pub enum Status {
    #[sea_orm(string_value = "ACTIVE")]
    Active,
    #[sea_orm(string_value = "PAUSED")]
    Paused,
    #[sea_orm(string_value = "ARCHIVED")]
    Archived,
}

#[derive(Debug, Clone, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "message_role")]
pub enum Role {
    #[sea_orm(string_value = "system")]
    System,
    #[sea_orm(string_value = "user")]
    User,
    #[sea_orm(string_value = "assistant")]
    Assistant,
    #[sea_orm(string_value = "tool")]
    Tool,
}

#[derive(Debug, Clone, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "message_source")]
pub enum Source {
    #[sea_orm(string_value = "endpoint-response")]
    EndpointResponse,
    #[sea_orm(string_value = "scheduler")]
    Scheduler,
    #[sea_orm(string_value = "error-handler")]
    ErrorHandler,
    #[sea_orm(string_value = "unknown")]
    Unknown,
}
