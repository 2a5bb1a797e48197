-- What dry runs said they would do, for as long as that can be applied. Nothing else refers to it.
CREATE TABLE plan (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL, -- what nobody else has or will have of who asked: a token's ID, else the name
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    applied_at INTEGER,
    applied_by TEXT,
    head       TEXT    NOT NULL, -- JSON: what a list shows
    body       TEXT    NOT NULL, -- JSON: the whole plan, as it was answered
    recipe     TEXT    NOT NULL, -- JSON: how it is carried out again
    size       INTEGER NOT NULL, -- bytes of the three
    CONSTRAINT plan_applied CHECK ((applied_at IS NULL) = (applied_by IS NULL))
) STRICT;
CREATE INDEX plan_owner ON plan (owner, created_at, id);
CREATE INDEX plan_created_at ON plan (created_at, id);
CREATE INDEX plan_expires_at ON plan (expires_at);
