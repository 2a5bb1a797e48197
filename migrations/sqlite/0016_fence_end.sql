-- When the addresses of a node that was removed wait no more, in milliseconds since a boot of the manager's host: a manager that starts anew goes on
-- waiting, and does not begin again. Unknown, or of another boot, all of it is waited for.
ALTER TABLE fence ADD COLUMN boot_id TEXT;
ALTER TABLE fence ADD COLUMN ends_at INTEGER;
