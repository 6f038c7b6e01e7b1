//! What `diesel print-schema` writes, without the columns that are not used.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

pub(crate) mod sql_types {
    use diesel::{query_builder::QueryId, sql_types::SqlType};

    #[derive(QueryId, Clone, SqlType)]
    #[diesel(postgres_type(name = "job_status"))]
    pub struct JobStatus;

    #[derive(QueryId, Clone, SqlType)]
    #[diesel(postgres_type(name = "message_role"))]
    pub struct MessageRole;

    #[derive(QueryId, Clone, SqlType)]
    #[diesel(postgres_type(name = "message_source"))]
    pub struct MessageSource;
}

table! {
    use diesel::sql_types::{Int8, Nullable, Text, Timestamptz, Uuid};
    use super::sql_types::JobStatus;

    jobs (id) {
        id -> Uuid,
        user_id -> Uuid,
        definition -> Text,
        status -> JobStatus,
        next_run_at -> Nullable<Timestamptz>,
        locked_until -> Nullable<Timestamptz>,
        lock_owner -> Nullable<Text>,
        lock_token -> Int8,
        input_tokens -> Int8,
        output_tokens -> Int8,
        reasoning_tokens -> Int8,
        cached_input_tokens -> Int8,
        total_tokens -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        definition_search -> Text,
    }
}

table! {
    use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Uuid};
    use super::sql_types::{MessageRole, MessageSource};

    messages (id) {
        id -> Uuid,
        user_id -> Uuid,
        job_id -> Uuid,
        role -> MessageRole,
        content -> Jsonb,
        source -> Nullable<MessageSource>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        content_search -> Nullable<Text>,
    }
}

table! {
    users (id) {
        id -> Uuid,
        name -> Nullable<Text>,
        email -> Nullable<Text>,
        email_verified_at -> Nullable<Timestamptz>,
        image -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

joinable!(messages -> jobs (job_id));
allow_tables_to_appear_in_same_query!(jobs, messages, users);
