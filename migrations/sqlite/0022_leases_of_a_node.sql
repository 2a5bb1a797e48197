-- Leases of another node of the swarm are found by it. Those on networks of this host alone are this node's own: they need no index, and their writes are not to pay for one.
CREATE INDEX lease_node ON lease (node, address) WHERE scope = 'swarm';
