-- What belongs to a job beside its messages: the endpoints it calls, what it remembers, its tasks.

CREATE TABLE "endpoints" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "job_id" BLOB NOT NULL,
    "name" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "method" TEXT NOT NULL DEFAULT 'GET',
    "headers" TEXT NOT NULL DEFAULT '{}',
    "bearer_token" TEXT,
    "request_schema" TEXT,
    "timeout_ms" INTEGER NOT NULL DEFAULT 5000,
    "fire_and_forget" INTEGER NOT NULL DEFAULT 0,
    "max_request_bytes" INTEGER NOT NULL DEFAULT 1048576,
    "max_response_bytes" INTEGER NOT NULL DEFAULT 5242880,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "name_search" TEXT NOT NULL,
    CONSTRAINT "endpoints_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "endpoints_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "endpoints_id_check" CHECK (length("id") = 16),
    CONSTRAINT "endpoints_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "endpoints_job_id_check" CHECK (length("job_id") = 16),
    CONSTRAINT "endpoints_name_check" CHECK (length("name") BETWEEN 1 AND 255),
    CONSTRAINT "endpoints_url_check" CHECK (length("url") BETWEEN 1 AND 2048 AND (substr("url", 1, 7) = 'http://' OR substr("url", 1, 8) = 'https://')),
    CONSTRAINT "endpoints_method_check" CHECK ("method" IN ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')),
    CONSTRAINT "endpoints_headers_check" CHECK (json_valid("headers")),
    CONSTRAINT "endpoints_bearer_token_check" CHECK (length("bearer_token") BETWEEN 1 AND 4096),
    CONSTRAINT "endpoints_request_schema_check" CHECK (json_valid("request_schema")),
    CONSTRAINT "endpoints_timeout_ms_check" CHECK ("timeout_ms" BETWEEN 1000 AND 30000),
    CONSTRAINT "endpoints_fire_and_forget_check" CHECK ("fire_and_forget" IN (0, 1)),
    CONSTRAINT "endpoints_max_request_bytes_check" CHECK ("max_request_bytes" BETWEEN 1024 AND 10485760),
    CONSTRAINT "endpoints_max_response_bytes_check" CHECK ("max_response_bytes" BETWEEN 1024 AND 52428800),
    CONSTRAINT "endpoints_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "endpoints_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "endpoints_job_id_created_at_id_idx" ON "endpoints" ("job_id", "created_at", "id");

CREATE TABLE "context_entries" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "job_id" BLOB NOT NULL,
    "key" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "key_search" TEXT NOT NULL,
    "value_search" TEXT NOT NULL,
    CONSTRAINT "context_entries_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "context_entries_user_id_job_id_key_key" UNIQUE ("user_id", "job_id", "key"),
    CONSTRAINT "context_entries_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "context_entries_id_check" CHECK (length("id") = 16),
    CONSTRAINT "context_entries_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "context_entries_job_id_check" CHECK (length("job_id") = 16),
    CONSTRAINT "context_entries_key_check" CHECK (length("key") BETWEEN 1 AND 255),
    CONSTRAINT "context_entries_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "context_entries_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "context_entries_job_id_created_at_id_idx" ON "context_entries" ("job_id", "created_at", "id");

CREATE TABLE "tasks" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "job_id" BLOB NOT NULL,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'PENDING',
    "started_at" INTEGER,
    "finished_at" INTEGER,
    "error" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "name_search" TEXT NOT NULL,
    CONSTRAINT "tasks_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "tasks_user_id_job_id_fkey" FOREIGN KEY ("user_id", "job_id") REFERENCES "jobs" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "tasks_id_check" CHECK (length("id") = 16),
    CONSTRAINT "tasks_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "tasks_job_id_check" CHECK (length("job_id") = 16),
    CONSTRAINT "tasks_name_check" CHECK (length("name") BETWEEN 1 AND 500),
    CONSTRAINT "tasks_status_check" CHECK ("status" IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED')),
    CONSTRAINT "tasks_started_at_check" CHECK ("started_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "tasks_finished_at_check" CHECK ("finished_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "tasks_error_check" CHECK (length("error") BETWEEN 0 AND 10000),
    CONSTRAINT "tasks_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "tasks_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "tasks_job_id_status_idx" ON "tasks" ("job_id", "status");
CREATE INDEX "tasks_job_id_created_at_id_idx" ON "tasks" ("job_id", "created_at", "id");
