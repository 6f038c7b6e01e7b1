-- How users sign in: accounts at other providers, sessions, verification tokens, passkeys; and API keys.

CREATE TYPE "account_kind" AS ENUM ('oauth', 'oidc', 'email', 'webauthn');

CREATE TABLE "accounts" (
    "user_id" uuid NOT NULL,
    "kind" "account_kind" NOT NULL,
    "provider" text COLLATE "C" NOT NULL,
    "provider_account_id" text COLLATE "C" NOT NULL,
    "refresh_token" text COLLATE "C",
    "access_token" text COLLATE "C",
    "expires_at" timestamptz,
    "token_type" text COLLATE "C",
    "scope" text COLLATE "C",
    "id_token" text COLLATE "C",
    "session_state" text COLLATE "C",
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    CONSTRAINT "accounts_pkey" PRIMARY KEY ("provider", "provider_account_id"),
    CONSTRAINT "accounts_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "accounts_provider_check" CHECK (length("provider") BETWEEN 1 AND 255),
    CONSTRAINT "accounts_provider_account_id_check" CHECK (length("provider_account_id") BETWEEN 1 AND 255),
    CONSTRAINT "accounts_refresh_token_check" CHECK (length("refresh_token") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_access_token_check" CHECK (length("access_token") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_token_type_check" CHECK (length("token_type") BETWEEN 0 AND 255),
    CONSTRAINT "accounts_scope_check" CHECK (length("scope") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_id_token_check" CHECK (length("id_token") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_session_state_check" CHECK (length("session_state") BETWEEN 0 AND 65536)
);
CREATE INDEX "accounts_user_id_created_at_provider_provider_account_id_idx" ON "accounts" ("user_id", "created_at", "provider", "provider_account_id");

CREATE TABLE "sessions" (
    "session_token" text COLLATE "C" NOT NULL,
    "user_id" uuid NOT NULL,
    "expires_at" timestamptz NOT NULL,
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    CONSTRAINT "sessions_pkey" PRIMARY KEY ("session_token"),
    CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "sessions_session_token_check" CHECK (length("session_token") BETWEEN 1 AND 512)
);
CREATE INDEX "sessions_expires_at_idx" ON "sessions" ("expires_at");
CREATE INDEX "sessions_user_id_created_at_session_token_idx" ON "sessions" ("user_id", "created_at", "session_token");

CREATE TABLE "verification_tokens" (
    "identifier" text COLLATE "C" NOT NULL,
    "token" text COLLATE "C" NOT NULL,
    "expires_at" timestamptz NOT NULL,
    CONSTRAINT "verification_tokens_pkey" PRIMARY KEY ("identifier", "token"),
    CONSTRAINT "verification_tokens_identifier_check" CHECK (length("identifier") BETWEEN 1 AND 320),
    CONSTRAINT "verification_tokens_token_check" CHECK (length("token") BETWEEN 1 AND 255)
);
CREATE INDEX "verification_tokens_expires_at_idx" ON "verification_tokens" ("expires_at");

CREATE TABLE "authenticators" (
    "user_id" uuid NOT NULL,
    "credential_id" text COLLATE "C" NOT NULL,
    "provider_account_id" text COLLATE "C" NOT NULL,
    "credential_public_key" text COLLATE "C" NOT NULL,
    "counter" bigint NOT NULL,
    "credential_device_type" text COLLATE "C" NOT NULL,
    "credential_backed_up" boolean NOT NULL,
    "transports" text COLLATE "C",
    CONSTRAINT "authenticators_pkey" PRIMARY KEY ("user_id", "credential_id"),
    CONSTRAINT "authenticators_credential_id_key" UNIQUE ("credential_id"),
    CONSTRAINT "authenticators_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "authenticators_credential_id_check" CHECK (length("credential_id") BETWEEN 1 AND 1364),
    CONSTRAINT "authenticators_provider_account_id_check" CHECK (length("provider_account_id") BETWEEN 1 AND 255),
    CONSTRAINT "authenticators_credential_public_key_check" CHECK (length("credential_public_key") BETWEEN 1 AND 65536),
    CONSTRAINT "authenticators_counter_check" CHECK ("counter" >= 0),
    CONSTRAINT "authenticators_credential_device_type_check" CHECK (length("credential_device_type") BETWEEN 1 AND 255),
    CONSTRAINT "authenticators_transports_check" CHECK (length("transports") BETWEEN 0 AND 255)
);

CREATE TABLE "api_keys" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "description" text COLLATE "C",
    "key" text COLLATE "C" NOT NULL,
    "secret_hash" bytea NOT NULL,
    "secret_salt" bytea NOT NULL,
    "scopes" jsonb NOT NULL DEFAULT '[]',
    "last_used_at" timestamptz,
    "expires_at" timestamptz,
    "revoked_at" timestamptz,
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "api_keys_key_key" UNIQUE ("key"),
    CONSTRAINT "api_keys_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "api_keys_name_check" CHECK (length("name") BETWEEN 1 AND 255),
    CONSTRAINT "api_keys_description_check" CHECK (length("description") BETWEEN 0 AND 1000),
    CONSTRAINT "api_keys_key_check" CHECK (length("key") BETWEEN 24 AND 24)
);
CREATE INDEX "api_keys_user_id_created_at_id_idx" ON "api_keys" ("user_id", "created_at", "id");
