"""A farm of both families: each is balanced and checked over its own, and both move together."""

import json
import re
import subprocess
import time

import pytest

from lab.harness.scenario import Scenario, declared
from lab.harness.steps import step
from lab.paths import CHECKOUT

VIPS = ("192.168.0.3", "2001:db8::3")
CLIENT, DIRECTORS, REALS = "client", ("frontal1", "frontal2"), ("reel1", "reel2")
STATE = "ip -br address; ipvsadm -Ln; ip -6 addrlabel; tail -n 20 /var/log/ldirectord.log"
dual = Scenario("lvs_farm", "", DIRECTORS, STATE)
lab = dual.lab


def owners(vip):
    """Return the directors that have a virtual address; one that boots has none."""
    return [node for node in dual.running_nodes() if f" {vip}/" in lab.ssh(node, "ip", "-o", "address", check=False)]


def visitors(*arguments):
    """Start a program of the farm's visitors on the client machine."""
    argv = lab.ssh_argv(CLIENT, "python3", "visitors.py", *arguments)
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(process):
    """End a program, and return what it saw."""
    return json.loads(process.communicate("stop\n", timeout=180)[0].splitlines()[-1])


def servers(vip):
    """Return who serves ten visitors, one after the other."""
    return json.loads(lab.ssh(CLIENT, "python3", "visitors.py", "count", vip, "10").splitlines()[-1])


def balanced():
    """Return whether both real servers serve both families, and no one else does."""
    return all(set(servers(vip)) == set(REALS) for vip in VIPS)


def neighbour():
    """Ask once more who has the IPv6 address; return the MAC address that answers first."""
    lab.ssh(CLIENT, "ip", "-6", "neighbour", "flush", "dev", "eth0")
    lab.ssh(CLIENT, "ping", "-6", "-c", "1", "-W", "2", VIPS[1], check=False)
    return re.findall(r"lladdr (\S+)", lab.ssh(CLIENT, "ip", "-6", "neighbour", "show", VIPS[1]))


@step
def measured():
    """Switch the power of the active director off, under visitors of both families."""
    text = (CHECKOUT / "molecule/lvs_farm/visitors.py").read_text(encoding="utf-8")
    subprocess.run(lab.ssh_argv(CLIENT, "cat > visitors.py; sync"), input=text.encode(), check=True)
    dual.wait_until("both families are balanced", balanced)
    (victim,) = owners(VIPS[0])
    mac = lab.machine(victim).nics[0].mac
    figures = {
        "together": owners(VIPS[0]) == owners(VIPS[1]),
        "neighbours": sorted({answer for _time in range(10) for answer in neighbour()} - {mac}),
        "source": re.findall(r"src (\S+)", lab.ssh(victim, "ip", "-6", "route", "get", "2001:db8::4")),
        "on_lo": [lab.ssh(real, "ip", "-6", "address", "show", "dev", "lo").count(VIPS[1] + "/128") for real in REALS],
        "own": lab.machine(victim).nics[0].address6.split("/")[0],
    }
    held = {vip: visitors("hold", vip, "50") for vip in VIPS}
    for process in held.values():
        assert process.stdout and process.stdout.readline().strip() == "open"
    time.sleep(5)  # a connection is synchronised from its third packet on
    gaps = {vip: visitors("gap", vip) for vip in VIPS}
    time.sleep(3)
    lab.power_off(victim)
    (standby,) = (node for node in DIRECTORS if node != victim)
    moved = {vip: dual.wait_until(f"{standby} has {vip}", lambda vip=vip: owners(vip) == [standby]) for vip in VIPS}
    dual.wait_until("both families are balanced again", balanced)
    time.sleep(15)
    figures |= {
        "moved": sorted(moved),
        "outage": {vip: end(process)["longest"] for vip, process in gaps.items()},
        "alive": {vip: len(end(process)["alive"]) for vip, process in held.items()},
        "deadtime": declared(standby, "heartbeat_deadtime"),
    }
    lab.up([victim])
    dual.wait_until("both directors run", lambda: len(dual.running_nodes()) == 2)
    return figures


def test_both_addresses_are_on_one_director(measured):
    assert measured["together"]


def test_only_the_director_answers_for_the_ipv6_address(measured):
    assert measured["on_lo"] == [1, 1]
    assert measured["neighbours"] == []


def test_the_director_checks_from_its_own_address(measured):
    assert measured["source"] == [measured["own"]]


@pytest.mark.parametrize("vip", VIPS)
def test_the_other_director_serves_both_families_in_time(measured, vip):
    print(f"\n{vip}: outage {measured['outage'][vip]} s, deadtime {measured['deadtime']} s")
    assert measured["outage"][vip] <= measured["deadtime"] + 6  # duplicate address detection takes some seconds


@pytest.mark.parametrize("vip", VIPS)
def test_connections_outlive_their_director(measured, vip):
    print(f"\n{vip}: {measured['alive'][vip]} of 50 connections outlived their director")
    assert measured["alive"][vip] >= 49
