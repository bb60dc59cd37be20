//! Against real engines, where the environment gives their URLs.
