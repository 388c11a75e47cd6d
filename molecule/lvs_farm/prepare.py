"""Watch ARP from before the farm is built, and give the client machine its programs; run by prepare.yml."""

import subprocess

from farm import CLIENT, HERE, VIP, copy_visitors, farm, lab

from lab.hardware import bridge_of

log = lab.paths.state / "arp.log"
log.unlink(missing_ok=True)  # of an earlier lab
argv = ["python3", str(HERE / "arp_watch.py"), bridge_of("lan"), VIP, str(log), str(lab.paths.socket)]
with open(lab.paths.state / "arp_watch.err", "w", encoding="utf-8") as errors:
    subprocess.Popen(lab.exec_argv(*argv), start_new_session=True, stdout=errors, stderr=errors)
farm.wait_until("ARP is watched", lambda: log.exists() and log.read_text().startswith("ready"))
lab.ssh(CLIENT, "DEBIAN_FRONTEND=noninteractive apt-get -qq update && apt-get -qq -y install arping")
copy_visitors()
