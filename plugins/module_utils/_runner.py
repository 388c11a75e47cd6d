# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The workshop: the only place in the collection that runs programs or writes files on a managed node.

Private to linuxha.cluster; nothing outside may import it.
"""
import os
import subprocess
import tempfile
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.linuxha.cluster.plugins.module_utils._plan import Command, HaError, WriteFile

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
        try:
            done = subprocess.run(  # pylint: disable=subprocess-run-check
                list(argv), env=self._environment, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                input=(stdin or "").encode("utf-8"))
        except FileNotFoundError:
            raise CommandError("'%s' is not installed on this host (needed to run: %s)" % (argv[0], shown))
        except subprocess.TimeoutExpired:
            raise CommandError("'%s' did not end within %d s" % (shown, seconds))
        output = Output(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
        if output.code not in accepted:
            said = (output.err.strip() or output.out.strip() or "it printed nothing")
            raise CommandError("'%s' ended with exit code %d: %s" % (shown, output.code, said))
        return output

    def read_file(self, path: str) -> Optional[str]:
        """Return the text of ``path``, or None when there is no such file."""
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if isinstance(action, WriteFile):
            self._write(action)
        elif isinstance(action, Command):
            self.run(action.argv, action.accepted, action.seconds, action.stdin)
        else:
            raise TypeError("no room knows how to perform %r" % (action,))

    def _write(self, action: WriteFile) -> None:
        if os.path.exists(action.path):
            self._module.backup_local(action.path)
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
