-- Published ports: `count` ports of the host from `published` on lead to as many of the endpoint's from `target` on. Ports of one
-- protocol never overlap on one address, and those on an unspecified address (0.0.0.0, ::) never with any of their family: whoever
-- writes has looked, since no index can say it.
CREATE TABLE port (
    endpoint_id  TEXT    NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    protocol     TEXT    NOT NULL CONSTRAINT port_protocol CHECK (protocol IN ('tcp', 'udp')),
    host_address TEXT    NOT NULL,
    published    INTEGER NOT NULL CONSTRAINT port_published CHECK (published BETWEEN 1 AND 65535),
    target       INTEGER NOT NULL CONSTRAINT port_target CHECK (target BETWEEN 1 AND 65535),
    count        INTEGER NOT NULL CONSTRAINT port_count CHECK (count BETWEEN 1 AND 4096),
    PRIMARY KEY (endpoint_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX port_published_by ON port (protocol, published);
