-- What dry runs said they would do, for as long as that can be applied. Nothing else refers to it.
CREATE TABLE plan (
    id         TEXT    NOT NULL PRIMARY KEY,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    applied_at INTEGER,
    applied_by TEXT,
    head       TEXT    NOT NULL, -- JSON: what a list shows
    body       TEXT    NOT NULL, -- JSON: the whole plan, as it was answered
    recipe     TEXT    NOT NULL, -- JSON: how it is carried out again
    CONSTRAINT plan_applied CHECK ((applied_at IS NULL) = (applied_by IS NULL))
) STRICT;
CREATE INDEX plan_created_by ON plan (created_by, created_at, id);
CREATE INDEX plan_created_at ON plan (created_at, id);
CREATE INDEX plan_expires_at ON plan (expires_at);
