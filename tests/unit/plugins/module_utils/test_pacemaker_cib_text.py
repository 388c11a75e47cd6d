# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the diff shows, and what it never shows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_fencing as crm_fencing,
    cib_plan as crm_plan,
    cib_text as crm_text,
)
from fake_pacemaker import EMPTY

DUMMY = {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": "/x", "password": "hunter2"}}}
GROUP = {
    "name": "web",
    "nodes": ["casper", "melchior"],
    "restricted": True,
    "failback": False,
    "after": ["dlm"],
    "resources": [DUMMY],
}
DLM = {"name": "dlm", "everywhere": True, "resources": [{"agent": {"name": "ocf:pacemaker:controld"}}]}
FENCING = {
    "devices": [{"name": "pdu", "agent": "fence_apc", "options": {"passwd": "s3cret", "ip": "10.0.0.9"}}],
    "nodes": [{"name": "casper", "fencing": [{"devices": [{"device": "pdu", "options": {"port": 1}}]}]}],
}

TEXT = """\
group web
  resource-stickiness = 50000
  location: node casper, score 2000 (web-ha-on-casper)
  location: node melchior, score 1000 (web-ha-on-melchior)
  location: only on casper, melchior (web-ha-only)
  starts after dlm-clone (web-ha-after-dlm)
  on the node of dlm-clone (web-ha-with-dlm)
  web-Dummy (ocf:heartbeat:Dummy)
    password = (not shown)
    state = /x
    monitor: interval=20s timeout=60s
    start: interval=0s timeout=120s
    stop: interval=0s timeout=120s
group dlm, everywhere
  interleave = true
  controld: x
fence device
"""


def declared(**more: Any) -> crm_text.Declared:
    said = {"groups": [GROUP, DLM], "fencing": FENCING, **more}
    return crm_text.Declared(
        groups.parse_groups(said["groups"]),
        crm_fencing.parse_fencing(said["fencing"]),
        (("properties", crm_fencing.parse_settings({"a": 1, "gone": None}, "properties")),),
    )


def test_all_that_is_declared_is_shown_in_lines() -> None:
    root = crm_plan.apply(cib.parse_cib(EMPTY), declared(), {})
    text = crm_text.describe(root, declared())
    assert text.startswith(TEXT[: TEXT.index("  controld")])
    for line in (
        "fence device\n  pdu (stonith:fence_apc)\n    ip = (not shown)\n    passwd = (not shown)\n"
        "    pcmk_host_check = static-list\n    pcmk_host_map = casper:1\n",
        "fencing level 1 of casper: pdu\n",
        "property a = 1\n",
    ):
        assert line in text
    assert "hunter2" not in text and "s3cret" not in text
    assert crm_text.describe(cib.parse_cib(EMPTY), declared(fencing=None)) == ""


def test_that_a_secret_changes_is_seen_and_the_secret_is_not() -> None:
    before = crm_plan.apply(cib.parse_cib(EMPTY), declared(), {})
    other = dict(FENCING, devices=[{"name": "pdu", "agent": "fence_apc", "options": {"passwd": "other"}}])
    after = crm_plan.apply(before, declared(fencing=other), {})
    text = crm_text.describe(after, declared(fencing=other), before)
    assert "passwd = (not shown, another one)" in text
    assert "password = (not shown)\n" in text
    assert "other\n" not in text


def test_what_an_administrator_set_is_shown_too() -> None:
    root = crm_plan.apply(cib.parse_cib(EMPTY), declared(), {})
    home = cib.section(root, "constraints")
    dummy = cib.find_id(root, "web-Dummy")
    cib.set_value(dummy, "meta_attributes", "target-role", "Stopped")
    cib.set_value(dummy, "utilization", "memory", "5")
    rule = cib.ET.SubElement(home, "rsc_location", {"id": "by-rule", "rsc": "web"})
    cib.ET.SubElement(rule, "rule", {"id": "r"})
    attributes = {"id": "apart", "rsc": "web", "with-rsc": "db", "score": "-INFINITY"}
    cib.ET.SubElement(home, "rsc_colocation", attributes)
    cib.ET.SubElement(cib.section(root, "resources"), "primitive", {"id": "alone", "class": "ocf", "type": "Dummy"})
    topology = cib.section(root, "fencing-topology")
    cib.ET.SubElement(topology, "fencing-level", {"id": "p", "index": "1", "target-pattern": "x", "devices": "pdu"})
    text = crm_text.describe(root, declared())
    for line in (
        "    meta: target-role = Stopped",
        "    utilization: memory = 5",
        "  location: by rule (by-rule)",
        "  not on the node of db (apart)",
        "fencing level 1 of a pattern: pdu",
    ):
        assert line + "\n" in text
    assert "alone" not in text


def test_secrets_are_found_wherever_they_are() -> None:
    params = {"groups": [GROUP], "fencing": FENCING, "nodes": None, "wait": 3, "properties": {"x_token": ""}}
    assert crm_text.secrets_in(params) == {"hunter2", "s3cret", "10.0.0.9"}


@pytest.mark.parametrize("name", ["apikey", "pwd", "auth", "anything", "snmp_auth_prot", "login"])
def test_every_value_of_fencing_is_secret(name: str) -> None:
    use = {"device": "pdu", "options": {"port": "rack", name: "marked-2"}}
    fencing = {"devices": [{"name": "pdu", "agent": "fence_apc", "options": {name: "marked-1", "lanplus": 1}}],
               "nodes": [{"name": "casper", "fencing": [{"name": "power", "devices": [use]}]}]}
    assert crm_text.secrets_in({"fencing": fencing}) == {"marked-1", "marked-2"}
    said = declared(groups=[], fencing=fencing)
    root = crm_plan.apply(cib.parse_cib(EMPTY), said, {})
    assert "marked" in cib.render_cib(root) and "marked" not in crm_text.describe(root, said)
    for wrong in ({"pdu": {"options": {name: "marked-1"}}}, {"devices": {"pdu": {name: "marked-1"}}}):
        assert crm_text.secrets_in({"fencing": wrong}) == {"marked-1"}
        with pytest.raises(HaError) as caught:
            crm_fencing.parse_fencing(wrong)
        assert "marked" not in str(caught.value)


@pytest.mark.parametrize("name", ["apikey", "pwd", "auth", "keyfile", "AUTH_TOKEN"])
def test_parameters_of_agents_are_secret_by_their_name(name: str) -> None:
    agent = {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {name: "marked"}}}
    said = declared(groups=[dict(GROUP, after=None, resources=[agent])], fencing=None)
    root = crm_plan.apply(cib.parse_cib(EMPTY), said, {})
    assert "marked" in cib.render_cib(root) and "marked" not in crm_text.describe(root, said)
    assert crm_text.secrets_in({"groups": [{"resources": [agent]}]}) == {"marked"}
