//! Files and folders in memory as a disk has them: what was written, and what of it outlasts a loss of power. A file's
//! bytes last once it is synced, a name once its folder is. Knows nothing of mounts.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::Path;

use fuser::{Errno, FileType};

use crate::dice::Dice;

/// The number of the topmost folder.
pub const ROOT: u64 = 1;

/// What a sick disk does.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sickness {
    /// It refuses every change with this error.
    NoChanges(Errno),
    /// It takes half of the next write to a file whose name begins so, and refuses the rest.
    HalfAWrite(&'static str),
    /// It refuses the next sync of a file whose name begins so. What was to be synced will never be on the disk, though
    /// the next sync says that all is well (as Linux does: <https://lwn.net/Articles/752063/>).
    NoSync(&'static str),
}

/// All that is on the disk.
#[derive(Debug)]
pub struct Tree {
    nodes: BTreeMap<u64, Node>,
    last: u64,
    pub sickness: Option<Sickness>,
}

/// A file, a folder or a socket.
#[derive(Debug)]
pub struct Node {
    pub kind: FileType,
    pub mode: u16,
    pub bytes: Vec<u8>,
    pub names: BTreeMap<OsString, u64>,
    synced_bytes: Vec<u8>,
    synced_names: BTreeMap<OsString, u64>,
    /// Changes of names since the folder was synced, oldest first. A rename is one.
    pending: Vec<Vec<Change>>,
    /// Bytes that a failed sync has left unwritten for ever.
    gone: Range<usize>,
}

/// A name leads to a node now, or nowhere.
type Change = (OsString, Option<u64>);

impl Tree {
    /// An empty disk.
    pub fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::new(FileType::Directory, 0o700))]), last: ROOT, sickness: None }
    }

    /// What has this number.
    pub fn node(&self, number: u64) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::ESTALE)
    }

    /// The same, to be changed.
    pub fn change(&mut self, number: u64) -> Result<&mut Node, Errno> {
        if let Some(Sickness::NoChanges(error)) = self.sickness {
            return Err(error);
        }
        self.nodes.get_mut(&number).ok_or(Errno::ESTALE)
    }

    /// What a name leads to.
    pub fn find(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.node(folder)?.names.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// Makes a node with a name that is free.
    pub fn make(&mut self, folder: u64, name: &OsStr, kind: FileType, mode: u32) -> Result<u64, Errno> {
        if self.find(folder, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let number = self.last + 1;
        self.change(folder)?.rename(vec![(name.to_owned(), Some(number))]);
        self.nodes.insert(number, Node::new(kind, u16::try_from(mode & 0o7777).unwrap_or(0)));
        self.last = number;
        Ok(number)
    }

    /// Takes a name away.
    pub fn remove(&mut self, folder: u64, name: &OsStr) -> Result<(), Errno> {
        let number = self.find(folder, name)?;
        if !self.node(number)?.names.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.change(folder)?.rename(vec![(name.to_owned(), None)]);
        Ok(())
    }

    /// Renames within a folder, over what is there.
    pub fn rename(&mut self, folder: u64, name: &OsStr, new: &OsStr) -> Result<(), Errno> {
        let number = self.find(folder, name)?;
        self.change(folder)?.rename(vec![(name.to_owned(), None), (new.to_owned(), Some(number))]);
        Ok(())
    }

    /// Writes to a file, at its end when it is opened so. The bytes taken.
    pub fn write(&mut self, number: u64, offset: Option<usize>, data: &[u8]) -> Result<usize, Errno> {
        let is_half = matches!(self.sickness, Some(Sickness::HalfAWrite(name)) if self.is_called(number, name));
        self.change(number)?;
        if is_half {
            self.sickness = Some(Sickness::NoChanges(Errno::ENOSPC));
        }
        let taken = if is_half { data.len() / 2 } else { data.len() };
        let bytes = &mut self.nodes.get_mut(&number).ok_or(Errno::ESTALE)?.bytes;
        let from = offset.unwrap_or(bytes.len());
        bytes.resize(bytes.len().max(from + taken), 0);
        bytes[from..from + taken].copy_from_slice(&data[..taken]);
        Ok(taken)
    }

    /// Makes a file's bytes last, or a folder's names.
    pub fn sync(&mut self, number: u64) -> Result<(), Errno> {
        let is_refused = matches!(self.sickness, Some(Sickness::NoSync(name)) if self.is_called(number, name));
        let node = self.nodes.get_mut(&number).ok_or(Errno::ESTALE)?;
        if is_refused {
            self.sickness = None;
            node.gone = node.synced_bytes.len()..node.bytes.len();
            return Err(Errno::EIO);
        }
        node.sync();
        Ok(())
    }

    fn is_called(&self, number: u64, begin: &str) -> bool {
        let mut names = self.nodes.values().flat_map(|node| &node.names);
        names.any(|(name, leads_to)| *leads_to == number && name.as_encoded_bytes().starts_with(begin.as_bytes()))
    }

    /// The power fails: what was not synced is gone; with `dice` and by chance some of it is there.
    pub fn cut(&mut self, dice: Option<&mut Dice>) {
        let mut dice = dice.and_then(|dice| dice.percent(50).then_some(dice));
        for node in self.nodes.values_mut() {
            if let Some(dice) = &mut dice {
                node.keep_some(dice);
            }
            node.bytes.clone_from(&node.synced_bytes);
            node.names.clone_from(&node.synced_names);
            node.pending.clear();
            node.gone = 0..0;
        }
        let reached = self.reached();
        self.nodes.retain(|number, _| reached.contains(number));
    }

    /// What a file would hold after a cut that leaves nothing that was not synced.
    pub fn lasting(&self, path: &Path) -> Option<&[u8]> {
        let mut node = self.nodes.get(&ROOT)?;
        for name in path {
            node = self.nodes.get(node.synced_names.get(name)?)?;
        }
        Some(&node.synced_bytes)
    }

    fn reached(&self) -> BTreeSet<u64> {
        let (mut reached, mut ahead) = (BTreeSet::from([ROOT]), vec![ROOT]);
        while let Some(number) = ahead.pop() {
            let below = self.nodes.get(&number).into_iter().flat_map(|node| node.names.values());
            ahead.extend(below.filter(|below| reached.insert(**below)));
        }
        reached
    }
}

impl Node {
    fn new(kind: FileType, mode: u16) -> Self {
        Self {
            kind,
            mode,
            bytes: Vec::new(),
            names: BTreeMap::new(),
            synced_bytes: Vec::new(),
            synced_names: BTreeMap::new(),
            pending: Vec::new(),
            gone: 0..0,
        }
    }

    fn rename(&mut self, changes: Vec<Change>) {
        apply(&mut self.names, &changes);
        self.pending.push(changes);
    }

    fn sync(&mut self) {
        self.synced_bytes.clone_from(&self.bytes);
        let end = self.gone.end.min(self.bytes.len());
        self.synced_bytes[self.gone.start.min(end)..end].fill(0);
        self.synced_names.clone_from(&self.names);
        self.pending.clear();
    }

    /// What nobody synced may have reached the disk all the same: any of the changes of a folder, for nothing orders
    /// them; of a file that grew the first of the new bytes, and behind these zeros.
    fn keep_some(&mut self, dice: &mut Dice) {
        self.pending.retain(|_| dice.percent(50));
        self.pending.iter().for_each(|changes| apply(&mut self.synced_names, changes));
        let (old, new) = (self.synced_bytes.len(), self.bytes.len());
        if !self.bytes.starts_with(&self.synced_bytes) || new == old || dice.percent(30) {
            return;
        }
        self.synced_bytes.extend_from_slice(&self.bytes[old..old + index(dice, new - old + 1)]);
        if dice.percent(50) {
            self.synced_bytes.resize(new, 0);
        }
    }
}

fn apply(names: &mut BTreeMap<OsString, u64>, changes: &[Change]) {
    for (name, leads_to) in changes {
        match leads_to {
            Some(number) => names.insert(name.clone(), *number),
            None => names.remove(name),
        };
    }
}

fn index(dice: &mut Dice, below: usize) -> usize {
    usize::try_from(dice.below(below as u64)).expect("an index")
}
