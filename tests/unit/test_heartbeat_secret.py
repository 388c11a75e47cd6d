# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tasks of the role heartbeat that agree on secrets, run for two clusters in one play without any machine."""
from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "roles/heartbeat/tasks"
CLUSTERS = {"mail": ["mail-a", "mail-b"], "shop": ["shop-a", "shop-b"]}  # node names are in capitals
NOTHING = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}


def named(file: str, name: str) -> dict[str, Any]:
    tasks = yaml.safe_load((TASKS / file).read_text(encoding="utf-8"))
    return next(task for task in tasks if name in task["name"])


def facts(host: str, text: str) -> dict[str, Any]:
    """Return what host_facts would gather on a node with this authkeys and nothing else."""
    key = text.split()[-3:]
    known = [[int(key[0]), key[1], hashlib.sha256(key[2].encode()).hexdigest()]] if text else []
    files = ["/etc/ha.d/ha.cf", "/etc/ha.d/authkeys", "/etc/logrotate.d/heartbeat-logs",
             "/etc/systemd/system/heartbeat.service.d/linuxha.conf"]
    found = {path: dict(NOTHING) for path in files}
    found[files[1]]["kind"] = "file" if text else ""
    return {"files": found, "pending": {}, "mounts": {}, "packages": {}, "commands": {"split_messages": ""},
            "texts": {"/etc/ha.d/haresources": ""},
            "units": {"heartbeat.service": {}},
            "os": {"nodename": host.upper(), "os_family": "Debian", "distribution": "Debian", "service_mgr": "systemd",
                   "distribution_major_version": "12"},
            "heartbeat": {"up_to_date": False, "authkeys": {
                "problem": "", "used": int(key[0]) if text else 0, "known": known}}}


def play(tmp_path: Path, texts: dict[str, str], tasks: list[dict[str, Any]], **variables: Any) -> dict[str, str]:
    """Run tasks of the role after its plan, where authkeys has these texts; return what each host writes."""
    hosts = {host: {"linuxha": {"roles": {"heartbeat": facts(host, texts.get(host, ""))}, "unchanged": []},
                    "heartbeat_nodes": [node.upper() for node in CLUSTERS[host.split("-")[0]]],
                    "text": base64.b64encode(texts.get(host, "").encode()).decode()}
             for nodes in CLUSTERS.values() for host in nodes}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    defaults = yaml.safe_load((ROOT / "roles/heartbeat/defaults/main.yml").read_text(encoding="utf-8"))
    before = [{"ansible.builtin.set_fact": {"linuxha": "{{ linuxha }}", "cacheable": True}},
              {"linuxha.cluster.role_plan": {"roles": ["heartbeat"]}, "register": "__heartbeat_plan"},
              {"ansible.builtin.set_fact": {"__heartbeat_read": {"content": "{{ text }}"}}}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{
        "hosts": "all", "connection": "local", "gather_facts": False, "tasks": before + tasks,
        "vars_files": [str(ROOT / "roles/heartbeat/vars/main.yml")],
        "vars": {**defaults, **variables, "heartbeat_bcast": ["eth1"], "ansible_python_interpreter": sys.executable}}]))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run([program, "-i", tmp_path / "hosts.yml", tmp_path / "play.yml", "-vvv"],
                          env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    written = {host: (tmp_path / host).read_text() for host in hosts if (tmp_path / host).exists()}
    secrets = {line.split()[2] for text in written.values() for line in text.splitlines()[1:]}
    assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []
    return written


def write(tmp_path: Path, content: str, **more: Any) -> dict[str, Any]:
    return {"ansible.builtin.copy": {"dest": str(tmp_path) + "/{{ inventory_hostname }}", "content": content},
            "no_log": True, **more}


def configure(tmp_path: Path, texts: dict[str, str], **variables: Any) -> dict[str, str]:
    files = named("configure.yml", "Write heartbeat's files")["vars"]["__heartbeat_authkeys_file"]
    return play(tmp_path, texts, [named("configure.yml", "Choose the shared secret"), write(
        tmp_path, files["content"], when="__heartbeat_plan.write_authkeys")], **variables)


def test_two_new_clusters_get_two_secrets(tmp_path):
    found = configure(tmp_path, {})
    assert found["mail-a"] == found["mail-b"] != found["shop-a"] == found["shop-b"]
    assert {len(text.split()[-1]) for text in found.values()} == {40}


def test_each_cluster_keeps_the_secret_that_one_of_its_nodes_has(tmp_path):
    texts = {"mail-b": "auth 3\n3 sha1 mail-secret\n", "shop-a": "auth 1\n1 sha1 shop-secret\n"}
    found = configure(tmp_path, texts)
    assert {host: found[host] for host in ("mail-a", "shop-b")} == {
        "mail-a": texts["mail-b"], "shop-b": texts["shop-a"]}


def test_declared_keys_are_written_on_all_nodes_and_never_shown(tmp_path):
    keys = [{"number": 1, "method": "md5", "secret": "first-secret"},
            {"number": 2, "method": "sha1", "secret": "second-one"}]
    found = configure(tmp_path, {}, heartbeat_authkeys=keys, heartbeat_auth=2)
    assert set(found.values()) == {"auth 2\n1 md5 first-secret\n2 sha1 second-one\n"}


@pytest.mark.parametrize("step, lines", [("add", 3), ("drop", 2)])
def test_each_cluster_is_rotated_to_a_secret_of_its_own(tmp_path, step, lines):
    texts = {host: "auth 1\n1 sha1 %s-secret\n" % host.split("-")[0] for nodes in CLUSTERS.values() for host in nodes}
    content = named("rotate_step.yml", "Write the keys")["linuxha.cluster.config_files"]["files"][0]["content"]
    found = play(tmp_path, texts, [named("rotate.yml", "Plan the keys of all nodes"), write(
        tmp_path, content, vars={"__heartbeat_step": step})])
    assert found["mail-a"] == found["mail-b"] != found["shop-a"] == found["shop-b"]
    assert {len(text.splitlines()) for text in found.values()} == {lines}
    assert all((host.split("-")[0] + "-secret" in text) == (step == "add") for host, text in found.items())
