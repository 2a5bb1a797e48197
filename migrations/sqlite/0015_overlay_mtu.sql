-- What each node's link on the underlay leaves of its MTU for overlay networks, in bytes, as the node said last: the least is every node's. On a
-- worker the least is what its manager said.
ALTER TABLE node ADD COLUMN overlay_mtu INTEGER CONSTRAINT node_overlay_mtu_range CHECK (overlay_mtu BETWEEN 0 AND 4294967295);
ALTER TABLE replica ADD COLUMN overlay_mtu INTEGER CONSTRAINT replica_overlay_mtu_range CHECK (overlay_mtu BETWEEN 0 AND 4294967295);
