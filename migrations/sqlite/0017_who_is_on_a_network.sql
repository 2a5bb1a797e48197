-- Who is on a network of the swarm, by name: a page of it is read from here.
CREATE INDEX attachment_sandbox_name ON attachment (network_id, sandbox_name, id) WHERE gone = 0;

-- On a worker: what the hosts of other nodes are called, as the manager said with their attachments.
CREATE TABLE replica_node (
    id       TEXT NOT NULL PRIMARY KEY,
    hostname TEXT NOT NULL
) STRICT;
