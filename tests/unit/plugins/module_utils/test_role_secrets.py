# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A secret in every variable that can hold one, in every wrong shape: no message and no sentence of a plan shows it."""
from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import test_drbd_role as drbd
import test_heartbeat_role as heartbeat
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import role as drbd_role
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import role as heartbeat_role
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from test_role_variables import GOOD, HOSTS

ROOT = Path(__file__).parents[4]
MARK = "Hush-8f3a1c"
NUMBER = 80318473651        # a secret that YAML reads as a number
Place = tuple[Any, ...]

# What the settings of test_role_variables lack, and where all secrets are.
MORE: dict[str, dict[str, Any]] = {
    "heartbeat": {"heartbeat_auth": 1, "heartbeat_secret": "", "heartbeat_authkeys": [
        {"number": 1, "method": "sha1", "secret": MARK}]},
    "clvm": {"clvm_targets": [{"portal": "192.168.0.10", "iqn": "iqn.2010-09.x:y", "chap": {
        "user": "a", "password": MARK, "user_in": "b", "password_in": MARK * 2}}]}}
SECRETS: list[tuple[str, Place]] = [
    ("drbd_failover", ("drbd_failover_resources", 0, "net", "shared_secret")),
    ("heartbeat", ("heartbeat_authkeys", 0, "secret")),
    ("heartbeat", ("heartbeat_stonith_host", 0, "parameters")),
    ("heartbeat", ("heartbeat_groups", 0, "resources", 6, "agent", "parameters", "passwd")),
    ("clvm", ("clvm_targets", 0, "chap", "password")),
    ("clvm", ("clvm_targets", 0, "chap", "password_in")),
    ("lvs_director", ("lvs_director_services", 0, "passwd")),
    ("lvs_director", ("lvs_director_services", 0, "secret")),
    ("pacemaker", ("pacemaker_fence_devices", 0, "options", "passwd")),
    ("pacemaker", ("pacemaker_nodes", 0, "fencing", 0, "devices", 0, "options", "passwd")),
    ("pacemaker", ("pacemaker_groups", 0, "resources", 5, "agent", "parameters", "passwd")),
    ("rhcs_cman", ("rhcs_cman_fence_devices", 0, "options", "passwd")),
    ("rhcs_cman", ("rhcs_cman_nodes", 0, "fencing", 0, "devices", 0, "options", "passwd")),
]
WHOLE = [("heartbeat", ("heartbeat_secret",)), ("heartbeat", ("heartbeat_secret_file",))]  # without a mapping around it


def start(role: str) -> dict[str, Any]:
    return copy.deepcopy({**GOOD[role], **MORE.get(role, {})})


def put(settings: dict[str, Any], path: Place, value: Any) -> dict[str, Any]:
    """Return the settings with a value at a path, whose last parts may be new."""
    changed = copy.deepcopy(settings)
    place: Any = changed
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    place[path[-1]] = value
    return changed


def get(value: Any, path: Place) -> Any:
    for key in path:
        value = value[key]
    return value


def values() -> Iterator[Any]:
    """Yield a secret by itself, as the user may have written it."""
    yield from (MARK, NUMBER, MARK + "\n", MARK + " ", MARK + '"', MARK + " # x", "٦" + MARK, MARK * 40)
    yield from ([MARK], [NUMBER], {"value": MARK}, {MARK: None}, {"passwd=" + MARK: None}, [{"value": MARK}], [[MARK]])


def misspelt(name: str) -> set[str]:
    return {name.replace("_", "-"), name[:-1], name + "s", name.upper(), name + " ", " " + name, name + ":" + MARK,
            name + "=" + MARK, name + " " + MARK} - {name}


def shapes(role: str, path: Place) -> Iterator[dict[str, Any]]:
    """Yield the settings of a role with the secret in the place ``path``, in all shapes and near it."""
    settings, name = start(role), str(path[-1])
    for value in values():
        yield put(settings, path, value)
    right = put(settings, path, MARK)
    for length in range(1, len(path)):
        around = path[:length]
        inner = get(right, around)
        for text in (MARK, "%s: %s" % (name, MARK), [MARK], ["%s %s" % (name, MARK)], {MARK: None},
                     {"%s=%s" % (name, MARK): None}, {"%s %s" % (name, MARK): MARK}, [[MARK]], [{name: MARK}],
                     [inner], {name: inner}, {"options": inner}, json.dumps(inner)):
            yield put(settings, around, text)
        if isinstance(get(settings, around[:-1]) if length > 1 else settings, dict):  # one level too high
            yield put(settings, (*around[:-1], name), MARK)
        for spelling in sorted(misspelt(name)):
            if isinstance(inner, dict):
                yield put(settings, (*around, spelling), MARK)
                yield put(settings, (*around, spelling), None)


@pytest.mark.parametrize("role, path", SECRETS)
def test_no_message_shows_a_secret_in_any_shape(role, path):
    if (role, path[-1]) != ("heartbeat", "passwd"):  # heartbeat's agents have no parameters
        assert _roles.validate(role, put(start(role), path, "word-without-blanks"), HOSTS)[1] == []
    for settings in shapes(role, path):
        told = "\n".join(_roles.validate(role, settings, HOSTS)[1])
        assert MARK not in told and str(NUMBER) not in told, (settings, told)


@pytest.mark.parametrize("role, path", WHOLE)
def test_no_message_shows_a_secret_that_is_a_variable(role, path):
    for value in values():
        told = "\n".join(_roles.validate(role, put(GOOD[role], path, value), HOSTS)[1])
        assert MARK not in told and str(NUMBER) not in told, (value, told)


def of_drbd(settings: dict[str, Any]) -> list[dict[str, Any]]:
    facts = drbd.pair(settings)
    return [drbd_role.plan(settings, facts, host) for host in facts] + [drbd_role.plan_remove(settings, facts, "one")]


def of_heartbeat(settings: dict[str, Any]) -> list[dict[str, Any]]:
    facts = heartbeat.all_bare(settings)
    for index, host in enumerate(facts):
        facts[host]["os"]["nodename"] = HOSTS[index]
    return [heartbeat_role.plan(settings, facts, host) for host in facts]


@pytest.mark.parametrize("role, path, plans", [
    (*SECRETS[0], of_drbd), (*SECRETS[1], of_heartbeat), (*SECRETS[2], of_heartbeat)])
def test_a_secret_that_is_accepted_is_only_in_files_that_are_hidden(role: str, path: Place, plans: Callable[..., Any]):
    accepted = 0
    for given in shapes(role, path):
        settings, problems = _roles.validate(role, given, HOSTS)
        if problems or MARK not in str(settings):
            continue
        accepted += 1
        for plan in plans(settings):
            files = plan["files"]["files"]
            assert [file["dest"] for file in files if MARK in str(file) and not file["secret"]] == []
            assert MARK not in str({key: value for key, value in plan.items() if key not in ("files", "texts")})
    assert accepted


def run(tmp_path: Path, hosts: dict[str, Any], tasks: list[dict[str, Any]], *options: str, **play: Any) -> str:
    """Run tasks on hosts with these variables, and return all that Ansible prints."""
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{
        "hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks,
        "vars": {"ansible_python_interpreter": sys.executable}, **play}]))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "-i", tmp_path / "hosts.json", tmp_path / "play.yml", "-vvvv", "--diff", *options],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("role", sorted({role for role, _path in SECRETS}))
def test_no_run_shows_a_secret(tmp_path, role):
    """Run a role with every twelfth of the shapes that it refuses, one for each host."""
    refused = [settings for owner, path in SECRETS if owner == role for settings in shapes(role, path)
               if _roles.validate(role, settings, HOSTS)[1]][::12]
    hosts = {"host%d" % index: settings for index, settings in enumerate(refused)}
    told = run(tmp_path, hosts, [{"ansible.builtin.include_role": {"name": "linuxha.cluster." + role}}], "--check")
    assert len(re.findall(r"failed=1 ", told)) == len(hosts) > 5
    assert [line for line in told.splitlines() if MARK in line or str(NUMBER) in line] == []


@pytest.mark.parametrize("spelling", ["shared_secret", "shared-secret"])
def test_no_run_shows_a_secret_that_is_planned_and_written(tmp_path, spelling):
    given = {"drbd_failover_resources": [dict(drbd.REPL, net={spelling: MARK, "cram_hmac_alg": "sha1"})]}
    facts = drbd.pair(drbd.settings(*given["drbd_failover_resources"]))
    hosts = {host: {"linuxha": {"roles": {"drbd_failover": facts[host]}, "unchanged": []}} for host in facts}
    plan, vars_file = "__drbd_failover_plan", ROOT / "roles/drbd_failover/vars/main.yml"
    rewritten = {"dest": str(tmp_path) + "/{{ inventory_hostname }}.res", "check": []}
    told = run(tmp_path, {host: {**values, **given, "rewritten": rewritten} for host, values in hosts.items()}, [
        {"ansible.builtin.set_fact": {"linuxha": "{{ linuxha }}", "cacheable": True}},
        {"linuxha.cluster.role_plan": {"roles": ["drbd_failover"]}, "register": plan,
         "no_log": "{{ __drbd_failover_has_secret }}"},
        {"linuxha.cluster.config_files": {
            "files": "{{ %s.files.files | selectattr('secret') | map('combine', rewritten) }}" % plan},
         "no_log": "{{ __drbd_failover_has_secret }}"},
        {"ansible.builtin.debug": {"var": "ansible_facts"}}], vars_files=[str(vars_file)])
    assert [line for line in told.splitlines() if MARK in line] == []
    for host in facts:
        written = tmp_path / (host + ".res")
        assert MARK in written.read_text() and written.stat().st_mode & 0o777 == 0o600
