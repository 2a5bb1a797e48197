//! Address decisions, pure: next free, overlap, capacity, subnets cut from default pools.
