# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The workshop: the only place in the collection that runs programs or writes files on a managed node.

Private to linuxha.cluster; nothing outside may import it.
"""
import errno
import mmap
import os
import shutil
import stat
import subprocess
import tempfile
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.linuxha.cluster.plugins.module_utils._plan import Command, HaError, WriteFile

PIECE = 4 << 20  # bytes read at a time from a block device

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Output(NamedTuple):
    """What a program printed. ``code`` is its exit code."""

    code: int
    out: str
    err: str


class CommandError(HaError):
    """A program is missing, took too long, or ended with an exit code that was not accepted."""


class Runner:
    """Runs programs in the C locale, without a shell, with a time limit and a list of accepted exit codes.

    ``module`` is the AnsibleModule, used to replace files in one step with the right ownership and context.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        path = os.environ.get("PATH", "") + ":" + SYSTEM_PATH  # an ssh session's PATH often lacks sbin
        self._environment = dict(os.environ, LC_ALL="C", LANGUAGE="C", PATH=path.lstrip(":"))

    def run(self, argv: Sequence[str], accepted: Tuple[int, ...] = (0,), seconds: int = 120,
            stdin: Optional[str] = None) -> Output:
        """Run ``argv`` and return what it printed; raise CommandError unless its exit code is in ``accepted``."""
        shown = " ".join(argv)
        # files, not pipes: a daemon that a program leaves behind keeps its output open, and we would wait for it
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                done = subprocess.run(
                    list(argv), env=self._environment, timeout=seconds, stdout=out, stderr=err,
                    input=(stdin or "").encode("utf-8"), check=False)
            except FileNotFoundError:
                raise CommandError("'%s' is not installed on this host (needed to run: %s)" % (argv[0], shown))
            except subprocess.TimeoutExpired:
                raise CommandError("'%s' did not end within %d s" % (shown, seconds))
            out.seek(0)
            err.seek(0)
            output = Output(done.returncode, out.read().decode("utf-8", "replace"),
                            err.read().decode("utf-8", "replace"))
        if output.code not in accepted:
            said = (output.err.strip() or output.out.strip() or "it printed nothing")
            raise CommandError("'%s' ended with exit code %d: %s" % (shown, output.code, said))
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
            handle = os.open(path, os.O_RDONLY | os.O_DIRECT)
        except OSError:
            handle = os.open(path, os.O_RDONLY)
        try:
            with mmap.mmap(-1, PIECE) as buffer, open(handle, "rb", buffering=0, closefd=False) as device:
                return _first_nonzero(device, buffer, start, end)
        finally:
            os.close(handle)

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if isinstance(action, WriteFile):
            self._write(action)
        elif isinstance(action, Command):
            self.run(action.argv, action.accepted, action.seconds, action.stdin)
        else:
            raise TypeError("no room knows how to perform %r" % (action,))

    def _write(self, action: WriteFile) -> None:
        if action.backup and os.path.exists(action.path):
            self._module.backup_local(action.path)
        os.makedirs(os.path.dirname(action.path), mode=0o755, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(action.path), prefix=".linuxha-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(action.content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, action.mode)
            self._module.atomic_move(temporary, action.path)
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)


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
