# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parsers of what programs of a host print: many files, units and addresses."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import host_output
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError

ADDRESSES = """[{"ifname": "lo", "addr_info": [
  {"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "label": "lo"},
  {"family": "inet", "local": "192.168.0.3", "prefixlen": 32, "label": "lo:1"},
  {"family": "inet6", "local": "::1", "prefixlen": 128}]}, {}, {"ifname": "ppp0", "addr_info": [{}]}]"""


def test_files_keep_their_empty_lines_and_colons():
    output = "/etc/a:1\0first: x\n/etc/a:1\0\n/etc/b\0second"
    assert host_output.parse_files(output) == {"/etc/a:1": "first: x\n\n", "/etc/b": "second\n"}


def test_no_file_is_no_file():
    assert host_output.parse_files("") == {}


def test_units_are_found_by_their_name():
    output = "Id=a.service\nActiveState=active\n\nId=b.service\nActiveState=inactive\n\nActiveState=x"
    assert {name: unit["ActiveState"] for name, unit in host_output.parse_units(output).items()} == {
        "a.service": "active", "b.service": "inactive"}


def test_addresses_carry_their_label():
    assert host_output.parse_addresses(ADDRESSES) == (
        ("lo", "127.0.0.1", 8, "lo"), ("lo", "192.168.0.3", 32, "lo:1"), ("lo", "::1", 128, "lo"))


def test_an_ip_without_json_is_refused():
    with pytest.raises(HaError, match="expected iproute2 4.13"):
        host_output.parse_addresses("1: lo: <LOOPBACK>")


def test_only_files_with_another_text_are_different():
    files = [host_output.Wanted(*row) for row in (("/a", "1\n", "0644", ""), ("/b", "2\n", "0644", ""))]
    assert [file.dest for file in host_output.pick_different(files, {"/a": "1\n", "/b": "3\n"})] == ["/b"]
