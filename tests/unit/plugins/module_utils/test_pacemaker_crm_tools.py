# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Pacemaker's tools print."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import cib, crm_tools as crm

FIXTURES = Path(__file__).parents[2] / "fixtures/pacemaker"


def text_of(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def test_crm_mon_tells_what_runs_where() -> None:
    status = crm.parse_status(text_of("crm_mon-2.1.5.xml"))
    assert (status.quorate, status.coordinated, status.maintenance) == (True, True, False)
    assert [(each.name, each.online, each.standby) for each in status.members] == [
        ("debian1", True, False),
        ("debian2", True, False),
    ]
    places = crm.places_of(status)
    assert [part.nodes for part in places["web-IPaddr2-192.168.69.16"]] == [("debian2",)]


def test_instances_of_a_clone_are_reported_by_the_name_of_the_primitive() -> None:
    text = (
        "<r><summary><current_dc present='false'/></summary><resources><clone><resource id='dlm:0' active='true'>"
        "<node name='a'/></resource><resource id='dlm:1' active='false'/></clone></resources></r>"
    )
    status = crm.parse_status(text)
    assert [part.nodes for part in crm.places_of(status)["dlm"]] == [("a",), ()]
    assert (status.quorate, status.coordinated, status.maintenance) == (False, False, False)


@pytest.mark.parametrize("text", ["", "crm_mon: error", "<r/>"])
def test_a_status_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HaError, match="crm_mon printed no"):
        crm.parse_status(text)


def test_failures_carry_the_message_of_the_agent() -> None:
    text = text_of("cibadmin-2.1.5-failed-probe.xml")
    assert crm.failures_in(cib.parse_cib(text)) == (
        crm.Failure(
            "web-Filesystem-mnt", "monitor", "debian2", "not installed", "Setup problem: couldn't find command: fuser"
        ),
    )
    late = text.replace('op-status="0"', 'op-status="2"').replace('on_node="debian2" ', "")
    assert crm.failures_in(cib.parse_cib(late))[0][2:4] == ("debian2", "timed out")
    odd = text.replace('rc-code="5"', 'rc-code="77"')
    assert crm.failures_in(cib.parse_cib(odd))[0].status == "exit code 77"


@pytest.mark.parametrize(("code", "interval", "found"), [
    ("0", "0", []), ("8", "0", []), ("0", "10000", ["exit code 0"]), ("9", "0", ["promoted and failed"])])
def test_a_probe_that_finds_a_resource_active_is_no_failure(code: str, interval: str, found: list[str]) -> None:
    text = text_of("cibadmin-2.1.5-failed-probe.xml").replace('rc-code="5"', f'rc-code="{code}"')
    root = cib.parse_cib(text.replace('interval="0"', f'interval="{interval}"'))
    assert [failure.status for failure in crm.failures_in(root)] == found


def test_operations_under_way_are_seen() -> None:
    text = text_of("cibadmin-2.1.5-failed-probe.xml")
    assert crm.under_way(cib.parse_cib(text)) == ()
    pending = text.replace('op-status="0"', 'op-status="-1"', 1)
    assert crm.under_way(cib.parse_cib(pending)) == ("monitor of web-Filesystem-mnt on debian2",)


def test_the_simulation_is_reported_in_sentences() -> None:
    assert crm.parse_simulation(text_of("crm_simulate-2.1.5.xml"), {}) == (
        "start web-ip on c",
        "start web-apache2 on c",
    )
    text = """log line
    <r><actions><node_action task="Fence (reboot)" node="b" reason="peer is no longer part of the cluster"/>
    <rsc_action action="Move" resource="x" source="a" dest="b"/>
    <rsc_action action="Stop" resource="y" node="a" blocked="true" reason="node availability"/>
    <rsc_action action="Restart" resource="z" source="a" dest="a" node="a"/></actions></r>"""
    assert crm.parse_simulation(text, {}) == (
        "Fence (reboot) node b (peer is no longer part of the cluster)",
        "move x from a to b",
        "stop y on a (node availability, blocked)",
        "restart z on a",
    )


def test_the_simulation_tells_what_is_promoted_and_demoted() -> None:
    roles = 'role="%s" next-role="%s"'
    text = "<r><actions>%s</actions></r>" % "".join(
        f'<rsc_action action="{action}" resource="drbd-repl:{number}" {roles % (role, after)} {where}/>'
        for number, (action, role, after, where) in enumerate([
            ("promote", "Stopped", "Promoted", 'dest="a"'), ("promote", "Slave", "Master", 'source="b"'),
            ("demote", "Promoted", "Unpromoted", 'source="a"'), ("stop", "Master", "Stopped", 'node="a"'),
            ("stop", "Unpromoted", "Stopped", 'node="b"'), ("restart", "Promoted", "Promoted", 'source="a"')]))
    note = "the node is fenced if the stop takes more than 100s"
    assert crm.parse_simulation(text, {"drbd-repl": "100s"}) == (
        "start and promote drbd-repl on a", "promote drbd-repl on b", "demote drbd-repl on a",
        f"demote and stop drbd-repl on a ({note})", f"stop drbd-repl on b ({note})", f"restart drbd-repl on a ({note})")


def test_crm_verify_is_heard() -> None:
    said = crm.parse_complaints(text_of("crm_verify-2.1.5.txt"))
    assert "error: CIB did not pass schema validation" in said
    assert any('references an unknown ID "nope"' in line for line in said)
    assert crm.parse_complaints("(x) \twarning: beware\nother\n") == ("warning: beware",)


def test_parameters_are_compared_with_what_the_agent_takes() -> None:
    metadata = crm.parse_metadata(
        '<?xml version="1.0"?>\n<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">\n<resource-agent><parameters>'
        '<parameter name="ip" required="1"/><parameter name="nic"/></parameters></resource-agent>'
    )
    assert metadata == crm.Metadata(("ip", "nic"), ("ip",))
    assert crm.check_parameters("vip", "IPaddr2", ["ip", "nic"], metadata) == []
    assert crm.check_parameters("vip", "IPaddr2", ["iq"], metadata) == [
        "vip: IPaddr2 has no parameter iq; expected some of ip, nic",
        "vip: IPaddr2 needs the parameter ip; expected it",
    ]


@pytest.mark.parametrize(("actions", "promotable"), [
    ('<action name="start"/><action name="promote"/>', True), ('<action name="start"/>', False)])
def test_metadata_tells_whether_an_agent_can_be_promoted(actions: str, promotable: bool) -> None:
    text = f"<resource-agent><parameters/><actions>{actions}</actions></resource-agent>"
    assert crm.parse_metadata(text).promotable is promotable


def test_a_stop_that_may_get_its_node_fenced_is_predicted() -> None:
    text = "<r><actions>%s</actions></r>" % "".join(
        f'<rsc_action action="{action}" resource="{name}" node="c"/>' for action, name in (
            ("Stop", "web"), ("Restart", "db"), ("Start", "web"), ("Stop", "other")))
    note = "the node is fenced if the stop takes more than"
    assert crm.parse_simulation(text, {"web": "120s", "db": "9s"}) == (
        f"stop web on c ({note} 120s)", f"restart db on c ({note} 9s)", "start web on c", "stop other on c")


def status_of(nodes: str, fenced: str = "") -> crm.Status:
    return crm.parse_status(f'<r><summary><current_dc present="true"/></summary><nodes>{nodes}</nodes>'
                            f"<fence_history>{fenced}</fence_history></r>")


def test_nodes_that_were_lost_are_found_even_when_they_are_back() -> None:
    both = '<node name="a" online="true"/><node name="b" online="true"/>'
    event = '<fence_event action="reboot" target="b" status="%s" completed="2026-11-20 13:44:1%dZ"/>'
    before = status_of(both + '<node name="c" online="false"/>', event % ("success", 1))
    assert crm.lost_nodes(before, before) == ()
    assert crm.lost_nodes(before, status_of(both.replace('"true"', '"false"', 1), event % ("success", 1))) == ("a",)
    assert crm.lost_nodes(before, status_of(both, event % ("success", 1) + event % ("failed", 2))) == ()
    assert crm.lost_nodes(before, status_of(both, event % ("success", 1) + event % ("success", 2))) == ("b",)
