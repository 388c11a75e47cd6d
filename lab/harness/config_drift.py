"""Configuration drift: where the values that a daemon runs with differ from those in its files."""

import re

from lab.api import Lab

# The settings of ha.cf of which heartbeat reports the running value.
REPORTED = ("keepalive", "warntime", "deadtime", "initdead", "udpport", "logfacility", "auto_failback")
# When the newest of apache's children was started, and when its site was written, in seconds.
APACHE = (
    "ps -o etimes= --ppid $(systemctl show -P MainPID apache2) | sort -n | head -1; "
    "echo $(($(date +%s) - $(stat -c %Y /etc/apache2/sites-enabled/000-cluster.conf)))"
)


def of_node(lab: Lab, node: str) -> list[str]:
    """Return the drift of those daemons of a node that several kinds of cluster have."""
    return [*heartbeat(lab, node), *apache(lab, node), *clock(lab, node)]


def heartbeat(lab: Lab, node: str) -> list[str]:
    """Compare heartbeat with ha.cf, where there is one."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf", check=False).splitlines()]
    written = {each[0]: each[1] for each in words if len(each) == 2 and each[0] in REPORTED}
    if not written:
        return []
    query = "; ".join(f'echo {name} "$(cl_status hbparameter -p {name})"' for name in REPORTED)
    running = dict(line.split(" ", 1) for line in lab.ssh(node, query).splitlines())
    return [
        f"heartbeat runs with {name} {running[name]}, its file has {value}"
        for name, value in written.items()
        if running[name] != value
    ]


def apache(lab: Lab, node: str) -> list[str]:
    """Compare the ages of apache's newest child and of its site, where it runs."""
    if lab.ssh(node, "systemctl", "is-active", "apache2", check=False).strip() != "active":
        return []
    child, site = (int(line) for line in lab.ssh(node, APACHE).split())
    return [f"apache's site is {site} s old, its newest child {child} s"] if child > site + 1 else []


def clock(lab: Lab, node: str) -> list[str]:
    """Compare chrony's sources with its file."""
    written = re.findall(r"^server (\S+)", lab.ssh(node, "cat", "/etc/chrony/chrony.conf"), re.MULTILINE)
    used = [line.split(",")[2] for line in lab.ssh(node, "chronyc", "-c", "-n", "sources").splitlines()]
    return [] if sorted(written) == sorted(used) else [f"chrony uses {used}, its file has {written}"]
