-- The swarm that this host manages, with its certificate authority: at most one, and none on a worker.
CREATE TABLE swarm (
    one            INTEGER NOT NULL PRIMARY KEY CONSTRAINT swarm_is_one CHECK (one = 1),
    id             TEXT    NOT NULL,
    spec           TEXT    NOT NULL,
    ca_certificate TEXT    NOT NULL,
    ca_key         TEXT    NOT NULL,
    revision       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- What this host is in a swarm, as manager or worker: its key and certificate, and what is known of the swarm.
CREATE TABLE membership (
    one         INTEGER NOT NULL PRIMARY KEY CONSTRAINT membership_is_one CHECK (one = 1),
    swarm_id    TEXT    NOT NULL,
    role        TEXT    NOT NULL CONSTRAINT membership_role CHECK (role IN ('manager', 'worker')),
    key         TEXT    NOT NULL,
    certificate TEXT    NOT NULL,
    ca          TEXT    NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    manager     TEXT    NOT NULL,
    address     TEXT,
    described   TEXT    NOT NULL
) STRICT;

-- The nodes of the swarm that this host manages. One has one good certificate, by its fingerprint; `former_fingerprint` is good as well until
-- the new one was used. `down_at` is since when it is known to be down, for the events: where it stands now is in memory.
CREATE TABLE node (
    id                     TEXT    NOT NULL PRIMARY KEY,
    role                   TEXT    NOT NULL CONSTRAINT node_role CHECK (role IN ('manager', 'worker')),
    spec                   TEXT    NOT NULL,
    hostname               TEXT    NOT NULL,
    address                TEXT    NOT NULL,
    version                TEXT    NOT NULL,
    fingerprint            TEXT    NOT NULL,
    former_fingerprint     TEXT,
    used                   INTEGER NOT NULL CONSTRAINT node_used CHECK (used IN (0, 1)),
    certificate_issued_at  INTEGER NOT NULL,
    certificate_expires_at INTEGER NOT NULL,
    readmission_asked_at   INTEGER,
    readmission_until      INTEGER,
    last_seen              INTEGER,
    down_at                INTEGER,
    revision               INTEGER NOT NULL,
    spec_revision          INTEGER NOT NULL,
    created_at             INTEGER NOT NULL,
    updated_at             INTEGER NOT NULL
) STRICT;
CREATE INDEX node_hostname ON node (hostname, id);
CREATE INDEX node_created_at ON node (created_at, id);

CREATE TABLE node_label (
    node_id TEXT NOT NULL REFERENCES node (id) ON DELETE CASCADE,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (node_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_label_value ON node_label (key, value);

-- Tokens that let nodes join; of a secret only the hash is here. `expires_at` is the end in the spec as a time.
CREATE TABLE join_token (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL CONSTRAINT join_token_role CHECK (role IN ('manager', 'worker')),
    spec         TEXT    NOT NULL,
    hash         BLOB    NOT NULL CONSTRAINT join_token_hash_length CHECK (length(hash) = 32),
    max_uses     INTEGER,
    uses         INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    revision     INTEGER NOT NULL,
    CONSTRAINT join_token_uses CHECK (uses >= 0 AND (max_uses IS NULL OR uses <= max_uses))
) STRICT;
CREATE UNIQUE INDEX join_token_name ON join_token (name);
CREATE UNIQUE INDEX join_token_hash ON join_token (hash);
