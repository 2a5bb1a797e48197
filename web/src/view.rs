//! View models: what a template needs, already formatted. A page's model is made of what control answered and a [`frame::Frame`];
//! a component is a small type that renders itself, so that a state or a time looks the same wherever it stands.

pub mod address;
pub mod chip;
pub mod drift;
pub mod endpoint;
pub mod events;
pub mod failure;
pub mod format;
pub mod frame;
pub mod ipam;
pub mod json;
pub mod leases;
pub mod link;
pub mod login;
pub mod map;
pub mod network;
pub mod networks;
pub mod object;
pub mod overview;
pub mod pool;
pub mod prose;
pub mod sandbox;
pub mod sandboxes;
pub mod search;
pub mod uses;
pub mod when;
