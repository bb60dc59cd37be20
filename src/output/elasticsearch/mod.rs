//! The language of Elasticsearch 7 to 9 and OpenSearch 1 to 3: bulk requests, their answers, the index template. The
//! two products differ nowhere that matters here. Sends nothing.

mod answer;
mod bulk;
mod encode;
mod index;
mod rewrap;
mod template;
#[cfg(test)]
mod tests;

pub use answer::answer;
pub use bulk::{Item, items, push_create, target};
pub use rewrap::{rewrap, unwrap};
pub use template::{Presence, Template, presence, put};

pub(super) use encode::BulkEncoder;
pub(super) use index::{DEFAULT_INDEX, Pattern};
