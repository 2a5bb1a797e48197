-- Networks of the swarm, and who is on them from which node.
ALTER TABLE network ADD COLUMN vni INTEGER CONSTRAINT network_vni_range CHECK (vni BETWEEN 1 AND 16777215);
CREATE INDEX network_swarm ON network (scope, revision) WHERE scope = 'swarm';
CREATE UNIQUE INDEX network_vni ON network (vni) WHERE vni IS NOT NULL;

-- A sandbox's place on a network of the swarm, whichever node it is on: what nodes compute their forwarding from. On the manager it is the
-- truth, on a worker a copy of what concerns it. A row that is gone stays for a while as one that is, so that a node that was away can be told.
CREATE TABLE attachment (
    id           TEXT    NOT NULL PRIMARY KEY, -- the endpoint's
    network_id   TEXT    NOT NULL REFERENCES network (id),
    node         TEXT    NOT NULL,
    vtep         TEXT    NOT NULL, -- the node's address on the underlay
    sandbox_id   TEXT    NOT NULL,
    sandbox_name TEXT    NOT NULL,
    mac          TEXT    NOT NULL,
    addresses    TEXT    NOT NULL, -- JSON array of texts, IPv4 first; each is a lease
    aliases      TEXT    NOT NULL, -- JSON array
    running      INTEGER NOT NULL CONSTRAINT attachment_running CHECK (running IN (0, 1)),
    gone         INTEGER NOT NULL CONSTRAINT attachment_gone CHECK (gone IN (0, 1)),
    revision     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX attachment_node_sandbox_network ON attachment (node, sandbox_id, network_id) WHERE gone = 0;
CREATE INDEX attachment_network ON attachment (network_id, revision);
CREATE INDEX attachment_revision ON attachment (revision);
CREATE INDEX attachment_mac ON attachment (network_id, mac) WHERE gone = 0;
CREATE INDEX attachment_sandbox ON attachment (sandbox_id);
CREATE INDEX attachment_gone ON attachment (updated_at) WHERE gone = 1;

-- What a worker has copied of its manager's store, and its own place on the underlay as the manager knows it.
CREATE TABLE replica (
    one            INTEGER NOT NULL PRIMARY KEY CONSTRAINT replica_is_one CHECK (one = 1),
    store_id       TEXT    NOT NULL,
    revision       INTEGER NOT NULL,
    vtep           TEXT    NOT NULL,
    data_path_port INTEGER NOT NULL
) STRICT;
