//! Small file systems and small groups of processes, taken away again when dropped.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::wait_until_within;

/// A file system in memory, of few bytes.
pub struct Small {
    path: PathBuf,
}

impl Small {
    /// Mounts one at a folder, which is made.
    pub fn mount(path: &Path, kib: u32) -> Self {
        fs::create_dir_all(path).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs", path.to_str().unwrap()]);
        Self { path: path.to_owned() }
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.path.join("ballast")).unwrap();
        while ballast.write_all(&[0; 512]).is_ok() {}
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.path.join("ballast")).unwrap();
    }

    /// Nobody may write there; nobody may have a file open for that.
    pub fn make_read_only(&self, is_read_only: bool) {
        let how = if is_read_only { "remount,ro" } else { "remount,rw" };
        run("mount", &["-o", how, self.path.to_str().unwrap()]);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

/// A group of processes with a limit of memory: cgroup version 1 or 2, whichever is mounted.
pub struct Group {
    path: PathBuf,
    is_second: bool,
}

impl Group {
    /// One that may have so many bytes.
    pub fn with_memory(bytes: u64) -> Self {
        let name = format!("logferry-test-{}", std::process::id());
        let (first, second) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let is_second = !first.join("tasks").exists();
        let root = if is_second { second } else { first };
        let is_there = |name| fs::read_to_string(root.join(name)).is_ok_and(|text| text.contains("memory"));
        assert!(
            !is_second || is_there("cgroup.controllers"),
            "cannot limit memory: no memory controller of cgroup version 1 or 2 in /sys/fs/cgroup"
        );
        if is_second && !is_there("cgroup.subtree_control") {
            fs::write(root.join("cgroup.subtree_control"), "+memory").expect("the memory controller can be given away");
        }
        let group = Self { path: root.join(name), is_second };
        fs::create_dir(&group.path).expect("a group of processes can be made");
        let limit = if is_second { "memory.max" } else { "memory.limit_in_bytes" };
        fs::write(group.path.join(limit), bytes.to_string()).expect("its memory can be limited");
        group
    }

    /// A command line that a shell runs to enter it.
    pub fn enter(&self) -> String {
        format!("echo $$ > {}/cgroup.procs", self.path.display())
    }

    /// How often the kernel killed for want of memory there.
    pub fn kills(&self) -> u64 {
        let name = if self.is_second { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.path.join(name)).unwrap();
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.expect("the kernel counts them").parse().unwrap()
    }

    /// Whether a process is in it.
    pub fn holds(&self, process: u32) -> bool {
        let processes = fs::read_to_string(self.path.join("cgroup.procs")).unwrap();
        processes.lines().any(|line| line == process.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that ended a moment ago may still be counted.
        wait_until_within(Duration::from_secs(10), "the end of a group", || fs::remove_dir(&self.path).ok());
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}: {status}; this test needs root");
}
