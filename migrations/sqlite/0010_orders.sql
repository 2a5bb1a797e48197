-- Lists come in other orders than by name and address, too: each is an index in which the ID follows, for pages to go on from.
CREATE INDEX network_created_at ON network (created_at, id);
CREATE INDEX sandbox_created_at ON sandbox (created_at, id);
CREATE INDEX lease_created_at ON lease (created_at, id);
DROP INDEX lease_owner_name;
CREATE INDEX lease_owner_name ON lease (owner_name, id);
DROP INDEX pool_span;
CREATE INDEX pool_span ON pool (high, id, low);
