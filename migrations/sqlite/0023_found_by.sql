-- What people have at hand and search by: the ID of a request, and the name of a bridge on the host.
CREATE INDEX event_request_id ON event (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_request_id ON audit (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX network_bridge ON network (json_extract(spec, '$.bridge.interface_name'));
-- The endpoints of all nodes, on whichever network of the swarm, by name: a page of them is read from here.
CREATE INDEX attachment_by_name ON attachment (sandbox_name, id) WHERE gone = 0;
