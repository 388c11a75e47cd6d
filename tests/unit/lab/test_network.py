"""The network of a lab, in a network namespace of the test's own."""

import os
import subprocess
import sys

import pytest

from lab.paths import CHECKOUT

PULL_EACH_CABLE = """
from lab import network
network.create_bridge("b-lan", "192.168.0.254/24")
def mac():
    return network.subprocess.check_output(["ip", "-br", "link", "show", "b-lan"], text=True).split()[2]
print(mac())
for tap in ("t1-0", "t2-0", "t3-0"):
    network.create_tap(tap)
    network.attach(tap, "b-lan")
    print(mac())
for tap in ("t1-0", "t2-0", "t3-0"):
    network.detach(tap)
    print(mac())
"""


@pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="taps need /dev/net/tun")
def test_the_labs_own_address_stays_the_same_whichever_cable_is_pulled():
    argv = ["unshare", "--map-root-user", "--net", sys.executable, "-c", PULL_EACH_CABLE]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = done.stdout.split()
    assert len(seen) == 7
    assert len(set(seen)) == 1
