-- Invoices and their lines; made with larder::create_schema.

CREATE TYPE "invoice_status" AS ENUM ('draft', 'sent', 'paid');
CREATE TABLE "invoices" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "number" text COLLATE "C" NOT NULL,
    "customer" text COLLATE "C" NOT NULL,
    "status" "invoice_status" NOT NULL DEFAULT 'draft',
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    "customer_search" text COLLATE "C" NOT NULL,
    CONSTRAINT "invoices_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "invoices_user_id_id_key" UNIQUE ("user_id", "id"),
    CONSTRAINT "invoices_user_id_number_key" UNIQUE ("user_id", "number"),
    CONSTRAINT "invoices_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "invoices_number_check" CHECK (length("number") BETWEEN 1 AND 40),
    CONSTRAINT "invoices_customer_check" CHECK (length("customer") BETWEEN 1 AND 200)
);
CREATE INDEX "invoices_user_id_created_at_id_idx" ON "invoices" ("user_id", "created_at", "id");
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXECUTE format('CREATE INDEX "invoices_trgm" ON "invoices" USING gin ("customer_search" %1$s.gin_trgm_ops)',
        (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm'));
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE WARNING 'invoices is searched without an index: %', SQLERRM;
END $$;
CREATE TABLE "invoice_lines" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "invoice_id" uuid NOT NULL,
    "text" text COLLATE "C" NOT NULL,
    "quantity" bigint NOT NULL,
    "cents" bigint NOT NULL,
    "created_at" timestamptz NOT NULL,
    "updated_at" timestamptz NOT NULL,
    CONSTRAINT "invoice_lines_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "invoice_lines_user_id_invoice_id_fkey" FOREIGN KEY ("user_id", "invoice_id") REFERENCES "invoices" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "invoice_lines_text_check" CHECK (length("text") BETWEEN 1 AND 500),
    CONSTRAINT "invoice_lines_quantity_check" CHECK ("quantity" >= 1),
    CONSTRAINT "invoice_lines_cents_check" CHECK ("cents" >= 0)
);
CREATE INDEX "invoice_lines_invoice_id_created_at_id_idx" ON "invoice_lines" ("invoice_id", "created_at", "id");
