"""Where what a daemon runs with differs from what its files say, asked of the daemon itself."""

import re

from lab.api import Lab

# The names of ha.cf's settings that heartbeat tells the running value of.
TOLD = ("keepalive", "warntime", "deadtime", "initdead", "udpport", "logfacility", "auto_failback")
# When the newest of apache's children was started, and when its site was written, in seconds.
APACHE = (
    "ps -o etimes= --ppid $(systemctl show -P MainPID apache2) | sort -n | head -1; "
    "echo $(($(date +%s) - $(stat -c %Y /etc/apache2/sites-enabled/000-cluster.conf)))"
)


def of_daemons(lab: Lab, node: str) -> list[str]:
    """Return the differences of those daemons that several kinds of cluster have."""
    return [*heartbeat(lab, node), *apache(lab, node), *clock(lab, node)]


def heartbeat(lab: Lab, node: str) -> list[str]:
    """Compare heartbeat with ha.cf, where there is one."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf", check=False).splitlines()]
    written = {each[0]: each[1] for each in words if len(each) == 2 and each[0] in TOLD}
    if not written:
        return []
    ask = "; ".join(f'echo {name} "$(cl_status hbparameter -p {name})"' for name in TOLD)
    told = dict(line.split(" ", 1) for line in lab.ssh(node, ask).splitlines())
    return [
        f"heartbeat runs with {name} {told[name]}, its file says {value}"
        for name, value in written.items()
        if told[name] != value
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
    asked = [line.split(",")[2] for line in lab.ssh(node, "chronyc", "-c", "-n", "sources").splitlines()]
    return [] if sorted(written) == sorted(asked) else [f"chrony asks {asked}, its file says {written}"]
