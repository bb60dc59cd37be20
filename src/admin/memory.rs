//! The memory that the process holds, as the kernel counts it. Limits nothing.

use std::fs;

/// Bytes in RAM now. `None` where `/proc` does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmRSS:")
}

/// `proc_pid_status(5)` gives these in units of 1024 bytes, whatever the size of a page.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_how_much_memory_is_held() {
        assert_eq!(field("VmPeak:\t 1 kB\nVmRSS:\t    5 kB\n", "VmRSS:"), Some(5120));
        assert_eq!(field("VmRSS: many kB\n", "VmRSS:"), None);
        assert!(resident_bytes().unwrap() > 100_000);
    }
}
