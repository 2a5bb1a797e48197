-- Tokens: who made one, the event that told of it, when it was used last, and its end as it was written (`expires_at` is the same
-- as a time). Those that are there already were made by Netloom itself, and no event told of them.
ALTER TABLE token ADD COLUMN created_by TEXT NOT NULL DEFAULT 'netloom';
ALTER TABLE token ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN last_used_at INTEGER;
ALTER TABLE token ADD COLUMN expires_given TEXT;

-- A session that a login link opened stands for no token: it lasts whatever becomes of them.
CREATE TABLE session_of_any (
    hash       BLOB    NOT NULL PRIMARY KEY CONSTRAINT session_hash_length CHECK (length(hash) = 32),
    token_id   TEXT    REFERENCES token (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO session_of_any (hash, token_id, created_at, expires_at) SELECT hash, token_id, created_at, expires_at FROM session;
DROP TABLE session;
ALTER TABLE session_of_any RENAME TO session;
CREATE INDEX session_token ON session (token_id);
CREATE INDEX session_expires ON session (expires_at);

-- Who asked for what, from where, and what came of it. An entry of a change is written in the change's own transaction. Names are
-- as they were; nothing here refers to a row that may go.
CREATE TABLE audit (
    seq         INTEGER NOT NULL PRIMARY KEY,
    time        INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    role        TEXT,
    token_id    TEXT,
    source      TEXT,
    request_id  TEXT,
    method      TEXT,
    path        TEXT,
    action      TEXT    NOT NULL,
    object_kind TEXT,
    object_id   TEXT,
    object_name TEXT,
    decision    TEXT    NOT NULL CONSTRAINT audit_decision CHECK (decision IN ('allowed', 'denied', 'failed')),
    code        TEXT,
    event       INTEGER,
    spec_before TEXT,
    spec_after  TEXT
) STRICT;
CREATE INDEX audit_time ON audit (time);
CREATE INDEX audit_actor ON audit (actor);
CREATE INDEX audit_object_id ON audit (object_id) WHERE object_id IS NOT NULL;
CREATE INDEX audit_object_name ON audit (object_name) WHERE object_name IS NOT NULL;
-- Nearly all is allowed: only the rest is worth an index.
CREATE INDEX audit_decision ON audit (decision) WHERE decision <> 'allowed';

-- Entries are only ever added. What is more than 365 days older than the latest may go, so that the table has an end.
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is never changed');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN OLD.time > (SELECT MAX(time) FROM audit) - 31536000000
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is kept for 365 days');
END;
