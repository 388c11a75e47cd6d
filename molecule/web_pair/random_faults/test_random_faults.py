"""A few random faults under a writer and visitors: no violation after each, and at rest a run changes nothing.

CHAOS_COUNT and CHAOS_SEED select others than those of every run of the scenario.
"""

import os
import time

import chaos

from lab.harness import chaos as campaigns
from lab.harness.steps import step

FEW, MINUTES = 6, 4.0


@step
def measured():
    """Inject them."""
    count, seed = int(os.environ.get("CHAOS_COUNT", FEW)), int(os.environ.get("CHAOS_SEED", "3"))
    print(f"CHAOS_COUNT={count} CHAOS_SEED={seed}", flush=True)
    began = time.monotonic()
    campaign = campaigns.Campaign(chaos.CLUSTER)
    campaign.run(campaigns.plan(chaos.CLUSTER.faults, count, seed), MINUTES)
    print(campaign.table())
    return {
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "results": [each._asdict() for each in campaign.results],
        "violations": campaign.violations,
    }


def test_nothing_is_violated(measured):
    faults = ", ".join(f"{each['name']} {each['outage']:.1f} s" for each in measured["results"])
    print(f"\nCHAOS_SEED={measured['seed']}, {measured['seconds']} s, outages: {faults}")
    assert measured["violations"] == []


def test_faults_were_injected(measured):
    assert len(measured["results"]) >= 3
