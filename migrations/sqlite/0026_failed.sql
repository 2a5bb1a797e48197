-- Which request of an object failed after all, by when: a holding that began in one of them was taken back with it.
CREATE INDEX event_failed ON event (object_id, time) WHERE kind IN ('network.create_failed', 'network.update_failed', 'sandbox.create_failed',
    'sandbox.update_failed');
