"""A takeover by hand, without heartbeat: its time is the measure of the outages in the following steps."""

import time

from pair import lab, other, pair, serving, wait_until_replicated

from lab.harness.steps import step


@step
def measured():
    """Run the resource agents one after the other on the standby node, and stop them again."""
    active = serving()
    node = other(active)
    for stopped in (node, active):
        lab.ssh(stopped, "systemctl", "stop", "heartbeat")
    line = next(line for line in lab.ssh(node, "cat", "/etc/ha.d/haresources").splitlines() if "drbddisk" in line)
    agents = [word.split("::") for word in line.split()[1:]]
    own = lab.ssh(node, "ls", "/etc/ha.d/resource.d").split()
    programs = {name: f"/etc/{'ha.d/resource.d' if name in own else 'init.d'}/{name}" for name, *_ in agents}
    seconds: dict[str, float] = {}
    for name, *arguments in agents:
        began = time.monotonic()
        lab.ssh(node, programs[name], *arguments, "start")
        seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - began, 2)
    program = pair.program_seconds()
    for name, *arguments in reversed(agents):
        lab.ssh(node, programs[name], *arguments, "stop")
    for each in (active, node):
        lab.ssh(each, "systemctl", "start", "heartbeat")
    pair.wait_until("the page is served again", lambda: serving() != "")
    wait_until_replicated()
    return {"node": node, "seconds": round(sum(seconds.values()), 2), "by_agent": seconds, "program": program}


def test_every_agent_was_timed(measured):
    assert measured["seconds"] > 0 and "drbddisk" in measured["by_agent"]
