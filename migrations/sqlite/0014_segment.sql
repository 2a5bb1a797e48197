-- Networks of the swarm on segments that are not Netloom's: how long a node's silence lasts before it takes its links there down, as far as the node
-- may know (in seconds, 0 is never); and nodes that were removed without a word, whose addresses there wait until they must have done so.
ALTER TABLE node ADD COLUMN segment_fence INTEGER NOT NULL DEFAULT 60;

CREATE TABLE fence (
    node     TEXT    NOT NULL PRIMARY KEY,
    hostname TEXT    NOT NULL,
    seconds  INTEGER NOT NULL, -- how long they wait in all, since the node was heard of last
    until    INTEGER NOT NULL  -- for people: by the clock at the time of removal
) STRICT;

-- On a worker: when its place there was renewed last, in milliseconds since this boot of its host.
CREATE TABLE renewal (
    one     INTEGER NOT NULL PRIMARY KEY CONSTRAINT renewal_is_one CHECK (one = 1),
    boot_id TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
