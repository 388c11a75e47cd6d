# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services of rgmanager: what clustat shows, what is done, and what came of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import clusvcadm
from ansible_collections.linuxha.cluster.plugins.module_utils._cman.clusvcadm import Service
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/rhcs"
NODES = ["balthasar.localdomain", "casper.localdomain", "melchior.localdomain"]
BALTHASAR, CASPER, MELCHIOR = NODES
ALL = (FIXTURES / "clustat_x_all_states.xml").read_text(encoding="utf-8")


def view(state="started", owner=BALTHASAR, frozen=False, **changes):
    made = clusvcadm.View(
        True, {BALTHASAR: True, CASPER: True, MELCHIOR: False}, {"service:test": Service(state, owner, frozen)}, ""
    )
    return made._replace(**changes)


def groups(**said):
    return _groups.parse_groups(
        [{"name": "test", **said}]
        if "state" in said
        else [{"name": "test", "nodes": ["balthasar"], "resources": [{"service": {"name": "x"}}], **said}]
    )


def calls(seen, **said):
    return [" ".join(call.argv) for call in clusvcadm.plan_operations(groups(**said), seen, NODES)[0]]


def test_all_states_are_read():
    seen = clusvcadm.parse_clustat(ALL)
    assert seen.quorate and seen.nodes == {BALTHASAR: True, CASPER: True, MELCHIOR: False}
    assert seen.services["service:test"] == Service("started", BALTHASAR, False)
    assert seen.services["service:db"] == Service("disabled", CASPER, False)
    assert seen.services["service:both"].frozen and not seen.services["service:part"].frozen
    assert seen.services["service:uninit"].owner is None
    assert len(seen.services) == 14


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clustat_x_inquorate_norg.xml", ""),
        ("clustat_x_rgfail_quorum.out", "Service states unavailable: Operation requires quorum"),
    ],
)
def test_without_quorum_there_are_no_services(name, said):
    seen = clusvcadm.parse_clustat((FIXTURES / name).read_text(encoding="utf-8"))
    assert not seen.quorate and seen.services is None and seen.said == said


@pytest.mark.parametrize(
    "out", ["", "Could not connect", ALL[:300], ALL.replace("0x00000001", "one"), ALL.replace('flags="0"', 'flags="x"')]
)
def test_what_clustat_does_not_print_is_an_error(out):
    with pytest.raises(clusvcadm.ServiceError, match="which cannot be read"):
        clusvcadm.parse_clustat(out)


@pytest.mark.parametrize("name", ["a&b", "a<b", 'a"b', "a>b"])
def test_clustat_does_not_escape_names(name):
    seen = clusvcadm.parse_clustat(ALL.replace("service:nfs", "service:" + name))
    assert len(seen.services) == 14 and seen.services["service:" + name].state == "started"


def test_a_node_without_its_number_is_an_error():
    with pytest.raises(clusvcadm.ServiceError, match="nodeid is not a number"):
        clusvcadm.parse_clustat(ALL.replace(' nodeid="0x00000001"', ""))


def test_old_el5_prints_no_flags():
    assert (
        not clusvcadm.parse_clustat(re.sub(r' flags="\d" flags_str="[^"]*"', "", ALL)).services["service:nfs"].frozen
    )


def test_what_is_on_its_way_is_seen():
    assert clusvcadm.is_moving(view("starting"), groups())
    assert not clusvcadm.is_moving(view(), groups())
    assert not clusvcadm.is_moving(view(services=None), groups())


@pytest.mark.parametrize(
    ("seen", "said", "desired"),
    [
        (view(), {}, []),
        (view("disabled"), {}, []),
        (view("failed"), {}, []),
        (view(), {"state": "absent"}, []),
        (view(), {"state": "enabled"}, []),
        (view("disabled"), {"state": "enabled"}, ["clusvcadm -e test -F"]),
        (view("stopped"), {"state": "enabled", "running_on": "casper"}, ["clusvcadm -e test -m casper.localdomain"]),
        (view("stopped"), {"state": "disabled"}, ["clusvcadm -d test"]),
        (view("failed"), {"state": "disabled"}, ["clusvcadm -d test"]),
        (view("disabled"), {"state": "disabled"}, []),
        (view(), {"running_on": "casper"}, ["clusvcadm -r test -m casper.localdomain"]),
        (view(), {"running_on": BALTHASAR}, []),
        (view(), {"frozen": True}, ["clusvcadm -Z test"]),
        (view(frozen=True), {"frozen": True}, []),
        (view(frozen=True), {"frozen": False}, ["clusvcadm -U test"]),
        (view(), {"frozen": False}, []),
        (view(frozen=True), {"state": "disabled", "frozen": False}, ["clusvcadm -U test", "clusvcadm -d test"]),
        (
            view(),
            {"running_on": "casper", "frozen": True},
            ["clusvcadm -r test -m casper.localdomain", "clusvcadm -Z test"],
        ),
        (view(services={}), {"state": "enabled"}, ["clusvcadm -e test -F"]),
    ],
)
def test_only_what_is_asked_for_is_done(seen, said, desired):
    assert calls(seen, **said) == desired


@pytest.mark.parametrize(
    ("seen", "said", "message"),
    [
        (None, {"state": "enabled"}, "rgmanager does not respond; expected rgmanager to run"),
        (view(services=None, said="Timed out"), {"state": "enabled"}, r"does not respond \(Timed out\)"),
        (view("disabled", quorate=False), {"state": "enabled"}, "the cluster has no quorum"),
        (view("failed"), {"state": "enabled"}, "is failed: a stop failed on balthasar.*state: disabled"),
        (view("failed", None), {"state": "enabled"}, "a stop failed on a node"),
        (view(frozen=True), {"state": "disabled"}, "is frozen; expected frozen: false"),
        (
            view("disabled"),
            {"running_on": "casper"},
            "is disabled, and running_on is casper.*; expected state: enabled",
        ),
        (view(), {"running_on": "melchior"}, "melchior.localdomain, where rgmanager does not run"),
        (
            view(nodes={BALTHASAR: True}),
            {"running_on": "casper"},
            "is no member of the cluster; expected one of balthasar",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(seen, said, message):
    with pytest.raises(clusvcadm.ServiceError, match=message):
        calls(seen, **said)


STATES = st.sampled_from(["started", "stopped", "disabled"])


@given(
    STATES,
    st.sampled_from([BALTHASAR, CASPER]),
    st.booleans(),
    st.sampled_from(
        [
            {"state": "enabled", "running_on": "casper", "frozen": False},
            {"state": "disabled", "frozen": False},
            {"state": "enabled", "frozen": False},
        ]
    ),
)
def test_after_the_calls_there_is_nothing_to_do(state, owner, frozen, said):
    _first, states = clusvcadm.plan_operations(groups(**said), view(state, owner, frozen), NODES)
    after = view(services=states)
    assert calls(after, **said) == []
    clusvcadm.check_result(groups(**said), after, NODES)


RELOCATE = clusvcadm.Operation("relocate the service test", ("clusvcadm",), "test", CASPER)
TRANSCRIPT = re.findall(
    r"\$ \./clusvcadm (.*)\n((?:.*\n)*?)\[rc=(\d+)\]", (FIXTURES / "clusvcadm_transcript.txt").read_text()
)


@pytest.mark.parametrize(("asked", "out", "code"), TRANSCRIPT, ids=range(len(TRANSCRIPT)))
def test_every_answer_is_judged(asked, out, code):
    """Exit code 0 with a warning is a failure too: the service runs elsewhere."""
    target = CASPER if "-m" in asked else None
    call = RELOCATE._replace(target=target)
    if int(code) or (target and "Warning:" in out):
        with pytest.raises(clusvcadm.ServiceError):
            clusvcadm.judge(call, int(code), out)
    else:
        clusvcadm.judge(call, int(code), out)


def test_what_failed_is_said():
    with pytest.raises(clusvcadm.ServiceError, match=r"the service is frozen \(clusvcadm ended with 245: it printed"):
        clusvcadm.judge(RELOCATE, 245, "")
    with pytest.raises(clusvcadm.ServiceError, match="it runs on balthasar.localdomain; expected casper.localdomain"):
        clusvcadm.judge(RELOCATE, 0, "Success\nWarning: service:test is now running on balthasar.localdomain\n")
    with pytest.raises(clusvcadm.ServiceError, match="it failed"):
        clusvcadm.judge(RELOCATE, 77, "")


@pytest.mark.parametrize(
    ("seen", "said", "message"),
    [
        (view(), {"state": "disabled"}, "test: is started; expected disabled"),
        (view("failed"), {"state": "enabled"}, "test: is failed; expected started"),
        (view("recovering"), {"running_on": "casper"}, "is recovering; expected started"),
        (view(services={}), {"state": "enabled"}, "test: is stopped"),
        (view(), {"running_on": "casper"}, "runs on balthasar.localdomain; expected casper.localdomain"),
    ],
)
def test_a_result_that_was_not_asked_for_is_an_error(seen, said, message):
    with pytest.raises(clusvcadm.ServiceError, match=message):
        clusvcadm.check_result(groups(**said), seen, NODES)


def test_what_was_not_asked_for_is_not_checked():
    for seen in (None, view(services=None), view("failed")):
        clusvcadm.check_result(groups(), seen, NODES)
    clusvcadm.check_result(groups(state="absent"), view("failed"), NODES)
