"""The secrets of heartbeat and of DRBD are rotated, also by runs that are killed in each step, and no fetch fails."""

import pytest
from pair import NODES, authkeys, drbd, lab, pair, serving, start_times, wait_until_replicated

from lab.harness.scenario import changed_by, declared, require_success
from lab.harness.secret_search import SecretSearch, leaks, missed
from lab.harness.steps import step

PLAYBOOK = "playbooks/rotate_secrets.yml"
# Names of tasks, or parts of them: where runs are killed, each a second after its files are written.
KILLED_AT = ("Add the new secret", "Sign with the new secret", "Remove the old secret")
WRITE = "Write the keys"
DRBD_SECRETS = ("first-of-the-lab", "second-of-the-lab", "none")


def keys_of(node: str) -> set[str]:
    """Return the secrets of heartbeat on a node."""
    return {line.split()[2] for line in authkeys(node).splitlines() if len(line.split()) == 3}


def rotate_drbd(active: str, secret: str) -> dict[str, object]:
    """Give DRBD another secret, or none, and let both nodes authenticate with it."""
    resources = declared(NODES[0], "drbd_failover_resources")
    resources[0]["net"] = {} if secret == "none" else {"cram_hmac_alg": "sha1", "shared_secret": secret}
    playbook = "site.yml" if secret == "none" else PLAYBOOK
    before = keys_of(active)
    with SecretSearch(lab, NODES) as search:
        search.plant()
        variables = {"cluster": "web_pair", "drbd_failover_resources": resources}
        run, seconds, outages = pair.play_under_visitors(playbook, **variables)
        keys = {f"heartbeat, {key}": key.encode() for key in before | keys_of(active)}
        found = search.find({**keys, **({} if secret == "none" else {"DRBD": secret.encode()})})
    lab.cut(active, "eth1")
    pair.wait_until("the replication is interrupted", lambda: drbd(active, "cstate") != "Connected")
    lab.mend(active, "eth1")
    wait_until_replicated()
    leaked = [f"{name.partition(',')[0]}: {place}" for name, places in leaks(found).items() for place in places]
    return {
        "code": run.returncode,
        "seconds": seconds,
        "outages": outages,
        "leaked": leaked,
        "missed": missed(found, NODES),
    }


@step
def measured():
    """Rotate heartbeat's secret, then DRBD's."""
    active = serving()
    before, times = {node: authkeys(node) for node in NODES}, start_times(active)
    check = pair.play(PLAYBOOK, "--check", "--diff", cluster="web_pair")
    unchanged = {node: authkeys(node) for node in NODES} == before
    run, _, outages = pair.play_under_visitors(PLAYBOOK, cluster="web_pair")
    heartbeat: dict[str, object] = {"rotated": {"code": run.returncode, "outages": outages}}
    outputs = check.stdout + run.stdout
    site = pair.play("site.yml")
    for task in KILLED_AT:
        with pair.visitors() as probe:
            killed = pair.play_and_kill(PLAYBOOK, task, WRITE, cluster="web_pair")
            run = pair.play(PLAYBOOK, cluster="web_pair")
        heartbeat[task] = {"killed": killed, "code": run.returncode, "outages": [o.seconds for o in probe.outages()]}
        print(f"{task}: {heartbeat[task]}", flush=True)
        require_success(run)
        outputs += run.stdout
    after = {node: authkeys(node) for node in NODES}
    replication = {secret: rotate_drbd(active, secret) for secret in DRBD_SECRETS}
    texts = "".join(after.values()) + "".join(before.values())
    secrets = {line.split()[2] for line in texts.splitlines() if len(line.split()) == 3}
    return {
        "unchanged_by_check": unchanged,
        "check": check.returncode,
        "site_changed": changed_by(site.stdout),
        "new": len(set(after.values())) == 1 and after != before,
        "lines_of_keys": [len(text.splitlines()) for text in after.values()],
        "printed": [secret for secret in secrets if secret in outputs],
        "not_restarted": start_times(active) == times,
        "serving": serving() == active,
        "heartbeat": heartbeat,
        "drbd": replication,
    }


def test_check_mode_changes_nothing(measured):
    assert (measured["check"], measured["unchanged_by_check"]) == (0, True)


@pytest.mark.parametrize("name", ["rotated", *KILLED_AT])
def test_no_fetch_fails_while_heartbeats_secret_is_rotated(measured, name):
    figures = measured["heartbeat"][name]
    print(f"\n{name}: outages: {figures['outages']} s")
    assert figures["code"] == 0
    assert figures["outages"] == []
    assert figures.get("killed", True)


def test_heartbeat_kept_running_and_has_one_new_secret(measured):
    assert measured["new"]
    assert measured["lines_of_keys"] == [2, 2]
    assert measured["not_restarted"] and measured["serving"]
    assert measured["site_changed"] == {"debian1": 0, "debian2": 0}


def test_no_secret_was_printed(measured):
    assert measured["printed"] == []


@pytest.mark.parametrize("name", DRBD_SECRETS)
def test_no_fetch_fails_while_drbds_secret_is_rotated(measured, name):
    figures = measured["drbd"][name]
    print(f"\nDRBD, {name}: {figures['seconds']} s, outages: {figures['outages']} s")
    assert (figures["code"], figures["outages"]) == (0, [])


@pytest.mark.parametrize("name", DRBD_SECRETS)
def test_no_secret_is_in_a_process_list_a_temporary_or_state_file_or_a_log(measured, name):
    figures = measured["drbd"][name]
    assert figures["missed"] == []  # the search finds what was planted
    assert figures["leaked"] == []


@pytest.mark.usefixtures("measured")
def test_no_heartbeat_was_rejected():
    # Counted there: heartbeat may write bytes into its log that are no text.
    rejected = lab.ssh("debian1", "tail -n 400 /var/log/ha-log | grep -ac 'Invalid authentication'", check=False)
    assert rejected.strip() == "0"
