# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords of fence devices, in files that only root can read; fence agents run them, and the CIB has their paths.

What the CIB has, every member of the group haclient can read, and Pacemaker writes it into its log. An agent of the
project fence-agents that has the parameter X of these has X_script too (DEPENDENCY_OPT in its fencing.py).

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import shlex
from typing import Dict, Iterable, Iterator, List, Mapping, Tuple

from .._core.config_files import DesiredFiles, File, Folder
from .._model.cluster import Cluster, FenceDevice

FOLDER = "/etc/pacemaker/fencing"
PARAMETERS = ("passwd", "password", "snmp_priv_passwd")
AGENTS = "fence_"          # how their names begin; those of other projects do not know these scripts
TEXT = "#!/bin/sh\n# Managed by Ansible: the password of a fence device.\nprintf '%%s\\n' %s\n"


def _owners(cluster: Cluster) -> Iterator[Tuple[FenceDevice, str, Mapping[str, str]]]:
    """Yield each device with the options of its own and of the fencing of each node, whose name is "" for its own."""
    devices = {device.name: device for device in cluster.fence_devices}
    for device in cluster.fence_devices:
        yield device, "", dict(device.options)
    for node in cluster.nodes:
        for level in node.fencing:
            for use in level.devices:
                yield devices[use.device], node.name, dict(use.options)


def _by_script(device: FenceDevice, options: Mapping[str, str]) -> List[str]:
    """Return the options that a script prints. The agent drops blanks at the end of what it prints."""
    return [name for name in PARAMETERS if device.agent.startswith(AGENTS) and name + "_script" not in options
            and options.get(name) and options[name] == options[name].rstrip()]


def path_of(device: str, node: str, parameter: str) -> str:
    """Return the path of a script."""
    return "%s/%s.%s" % (FOLDER, "@".join([device] + ([node] if node else [])), parameter)


def with_scripts(device: FenceDevice, node: str, options: Mapping[str, str]) -> Dict[str, str]:
    """Return the options of a device, or of the fencing of a node at it, as the CIB has them."""
    moved = _by_script(device, options)
    return dict([(name, value) for name, value in options.items() if name not in moved], **{
        name + "_script": path_of(device.name, node, name) for name in moved})


def files_of(cluster: Cluster) -> DesiredFiles:
    """Return the scripts of all devices, the same on every node."""
    files = {path_of(device.name, node, name): TEXT % shlex.quote(options[name])
             for device, node, options in _owners(cluster) for name in _by_script(device, options)}
    return DesiredFiles(tuple(File(path, files[path], 0o700, "root", "root", secret=True) for path in sorted(files)),
                        (Folder(FOLDER, 0o700, "root", "root"),) if files else ())


def unused(scripts: DesiredFiles, names: Iterable[str]) -> List[str]:
    """Return the paths of the scripts that no device has any more; ``names`` are those in the folder."""
    kept = {file.path for file in scripts.files}
    return [path for path in sorted("%s/%s" % (FOLDER, name) for name in names) if path not in kept]
