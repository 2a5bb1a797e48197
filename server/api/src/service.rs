//! What machines that watch over the service ask: is it alive, is it ready, what has it counted.

pub(crate) mod health;
pub(crate) mod metrics;
