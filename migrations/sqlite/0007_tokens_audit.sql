-- Tokens: who made one, the event that told of it, when it was used last, and its end as it was written (`expires_at` is the same
-- as a time). Those that are there already were made by Netloom itself, and no event told of them.
ALTER TABLE token ADD COLUMN created_by TEXT NOT NULL DEFAULT 'netloom';
ALTER TABLE token ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN last_used_at INTEGER;
ALTER TABLE token ADD COLUMN expires_given TEXT;

-- A login link, and the session that it opens, end with the token with which the link was made. Only root on the host makes one without:
-- at the local socket, or at the console of the start. Who made the links that are there is not known, so that they go.
DELETE FROM login_link;
ALTER TABLE login_link ADD COLUMN token_id TEXT REFERENCES token (id) ON DELETE CASCADE;
CREATE INDEX login_link_token ON login_link (token_id);

CREATE TABLE session_of_any (
    hash       BLOB    NOT NULL PRIMARY KEY CONSTRAINT session_hash_length CHECK (length(hash) = 32),
    token_id   TEXT    REFERENCES token (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    by_link    INTEGER NOT NULL DEFAULT 0 CONSTRAINT session_by_link CHECK (by_link IN (0, 1)),
    CONSTRAINT session_stands_for_something CHECK (token_id IS NOT NULL OR by_link = 1)
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

-- Entries are only ever added, each with the next number: an INSERT OR REPLACE would take another's place, past the triggers below.
CREATE TRIGGER audit_is_added_to BEFORE INSERT ON audit
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is added with the next number');
END;
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is never changed');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN OLD.time >= COALESCE((SELECT time FROM audit_horizon), 0) OR OLD.seq = (SELECT MAX(seq) FROM audit)
BEGIN
    SELECT RAISE(ABORT, 'an audit entry is kept for 365 days');
END;

-- Only what is older than this may go, so that the table has an end. It is moved on with the time for which Netloom runs, not with the
-- clock alone: a clock that jumps ahead must not empty the table. The latest entry stays, so that no number is given twice.
CREATE TABLE audit_horizon (
    id   INTEGER NOT NULL PRIMARY KEY CONSTRAINT audit_horizon_is_one CHECK (id = 1),
    time INTEGER NOT NULL
) STRICT;
INSERT INTO audit_horizon (id, time) VALUES (1, 0);
CREATE TRIGGER audit_horizon_is_moved_slowly BEFORE UPDATE ON audit_horizon
WHEN NEW.time > MAX(OLD.time, COALESCE((SELECT MIN(time) FROM audit), 0) - 2592000000) + 86400000
BEGIN
    SELECT RAISE(ABORT, 'the horizon of the audit moves by a day at most');
END;
CREATE TRIGGER audit_horizon_is_not_replaced BEFORE INSERT ON audit_horizon
BEGIN
    SELECT RAISE(ABORT, 'the audit has one horizon');
END;
CREATE TRIGGER audit_horizon_stays BEFORE DELETE ON audit_horizon
BEGIN
    SELECT RAISE(ABORT, 'the audit has a horizon');
END;
