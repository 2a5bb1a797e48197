-- Number of the event that last changed what a user wrote. `revision` moves for other reasons too: an orphan's mark, a removal, a
-- state of a lease. Of what is there already the two are not told apart.
ALTER TABLE network ADD COLUMN spec_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sandbox ADD COLUMN spec_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lease ADD COLUMN spec_revision INTEGER NOT NULL DEFAULT 0;

UPDATE network SET spec_revision = revision;
UPDATE sandbox SET spec_revision = revision;
UPDATE lease SET spec_revision = revision;
