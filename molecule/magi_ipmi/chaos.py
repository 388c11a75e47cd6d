"""The magi with two levels of fencing for campaigns of random faults: those of ../magi, and unreachable BMCs."""

import runpy
import sys

from lab.harness import faults
from lab.paths import CHECKOUT

MAGI = CHECKOUT / "molecule/magi"
sys.path.append(str(MAGI))
magi = runpy.run_path(str(MAGI / "chaos.py"))
lab, takeover = magi["lab"], magi["TAKEOVER"]
SECOND_LEVEL = takeover + 40.0  # seconds: fence_ipmilan gives up after 20, twice
# The playbooks of the campaign, and those that its faults run.
magi["magi"].inventories = ["inventories/lab", "inventories/magi_ipmi"]

CLUSTER = magi["CLUSTER"]._replace(
    playbooks=["lab/nas.yml", "-i inventories/magi_ipmi site.yml --limit magi_nodes"],
    faults=[
        *magi["CLUSTER"].faults,
        faults.bmc_unreachable(lab, 5.0),
        faults.without_bmc(lab, faults.power_cut(lab, takeover), SECOND_LEVEL),
    ],
)
