-- The indexes that search uses.

CREATE TABLE "users_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "users_trgm" USING fts5("name_search", "email_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "users_trgm_write" AFTER INSERT ON "users_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "users_trgm" (rowid, "name_search", "email_search") SELECT k."trgm", t."name_search", t."email_search" FROM "users_trgm_keys" AS k CROSS JOIN "users" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "users_trgm_insert" AFTER INSERT ON "users" BEGIN
    INSERT INTO "users_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "users_trgm_update" AFTER UPDATE OF "id", "name_search", "email_search" ON "users" WHEN old."id" IS NOT new."id" OR old."name_search" IS NOT new."name_search" OR old."email_search" IS NOT new."email_search" BEGIN
    INSERT INTO "users_trgm" ("users_trgm", rowid, "name_search", "email_search") SELECT 'delete', "trgm", old."name_search", old."email_search" FROM "users_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'users_trgm_keys');
    DELETE FROM "users_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "users_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "users_trgm_delete" AFTER DELETE ON "users" BEGIN
    INSERT INTO "users_trgm" ("users_trgm", rowid, "name_search", "email_search") SELECT 'delete', "trgm", old."name_search", old."email_search" FROM "users_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'users_trgm_keys');
    DELETE FROM "users_trgm_keys" WHERE "id" = old."id";
END;
INSERT INTO "users_trgm_keys" ("id") SELECT "id" FROM "users";

CREATE TABLE "jobs_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "jobs_trgm" USING fts5("definition_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "jobs_trgm_write" AFTER INSERT ON "jobs_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "jobs_trgm" (rowid, "definition_search") SELECT k."trgm", t."definition_search" FROM "jobs_trgm_keys" AS k CROSS JOIN "jobs" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "jobs_trgm_insert" AFTER INSERT ON "jobs" BEGIN
    INSERT INTO "jobs_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "jobs_trgm_update" AFTER UPDATE OF "id", "definition_search" ON "jobs" WHEN old."id" IS NOT new."id" OR old."definition_search" IS NOT new."definition_search" BEGIN
    INSERT INTO "jobs_trgm" ("jobs_trgm", rowid, "definition_search") SELECT 'delete', "trgm", old."definition_search" FROM "jobs_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'jobs_trgm_keys');
    DELETE FROM "jobs_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "jobs_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "jobs_trgm_delete" AFTER DELETE ON "jobs" BEGIN
    INSERT INTO "jobs_trgm" ("jobs_trgm", rowid, "definition_search") SELECT 'delete', "trgm", old."definition_search" FROM "jobs_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'jobs_trgm_keys');
    DELETE FROM "jobs_trgm_keys" WHERE "id" = old."id";
END;
INSERT INTO "jobs_trgm_keys" ("id") SELECT "id" FROM "jobs";

CREATE TABLE "messages_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "messages_trgm" USING fts5("content_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "messages_trgm_write" AFTER INSERT ON "messages_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "messages_trgm" (rowid, "content_search") SELECT k."trgm", t."content_search" FROM "messages_trgm_keys" AS k CROSS JOIN "messages" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "messages_trgm_insert" AFTER INSERT ON "messages" BEGIN
    INSERT INTO "messages_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "messages_trgm_update" AFTER UPDATE OF "id", "content_search" ON "messages" WHEN old."id" IS NOT new."id" OR old."content_search" IS NOT new."content_search" BEGIN
    INSERT INTO "messages_trgm" ("messages_trgm", rowid, "content_search") SELECT 'delete', "trgm", old."content_search" FROM "messages_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'messages_trgm_keys');
    DELETE FROM "messages_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "messages_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "messages_trgm_delete" AFTER DELETE ON "messages" BEGIN
    INSERT INTO "messages_trgm" ("messages_trgm", rowid, "content_search") SELECT 'delete', "trgm", old."content_search" FROM "messages_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'messages_trgm_keys');
    DELETE FROM "messages_trgm_keys" WHERE "id" = old."id";
END;
INSERT INTO "messages_trgm_keys" ("id") SELECT "id" FROM "messages";

CREATE TABLE "endpoints_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "endpoints_trgm" USING fts5("name_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "endpoints_trgm_write" AFTER INSERT ON "endpoints_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "endpoints_trgm" (rowid, "name_search") SELECT k."trgm", t."name_search" FROM "endpoints_trgm_keys" AS k CROSS JOIN "endpoints" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "endpoints_trgm_insert" AFTER INSERT ON "endpoints" BEGIN
    INSERT INTO "endpoints_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "endpoints_trgm_update" AFTER UPDATE OF "id", "name_search" ON "endpoints" WHEN old."id" IS NOT new."id" OR old."name_search" IS NOT new."name_search" BEGIN
    INSERT INTO "endpoints_trgm" ("endpoints_trgm", rowid, "name_search") SELECT 'delete', "trgm", old."name_search" FROM "endpoints_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'endpoints_trgm_keys');
    DELETE FROM "endpoints_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "endpoints_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "endpoints_trgm_delete" AFTER DELETE ON "endpoints" BEGIN
    INSERT INTO "endpoints_trgm" ("endpoints_trgm", rowid, "name_search") SELECT 'delete', "trgm", old."name_search" FROM "endpoints_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'endpoints_trgm_keys');
    DELETE FROM "endpoints_trgm_keys" WHERE "id" = old."id";
END;
INSERT INTO "endpoints_trgm_keys" ("id") SELECT "id" FROM "endpoints";

CREATE TABLE "context_entries_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "context_entries_trgm" USING fts5("key_search", "value_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "context_entries_trgm_write" AFTER INSERT ON "context_entries_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "context_entries_trgm" (rowid, "key_search", "value_search") SELECT k."trgm", t."key_search", t."value_search" FROM "context_entries_trgm_keys" AS k CROSS JOIN "context_entries" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "context_entries_trgm_insert" AFTER INSERT ON "context_entries" BEGIN
    INSERT INTO "context_entries_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "context_entries_trgm_update" AFTER UPDATE OF "id", "key_search", "value_search" ON "context_entries" WHEN old."id" IS NOT new."id" OR old."key_search" IS NOT new."key_search" OR old."value_search" IS NOT new."value_search" BEGIN
    INSERT INTO "context_entries_trgm" ("context_entries_trgm", rowid, "key_search", "value_search") SELECT 'delete', "trgm", old."key_search", old."value_search" FROM "context_entries_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'context_entries_trgm_keys');
    DELETE FROM "context_entries_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "context_entries_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "context_entries_trgm_delete" AFTER DELETE ON "context_entries" BEGIN
    INSERT INTO "context_entries_trgm" ("context_entries_trgm", rowid, "key_search", "value_search") SELECT 'delete', "trgm", old."key_search", old."value_search" FROM "context_entries_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'context_entries_trgm_keys');
    DELETE FROM "context_entries_trgm_keys" WHERE "id" = old."id";
END;
INSERT INTO "context_entries_trgm_keys" ("id") SELECT "id" FROM "context_entries";

CREATE TABLE "tasks_trgm_keys" (
    "trgm" INTEGER PRIMARY KEY AUTOINCREMENT,
    "id" BLOB NOT NULL,
    UNIQUE ("id")
) STRICT;
CREATE VIRTUAL TABLE "tasks_trgm" USING fts5("name_search", content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TRIGGER "tasks_trgm_write" AFTER INSERT ON "tasks_trgm_keys" WHEN new."trgm" % 64 = 0 BEGIN
    INSERT INTO "tasks_trgm" (rowid, "name_search") SELECT k."trgm", t."name_search" FROM "tasks_trgm_keys" AS k CROSS JOIN "tasks" AS t ON t."id" = k."id" WHERE k."trgm" > new."trgm" - 64;
END;
CREATE TRIGGER "tasks_trgm_insert" AFTER INSERT ON "tasks" BEGIN
    INSERT INTO "tasks_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "tasks_trgm_update" AFTER UPDATE OF "id", "name_search" ON "tasks" WHEN old."id" IS NOT new."id" OR old."name_search" IS NOT new."name_search" BEGIN
    INSERT INTO "tasks_trgm" ("tasks_trgm", rowid, "name_search") SELECT 'delete', "trgm", old."name_search" FROM "tasks_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'tasks_trgm_keys');
    DELETE FROM "tasks_trgm_keys" WHERE "id" = old."id";
    INSERT INTO "tasks_trgm_keys" ("id") VALUES (new."id");
END;
CREATE TRIGGER "tasks_trgm_delete" AFTER DELETE ON "tasks" BEGIN
    INSERT INTO "tasks_trgm" ("tasks_trgm", rowid, "name_search") SELECT 'delete', "trgm", old."name_search" FROM "tasks_trgm_keys" WHERE "id" = old."id" AND "trgm" <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'tasks_trgm_keys');
    DELETE FROM "tasks_trgm_keys" WHERE "id" = old."id";
END;
INSERT INTO "tasks_trgm_keys" ("id") SELECT "id" FROM "tasks";
