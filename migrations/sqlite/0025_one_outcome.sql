-- A request's ID is its client's to choose, and may be of thousands of things: what became of one of them is found by the object as well.
CREATE INDEX event_outcome ON event (object_id, request_id) WHERE request_id IS NOT NULL AND kind IN ('network.updated', 'sandbox.updated',
    'network.create_failed', 'network.update_failed', 'sandbox.create_failed', 'sandbox.update_failed');
CREATE INDEX audit_outcome ON audit (object_id, request_id, action) WHERE request_id IS NOT NULL AND event IS NOT NULL;
