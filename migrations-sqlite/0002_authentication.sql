-- How users sign in: accounts at other providers, sessions, verification tokens, passkeys; and API keys.

CREATE TABLE "accounts" (
    "user_id" BLOB NOT NULL,
    "kind" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "provider_account_id" TEXT NOT NULL,
    "refresh_token" TEXT,
    "access_token" TEXT,
    "expires_at" INTEGER,
    "token_type" TEXT,
    "scope" TEXT,
    "id_token" TEXT,
    "session_state" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    CONSTRAINT "accounts_pkey" PRIMARY KEY ("provider", "provider_account_id"),
    CONSTRAINT "accounts_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "accounts_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "accounts_kind_check" CHECK ("kind" IN ('oauth', 'oidc', 'email', 'webauthn')),
    CONSTRAINT "accounts_provider_check" CHECK (length("provider") BETWEEN 1 AND 255),
    CONSTRAINT "accounts_provider_account_id_check" CHECK (length("provider_account_id") BETWEEN 1 AND 255),
    CONSTRAINT "accounts_refresh_token_check" CHECK (length("refresh_token") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_access_token_check" CHECK (length("access_token") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_expires_at_check" CHECK ("expires_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "accounts_token_type_check" CHECK (length("token_type") BETWEEN 0 AND 255),
    CONSTRAINT "accounts_scope_check" CHECK (length("scope") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_id_token_check" CHECK (length("id_token") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_session_state_check" CHECK (length("session_state") BETWEEN 0 AND 65536),
    CONSTRAINT "accounts_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "accounts_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "accounts_user_id_created_at_provider_provider_account_id_idx" ON "accounts" ("user_id", "created_at", "provider", "provider_account_id");

CREATE TABLE "sessions" (
    "session_token" TEXT NOT NULL,
    "user_id" BLOB NOT NULL,
    "expires_at" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    CONSTRAINT "sessions_pkey" PRIMARY KEY ("session_token"),
    CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "sessions_session_token_check" CHECK (length("session_token") BETWEEN 1 AND 512),
    CONSTRAINT "sessions_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "sessions_expires_at_check" CHECK ("expires_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "sessions_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "sessions_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "sessions_expires_at_idx" ON "sessions" ("expires_at");
CREATE INDEX "sessions_user_id_created_at_session_token_idx" ON "sessions" ("user_id", "created_at", "session_token");

CREATE TABLE "verification_tokens" (
    "identifier" TEXT NOT NULL,
    "token" TEXT NOT NULL,
    "expires_at" INTEGER NOT NULL,
    CONSTRAINT "verification_tokens_pkey" PRIMARY KEY ("identifier", "token"),
    CONSTRAINT "verification_tokens_identifier_check" CHECK (length("identifier") BETWEEN 1 AND 320),
    CONSTRAINT "verification_tokens_token_check" CHECK (length("token") BETWEEN 1 AND 255),
    CONSTRAINT "verification_tokens_expires_at_check" CHECK ("expires_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "verification_tokens_expires_at_idx" ON "verification_tokens" ("expires_at");

CREATE TABLE "authenticators" (
    "user_id" BLOB NOT NULL,
    "credential_id" TEXT NOT NULL,
    "provider_account_id" TEXT NOT NULL,
    "credential_public_key" TEXT NOT NULL,
    "counter" INTEGER NOT NULL,
    "credential_device_type" TEXT NOT NULL,
    "credential_backed_up" INTEGER NOT NULL,
    "transports" TEXT,
    CONSTRAINT "authenticators_pkey" PRIMARY KEY ("user_id", "credential_id"),
    CONSTRAINT "authenticators_credential_id_key" UNIQUE ("credential_id"),
    CONSTRAINT "authenticators_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "authenticators_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "authenticators_credential_id_check" CHECK (length("credential_id") BETWEEN 1 AND 1364),
    CONSTRAINT "authenticators_provider_account_id_check" CHECK (length("provider_account_id") BETWEEN 1 AND 255),
    CONSTRAINT "authenticators_credential_public_key_check" CHECK (length("credential_public_key") BETWEEN 1 AND 65536),
    CONSTRAINT "authenticators_counter_check" CHECK ("counter" >= 0),
    CONSTRAINT "authenticators_credential_device_type_check" CHECK (length("credential_device_type") BETWEEN 1 AND 255),
    CONSTRAINT "authenticators_credential_backed_up_check" CHECK ("credential_backed_up" IN (0, 1)),
    CONSTRAINT "authenticators_transports_check" CHECK (length("transports") BETWEEN 0 AND 255)
) STRICT;

CREATE TABLE "api_keys" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "key" TEXT NOT NULL,
    "secret_hash" BLOB NOT NULL,
    "secret_salt" BLOB NOT NULL,
    "scopes" TEXT NOT NULL DEFAULT '[]',
    "last_used_at" INTEGER,
    "expires_at" INTEGER,
    "revoked_at" INTEGER,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "api_keys_key_key" UNIQUE ("key"),
    CONSTRAINT "api_keys_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "api_keys_id_check" CHECK (length("id") = 16),
    CONSTRAINT "api_keys_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "api_keys_name_check" CHECK (length("name") BETWEEN 1 AND 255),
    CONSTRAINT "api_keys_description_check" CHECK (length("description") BETWEEN 0 AND 1000),
    CONSTRAINT "api_keys_key_check" CHECK (length("key") BETWEEN 24 AND 24),
    CONSTRAINT "api_keys_scopes_check" CHECK (json_valid("scopes")),
    CONSTRAINT "api_keys_last_used_at_check" CHECK ("last_used_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "api_keys_expires_at_check" CHECK ("expires_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "api_keys_revoked_at_check" CHECK ("revoked_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "api_keys_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "api_keys_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "api_keys_user_id_created_at_id_idx" ON "api_keys" ("user_id", "created_at", "id");
