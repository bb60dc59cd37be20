//! A disk that forgets what was not synced when its power is cut, mounted by FUSE: needs root and `/dev/fuse`. What it
//! keeps and forgets is `tree`'s.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use crate::dice::Dice;
use crate::tree::{Sickness, Tree};

/// Nothing is remembered by the kernel: after a cut it would be wrong.
const NOT_AT_ALL: Duration = Duration::ZERO;
/// Of open(2), in every architecture that Linux has for us.
const APPEND: i32 = 0o2000;
/// Of a mode: the bits that tell a socket (inode(7)).
const KIND_BITS: u32 = 0o170_000;
const SOCKET: u32 = 0o140_000;

/// The disk, mounted. Unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    tree: Arc<Mutex<Tree>>,
    session: Option<BackgroundSession>,
}

impl Disk {
    /// Mounts an empty one at a folder, which is made.
    pub fn mount(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let tree = Arc::new(Mutex::new(Tree::new()));
        let session = fuser::spawn_mount(Face(Arc::clone(&tree)), path, &Config::default())
            .map_err(|error| io::Error::other(format!("cannot mount {}: {error}; FUSE needs root", path.display())))?;
        Ok(Self { path: path.to_owned(), tree, session: Some(session) })
    }

    /// The power fails, as `tree` has it. No process may have files open there: it would have died as well.
    pub fn cut(&self, dice: Option<&mut Dice>) {
        lock(&self.tree).cut(dice);
    }

    /// What a file of this path on the disk would hold after a cut.
    pub fn lasting(&self, path: &Path) -> Option<Vec<u8>> {
        lock(&self.tree).lasting(path).map(<[u8]>::to_vec)
    }

    /// The disk is sick, or well again.
    #[allow(dead_code)]
    pub fn is_now(&self, sickness: Option<Sickness>) {
        lock(&self.tree).sickness = sickness;
    }

    /// What ails it now.
    #[allow(dead_code)]
    pub fn sickness(&self) -> Option<Sickness> {
        lock(&self.tree).sickness
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once, whoever still looks at it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
        let _ = self.session.take().map(BackgroundSession::umount_and_join);
    }
}

fn lock(tree: &Mutex<Tree>) -> MutexGuard<'_, Tree> {
    tree.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the kernel asks.
struct Face(Arc<Mutex<Tree>>);

impl Face {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        lock(&self.0)
    }

    fn make(&self, parent: INodeNo, name: &OsStr, kind: FileType, mode: u32) -> Result<FileAttr, Errno> {
        let mut tree = self.tree();
        let number = tree.make(parent.0, name, kind, mode)?;
        attributes(&tree, number)
    }
}

fn attributes(tree: &Tree, number: u64) -> Result<FileAttr, Errno> {
    let node = tree.node(number)?;
    Ok(FileAttr {
        ino: INodeNo(number),
        size: node.bytes.len() as u64,
        blocks: node.bytes.len().div_ceil(512) as u64,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: node.kind,
        perm: node.mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

fn entry(reply: ReplyEntry, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.entry(&NOT_AT_ALL, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("a length")
}

impl Filesystem for Face {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let tree = self.tree();
        entry(reply, tree.find(parent.0, name).and_then(|number| attributes(&tree, number)));
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&self.tree(), number.0) {
            Ok(attributes) => reply.attr(&NOT_AT_ALL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<fuser::TimeOrNow>,
        _: Option<fuser::TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut tree = self.tree();
        let changed = tree.change(number.0).map(|node| {
            node.mode = mode.map_or(node.mode, |mode| u16::try_from(mode & 0o7777).unwrap_or(0));
            node.bytes.resize(size.map_or(node.bytes.len(), position), 0);
        });
        match changed.and_then(|()| attributes(&tree, number.0)) {
            Ok(attributes) => reply.attr(&NOT_AT_ALL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: u32, reply: ReplyEntry) {
        let kind = if mode & KIND_BITS == SOCKET { FileType::Socket } else { FileType::RegularFile };
        entry(reply, self.make(parent, name, kind, mode));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        entry(reply, self.make(parent, name, FileType::Directory, mode));
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: i32, reply: ReplyCreate) {
        match self.make(parent, name, FileType::RegularFile, mode) {
            Ok(attributes) => {
                let (generation, handle) = (Generation(0), FileHandle(0));
                reply.created(&NOT_AT_ALL, &attributes, generation, handle, FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.tree().remove(parent.0, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.tree().remove(parent.0, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let is_within = parent == new_parent;
        let renamed = if is_within { self.tree().rename(parent.0, name, new_name) } else { Err(Errno::EXDEV) };
        empty(reply, renamed);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.tree().node(number.0) {
            Ok(node) => {
                let from = position(offset).min(node.bytes.len());
                reply.data(&node.bytes[from..(from + size as usize).min(node.bytes.len())]);
            }
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let offset = (flags.0 & APPEND == 0).then(|| position(offset));
        match self.tree().write(number.0, offset, data) {
            Ok(taken) => reply.written(u32::try_from(taken).expect("a length")),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.tree().sync(number.0));
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.tree().sync(number.0));
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let tree = self.tree();
        let Ok(folder) = tree.node(number.0) else { return reply.error(Errno::ESTALE) };
        let dots = [".", ".."].map(|name| (OsStr::new(name), number.0));
        let names = dots.into_iter().chain(folder.names.iter().map(|(name, number)| (name.as_os_str(), *number)));
        for (next, (name, number)) in (1..).zip(names).skip(position(offset)) {
            let kind = tree.node(number).map_or(FileType::RegularFile, |node| node.kind);
            if reply.add(INodeNo(number), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
