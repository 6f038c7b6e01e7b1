-- Users, their jobs with leases, and the jobs' messages. Times are microseconds since 1970, ids the 16 bytes
-- of a UUID.

CREATE TABLE "users" (
    "id" BLOB NOT NULL,
    "name" TEXT,
    "email" TEXT,
    "email_verified_at" INTEGER,
    "image" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "name_search" TEXT,
    "email_search" TEXT,
    CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "users_email_key" UNIQUE ("email"),
    CONSTRAINT "users_id_check" CHECK (length("id") = 16),
    CONSTRAINT "users_name_check" CHECK (length("name") BETWEEN 0 AND 1000),
    CONSTRAINT "users_email_check" CHECK (instr("email", '@') > 1),
    CONSTRAINT "users_email_verified_at_check" CHECK ("email_verified_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "users_image_check" CHECK (length("image") BETWEEN 0 AND 2048),
    CONSTRAINT "users_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "users_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;

CREATE TABLE "jobs" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "definition" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'PAUSED',
    "next_run_at" INTEGER,
    "locked_until" INTEGER,
    "lock_owner" TEXT,
    "lock_token" INTEGER NOT NULL DEFAULT 0,
    "input_tokens" INTEGER NOT NULL DEFAULT 0,
    "output_tokens" INTEGER NOT NULL DEFAULT 0,
    "reasoning_tokens" INTEGER NOT NULL DEFAULT 0,
    "cached_input_tokens" INTEGER NOT NULL DEFAULT 0,
    "total_tokens" INTEGER NOT NULL DEFAULT 0,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "definition_search" TEXT NOT NULL,
    CONSTRAINT "jobs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "jobs_user_id_id_key" UNIQUE ("user_id", "id"),
    CONSTRAINT "jobs_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "jobs_id_check" CHECK (length("id") = 16),
    CONSTRAINT "jobs_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "jobs_definition_check" CHECK (length("definition") BETWEEN 5 AND 1000),
    CONSTRAINT "jobs_status_check" CHECK ("status" IN ('ACTIVE', 'PAUSED', 'ARCHIVED')),
    CONSTRAINT "jobs_next_run_at_check" CHECK ("next_run_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "jobs_locked_until_check" CHECK ("locked_until" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "jobs_lock_owner_check" CHECK (length("lock_owner") BETWEEN 1 AND 255),
    CONSTRAINT "jobs_lock_token_check" CHECK ("lock_token" >= 0),
    CONSTRAINT "jobs_input_tokens_check" CHECK ("input_tokens" >= 0),
    CONSTRAINT "jobs_output_tokens_check" CHECK ("output_tokens" >= 0),
    CONSTRAINT "jobs_reasoning_tokens_check" CHECK ("reasoning_tokens" >= 0),
    CONSTRAINT "jobs_cached_input_tokens_check" CHECK ("cached_input_tokens" >= 0),
    CONSTRAINT "jobs_total_tokens_check" CHECK ("total_tokens" >= 0),
    CONSTRAINT "jobs_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "jobs_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "jobs_user_id_created_at_id_idx" ON "jobs" ("user_id", "created_at", "id");
CREATE INDEX "jobs_next_run_at_id_idx" ON "jobs" ("next_run_at", "id") WHERE "status" = 'ACTIVE';

CREATE TABLE "messages" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "job_id" BLOB NOT NULL,
    "role" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "source" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "content_search" TEXT,
    CONSTRAINT "messages_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "messages_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "messages_id_check" CHECK (length("id") = 16),
    CONSTRAINT "messages_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "messages_job_id_check" CHECK (length("job_id") = 16),
    CONSTRAINT "messages_role_check" CHECK ("role" IN ('system', 'user', 'assistant', 'tool')),
    CONSTRAINT "messages_content_check" CHECK (json_valid("content")),
    CONSTRAINT "messages_source_check" CHECK ("source" IN ('endpoint-response', 'scheduler', 'error-handler', 'unknown')),
    CONSTRAINT "messages_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "messages_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "messages_job_id_created_at_id_idx" ON "messages" ("job_id", "created_at", "id");
