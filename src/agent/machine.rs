//! What the agent asks of its machine once, at its start. Without an answer it goes on.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to the hard limit: each followed file and each container is one, and the usual soft
/// limit of 1024 is meant for programs that use `select` (<https://0pointer.net/blog/file-descriptor-limits.html>).
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("cannot raise the limit of open files: {error}; files above it wait until others are closed");
    }
}

/// The id that tells this machine from others, also from those cloned from one image: machine-id(5). Empty where there
/// is none, as in most containers: mount the host's there.
pub fn id() -> String {
    std::fs::read_to_string("/etc/machine-id").ok().and_then(|text| parse_id(&text)).unwrap_or_default()
}

/// 32 hexadecimal digits; an image that has not been started yet says `uninitialized`.
fn parse_id(text: &str) -> Option<String> {
    let id = text.trim_end();
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_to_the_hard_one() {
        let mut limit = getrlimit(Resource::Nofile);
        let hard = limit.maximum;
        // One less is enough to see it raised, and harms no test beside this one.
        limit.current = hard.map(|files| files - 1);
        setrlimit(Resource::Nofile, limit).unwrap();
        raise_open_files();
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
    }

    #[test]
    fn a_machine_id_is_32_hexadecimal_digits() {
        let id = "0123456789abcdef0123456789abcdef";
        for (text, parsed) in [
            (format!("{id}\n"), Some(id)),
            (id.to_owned(), Some(id)),
            (String::new(), None),
            ("uninitialized\n".to_owned(), None),
            (format!("{id}0\n"), None),
            (id.replace('f', "g"), None),
        ] {
            assert_eq!(parse_id(&text).as_deref(), parsed, "{text:?}");
        }
    }
}
