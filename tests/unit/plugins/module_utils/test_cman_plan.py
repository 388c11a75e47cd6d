# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What brings all nodes of a cman cluster to one configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import (
    cluster_conf,
    plan as cman_plan,
    tools,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster
from hypothesis import given, settings as settings_of_tests, strategies as st

HOSTS = ["balthasar", "casper", "melchior"]
NAMES = [f"{host}.localdomain" for host in HOSTS]
MORE = [{"name": "more", "nodes": ["casper"], "resources": [{"service": {"name": "more"}}]}]
STATUS = tools.parse_status(
    0,
    (Path(__file__).resolve().parents[2] / "fixtures/rhcs/cman_tool_status_el6_qdisk.txt").read_text(encoding="utf-8"),
    "",
)
ALL_RUN = {"rgmanager": True, "clvmd": True, "qdiskd": False, "acpid": False}


def text_of(settings, version=1):
    text = cluster_conf.plan_conf(cluster.parse_cluster(settings, cluster.CMAN), settings, None).text
    return text.replace('config_version="1"', f'config_version="{version}"')


def host(name, text=None, version=0, **changes):
    status = STATUS._replace(version=version) if version else None
    return cman_plan.Host(
        name,
        text,
        status,
        dict.fromkeys(NAMES, True) if version else {},
        dict(ALL_RUN) if version else {},
        {"clvmd": True},
    )._replace(**changes)


def plan(settings, hosts):
    return cman_plan.plan_cluster(cluster.parse_cluster(settings, cluster.CMAN), hosts, settings)


@pytest.mark.parametrize(
    ("release", "services"),
    [("el5", ("qdiskd", "cman", "clvmd", "rgmanager")), ("el6", ("cman", "clvmd", "rgmanager"))],
)
def test_from_bare_hosts_all_get_the_file_and_start(magi, release, services):
    steps = plan(magi(release=release), [host(name) for name in HOSTS])
    assert (steps.refusals, steps.version, steps.through, steps.running) == ((), 1, "", ())
    assert steps.write == tuple(HOSTS) and steps.start == dict.fromkeys(HOSTS, services)
    assert steps.stop == dict.fromkeys(HOSTS, ())


@pytest.mark.parametrize("release", ["el5", "el6"])
def test_a_cluster_that_is_right_is_left_alone(magi, release):
    settings = magi(release=release)
    services = dict(ALL_RUN, qdiskd=True)
    steps = plan(settings, [host(name, text_of(settings, 7), 7, services=services) for name in HOSTS])
    assert steps == (
        (),
        (),
        text_of(settings, 7),
        7,
        (),
        "",
        tuple(HOSTS),
        dict.fromkeys(HOSTS, ()),
        dict.fromkeys(HOSTS, ()),
    )


def test_el6_writes_everywhere_and_tells_once(magi):
    hosts = [host(name, text_of(magi(), 7), 7) for name in HOSTS[:2]] + [host(HOSTS[2], text_of(magi(), 3))]
    steps = plan(magi({"groups": MORE}), hosts)
    assert (steps.version, steps.write, steps.through) == (8, tuple(HOSTS), "balthasar")
    assert steps.running == ("balthasar", "casper") and steps.start["melchior"] == ("cman", "clvmd", "rgmanager")
    assert "<service> more comes" in steps.changes and steps.refusals == ()


def test_el5_has_ccsd_bring_the_file_and_writes_only_where_it_does_not_run(magi):
    settings = magi(release="el5")
    hosts = [host(name, text_of(settings, 7), 7) for name in HOSTS[:2]] + [host(HOSTS[2], text_of(settings, 3))]
    steps = plan(magi({"groups": MORE}, "el5"), hosts)
    assert (steps.version, steps.write, steps.through) == (8, ("melchior",), "balthasar")


def test_what_was_written_and_never_reported_is_reported(magi):
    hosts = [host(name, text_of(magi(), 8), 7) for name in HOSTS]
    steps = plan(magi(), hosts)
    assert (steps.version, steps.write, steps.through, steps.changes) == (8, tuple(HOSTS), "balthasar", ())


def test_a_stopped_node_with_a_higher_number_does_not_win(magi):
    other = text_of(magi({"totem": {"token": 200000}}), 9)
    hosts = [host(name, text_of(magi(), 7), 7) for name in HOSTS[:2]] + [host(HOSTS[2], other)]
    steps = plan(magi(), hosts)
    assert (steps.version, steps.write, steps.through) == (7, ("melchior",), "")
    assert plan(magi({"groups": MORE}), hosts).version == 10


@pytest.mark.parametrize("release", ["el5", "el6"])
def test_a_change_that_needs_a_stop_is_refused_unless_allowed(magi, release):
    services = dict(ALL_RUN, qdiskd=release == "el5")
    hosts = [host(name, text_of(magi(release=release), 7), 7, services=services) for name in HOSTS]
    changes = {"quorum_disk.label": "other"}
    steps = plan(magi(changes, release), hosts)
    assert steps.refusals == (
        "rhcs_cman_allow_outage: false, and balthasar runs a cluster that cannot apply this while it runs; expected "
        "true, which stops all nodes and starts them, or no such change: quorumd.label: magi_qdisk becomes other",
    )
    steps = plan(magi({**changes, "allow_outage": True}, release), hosts)
    disk = ("qdiskd",) if release == "el5" else ()
    assert steps.refusals == () and steps.write == tuple(HOSTS) and (steps.through, steps.running) == ("", ())
    assert steps.stop["casper"] == ("rgmanager", "clvmd", *disk, "cman")
    assert steps.start["casper"] == (*disk, "cman", "clvmd", "rgmanager")
    refused = plan(magi({**changes, "allow_outage": True, "start": False}, release), hosts).refusals
    assert refused[0].startswith("rhcs_cman_start: false, and quorumd.label")


def test_an_allowed_outage_that_is_not_needed_is_none(magi):
    hosts = [host(name, text_of(magi(), 7), 7) for name in HOSTS]
    steps = plan(magi({"allow_outage": True, "groups": MORE}), hosts)
    assert steps.stop == dict.fromkeys(HOSTS, ()) and steps.through == "balthasar"


@pytest.mark.parametrize(
    ("release", "changes", "message"),
    [
        (
            "el6",
            {"members": dict.fromkeys([*NAMES, "caspar"], True)},
            r"caspar is a member .*service cman stop remove on it",
        ),
        ("el5", {"members": dict.fromkeys([*NAMES, "caspar"], True)}, r"service cman stop on it"),
        ("el6", {"status": STATUS._replace(version=7, quorate=False)}, r"has no quorum \(5 of 3 votes\)"),
        ("el6", {"status": STATUS._replace(version=9)}, "runs version 9 .* newest file has version 7"),
        ("el6", {"status": STATUS._replace(version=7, flags=("DisallowedNodes",))}, "has disallowed nodes"),
        ("el6", {"text": None}, "runs cman and has no /etc/cluster/cluster.conf"),
    ],
)
def test_a_cluster_that_is_not_as_it_seems_is_refused(magi, release, changes, message):
    settings = magi(release=release)
    hosts = [host(name, text_of(settings, 7), 7) for name in HOSTS]
    hosts[0] = hosts[0]._replace(**changes)
    assert re.search(message, "\n".join(plan(magi({"groups": MORE}, release), hosts).refusals))


def test_two_truths_are_none(magi):
    hosts = [host("balthasar", text_of(magi(), 7)), host("casper", text_of(magi({"groups": MORE}), 7))]
    assert "version 7 on balthasar and on casper are not the same" in plan(magi(), hosts).refusals[0]


def test_what_the_file_refers_to_must_be_there(magi):
    text = text_of(magi(), 7).replace("</rm>", '<vm name="guest" domain="gone"/></rm>')
    assert "the service guest has the domain 'gone'" in plan(magi(), [host("balthasar", text)]).refusals[0]


def test_without_rgmanager_and_without_starting(magi):
    steps = plan(magi({"rgmanager": False, "groups": [], "start": False}), [host(name) for name in HOSTS])
    assert steps.start["casper"] == ("clvmd",)  # nobody starts it: the role's part that starts is passed over
    assert "<rm" not in steps.text


def test_what_the_role_registers_is_read():
    raw = {
        "files": {"/etc/cluster/cluster.conf": "x"},
        "members": "1 balthasar.localdomain M \n",
        "services": {"clvmd": 3},
        "chkconfig": "",
        "status": {"rc": 1, "stdout": "", "stderr": "Cannot open connection to cman, is it running ?"},
    }
    assert cman_plan.host_from("casper", raw) == cman_plan.Host(
        "casper", "x", None, {"balthasar.localdomain": True}, {"clvmd": False}, {}
    )
    assert cman_plan.host_from("casper", dict(raw, status={}, files={})).text is None


@pytest.mark.parametrize("release", ["el5", "el6"])
def test_after_the_plan_there_is_nothing_to_do(magi, release):
    @settings_of_tests(deadline=None)  # a whole cluster is planned twice
    @given(st.lists(st.sampled_from(HOSTS), unique=True))
    def holds(behind):
        settings = magi(release=release)
        old = {name: text_of(settings, 3) if name in behind else None for name in HOSTS}
        steps = plan(settings, [host(name, old[name]) for name in HOSTS])
        after = [host(name, steps.text, steps.version, services=dict(ALL_RUN, qdiskd=True)) for name in HOSTS]
        again = plan(settings, after)
        assert not again.write and not again.through and not any(again.start.values()) and not any(again.stop.values())

    holds()
