//! Numbers that states give to people and firms, by country.

mod russia;

use super::{Detector, Finder, Group};

pub(super) static ROWS: &[Detector] = &[russia::INN];
