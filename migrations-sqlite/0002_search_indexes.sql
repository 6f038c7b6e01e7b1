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
