# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real servers: what is refused, how each network manager keeps an address, and that a right host is left alone."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.host_output import Address
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import realserver as room
from hypothesis import given, strategies as st

GOOD = {"lvs_realserver_state": "present", "lvs_realserver_vips": ["192.168.0.3", "2001:db8::3"],
        "lvs_realserver_method": "loopback", "lvs_realserver_redirects": [], "lvs_realserver_network": "auto",
        "lvs_realserver_firewall": "nftables", "lvs_realserver_localnode": False}
PORTS = {"lvs_realserver_method": "redirect", "lvs_realserver_redirects": [{"port": 80, "protocol": "tcp"}]}
BARE = (Address("lo", "127.0.0.1", 8, "lo"), Address("eth0", "192.168.0.4", 24, "eth0"))
SYSCTL = {"/proc/sys/" + name.replace(".", "/"): "0\n" for name in room.SETTINGS}
NETWORKS = ("unit", "ifupdown", "networkd", "networkmanager", "ifcfg")


def goal(**change):
    return room.goal_of({**GOOD, **{"lvs_realserver_" + name: value for name, value in change.items()}})


def redirect(**change):
    return goal(method="redirect", redirects=[{"port": 80, "protocol": "tcp", "to_port": 8080}], **change)


def host(files=None, units=None, addresses=BARE, family="Debian", manager_knows_lo=False):
    return room.Host({**SYSCTL, **(files or {})}, {"x.service": {}} if units is None else units, addresses, family,
                     manager_knows_lo)


def active(*names):
    return {name + ".service": {"ActiveState": "active", "UnitFileState": "enabled"} for name in names}


def after(steps, before):
    """Return the host that the steps lead to."""
    files = {**before.files, **{file.dest: file.content for file in steps.files}}
    for path in steps.remove:
        files.pop(path, None)
    for setting in steps.settings + steps.restore:
        name, value = setting.split("=")
        files["/proc/sys/" + name.replace(".", "/")] = value + "\n"
    addresses = list(before.addresses)
    for line in steps.addresses:
        verb, place = line.split()[1:3]
        address, prefix = place.split("/")
        if verb == "add":
            addresses.append(Address("lo", address, int(prefix), "lo:1"))
        else:
            addresses = [each for each in addresses if (each.nic, each.address, each.prefix) != (
                "lo", address, int(prefix))]
    units = {**before.units, **(active("lvs-realserver") if steps.start_unit else {})}
    return before._replace(files=files, addresses=tuple(addresses), units=units)


def idle(steps):
    return not any(getattr(steps, name) for name in steps._fields if name != "network")


# --- variables ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", [{}, PORTS, {"lvs_realserver_network": "unit"}])
def test_good_settings_have_no_problem(change):
    assert room.check_settings({**GOOD, **change}, ["reel1"]) == []


@pytest.mark.parametrize(("change", "says"), [
    ({"vips": []}, "lvs_realserver_vips is empty"),
    ({"vips": ["192.168.0"]}, "lvs_realserver_vips[0] is '192.168.0'; expected the address"),
    ({"vips": ["192.168.0.3/32"]}, "without a prefix"),
    ({"vips": ["www.example.com"]}, "lvs_realserver_vips[0] is 'www.example.com'"),
    ({"vips": ["127.0.0.1"]}, "which is a loopback address"),
    ({"vips": ["224.0.0.1"]}, "which is a multicast address"),
    ({"vips": ["0.0.0.0"]}, "which is a unspecified address"),
    ({"vips": ["fe80::1"]}, "which is a link-local address"),
    ({"vips": ["255.255.255.255"]}, "which is a reserved address"),
    ({"vips": ["10.0.0.1", "10.0.0.1"]}, "lvs_realserver_vips[1] is '10.0.0.1', which is there already"),
    ({"vips": ["2001:db8::1", "2001:db8:0::1"]}, "lvs_realserver_vips[1] is '2001:db8:0::1', which is there already"),
    ({"network": "ifcfg"}, "lvs_realserver_network is 'ifcfg', which cannot keep an IPv6 address"),
    ({"redirects": [{"port": 80, "protocol": "tcp"}]}, "lvs_realserver_method is 'loopback'"),
    ({"method": "redirect"}, "lvs_realserver_redirects is empty"),
    ({"method": "redirect", "network": "unit"}, "lvs_realserver_network is 'unit', but the method redirect"),
    ({"method": "redirect", "redirects": [{"port": 0, "protocol": "tcp"}]}, "lvs_realserver_redirects[0].port is 0"),
    ({"method": "redirect", "redirects": [{"port": 65536, "protocol": "tcp"}]}, "redirects[0].port is 65536"),
    ({"method": "redirect", "redirects": [{"port": 80, "to_port": 0, "protocol": "tcp"}]}, "redirects[0].to_port is 0"),
    ({"method": "redirect", "redirects": [{"port": 80, "protocol": "tcp"}] * 2}, "redirects[1].port is 80/tcp"),
])
def test_a_wrong_value_is_named(change, says):
    problems = room.check_settings({**GOOD, **{"lvs_realserver_" + name: value for name, value in change.items()}}, [])
    assert any(says in problem for problem in problems), problems
    assert all(problem.startswith("lvs_realserver_") for problem in problems)


# --- what keeps the address -----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("units", "files", "more", "network"), [
    (None, {}, {}, "unit"),
    (active("networking"), {}, {}, "unit"),
    (active("networking"), {room.IFUPDOWN: "source /etc/network/interfaces.d/*\n"}, {}, "ifupdown"),
    (active("systemd-networkd", "networking"), {}, {}, "networkd"),
    (active("NetworkManager"), {}, {}, "unit"),
    (active("NetworkManager"), {}, {"manager_knows_lo": True}, "networkmanager"),
    (active("network"), {}, {}, "unit"),  # an IPv6 address is wanted too
    ({}, {}, {"family": "RedHat"}, "ifcfg"),
    ({}, {}, {}, "ifupdown"),
])
def test_the_hosts_own_network_manager_is_found(units, files, more, network):
    assert room.choose_network(goal(), host(files, units, **more)) == network


def test_ifcfg_is_taken_for_ipv4():
    assert room.choose_network(goal(vips=["192.168.0.3"]), host(units=active("network"))) == "ifcfg"


def test_the_users_word_counts():
    assert room.choose_network(goal(network="networkd"), host()) == "networkd"
    assert room.choose_network(redirect(firewall="iptables"), host()) == "iptables"


@pytest.mark.parametrize("network", NETWORKS)
def test_arp_is_settled_before_the_address_appears(network):
    vips = ["192.168.0.3", "192.168.0.9"]
    steps = room.plan_realserver(goal(network=network, vips=vips), host())
    assert steps.files[0].dest == room.RECORD
    assert set(steps.settings) == {"net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2",
                                   "net.ipv4.conf.lo.arp_ignore=1", "net.ipv4.conf.lo.arp_announce=2"}
    assert steps.addresses == ("address add 192.168.0.3/32 dev lo label lo:1",
                               "address add 192.168.0.9/32 dev lo label lo:2")
    text = "".join(file.content for file in steps.files[1:])
    assert "192.168.0.3" in text and "192.168.0.9" in text
    assert "lo:2" in text or network == "networkmanager"
    assert steps.start_unit is (network == "unit")


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "ifcfg"])
def test_ipv6_addresses_have_no_label(network):
    steps = room.plan_realserver(goal(network=network), host())
    assert "address add 2001:db8::3/128 dev lo" in steps.addresses
    assert "2001:db8::3/128" in "".join(file.content for file in steps.files[1:])


def test_the_article_s_ifcfg_file():
    files = room.plan_realserver(goal(network="ifcfg", vips=["192.168.0.3"]), host()).files
    assert files[1].dest == "/etc/sysconfig/network-scripts/ifcfg-lo:1"
    assert "DEVICE=lo:1\nIPADDR=192.168.0.3\nNETMASK=255.255.255.255\n" in files[1].content


def test_ifupdown_sets_arp_before_each_address():
    text = room.plan_realserver(goal(network="ifupdown"), host()).files[1].content
    assert "auto lo:1\niface lo:1 inet static\n    pre-up %s\n    address 192.168.0.3/32\n" % room.SYSCTL in text
    assert "iface lo inet6 static\n" in text


def test_the_unit_sets_arp_before_the_address():
    lines = room.plan_realserver(goal(network="unit"), host()).files[1].content.splitlines()
    starts = [line for line in lines if line.startswith("ExecStart=")]
    assert starts == ["ExecStart=" + room.SYSCTL, "ExecStart=/sbin/ip address replace 192.168.0.3/32 dev lo label lo:1",
                      "ExecStart=/sbin/ip address replace 2001:db8::3/128 dev lo"]


# --- plans ----------------------------------------------------------------------------------------------------------

goals = st.builds(
    lambda vips, network, state, method, firewall: goal(
        vips=vips, network=network, state=state, firewall=firewall) if method == "loopback" else redirect(
        vips=vips, state=state, firewall=firewall),
    st.lists(st.ip_addresses(v=4, network="10.0.0.0/24").map(str), min_size=1, max_size=4, unique=True),
    st.sampled_from(NETWORKS), st.sampled_from(["present", "absent"]), st.sampled_from(["loopback", "redirect"]),
    st.sampled_from(["nftables", "iptables"]))


@given(goals)
def test_a_host_that_is_right_is_left_alone(wanted):
    start = host()
    assert idle(room.plan_realserver(wanted, after(room.plan_realserver(wanted, start), start)))


@given(goals, goals)
def test_every_way_leads_to_the_goal_and_absent_leaves_nothing_behind(first, second):
    start = host()
    middle = after(room.plan_realserver(first, start), start)
    end = after(room.plan_realserver(second, middle), middle)
    assert idle(room.plan_realserver(second, end)._replace(start_unit=False))
    gone = after(room.plan_realserver(second._replace(present=False), end), end)
    assert (gone.files, gone.addresses) == (start.files, start.addresses)


def test_settings_that_were_there_before_come_back():
    start = host({"/proc/sys/net/ipv4/conf/all/arp_ignore": "2\n"})
    there = after(room.plan_realserver(goal(), start), start)
    steps = room.plan_realserver(goal(state="absent"), there)
    assert "net.ipv4.conf.all.arp_ignore=2" in steps.restore
    assert after(steps, there).files == start.files


def test_an_address_that_is_no_longer_wanted_goes():
    there = after(room.plan_realserver(goal(), host()), host())
    steps = room.plan_realserver(goal(vips=["192.168.0.3"]), there)
    assert steps.addresses == ("address del 2001:db8::3/128 dev lo",)


def test_a_wide_prefix_on_lo_is_put_right():
    wide = host(addresses=BARE + (Address("lo", "192.168.0.3", 24, "lo:1"),))
    assert room.plan_realserver(goal(vips=["192.168.0.3"]), wide).addresses == (
        "address del 192.168.0.3/24 dev lo", "address add 192.168.0.3/32 dev lo label lo:1")


def test_a_unit_of_another_method_is_stopped_in_its_own_way():
    there = after(room.plan_realserver(redirect(), host()), host())
    assert room.plan_realserver(goal(network="unit"), there).stop_unit
    assert room.plan_realserver(goal(network="networkd"), there).stop_unit
    assert not room.plan_realserver(redirect(vips=["10.0.0.1"]), there).stop_unit


def test_redirections_name_address_and_port():
    nft = room.plan_realserver(redirect(), host())
    assert "ip daddr 192.168.0.3 tcp dport 80 redirect to :8080" in nft.files[0].content
    assert "ip6 daddr 2001:db8::3 tcp dport 80 redirect to :8080" in nft.files[0].content
    assert (nft.addresses, nft.settings, nft.start_unit) == ((), (), True)
    old = room.plan_realserver(redirect(firewall="iptables"), host())
    assert [file.dest for file in old.files] == ["/etc/lvs-realserver.4.rules", "/etc/lvs-realserver.6.rules",
                                                 room.UNIT_FILE]
    assert "-A LVS-REALSERVER -p tcp -d 192.168.0.3 --dport 80 -j REDIRECT --to-ports 8080" in old.files[0].content


# --- the active director --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("table", "addresses"), [
    ("", BARE + (Address("eth0", "192.168.0.3", 24, "eth0:0"),)),
    ("TCP  C0A80003:0050 wlc  \n  -> C0A80004:0050      Route   1      0          0\n", BARE),
    ("TCP  [2001:0db8:0000:0000:0000:0000:0000:0003]:0050 wlc  \n", BARE),
])
def test_the_active_director_is_refused(table, addresses):
    director = host({room.VIRTUAL_SERVICES: table}, addresses=addresses)
    assert "it is the active director" in room.plan_realserver(goal(), director).refusals[0]
    assert room.plan_realserver(goal(localnode=True), director).refusals == ()
    assert room.plan_realserver(goal(state="absent"), director).refusals == ()


def test_a_director_of_another_farm_is_not_refused():
    table = "TCP  C0A80063:0050 wlc  \n  -> C0A80003:0050      Route   1      0          0\n"
    assert room.plan_realserver(goal(), host({room.VIRTUAL_SERVICES: table})).refusals == ()


def test_ifcfg_files_are_looked_at_for_each_address():
    assert "/etc/sysconfig/network-scripts/ifcfg-lo:1" in room.list_files(goal())
