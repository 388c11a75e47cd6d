# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts of a host, named as the module setup names them, from a few files.

The module setup supports all systems and takes a second to send and to load. Debian and Ubuntu with systemd do not
need it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict

DISTRIBUTIONS = {"debian": "Debian", "ubuntu": "Ubuntu"}
LINE = re.compile(r"^([A-Z_]+)=[\"']?([^\"'\n]*)[\"']?$", re.MULTILINE)


def parse_facts(os_release: str, debian_version: str, init: str) -> Dict[str, str]:
    """Return the facts from os-release, debian_version and the name of process 1; none where these do not suffice."""
    release = dict(LINE.findall(os_release))
    name, number = DISTRIBUTIONS.get(release.get("ID", "")), release.get("VERSION_ID", "")
    codename = release.get("VERSION_CODENAME", "")
    if not (name and number and codename and init.strip() == "systemd"):
        return {}
    exact = debian_version.strip()
    if name == "Debian" and exact.startswith(number + "."):
        number = exact
    return {
        "distribution": name, "distribution_version": number, "distribution_major_version": number.split(".")[0],
        "distribution_release": codename, "os_family": "Debian", "service_mgr": "systemd"}
