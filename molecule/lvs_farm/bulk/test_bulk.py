"""A table of thousands of services costs about what ipvsadm itself needs for it."""

import json
import os
import re
import subprocess
from typing import Any

from farm import CLIENT, HERE, copy_to_client, lab

from lab.harness.steps import step
from lab.paths import CHECKOUT

SERVICES, SERVERS = 2277, 37205
# Runs a program and prints its seconds and its largest memory (KiB).
TIMED = """
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[2:], stdin=open(sys.argv[1]), stdout=open("out", "w"), check=True)
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def bulk_table() -> list[dict[str, Any]]:
    """Return as many services and servers as a big provider has."""
    least, more = divmod(SERVERS, SERVICES)
    return [
        {
            "address": f"10.{1 + index // 250}.{index % 250}.1",
            "port": 80,
            "scheduler": "wrr",
            "servers": [
                {"address": f"10.{100 + index // 250}.{index % 250}.{number + 2}", "weight": 1 + number % 5}
                for number in range(least + (index < more))
            ],
        }
        for index in range(SERVICES)
    ]


def reboot() -> None:
    """Boot the client machine, with an empty table."""
    lab.power_off(CLIENT)
    lab.power_on(CLIENT)
    lab.ssh(CLIENT, "modprobe", "-a", "ip_vs", "ip_vs_wrr")


def timed(stdin: str, *argv: str) -> list[float]:
    """Run a program on the client machine; return its seconds and its largest memory in KiB."""
    return [float(word) for word in lab.ssh(CLIENT, "python3", "timed.py", stdin, *argv).split()]


def play(services: list[dict[str, Any]]) -> int:
    """Apply the services by the module; return the number of its actions."""
    file = lab.paths.state / "table.json"
    file.write_text(json.dumps(services))
    argv = ["ansible-playbook", "-i", "inventories/lab", str(HERE / "bulk.yml"), "-e", f"bulk_table={file}"]
    kept = os.environ | {"ANSIBLE_KEEP_REMOTE_FILES": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=CHECKOUT, env=kept)
    return int(re.findall(r"actions=(\d+)", done.stdout)[0])


@step
def measured():
    """Create the table on a freshly booted machine, with the module and with ipvsadm."""
    services = bulk_table()
    # The machine may be bare, without lists of packages: the benchmark boots it for this alone.
    lab.ssh(CLIENT, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install ipvsadm")
    copy_to_client("timed.py", TIMED)
    reboot()
    first = play(services)
    # what Ansible runs on the machine, with the declared table in it
    lab.ssh(CLIENT, "cp $(ls -t .ansible/tmp/*/AnsiballZ_ipvs_service.py | head -n 1) module.py")
    lab.ssh(CLIENT, "ipvsadm --save -n > table; sync")
    figures: dict[str, list[list[float]]] = {"restore": [], "first": [], "save": [], "unchanged": []}
    for _ in range(3):
        reboot()
        figures["restore"].append(timed("table", "ipvsadm", "--restore"))
        reboot()
        figures["first"].append(timed("/dev/null", "python3", "module.py"))
        for _ in range(3):  # short, so what else the host does weighs more
            figures["save"].append(timed("/dev/null", "ipvsadm", "--save", "-n"))
            figures["unchanged"].append(timed("/dev/null", "python3", "module.py"))
    before = lab.ssh(CLIENT, "ipvsadm", "--save", "-n").splitlines()
    services[1000]["servers"][3]["weight"] = 77
    changed = play(services)
    after = lab.ssh(CLIENT, "ipvsadm", "--save", "-n").splitlines()
    lab.ssh(CLIENT, "ipvsadm", "--clear")
    return {
        "lines": len(before),
        "same_table": sorted(lab.ssh(CLIENT, "cat", "table").splitlines()) == sorted(before),
        "seconds": {name: round(min(run[0] for run in runs), 2) for name, runs in figures.items()},
        "megabytes": {name: round(max(run[1] for run in runs) / 1024) for name, runs in figures.items()},
        "actions": [first, changed],
        "changed_lines": sorted(set(before) ^ set(after)),
    }


def test_the_table_is_there(measured):
    assert measured["lines"] == SERVICES + SERVERS
    assert measured["same_table"]
    assert measured["actions"][0] > 0


def test_the_first_run_costs_little_more_than_ipvsadm_restore(measured):
    seconds = measured["seconds"]
    ratio = f"{seconds['first'] / seconds['restore']:.2f}; MB: {measured['megabytes']}"
    print(f"\nfirst {seconds['first']} s, ipvsadm --restore {seconds['restore']} s: {ratio}")
    assert seconds["first"] <= 1.3 * seconds["restore"]


def test_an_unchanged_run_costs_little_more_than_ipvsadm_save(measured):
    seconds = measured["seconds"]
    ratio = f"{seconds['unchanged'] / seconds['save']:.2f}"
    print(f"\nunchanged {seconds['unchanged']} s, ipvsadm --save -n {seconds['save']} s: {ratio}")
    assert seconds["unchanged"] <= 1.5 * seconds["save"]


def test_one_changed_weight_is_one_write(measured):
    assert measured["actions"][1] == 1
    assert len(measured["changed_lines"]) == 2
