# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the role rhcs_cman."""

from __future__ import annotations

from ansible_collections.linuxha.cluster.plugins.filter import cman_host, cman_plan

HOSTS = ["balthasar", "casper", "melchior"]
host = cman_host.FilterModule().filters()["cman_host"]
plan = cman_plan.FilterModule().filters()["cman_plan"]
SEEN = {
    "files": "",
    "packages": "",
    "chkconfig": "",
    "services": {},
    "members": "",
    "status": {},
    "addresses": "2: eth0 inet 192.168.0.201/24",
    "names": {"rc": 0, "stdout": "\n".join(f"192.168.0.20{number} x" for number in (1, 2, 3))},
}


def test_a_host(magi):
    steps = host(magi(), SEEN, "balthasar", HOSTS)
    assert steps["refusals"] == [] and steps["packages"] == ["cman", "corosync", "fence-agents", "rgmanager"]


def test_a_cluster(magi):
    steps = plan(magi(), dict.fromkeys(HOSTS, SEEN))
    assert steps["write"] == HOSTS and steps["start"]["casper"] == ["cman", "rgmanager"]
    grep = "".join(f"/etc/cluster/cluster.conf\0{line}\n" for line in steps["text"].split("\n")[:-1])
    assert plan(magi(), dict.fromkeys(HOSTS, dict(SEEN, files=grep)))["write"] == []


def test_what_goes_wrong_is_a_refusal(magi):
    wrong = dict(SEEN, status={"rc": 1, "stdout": "", "stderr": "no"})
    assert plan(magi(), {"casper": wrong})["refusals"] == [
        "casper: cman_tool status: ended with 1: no; expected it to say that cman runs, or that it does not"
    ]
    assert "expected 1 to 15" in host(magi({"cluster_name": "a" * 16}), SEEN, "casper", HOSTS)["refusals"][0]
    text = "/etc/cluster/cluster.conf\0<cluster/>\n"
    assert "config_version is ''" in plan(magi(), {"casper": dict(SEEN, files=text)})["refusals"][0]
