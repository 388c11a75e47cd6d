"""The search for secrets finds them in arguments, environments, files and logs, and names the places alone."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.harness import secret_search
from lab.harness.secret_search import SecretSearch, leaks, missed

# Parts, so that the search does not find this process's own source or arguments.
SECRET = "-".join(["hush", "8f3a1c", "of", "the", "unit", "test"])


class Here:
    """A lab whose only machine is this one."""

    def ssh_argv(self, _node: str, command: str) -> list[str]:
        return ["sh", "-c", command]

    def ssh(self, _node: str, *command: str) -> str:
        return subprocess.run(["sh", "-c", " ".join(command)], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Search a folder only, without the journal, which this machine may not have."""
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"
    log.write_text("")
    for name, text in {"journalctl": f"cat {log}", "logger": f'echo "$@" >> {log}'}.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    files = tmp_path / "files"
    files.mkdir()
    monkeypatch.setattr(secret_search, "FOLDERS", (str(files),))
    monkeypatch.setattr(secret_search, "FILES", (f"{files}/planted",))
    monkeypatch.setattr(secret_search, "STATE", str(files))
    return files


def test_what_is_planted_is_found_everywhere_and_removed(place):
    with SecretSearch(Here(), ["a"]) as search:
        search.plant()
        found = search.find({"other": SECRET.encode()})
    assert missed(found, ["a"]) == [] and leaks(found) == {}
    assert list(place.iterdir()) == []


def test_what_was_not_planted_is_missed(place):
    with SecretSearch(Here(), ["a"]) as search:
        found = search.find({})
    assert missed(found, ["a"]) == ["a: processes", f"a: {place}/planted", "a: journal"]


@pytest.mark.parametrize(
    "form", [str, lambda text: base64.b64encode(text.encode() + b"\n").decode(), lambda text: text.encode().hex()]
)
def test_a_secret_in_an_argument_an_environment_or_a_file_is_found_in_any_form(place, form):
    text = form(SECRET)
    with SecretSearch(Here(), ["a"]) as search:
        (place / "state.json").write_text(f'{{"x": "{text}"}}')
        found = search.find({"key": SECRET.encode()})
    assert leaks(found) == {"key": [f"a: {place}/state.json"]}
    for argv, environment in (
        ([sys.executable, "-c", "import time; time.sleep(1)", text], None),
        (
            [sys.executable, "-c", "import time; time.sleep(1)"],
            {"X": text},
        ),
    ):
        with SecretSearch(Here(), ["a"]) as search, subprocess.Popen(argv, env=environment):
            time.sleep(0.5)
            found = search.find({"key": SECRET.encode()})
        assert "a: processes" in leaks(found)["key"]
    assert SECRET not in str(found)
