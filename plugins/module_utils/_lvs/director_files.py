# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The units of a director, and the agent by which heartbeat and Pacemaker run ldirectord.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_director.
"""
from typing import Any, Dict, Sequence

from . import ipvs
from .ldirectord import Declared

HEAD = "# Managed by Ansible: a director of an LVS farm.\n"
STATES = ("master", "backup")
LABEL = 99  # of IPv6 virtual addresses: as ocf:heartbeat:IPaddr2 labels them

# Perl loads these when they are first used, in a check of http. A check that times out (negotiatetimeout) in the middle
# of that leaves them broken, and every later one fails: on a machine that was busy as ldirectord started, all real
# servers stayed out for good, although they answered.
PERL_MODULES = " ".join("-M" + name for name in ("HTTP::Config", "URI::http", "LWP::Protocol::http", "HTML::HeadParser",
                                                 "IO::Uncompress::Gunzip"))

# heartbeat searches the standard output for "running", where ldirectord does not print it, and Debian's own script in
# /etc/init.d supports no configuration. Without its file every command of ldirectord fails; but a removed service loses
# its file before heartbeat stops its ldirectord. So systemd ends the process, as ldirectord itself would.
AGENT_TEXT = """#!/bin/sh
%s# heartbeat, and Pacemaker's agent of the same name, call it as: ldirectord CONFIGURATION start|stop|status
# heartbeat does not watch what it has started. systemd does: an ldirectord that was killed is started again.
name=${1##*/}
unit=lvs-ldirectord@${name%%.cf}.service
case $2 in
start)
    exec systemctl start "$unit" ;;
stop)
    systemctl stop "$unit"
    # One that was started without systemd; not by ldirectord itself, whose configuration may be gone by now.
    pid=$(cat "/run/ldirectord.$name.pid" 2>/dev/null)
    grep -qs ldirectord "/proc/${pid:-none}/cmdline" && kill "$pid"
    exit 0 ;;
esac
exec /usr/sbin/ldirectord "$@" 2>&1
""" % HEAD

# The agent ocf:heartbeat:ldirectord would start ldirectord without what its unit gives it, see PERL_MODULES.
AGENT_SETTINGS = HEAD + """# ocf:heartbeat:ldirectord runs ldirectord by its unit.
[Service]
Environment=OCF_RESKEY_ldirectord=%s
"""

BOOT_TEXT = HEAD + """# One for each service: lvs-ldirectord@www.service reads /etc/ha.d/www.cf.
[Unit]
Description=Balance and watch the real servers of %i
Documentation=man:ldirectord(8)
Wants=network-online.target
After=network-online.target systemd-modules-load.service systemd-sysctl.service

[Service]
Type=forking
PIDFile=/run/ldirectord.%i.cf.pid
# Loaded at start, not in the middle of a check that may time out.
Environment="PERL5OPT=""" + PERL_MODULES + """"
ExecStart=/usr/sbin/ldirectord %i.cf start
ExecReload=/usr/sbin/ldirectord %i.cf reload
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""

TABLE_TEXT = HEAD + """# At boot only: a table that is there is changed by the module ipvs_service.
[Unit]
Description=Fill the kernel's table of virtual services
Documentation=man:ipvsadm(8)
After=systemd-modules-load.service
Before=network.target heartbeat.service pacemaker.service

[Service]
Type=oneshot
RemainAfterExit=yes
StandardInput=file:%s
ExecStart=/sbin/ipvsadm --restore

[Install]
WantedBy=multi-user.target
"""


def render_rules(declared: Sequence[Declared]) -> str:
    """Render the table as ``ipvsadm --restore`` reads it at boot, without what is to be drained."""
    return ipvs.render_state(ipvs.State({service.key: service.want.service for service in declared
                                         if service.present and service.numeric}))


def render_labels(addresses: Sequence[str]) -> str:
    """Render the unit that keeps IPv6 virtual addresses from being the source address of the director's own packets.

    Of several addresses in one network Linux takes the newest. The real servers have the virtual address too, so that
    their answers to a check that came from it would never leave them. An address with a label of its own is the last
    choice. For IPv4, the first address of an interface is taken.
    """
    words = " addrlabel %s prefix {}/128 label %d"
    lines = ["[Unit]", "Description=Keep the virtual addresses of the LVS farm from being source addresses",
             "Documentation=man:ip-addrlabel(8)", "Before=network.target heartbeat.service pacemaker.service", "",
             "[Service]", "Type=oneshot", "RemainAfterExit=yes"]
    lines += ["Exec%s=-/sbin/ip -6" % verb + (words % (word, LABEL)).format(address)
              for verb, word in (("Start", "add"), ("Stop", "del")) for address in addresses]
    return HEAD + "\n".join(lines + ["", "[Install]", "WantedBy=multi-user.target", ""])


def render_sync(sync: Dict[str, Any]) -> str:
    """Render the unit of the kernel's synchronisation of connections."""
    states = [state for state in reversed(STATES) if state in sync.get("states", STATES)]
    device = "sys-subsystem-net-devices-%s.device" % sync["interface"].replace("-", "\\x2d")
    lines = ["[Unit]", "Description=Synchronise the connections of the LVS directors", "Documentation=man:ipvsadm(8)",
             "Wants=network-online.target " + device,
             "After=network-online.target systemd-modules-load.service " + device,
             "Before=heartbeat.service pacemaker.service", "", "[Service]", "Type=oneshot", "RemainAfterExit=yes",
             "ExecStartPre=-/sbin/modprobe ip_vs"]
    lines += ["ExecStartPre=-/sbin/ipvsadm --stop-daemon " + state for state in STATES]
    daemons = [ipvs.Daemon(state, sync["interface"], sync["syncid"], sync.get("maxlen"), sync.get("group"),
                           sync.get("port"), sync.get("ttl")) for state in states]
    lines += ["ExecStart=/sbin/ipvsadm " + ipvs.render_daemon(daemon) for daemon in daemons]
    lines += ["ExecStop=-/sbin/ipvsadm --stop-daemon " + state for state in states]
    return HEAD + "\n".join(lines + ["", "[Install]", "WantedBy=multi-user.target", ""])
