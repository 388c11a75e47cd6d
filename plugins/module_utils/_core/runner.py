# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command runner: it runs programs, and writes files and block devices, on a managed node.

Private to linuxha.cluster; nothing outside may import it.
"""
import errno
import fcntl
import mmap
import os
import shutil
import stat
import struct
import subprocess
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from .file_writer import replace_file, sync_folder
from .plan import Command, HaError, MakeFolder, RemoveFile, WriteBlocks, WriteFile

PIECE = 4 << 20  # bytes read at a time from a block device
# ioctl "logical sector size of a block device"; a few architectures number such requests differently
BLKSSZGET = 0x20001268 if os.uname().machine.startswith(("ppc", "mips", "sparc", "alpha")) else 0x1268

# One file stands in the place of another for one program. Private first: an older unshare shares mounts with the host.
IN_PLACE = 'mount --make-rprivate / && mount --bind "$0" "$1" && shift && exec "$@"'
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Output(NamedTuple):
    """What a program printed. ``code`` is its exit code."""

    code: int
    out: str
    err: str


class BlockDevice(NamedTuple):
    """One block device of this host."""

    name: str                  # the kernel's: "sdb1"
    number: str                # "8:17"
    size: int                  # bytes
    paths: Tuple[str, ...]     # every name beneath /dev, sorted
    holders: Tuple[str, ...]   # the devices that are made of it, or of the disk that it is a partition of: "dm-0"
    md: bool                   # it is a software RAID, or a partition of one


class CommandError(HaError):
    """A program is missing, took too long, or ended with an exit code that was not accepted."""


class Runner:
    """Runs programs in the C locale, without a shell, with a time limit and a list of accepted exit codes.

    ``module`` is the AnsibleModule, used to replace files in one step with the right ownership and context.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self.backups: Dict[str, str] = {}        # the copies of files that were replaced, by their paths
        path = os.environ.get("PATH", "") + ":" + SYSTEM_PATH  # an ssh session's PATH often lacks sbin
        self._environment = dict(os.environ, LC_ALL="C", LANGUAGE="C", PATH=path.lstrip(":"))

    def run(self, argv: Sequence[str], accepted: Tuple[int, ...] = (0,), seconds: int = 120,
            stdin: Optional[str] = None, wrapper: Sequence[str] = ()) -> Output:
        """Run ``argv`` and return what it printed; raise CommandError unless its exit code is in ``accepted``."""
        shown = " ".join(argv)
        # files, not pipes: a daemon that a program leaves behind keeps its output open, and we would wait for it
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                done = subprocess.run(
                    [*wrapper, *argv], env=self._environment, timeout=seconds, stdout=out, stderr=err,
                    input=(stdin or "").encode("utf-8"), check=False)
            except FileNotFoundError:
                raise CommandError("'%s' is not installed on this host (needed to run: %s)" % (argv[0], shown))
            except subprocess.TimeoutExpired:
                raise CommandError("'%s' did not end within %d s" % (shown, seconds))
            printed = [file.read().decode("utf-8", "replace") for file in (out, err) if file.seek(0) == 0]
            output = Output(done.returncode, *printed)
        if output.code not in accepted:
            text = (output.err.strip() or output.out.strip() or "it printed nothing")
            raise CommandError("'%s' ended with exit code %d: %s" % (shown, output.code, text))
        return output

    def has(self, program: str) -> bool:
        """Whether ``program`` is installed here."""
        return shutil.which(program, path=self._environment["PATH"]) is not None

    def read_file(self, path: str) -> Optional[str]:
        """Return the text of ``path``, or None when there is no such file."""
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    @staticmethod
    def is_block_device(path: str) -> bool:
        """Whether ``path`` leads to a block device."""
        try:
            return stat.S_ISBLK(os.stat(path).st_mode)
        except OSError:
            return False

    @staticmethod
    def is_held(path: str) -> bool:
        """Whether the kernel uses the block device ``path`` for something: a mount, swap, RAID, LVM, DRBD."""
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_EXCL))
        except OSError as error:
            if error.errno == errno.EBUSY:
                return True
            raise CommandError("%s cannot be read: %s" % (path, error.strerror))
        return False

    @staticmethod
    def number_of(path: str) -> str:
        """Return the number of a block device as the kernel writes it: "8:1"."""
        number = os.stat(path).st_rdev
        return "%d:%d" % (os.major(number), os.minor(number))

    @staticmethod
    def holders_of(number: str) -> Tuple[str, ...]:
        """Return the names of the devices that are made of the block device ``number``."""
        try:
            return tuple(sorted(os.listdir("/sys/dev/block/%s/holders" % number)))
        except FileNotFoundError:
            return ()

    @staticmethod
    def size_of(path: str) -> int:
        """Return the size of a block device in bytes."""
        handle = os.open(path, os.O_RDONLY)
        try:
            return os.lseek(handle, 0, os.SEEK_END)
        finally:
            os.close(handle)

    @staticmethod
    def forget_cached(path: str) -> None:
        """Let the next reader of ``path`` see the device itself.

        A driver such as DRBD writes beneath the page cache of its backing device, which may therefore be out of date.
        """
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)

    @staticmethod
    def first_nonzero(path: str, start: int, end: int) -> Optional[int]:
        """Return the offset of the first byte of ``path`` in [start, end) that is not zero, or None.

        Reads past the page cache where the device allows it (``start`` is then to be a multiple of 4096).
        """
        try:
            handle = _open_direct(path, os.O_RDONLY)
            try:
                with mmap.mmap(-1, PIECE) as buffer, open(handle, "rb", buffering=0, closefd=False) as device:
                    return _first_nonzero(device, buffer, start, end)
            finally:
                os.close(handle)
        except OSError as error:
            raise CommandError("%s cannot be read: %s" % (path, error.strerror))

    @staticmethod
    def sector_size(path: str) -> int:
        """Return the logical sector size of a block device in bytes."""
        try:
            handle = os.open(path, os.O_RDONLY)
            try:
                return int(struct.unpack("=I", fcntl.ioctl(handle, BLKSSZGET, bytes(4)))[0])
            finally:
                os.close(handle)
        except OSError as error:
            raise CommandError("%s cannot be read: %s" % (path, error.strerror))

    @staticmethod
    def read_bytes(path: str, start: int, count: int) -> bytes:
        """Return up to ``count`` bytes of a block device from ``start``, past the page cache; both multiples of 4096.

        Another host may write to a shared device, which the page cache of this one does not notice.
        """
        try:
            handle = _open_direct(path, os.O_RDONLY)
            try:
                return _read_at(handle, start, count)
            finally:
                os.close(handle)
        except OSError as error:
            raise CommandError("%s cannot be read: %s" % (path, error.strerror))

    @staticmethod
    def block_devices(sys: str = "/sys", dev: str = "/dev") -> Tuple[BlockDevice, ...]:
        """Return the disks and partitions of the kernel that have a name beneath /dev."""
        paths = _paths_of_numbers(dev)
        found: List[BlockDevice] = []
        for disk in sorted(os.listdir(sys + "/block")):
            place = "%s/block/%s" % (sys, disk)
            md = os.path.isdir(place + "/md") or disk.startswith("md")
            parts = [part for part in sorted(os.listdir(place)) if os.path.exists("%s/%s/start" % (place, part))]
            holders = _holders(place)  # of the disk, and with it of its partitions: a path of a multipath map is one
            for name, folder in [(disk, place)] + [(part, "%s/%s" % (place, part)) for part in parts]:
                device = _block_device(name, folder, paths, md, holders)
                found += [device] if device else []
        return tuple(found)

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if isinstance(action, (WriteFile, RemoveFile, MakeFolder)):
            self._arrange(action)
        elif isinstance(action, WriteBlocks):
            self._write_blocks(action)
        elif isinstance(action, Command):
            self.run(action.argv, action.accepted, action.seconds, action.stdin)
        else:
            raise TypeError("the runner cannot perform %r" % (action,))

    def _write_blocks(self, action: WriteBlocks) -> None:
        path, offset, content = action.path, action.offset, action.content
        if not self.is_block_device(path):  # opening a name that is not there yet must not make a file of it
            raise CommandError("%s is not a block device. Nothing was written to it." % path)
        try:
            handle = _open_direct(path, os.O_RDWR | os.O_EXCL | os.O_SYNC)  # EXCL: refused while the kernel uses it
            try:
                found = _read_at(handle, offset, len(content))
                if len(found) < len(content):
                    raise CommandError("%s ends before byte %d. Nothing was written." % (path, offset + len(content)))
                if action.expected is not None and found != action.expected:
                    raise CommandError("%s changed while it was read (byte %d): something else writes to it. "
                                       "It was left as it is." % (path, offset + _first_other(found, action.expected)))
                _write_at(handle, offset, content)
                written = _read_at(handle, offset, len(content))
            finally:
                os.close(handle)
        except OSError as error:
            raise CommandError("%s cannot be written: %s" % (path, error.strerror))
        if written != content:
            raise CommandError("%s does not hold what was just written to it, from byte %d on: it is broken, or "
                               "something else writes to it" % (path, offset + _first_other(written, content)))

    def prove(self, content: str, argv: Sequence[str], path: str = "") -> Output:
        """Let a program read a text before it becomes a file ("%s" in ``argv``), and return what it printed.

        With ``path``, a file that is there, this program alone finds the text in the place of that file.
        """
        with tempfile.NamedTemporaryFile(buffering=0, dir=self._module.tmpdir) as file:
            file.write(content.encode("utf-8"))
            wrapper = ["unshare", "--mount", "sh", "-c", IN_PLACE, file.name, path] if path else []
            return self.run([part.replace("%s", file.name) for part in argv], wrapper=wrapper)

    def _arrange(self, action: Any) -> None:
        try:
            if not isinstance(action, MakeFolder) and action.backup and os.path.exists(action.path):
                self.backups[action.path] = self._module.backup_local(action.path)
            if isinstance(action, WriteFile):
                self._write(action)
            elif isinstance(action, RemoveFile):
                if os.path.lexists(action.path):
                    os.unlink(action.path)
                sync_folder(action.path)
            else:
                os.makedirs(action.path, mode=0o755, exist_ok=True)
                self._set_attributes(action.path, action.path, action)
                sync_folder(action.path)
        except (OSError, LookupError) as error:  # LookupError: there is no such user or group
            raise CommandError("%s cannot be changed: %s" % (action.path, error))

    def _write(self, action: WriteFile) -> None:
        def write(file: Any, part: str) -> None:
            file.write(action.content.encode("utf-8"))
            file.flush()
            self._set_attributes(part, action.path, action)
        os.makedirs(os.path.dirname(action.path), mode=0o755, exist_ok=True)
        replace_file(action.path, write)

    def _set_attributes(self, path: str, final: str, action: Any) -> None:
        """Give ``path`` its owner, mode and context before it appears as ``final``."""
        old = os.stat(final) if os.path.exists(final) else os.stat(path)
        shutil.chown(path, action.owner or old.st_uid, action.group or old.st_gid)
        if action.mode is not None:
            os.chmod(path, action.mode)  # after chown, which takes special bits away
        self._module.set_context_if_different(path, self._module.selinux_default_context(final), False)


def _open_direct(path: str, flags: int) -> int:
    """Open past the page cache where the device allows it."""
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags)


def _read_at(handle: int, start: int, count: int) -> bytes:
    """Read up to ``count`` bytes; fewer only where the device ends. Direct reads need memory that is aligned."""
    os.lseek(handle, start, os.SEEK_SET)
    with mmap.mmap(-1, count) as buffer, open(handle, "rb", buffering=0, closefd=False) as device:
        got = device.readinto(buffer) or 0
        return buffer[:got]


def _write_at(handle: int, start: int, content: bytes) -> None:
    with mmap.mmap(-1, len(content)) as buffer:
        buffer[:] = content
        os.lseek(handle, start, os.SEEK_SET)
        with memoryview(buffer) as view:
            done = 0
            while done < len(content):
                with view[done:] as rest:
                    done += os.write(handle, rest)


def _first_other(one: bytes, other: bytes) -> int:
    return next((place for place, (mine, yours) in enumerate(zip(one, other)) if mine != yours),
                min(len(one), len(other)))


def _paths_of_numbers(dev: str) -> Dict[str, List[str]]:
    """Return the names of all block devices beneath ``dev``, by their number."""
    paths: Dict[str, List[str]] = {}
    for folder, _folders, names in os.walk(dev):
        for path in (os.path.join(folder, name) for name in names):
            try:
                status = os.stat(path)
            except OSError:  # a link to nothing, or a name that has just gone
                continue
            if stat.S_ISBLK(status.st_mode):
                paths.setdefault("%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev)), []).append(path)
    return paths


def _holders(folder: str) -> Set[str]:
    return set(os.listdir(folder + "/holders")) if os.path.isdir(folder + "/holders") else set()


def _block_device(name: str, folder: str, paths: Dict[str, List[str]], md: bool,
                  holders: Set[str]) -> Optional[BlockDevice]:
    """Read one device from sysfs; None when it has no name, or has just gone. ``holders``: of its whole disk."""
    try:
        with open(folder + "/dev", encoding="ascii") as file:
            number = file.read().strip()
        with open(folder + "/size", encoding="ascii") as file:
            size = int(file.read()) * 512  # whatever its sector size is
    except FileNotFoundError:
        return None
    if number not in paths:
        return None
    return BlockDevice(name, number, size, tuple(sorted(paths[number])), tuple(sorted(holders | _holders(folder))), md)


def _first_nonzero(device: Any, buffer: Any, start: int, end: int) -> Optional[int]:
    zeros = bytes(PIECE)
    position = start
    device.seek(position)
    while position < end:
        count = device.readinto(buffer)
        if not count:
            raise CommandError("%s ends at byte %d, before byte %d" % (device.name, position, end))
        piece = buffer[:min(count, end - position)]
        if piece != zeros[:len(piece)]:
            return position + len(piece) - len(piece.lstrip(b"\0"))
        position += count
    return None
