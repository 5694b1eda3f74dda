"""Every difference between operating systems and filesystems that the store must know, in one place.

These functions raise `OSError` as the system does; `trouble.told` turns it into an error for people.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
import sys
from pathlib import Path

WINDOWS = os.name == "nt"

_FICLONE = 0x40049409
_NO_HARD_LINKS = frozenset({"vfat", "msdos", "exfat", "fat32", "fuse.exfat"})
_NETWORK = frozenset(
    {
        "9p",
        "afs",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
    }
    | {"nfs", "nfs4", "smb2", "smb3", "smbfs", "virtiofs", "vboxsf", "webdav"}
)
_LOCAL_FUSE = frozenset(
    {"fuse.exfat", "fuse.ext2", "fuse.fuseblk", "fuse.gocryptfs", "fuse.encfs", "fuse.ecryptfs", "fuse.mergerfs"}
    | {"fuse.ntfs", "fuse.ntfs-3g", "fuse.unionfs", "fuse.overlayfs", "fuse.fuse-overlayfs", "fuse.apfs"}
)
_REPARSE_LINKS = frozenset({0xA000000C, 0xA0000003})  # symbolic link, mount point (junction)
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY})
_RENAME_NOREPLACE = 1
_RENAME_EXCL = 4
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_AT_FDCWD = -100
_counter = itertools.count()


def private_name(stem: str, suffix: str) -> str:
    """A file name that no other process and no other call of this one uses."""
    return f"{stem}-{os.getpid()}-{next(_counter)}{suffix}"


def long(path: Path) -> Path:
    r"""`path` in a spelling that Windows accepts beyond 260 characters (`\\?\`); elsewhere unchanged."""
    text = str(path)
    if not WINDOWS or len(text) < 240 or text.startswith("\\\\?\\"):
        return path
    text = os.path.abspath(text)  # noqa: PTH100 - the prefix needs `..` resolved without following links
    return Path("\\\\?\\UNC" + text[1:] if text.startswith("\\\\") else "\\\\?\\" + text)


def long_paths_enabled() -> bool:
    """Whether programs in general may use paths of more than 260 characters; only Windows can say no."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
                return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
        except OSError:
            return False
    return True


def standing(path: Path) -> Path:
    """The nearest ancestor of `path`, itself included, that exists."""
    for candidate in (path, *path.absolute().parents):
        if candidate.exists():
            return candidate
    return Path(path.absolute().anchor)


def volume_of(path: Path) -> int:
    """The id of the volume that holds `path`, or would hold it once it is made."""
    return standing(path).stat().st_dev


def same_volume(one: Path, other: Path) -> bool:
    """Whether a rename or hard link between the two can work. Sub-volumes may still refuse it."""
    return volume_of(one) == volume_of(other)


def free_space(path: Path) -> int:
    """Bytes that this user may still write on the volume of `path`."""
    return shutil.disk_usage(standing(path)).free


def may_write(folder: Path) -> bool:
    """Whether files can be made in `folder`, or in the folder it would be made in."""
    return os.access(standing(folder), os.W_OK | os.X_OK)


def filesystem_of(path: Path) -> str:
    """The filesystem's name in lower case (`ext4`, `nfs4`, `exfat`), empty where the system does not tell."""
    if sys.platform == "win32":
        import ctypes

        buffer = ctypes.create_unicode_buffer(64)
        anchor = standing(path).resolve().anchor
        found = ctypes.windll.kernel32.GetVolumeInformationW(anchor, None, 0, None, None, None, buffer, 64)
        return buffer.value.lower() if found else ""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _mounted(table, str(standing(path).resolve()))


def _mounted(table: str, path: str) -> str:
    best, found = "", ""
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].encode().decode("unicode_escape").encode("latin-1", "replace").decode("utf-8", "replace")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, right.split()[0].lower()
    return found


def is_network(path: Path) -> bool:
    """Whether `path` lies on another machine, where locks and hard links promise less."""
    if sys.platform == "win32":
        import ctypes

        anchor = standing(path).resolve().anchor
        return anchor.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(anchor) == 4
    name = filesystem_of(path)
    return name in _NETWORK or name == "fuse" or (name.startswith("fuse.") and name not in _LOCAL_FUSE)


def has_hard_links(path: Path) -> bool:
    """False for filesystems known to have none (FAT, exFAT); True promises nothing."""
    return filesystem_of(path) not in _NO_HARD_LINKS


def folds_case(folder: Path) -> bool:
    """Whether `Name` and `name` are one file in `folder`, found out by making one."""
    probe = folder / private_name(".sdkeep-Case", ".tmp")
    probe.touch()
    try:
        return probe.with_name(probe.name.swapcase()).exists()
    finally:
        probe.unlink()


def can_symlink(folder: Path) -> bool:
    """Whether this user may make symbolic links in `folder`; Windows wants Developer Mode for it."""
    probe = folder / private_name(".sdkeep-link", ".tmp")
    try:
        probe.symlink_to(folder / "nowhere")
    except (OSError, NotImplementedError):
        return False
    probe.unlink()
    return True


def is_link(path: Path) -> bool:
    """Whether `path` is a symbolic link or a Windows junction; False when it does not exist."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISLNK(info.st_mode) or getattr(info, "st_reparse_tag", 0) in _REPARSE_LINKS


def link_target(path: Path) -> Path:
    """Where the symbolic link `path` points, as an absolute path, one step and no further."""
    text = os.readlink(path)  # noqa: PTH115 - Path.readlink keeps the Windows prefix too
    return (path.parent.absolute() / text.removeprefix("\\\\?\\")).absolute()


def hard_link(source: Path, target: Path) -> None:
    """A second name for the same bytes; raises FileExistsError when `target` is taken."""
    if WINDOWS:
        os.link(source, target)  # knows no other way
    else:
        os.link(source, target, follow_symlinks=False)


def reflink(source: Path, target: Path) -> None:
    """A copy that shares its blocks until one side changes; raises `OSError` (ENOTSUP) where there is none."""
    if sys.platform == "linux":
        _ficlone(source, target)
    elif sys.platform == "darwin":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.clonefile(os.fsencode(source), os.fsencode(target), 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(target))
    else:
        raise OSError(errno.ENOTSUP, "no reflinks here", str(target))


def _ficlone(source: Path, target: Path) -> None:
    import fcntl

    with source.open("rb") as reading, target.open("xb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
            os.fsync(writing.fileno())
        except OSError:
            target.unlink()
            raise


def move_new(source: Path, target: Path) -> None:
    """Rename within a volume, never onto something: raises FileExistsError when `target` is taken."""
    if WINDOWS:
        source.rename(target)  # Windows refuses an existing target by itself
        return
    if _rename_exclusively(source, target):
        return
    try:
        hard_link(source, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.EXDEV, errno.ENOENT, errno.ENOSPC, errno.EROFS):
            raise
        _move_over_placeholder(source, target)
    else:
        source.unlink()


def exchange(one: Path, other: Path) -> bool:
    """Give two files of one folder each other's names in one step; False where the system cannot."""
    return not WINDOWS and _rename_with(one, other, _RENAME_SWAP, _RENAME_EXCHANGE)


def written_elsewhere(descriptor: int) -> bool:
    """Whether a program has the file open for writing, where the system can tell; False promises nothing.

    A read lease is refused for such a file. While one is held, a new writer waits until `descriptor` is closed.
    """
    if sys.platform != "linux":
        return False
    import fcntl
    import signal

    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # the default, SIGIO, would end this process
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def _rename_exclusively(source: Path, target: Path) -> bool:
    """The system's own rename that refuses an existing target; False where it has none."""
    return _rename_with(source, target, _RENAME_EXCL, _RENAME_NOREPLACE)


def _rename_with(source: Path, target: Path, darwin: int, linux: int) -> bool:
    """The system's rename with a flag; False where it knows none."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(source), os.fsencode(target)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(old, new, darwin)
        else:
            failed = libc.renameat2(_AT_FDCWD, old, _AT_FDCWD, new, linux)
    except AttributeError:
        return False
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


def _move_over_placeholder(source: Path, target: Path) -> None:
    """For filesystems with neither: claim the name with an empty file of ours, then rename over that."""
    target.open("xb").close()
    source.replace(target)


def fsync_file(path: Path) -> None:
    """Push a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Push a folder's names to the disk; Windows and some network filesystems have no such call."""
    if WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def make_read_only(path: Path) -> None:
    """0444, so that a tool which edits in place stumbles instead of changing every view of a blob."""
    path.chmod(0o444)


def remove(path: Path) -> None:
    """Unlink one name. On Windows the read-only mark, shared by all names of a file, is put back on the others."""
    if not WINDOWS or is_link(path):
        path.unlink()
        return
    other_names = path.stat().st_nlink > 1
    keeper = path.with_name(private_name(".sdkeep-keep", ".tmp")) if other_names else None
    if keeper:
        hard_link(path, keeper)
    path.chmod(stat.S_IWRITE | stat.S_IREAD)
    path.unlink()
    if keeper:
        keeper.unlink()


def mtime_of(info: os.stat_result) -> int:
    """The time of the last change in nanoseconds, as a catalogue holds it: nothing beyond the year 2262."""
    return max(-(2**63), min(info.st_mtime_ns, 2**63 - 1))
