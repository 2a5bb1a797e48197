-- Where the host's ports of a protocol end, and how long their longest run is: the highest, and those that meet some numbers, are found
-- without reading the others.
CREATE INDEX port_end_by ON port (protocol, published + count) WHERE direct = 0;
CREATE INDEX port_count_by ON port (protocol, count) WHERE direct = 0;
