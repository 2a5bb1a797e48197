-- The sandboxes of all nodes on whichever network of the swarm, by name: a page of the topology is read from here.
CREATE INDEX attachment_sandbox_of_swarm ON attachment (sandbox_name, sandbox_id, node) WHERE gone = 0;
