-- Invoices and their lines; made with larder::create_schema.

CREATE TABLE "invoices" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "number" TEXT NOT NULL,
    "customer" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'draft',
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "customer_search" TEXT NOT NULL,
    CONSTRAINT "invoices_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "invoices_user_id_id_key" UNIQUE ("user_id", "id"),
    CONSTRAINT "invoices_user_id_number_key" UNIQUE ("user_id", "number"),
    CONSTRAINT "invoices_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "invoices_id_check" CHECK (length("id") = 16),
    CONSTRAINT "invoices_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "invoices_number_check" CHECK (length("number") BETWEEN 1 AND 40),
    CONSTRAINT "invoices_customer_check" CHECK (length("customer") BETWEEN 1 AND 200),
    CONSTRAINT "invoices_status_check" CHECK ("status" IN ('draft', 'sent', 'paid')),
    CONSTRAINT "invoices_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "invoices_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "invoices_user_id_created_at_id_idx" ON "invoices" ("user_id", "created_at", "id");
CREATE TABLE "invoice_lines" (
    "id" BLOB NOT NULL,
    "user_id" BLOB NOT NULL,
    "invoice_id" BLOB NOT NULL,
    "text" TEXT NOT NULL,
    "quantity" INTEGER NOT NULL,
    "cents" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    CONSTRAINT "invoice_lines_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "invoice_lines_user_id_invoice_id_fkey" FOREIGN KEY ("user_id", "invoice_id") REFERENCES "invoices" ("user_id", "id") ON DELETE CASCADE,
    CONSTRAINT "invoice_lines_id_check" CHECK (length("id") = 16),
    CONSTRAINT "invoice_lines_user_id_check" CHECK (length("user_id") = 16),
    CONSTRAINT "invoice_lines_invoice_id_check" CHECK (length("invoice_id") = 16),
    CONSTRAINT "invoice_lines_text_check" CHECK (length("text") BETWEEN 1 AND 500),
    CONSTRAINT "invoice_lines_quantity_check" CHECK ("quantity" >= 1),
    CONSTRAINT "invoice_lines_cents_check" CHECK ("cents" >= 0),
    CONSTRAINT "invoice_lines_created_at_check" CHECK ("created_at" BETWEEN -62135596800000000 AND 253402300799999999),
    CONSTRAINT "invoice_lines_updated_at_check" CHECK ("updated_at" BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;
CREATE INDEX "invoice_lines_invoice_id_created_at_id_idx" ON "invoice_lines" ("invoice_id", "created_at", "id");
