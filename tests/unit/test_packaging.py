# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the artifact that users install, and what never gets there."""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
PACKED = {"CHANGELOG.rst", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json",
          "README.md", "SECURITY.md", "changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
# What a checkout collects while people work in it.
STRAY = [".lab-lb/id_ed25519", ".lab/state.json", ".cache/x/y", ".coverage", ".env", "id_rsa", "hosts.yml", "vault.yml",
         "plugins/modules/__pycache__/qdisk.cpython-313.pyc", "plugins/.coverage", "roles/ntp/id_ed25519",
         "roles/ntp/.vault",
         "playbooks/site.retry", "playbooks/secret.txt", "docs/.key", "tests/output/x", "linuxha-cluster-0.0.1.tar.gz"]


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Build the collection from a copy of the files of the repository in which stray files lie; return the artifact."""
    copy, place = tmp_path_factory.mktemp("with a blank") / "tree", tmp_path_factory.mktemp("artifact")
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    for name in STRAY:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("secret", encoding="utf-8")
    subprocess.run([TOOLS / "ansible-galaxy", "collection", "build", "--output-path", place, copy], check=True,
                   stdout=subprocess.DEVNULL)
    return next(place.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def packed(built) -> set[str]:
    """Return the files of the artifact."""
    with tarfile.open(built) as artifact:
        return {member.name for member in artifact.getmembers() if member.isfile()}


def test_a_built_collection_replaces_an_installed_one_of_the_same_version(built, tmp_path):
    commands = ["collection build --force",
                "collection install --force -p ~/.ansible/collections linuxha-cluster-*.tar.gz"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f".venv/bin/ansible-galaxy {command}\n" in readme for command in commands)
    # The manifest needs it, and .venv of `make lab` and `make environment` has what this file names.
    assert "distlib" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    old = tmp_path / "collections/ansible_collections/linuxha/cluster/LICENSE"
    for _time in range(2):
        subprocess.run([TOOLS / "ansible-galaxy", "collection", "install", "--force", "--no-deps", "-p",
                        tmp_path / "collections", built], check=True, stdout=subprocess.DEVNULL)
        text = old.read_text(encoding="utf-8")
        assert text != "old"
        old.write_text("old", encoding="utf-8")


def test_only_what_works_there_is_packed(packed):
    assert {name.split("/")[0] for name in packed} == PACKED
    assert not packed & set(STRAY)


def test_everything_that_is_needed_is_packed(packed):
    listed = subprocess.run(["git", "ls-files", "plugins", "roles", "playbooks", "meta"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split()
    assert {name for name in listed if (ROOT / name).is_file()} <= packed


@pytest.fixture
def unpacked(built, tmp_path) -> Path:
    """Return the folder of the collection below tmp_path, as it is installed."""
    collection = tmp_path / "ansible_collections/linuxha/cluster"
    collection.mkdir(parents=True)
    with tarfile.open(built) as artifact:
        artifact.extractall(collection)  # noqa: S202  our own artifact
    return collection


def test_the_build_context_of_an_execution_environment_is_made(unpacked, tmp_path):
    assert unpacked.is_dir()
    done = subprocess.run([TOOLS / "ansible-builder", "introspect", tmp_path], check=True, capture_output=True,
                          text=True)
    assert {"openssh-client", "openssh-clients"} == set(re.findall(r"'([\w-]+) \[platform", done.stdout))
    (tmp_path / "ee.yml").write_text(yaml.safe_dump({
        "version": 3, "images": {"base_image": {"name": "localhost/base:1"}},
        "dependencies": {"galaxy": {"collections": ["linuxha.cluster"]}}}), encoding="utf-8")
    subprocess.run([TOOLS / "ansible-builder", "create", "-f", "ee.yml", "-c", "context"], cwd=tmp_path, check=True,
                   stdout=subprocess.DEVNULL)
    assert (tmp_path / "context/_build/requirements.yml").exists()


def test_the_changelog_of_the_release_is_made(unpacked):
    version = load("galaxy.yml")["version"]
    if version in load("changelogs/changelog.yaml")["releases"]:
        pytest.skip(f"release {version} is there already")
    shutil.copy(ROOT / "galaxy.yml", unpacked)
    subprocess.run([TOOLS / "antsibull-changelog", "release"], cwd=unpacked, check=True, stdout=subprocess.DEVNULL)
    text = (unpacked / "CHANGELOG.rst").read_text(encoding="utf-8").partition("\nv0.1.0\n")[0]
    assert text.count(f"\nv{version}\n") == text.count("\nRelease Summary\n") == 1
    assert not re.findall(r"\b[A-Z]+\([^)]*\)", re.sub(r"``.*?``", "", text))  # markup of modules, such as V(true)
    assert "linuxha.cluster.ipvs_service - " in text and "linuxha.cluster.drbd_resource - " not in text
    assert list((unpacked / "changelogs/fragments").iterdir()) == []


def test_options_and_plugins_were_added_in_a_release():
    known = {load("galaxy.yml")["version"], *load("changelogs/changelog.yaml")["releases"]}
    named = {version for folder in ("plugins", "roles") for path in (ROOT / folder).rglob("*")
             if path.suffix in (".py", ".yml")
             for version in re.findall(r"version_added: \"?([\d.]+)", path.read_text(encoding="utf-8"))}
    assert named <= known


def test_every_module_is_in_the_action_group():
    group = load("meta/runtime.yml")["action_groups"]["all"]
    assert group == sorted(path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py"))


def test_dependencies_are_those_that_are_used():
    declared = set(load("galaxy.yml")["dependencies"])
    text = "\n".join(path.read_text(encoding="utf-8") for folder in ("roles", "playbooks", "plugins")
                     for path in (ROOT / folder).rglob("*") if path.suffix in (".yml", ".py"))
    used = set(re.findall(r"\b((?:ansible|community)\.\w+)\.\w+:", text)) - {"ansible.builtin", "ansible.legacy"}
    assert used == declared
