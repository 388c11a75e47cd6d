# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role ntp: what is valid."""
from __future__ import annotations

import re

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._ntp import settings as ntp

DEFAULTS = {
    "ntp_implementation": "auto", "ntp_pools": [], "ntp_servers": [], "ntp_step_threshold": 1.0, "ntp_step_updates": 3,
    "ntp_rtc_sync": True, "ntp_allow": [], "ntp_local_stratum": 0, "ntp_extra_lines": [], "ntp_require_sync": True,
    "ntp_sync_timeout": 120,
}


def test_defaults_are_right():
    assert ntp.check_settings(DEFAULTS, ["debian1"]) == []


@pytest.mark.parametrize("settings", [
    {"ntp_servers": [{"host": "192.168.69.254", "minpoll": 4, "maxpoll": 4},
                     {"host": "fd00::1"}, {"host": "ntp-1.lan."}, {"host": "fe80::1%eth0"}]},
    {"ntp_pools": ["2.debian.pool.ntp.org"], "ntp_allow": ["10.0.0.0/8", "fd00:1::/64", "0.0.0.0/0"]},
    {"ntp_local_stratum": 15, "ntp_step_updates": -1, "ntp_extra_lines": ["log tracking"]},
])
def test_good_settings_are_accepted(settings):
    assert ntp.check_settings(dict(DEFAULTS, **settings), []) == []


@pytest.mark.parametrize("settings, message", [
    ({"ntp_pools": ["192.0.2.1"]}, r"^ntp_pools\[0\]: '192.0.2.1' is not valid; .*ntp_servers"),
    ({"ntp_pools": ["a.example", "pool ntp org"]},
     r"^ntp_pools\[1\]: 'pool ntp org' is not valid; expected a host name"),
    ({"ntp_pools": [""]}, r"^ntp_pools\[0\]: '' is not valid; expected a host name"),
    ({"ntp_servers": [{"host": "192.168.69.300"}]}, r"^ntp_servers\[0\].host: '192.168.69.300' is not valid; expected"),
    ({"ntp_servers": [{"host": "-time.example"}]}, r"^ntp_servers\[0\].host: '-time.example' is not valid"),
    ({"ntp_servers": [{"host": "time.example iburst"}]}, r"^ntp_servers\[0\].host: 'time.example iburst' is not valid"),
    ({"ntp_servers": [{"host": "127.0.0.1"}]},
     r"^ntp_servers\[0\].host: '127.0.0.1' is not valid; expected the address of another"),
    ({"ntp_servers": [{"host": "0.0.0.0"}]},
     r"^ntp_servers\[0\].host: '0.0.0.0' is not valid; expected the address of another"),
    ({"ntp_servers": [{"host": "224.0.1.1"}]},
     r"^ntp_servers\[0\].host: '224.0.1.1' is not valid; expected the address of another"),
    ({"ntp_servers": [{"host": "a"}, {"host": "a"}]}, r"^ntp_servers: 'a' is not valid; expected each name only once"),
    ({"ntp_pools": ["a.b"], "ntp_servers": [{"host": "a.b"}]},
     r"^ntp_servers: 'a.b' is not valid; expected each name only once"),
    ({"ntp_servers": [{"host": "a", "minpoll": 2}]}, r"^ntp_servers\[0\].minpoll: 2 is not valid; expected 3"),
    ({"ntp_servers": [{"host": "a", "maxpoll": 64}]}, r"^ntp_servers\[0\].maxpoll: 64 is not valid; expected 3"),
    ({"ntp_servers": [{"host": "a", "minpoll": 8, "maxpoll": 6}]},
     r"^ntp_servers\[0\].minpoll: 8 is not valid; expected at most maxpoll, which is 6"),
    ({"ntp_allow": ["10.0.0.1/8"]},
     r"^ntp_allow\[0\]: '10.0.0.1/8' is not valid; expected the network itself: 10.0.0.0/8$"),
    ({"ntp_allow": ["lan"]}, r"^ntp_allow\[0\]: 'lan' is not valid; expected a network such as"),
    ({"ntp_allow": ["10.0.0.0/33"]}, r"^ntp_allow\[0\]: '10.0.0.0/33' is not valid; expected a network"),
    ({"ntp_local_stratum": 16}, r"^ntp_local_stratum: 16 is not valid; expected 0"),
    ({"ntp_local_stratum": -1}, r"^ntp_local_stratum: -1 is not valid; expected 0"),
    ({"ntp_step_threshold": 0.0}, r"^ntp_step_threshold: 0.0 is not valid; expected seconds"),
    ({"ntp_step_updates": -2}, r"^ntp_step_updates: -2 is not valid; expected -1"),
    ({"ntp_sync_timeout": 0}, r"^ntp_sync_timeout: 0 is not valid; expected seconds"),
    ({"ntp_extra_lines": ["a\nb"]}, r"^ntp_extra_lines\[0\]: 'a\\nb' is not valid; expected one line"),
    ({"ntp_servers": [{"host": "2001:db8::4%x"}]}, r"^ntp_servers\[0\].host: '2001:db8::4%x' is not valid"),
    ({"ntp_pools": ["fe80::1%a b"]}, r"^ntp_pools\[0\]: 'fe80::1%a b' is not valid; expected a host name"),
    ({"ntp_allow": ["2001:db8::4%x"]}, r"^ntp_allow\[0\]: '2001:db8::4%x' is not valid; expected a network such as"),
    ({"ntp_pools": ["pool٦.example"]}, r"^ntp_pools\[0\]: 'pool٦.example' is not valid"),
    ({"ntp_pools": ["pool.example\n"]}, r"^ntp_pools\[0\]: 'pool.example\\n' is not valid"),
    ({"ntp_servers": [{"host": "10.0.0.1", "minpoll": "²"}]}, r"^ntp_servers\[0\].minpoll: '²' is not valid"),
    ({"ntp_extra_lines": ["ok", " "]}, r"^ntp_extra_lines\[1\]: ' ' is not valid; expected one line"),
])
def test_wrong_setting_is_named_with_its_value_and_what_would_be_right(settings, message):
    problems = ntp.check_settings(dict(DEFAULTS, **settings), ["debian1"])
    assert len(problems) == 1
    assert re.search(message, problems[0]), problems[0]
