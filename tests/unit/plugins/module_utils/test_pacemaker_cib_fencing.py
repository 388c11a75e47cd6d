# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence devices, levels, properties and defaults in the CIB."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_fencing as crm_fencing,
    cib_plan as crm_plan,
    cib_text as crm_text,
)
from fake_pacemaker import EMPTY

PDU = {"name": "pdu", "agent": "fence_apc", "options": {"ip": "10.0.0.9", "passwd": "s3cret"}}
SBD = {"name": "sbd", "agent": "external/sbd", "options": {"sbd_device": "/dev/quorum"}}


def node(name: str, *levels: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    return {
        "name": name,
        "id": 1,
        "fencing": [
            {"name": f"l{place}", "devices": [{"device": device, "options": options} for device, options in level]}
            for place, level in enumerate(levels)
        ],
    }


def devices(fencing: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {each.id: each.parameters for each in crm_fencing.devices_of(crm_fencing.parse_fencing(fencing))}


def applied(root: Any, fencing: Any, **settings: Any) -> Any:
    said = tuple((name, crm_fencing.parse_settings(value, name)) for name, value in settings.items())
    return crm_plan.apply(root, crm_text.Declared((), crm_fencing.parse_fencing(fencing), said), {})


def empty() -> Any:
    return cib.parse_cib(EMPTY)


def test_nothing_said_is_no_device() -> None:
    assert crm_fencing.parse_fencing(None) is None
    assert crm_fencing.devices_of(None) == []


def test_ports_become_a_map_of_hosts() -> None:
    nodes = [node("casper", [("pdu", {"port": 2})]), node("melchior", [("pdu", {"port": 3})])]
    assert devices({"devices": [PDU], "nodes": nodes})["pdu"] == {
        "ip": "10.0.0.9",
        "passwd": "s3cret",
        "pcmk_host_check": "static-list",
        "pcmk_host_map": "casper:2;melchior:3",
    }


def test_devices_without_ports_get_a_list_and_those_that_no_node_names_nothing() -> None:
    found = devices({"devices": [PDU, SBD], "nodes": [node("casper", [("pdu", {})]), node("melchior", [("pdu", {})])]})
    assert found["pdu"]["pcmk_host_list"] == "casper melchior"
    assert found["sbd"] == {"sbd_device": "/dev/quorum"}


def test_options_of_one_node_make_a_device_of_its_own() -> None:
    nodes = [node("casper", [("pdu", {"port": 2, "switch": 4})]), node("melchior", [("pdu", {"port": 3})])]
    found = devices({"devices": [PDU], "nodes": nodes})
    assert sorted(found) == ["pdu-casper", "pdu-melchior"]
    assert (found["pdu-casper"]["switch"], found["pdu-casper"]["pcmk_host_map"]) == ("4", "casper:2")
    mixed = devices({"devices": [PDU], "nodes": [node("a", [("pdu", {"port": 2})]), node("b", [("pdu", {})])]})
    assert mixed["pdu-b"]["pcmk_host_list"] == "b"


def test_two_supplies_are_two_ports_and_off_and_on_is_what_pacemaker_does_by_itself() -> None:
    steps = [("pdu", {"port": port, "action": action}) for action in ("off", "on") for port in (1, 7)]
    found = devices({"devices": [PDU], "nodes": [node("casper", steps)]})
    assert found["pdu"]["pcmk_host_map"] == "casper:1,7"
    assert "action" not in found["pdu"]
    off = devices({"devices": [PDU], "nodes": [node("casper", [("pdu", {"port": 1, "option": "off"})])]})
    assert off["pdu-casper"]["pcmk_reboot_action"] == "off"
    assert "option" not in off["pdu-casper"]


def test_levels_name_the_devices_in_order() -> None:
    ilo = {"name": "ilo", "agent": "fence_ipmilan", "options": {"ip": "10.0.0.1"}}
    nodes = [node("casper", [("ilo", {})], [("pdu", {"port": 1}), ("pdu", {"port": 7})]), node("melchior")]
    fencing = {"devices": [PDU, ilo], "nodes": nodes}
    root = applied(empty(), fencing)
    levels = [dict(each.attrib) for each in root.iter("fencing-level")]
    assert levels == [
        {"id": "ha-fencing-casper-1", "target": "casper", "index": "1", "devices": "ilo"},
        {"id": "ha-fencing-casper-2", "target": "casper", "index": "2", "devices": "pdu"},
    ]
    primitive = cib.find_id(root, "pdu")
    assert (primitive.get("class"), primitive.get("provider"), primitive.get("type")) == ("stonith", None, "fence_apc")
    assert cib.make_patch(root, applied(root, fencing)) == ""
    less = applied(root, {"devices": [ilo], "nodes": [node("casper", [("ilo", {})])]})
    assert [each.get("id") for each in less.iter("fencing-level")] == ["ha-fencing-casper-1"]
    assert cib.find_id(less, "pdu") is None


def test_a_device_that_was_unreachable_is_started_again_after_a_while() -> None:
    fencing = {"devices": [PDU], "nodes": []}
    root = applied(empty(), fencing)
    device = cib.find_id(root, "pdu")
    assert cib.get_value(device, "meta_attributes", "failure-timeout") == "120s"
    cib.set_value(device, "meta_attributes", "failure-timeout", "1h")
    assert cib.get_value(cib.find_id(applied(root, fencing), "pdu"), "meta_attributes", "failure-timeout") == "1h"


def test_what_was_made_by_hand_stays_and_is_adopted_by_its_name() -> None:
    root = empty()
    home, levels = cib.section(root, "resources"), cib.section(root, "fencing-topology")
    for name, agent in (("pdu", "fence_apc"), ("mine", "fence_apc"), ("web", "")):
        attributes = {"id": name, "class": "stonith" if agent else "ocf", "type": agent or "Dummy"}
        cib.ET.SubElement(home, "primitive", attributes)
    cib.ET.SubElement(levels, "fencing-level", {"id": "f1", "target": "casper", "index": "1", "devices": "mine"})
    cib.ET.SubElement(levels, "fencing-level", {"id": "f2", "target-pattern": "x.*", "index": "1", "devices": "mine"})
    after = applied(root, {"devices": [PDU], "nodes": [node("casper", [("pdu", {"port": 2})])]})
    assert [(each.get("id"), each.get("devices")) for each in after.iter("fencing-level")] == [
        ("f1", "pdu"),
        ("f2", "mine"),
    ]
    assert cib.find_id(after, "mine") is not None
    with pytest.raises(HaError, match="fence device web: the cluster has a <primitive> of Dummy"):
        applied(root, {"devices": [dict(PDU, name="web")]})


REFUSED = [
    ("x", "fencing: (not shown) is not valid"),
    ({"devices": [{"name": "a"}]}, "fencing.devices[0].agent: is missing"),
    ({"devices": [dict(PDU, options={"passwd": "\u00fc<x"})]}, "fencing.devices[0].options.passwd: (not shown) is not"),
    ({"devices": [PDU], "nodes": [node("casper", [("pdu", {"port": "\u00fc\"1"})])]},
     "fencing.nodes[0].fencing.options.port: (not shown) is not valid; expected a text of one line"),
    *[({"devices": [PDU], "nodes": [node("casper", [("pdu", {"port": port})])]},
       "fencing.nodes[0].fencing.options.port: (not shown) is not valid; expected a port without blanks")
      for port in ("a b", "a;casper:9", "a:b", "a=b", "a\\")],
    ({"devices": [PDU], "nodes": [node("casper", [("pdu", {"port": "\u00fc"})]),
                                  node("melchior", [("pdu", {"port": "&"})])]},
     "fencing.nodes: the ports of pdu together (not shown) are not valid; expected a text of one line"),
    ({"devices": [{**PDU, "options": {**PDU["options"], "pcmk_delay_bas": "5"}}], "nodes": []},
     "fencing.devices[0].options.pcmk_delay_bas: there is no such option; expected one of Pacemaker's own"),
    ({"nodes": ["casper"]}, "fencing.nodes[0]: (not shown) is not valid; expected a mapping"),
    ({"nodes": [node("casper", [("pdu", {})])]}, "casper is fenced by pdu, which is no device"),
]


@pytest.mark.parametrize(("fencing", "said"), REFUSED)
def test_bad_fencing_is_refused(fencing: Any, said: str) -> None:
    with pytest.raises(HaError) as caught:
        crm_fencing.parse_fencing(fencing)
    assert said in str(caught.value)


def test_properties_and_defaults_are_owned_by_name() -> None:
    root = applied(empty(), None, properties={"stonith-enabled": True, "no-quorum-policy": "freeze"})
    root = applied(root, None, resource_defaults={"resource-stickiness": 1}, operation_defaults={"timeout": "60s"})
    cib.set_value(cib.section(root, "crm_config"), "cluster_property_set", "mine", "1")
    after = applied(root, None, properties={"stonith-enabled": False, "no-quorum-policy": None, "not-there": None})
    values = {pair.get("name"): pair.get("value") for pair in after.iter("nvpair")}
    assert values == {"stonith-enabled": "false", "mine": "1", "resource-stickiness": "1", "timeout": "60s"}
    assert cib.find_id(after, "cib-bootstrap-options-stonith-enabled") is not None
    gone = applied(after, None, resource_defaults={"resource-stickiness": None})
    assert list(gone.find("configuration/rsc_defaults")) == []
    assert cib.make_patch(empty(), applied(empty(), None, resource_defaults={"x": None})) == ""


@pytest.mark.parametrize("value", [[1], {"a": "hunter2"}, "a\nb", "a\tb", "\u00fc&", "a\x00b"])
def test_a_property_is_one_line(value: Any) -> None:
    with pytest.raises(HaError, match=r"properties\.x: .* is not valid") as caught:
        crm_fencing.parse_settings({"x": value}, "properties")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "a&b", "", "\u00fc"])
def test_the_name_of_a_property_is_a_part_of_its_id(name: str) -> None:
    with pytest.raises(HaError, match="is not valid"):
        crm_fencing.parse_settings({name: "1"}, "properties")
