//! The pieces of one output put together: tracker, queues, ways out, and the crash of all of them.

mod model;
mod world;
