//! The statements.

macro_rules! columns {
    () => {
        "id, user_id, definition, status::text, next_run_at, locked_until, lock_owner, lock_token, input_tokens, \
         output_tokens, reasoning_tokens, cached_input_tokens, total_tokens, created_at, updated_at"
    };
}

pub(crate) const GET: &str = concat!("SELECT ", columns!(), " FROM jobs WHERE id = $1 AND user_id = $2");

pub(crate) const API_KEY: &str = "SELECT id, user_id, name, description, key, secret_hash, secret_salt, scopes, last_used_at, expires_at, \
     revoked_at, created_at, updated_at FROM api_keys WHERE key = $1";

pub(crate) const INSERT: &str = "INSERT INTO jobs (id, user_id, definition, created_at, updated_at, definition_search) \
     VALUES ($1, $2, $3, $4, $4, $5)";

pub(crate) const UPDATE: &str = concat!(
    "UPDATE jobs SET definition = $3, definition_search = $4, updated_at = $5 \
     WHERE id = $1 AND user_id = $2 RETURNING ",
    columns!()
);

pub(crate) const DELETE: &str = "DELETE FROM jobs WHERE id = $1 AND user_id = $2";

pub(crate) const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM jobs WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 11"
);

pub(crate) const SEARCH: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM jobs WHERE user_id = $1 AND definition_search LIKE $2 ESCAPE '\\' \
     ORDER BY created_at DESC, id DESC LIMIT 11"
);

pub(crate) const MESSAGES: &str = "SELECT id, user_id, job_id, role::text, content, source::text, created_at, updated_at \
     FROM messages WHERE user_id = $1 AND job_id = ANY($2) ORDER BY created_at, id";

pub(crate) const OWNER: &str =
    "SELECT id, name, email, email_verified_at, image, created_at, updated_at FROM users WHERE id = $1";

pub(crate) const INSERT_MESSAGE: &str = "INSERT INTO messages (id, user_id, job_id, role, content, created_at, updated_at, content_search) \
     VALUES ($1, $2, $3, 'user', $4, $5, $5, $6)";

/// A materialized CTE holds its limit under every plan, and one statement needs no transaction around it.
pub(crate) const CLAIM: &str = concat!(
    "WITH due AS MATERIALIZED (SELECT id AS due_id FROM jobs \
     WHERE status = 'ACTIVE' AND next_run_at <= $1 AND (locked_until IS NULL OR locked_until <= $1) \
     ORDER BY next_run_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
     UPDATE jobs SET locked_until = $2, lock_owner = $3, lock_token = lock_token + 1, updated_at = $1 \
     FROM due WHERE id = due_id RETURNING ",
    columns!()
);

pub(crate) const COMPLETE: &str = concat!(
    "UPDATE jobs SET next_run_at = NULL, locked_until = NULL, lock_owner = NULL, input_tokens = input_tokens + 120, \
     output_tokens = output_tokens + 30, total_tokens = total_tokens + 150, updated_at = $3 \
     WHERE id = $1 AND lock_token = $2 AND locked_until IS NOT NULL RETURNING ",
    columns!()
);

pub(crate) const COPY: &str = "COPY jobs (id, user_id, definition, created_at, updated_at, definition_search) \
     FROM STDIN BINARY";

pub(crate) const UNNEST: &str = "INSERT INTO jobs (id, user_id, definition, created_at, updated_at, definition_search) \
     SELECT id, $1, definition, now, now, search \
     FROM UNNEST($2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) AS new (id, definition, now, search)";
