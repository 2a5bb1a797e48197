-- The join token that let a node in: one that is used up lets in again whom it let in, and nobody else. Its row may be gone.
ALTER TABLE node ADD COLUMN joined_by TEXT;
