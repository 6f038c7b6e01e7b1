-- What belongs to a job beside its messages: the endpoints it calls, what it remembers, its tasks.

CREATE TYPE "http_method" AS ENUM ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');

CREATE TABLE "endpoints" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "job_id" uuid NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "url" text COLLATE "C" NOT NULL,
    "method" "http_method" NOT NULL DEFAULT 'GET',
    "headers" jsonb NOT NULL DEFAULT '{}',
    "bearer_token" text COLLATE "C",
    "request_schema" jsonb,
    "timeout_ms" bigint NOT NULL DEFAULT 5000,
    "fire_and_forget" boolean NOT NULL DEFAULT false,
    "max_request_bytes" bigint NOT NULL DEFAULT 1048576,
    "max_response_bytes" bigint NOT NULL DEFAULT 5242880,
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "name_search" text COLLATE "C" NOT NULL,
    CONSTRAINT "endpoints_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "endpoints_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "endpoints_name_check" CHECK (length("name") BETWEEN 1 AND 255),
    CONSTRAINT "endpoints_url_check" CHECK (length("url") BETWEEN 1 AND 2048 AND (substr("url", 1, 7) = 'http://' OR substr("url", 1, 8) = 'https://')),
    CONSTRAINT "endpoints_bearer_token_check" CHECK (length("bearer_token") BETWEEN 1 AND 4096),
    CONSTRAINT "endpoints_timeout_ms_check" CHECK ("timeout_ms" BETWEEN 1000 AND 30000),
    CONSTRAINT "endpoints_max_request_bytes_check" CHECK ("max_request_bytes" BETWEEN 1024 AND 10485760),
    CONSTRAINT "endpoints_max_response_bytes_check" CHECK ("max_response_bytes" BETWEEN 1024 AND 52428800)
);
CREATE INDEX "endpoints_job_id_created_at_id_idx" ON "endpoints" ("job_id", "created_at", "id");

CREATE TABLE "context_entries" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "job_id" uuid NOT NULL,
    "key" text COLLATE "C" NOT NULL,
    "value" text COLLATE "C" NOT NULL,
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "key_search" text COLLATE "C" NOT NULL,
    "value_search" text COLLATE "C" NOT NULL,
    CONSTRAINT "context_entries_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "context_entries_user_id_job_id_key_key" UNIQUE ("user_id", "job_id", "key"),
    CONSTRAINT "context_entries_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "context_entries_key_check" CHECK (length("key") BETWEEN 1 AND 255)
);
CREATE INDEX "context_entries_job_id_created_at_id_idx" ON "context_entries" ("job_id", "created_at", "id");

CREATE TYPE "task_status" AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED');

CREATE TABLE "tasks" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "job_id" uuid NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "status" "task_status" NOT NULL DEFAULT 'PENDING',
    "started_at" timestamptz,
    "finished_at" timestamptz,
    "error" text COLLATE "C",
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "name_search" text COLLATE "C" NOT NULL,
    CONSTRAINT "tasks_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "tasks_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "tasks_name_check" CHECK (length("name") BETWEEN 1 AND 500),
    CONSTRAINT "tasks_error_check" CHECK (length("error") BETWEEN 0 AND 10000)
);
CREATE INDEX "tasks_job_id_status_idx" ON "tasks" ("job_id", "status");
CREATE INDEX "tasks_job_id_created_at_id_idx" ON "tasks" ("job_id", "created_at", "id");
