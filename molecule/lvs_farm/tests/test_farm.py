"""What must hold whenever the farm is healthy, read with plain tools on its machines."""

import json
import re

import pytest

from lab import Lab
from lab.harness.steps import hosts

VIP = "192.168.0.3"
DIRECTORS = ("frontal1", "frontal2")
REALS = {"reel1": "192.168.0.4", "reel2": "192.168.0.5"}
lab = Lab.open()


def addresses(host):
    """Return the IPv4 addresses of a machine with prefix and label."""
    listed = json.loads(host.check_output("ip -j -4 address"))
    return {(info["local"], info["prefixlen"], info["label"]) for link in listed for info in link["addr_info"]}


def setting(host, name):
    """Return a kernel setting."""
    return host.file("/proc/sys/" + name.replace(".", "/")).content_string.strip()


def table(host):
    """Return the commands that would create a director's table."""
    return host.check_output("ipvsadm --save -n").splitlines()


@pytest.fixture
def director(host):
    """Return the machine if it is a director."""
    if host.backend.get_hostname() not in DIRECTORS:
        pytest.skip("a real server")
    return host


@pytest.fixture
def real_server(host):
    """Return the machine if it is a real server."""
    if host.backend.get_hostname() not in REALS:
        pytest.skip("a director")
    return host


def test_exactly_one_director_has_the_address_and_watches_the_real_servers():
    having = {
        name: (VIP, 24, "eth0:0") in addresses(host) or (VIP, 24, "eth0") in addresses(host)
        for name, host in hosts(DIRECTORS).items()
    }
    assert sorted(having.values()) == [False, True]
    for name, host in hosts(DIRECTORS).items():
        assert host.file("/run/ldirectord.www.cf.pid").exists == having[name]


def test_both_directors_have_both_real_servers(director):
    assert table(director)[0].startswith(f"-A -t {VIP}:80 -s wrr")
    servers = {line.split()[4]: line.split()[-1] for line in table(director)[1:]}
    assert servers == {"192.168.0.4:80": "1", "192.168.0.5:80": "2"}


def test_both_directors_synchronise_their_connections(director):
    daemons = director.check_output("ipvsadm -L --daemon")
    assert re.search(r"master sync daemon \(mcast=eth0, syncid=1", daemons)
    assert re.search(r"backup sync daemon \(mcast=eth0, syncid=1", daemons)
    assert director.service("ipvs-sync").is_enabled
    assert setting(director, "net.ipv4.ip_forward") == "1"


def test_heartbeat_starts_at_boot_and_ldirectord_does_not(director):
    assert director.service("heartbeat").is_running
    assert director.service("heartbeat").is_enabled
    assert not director.service("ldirectord").is_enabled


def test_a_real_server_has_the_address_and_does_not_reply_for_it(real_server):
    assert (VIP, 32, "lo:1") in addresses(real_server)
    assert [
        setting(real_server, f"net.ipv4.conf.{card}.arp_{what}")
        for card in ("all", "lo")
        for what in ("ignore", "announce")
    ] == ["1", "2", "1", "2"]


def test_a_real_server_serves_its_page(real_server):
    with lab.connect(REALS[real_server.backend.get_hostname()], 80, 5) as wire:
        wire.sendall(f"GET / HTTP/1.0\r\nHost: {VIP}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: wire.recv(65536), b"")).decode()
    assert f"Served by {real_server.backend.get_hostname()}" in answer


def test_only_the_directors_ever_sent_arp_packets_of_the_address():
    sent = [line.split() for line in (lab.paths.state / "arp.log").read_text().splitlines()[1:]]
    directors = {lab.machine(name).nics[0].mac for name in DIRECTORS}
    print(f"\n{len(sent)} ARP packets from {VIP}, from: {', '.join(sorted({mac for _, mac in sent}))}")
    assert sent
    assert {mac for _, mac in sent} <= directors


def test_all_directors_have_the_same_files():
    for path in ("/etc/ha.d/ha.cf", "/etc/ha.d/haresources", "/etc/ha.d/authkeys", "/etc/ha.d/www.cf"):
        assert len({host.file(path).sha256sum for host in hosts(DIRECTORS).values()}) == 1, path
