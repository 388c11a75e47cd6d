"""What must hold whenever the farm is healthy, read with plain tools on its machines."""

import json
import re

import pytest
from keepalived import DIRECTORS, REALS, VIP, active, daemons, farm, healthy, lab

from lab.harness.steps import hosts, step


@step
def measured():
    """Wait until the farm is healthy."""
    farm.wait_until("the farm is healthy", healthy)
    return {"active": active(), "daemons": {node: daemons(node) for node in DIRECTORS}}


@pytest.fixture
def director(host):
    """Return the machine if it is a director."""
    if host.backend.get_hostname() not in DIRECTORS:
        pytest.skip("a real server")
    return host


def test_exactly_one_director_has_the_address(measured):
    listed = {name: json.loads(host.check_output("ip -j -4 address")) for name, host in hosts(DIRECTORS).items()}
    having = {
        name: (VIP, 24) in {(info["local"], info["prefixlen"]) for link in links for info in link["addr_info"]}
        for name, links in listed.items()
    }
    assert having == {name: name == measured["active"] for name in DIRECTORS}


def test_both_directors_have_both_real_servers(director):
    lines = director.check_output("ipvsadm --save -n").splitlines()
    assert lines[0].startswith(f"-A -t {VIP}:80 -s wrr")
    assert {line.split()[4]: line.split()[-1] for line in lines[1:]} == {"192.168.0.4:80": "1", "192.168.0.5:80": "2"}


def test_the_active_director_sends_its_connections_and_the_other_receives_them(measured):
    expected = {name: ["master"] if name == measured["active"] else ["backup"] for name in DIRECTORS}
    assert measured["daemons"] == expected


def test_keepalived_is_the_only_stack(director):
    assert director.service("keepalived").is_running
    assert director.service("keepalived").is_enabled
    for package in ("heartbeat", "ldirectord"):
        assert not director.package(package).is_installed


def test_keepalived_accepts_its_file(director):
    assert director.run("keepalived -t").rc == 0


def test_the_files_of_both_differ_in_what_is_their_own_only():
    texts = [host.file("/etc/keepalived/keepalived.conf").content_string for host in hosts(DIRECTORS).values()]
    own = r"(?m)^ +(priority \d+|unicast_src_ip \S+|192\.168\.0\.[12])$"
    assert len({re.sub(own, "", text) for text in texts}) == 1


def test_only_the_directors_ever_sent_arp_packets_of_the_address():
    sent = [line.split() for line in (lab.paths.state / "arp.log").read_text().splitlines()[1:]]
    directors = {lab.machine(name).nics[0].mac for name in DIRECTORS}
    assert sent
    assert {mac for _, mac in sent} <= directors


def test_a_real_server_serves_its_page(host):
    name = host.backend.get_hostname()
    if name in REALS:
        with lab.connect(REALS[name], 80, 5) as wire:
            wire.sendall(f"GET / HTTP/1.0\r\nHost: {VIP}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: wire.recv(65536), b"")).decode()
        assert f"Served by {name}" in answer
