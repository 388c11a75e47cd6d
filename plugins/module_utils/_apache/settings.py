# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role apache: what is valid beyond their names and types.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, List

from .._core.schema import ListOf, Mapping, MappingOf, fault, host_name, ip_address, number, read, text

_NAME = r"[A-Za-z0-9._-]+"
_HOST = r"(" + _NAME + r"|\[[0-9a-fA-F]*:[0-9a-fA-F:.]*\])"
LISTEN = re.compile(r"(\*|%s):([0-9]+)\Z" % _HOST)
SERVER_NAME = re.compile(r"([a-z]+://)?%s(:[0-9]+)?\Z" % _NAME)
# Both stand in directives without quotes. Apache replaces ${X} by a variable, and <Directory> has wildcards.
PATH = re.compile(r"/(?!.*\$\{)[^\s\"'\\<>*?\[\]]*\Z")
SERVER_ADMIN = re.compile(r"(?!.*\$\{)[^\s\"'\\<>]+\Z")


def _listen(raw: str) -> str:
    host, _colon, port = raw.rpartition(":")
    if not 0 < int(port) < 65536:
        raise ValueError
    if host != "*":
        (ip_address if re.match(r"\[|[0-9.]+\Z", host) else host_name)(host.strip("[]"))
    return raw


VARIABLES = Mapping({
    "apache_listen": ListOf(text(LISTEN, "ADDRESS:PORT such as *:80 or 127.0.0.1:8080", _listen),
                            "a list of at least one ADDRESS:PORT such as *:80", least=1),
    "apache_server_name": text(SERVER_NAME, "a host name such as www.example.com"),
    "apache_server_admin": text(SERVER_ADMIN, "a mail address such as webmaster@example.com"),
    "apache_document_root": text(PATH, "an absolute path without blanks"),
    "apache_document_root_mount": text(re.compile("|" + PATH.pattern), "an absolute path without blanks, or nothing"),
    "apache_processes": MappingOf(text(re.compile(r"[A-Z][A-Za-z]+\Z"), "names of directives, as MaxRequestWorkers"),
                                  number(0), "a mapping of directives and numbers, as MaxRequestWorkers: 10"),
}, others=True)


def check_settings(settings: Dict[str, Any], hosts: List[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one message for each wrong variable."""
    found, faults = read(VARIABLES, settings)
    if faults:
        return faults
    root, mount = found["apache_document_root"], found["apache_document_root_mount"]
    if mount and not (root + "/").startswith(mount.rstrip("/") + "/"):
        return [fault("apache_document_root", root, "a path below apache_document_root_mount, which is " + mount)]
    return []
