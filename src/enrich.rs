//! The fields that are the same for all lines of a source. Does not write them into records; `output` does.

use crate::base::records::{Fields, Key};
use crate::base::source::Source;

/// The fixed fields of a source's records.
#[must_use]
pub fn fields(source: &Source, host_name: &str) -> Fields {
    let mut fields = vec![
        (Key::ContainerName, source.container_name.clone()),
        (Key::ServiceName, source.service_name.clone()),
        (Key::HostName, host_name.to_owned()),
        (Key::SourceName, source.name.to_string()),
    ];
    if let Some(stream) = source.stream {
        fields.push((Key::Stream, stream.name().to_owned()));
    }
    if let Some(path) = &source.path {
        fields.push((Key::Filename, path.clone()));
    }
    Fields(fields)
}
