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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::{Kind, SourceId, Stream};

    fn check(stream: Option<Stream>, path: Option<&str>, last: &[(Key, &str)]) {
        let source = Source {
            id: SourceId::new(1),
            kind: Kind::File,
            name: "shop".into(),
            container_name: "web-1".into(),
            service_name: "web".into(),
            stream,
            path: path.map(str::to_owned),
            mask: None,
            timezone: "utc".into(),
        };
        let Fields(fields) = fields(&source, "node7");
        let first = [
            (Key::ContainerName, "web-1"),
            (Key::ServiceName, "web"),
            (Key::HostName, "node7"),
            (Key::SourceName, "shop"),
        ];
        let wanted = first.iter().chain(last).map(|(key, value)| (*key, (*value).to_owned()));
        assert_eq!(fields, wanted.collect::<Vec<_>>());
        assert!(fields.is_sorted_by_key(|(key, _)| *key as u8), "in the order of `Key::ALL`");
    }

    #[test]
    fn a_source_gives_the_fields_that_it_has() {
        check(Some(Stream::Stderr), None, &[(Key::Stream, "stderr")]);
        check(None, Some("/var/log/a.log"), &[(Key::Filename, "/var/log/a.log")]);
        check(None, None, &[]);
    }
}
