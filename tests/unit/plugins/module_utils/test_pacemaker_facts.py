# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is gathered of a running Pacemaker."""
from __future__ import annotations

from pathlib import Path

from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.module_utils._model.resource_groups import parse_groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import cib, cib_plan as crm_plan, facts
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker.cib_text import Declared
from fake_pacemaker import Cluster

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
NODES = ["balthasar", "casper", "melchior"]
WEB = {"name": "web", "nodes": ["casper", "melchior"], "resources": [{"service": {"name": "test"}}]}


class Host:
    """A host that has some programs, and what these print."""

    def __init__(self, status="", queried="", programs=("cibadmin", "crm_mon", "apt-get")):
        self.status, self.queried, self.programs, self.calls = status, queried, programs, []

    def has(self, program):
        return program in self.programs

    def run(self, argv, accepted=(0,)):
        self.calls.append(argv[0])
        text = self.status if argv[0] == "crm_mon" else self.queried
        return Output(0 if text else 102, text, "")


def ask(host, **changes):
    empty = {"devices": [], "nodes": []}
    return facts.compare(facts.read(host), {"nodes": NODES, "groups": [], "fencing": {"Debian": empty, "RedHat": empty},
                                            "properties": {}, "restart": False, **changes})


def cluster(**changes):
    """Return a host of the cluster that the tests of the engine use."""
    made = Cluster()
    status = made.run(["crm_mon", "--output-as=xml", "-1", "-r"]).out
    return Host(status, made.run(["cibadmin", "--query"]).out, **changes)


def test_without_pacemaker_all_nodes_are_missing():
    for host in (Host(programs=()), Host()):
        assert ask(host) == {"running": False, "missing": NODES, "cluster": [], "groups": [], "warnings": []}
    assert ask(Host("<x/>"))["running"] is False


def test_what_differs_is_a_sentence_for_each_change():
    found = ask(cluster(), properties={"stonith-enabled": "false"}, groups=[WEB])
    assert found["running"]
    assert found["cluster"] == ["set property stonith-enabled = false"]
    assert found["groups"] == ["add group web"]
    assert ask(cluster())["cluster"] == ask(cluster())["groups"] == []


def test_the_fence_devices_are_those_of_the_distribution():
    device = {"devices": [{"name": "pdu", "agent": "fence_apc", "options": {"passwd": "hidden"}}], "nodes": []}
    fencing = {"Debian": device, "RedHat": {"devices": [], "nodes": []}}
    found = ask(cluster(), fencing=fencing)
    assert found["cluster"] == ["change fencing"] and "hidden" not in str(found)
    assert ask(cluster(programs=("cibadmin", "crm_mon")), fencing=fencing)["cluster"] == []


def test_what_cannot_be_planned_is_a_change_that_the_module_refuses():
    (sentence,) = ask(cluster(), groups=[{**WEB, "nodes": ["nobody"]}])["groups"]
    assert "nobody" in sentence
    (sentence,) = ask(Host(cluster().status, "no XML"))["cluster"]
    assert sentence.startswith("check fencing, properties and groups: ")


def test_groups_that_the_variables_do_not_name_any_more_are_warned_of():
    left = ["pacemaker_groups: does not name web, which is in the CIB; Pacemaker keeps running it. To remove it: add "
            "it with state: absent"]
    root = crm_plan.apply(cib.parse_cib(cluster().queried), Declared(parse_groups([WEB]), None, ()), {})
    host = Host(cluster().status, cib.render_cib(root))
    assert ask(host)["warnings"][-1:] == left
    assert not set(left) & set(ask(host, groups=[WEB])["warnings"])
    assert not set(left) & set(ask(host, groups=[{"name": "web", "state": "absent"}])["warnings"])
    assert not set(left) & set(ask(cluster())["warnings"])
