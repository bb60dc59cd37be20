//! (stand-in of the room `output`)
/// A template.
#[derive(Clone, Debug)]
pub struct Template {
    /// Name.
    pub name: String,
    /// Body.
    pub body: Vec<u8>,
}
/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    There,
    /// No.
    Absent,
    /// Not allowed.
    Refused {
        /// Why.
        reason: String,
    },
    /// Not now.
    Later {
        /// Why.
        reason: String,
    },
}
/// What is wanted.
#[must_use]
pub fn wanted(_config: &crate::output::Config) -> Option<Template> {
    None
}
/// Reads.
#[must_use]
pub fn read(status: u16, _body: &[u8]) -> Presence {
    match status {
        200 => Presence::There,
        404 => Presence::Absent,
        429 | 500.. => Presence::Later { reason: status.to_string() },
        _ => Presence::Refused { reason: status.to_string() },
    }
}
