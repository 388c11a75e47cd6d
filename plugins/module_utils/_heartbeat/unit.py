# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The drop-in of heartbeat's systemd unit.

After a partition has healed, heartbeat restarts itself in another process. The packaged unit takes the end of the first
process for the end of the service and stops the new one: on both nodes, so that nobody serves any more.

Private to linuxha.cluster; nothing outside may import it.
"""

DROP_IN = "/etc/systemd/system/heartbeat.service.d/linuxha.conf"
# This file exists while heartbeat runs, and stays when heartbeat does not end in good order.
MARK = "/var/lib/heartbeat/running"
TEXT = r"""# Ansible managed. heartbeat may restart in another process, see Split_Brain in its documentation.
[Service]
%(option)s
# A node that crashed and returns before its peer has noticed: neither would run its groups. So wait until it has.
ExecStartPre=/bin/sh -c "test ! -e %(mark)s || exec sleep $$(awk \
  'BEGIN {t = 30} /^deadtime / {t = $$2 / ($$2 ~ /ms/ ? 1000 : 1)} END {print t + 5}' /etc/ha.d/ha.cf)"
ExecStartPost=-/bin/touch %(mark)s
TimeoutStartSec=10min
# When heartbeat was killed, its resources still run, and its peer is about to start them too: reboot before that.
# Without an exit code heartbeat had not started: it was stopped while the node waited.
ExecStopPost=/bin/sh -c "case $$SERVICE_RESULT:$$EXIT_CODE in success:*) rm -f %(mark)s ;; \
  signal:?*|core-dump:?*|oom-kill:?*) exec systemctl reboot --force --force ;; esac"
"""


def render_drop_in(release: int) -> str:
    """Return the drop-in for a release of Debian.

    ExitType came with systemd 250. Before it, the service is started again after it was stopped, which takes longer.
    """
    return TEXT % {"option": "ExitType=cgroup" if release >= 12 else "Restart=always", "mark": MARK}
