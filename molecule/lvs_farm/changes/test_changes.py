"""No change of the farm by its playbook breaks a connection, and check mode predicts each line of it."""

import time
from collections.abc import Callable
from typing import Any

from farm import (
    COMERS,
    ONE,
    RATE,
    SPARE,
    THREE,
    THREE_DRAINED,
    TWO,
    VIP,
    DrainWatcher,
    Visitors,
    active,
    hold,
    lab,
    play_directors,
    play_farm,
    services,
    without_ports,
)

from lab.harness.scenario import changed_by, diff_by_heading, require_success
from lab.harness.steps import step

BAD = ("refused", "reset", "failed", "sorry", "?")


def compared(check: str, run: str) -> dict[str, Any]:
    """Compare the difference that check mode shows with that of the run, file by file.

    What a package contains is known when it is installed: of such a file check mode shows the whole text, which is
    compared with what the spare machine then has.
    """
    before, after = diff_by_heading(check), diff_by_heading(run)
    mispredicted = {}
    for heading in sorted({*before, *after}):
        lines = before.get(heading, [])
        if sorted(lines) == sorted(after.get(heading, [])):
            continue
        whole_text = [line[1:] for line in lines if not line.startswith("+file ")]
        all_new = all(line.startswith("+") for line in lines)
        if all_new and lab.ssh("reel3", "cat", heading, check=False).splitlines() == whole_text:
            continue
        mispredicted[heading] = [lines, after.get(heading, [])]
    return {"lines": sum(map(len, after.values())), "mispredicted": mispredicted}


@step
def measured():
    """Change the farm under visitors who come, and others whose connections stay open."""
    heavy = {**ONE, "weight": 3}
    stayers, comers = hold(100), Visitors("load", VIP, "20", str(RATE)).wait_until_open()
    began = time.monotonic()
    seen = {}

    def change(name: str, playbook: Callable[..., Any], check_mode: bool = False, **variables: Any) -> None:
        check = playbook("--check", **variables) if check_mode else None
        run = playbook(**variables)
        seen[name] = {
            "code": run.returncode,
            "changed": changed_by(run.stdout),
            **(compared(check.stdout, run.stdout) if check else {}),
            "table": lab.ssh(active(), "ipvsadm", "--save", "-n").splitlines(),
        }
        print(f"{time.strftime('%T')} {name}: {changed_by(run.stdout)}", flush=True)
        require_success(run)

    lab.up(["reel3"])
    change("reel3_added", play_farm, True, **services(real=[ONE, TWO, THREE]))
    leavers = hold(30)
    change("weight", play_directors, **services(real=[heavy, TWO, THREE]))
    change("scheduler", play_directors, **services(real=[heavy, TWO, THREE], scheduler="wlc"))
    watcher = DrainWatcher(SPARE, leavers)
    change("reel3_drained", play_directors, True, **services(real=[heavy, TWO, THREE_DRAINED], scheduler="wlc"))
    watcher.join()
    change("persistence", play_directors, **services(real=[heavy, TWO], scheduler="wlc", persistent=60))
    change("reverted", play_directors)
    time.sleep(max(0.0, COMERS / RATE - (time.monotonic() - began)))  # until enough have come
    came = comers.end()
    return {"comers": came, "stayers": without_ports(stayers.end()), "leavers": watcher.seen, "changes": seen}


def test_each_change_is_active(measured):
    tables = {name: "\n".join(change["table"]) for name, change in measured["changes"].items()}
    assert "-r 192.168.0.6:80 -g -w 2" in tables["reel3_added"]
    assert "-r 192.168.0.4:80 -g -w 3" in tables["weight"]
    assert "-s wlc" in tables["scheduler"] and "192.168.0.6" in tables["scheduler"]
    assert "192.168.0.6" not in tables["reel3_drained"]
    assert "-p 60" in tables["persistence"]
    assert "-s wrr" in tables["reverted"] and "-p" not in tables["reverted"].split()


def test_every_run_succeeded(measured):
    assert {name: change["code"] for name, change in measured["changes"].items() if change["code"]} == {}


def test_check_mode_predicted_every_line(measured):
    for name in ("reel3_added", "reel3_drained"):
        change = measured["changes"][name]
        assert change["lines"] > 0, name
        assert change["mispredicted"] == {}, name


def test_no_new_connection_was_refused_reset_or_failed(measured):
    comers = measured["comers"]
    print(f"\nnew connections: {comers['seen']} in {comers['seconds']} s")
    assert sum(comers["seen"].values()) >= 10_000
    assert {kind: number for kind, number in comers["seen"].items() if kind.startswith(BAD)} == {}
    assert comers["seen"]["reel3"] > 0


def test_no_held_connection_broke(measured):
    print(f"\nheld connections: {measured['stayers']}; of the drained server: {measured['leavers']}")
    assert measured["stayers"]["opened"] == measured["stayers"]["alive"] == 100
    assert measured["leavers"]["opened"] == measured["leavers"]["alive"] == 30
    assert measured["leavers"]["servers"]["reel3"] > 0
    assert measured["leavers"]["still_there"]
