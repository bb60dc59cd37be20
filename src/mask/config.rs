//! `[mask]` as the user writes it, and its faults. What works is made of it once, at start.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::detect::{DETECTORS, Detector, Group, SECRET, Search, Set};
use super::except::{self, Except};
use super::keys::{Keys, plain};
use super::labels::Labels;
use super::replace::{Mode, PseudonymConfig, Replace, Types};
use super::rewrite::Rules;
use super::rules::{Rule, RuleConfig};
use crate::base::fault::Fault;

/// `[mask]` as the user writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `false`: everything passes as it is.
    pub enabled: bool,
    /// The detectors that are on, in order: names, groups (`ids`), countries (`ru`), `default` and `all`; with a `-`
    /// before it, off again. [`detectors`] lists all.
    pub detect: Vec<String>,
    /// More names whose values are secret: of JSON keys, in `key=value`, in query parameters. Compared without case,
    /// `_`, `-` and `.`, at the end of a name: `pin` also stands for `userPin`.
    pub keys: Vec<String>,
    /// Whole names whose values are not secret, though they look it: `next_page_token`.
    pub except_keys: Vec<String>,
    /// Words in Base64 are decoded and searched too; one that holds anything is replaced whole.
    pub base64: bool,
    /// What is left though it is found: values, `*@example.com`, `domain:example.com`, `cidr:10.0.0.0/8`, `regex:…`,
    /// `path:user.email`.
    pub except: Vec<String>,
    /// Where values are replaced is said in the agent's own log, now and then: detector, source and field.
    pub audit: bool,
    /// What the labels `logferry.mask` of containers may do: `ignore`, `add` or `change`.
    pub labels: Labels,
    /// What is otherwise for one source, by its name.
    pub source: BTreeMap<String, SourceConfig>,
    /// What is written instead, by detector, group, country, `default` or `all`; else the tag. The most special word
    /// counts.
    pub replace: BTreeMap<String, Mode>,
    /// The key of what is made with one.
    pub pseudonym: PseudonymConfig,
    /// What a JSON number becomes that is shown in part or keeps its form.
    pub types: Types,
    /// The user's own rules, in order.
    pub rule: Vec<RuleConfig>,
}

/// `[mask.source.NAME]`: what is otherwise for one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// As in `[mask]`, but for all: `false` lets everything of this source pass.
    pub enabled: Option<bool>,
    /// The detectors that are on, instead of those of `[mask]`.
    pub detect: Option<Vec<String>>,
    /// Further ones, besides those of `[mask]`.
    pub keys: Vec<String>,
    /// The same.
    pub except_keys: Vec<String>,
    /// The same.
    pub except: Vec<String>,
    /// What is written instead; words of `[mask.replace]` that are not here hold as well.
    pub replace: BTreeMap<String, Mode>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            detect: vec!["default".to_owned()],
            keys: Vec::new(),
            except_keys: Vec::new(),
            base64: false,
            except: Vec::new(),
            audit: false,
            labels: Labels::default(),
            source: BTreeMap::new(),
            replace: BTreeMap::new(),
            pseudonym: PseudonymConfig::default(),
            types: Types::default(),
            rule: Vec::new(),
        }
    }
}

/// What a user is told of a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// What `detect` and the metrics call it.
    pub name: &'static str,
    /// What is written instead.
    pub tag: &'static str,
    /// What `detect` calls all of its group.
    pub group: &'static str,
    /// Whether it is on by default.
    pub default: bool,
    /// What makes a hit more than a likeness.
    pub proof: &'static str,
    /// Who publishes the rule.
    pub source: &'static str,
}

/// All detectors, in the order of the table.
pub fn detectors() -> impl Iterator<Item = About> {
    DETECTORS.iter().map(|one| About {
        name: one.name,
        tag: one.tag,
        group: one.group.name(),
        default: one.default,
        proof: one.proof,
        source: one.source,
    })
}

impl Config {
    pub(super) fn compile(&self) -> Result<Rules, Vec<Fault>> {
        let mut faults = Vec::new();
        let wanted = self.wanted(&mut faults);
        self.check_keys(wanted, &mut faults);
        let compile = |(index, rule)| Rule::new(index, rule, &mut faults);
        let rules: Vec<Rule> = self.rule.iter().enumerate().filter_map(compile).collect();
        self.check_names(&mut faults);
        let except = Except::new(&self.except, &mut faults);
        let replace = Replace::new(&self.replace, &self.pseudonym, self.types, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let keys = Keys::new(&self.keys, &self.except_keys);
        Ok(Rules { search: Search::new(wanted, keys, except, self.base64), rules, replace })
    }

    /// The whole of `[mask]` as it is for one source.
    pub(super) fn of_source(&self, own: &SourceConfig) -> Self {
        let mut all = Self { source: BTreeMap::new(), ..self.clone() };
        all.enabled = own.enabled.unwrap_or(all.enabled);
        all.detect = own.detect.clone().unwrap_or(all.detect);
        all.keys.extend_from_slice(&own.keys);
        all.except_keys.extend_from_slice(&own.except_keys);
        all.except.extend_from_slice(&own.except);
        all.replace.extend(own.replace.clone());
        all
    }

    /// What is odd but not wrong: what can never do anything. Empty where there are faults.
    #[must_use]
    pub fn oddities(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let wanted = self.wanted(&mut faults);
        if !self.enabled || !faults.is_empty() || self.source.values().any(|own| own.detect.is_some()) {
            return Vec::new();
        }
        let is_idle = |word: &&String| !named(word).iter().any(|row| wanted.contains(*row));
        let idle = self.replace.keys().filter(is_idle);
        let idle = idle.map(|word| Fault::new(format!("replace.{word}"), "has no effect: these detectors are off"));
        let lines = self.rule.iter().enumerate().filter(|(_, rule)| rule.needs_line_end());
        let lines = lines.map(|(index, _)| {
            let message = "matches no line: it demands a line end, which only strings of JSON can hold";
            Fault::new(format!("rule[{index}].regex"), message)
        });
        except::idle(&self.except, wanted).into_iter().chain(idle).chain(lines).collect()
    }

    fn wanted(&self, faults: &mut Vec<Fault>) -> Set {
        let mut wanted = Set::default();
        for (index, word) in self.detect.iter().enumerate() {
            let word = Word::of(word);
            if word.rows.is_empty() {
                let fault = Fault::new(format!("detect[{index}]"), format!("there is no detector `{}`", word.name));
                faults.push(fault.hint(nearest(word.name)));
            }
            word.turn(&mut wanted);
        }
        wanted
    }

    fn check_keys(&self, wanted: Set, faults: &mut Vec<Fault>) {
        let secret = DETECTORS[SECRET].name;
        if !self.keys.is_empty() && !wanted.contains(SECRET) {
            let fault = Fault::new("keys", format!("keys are masked by the detector `{secret}`, which is off"));
            faults.push(fault.hint(format!("add \"{secret}\" to `detect`")));
        }
        for (list, names) in [("keys", &self.keys), ("except_keys", &self.except_keys)] {
            let is_empty = |(_, name): &(usize, &String)| plain(name).is_empty();
            let empty = names.iter().enumerate().filter(is_empty);
            faults.extend(empty.map(|(index, _)| Fault::new(format!("{list}[{index}]"), "a name needs a letter")));
        }
    }

    fn check_names(&self, faults: &mut Vec<Fault>) {
        for (index, rule) in self.rule.iter().enumerate() {
            let is_taken = self.rule[..index].iter().any(|other| other.name == rule.name)
                || DETECTORS.iter().any(|detector| detector.name == rule.name);
            if is_taken {
                let message = format!("there is already a rule or detector `{}`", rule.name);
                faults.push(Fault::new(format!("rule[{index}].name"), message));
            }
        }
    }
}

/// A word of `detect`, understood.
pub(super) struct Word<'w> {
    pub(super) name: &'w str,
    /// It turns its rows off.
    pub(super) is_off: bool,
    /// None: there is no such detector.
    pub(super) rows: Vec<usize>,
}

impl<'w> Word<'w> {
    pub(super) fn of(word: &'w str) -> Self {
        let (name, is_off) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
        Self { name, is_off, rows: named(name) }
    }

    pub(super) fn turn(&self, wanted: &mut Set) {
        self.rows.iter().for_each(|row| if self.is_off { wanted.remove(*row) } else { wanted.insert(*row) });
    }
}

/// The rows that a word of `detect` means: a detector, a group, a country, `default` or `all`.
pub(super) fn named(word: &str) -> Vec<usize> {
    let is_meant = |one: &Detector| match word {
        "all" => true,
        "default" => one.default,
        _ => one.name == word || one.group.name() == word || (one.group == Group::Ids && one.country() == word),
    };
    DETECTORS.iter().enumerate().filter(|(_, one)| is_meant(one)).map(|(row, _)| row).collect()
}

pub(super) fn nearest(name: &str) -> String {
    let near = DETECTORS
        .iter()
        .max_by(|one, other| strsim::jaro_winkler(one.name, name).total_cmp(&strsim::jaro_winkler(other.name, name)));
    let names: Vec<&str> = DETECTORS.iter().map(|one| one.name).collect();
    let near = near.map_or("", |one| one.name);
    format!("did you mean \"{near}\"? There are {}", names.join(", "))
}
