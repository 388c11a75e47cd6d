# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for images of disks: whether what is on a device is saved already, and whether there is room for it.

An image is named after the checksum of what it holds, so that a run that is made again finds what is saved.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import posixpath
import re
from typing import Any, Dict, List, NamedTuple

from .._core.plan import Content, HaError, Plan, SaveDevice

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
MIB = 1 << 20


class Wanted(NamedTuple):
    """What is asked for."""

    device: str
    directory: str
    name: str


class State(NamedTuple):
    """What there is."""

    content: Content
    free: int      # bytes that the directory has room for
    saved: bool    # an image is there and holds just this content


class Prove(NamedTuple):
    """Look again, just before the device is read for good, and stop if anything uses it."""

    sentence: str


def check_wanted(wanted: Wanted) -> None:
    """Refuse what makes no sense on any host."""
    faults = ["%s: %r; expected an absolute path" % (name, value) for name, value in (
        ("device", wanted.device), ("directory", wanted.directory)) if not value.startswith("/")]
    if not NAME.match(wanted.name):
        faults.append("name: %r; expected letters, digits, '_', '.' and '-'" % wanted.name)
    if faults:
        raise HaError("\n".join(faults))


def path_of(wanted: Wanted, content: Content) -> str:
    """Return where the image of this content is, or would be."""
    return posixpath.join(wanted.directory, "%s-%s.img.gz" % (wanted.name, content.digest[:16]))


def plan_image(state: State, wanted: Wanted) -> Plan:
    """Plan the image, unless it is there."""
    if state.saved:
        return Plan((), state)
    needed = state.content.used + MIB  # what does not compress at all; blocks of zeros need next to nothing
    if state.free < needed:
        raise HaError("%s has room for %d MiB; the image of %s may need %d MiB. Nothing was written. Name a directory "
                      "with more room." % (wanted.directory, state.free // MIB, wanted.device, -(-needed // MIB)))
    path = path_of(wanted, state.content)
    actions: List[Any] = [
        Prove("make sure that nothing uses %s" % wanted.device),
        SaveDevice("save %s in %s and compare the two" % (wanted.device, path), wanted.device, path,
                   state.content.digest)]
    return Plan(tuple(actions), state._replace(saved=True))


def describe(state: State, wanted: Wanted) -> str:
    """Render a state for --diff."""
    return "image: %s\n" % (path_of(wanted, state.content) if state.saved else "none")


def report(state: State, wanted: Wanted) -> Dict[str, Any]:
    """Return the module's own values."""
    return {"path": path_of(wanted, state.content), "size": state.content.size, "used": state.content.used,
            "sha256": state.content.digest}
