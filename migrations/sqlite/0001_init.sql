-- The first schema. Conventions stand in migrations/README.md.

-- One row: what this database is.
CREATE TABLE meta (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    store_id   TEXT    NOT NULL,
    node_id    TEXT    NOT NULL,
    event_seq  INTEGER NOT NULL CHECK (event_seq >= 0), -- number of the latest event; counted up in the event's own transaction
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE network (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    driver     TEXT    NOT NULL,
    scope      TEXT    NOT NULL CONSTRAINT network_scope CHECK (scope IN ('local', 'swarm')),
    node       TEXT    NOT NULL,
    predefined INTEGER NOT NULL CONSTRAINT network_predefined CHECK (predefined IN (0, 1)),
    deleting   INTEGER NOT NULL CONSTRAINT network_deleting CHECK (deleting IN (0, 1)),
    parent     TEXT,
    spec       TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX network_name ON network (name);
CREATE INDEX network_parent ON network (parent) WHERE parent IS NOT NULL;

CREATE TABLE network_label (
    network_id TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (network_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX network_label_value ON network_label (key, value);

CREATE TABLE pool (
    id            INTEGER NOT NULL PRIMARY KEY,
    network_id    TEXT    NOT NULL REFERENCES network (id),
    key           TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    low           BLOB    NOT NULL CONSTRAINT pool_low CHECK (length(low) = 16),   -- the subnet's first address
    high          BLOB    NOT NULL CONSTRAINT pool_high CHECK (length(high) = 16), -- and its last
    prefix_length INTEGER NOT NULL CONSTRAINT pool_prefix_length CHECK (prefix_length BETWEEN 0 AND 128),
    range_low     BLOB    NOT NULL CONSTRAINT pool_range_low CHECK (length(range_low) = 16),
    range_high    BLOB    NOT NULL CONSTRAINT pool_range_high CHECK (length(range_high) = 16),
    gateway       BLOB    CONSTRAINT pool_gateway CHECK (length(gateway) = 16),
    automatic     INTEGER NOT NULL CONSTRAINT pool_automatic CHECK (automatic IN (0, 1)),
    CONSTRAINT pool_order CHECK (low <= range_low AND range_low <= range_high AND range_high <= high)
) STRICT;
CREATE UNIQUE INDEX pool_network_key ON pool (network_id, key);
CREATE INDEX pool_span ON pool (high, low);

-- Runs of addresses that nobody has. Runs of one pool never touch or overlap, so that order by `high` is order by `low`
-- and every question is one seek; taking the lowest address changes `low`, which is in no key but `size`'s.
CREATE TABLE free_range (
    pool_id INTEGER NOT NULL REFERENCES pool (id),
    low     BLOB    NOT NULL CONSTRAINT free_range_low CHECK (length(low) = 16),
    high    BLOB    NOT NULL CONSTRAINT free_range_high CHECK (length(high) = 16),
    size    BLOB    NOT NULL CONSTRAINT free_range_length CHECK (length(size) = 16), -- number of addresses, big-endian
    PRIMARY KEY (pool_id, high),
    CONSTRAINT free_range_order CHECK (low <= high)
) STRICT, WITHOUT ROWID;
CREATE INDEX free_range_size ON free_range (pool_id, size);

-- Counters of the leases, kept in step by every write to `lease`: a million leases are counted by one seek.
CREATE TABLE pool_count (
    pool_id  INTEGER NOT NULL REFERENCES pool (id),
    kind     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    leases   INTEGER NOT NULL, -- in the whole pool
    in_range INTEGER NOT NULL, -- those of them in the pool's range
    PRIMARY KEY (pool_id, kind, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE sandbox (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL CONSTRAINT sandbox_scope CHECK (scope IN ('local', 'swarm')),
    node       TEXT    NOT NULL,
    namespace  TEXT    NOT NULL,
    running    INTEGER NOT NULL CONSTRAINT sandbox_running CHECK (running IN (0, 1)),
    deleting   INTEGER NOT NULL CONSTRAINT sandbox_deleting CHECK (deleting IN (0, 1)),
    orphaned   TEXT,
    spec       TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sandbox_name ON sandbox (name);

CREATE TABLE sandbox_label (
    sandbox_id TEXT NOT NULL REFERENCES sandbox (id) ON DELETE CASCADE,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (sandbox_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX sandbox_label_value ON sandbox_label (key, value);

CREATE TABLE endpoint (
    id         TEXT    NOT NULL PRIMARY KEY,
    sandbox_id TEXT    NOT NULL REFERENCES sandbox (id),
    network_id TEXT    NOT NULL REFERENCES network (id),
    position   INTEGER NOT NULL,
    interface  TEXT,
    mac        TEXT,
    spec       TEXT    NOT NULL,
    deleting   INTEGER NOT NULL CONSTRAINT endpoint_deleting CHECK (deleting IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX endpoint_sandbox_position ON endpoint (sandbox_id, position);
CREATE UNIQUE INDEX endpoint_sandbox_network ON endpoint (sandbox_id, network_id) WHERE deleting = 0;
CREATE UNIQUE INDEX endpoint_sandbox_interface ON endpoint (sandbox_id, interface) WHERE deleting = 0;
CREATE UNIQUE INDEX endpoint_mac ON endpoint (mac);
CREATE INDEX endpoint_network ON endpoint (network_id, deleting);

-- `pool_id` and `endpoint_id` refer without a foreign key: pools go only with their network, which has one, and an
-- address is leased before the endpoint that carries it has its row.
CREATE TABLE lease (
    id          TEXT    NOT NULL PRIMARY KEY,
    network_id  TEXT    NOT NULL REFERENCES network (id),
    pool_id     INTEGER NOT NULL,
    scope       TEXT    NOT NULL CONSTRAINT lease_scope CHECK (scope IN ('local', 'swarm')),
    address     BLOB    NOT NULL CONSTRAINT lease_address_length CHECK (length(address) = 16),
    mac         TEXT,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    owner_kind  TEXT    NOT NULL,
    owner_id    TEXT,
    owner_name  TEXT    NOT NULL,
    node        TEXT    NOT NULL, -- the owner's
    endpoint_id TEXT,
    key         TEXT,
    spec        TEXT,
    until       INTEGER,
    revision    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX lease_address ON lease (address);
CREATE UNIQUE INDEX lease_network_key ON lease (network_id, key) WHERE key IS NOT NULL;
CREATE INDEX lease_network ON lease (network_id, address);
CREATE INDEX lease_mac ON lease (mac) WHERE mac IS NOT NULL;
CREATE INDEX lease_owner_id ON lease (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX lease_owner_name ON lease (owner_name);
CREATE INDEX lease_endpoint ON lease (endpoint_id) WHERE endpoint_id IS NOT NULL;
-- Nearly every lease is bound and most are dynamic: only the others are worth an index.
CREATE INDEX lease_state ON lease (state, address) WHERE state <> 'bound';
CREATE INDEX lease_kind ON lease (kind, network_id, address) WHERE kind <> 'dynamic';
CREATE INDEX lease_until ON lease (until) WHERE until IS NOT NULL;

-- Who had an address before. Names are as they were; nothing here refers to a row that may go.
CREATE TABLE lease_history (
    id         INTEGER NOT NULL PRIMARY KEY,
    address    BLOB    NOT NULL CONSTRAINT lease_history_address_length CHECK (length(address) = 16),
    lease_id   TEXT    NOT NULL,
    network_id TEXT    NOT NULL,
    network    TEXT    NOT NULL,
    pool       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    mac        TEXT,
    owner_kind TEXT    NOT NULL,
    owner_id   TEXT,
    owner_name TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    held_from  INTEGER NOT NULL,
    held_to    INTEGER NOT NULL
) STRICT;
CREATE INDEX lease_history_address ON lease_history (address, held_to);

CREATE TABLE event (
    seq         INTEGER NOT NULL PRIMARY KEY,
    time        INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    object_kind TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    object_name TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    request_id  TEXT
) STRICT;
CREATE INDEX event_object_id ON event (object_id);
CREATE INDEX event_object_name ON event (object_name);

CREATE TABLE token (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    hash       BLOB    NOT NULL CONSTRAINT token_hash_length CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE UNIQUE INDEX token_name ON token (name);

CREATE TABLE session (
    hash       BLOB    NOT NULL PRIMARY KEY CONSTRAINT session_hash_length CHECK (length(hash) = 32),
    token_id   TEXT    NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_token ON session (token_id);
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE login_link (
    hash       BLOB    NOT NULL PRIMARY KEY CONSTRAINT login_link_hash_length CHECK (length(hash) = 32),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
