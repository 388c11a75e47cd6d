# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what hosts show to what is done on them: joined or changed, never built again."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import PACEMAKER, parse_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    corosync_conf,
    corosync_state,
    plan as planner,
    settings as pacemaker_rules,
)
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/corosync"
DEFAULT_CMAP = corosync_state.parse_cmap((FIXTURES / "3.1.7-cmapctl-default.txt").read_text())
MAGI_CMAP = corosync_state.parse_cmap((FIXTURES / "3.1.7-cmapctl-magi.txt").read_text())
DEFAULT_CONF = (FIXTURES / "debian12-corosync.conf").read_text()
ONLINE = (FIXTURES / "2.1.5-crm_mon-online.xml").read_text()
NODES = [{"name": "balthasar", "id": 1, "addresses": ["192.168.0.201"]},
         {"name": "casper", "id": 2, "addresses": ["192.168.0.202"]},
         {"name": "melchior", "id": 3, "addresses": ["192.168.0.203"]}]
NAMES = [node["name"] for node in NODES]
SBD = {"devices": ["/dev/disk/by-id/scsi-1"], "watchdog": "/dev/watchdog1", "timeouts": {"watchdog": 10}}
QUORUM_DEVICE = {"host": "192.168.0.10", "tls": "off"}
SOFTDOG = {"/sys/class/watchdog/watchdog1/dev": "253:1\n", planner.MODULES: "softdog 20480 2 - Live 0x0\n"}
UNITS = ("corosync.service", "pacemaker.service", "sbd.service", "corosync-qdevice.service")


def desired(start=True, allow_outage=False, reboot=False, **variables):
    chosen = {"cluster_name": "magi", "nodes": NODES, "sbd": SBD, "quorum_device": QUORUM_DEVICE,
              "totem": {"token": 5000}, **variables}
    cluster = parse_cluster({"pacemaker_" + name: value for name, value in chosen.items()}, PACEMAKER)
    return planner.Desired(cluster, "Debian", start, allow_outage, reboot)


def units(active="inactive", enabled="disabled", loaded="loaded"):
    return {unit: {"Id": unit, "LoadState": loaded, "ActiveState": active, "UnitFileState": enabled} for unit in UNITS}


def bare():
    return planner.Host(units(loaded="not-found"), {}, {}, "")


def running(name, **changes):
    """Return a node of the magi that is as the plain goal wants it."""
    cluster = desired().cluster
    files = {planner.CONF: corosync_conf.render_conf(cluster), planner.HOSTNAME: name + "\n", **SOFTDOG,
             "/etc/default/sbd": pacemaker_rules.render_sbd(cluster),
             pacemaker_rules.SBD_UNIT: pacemaker_rules.render_sbd_unit(cluster, True)}
    return planner.Host(units("active", "enabled"), files, MAGI_CMAP, "a2V5")._replace(**changes)


def different(steps_host, desired_state, founding=False):
    """Return the paths of the files that differ on a host."""
    softdog = planner.uses_softdog(steps_host, desired_state)
    return [file.path for file in planner.desired_files(desired_state, softdog, founding)
            if steps_host.files.get(file.path) != file.content]


def default(name="casper", resources=False):
    """Return a host on which the distribution's package has started a cluster of its own."""
    return planner.Host({**units("active", "enabled"), "sbd.service": units()["sbd.service"]},
                        {planner.CONF: DEFAULT_CONF, planner.HOSTNAME: name}, DEFAULT_CMAP, "", resources)


def magi(**hosts):
    return {name: hosts.get(name) or running(name) for name in NAMES}


def plan(hosts, other=None, name="balthasar"):
    return planner.plan_host(name, hosts, other or desired())


def nothing(steps):
    return not any((steps.refusals, steps.missing, steps.leave, steps.stop, steps.reboot, steps.softdog,
                    steps.key_missing, steps.reload, steps.stop_qdevice, steps.enable, steps.disable, steps.start,
                    steps.fresh, steps.gone))


def cmap_of(other):
    """Return what corosync says of itself when it uses the goal's file."""
    cmap = {f"runtime.members.{node.id}.status": "joined" for node in other.cluster.nodes}
    places = corosync_conf.parse_conf(corosync_conf.render_conf(other.cluster))
    for number, node in enumerate(other.cluster.nodes):
        cmap[f"nodelist.node.{number}.nodeid"] = str(node.id)
        own = f"node.{node.id}."
        cmap.update({f"nodelist.node.{number}.{place[len(own):]}": value for place, value in places.items()
                     if place.startswith(own)})
    cmap.update({f"totem.{place}": value for place, value in places.items() if place.startswith("interface.")})
    return {**cmap, **{place: value for place, value in places.items()
                       if place.split(".")[0] in ("totem", "quorum", "logging")}}


DESIRED = st.fixed_dictionaries({}, optional={
    "totem": st.dictionaries(st.sampled_from(["token", "join", "max_messages"]), st.integers(1000, 9000)),
    "quorum_device": st.sampled_from([None, QUORUM_DEVICE, {**QUORUM_DEVICE, "port": 5500}]),
    "sbd": st.sampled_from([SBD, {**SBD, "delay_start": 60},
                            {"timeouts": {"watchdog": 9}, "watchdog": "/dev/watchdog1"}]),
    "nodes": st.sampled_from([NODES, NODES[:2], [{**node, "addresses": [*node["addresses"], f"10.0.0.{node['id']}"]}
                                                 for node in NODES]]),
    "multicast": st.just({"port": 5410}), "logging": st.just({"debug": True})})


@given(DESIRED)
def test_what_the_files_say_and_corosync_uses_is_left_alone(variables):
    other = desired(**variables)
    hosts = {}
    for node in other.cluster.nodes:
        files = {file.path: file.content for file in planner.desired_files(other, True) if file.content}
        files = {**files, **SOFTDOG, planner.HOSTNAME: node.name}
        hosts[node.name] = running(node.name, files=files, cmap=cmap_of(other))
        if other.cluster.quorum_device is None:
            hosts[node.name].units["corosync-qdevice.service"].update(ActiveState="inactive", UnitFileState="disabled")
    assert all(nothing(plan(hosts, other, name)) and different(hosts[name], other) == [] for name in hosts)


@given(DESIRED, DESIRED)
def test_one_step_leads_to_the_desired(before, variables):
    other = desired(**variables, allow_outage=True)
    hosts = {name: running(name, cmap=cmap_of(desired(**before))) for name in [n.name for n in other.cluster.nodes]}
    for name in hosts:
        steps = plan(hosts, other, name)
        written = {file.path: file.content for file in planner.desired_files(other, True)}
        assert {**hosts[name].files, **written}[planner.CONF] == corosync_conf.render_conf(other.cluster)
        assert not (steps.stop and steps.reload)


@pytest.mark.parametrize("name", NAMES)
def test_a_cluster_that_is_right_is_left_alone(name):
    assert nothing(plan(magi(), name=name)) and different(magi()[name], desired()) == []


def test_a_corosync_without_answer_is_not_taken_for_a_stopped_one():
    (refusal,) = plan(magi(casper=running("casper", cmap={})), name="casper").refusals
    assert "corosync-cmapctl prints nothing although corosync runs" in refusal
    off = running("casper", cmap={})._replace(units=units("inactive", "enabled"))
    assert plan(magi(casper=off), name="casper").refusals == ()


def test_bare_hosts_get_everything_and_one_of_them_sees_to_the_disks():
    hosts = {name: bare() for name in NAMES}
    steps = [plan(hosts, name=name) for name in NAMES]
    assert [step.first for step in steps] == [True, False, False]
    assert all(step.missing and step.fresh and step.key_missing and step.softdog for step in steps)
    assert {step.key_from for step in steps} == {""}
    assert different(bare(), desired()) == [planner.CONF, "/etc/default/sbd", pacemaker_rules.SBD_UNIT]
    assert planner.desired_files(desired(), True)[0].check == planner.CHECK
    assert all(step.founding for step in steps)
    assert steps[0].start == ("corosync.service", "pacemaker.service", "corosync-qdevice.service")  # it starts sbd
    assert steps[0].enable == ("corosync.service", "pacemaker.service", "sbd.service", "corosync-qdevice.service")
    assert not any(step.refusals or step.reload or step.stop for step in steps)
    assert "softdog" in steps[0].warnings[0]


def test_nothing_is_started_that_is_not_to_be():
    steps = plan({name: bare() for name in NAMES}, desired(start=False))
    assert (steps.start, steps.fresh) == ((), False)


def test_the_distributions_cluster_is_left_and_replaced():
    steps = plan(magi(casper=default()), name="casper")
    assert steps.leave
    assert steps.refusals == ()
    assert steps.fresh
    assert (steps.key_from, steps.key_missing) == ("balthasar", True)
    assert steps.start[0] == "corosync.service"


def test_the_distributions_cluster_with_resources_is_refused():
    steps = plan(magi(casper=default(resources=True)), name="casper")
    assert "runs the distribution's cluster 'debian' with resources" in steps.refusals[0]


def test_the_distributions_file_alone_is_replaced():
    steps = plan({name: bare()._replace(files={planner.CONF: DEFAULT_CONF}) for name in NAMES})
    assert steps.refusals == ()


def test_another_cluster_is_refused_whether_it_runs_or_not():
    other = {**MAGI_CMAP, "totem.cluster_name": "prod"}
    assert "to the cluster magi: it runs in the cluster 'prod'" in plan(
        magi(casper=running("casper", cmap=other)), name="casper").refusals[0]
    text = running("casper").files[planner.CONF].replace("cluster_name: magi", "cluster_name: prod")
    asleep = running("casper", cmap={}, files={planner.CONF: text, planner.HOSTNAME: "casper"},
                     units=units("inactive", "enabled"))
    assert "it belongs to the cluster 'prod'" in plan(magi(casper=asleep), name="casper").refusals[0]


def test_a_host_must_have_the_nodes_name():
    files = {**running("casper").files, planner.HOSTNAME: "debian\n"}
    (refusal,) = plan(magi(casper=running("casper", files=files)), name="casper").refusals
    assert "uname -n on casper: debian is not valid; expected casper" in refusal


def test_different_keys_of_running_nodes_are_refused_once():
    hosts = magi(casper=running("casper", key="b3RoZXI="))
    assert "/etc/corosync/authkey differs between the running nodes" in plan(hosts).refusals[0]
    assert plan(hosts, name="melchior").refusals == ()


def test_a_node_that_joins_takes_the_key_and_is_started():
    asleep = running("casper", cmap={}, units=units(enabled="enabled"), key="")
    steps = plan(magi(casper=asleep), name="casper")
    assert (steps.key_from, steps.key_missing, steps.fresh) == ("balthasar", True, True)
    assert steps.start == ("corosync.service", "pacemaker.service", "corosync-qdevice.service")


def test_a_live_change_is_taken_over_by_one_node_for_all():
    other = desired(totem={"token": 6000})
    steps = [plan(magi(), other, name) for name in NAMES]
    assert [step.reload for step in steps] == [True, False, False]
    # a longer token makes a node that comes back wait longer, which sbd asks at its next start only
    assert all(different(host, other) == [planner.CONF, "/etc/default/sbd", pacemaker_rules.SBD_UNIT]
               for host in magi().values())
    assert not any(step.founding for step in steps)
    assert not any(step.stop or step.start or step.refusals for step in steps)


def test_a_file_that_is_written_and_not_yet_in_force_is_taken_over():
    other = desired(totem={"token": 6000})
    files = {**SOFTDOG, **{file.path: file.content for file in planner.desired_files(other, True) if file.content}}
    hosts = {name: running(name, files={**files, planner.HOSTNAME: name}) for name in NAMES}
    steps = plan(hosts, other)
    assert (different(hosts["balthasar"], other), steps.reload) == ([], True)


def test_a_change_that_needs_a_stop_is_refused_unless_it_is_allowed():
    nodes = [{**NODES[0], "addresses": ["192.168.0.211"]}] + NODES[1:]
    refused = plan(magi(), desired(nodes=nodes))
    assert "Cannot change node.1.ring0_addr on balthasar: the cluster runs" in refused.refusals[0]
    assert "To continue: pacemaker_allow_outage: true" in refused.refusals[0]
    half = plan(magi(), desired(nodes=nodes, allow_outage=True))
    assert "watchdog resets the node when sbd stops. To continue: pacemaker_reboot: true too" in half.refusals[0]
    allowed = plan(magi(), desired(nodes=nodes, allow_outage=True, reboot=True))
    assert allowed.refusals == ()
    assert (allowed.stop, allowed.reboot) == (True, True)
    assert not allowed.reload
    assert allowed.start == ("corosync.service", "pacemaker.service", "corosync-qdevice.service")


def test_another_delay_at_boot_leaves_the_running_sbd_alone():
    later = desired(sbd={**SBD, "delay_start": 60})
    steps = plan(magi(), later)
    assert different(running("balthasar"), later) == ["/etc/default/sbd", pacemaker_rules.SBD_UNIT]
    assert not (steps.refusals or steps.stop or steps.reload or steps.start)


@pytest.mark.parametrize("other", [{"sbd": {**SBD, "timeouts": {"watchdog": 15}}},
                                   {"sbd": None, "without_fencing": True}])
def test_sbd_changes_with_a_stop_only(other):
    assert "Cannot change /etc/default/sbd on balthasar: the cluster runs" in plan(magi(), desired(**other)).refusals[0]


def test_without_fencing_sbd_is_taken_out_and_the_danger_is_said():
    other = desired(sbd=None, without_fencing=True, allow_outage=True)
    steps = plan(magi(), other)
    assert steps.disable == ("sbd.service",)
    assert "two nodes may damage the same data" in steps.warnings[-1]
    assert not steps.softdog


def test_another_arbiter_is_asked_after_the_old_one_was_left():
    steps = plan(magi(), desired(quorum_device={**QUORUM_DEVICE, "host": "192.168.0.11"}), "casper")
    assert (steps.stop_qdevice, steps.start) == (True, ("corosync-qdevice.service",))
    gone = plan(magi(), desired(quorum_device=None))
    assert (gone.stop_qdevice, gone.start, gone.disable) == (True, (), ("corosync-qdevice.service",))


def test_a_cluster_without_one_of_its_nodes_is_not_changed():
    cmap = {**MAGI_CMAP, "runtime.members.3.status": "left"}
    hosts = {**{name: running(name, cmap=cmap) for name in NAMES[:2]}, "melchior": running("melchior", cmap={})}
    (refusal,) = plan(hosts, desired(totem={"token": 6000})).refusals
    assert "melchior is offline, and a degraded cluster is not changed" in refusal
    assert plan(hosts).refusals == ()


def test_a_node_that_leaves_must_be_stopped_and_is_then_forgotten():
    hosts = {name: running(name) for name in NAMES[:2]}
    other = desired(nodes=NODES[:2])
    assert "Cannot remove node id 3 from the cluster" in plan(hosts, other).refusals[0]
    cmap = {**MAGI_CMAP, "runtime.members.3.status": "left"}
    hosts = {name: running(name, cmap=cmap) for name in NAMES[:2]}
    steps = [plan(hosts, other, name) for name in NAMES[:2]]
    assert [step.gone for step in steps] == [("melchior",), ()]
    assert steps[0].refusals == ()
    assert steps[0].reload


@pytest.mark.parametrize(("watchdog", "files"), [
    ("/dev/watchdog", ("/sys/class/watchdog/watchdog0/dev", "/sys/class/misc/watchdog/dev")),
    ("/dev/watchdog1", ("/sys/class/watchdog/watchdog1/dev", "/sys/class/misc/watchdog1/dev"))])
def test_the_kernels_own_watchdog_is_for_hosts_without_one(watchdog, files):
    other = desired(sbd={**SBD, "watchdog": watchdog})
    assert planner.watchdog_files(other) == files
    iron = {name: bare()._replace(files={files[0]: "10:130\n", planner.MODULES: "iTCO_wdt 1 0\n"}) for name in NAMES}
    assert not plan(iron, other).softdog
    assert plan(iron, other).warnings == ()
    assert plan({name: bare() for name in NAMES}, other).softdog


def test_what_is_read():
    assert planner.list_files(desired())[:2] == (planner.CONF, planner.HOSTNAME)
    assert planner.watchdog_files(desired(sbd=None, without_fencing=True)) == ()
    assert planner.sbd_file("Suse") == "/etc/sysconfig/sbd"
    assert planner.list_units(desired()) == UNITS


def test_what_is_in_force_is_read_by_the_places_of_the_file():
    active = planner.active_places(MAGI_CMAP)
    assert active["node.3.name"] == "melchior"
    assert active["quorum.device.sync_timeout"] == "9000"
    assert planner.members(MAGI_CMAP) == ("1", "2", "3")
    assert planner.active_places(DEFAULT_CMAP)["logging.QUORUM.debug"] == "off"


def test_the_cluster_is_waited_for():
    assert planner.missing_nodes(ONLINE, NAMES) == ()
    assert planner.missing_nodes("", NAMES) == tuple(NAMES)
    pending = ONLINE.replace('name="casper" id="2" online="true" standby="false" maintenance="false" pending="false"',
                             'name="casper" id="2" online="true" standby="false" maintenance="false" pending="true"')
    assert planner.missing_nodes(pending, NAMES) == ("casper",)
    assert planner.missing_nodes(ONLINE.replace('with_quorum="true"', 'with_quorum="false"'), NAMES) == ("quorum",)
    assert planner.missing_nodes("<x/>", ["a"]) == ("a", "a coordinator", "quorum")


@pytest.mark.parametrize("unit", [{"ActiveState": "active"}, {"ActiveState": "inactive", "UnitFileState": "enabled"}])
def test_a_node_of_heartbeat_is_refused(unit):
    hosts = {name: bare() for name in NAMES}
    hosts["casper"].units[planner.OTHER] = unit
    assert plan(hosts, name="casper").refusals == (
        "CANNOT CONFIGURE pacemaker ON casper: heartbeat.service runs there or starts at boot, and both would start "
        "the same groups. To continue: playbooks/teardown.yml with cluster_manager: heartbeat, or on all nodes: "
        "systemctl disable --now heartbeat",)
    hosts["casper"].units[planner.OTHER] = {"ActiveState": "inactive", "UnitFileState": "disabled"}
    assert plan(hosts, name="casper").refusals == ()
