//! The nouns that every room shares, and a few small tools. Knows no stage.

pub mod backoff;
pub mod batch;
pub mod chunk;
pub mod clock;
pub mod counts;
pub mod durable;
pub mod failpoint;
pub mod fault;
pub mod identity;
pub mod json;
pub mod metrics;
pub mod quantity;
pub mod records;
pub mod secret;
pub mod seldom;
pub mod source;
