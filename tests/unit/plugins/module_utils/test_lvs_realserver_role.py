# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real servers: what is refused, how each network manager keeps an address, and that a right host is left alone."""
from __future__ import annotations

import json

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.host_output import Address
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import realserver_files, realserver_role as role
from hypothesis import given, strategies as st

GOOD = {"lvs_realserver_state": "present", "lvs_realserver_vips": ["192.168.0.3", "2001:db8::3"],
        "lvs_realserver_method": "loopback", "lvs_realserver_redirects": [], "lvs_realserver_network": "auto",
        "lvs_realserver_firewall": "nftables", "lvs_realserver_localnode": False}
PORTS = {"lvs_realserver_method": "redirect", "lvs_realserver_redirects": [{"port": 80, "protocol": "tcp"}]}
BARE = (Address("lo", "127.0.0.1", 8, "lo"), Address("eth0", "192.168.0.4", 24, "eth0"))
SYSCTL = {"/proc/sys/" + name.replace(".", "/"): "0\n" for name in role.SETTINGS}
IPV6 = {role.NO_IPV6: "0\n"}
NETWORKS = ("unit", "ifupdown", "networkd", "networkmanager", "ifcfg")


def desired(**change):
    return role.desired_of({**GOOD, **{"lvs_realserver_" + name: value for name, value in change.items()}})


def redirect(**change):
    return desired(method="redirect", redirects=[{"port": 80, "protocol": "tcp", "to_port": 8080}], **change)


def host(files=None, units=None, addresses=BARE, family="Debian", manager_knows_lo=False):
    return role.Host({**SYSCTL, **IPV6, **(files or {})}, {"x.service": {}} if units is None else units, addresses,
                     family, manager_knows_lo)


def active(*names):
    return {name + ".service": {"ActiveState": "active", "UnitFileState": "enabled"} for name in names}


def after(steps, before):
    """Return the host that the steps lead to."""
    files = {**before.files, **{file.path: file.content for file in steps.files}}
    for path in steps.remove:
        files.pop(path, None)
    for setting in steps.sysctls + steps.restore:
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
def test_good_settings_have_no_fault(change):
    assert role.check_settings({**GOOD, **change}, ["reel1"]) == []


@pytest.mark.parametrize(("change", "message"), [
    ({"vips": []}, "lvs_realserver_vips: is empty"),
    ({"vips": ["192.168.0"]}, "lvs_realserver_vips[0]: '192.168.0' is not valid; expected an IPv4 or IPv6 address"),
    ({"vips": ["192.168.0.3/32"]},
     "lvs_realserver_vips[0]: '192.168.0.3/32' is not valid; expected an address without"),
    ({"vips": ["www.example.com"]}, "lvs_realserver_vips[0]: 'www.example.com' is not valid"),
    ({"vips": ["127.0.0.1"]}, "'127.0.0.1' is not valid; expected the address that the clients use"),
    ({"vips": ["224.0.0.1"]}, "'224.0.0.1' is not valid; expected an address of one host"),
    ({"vips": ["0.0.0.0"]}, "'0.0.0.0' is not valid; expected an address of one host"),
    ({"vips": ["0.1.2.3"]}, "'0.1.2.3' is not valid; expected an address of one host"),
    ({"vips": ["::"]}, "'::' is not valid; expected an address of one host"),
    ({"vips": ["fe80::1"]}, "'fe80::1' is not valid; expected an address of one host"),
    ({"vips": ["2001:db8::3%eth0"]}, "'2001:db8::3%eth0' is not valid; expected an IPv4 or IPv6 address"),
    ({"vips": ["255.255.255.255"]}, "'255.255.255.255' is not valid; expected an address of one host"),
    ({"vips": ["10.0.0.1", "10.0.0.1"]}, "lvs_realserver_vips[1]: '10.0.0.1' is not valid; expected each address once"),
    ({"vips": ["2001:db8::1", "2001:db8:0::1"]}, "lvs_realserver_vips[1]: '2001:db8:0::1' is not valid; expected each"),
    ({"network": "ifcfg"}, "lvs_realserver_network: 'ifcfg' is not valid; expected 'unit'"),
    ({"redirects": [{"port": 80, "protocol": "tcp"}]}, "expected lvs_realserver_method: redirect with it"),
    ({"method": "redirect"}, "lvs_realserver_redirects: is empty"),
    ({"method": "redirect", "network": "unit"}, "lvs_realserver_network: 'unit' is not valid; expected 'auto'"),
    ({"method": "redirect", "redirects": [{"port": 0, "protocol": "tcp"}]}, "lvs_realserver_redirects[0].port: 0 is"),
    ({"method": "redirect", "redirects": [{"port": 65536, "protocol": "tcp"}]},
     "redirects[0].port: 65536 is not valid"),
    ({"method": "redirect", "redirects": [{"port": 80, "to_port": 0, "protocol": "tcp"}]},
     "redirects[0].to_port: 0 is"),
    ({"method": "redirect", "redirects": [{"port": 80, "protocol": "tcp"}] * 2}, "redirects[1].port: 80 is not valid"),
])
def test_a_wrong_value_is_a_fault(change, message):
    faults = role.check_settings({**GOOD, **{"lvs_realserver_" + name: value for name, value in change.items()}}, [])
    assert any(message in fault for fault in faults), faults
    assert all(fault.startswith("lvs_realserver_") for fault in faults)


# --- what keeps the address -----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("units", "files", "more", "network"), [
    (None, {}, {}, "unit"),
    (active("networking"), {}, {}, "unit"),
    (active("networking"), {realserver_files.IFUPDOWN: "source /etc/network/interfaces.d/*\n"}, {}, "ifupdown"),
    (active("systemd-networkd", "networking"), {}, {}, "networkd"),
    (active("NetworkManager"), {}, {}, "unit"),
    (active("NetworkManager"), {}, {"manager_knows_lo": True}, "networkmanager"),
    (active("network"), {}, {}, "unit"),  # an IPv6 address is declared too
    ({}, {}, {"family": "RedHat"}, "ifcfg"),
    ({}, {}, {}, "ifupdown"),
])
def test_the_hosts_own_network_manager_is_found(units, files, more, network):
    assert role.choose_network(desired(), host(files, units, **more)) == network


def test_ifcfg_keeps_ipv4_addresses():
    assert role.choose_network(desired(vips=["192.168.0.3"]), host(units=active("network"))) == "ifcfg"


def test_the_variable_overrides_the_detection():
    assert role.choose_network(desired(network="networkd"), host()) == "networkd"
    assert role.choose_network(redirect(firewall="iptables"), host()) == "iptables"


@pytest.mark.parametrize("network", NETWORKS)
def test_arp_is_configured_before_the_address_appears(network):
    vips = ["192.168.0.3", "192.168.0.9"]
    steps = role.plan_steps(desired(network=network, vips=vips), host())
    assert steps.files[0].path == role.RECORD
    assert set(steps.sysctls) == {"net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2",
                                  "net.ipv4.conf.lo.arp_ignore=1", "net.ipv4.conf.lo.arp_announce=2"}
    assert steps.addresses == ("address add 192.168.0.3/32 dev lo label lo:1",
                               "address add 192.168.0.9/32 dev lo label lo:2")
    text = "".join(file.content for file in steps.files[1:])
    assert "192.168.0.3" in text and "192.168.0.9" in text
    assert "lo:2" in text or network == "networkmanager"
    assert steps.start_unit is (network == "unit")


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "ifcfg"])
def test_ipv6_addresses_have_no_label(network):
    steps = role.plan_steps(desired(network=network), host())
    assert "address add 2001:db8::3/128 dev lo" in steps.addresses
    assert "2001:db8::3/128" in "".join(file.content for file in steps.files[1:])


def test_the_article_s_ifcfg_file():
    files = role.plan_steps(desired(network="ifcfg", vips=["192.168.0.3"]), host()).files
    assert files[1].path == "/etc/sysconfig/network-scripts/ifcfg-lo:1"
    assert "DEVICE=lo:1\nIPADDR=192.168.0.3\nNETMASK=255.255.255.255\n" in files[1].content


def test_ifupdown_sets_arp_before_each_address():
    text = role.plan_steps(desired(network="ifupdown"), host()).files[1].content
    assert "auto lo:1\niface lo:1 inet static\n    pre-up %s\n    address 192.168.0.3/32\n" % (
        realserver_files.SYSCTL) in text
    assert "iface lo inet6 static\n" in text


def test_the_unit_sets_arp_before_the_address():
    lines = role.plan_steps(desired(network="unit"), host()).files[1].content.splitlines()
    starts = [line for line in lines if line.startswith("ExecStart=")]
    assert starts == ["ExecStart=" + realserver_files.SYSCTL,
                      "ExecStart=/sbin/ip address replace 192.168.0.3/32 dev lo label lo:1",
                      "ExecStart=/sbin/ip address replace 2001:db8::3/128 dev lo"]


# --- plans ----------------------------------------------------------------------------------------------------------

desired_states = st.builds(
    lambda vips, network, state, method, firewall: desired(
        vips=vips, network=network, state=state, firewall=firewall) if method == "loopback" else redirect(
        vips=vips, state=state, firewall=firewall),
    st.lists(st.ip_addresses(v=4, network="10.0.0.0/24").map(str), min_size=1, max_size=4, unique=True),
    st.sampled_from(NETWORKS), st.sampled_from(["present", "absent"]), st.sampled_from(["loopback", "redirect"]),
    st.sampled_from(["nftables", "iptables"]))


@given(desired_states)
def test_a_converged_host_has_no_changes(host_state):
    start = host()
    assert idle(role.plan_steps(host_state, after(role.plan_steps(host_state, start), start)))


@given(desired_states, desired_states)
def test_every_plan_converges_and_absent_leaves_nothing_behind(first, second):
    start = host()
    middle = after(role.plan_steps(first, start), start)
    end = after(role.plan_steps(second, middle), middle)
    assert idle(role.plan_steps(second, end)._replace(start_unit=False))
    gone = after(role.plan_steps(second._replace(present=False), end), end)
    assert (gone.files, gone.addresses) == (start.files, start.addresses)


def test_settings_that_were_there_before_come_back():
    start = host({"/proc/sys/net/ipv4/conf/all/arp_ignore": "2\n"})
    there = after(role.plan_steps(desired(), start), start)
    steps = role.plan_steps(desired(state="absent"), there)
    assert "net.ipv4.conf.all.arp_ignore=2" in steps.restore
    assert after(steps, there).files == start.files


def test_an_address_that_is_no_longer_declared_is_removed():
    there = after(role.plan_steps(desired(), host()), host())
    steps = role.plan_steps(desired(vips=["192.168.0.3"]), there)
    assert steps.addresses == ("address del 2001:db8::3/128 dev lo",)


def test_a_wide_prefix_on_lo_is_replaced():
    wide = host(addresses=BARE + (Address("lo", "192.168.0.3", 24, "lo:1"),))
    assert role.plan_steps(desired(vips=["192.168.0.3"]), wide).addresses == (
        "address del 192.168.0.3/24 dev lo", "address add 192.168.0.3/32 dev lo label lo:1")


def test_a_unit_of_another_method_is_stopped_in_its_own_way():
    there = after(role.plan_steps(redirect(), host()), host())
    assert role.plan_steps(desired(network="unit"), there).stop_unit
    assert role.plan_steps(desired(network="networkd"), there).stop_unit
    assert not role.plan_steps(redirect(vips=["10.0.0.1"]), there).stop_unit


def test_redirections_name_address_and_port():
    nft = role.plan_steps(redirect(), host())
    assert "ip daddr 192.168.0.3 tcp dport 80 redirect to :8080" in nft.files[0].content
    assert "ip6 daddr 2001:db8::3 tcp dport 80 redirect to :8080" in nft.files[0].content
    assert (nft.addresses, nft.sysctls, nft.start_unit) == ((), (), True)
    old = role.plan_steps(redirect(firewall="iptables"), host())
    assert [file.path for file in old.files] == ["/etc/lvs-realserver.4.rules", "/etc/lvs-realserver.6.rules",
                                                 role.UNIT_FILE]
    assert "-A LVS-REALSERVER -p tcp -d 192.168.0.3 --dport 80 -j REDIRECT --to-ports 8080" in old.files[0].content


# --- the active director --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("table", "addresses"), [
    ("", BARE + (Address("eth0", "192.168.0.3", 24, "eth0:0"),)),
    ("TCP  C0A80003:0050 wlc  \n  -> C0A80004:0050      Route   1      0          0\n", BARE),
    ("TCP  [2001:0db8:0000:0000:0000:0000:0000:0003]:0050 wlc  \n", BARE),
])
def test_the_active_director_is_refused(table, addresses):
    director = host({role.VIRTUAL_SERVICES: table}, addresses=addresses)
    assert "it is the active director" in role.check_director(desired(), director)[0]
    assert role.check_director(desired(localnode=True), director) == []
    assert role.check_director(desired(state="absent"), director) == []


def test_a_director_of_another_farm_is_not_refused():
    table = "TCP  C0A80063:0050 wlc  \n  -> C0A80003:0050      Route   1      0          0\n"
    assert role.check_director(desired(), host({role.VIRTUAL_SERVICES: table})) == []


# --- the role -------------------------------------------------------------------------------------------------------

def facts(settings, texts=None, **more):
    asked = role.query(settings)
    system = {"os_family": "Debian", "distribution": "Debian", "distribution_version": "12.5", "service_mgr": "systemd"}
    addresses = json.dumps([{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "label": "lo"}]}])
    return {"reel1": {"texts": {**dict.fromkeys(asked["texts"]), **SYSCTL, **IPV6, **(texts or {})},
                      "units": {name: {} for name in asked["units"]}, "os": system,
                      "commands": {"addresses": addresses, "firewall": ""}, **more}}


def test_ifcfg_files_are_gathered_for_each_address():
    assert "/etc/sysconfig/network-scripts/ifcfg-lo:1" in role.query(GOOD)["texts"]


def test_a_bare_real_server_gets_everything_in_one_plan():
    settings = {**GOOD, "lvs_realserver_vips": ["192.168.0.3"]}
    plan = role.plan(settings, facts(settings), "reel1")
    assert json.loads(json.dumps(plan)) == plan
    assert plan["changes"] == [
        "write /etc/sysctl.d/60-lvs-realserver.conf", "write /etc/systemd/system/lvs-realserver.service",
        "set net.ipv4.conf.all.arp_ignore=1", "set net.ipv4.conf.all.arp_announce=2",
        "set net.ipv4.conf.lo.arp_ignore=1", "set net.ipv4.conf.lo.arp_announce=2",
        "ip address add 192.168.0.3/32 dev lo label lo:1", "start lvs-realserver.service and enable it at boot"]
    assert [(file["dest"], file["mode"], file["owner"]) for file in plan["files"]] == [
        ("/etc/sysctl.d/60-lvs-realserver.conf", "0644", "root"),
        ("/etc/systemd/system/lvs-realserver.service", "0644", "root")]
    assert (plan["packages"], plan["reload"]) == ([], [])


def test_absent_has_no_changes_on_a_bare_host():
    settings = {**GOOD, "lvs_realserver_state": "absent"}
    assert role.plan(settings, facts(settings), "reel1")["changes"] == []


def test_absent_removes_what_the_role_configured():
    settings = {**GOOD, "lvs_realserver_vips": ["192.168.0.3"], "lvs_realserver_network": "networkd"}
    texts = {file["dest"]: file["content"] for file in role.plan(settings, facts(settings), "reel1")["files"]}
    texts["/proc/sys/net/ipv4/conf/lo/arp_ignore"] = "1\n"
    absent = {**settings, "lvs_realserver_state": "absent"}
    plan = role.plan(absent, facts(absent, texts), "reel1")
    assert plan["changes"] == [
        "set net.ipv4.conf.lo.arp_ignore=0", "remove /etc/systemd/network/05-lvs-realserver.network",
        "remove /etc/sysctl.d/60-lvs-realserver.conf", "networkctl reload"]


def test_the_network_manager_is_reloaded_for_changed_files():
    settings = {**GOOD, "lvs_realserver_network": "networkd"}
    plan = role.plan(settings, facts(settings), "reel1")
    assert (plan["reload"], plan["changes"][-1]) == (["networkctl", "reload"], "networkctl reload")


@pytest.mark.parametrize(("firewall", "path"), [("nftables", "/usr/sbin/nft"), ("iptables", "/usr/sbin/iptables")])
def test_the_firewall_program_is_installed_where_it_is_missing(firewall, path):
    settings = {**GOOD, **PORTS, "lvs_realserver_firewall": firewall}
    assert role.query(settings)["commands"]["firewall"][-1] == path
    bare = facts(settings)
    assert role.plan(settings, bare, "reel1")["changes"][0] == "install " + firewall
    bare["reel1"]["commands"]["firewall"] = path + "\n"
    assert role.plan(settings, bare, "reel1")["packages"] == []
    assert "firewall" not in role.query(GOOD)["commands"]


def test_nothing_is_planned_on_the_active_director():
    settings = {**GOOD, "lvs_realserver_vips": ["192.168.0.3"]}
    with pytest.raises(HaError, match="192.168.0.3' is not valid; this host balances connections to it"):
        role.plan(settings, facts(settings, {role.VIRTUAL_SERVICES: "TCP  C0A80003:0050 wlc  \n"}), "reel1")


@pytest.mark.parametrize(("state", "found"), [("1\n", "(now 1)"), (None, "(now a kernel without IPv6)")])
def test_without_ipv6_on_lo_an_ipv6_address_is_refused(state, found):
    texts = {role.NO_IPV6: state}
    with pytest.raises(HaError) as caught:
        role.plan(GOOD, facts(GOOD, texts), "reel1")
    assert str(caught.value) == ("lvs_realserver_vips: 2001:db8::3 is not valid on this host; expected "
                                 f"net.ipv6.conf.lo.disable_ipv6 = 0 {found}, or IPv4 addresses only")
    for settings in ({**GOOD, **PORTS}, {**GOOD, "lvs_realserver_state": "absent"},
                     {**GOOD, "lvs_realserver_vips": ["192.168.0.3"]}):
        role.plan(settings, facts(settings, texts), "reel1")


def test_without_systemd_ifcfg_files_keep_no_ipv6_address():
    system = {"os_family": "RedHat", "distribution": "CentOS", "distribution_version": "6.10", "service_mgr": "upstart"}
    with pytest.raises(HaError, match="2001:db8::3 is not valid on this host; expected systemd: ifcfg files"):
        role.plan(GOOD, facts(GOOD, os=system), "reel1")


def test_a_unit_of_another_method_is_a_change():
    texts = {role.UNIT_FILE: "ExecStop=/bin/other\n"}
    assert role.plan(GOOD, facts(GOOD, texts), "reel1")["changes"][0] == "stop and disable lvs-realserver.service"


@pytest.mark.parametrize(("distribution", "version", "family", "knows"), [
    ("Debian", "11.9", "Debian", False), ("Debian", "12.5", "Debian", True), ("Debian", "testing", "Debian", True),
    ("Ubuntu", "22.04", "Debian", False), ("Ubuntu", "24.04", "Debian", True), ("Fedora", "38", "RedHat", True),
    ("AlmaLinux", "9.1", "RedHat", False), ("AlmaLinux", "9.2", "RedHat", True), ("CentOS", "9", "RedHat", False)])
def test_networkmanager_keeps_addresses_of_lo_from_1_42_on(distribution, version, family, knows):
    system = {"os_family": family, "distribution": distribution, "distribution_version": version,
              "service_mgr": "systemd"}
    assert role.host_of(facts(GOOD, os=system)["reel1"]).manager_knows_lo is knows


def test_without_systemd_no_unit_counts():
    system = {"os_family": "RedHat", "distribution": "CentOS", "distribution_version": "6.10", "service_mgr": "upstart"}
    found = role.host_of(facts(GOOD, os=system)["reel1"])
    assert (found.units, role.choose_network(desired(), found)) == ({}, "ifcfg")
