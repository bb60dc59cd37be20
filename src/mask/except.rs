//! Values and fields that are left, though a detector finds them: `except` of `[mask]`. Finds nothing itself.

use std::collections::HashSet;
use std::net::IpAddr;

use regex::Regex;

use super::detect::{DETECTORS, Group, Set};
use super::path::without_indices;
use crate::base::fault::Fault;

/// What an entry may begin with, else it is a value.
const KINDS: [&str; 4] = ["domain", "cidr", "regex", "path"];
/// How alike a word must be to one of them to be held for it.
const ALIKE: f64 = 0.84;
/// A compiled pattern may take this many bytes of memory.
const LARGEST_PATTERN: usize = 1 << 20;

/// What is left, compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct Except {
    /// In lower case.
    values: HashSet<String>,
    /// Domains themselves.
    hosts: HashSet<String>,
    /// Domains with all below them.
    domains: Vec<String>,
    networks: Vec<Network>,
    patterns: Vec<Regex>,
    paths: Vec<String>,
}

/// The addresses that share their first bits with this one.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// One entry, understood.
enum Entry<'a> {
    Value(&'a str),
    Host(&'a str),
    Domain(&'a str),
    Cidr(&'a str),
    Regex(&'a str),
    Path(&'a str),
}

impl<'a> Entry<'a> {
    fn of(text: &'a str) -> Self {
        match text.split_once(':') {
            Some(("domain", rest)) => Self::Domain(rest),
            Some(("cidr", rest)) => Self::Cidr(rest),
            Some(("regex", rest)) => Self::Regex(rest),
            Some(("path", rest)) => Self::Path(rest),
            _ => text.strip_prefix("*@").map_or(Self::Value(text), Self::Host),
        }
    }

    /// The detectors of which it can except something; none: of all.
    const fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::Host(_) | Self::Domain(_) => &["email"],
            Self::Cidr(_) => &["ipv4", "ipv6"],
            _ => &[],
        }
    }
}

impl Except {
    pub(super) fn new(entries: &[String], faults: &mut Vec<Fault>) -> Self {
        let mut all = Self::default();
        for (index, text) in entries.iter().enumerate() {
            if let Err(fault) = all.insert(text) {
                faults.push(Fault { key: format!("except[{index}]"), ..fault });
            }
        }
        all
    }

    fn insert(&mut self, text: &str) -> Result<(), Fault> {
        let fault = |message: String| Fault::new("", message);
        match Entry::of(text) {
            Entry::Value("") | Entry::Host("") | Entry::Domain("") | Entry::Path("") => {
                return Err(fault("there is nothing to except in it".to_owned()));
            }
            Entry::Value(value) => {
                let kind = value.split_once(':').map(|(kind, _)| kind);
                let alike = |known: &&&str| kind.is_some_and(|kind| strsim::jaro_winkler(kind, known) > ALIKE);
                if let Some(known) = KINDS.iter().find(alike) {
                    let message = format!("`{}` is no kind of exception", kind.unwrap_or_default());
                    return Err(fault(message).hint(format!("did you mean `{known}:`?")));
                }
                self.values.insert(value.to_lowercase());
            }
            Entry::Host(host) => drop(self.hosts.insert(host.to_lowercase())),
            Entry::Domain(domain) => self.domains.push(domain.to_lowercase()),
            Entry::Path(path) => self.paths.push(path.to_owned()),
            Entry::Cidr(cidr) => {
                let hint = "write \"cidr:10.0.0.0/8\" or \"cidr:2001:db8::/32\"";
                let network = Network::parse(cidr);
                self.networks.push(network.ok_or_else(|| fault(format!("`{cidr}` is no network")).hint(hint))?);
            }
            Entry::Regex(pattern) => {
                let whole = format!("^(?:{pattern})$");
                let built = regex::RegexBuilder::new(&whole).size_limit(LARGEST_PATTERN).build();
                let built = built
                    .map_err(|error| fault(format!("cannot compile the pattern: {}", super::rules::reason(&error))));
                self.patterns.push(built?);
            }
        }
        Ok(())
    }

    /// Whether anything is excepted by its value.
    pub(super) fn has_values(&self) -> bool {
        let Self { values, hosts, domains, networks, patterns, .. } = self;
        !(values.is_empty() && hosts.is_empty() && domains.is_empty() && networks.is_empty() && patterns.is_empty())
    }

    /// Whether a row's value is to stay.
    pub(super) fn holds(&self, row: usize, value: &str) -> bool {
        if !self.has_values() {
            return false;
        }
        let lower = value.to_lowercase();
        self.values.contains(&lower)
            || self.patterns.iter().any(|pattern| pattern.is_match(value))
            || (DETECTORS[row].name == "email" && self.holds_domain(&lower))
            || (DETECTORS[row].group == Group::Network && self.holds_address(value))
    }

    fn holds_domain(&self, address: &str) -> bool {
        let Some((_, domain)) = address.rsplit_once('@').or_else(|| address.rsplit_once("%40")) else { return false };
        let is_below =
            |one: &String| domain.strip_suffix(one.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.hosts.contains(domain) || self.domains.iter().any(is_below)
    }

    fn holds_address(&self, value: &str) -> bool {
        value.parse().is_ok_and(|address: IpAddr| self.networks.iter().any(|network| network.holds(address)))
    }

    /// Whether fields are excepted at all.
    pub(super) fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Whether the field at `path` is to stay: it is excepted, or lies in one that is. Numbers of list elements do not
    /// count.
    pub(super) fn holds_path(&self, path: &str) -> bool {
        let plain = without_indices(path);
        let is_in = |one: &String| {
            plain.strip_prefix(one.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.paths.iter().any(is_in)
    }
}

/// Entries that can never except anything, since what they are for is off.
pub(super) fn idle(entries: &[String], wanted: Set) -> Vec<Fault> {
    let is_on = |name: &&str| DETECTORS.iter().enumerate().any(|(row, one)| one.name == *name && wanted.contains(row));
    let idle = entries.iter().enumerate().filter_map(|(index, text)| {
        let needs = Entry::of(text).needs();
        let message = format!("excepts nothing: the detector `{}` is off", needs.first()?);
        (!needs.iter().any(is_on)).then(|| Fault::new(format!("except[{index}]"), message))
    });
    idle.collect()
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, bits.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                (address, if address.is_ipv4() { 32 } else { 128 })
            }
        };
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, bits })
    }

    fn holds(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits,
            _ => false,
        }
    }
}
