//! What is known of a container, whether it is wanted, and what its records call it. Asks the engine nothing.

use std::collections::HashMap;
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::Config;
use super::tail::Log;
use crate::base::fault::Fault;

/// `logferry.enable=false` on a container: it is left alone.
const ENABLE_LABEL: &str = "logferry.enable";

/// Labels that name a service, the first that is there wins.
const SERVICE_LABELS: [&str; 3] = ["logferry.service", "com.docker.compose.service", "com.docker.swarm.service.name"];

/// What of a container's lines is masked besides: detectors, groups and countries, with commas between them.
const MASK_LABEL: &str = "logferry.mask";

/// A container as the engine describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The full id.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// As it was named when the container was made.
    pub image: String,
    /// All labels, those of the image too.
    pub labels: HashMap<String, String>,
    /// Its log is one stream without headers.
    pub tty: bool,
    /// Its log driver.
    pub driver: String,
    /// Where its json-file is, once it is started. `None`: its driver writes none.
    pub log: Option<Log>,
    /// Where in its life it is.
    pub state: State,
}

/// Where in its life a container is, as far as its log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Never started: it has no log.
    #[default]
    New,
    /// It may write.
    Running,
    /// Nothing more, unless it is started again.
    Ended,
    /// It is being removed: its log may be gone.
    Removing,
}

impl Facts {
    /// What its records call the service: a label, else the name without its replica number.
    pub fn service_name(&self) -> &str {
        let label = SERVICE_LABELS.iter().find_map(|label| self.labels.get(*label));
        label.map(String::as_str).filter(|name| !name.is_empty()).unwrap_or_else(|| without_replica(&self.name))
    }

    /// What it wants to be masked.
    pub fn mask(&self) -> Option<Arc<str>> {
        self.labels.get(MASK_LABEL).filter(|label| !label.is_empty()).map(|label| label.as_str().into())
    }
}

/// Which containers are read.
#[derive(Debug)]
pub struct Selection {
    names: Option<GlobSet>,
    excluded: GlobSet,
    images: Option<GlobSet>,
    labels: Vec<(String, Option<String>)>,
    /// The agent's own container: its id or the beginning of it.
    own: Option<String>,
}

impl Selection {
    /// Compiles what the user wrote.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let names = globs("containers", &config.containers, &mut faults);
        let excluded = globs("exclude_containers", &config.exclude_containers, &mut faults);
        let images = globs("images", &config.images, &mut faults);
        let labels = config.labels.iter().enumerate().filter_map(|(index, text)| {
            let (key, value) = text.split_once('=').map_or((text.as_str(), None), |(key, value)| (key, Some(value)));
            if key.is_empty() {
                faults
                    .push(Fault::new(format!("labels[{index}]"), "a label needs a key").hint("write key or key=value"));
                return None;
            }
            Some((key.to_owned(), value.map(str::to_owned)))
        });
        let labels = labels.collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            names: Some(names).filter(|names| !names.is_empty()),
            excluded,
            images: Some(images).filter(|images| !images.is_empty()),
            labels,
            own: if config.include_self { None } else { own_container() },
        })
    }

    /// Whether a container is read.
    pub fn wants(&self, facts: &Facts) -> bool {
        let is_any = |globs: &GlobSet| globs.is_match(&facts.name) || globs.is_match(&facts.id);
        let has_label = |(key, wanted): &(String, Option<String>)| {
            facts.labels.get(key).is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
        };
        let is_disabled = facts.labels.get(ENABLE_LABEL).is_some_and(|value| value.eq_ignore_ascii_case("false"));
        !is_disabled
            && !self.own.as_ref().is_some_and(|own| facts.id.starts_with(own))
            && !is_any(&self.excluded)
            && self.names.as_ref().is_none_or(is_any)
            && self.images.as_ref().is_none_or(|images| images.is_match(&facts.image))
            && self.labels.iter().all(has_label)
    }
}

/// A size as the engine's options have it (`units.FromHumanSize` of the engine): decimal, with or without a unit. `None`:
/// it sets no limit.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let power = match unit.trim().bytes().next().map(|byte| byte.to_ascii_lowercase()) {
        None | Some(b'b') => 0,
        Some(b'k') => 1,
        Some(b'm') => 2,
        Some(b'g') => 3,
        Some(b't') => 4,
        Some(_) => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1000_u64.pow(power))
}

fn globs(key: &str, patterns: &[String], faults: &mut Vec<Fault>) -> GlobSet {
    let mut builder = GlobSetBuilder::new();
    for (index, pattern) in patterns.iter().enumerate() {
        match Glob::new(pattern) {
            Ok(glob) => drop(builder.add(glob)),
            Err(error) => faults.push(Fault::new(format!("{key}[{index}]"), error.to_string())),
        }
    }
    builder.build().unwrap_or_else(|error| {
        faults.push(Fault::new(key, error.to_string()));
        GlobSet::empty()
    })
}

/// Takes away what compose (`web-1`, `web_1`) and swarm (`web.1.taskid`) put behind a service's name.
fn without_replica(name: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((front, task)) = name.rsplit_once('.')
        && let Some((service, slot)) = front.rsplit_once('.')
        && !service.is_empty()
        && is_number(slot)
        && task.len() >= 3
    {
        return service;
    }
    match name.rsplit_once(['-', '_']) {
        Some((service, number)) if !service.is_empty() && is_number(number) => service,
        _ => name,
    }
}

/// The id of the container in which the agent itself runs, or its beginning. `None` on a host.
fn own_container() -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let in_container = std::path::Path::new("/.dockerenv").exists();
    let host_name = if in_container { read("/proc/sys/kernel/hostname") } else { String::new() };
    own_id(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"), host_name.trim())
}

/// With cgroup v1 the id is in the cgroup's path; with v2 in the sources of the files that the engine mounts
/// (`/etc/hostname` and others); else the host's name is its first twelve digits, if nobody chose another.
fn own_id(cgroup: &str, mount_info: &str, host_name: &str) -> Option<String> {
    let whole = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let find = |text: &str| text.split(['/', '-', '.', '\n', ' ', ':']).find(|part| whole(part)).map(str::to_owned);
    let mounts = || mount_info.lines().filter_map(engine_file).find_map(find);
    let is_short = host_name.len() == 12 && host_name.bytes().all(|byte| byte.is_ascii_hexdigit());
    find(cgroup).or_else(mounts).or_else(|| is_short.then(|| host_name.to_owned()))
}

/// The source of a mount that the engine makes in its containers alone. (Fields 4 and 5 of proc_pid_mountinfo(5); on a host
/// other containers' files may be mounted too.)
fn engine_file(mount: &str) -> Option<&str> {
    let mut fields = mount.split(' ').skip(3);
    let (source, point) = (fields.next()?, fields.next()?);
    matches!(point, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf").then_some(source)
}

#[cfg(test)]
mod tests;
