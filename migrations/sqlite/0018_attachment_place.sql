-- The nodes that have running sandboxes on a network, without reading all of its attachments.
CREATE INDEX attachment_place ON attachment (network_id, node, vtep) WHERE running = 1 AND gone = 0;
