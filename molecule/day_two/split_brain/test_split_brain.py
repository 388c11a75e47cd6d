"""The playbook shows both sides of a split brain, saves the side that is discarded, and only then discards it."""

import time

import pytest
from divergence import diverge, written
from pair import NODES, RESOURCE, lab, other, pair, serving

from lab.harness.scenario import changed_by, first_error, require_success
from lab.harness.steps import step

PLAYBOOK = "playbooks/split_brain.yml"
# The side that is discarded, and the task (or a part of its name) in which the first run is killed.
KILLED_AT = {"standby": "Save the side", "active": "Connect the side that is kept"}
SHOW = "TASK [Report both sides]"


def states() -> list[str]:
    """Return what check mode must not change."""
    return [lab.ssh(n, f"drbdadm role {RESOURCE}; drbdadm cstate {RESOURCE}; drbdadm get-gi {RESOURCE}") for n in NODES]


@step
def measured():
    """Discard the standby side, then the active one; the first run is killed each time."""
    seen = {}
    for name, task in KILLED_AT.items():
        active, _ = diverge()
        victim = active if name == "active" else other(active)
        choice = {"cluster": "web_pair", "keep": other(victim)}
        saved = {**choice, "save_to": "/var/backups"}
        before = states()
        shown = pair.play(PLAYBOOK, cluster="web_pair")
        too_small = pair.play(PLAYBOOK, save_to="/run/lock", **choice)
        check = pair.play(PLAYBOOK, "--check", **saved)
        unchanged = states() == before
        with pair.visitors() as probe:
            killed = pair.play_and_kill(PLAYBOOK, task, **saved)
            began = time.monotonic()
            run = pair.play(PLAYBOOK, **saved)
            seconds = time.monotonic() - began
        require_success(shown, check, run)
        again = pair.play(PLAYBOOK, **saved)
        image = lab.ssh(victim, f"ls -t /var/backups/{RESOURCE}-{victim}-*.img.gz").split()[0]
        lab.ssh(victim, f"zcat {image} > /var/backups/image")
        seen[name] = {
            "victim": victim,
            "kept": other(victim),
            "killed": killed,
            "seconds": round(seconds, 1),
            "outages": [round(outage.seconds, 1) for outage in probe.outages()],
            "shown": shown.stdout.partition(SHOW)[2].partition("TASK [")[0],
            "too_small": first_error(too_small.stdout),
            "unchanged_by_check": unchanged,
            "image": image,
            "image_checksum": lab.ssh(victim, "sha256sum", "/var/backups/image").split()[0],
            "image_files": lab.ssh(victim, "debugfs -R 'ls -p /' /var/backups/image"),
            "image_mode": lab.ssh(victim, "stat", "-c", "%a", image).strip(),
            "serving": serving(),
            "after": written(serving()),
            "changed_again": sum(changed_by(again.stdout).values()),
        }
        lab.ssh(victim, f"rm /var/backups/image /var/backups/{RESOURCE}-*.img.gz*")
        print(f"{name}: {seen[name]}", flush=True)
    return seen


every_side = pytest.mark.parametrize("name", KILLED_AT)


@every_side
def test_both_sides_are_shown_and_nothing_is_changed(measured, name):
    figures = measured[name]
    print(f"\n{name} side discarded: {figures['seconds']} s, outages: {figures['outages']} s")
    for words in ("the sides are diverged", "debian1: role", "debian2: role", "generations:", "Last write time", "KiB"):
        assert words in figures["shown"]
    assert figures["unchanged_by_check"]


@every_side
def test_a_directory_that_is_too_small_for_the_image_is_refused(measured, name):
    assert "/run/lock has " in measured[name]["too_small"]
    assert "MiB of free space; the image of" in measured[name]["too_small"]


@every_side
def test_the_image_holds_the_data_of_the_side(measured, name):
    figures = measured[name]
    assert figures["image_checksum"][:16] in figures["image"]
    assert f"written-by-{figures['victim']}" in figures["image_files"]
    assert f"written-by-{figures['kept']}" not in figures["image_files"]
    assert figures["image_mode"] == "600"


@every_side
def test_the_chosen_side_is_kept_and_serves(measured, name):
    figures = measured[name]
    assert figures["serving"] == figures["kept"]
    assert figures["after"] == [figures["kept"]]
    assert figures["killed"]
    assert figures["changed_again"] == 0


def test_only_discarding_the_active_side_causes_an_outage(measured):
    assert measured["standby"]["outages"] == []
    assert len(measured["active"]["outages"]) == 1
