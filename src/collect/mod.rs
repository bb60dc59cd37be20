//! Bytes in: finds sources, reads them, and cuts what they say into chunks of whole lines. Does not look into lines
//! and saves nothing: where reading goes on is decided by `track`.

pub mod discover;
pub mod docker;
pub mod file;
pub mod identity;
pub mod lines;
pub mod stdin;
