# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The planners of the roles of a play are loaded once, before Ansible starts a process for each host and task."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.planned_roles import FilterModule
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

CLUSTERS = {"hosts": {
    "mail-a": {"plans": ["ntp", "apache", "heartbeat", "apache/page"]}, "file-a": {"plans": ["ntp", "pacemaker"]},
    "visitor": {"plans": []}}}


@pytest.mark.parametrize(("hosts", "roles"), [
    (["mail-a"], ["apache", "heartbeat", "ntp"]), (["mail-a", "file-a"], ["apache", "heartbeat", "ntp", "pacemaker"]),
    (["visitor"], []), ([], [])])
def test_the_planners_of_the_hosts_of_the_play_are_loaded(monkeypatch, hosts, roles):
    loaded = []
    monkeypatch.setattr(_roles, "domain_of", loaded.append)
    assert FilterModule().filters()["planned_roles"](CLUSTERS, hosts) == roles
    assert loaded == roles
