-- Since when the adopted namespace of a sandbox is gone: from then its grace is counted. NULL where `orphaned` is.
ALTER TABLE sandbox ADD COLUMN orphaned_at INTEGER;

-- What is an orphan already became one at its latest such event; where that is no longer kept, with its last change.
UPDATE sandbox SET orphaned_at = COALESCE(
    (SELECT MAX(e.time) FROM event AS e WHERE e.object_id = sandbox.id AND e.kind = 'sandbox.orphaned'),
    sandbox.updated_at
) WHERE orphaned IS NOT NULL;

-- Nearly no sandbox is an orphan: only those are in the index.
CREATE INDEX sandbox_orphaned_at ON sandbox (orphaned_at) WHERE orphaned_at IS NOT NULL;
