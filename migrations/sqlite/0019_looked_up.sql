-- What people look things up by: a reservation's key on whichever network, the events of one actor, and those of one kind. Within each the
-- number follows by itself, so that the latest come without sorting.
CREATE INDEX lease_key ON lease (key) WHERE key IS NOT NULL;
CREATE INDEX event_actor ON event (actor);
CREATE INDEX event_kind ON event (kind);
