-- A key is looked up as it is written, and searched for in any case: one index is good for both.
DROP INDEX lease_key;
CREATE INDEX lease_key ON lease (key COLLATE NOCASE) WHERE key IS NOT NULL;
