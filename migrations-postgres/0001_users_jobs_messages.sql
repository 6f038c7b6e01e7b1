-- Users, their jobs with leases, and the jobs' messages.

CREATE TABLE "users" (
    "id" uuid NOT NULL,
    "name" text COLLATE "C",
    "email" text COLLATE "C",
    "email_verified_at" timestamptz,
    "image" text COLLATE "C",
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "name_search" text COLLATE "C",
    "email_search" text COLLATE "C",
    CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "users_email_key" UNIQUE ("email"),
    CONSTRAINT "users_name_check" CHECK (length("name") BETWEEN 0 AND 1000),
    CONSTRAINT "users_email_check" CHECK (position('@' IN "email") > 1),
    CONSTRAINT "users_image_check" CHECK (length("image") BETWEEN 0 AND 2048)
);

CREATE TYPE "job_status" AS ENUM ('ACTIVE', 'PAUSED', 'ARCHIVED');

CREATE TABLE "jobs" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "definition" text COLLATE "C" NOT NULL,
    "status" "job_status" NOT NULL DEFAULT 'PAUSED',
    "next_run_at" timestamptz,
    "locked_until" timestamptz,
    "lock_owner" text COLLATE "C",
    "lock_token" bigint NOT NULL DEFAULT 0,
    "input_tokens" bigint NOT NULL DEFAULT 0,
    "output_tokens" bigint NOT NULL DEFAULT 0,
    "reasoning_tokens" bigint NOT NULL DEFAULT 0,
    "cached_input_tokens" bigint NOT NULL DEFAULT 0,
    "total_tokens" bigint NOT NULL DEFAULT 0,
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "definition_search" text COLLATE "C" NOT NULL,
    CONSTRAINT "jobs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "jobs_user_id_id_key" UNIQUE ("user_id", "id"),
    CONSTRAINT "jobs_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "jobs_definition_check" CHECK (length("definition") BETWEEN 5 AND 1000),
    CONSTRAINT "jobs_lock_owner_check" CHECK (length("lock_owner") BETWEEN 1 AND 255),
    CONSTRAINT "jobs_lock_token_check" CHECK ("lock_token" >= 0),
    CONSTRAINT "jobs_input_tokens_check" CHECK ("input_tokens" >= 0),
    CONSTRAINT "jobs_output_tokens_check" CHECK ("output_tokens" >= 0),
    CONSTRAINT "jobs_reasoning_tokens_check" CHECK ("reasoning_tokens" >= 0),
    CONSTRAINT "jobs_cached_input_tokens_check" CHECK ("cached_input_tokens" >= 0),
    CONSTRAINT "jobs_total_tokens_check" CHECK ("total_tokens" >= 0)
);
CREATE INDEX "jobs_user_id_created_at_id_idx" ON "jobs" ("user_id", "created_at", "id");
CREATE INDEX "jobs_next_run_at_id_idx" ON "jobs" ("next_run_at", "id") WHERE "status" = 'ACTIVE';

CREATE TYPE "message_role" AS ENUM ('system', 'user', 'assistant', 'tool');

CREATE TYPE "message_source" AS ENUM ('endpoint-response', 'scheduler', 'error-handler', 'unknown');

CREATE TABLE "messages" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "job_id" uuid NOT NULL,
    "role" "message_role" NOT NULL,
    "content" jsonb NOT NULL,
    "source" "message_source",
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "content_search" text COLLATE "C",
    CONSTRAINT "messages_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "messages_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE
);
CREATE INDEX "messages_job_id_created_at_id_idx" ON "messages" ("job_id", "created_at", "id");
