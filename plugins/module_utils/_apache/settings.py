# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validate the variables of the role apache, beyond their names and types.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, List

LISTEN = re.compile(r"(\*|[0-9.]+|\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d+)")
DIRECTIVE = re.compile(r"[A-Z][A-Za-z]+")


def check_settings(settings: Dict[str, Any], hosts: List[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one sentence for each wrong variable."""
    found = []
    if not settings["apache_listen"]:
        found.append("apache_listen is empty; expected at least one ADDRESS:PORT such as *:80")
    for value in settings["apache_listen"]:
        match = LISTEN.fullmatch(value)
        if not match or not 0 < int(match.group(2)) < 65536:
            found.append("apache_listen has '%s'; expected ADDRESS:PORT such as *:80 or 127.0.0.1:8080" % value)
    root, mount = settings["apache_document_root"], settings["apache_document_root_mount"]
    for name, value in (("apache_document_root", root), ("apache_document_root_mount", mount)):
        if value and not re.fullmatch(r"/[^\s\"]*", value):
            found.append("%s is '%s'; expected an absolute path without blanks" % (name, value))
    if mount and not (root + "/").startswith(mount.rstrip("/") + "/"):
        found.append("apache_document_root is '%s', which is not below apache_document_root_mount '%s'"
                     % (root, mount))
    for name, value in settings["apache_processes"].items():
        if not DIRECTIVE.fullmatch(str(name)) or not str(value).isdigit():
            found.append("apache_processes has '%s: %s'; expected a directive and a number, as MaxRequestWorkers: 10"
                         % (name, value))
    return found
