-- A direct port is open at the endpoint's own address, with nothing translated (gateway mode `routed`): `host_address` is that address
-- and `published` is `target`. It takes no port of the host.
ALTER TABLE port ADD COLUMN direct INTEGER NOT NULL DEFAULT 0 CONSTRAINT port_direct CHECK (direct IN (0, 1));
