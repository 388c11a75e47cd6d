# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter hosts_of_nodes is found by Ansible under its name."""

from __future__ import annotations

from ansible_collections.linuxha.cluster.plugins.filter.hosts_of_nodes import FilterModule


def test_the_example_of_the_documentation():
    hosts_of_nodes = FilterModule().filters()["hosts_of_nodes"]
    assert hosts_of_nodes([{"name": "mx1"}, {"name": "mx2"}], {"mail-a": "mx1", "mail-b": ""}) == {
        "mx1": "mail-a", "mx2": "mail-b"}
