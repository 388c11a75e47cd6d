# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the image of a disk: whether its content is saved already, and whether the directory has space for it.

An image is named after the checksum of what it holds, so that the next run finds what is saved.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import posixpath
import re
from typing import Any, Dict, List, NamedTuple

from .._core.plan import Content, HaError, Plan, SaveDevice

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
MIB = 1 << 20


class Desired(NamedTuple):
    """The desired state."""

    device: str
    directory: str
    name: str


class State(NamedTuple):
    """The current state."""

    content: Content
    free: int      # bytes of free space in the directory
    saved: bool    # an image is there and holds just this content


class Verify(NamedTuple):
    """Check again, just before the device is saved, and stop if anything uses it."""

    sentence: str


def check_desired(desired: Desired) -> None:
    """Validate arguments."""
    faults = ["%s: %r; expected an absolute path" % (name, value) for name, value in (
        ("device", desired.device), ("directory", desired.directory)) if not value.startswith("/")]
    if not NAME.match(desired.name):
        faults.append("name: %r; expected letters, digits, '_', '.' and '-'" % desired.name)
    if faults:
        raise HaError("\n".join(faults))


def path_of(desired: Desired, content: Content) -> str:
    """Return where the image of this content is, or would be."""
    return posixpath.join(desired.directory, "%s-%s.img.gz" % (desired.name, content.digest[:16]))


def plan_image(state: State, desired: Desired) -> Plan:
    """Plan the image, unless it is there."""
    if state.saved:
        return Plan((), state)
    needed = state.content.used + MIB  # what does not compress at all; blocks of zeros need next to nothing
    if state.free < needed:
        raise HaError("%s has %d MiB of free space; the image of %s may need %d MiB. Nothing was written. Name a "
                      "directory with more space." % (
                          desired.directory, state.free // MIB, desired.device, -(-needed // MIB)))
    path = path_of(desired, state.content)
    actions: List[Any] = [
        Verify("verify that nothing uses %s" % desired.device),
        SaveDevice("save %s in %s and compare the two" % (desired.device, path), desired.device, path,
                   state.content.digest)]
    return Plan(tuple(actions), state._replace(saved=True))


def describe(state: State, desired: Desired) -> str:
    """Render a state for --diff."""
    return "image: %s\n" % (path_of(desired, state.content) if state.saved else "none")


def report(state: State, desired: Desired) -> Dict[str, Any]:
    """Return the module's own values."""
    return {"path": path_of(desired, state.content), "size": state.content.size, "used": state.content.used,
            "sha256": state.content.digest}
