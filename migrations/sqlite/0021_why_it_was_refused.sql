-- What a problem said of what was denied or failed, and the field that it named. Entries that are there already have the code alone.
ALTER TABLE audit ADD COLUMN detail TEXT;
ALTER TABLE audit ADD COLUMN pointer TEXT;
