# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords of fence devices: in scripts of root, and not in Pacemaker's configuration."""
from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.filter import password_scripts as scripts_filter
from ansible_collections.linuxha.cluster.plugins.module_utils._core import schema
from ansible_collections.linuxha.cluster.plugins.module_utils._core.config_files import Found, seen_from
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import PACEMAKER, parse_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_fencing,
    password_scripts,
    role,
    settings as rules,
)
from fake_pacemaker import EMPTY
from hypothesis import given, strategies as st
from test_pacemaker_role import NAMES, running, settings

FOLDER = "/etc/pacemaker/fencing"
SECRET = "it's $(reboot) `x` \"é\\n"


def variables(agent: str = "fence_ipmilan", more: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Return a cluster with one fence device for all nodes; ``more`` are the options of the fencing of the first."""
    return {
        "nodes": [{"name": name, "id": number, "addresses": [f"10.0.0.{number}"],
                   "fencing": [{"devices": [{"device": "pdu", "options": (more or {}) if number == 1 else {}}]}]}
                  for number, name in enumerate(NAMES, 1)],
        "fence_devices": [{"name": "pdu", "agent": agent, "options": {"ip": "10.0.0.9", **options}}]}


def cluster(given: dict[str, Any]) -> Any:
    return parse_cluster({PACEMAKER + name: value for name, value in dict(given, cluster_name="x").items()}, PACEMAKER)


def options_of(given: dict[str, Any]) -> dict[str, Any]:
    return rules.fencing_of(cluster(given), "Debian")["devices"][0]["options"]


@pytest.mark.parametrize("name", ["password", "passwd", "snmp_priv_passwd"])
def test_a_password_is_a_script_in_the_cib(name: str) -> None:
    assert options_of(variables(**{name: SECRET})) == {"ip": "10.0.0.9", name + "_script": f"{FOLDER}/pdu.{name}"}
    assert rules.fencing_of(cluster(variables(**{name: SECRET})), "Debian", False)["devices"][0]["options"] == {
        "ip": "10.0.0.9", name: SECRET}


@pytest.mark.parametrize("given", [
    variables("external/ipmi", passwd="a"), variables("fence_apc_snmp", community="a"), variables(password=""),
    variables(password="a "), variables(password="a", password_script="/root/own")])
def test_what_no_script_can_print_stays(given: dict[str, Any]) -> None:
    assert options_of(given) == given["fence_devices"][0]["options"]
    assert password_scripts.files_of(cluster(given)) == password_scripts.DesiredFiles()


def test_each_node_may_have_its_own_password() -> None:
    given = variables(password="a", more={"password": "b", "plug": "1"})
    (level,) = rules.fencing_of(cluster(given), "Debian")["nodes"][0]["fencing"]
    assert level["devices"] == [{"device": "pdu", "options": {
        "plug": "1", "password_script": f"{FOLDER}/pdu@{NAMES[0]}.password"}}]
    files = {file.path: file for file in password_scripts.files_of(cluster(given)).files}
    assert sorted(files) == [f"{FOLDER}/pdu.password", f"{FOLDER}/pdu@{NAMES[0]}.password"]
    assert {(file.mode, file.owner, file.group, file.secret, file.backup) for file in files.values()} == {
        (0o700, "root", "root", True, False)}


@given(st.text(min_size=1).filter(schema.is_clean))
def test_a_script_prints_the_password(password: str) -> None:
    given = variables(password=password)
    for file in password_scripts.files_of(cluster(given)).files if password == password.rstrip() else ():
        done = subprocess.run(["sh", "-c", file.content], capture_output=True, check=True)
        assert done.stdout.decode("utf-8").rstrip() == password


@pytest.mark.parametrize("pair", ["pdu-ha-password", "pdu-instance_attributes-password"])
def test_the_password_that_the_cib_had_is_removed(pair: str) -> None:
    old = cib_fencing.parse_fencing(rules.fencing_of(cluster(variables(password="old")), "Debian", False))
    new = cib_fencing.parse_fencing(rules.fencing_of(cluster(variables(password="new")), "Debian"))
    root = cib.parse_cib(EMPTY)
    cib_fencing.put_fencing(root, old)
    text = cib.render_cib(root)
    assert "old" in text and "_script" not in text
    root = cib.parse_cib(text.replace("pdu-ha-password", pair))  # pcs has another id for it
    cib_fencing.put_fencing(root, new)
    assert "old" not in cib.render_cib(root)
    assert f'value="{FOLDER}/pdu.password"' in cib.render_cib(root)


def test_a_node_without_the_scripts_gets_them_and_those_of_no_device_go() -> None:
    given = {name: value for name, value in variables(password=SECRET).items() if name == "fence_devices"}
    chosen = settings(**given, password_scripts=True)
    facts = {name: running(name) for name in NAMES}
    for name in NAMES:
        facts[name]["packages"].update(dict.fromkeys(["fence-agents", "ipmitool"], "1.0"))
        facts[name]["files"].update({path: seen_from(Found()) for path in (FOLDER, f"{FOLDER}/pdu.password")})
    facts[NAMES[1]]["commands"]["password_scripts"] = "pdu.password\nold.password\n"
    (text,) = [file.content for file in password_scripts.files_of(cluster(variables(password=SECRET))).files]
    facts[NAMES[1]]["files"].update({
        FOLDER: seen_from(Found("folder", "", 0o700, "root", "root")),
        f"{FOLDER}/pdu.password": seen_from(Found("file", text, 0o700, "root", "root"))})
    plans = {name: role.plan(chosen, facts, name) for name in NAMES}
    assert plans[NAMES[0]]["changes"] == [f"create the directory {FOLDER}", f"write {FOLDER}/pdu.password"]
    assert plans[NAMES[0]]["write_scripts"] == plans[NAMES[0]]["changes"]
    assert plans[NAMES[1]]["changes"] == [f"remove {FOLDER}/old.password"]
    assert plans[NAMES[1]]["unused_scripts"] == [{"dest": f"{FOLDER}/old.password", "secret": True}]
    assert SECRET not in str(plans)
    without = role.plan(settings(**given, password_scripts=False), facts, NAMES[1])
    assert without["changes"] == [f"remove {FOLDER}/old.password", f"remove {FOLDER}/pdu.password"]


def test_the_filter_returns_the_files_for_the_module() -> None:
    filtered = scripts_filter.FilterModule().filters()["password_scripts"]
    (file,) = filtered({**variables(password="a"), "sbd": ""})
    assert (file["dest"], file["mode"], file["secret"], file["content"].splitlines()[-1]) == (
        f"{FOLDER}/pdu.password", "0700", True, "printf '%s\\n' a")
    with pytest.raises(AnsibleFilterError, match="pacemaker_nodes: .* is not valid"):
        filtered({"nodes": [], "fence_devices": []})
