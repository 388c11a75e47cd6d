# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cluster.conf as XML: how it is read, compared and written.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
import xml.etree.ElementTree as ET
from typing import Any, List, Sequence, Tuple

from .._core.plan import HaError

PATH = "/etc/cluster/cluster.conf"
# Elements whose children may stand in any order; elsewhere order has a meaning (fencing methods, service trees).
UNORDERED = {"cluster", "clusternodes", "fencedevices", "failoverdomains", "failoverdomain"}


class ClusterConfError(HaError):
    """The text of a cluster.conf is not one."""


class _Keeper(ET.TreeBuilder):
    """Keeps the comments inside of the root, which the standard builder drops."""

    depth = 0

    def start(self, tag: Any, attrs: Any) -> Any:
        """Take the begin of an element."""
        self.depth += 1
        return super().start(tag, attrs)

    def end(self, tag: Any) -> Any:
        """Take the end of an element."""
        self.depth -= 1
        return super().end(tag)

    def comment(self, text: Any) -> Any:
        """Take a comment for an element of its own kind."""
        if self.depth:
            super().start(ET.Comment, {})
            self.data(text)
            super().end(ET.Comment)  # type: ignore[arg-type]


# --- reading ----------------------------------------------------------------------------------------------------------

def parse_conf(text: str) -> ET.Element:
    """Return the element <cluster>; raise ClusterConfError when the text is none."""
    try:
        parser = ET.XMLParser(target=_Keeper())
        parser.feed(text.lstrip())
        root: ET.Element = parser.close()
    except ET.ParseError as error:
        raise ClusterConfError("%s: is no XML (%s); expected an element <cluster>" % (PATH, error))
    if root.tag != "cluster":
        raise ClusterConfError("%s: begins with <%s>; expected <cluster>" % (PATH, root.tag))
    version_of(root)
    return root


def version_of(root: ET.Element) -> int:
    """Return the configuration's version."""
    version = root.get("config_version", "")
    if not re.match(r"[0-9]+\Z", version) or not int(version):
        raise ClusterConfError("%s: config_version is %r; expected a whole number, 1 or more" % (PATH, version))
    return int(version)


def canonical(element: ET.Element) -> Tuple[Any, ...]:
    """Return the content of an element, without version, comments, blanks, and orders that have no meaning."""
    attributes = {name: value for name, value in element.attrib.items()
                  if (element.tag, name) != ("cluster", "config_version")}
    children = [canonical(child) for child in element if isinstance(child.tag, str)]
    if element.tag in UNORDERED:
        children.sort()
    return element.tag, tuple(sorted(attributes.items())), tuple(children)


def same(one: str, other: str) -> bool:
    """Whether two texts of cluster.conf mean the same, apart from their version."""
    return canonical(parse_conf(one)) == canonical(parse_conf(other))


# --- writing ----------------------------------------------------------------------------------------------------------

def _quoted(value: str) -> str:
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;"),
                         ("\t", "&#9;"), ("\r", "&#13;")):
        value = value.replace(sign, entity)
    return '"%s"' % value


def _lines(element: ET.Element, depth: int) -> List[str]:
    indent = "  " * depth
    if not isinstance(element.tag, str):
        return ["%s<!--%s-->" % (indent, element.text or "")]
    start = indent + "<" + element.tag + "".join(
        " %s=%s" % (name, _quoted(value)) for name, value in element.attrib.items())
    if not len(element):
        return [start + "/>"]
    inner = [line for child in element for line in _lines(child, depth + 1)]
    return [start + ">"] + inner + ["%s</%s>" % (indent, element.tag)]


def render(root: ET.Element) -> str:
    """Return the file's text, one element on a line."""
    return '<?xml version="1.0"?>\n' + "\n".join(_lines(root, 0)) + "\n"


def element(tag: str, attributes: Sequence[Tuple[str, Any]], children: Sequence[ET.Element] = ()) -> ET.Element:
    """Make an element; attributes that are None are left out, truths become 1 and 0."""
    made = ET.Element(tag)
    for name, value in attributes:
        if value is not None:
            made.set(name, str(int(value)) if isinstance(value, bool) else str(value))
    made.extend(children)
    return made
