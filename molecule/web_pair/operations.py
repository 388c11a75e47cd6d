"""Run the operations on the web pair under visitors, each after its forecast, and leave the figures for the tests.

Usage: python3 operations.py OPERATION, run by the side effects; OPERATION is a function below.
"""

import sys
import time

from web import (
    NODES,
    authkeys,
    content,
    drbd,
    lab,
    message,
    other,
    pair,
    serving,
    started,
    under_visitors,
    whole,
)

from lab.scenario import changed_by, declared


def operations() -> None:
    """Run each operation, and its forecast before, under visitors."""
    active = serving()
    standby = other(active)
    asked: dict[str, tuple[str, dict[str, str]]] = {
        "switchover": ("switchover", {"to": standby}),
        "switchover_again": ("switchover", {"to": standby}),
        "maintenance_on": ("maintenance", {"node": standby, "state": "on"}),
        "maintenance_on_again": ("maintenance", {"node": standby, "state": "on"}),
        "maintenance_off": ("maintenance", {"node": standby, "state": "off"}),
        "rolling_reboot": ("rolling_reboot", {}),
    }
    seen = {}
    for name, (playbook, variables) in asked.items():
        before = serving()
        forecast = pair.play(f"playbooks/{playbook}.yml", "--check", cluster="web_pair", **variables)
        untouched = serving() == before
        boots = {node: lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id") for node in NODES}
        with pair.visitors() as probe:
            began = time.monotonic()
            done = pair.play(f"playbooks/{playbook}.yml", cluster="web_pair", **variables)
            seconds = time.monotonic() - began
        if done.returncode or forecast.returncode:
            sys.exit(forecast.stdout + done.stdout + done.stderr)
        booted = [node for node in NODES if lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id") != boots[node]]
        seen[name] = {
            "seconds": round(seconds, 1),
            "outages": [round(outage.seconds, 1) for outage in probe.outages()],
            "from": before,
            "to": serving(),
            "untouched_by_check": untouched,
            "booted": booted,
            "changed": sum(changed_by(done.stdout).values()),
        }
        print(f"{name}: {seen[name]}", flush=True)
    status = pair.play("playbooks/status.yml")
    pair.record("operations", standby=standby, status=status.returncode, **seen)


def rotate_secrets() -> None:
    """Rotate heartbeat's secret, with runs killed in each step too, then DRBD's; all under visitors."""
    active = serving()
    before, was = {node: authkeys(node) for node in NODES}, started(active)
    forecast = pair.play("playbooks/rotate_secrets.yml", "--check", "--diff", cluster="web_pair")
    untouched = {node: authkeys(node) for node in NODES} == before
    seen: dict[str, object] = {}
    run, seconds, outages = under_visitors("rotate_secrets", cluster="web_pair")
    seen["rotated"] = {"code": run.returncode, "seconds": seconds, "outages": outages}
    site = pair.play("site.yml")
    for task in ("know the new secret", "sign with the new secret", "forget the old secret"):
        with pair.visitors() as probe:
            killed = pair.kill_at("playbooks/rotate_secrets.yml", task, "Write the keys", cluster="web_pair")
            run = pair.play("playbooks/rotate_secrets.yml", cluster="web_pair")
        seen[task] = {"killed": killed, "code": run.returncode, "outages": [o.seconds for o in probe.outages()]}
        print(f"{task}: {seen[task]}", flush=True)
        if run.returncode:
            sys.exit(run.stdout)
    after = {node: authkeys(node) for node in NODES}
    resources = declared(NODES[0], "drbd_failover_resources")
    replication = {}
    for secret in ("first-of-the-lab", "second-of-the-lab", None):
        resources[0]["net"] = {"cram_hmac_alg": "sha1", "shared_secret": secret} if secret else {}
        playbook = "rotate_secrets" if secret else "../site"
        run, seconds, outages = under_visitors(playbook, cluster="web_pair", drbd_failover_resources=resources)
        lab.cut(active, "eth1")
        pair.wait_until("the replication is interrupted", lambda: drbd(active, "cstate") != "Connected")
        lab.mend(active, "eth1")
        pair.wait_until("both copies are whole again", whole)
        replication[secret or "none"] = {"code": run.returncode, "seconds": seconds, "outages": outages}
        print(f"DRBD's secret: {secret}: {replication[secret or 'none']}", flush=True)
    texts = "".join(after.values()) + "".join(before.values())
    secrets = {line.split()[2] for line in texts.splitlines() if len(line.split()) == 3}
    pair.record(
        "rotate_secrets",
        untouched=untouched,
        forecast=forecast.returncode,
        site_changed=changed_by(site.stdout),
        new=len(set(after.values())) == 1 and after != before,
        one_key=[len(text.splitlines()) for text in after.values()],
        told=[secret for secret in secrets if secret in run.stdout + forecast.stdout],
        same_process=started(active) == was,
        serving=serving() == active,
        heartbeat=seen,
        drbd=replication,
    )


def replace_node() -> None:
    """Let the standby die, put a bare machine in its place and build it; then the same with the active one."""
    seen = {}
    for node in (other(serving()), None):
        victim = node or serving()
        refused = pair.play("playbooks/replace_node.yml", cluster="web_pair", node=serving())
        lab.power_off(victim)
        pair.wait_until("the other machine serves", lambda dead=victim: serving() == other(dead))
        lab.boot_bare(victim)
        forecast = pair.play("playbooks/replace_node.yml", "--check", cluster="web_pair", node=victim)
        bare = lab.ssh(victim, "ls /etc/ha.d /etc/drbd.d", check=False) == ""
        run, seconds, outages = under_visitors("replace_node", cluster="web_pair", node=victim)
        if run.returncode or forecast.returncode:
            sys.exit(forecast.stdout + run.stdout)
        seen[victim] = {
            "code": run.returncode,
            "seconds": seconds,
            "outages": outages,
            "refused": message(refused.stdout),
            "forecast_touched_nothing": bare,
            "serving": serving(),
            "content": [content(each, "/dev/ubdb", "drbd0") for each in NODES],
            "keys": authkeys(other(victim)) == authkeys(victim),
        }
        print(f"{victim}: {seen[victim]}", flush=True)
    status = pair.play("playbooks/status.yml")
    pair.record("replace_node", status=status.returncode, next_run=changed_by(pair.play("site.yml").stdout), **seen)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
