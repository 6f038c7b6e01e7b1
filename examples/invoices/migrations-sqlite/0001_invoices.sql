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
CREATE TABLE "invoices_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "invoices_trgm" USING fts5("customer_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "invoices_trgm_write" AFTER INSERT ON "invoices_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "invoices_trgm" (rowid, "customer_search") SELECT k."trgm", t."customer_search" FROM "invoices_trgm_keys" AS k CROSS JOIN "invoices" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "invoices_trgm_insert" AFTER INSERT ON "invoices" BEGIN
    INSERT INTO "invoices_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "invoices_trgm_update" AFTER UPDATE OF "id", "customer_search" ON "invoices" WHEN old."id" IS NOT new."id" OR old."customer_search" IS NOT new."customer_search" BEGIN
    INSERT INTO "invoices_trgm" ("invoices_trgm", rowid, "customer_search") SELECT 'delete', "trgm", old."customer_search" FROM "invoices_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'invoices_trgm_keys');
    DELETE FROM "invoices_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "invoices_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "invoices_trgm_delete" AFTER DELETE ON "invoices" BEGIN
    INSERT INTO "invoices_trgm" ("invoices_trgm", rowid, "customer_search") SELECT 'delete', "trgm", old."customer_search" FROM "invoices_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'invoices_trgm_keys');
    DELETE FROM "invoices_trgm_keys" WHERE "id" = old."id";
END;
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
