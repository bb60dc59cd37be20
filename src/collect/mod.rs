//! Bytes in: follows files, containers and standard input, and cuts what they give into chunks. Understands no line.

pub mod docker;
