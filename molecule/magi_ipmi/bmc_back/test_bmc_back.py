"""A fence device that failed, because its BMC was unreachable, is used again by itself when the BMC is back."""

import time

from levels import active_devices
from magi import NODES, lab, magi, wait_until_healthy

from lab.harness.steps import step

FAILURE_TIMEOUT, AGENT = 120.0, 60.0  # seconds; the next check of the cluster, and the start of the agent


@step
def measured():
    """Start the device of a node while the BMC is unreachable, until it has failed; then bring the BMC back."""
    wait_until_healthy()
    node, reader, *_ = NODES
    device = f"ipmi-{node}"
    magi.wait_until("the device runs", lambda: device in active_devices(reader))
    lab.bmc_off(node)
    lab.ssh(reader, "crm_resource", "--resource", device, "--restart", check=False, seconds=400)  # its start fails
    magi.wait_until("the device has failed", lambda: device not in active_devices(reader), 1)
    lab.bmc_on(node)
    began = time.monotonic()
    back = magi.wait_until("the device runs again", lambda: device in active_devices(reader), 1) - began
    return {"back": round(back, 1)}


def test_it_is_used_again_without_a_cleanup(measured):
    print(f"\nused again {measured['back']} s after the BMC was back")
    assert measured["back"] <= FAILURE_TIMEOUT + AGENT
