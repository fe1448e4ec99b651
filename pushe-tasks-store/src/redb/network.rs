//! Whether a file is on a network file system.
//!
//! Invariant: what is not known to be one is taken for a local disk; the trial of the lock is made on every file system.

/// The kind of a network file system, by the magic number that the kernel gives; FUSE is judged by its subtype, such as
/// `sshfs`, since its number says nothing.
fn kind(magic: u64, subtype: Option<&str>) -> Option<String> {
    const FUSE: u64 = 0x6573_5546;
    let name = match magic {
        0x6969 => "nfs",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "smb",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x564c => "ncp",
        0x0bd0_0bd0 => "lustre",
        0x4750_4653 => "gpfs",
        0x1983_0326 => "beegfs",
        FUSE => {
            return subtype.filter(|subtype| is_network(subtype)).map(|subtype| format!("fuse.{subtype}"));
        }
        _ => return None,
    };
    Some(name.to_owned())
}

/// Whether a FUSE file system with this subtype reaches over a network.
fn is_network(subtype: &str) -> bool {
    const KNOWN: [&str; 20] = [
        "sshfs",
        "s3fs",
        "glusterfs",
        "ceph",
        "ceph-fuse",
        "cephfs",
        "davfs",
        "davfs2",
        "rclone",
        "smbnetfs",
        "curlftpfs",
        "goofys",
        "gcsfuse",
        "mfs",
        "moosefs",
        "juicefs",
        "seaweedfs",
        "hdfs",
        "mount-s3",
        "blobfuse2",
    ];
    // Some name themselves after what they mount, such as `juicefs:volume`.
    let name = subtype.split(':').next().unwrap_or(subtype).to_ascii_lowercase();
    KNOWN.contains(&name.as_str())
}

/// The subtype of the FUSE mount on this device, from the text of `/proc/self/mountinfo`.
fn fuse_subtype(mounts: &str, (major, minor): (u32, u32)) -> Option<&str> {
    let device = format!("{major}:{minor}");
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let same = before.split(' ').nth(2) == Some(device.as_str());
        if same { after.split(' ').next()?.strip_prefix("fuse.") } else { None }
    })
}

/// The kind of network file system that the file is on, if it is on one.
#[cfg(target_os = "linux")]
pub(super) fn network_of(file: &std::fs::File) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    // The width of the number differs between platforms, and its upper half may be a sign.
    let magic = u64::try_from(i128::from(rustix::fs::fstatfs(file).ok()?.f_type) & 0xffff_ffff).ok()?;
    let device = file.metadata().ok()?.dev();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    kind(magic, fuse_subtype(&mounts, (rustix::fs::major(device), rustix::fs::minor(device))))
}

/// The kind of network file system that the file is on; this system cannot be asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn network_of(_: &std::fs::File) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_22_network_file_systems_are_known_by_their_numbers() {
        for (magic, subtype, expected) in [
            (0x6969, None, Some("nfs")),
            (0xff53_4d42, None, Some("smb")),
            (0xfe53_4d42, None, Some("smb")),
            (0x0102_1997, None, Some("9p")),
            (0x00c3_6400, None, Some("ceph")),
            (0x6573_5546, Some("sshfs"), Some("fuse.sshfs")),
            (0x6573_5546, Some("JuiceFS:photos"), Some("fuse.JuiceFS:photos")),
            (0x6573_5546, Some("ntfs-3g"), None),
            (0x6573_5546, None, None),
            (0xef53, None, None),
            (0x0102_1994, None, None),
            (0x9123_683e, None, None),
        ] {
            assert_eq!(kind(magic, subtype).as_deref(), expected, "{magic:x} {subtype:?}");
        }
    }

    #[test]
    fn a_mount_is_found_by_its_device() {
        let mounts = "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
                      90 25 0:47 / /mnt/far rw,nosuid - fuse.sshfs me@far:/ rw\n\
                      91 25 0:48 / /mnt/own rw shared:3 master:1 - fuse.gocryptfs own rw\n";
        assert_eq!(fuse_subtype(mounts, (0, 47)), Some("sshfs"));
        assert_eq!(fuse_subtype(mounts, (0, 48)), Some("gocryptfs"));
        assert_eq!(fuse_subtype(mounts, (254, 0)), None);
        assert_eq!(fuse_subtype("rubbish\n", (0, 47)), None);
    }

    #[test]
    fn the_disk_of_the_tests_is_no_network() {
        assert_eq!(network_of(&tempfile::tempfile().unwrap()), None);
    }
}
