//! logferry: a per-host log shipping agent.
//!
//! ```text
//! collect ─► decode ─► enrich ─► filter ─► mask ─► output ─► pack ─► queue ─► ship ─► track
//! bytes in   lines to   fixed     keep or   nothing  records   gzip    on disk  HTTP    what is safely
//! chunks     records    fields    drop      personal to bytes          when             delivered
//!                                           further                    needed
//! ```
//!
//! The rooms' names sort in the order of the flow. Imports point to a lower rank only; `tests/it/tidy.rs` keeps it so.

// Rank 0: nouns that all rooms share.
pub mod base;

// Rank 1: the stages, in the order of the flow.
pub mod collect;
pub mod decode;
pub mod enrich;
pub mod filter;
pub mod mask;
pub mod output;
pub mod pack;
pub mod queue;
pub mod ship;
pub mod track;

// Rank 2: the pure middle, the whole configuration, the agent's own face.
pub mod admin;
pub mod config;
pub mod pipeline;

// Rank 3: the wiring.
pub mod agent;

// Rank 4: arguments.
pub mod cli;
