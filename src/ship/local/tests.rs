//! What the folder holds after rotations, kills and restarts.

use super::*;
use crate::ship::tests::said;

fn writer(path: &Path, gzip: bool, keep: u32) -> Writer {
    let text = format!("path = '{}'\nrotate_bytes = 10\ngzip = {gzip}\nkeep = {keep}", path.display());
    Writer::file(&toml::from_str(&text).unwrap()).unwrap()
}

fn batch(body: &str) -> Batch {
    let body = body.as_bytes().to_vec();
    let raw_len = body.len() as u64;
    Batch { number: 0, body: body.into(), gzip: false, raw_len, items: 1, spans: Vec::new(), unsure: false }
}

fn read_rotated(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path.extension() == Some(OsStr::new("gz")) {
        true => GzDecoder::new(File::open(path)?).read_to_end(&mut bytes)?,
        false => File::open(path)?.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// All that the folder holds, in the order in which it was written.
fn everything(path: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The present file's name is a prefix of the others': it sorts first and was written last.
    files.sort();
    files.rotate_left(1);
    files.iter().map(|file| String::from_utf8(read_rotated(file).unwrap()).unwrap()).collect()
}

#[test]
fn after_any_crash_the_files_hold_what_was_settled() {
    let lines = ["one 1\n", "two 2\n", "three 3\n", "four 44\n", "5\n", "6\n", "seven 77777777\n"];
    for gzip in [false, true] {
        for settled in 0..=lines.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out.ndjson");
            let mut first = writer(&path, gzip, 9);
            let written: Vec<u64> = lines.iter().map(|line| first.write(&batch(line)).unwrap().unwrap()).collect();
            let saved = if settled == 0 { 0 } else { written[settled - 1] };
            let mut second = writer(&path, gzip, 9);
            second.truncate_to(saved).unwrap();
            for line in &lines[settled..] {
                second.write(&batch(line)).unwrap();
            }
            assert_eq!(everything(&path), lines.concat(), "gzip {gzip}, {settled} settled");
            assert!(fs::read_dir(folder.path()).unwrap().count() > 3, "it was rotated");
        }
    }
}

#[test]
fn only_so_many_rotated_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.ndjson");
    let mut writer = writer(&path, true, 2);
    for number in 0..9 {
        writer.write(&batch(&format!("line {number}\n"))).unwrap();
    }
    assert_eq!(everything(&path), "line 6\nline 7\nline 8\n");
    assert_eq!(writer.write(&batch("x\n")).unwrap(), Some(65));
}

#[test]
fn a_kill_during_compression_leaves_no_line_twice() {
    let twins = |folder: &Path| {
        let plain = folder.join("out.ndjson.00000000000000000006");
        (with_suffix(&plain, GZIP), with_suffix(&plain, UNFINISHED), plain)
    };
    for (copy_len, unfinished, plain_stays) in
        [(None, true, true), (Some(usize::MAX), false, false), (Some(9), true, true), (Some(0), false, true)]
    {
        for by_truncation in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out.ndjson");
            let mut first = writer(&path, true, 9);
            first.write(&batch("one 1\n")).unwrap();
            first.write(&batch("two 2\n")).unwrap();
            let (copy, half, plain) = twins(folder.path());
            fs::write(&plain, "one 1\n").unwrap();
            let compressed = fs::read(&copy).unwrap();
            match copy_len {
                Some(len) => fs::write(&copy, &compressed[..len.min(compressed.len())]).unwrap(),
                None => fs::remove_file(&copy).unwrap(),
            }
            if unfinished {
                fs::write(&half, &compressed[..5]).unwrap();
            }
            let foreign = folder.path().join("out.ndjson.mine.unfinished");
            fs::write(&foreign, "").unwrap();

            let mut second = writer(&path, true, 9);
            match by_truncation {
                true => second.truncate_to(12).unwrap(),
                false => assert_eq!(second.written().unwrap(), Some(12)),
            }
            let case = format!("{copy_len:?}, unfinished {unfinished}, by truncation {by_truncation}");
            assert_eq!((plain.exists(), copy.exists()), (plain_stays, !plain_stays), "{case}");
            assert!(!half.exists() && foreign.exists(), "{case}");
            fs::remove_file(&foreign).unwrap();
            assert_eq!(everything(&path), "one 1\ntwo 2\n", "{case}");
        }
    }
}

#[test]
fn a_file_shorter_than_what_was_saved_is_told() {
    for (saved, is_told) in [(5, false), (6, false), (7, true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.ndjson");
        let mut writer = writer(&path, false, 2);
        writer.write(&batch("one 1\n")).unwrap();
        let said = said(|| writer.truncate_to(saved).unwrap());
        let expected = "missing_bytes=1";
        assert_eq!(said.contains("WARN") && said.contains(expected), is_told, "{saved}: {said}");
    }
}

#[test]
fn a_file_that_somebody_moved_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.ndjson");
    let mut writer = writer(&path, true, 2);
    writer.truncate_to(1000).unwrap();
    assert_eq!(writer.write(&batch("x\n")).unwrap(), Some(1002));
}

/// The most memory that the process ever held, in bytes.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Files may be larger than the memory that the agent may take.
#[test]
fn large_files_are_never_held_in_memory() {
    const LENGTH: u64 = 40 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.ndjson");
    let plain = with_suffix(&path, &format!(".{LENGTH:020}"));
    File::create(&plain).unwrap().set_len(LENGTH).unwrap();
    let before = peak_bytes();
    let copy = File::create(with_suffix(&plain, GZIP)).unwrap();
    let mut encoder = GzEncoder::new(copy, Compression::fast());
    io::copy(&mut File::open(&plain).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
    let mut writer = writer(&path, true, 2);
    assert_eq!(writer.written().unwrap(), Some(LENGTH));
    assert!(!plain.exists(), "the copy is whole");
    writer.truncate_to(LENGTH - 1).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), LENGTH - 1);
    let grown = peak_bytes() - before;
    assert!(grown < LENGTH / 2, "{grown} bytes for a file of {LENGTH}");
}

/// A file of which a write failed half-way is whole when the batch is given again, also where the half could not be cut
/// off at once.
#[test]
fn half_a_batch_is_cut_off_before_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.ndjson");
    let mut writer = writer(&path, false, 2);
    writer.write(&batch("one 1\n")).unwrap();
    let Writer::File(rolling) = &mut writer else { panic!("not a file") };
    (rolling.open, rolling.torn_at) = (None, Some(6));
    fs::write(&path, "one 1\ntw").unwrap();
    assert_eq!(writer.write(&batch("two\n")).unwrap(), Some(10));
    assert_eq!(fs::read_to_string(&path).unwrap(), "one 1\ntwo\n");
    writer.write(&batch("3\n")).unwrap();
    assert_eq!(everything(&path), "one 1\ntwo\n3\n");
}
