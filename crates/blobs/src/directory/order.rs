//! Whether a file system writes changes to directories and files in the order in which they were made, so that what is synced brings all that was
//! changed before it.
//!
//! XFS does, by its log, and ext4 by its journal, if it has one: it can be made without. The number that `statfs` gives is the same for ext2, ext3 and
//! ext4, so the table of mounts is asked for the name, and the kernel for the journal. What nobody knows is not believed.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How much is synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// What the file system needs, as far as it is known.
    #[default]
    Auto,
    /// The file system keeps the order of changes: somebody who knows it says so.
    Ordered,
    /// Each file, and each directory whose entries changed.
    All,
}

/// Whether the file system of a directory keeps the order of changes.
pub(super) fn keeps_order(directory: &Path) -> io::Result<bool> {
    let device = std::fs::metadata(directory)?.dev();
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return Ok(false) };
    Ok(match kind(&mounts, &number) {
        Some("xfs") => true,
        Some("ext4") => has_journal(&number),
        _ => false,
    })
}

/// The kind of the file system on a device.
fn kind<'a>(mounts: &'a str, number: &str) -> Option<&'a str> {
    // 27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(number))?;
    mount.split_once(" - ")?.1.split(' ').next()
}

/// Whether the ext4 on a device has a journal: then a task of the kernel writes it.
fn has_journal(number: &str) -> bool {
    let Ok(device) = std::fs::read_link(format!("/sys/dev/block/{number}")) else { return false };
    let Some(name) = device.file_name() else { return false };
    let task = Path::new("/sys/fs/ext4").join(name).join("journal_task");
    std::fs::read_to_string(task).is_ok_and(|task| is_task(&task))
}

/// The kernel writes `<none>` where there is no journal.
fn is_task(text: &str) -> bool {
    text.trim().parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:20 / /sys rw,nosuid - sysfs sysfs rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
30 27 8:17 / /var/lib/registry rw - xfs /dev/sdb1 rw,attr2
31 27 8:33 / /old rw shared:7 - ext3 /dev/sdc1 rw
32 27 8:33 /a /elsewhere rw - ext3 /dev/sdc1 rw
33 27 0:45 / /merged rw - overlay overlay rw,lowerdir=/a - b
";

    #[test]
    fn a_file_system_is_known_by_its_name() {
        for (number, expected) in [
            ("254:0", Some("ext4")),
            ("8:17", Some("xfs")),
            ("8:33", Some("ext3")),
            ("0:45", Some("overlay")),
            ("8:1", None),
        ] {
            assert_eq!(kind(MOUNTS, number), expected, "{number}");
        }
        assert_eq!(kind("27 1 254:0", "254:0"), None);
    }

    #[test]
    fn without_a_journal_nothing_is_in_order() {
        for (task, expected) in [("312\n", true), ("<none>\n", false), ("", false)] {
            assert_eq!(is_task(task), expected, "{task:?}");
        }
    }

    #[test]
    fn what_is_no_disk_is_not_believed() {
        assert!(!keeps_order(Path::new("/proc")).expect("it is there"));
        assert!(keeps_order(Path::new("/nowhere/at/all")).is_err());
    }
}
