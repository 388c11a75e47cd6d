# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each rule of lint: a file that has the fault, and its corrected copy that has not."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lint import lint
from ansible_collections.linuxha.cluster.plugins.module_utils._lint.rules import RULES, describe_rules

ROOT = Path(__file__).resolve().parents[4]
FIELD = ROOT / "tests/unit/fixtures/lint"

COROSYNC = """totem {
    version: 2
    cluster_name: web
    transport: knet
    token: 3000
    consensus: 3600
}
nodelist {
    node {
        ring0_addr: 10.0.0.1
        name: a
        nodeid: 1
    }
    node {
        ring0_addr: 10.0.0.2
        name: b
        nodeid: 2
    }
}
quorum {
    provider: corosync_votequorum
    two_node: 1
}
"""
THREE_NODES = COROSYNC.replace("    two_node: 1\n", "").replace("nodelist {", """nodelist {
    node {
        ring0_addr: 10.0.0.3
        nodeid: 3
    }""")
DEVICE = "    device {\n        model: net\n        net {\n            host: nas\n        }\n    }\n}\n"
CMAN = """<?xml version="1.0"?>
<cluster name="magi" config_version="1">
  <cman expected_votes="3"/>
  <totem token="21000"/>
  <quorumd interval="1" tko="10" votes="1" label="q">
    <heuristic program="ping -c1 10.0.0.254"/>
  </quorumd>
  <clusternodes>
    <clusternode name="a" nodeid="1"><fence>
      <method name="1"><device name="ipmi"/></method><method name="2"><device name="scsi"/></method>
    </fence><unfence><device name="scsi" action="on"/></unfence></clusternode>
    <clusternode name="b" nodeid="2"><fence>
      <method name="1"><device name="ipmi"/></method><method name="2"><device name="scsi"/></method>
    </fence><unfence><device name="scsi" action="on"/></unfence></clusternode>
  </clusternodes>
  <fencedevices>
    <fencedevice name="ipmi" agent="fence_ipmilan" passwd="geheim"/>
    <fencedevice name="scsi" agent="fence_scsi"/>
  </fencedevices>
  <fence_daemon post_fail_delay="0"/>
  <rm>
    <failoverdomains><failoverdomain name="any"/></failoverdomains>
    <resources><ip address="10.0.0.9"/></resources>
    <service name="web" domain="any"><ip ref="10.0.0.9"/></service>
  </rm>
</cluster>
"""
TWO_NODE = CMAN.replace('expected_votes="3"', 'expected_votes="1" two_node="1"').replace(
    CMAN[CMAN.index("  <quorumd"):CMAN.index("  <clusternodes>")], "").replace("passwd", 'delay="15" passwd')
RES = """resource r0 {
    net {
        protocol C;
        cram-hmac-alg sha1;
        shared-secret "ge heim";
        fencing resource-only;
    }
    handlers {
        fence-peer "/usr/lib/drbd/crm-fence-peer.9.sh";
        unfence-peer "/usr/lib/drbd/crm-unfence-peer.9.sh";
    }
    options { quorum off; }
    on a { device /dev/drbd0 minor 0; disk /dev/vg/r0; address 10.0.0.1:7788; meta-disk internal; node-id 0; }
    on b { device /dev/drbd0 minor 0; disk /dev/vg/r0; address 10.0.0.2:7788; meta-disk internal; node-id 1; }
}
"""
PEER_9 = RES[RES.index("    handlers"):RES.index("    options")]
PEER_8 = PEER_9.replace(".9.sh", ".sh").replace("unfence-peer \"", "after-resync-target \"")
RES_8 = RES.replace(PEER_9, PEER_8).replace("    options { quorum off; }\n", "").replace(
    " node-id 0;", "").replace(" node-id 1;", "")
HA_CF = """keepalive 2
warntime 5
deadtime 10
initdead 20
udpport 694
bcast eth0
ucast eth1 10.0.0.1
ucast eth1 10.0.0.2
auto_failback off
node a
node b
"""
HARESOURCES = "a drbddisk::r0 Filesystem::/dev/drbd0::/srv::ext4 IPaddr2::10.0.0.9/24 apache2\n"
AUTHKEYS = "auth 2\n1 crc\n2 sha1 ge-heim\n"
LDIRECTORD = """checktimeout=3
checkinterval=5
autoreload=yes
logfile="local0"
fallback=127.0.0.1:80

virtual=10.0.0.9:80
    real=10.0.0.4:80 gate 1
    real=10.0.0.5:80 gate 1 l:5 u:10
    service=http
    request="alive.html"
    receive="alive"
    scheduler=wlc
    persistent=600
    quiescent=no
    protocol=tcp
    checktype=negotiate
"""
MARK = LDIRECTORD.replace("virtual=10.0.0.9:80", "virtual=1").replace("protocol=tcp", "protocol=fwm")


def pair(good: str, old: str, new: str) -> tuple[str, str]:
    """Return a text with a fault and the text without."""
    assert old in good
    return good.replace(old, new), good


# rule, name of the file, the text with the fault, the corrected text
ONE_FILE = [
    ("syntax", "corosync.conf", *pair(COROSYNC, "    token: 3000\n", "    token 3000\n")),
    ("syntax", "corosync.conf", *pair(COROSYNC, "    two_node: 1\n}\n", "    two_node: 1\n")),
    ("syntax", "corosync.conf", *pair(COROSYNC, "quorum {", "}\nquorum {")),
    ("syntax", "corosync.conf", *pair(COROSYNC, "quorum {", "{")),
    ("syntax", "cluster.conf", *pair(CMAN, "</cluster>", "")),
    ("syntax", "cluster.conf", "<other/>", CMAN),
    ("syntax", "cluster.conf", *pair(CMAN, "<cluster name", "<!DOCTYPE c [<!ENTITY a 'aa'>]><cluster name")),
    ("syntax", "cluster.conf", "<cluster>" + "<a>" * 200, CMAN),
    ("syntax", "r0.res", *pair(RES, "protocol C;\n", "protocol C\n    }\n    net {\n")),
    ("syntax", "r0.res", *pair(RES, '"ge heim"', '"ge heim')),
    ("syntax", "r0.res", RES + "common", RES),
    ("syntax", "r0.res", *pair(RES, "quorum off; }", "quorum off; };")),
    ("syntax", "r0.res", RES + "}", RES),
    ("syntax", "authkeys", *pair(AUTHKEYS, "auth 2", "auth two")),
    ("syntax", "haresources", *pair(HARESOURCES, HARESOURCES, "a\n")),
    ("syntax", "ldirectord.cf", *pair(LDIRECTORD, "autoreload=yes", "autoreload")),
    ("corosync-two-nodes", "corosync.conf", *pair(COROSYNC, "    two_node: 1\n", "")),
    ("corosync-two-nodes", "corosync.conf", COROSYNC.replace("    two_node: 1\n}\n", "}\n"),
     COROSYNC.replace("    two_node: 1\n}\n", DEVICE)),
    ("corosync-two-nodes", "corosync.conf", "quorum {\n provider: corosync_votequorum\n expected_votes: 2\n}\n",
     "quorum {\n provider: corosync_votequorum\n expected_votes: 2\n auto_tie_breaker: 1\n}\n"),
    ("corosync-wait-for-all", "corosync.conf", *pair(
        COROSYNC.replace("two_node: 1", "two_node: 1\n    wait_for_all: 1"), "wait_for_all: 1", "wait_for_all: 0")),
    ("corosync-two-node-count", "corosync.conf", COROSYNC.replace("two_node: 1\n}\n", "two_node: 1\n" + DEVICE),
     COROSYNC),
    ("corosync-two-node-count", "corosync.conf", COROSYNC.replace("nodelist {", "nodelist {\n    node {\n        "
     "ring0_addr: 10.0.0.3\n        nodeid: 3\n    }\n"), COROSYNC),
    ("corosync-provider", "corosync.conf", *pair(COROSYNC, "    provider: corosync_votequorum\n", "")),
    ("corosync-consensus", "corosync.conf", *pair(THREE_NODES, "3600", "3599")),
    ("corosync-consensus", "corosync.conf",
     *pair(THREE_NODES.replace("3000", "3001").replace("3600", "3602"), "3602", "3601")),
    ("corosync-consensus", "corosync.conf", *pair(COROSYNC.replace("3600", "51"), "51", "50")),
    ("corosync-consensus", "corosync.conf", *pair(COROSYNC.replace("3600", "101\n    join: 100"), "101", "100")),
    ("corosync-ip-version", "corosync.conf", *pair(COROSYNC.replace(
        "knet", "udp\n    ip_version: ipv6").replace("10.0.0.2", "fd00::2"), "    ip_version: ipv6\n", "")),
    ("corosync-ip-version", "corosync.conf", *pair(COROSYNC.replace(
        "knet", "udp\n    interface {\n        mcastaddr: 239.192.0.1\n    }"), "239.192.0.1", "ff15::1")),
    ("corosync-nodeid", "corosync.conf", *pair(COROSYNC, "nodeid: 2", "nodeid: 1")),
    ("corosync-nodeid", "corosync.conf", *pair(COROSYNC, "nodeid: 2", "nodeid: 0")),
    ("corosync-nodeid", "corosync.conf", *pair(COROSYNC, "nodeid: 2", "nodeid: two")),
    ("corosync-nodeid", "corosync.conf", COROSYNC.replace("        nodeid: 2\n", ""),
     COROSYNC.replace("        nodeid: 2\n", "").replace("knet", "udpu")),
    ("corosync-address", "corosync.conf", *pair(COROSYNC, "10.0.0.2", "10.0.0.1")),
    ("corosync-misspelled", "corosync.conf", *pair(COROSYNC, "token:", "tokn:")),
    ("corosync-misspelled", "corosync.conf", *pair(COROSYNC, "quorum {", "qorum {")),
    ("corosync-unknown", "corosync.conf", *pair(COROSYNC, "    version: 2\n", "    version: 2\n    zzz: 1\n")),
    ("cman-two-nodes", "cluster.conf", *pair(TWO_NODE, ' two_node="1"', "")),
    ("cman-two-nodes", "cluster.conf", TWO_NODE.replace('  <cman expected_votes="1" two_node="1"/>\n', ""), TWO_NODE),
    ("cman-two-node-count", "cluster.conf", *pair(TWO_NODE, 'nodeid="2"', 'nodeid="2" votes="2"')),
    ("cman-two-node-count", "cluster.conf", *pair(TWO_NODE, 'expected_votes="1"', 'expected_votes="2"')),
    ("cman-two-node-disk", "cluster.conf", *pair(CMAN, 'expected_votes="3"', 'expected_votes="1" two_node="1"')),
    ("cman-expected-votes", "cluster.conf", *pair(CMAN, 'expected_votes="3"', 'expected_votes="4"')),
    ("cman-expected-votes", "cluster.conf", *pair(TWO_NODE.replace('nodeid="2"', 'nodeid="2" votes="2"').replace(
        'expected_votes="1" two_node="1"', 'expected_votes="3"'), 'expected_votes="3"', 'expected_votes="2"')),
    ("cman-nodeid", "cluster.conf", *pair(CMAN, 'nodeid="2"', 'nodeid="1"')),
    ("cman-nodeid", "cluster.conf", *pair(CMAN, ' nodeid="2"', "")),
    ("cman-nodeid", "cluster.conf", *pair(CMAN, 'name="b" ', "")),
    ("cman-multicast", "cluster.conf", *pair(CMAN.replace(
        '<cman expected_votes="3"/>', '<cman expected_votes="3"><multicast addr="239.192.6.41"/></cman>'),
        "239.192.6.41", "224.0.0.1")),
    ("cman-token", "cluster.conf", *pair(CMAN, 'token="21000"', 'token="17000"')),
    ("cman-token", "cluster.conf", *pair(CMAN, '  <totem token="21000"/>\n', "")),
    ("cman-quorum-dev-poll", "cluster.conf", *pair(CMAN.replace(
        '"3"/>', '"3" quorum_dev_poll="21000"/>'), '"21000"/>\n  <totem', '"20999"/>\n  <totem')),
    ("cman-heuristics", "cluster.conf", *pair(CMAN, '    <heuristic program="ping -c1 10.0.0.254"/>\n', "")),
    ("cman-heuristics", "cluster.conf", CMAN.replace('    <heuristic program="ping -c1 10.0.0.254"/>\n', ""),
     CMAN.replace('    <heuristic program="ping -c1 10.0.0.254"/>\n', "").replace(
         'label="q"', 'label="q" master_wins="1"')),
    ("cman-heuristics-el5", "cluster.conf", '<cluster><quorumd label="q"/></cluster>',
     '<cluster><quorumd label="q"/><logging/></cluster>'),
    ("cman-status-file", "cluster.conf", *pair(CMAN, 'label="q"', 'label="q" status_file="/tmp/q"')),
    ("cman-use-uptime", "cluster.conf", *pair(CMAN.replace('label="q"', 'label="q" use_uptime="1"'), 'use_uptime="1"',
                                              'use_uptime="0"')),
    ("cman-priority", "cluster.conf", *pair(CMAN.replace('label="q"', 'label="q" priority="99"'), 'priority="99"',
                                            'priority="0"')),
    ("cman-priority", "cluster.conf", CMAN.replace('label="q"', 'label="q" scheduler="other" priority="20"'),
     CMAN.replace('label="q"', 'label="q" scheduler="idle" priority="20"')),
    ("cman-no-fencing", "cluster.conf", '<cluster><clusternodes><clusternode name="a" nodeid="1"><fence><method/>'
     '</fence></clusternode></clusternodes></cluster>', CMAN),
    ("cman-fence-device", "cluster.conf", *pair(CMAN, '<fencedevice name="ipmi"', '<fencedevice name="other"')),
    ("cman-fence-agent", "cluster.conf", *pair(CMAN, "fence_ipmilan", "fence_vmware")),
    ("cman-fence-agent", "cluster.conf", *pair(CMAN, "fence_ipmilan", "fence_manual")),
    ("cman-unfence-agent", "cluster.conf", *pair(CMAN, "fence_scsi", "fence_apc")),
    ("cman-unfence-agent", "cluster.conf", *pair(CMAN, ' action="on"', "")),
    ("cman-unfence-missing", "cluster.conf", *pair(CMAN, '<unfence><device name="scsi" action="on"/></unfence>', "")),
    ("cman-clean-start", "cluster.conf", *pair(CMAN, "<fence_daemon ", '<fence_daemon clean_start="1" ')),
    ("cman-post-fail-delay", "cluster.conf", *pair(CMAN, 'post_fail_delay="0"', 'post_fail_delay="5"')),
    ("cman-single-fence-level", "cluster.conf", *pair(
        CMAN, '<method name="2"><device name="scsi"/></method>', "")),
    ("cman-fence-delay", "cluster.conf", *pair(TWO_NODE, ' delay="15"', "")),
    ("cman-attribute", "cluster.conf", *pair(CMAN, 'tko="10"', 'tko="10" tkoo="1"')),
    ("cman-reference", "cluster.conf", *pair(CMAN, 'ref="10.0.0.9"', 'ref="10.0.0.8"')),
    ("cman-reference", "cluster.conf", *pair(CMAN, 'domain="any"', 'domain="none"')),
    ("cman-resource", "cluster.conf", *pair(CMAN.replace("  </rm>", """    <service name="nfs">
      <fs name="f" device="/dev/vg/f" mountpoint="/f"><nfsexport name="x"/></fs></service>\n  </rm>"""),
        '<fs name="f" device="/dev/vg/f" mountpoint="/f"><nfsexport name="x"/></fs>',
        '<ip address="10.0.0.7"><nfsexport name="x"/></ip>')),
    ("cman-resource", "cluster.conf", *pair(CMAN.replace("  </rm>", """    <service name="two">
      <script name="s" file="/etc/init.d/s"/></service>\n  </rm>"""), ' file="/etc/init.d/s"', "")),
    ("cman-resource", "cluster.conf", *pair(CMAN.replace("  </rm>", """    <service name="two">
      <ip address="10.0.0.8"/></service>\n  </rm>"""), "10.0.0.8", "10.0.0.9/24")),
    ("cman-resource", "cluster.conf", *pair(CMAN.replace("</resources>", '<ip address="10.0.0.8"/></resources>'),
                                            "10.0.0.8", "10.0.0.9")),
    ("cman-resource", "cluster.conf", CMAN.replace("  </rm>", '<service name="deep">' + "".join(
        f'<lvm name="l{n}" vg_name="v"><script name="s{n}" file="/f{n}">' for n in range(15)) + "</script></lvm>" * 15
        + "</service>\n  </rm>"), CMAN),
    ("drbd-quorum", "r0.res", *pair(RES, "quorum off", "quorum majority")),
    ("drbd-fence-peer", "r0.res", *pair(RES, PEER_9, "")),
    ("drbd-unfence-peer", "r0.res", *pair(RES, 'unfence-peer "', 'split-brain "')),
    ("drbd-unfence-peer", "r0.res", *pair(RES, "crm-unfence-peer.9.sh", "crm-unfence-peer.sh")),
    ("drbd-unfence-peer", "r0.res", *pair(RES_8, "crm-unfence-peer.sh", "snapshot.sh")),
    ("drbd-handler-release", "r0.res", RES.replace(PEER_9, PEER_8), RES_8),
    ("drbd-handler-release", "r0.res", RES_8.replace(PEER_8, PEER_9 + "    syncer { rate 1M; }\n"), RES),
    ("drbd-handler-release", "r0.res", *pair(RES.replace(" node-id 0;", "").replace(" node-id 1;", "").replace(
        "options { quorum off; }", "net { fencing resource-only; }"), "net { fencing", "disk { fencing")),
    ("drbd-disk-name", "r0.res", *pair(RES, "disk /dev/vg/r0", "disk /dev/sdb1")),
    ("drbd-disk-name", "r0.res", *pair(RES.replace("internal", "/dev/vg/meta[0]"), "/dev/vg/meta[0]", "/dev/sdc1[0]")),
    ("drbd-two-primaries", "r0.res", *pair(RES.replace("protocol C;", "protocol C; after-sb-1pri disconnect; "
                                           "allow-two-primaries;"), "disconnect", "discard-secondary")),
    ("drbd-discards", "r0.res", *pair(RES.replace("protocol C;", "protocol C; after-sb-0pri disconnect;"),
                                      "disconnect", "discard-zero-changes")),
    ("drbd-secret", "r0.res", *pair(RES, "        cram-hmac-alg sha1;\n", "")),
    ("drbd-secret", "r0.res", *pair(RES, '        shared-secret "ge heim";\n', "")),
    ("drbd-protocol", "r0.res", *pair(RES, "protocol C", "protocol A")),
    ("drbd-protocol", "drbd.conf", *pair("common { protocol C; }\nresource a { }\n", "C", "B")),
    ("drbd-taken", "drbd.conf", RES + RES.replace("r0", "r1").replace("7788", "7789"),
     RES + RES.replace("r0", "r1").replace("7788", "7789").replace("drbd0 minor 0", "drbd1 minor 1")),
    ("drbd-taken", "drbd.conf", RES + RES.replace("r0", "r1").replace("drbd0 minor 0", "drbd1 minor 1"),
     RES + RES.replace("r0", "r1").replace("7788", "7789").replace("drbd0 minor 0", "drbd1 minor 1")),
    ("drbd-taken", "drbd.conf", RES + RES, RES),
    ("drbd-taken", "drbd.conf", *pair("resource a {\n volume 0 { device minor 1; disk /dev/vg/a; }\n volume 1 {\n "
                                      "device minor 2; disk /dev/vg/b; }\n}", "minor 2", "minor 1")),
    ("drbd-include", "drbd.conf", 'include "drbd.d/global_common.conf";\n', 'include "drbd.d/*.res";\ninclude "";\n'),
    ("heartbeat-time", "ha.cf", *pair(HA_CF, "deadtime 10", "deadtime ten")),
    ("heartbeat-deadtime", "ha.cf", *pair(HA_CF, "warntime 5", "warntime 10s")),
    ("heartbeat-deadtime", "ha.cf", *pair(HA_CF, "keepalive 2", "keepalive 5000ms")),
    ("heartbeat-initdead", "ha.cf", *pair(HA_CF, "initdead 20", "initdead 19")),
    ("heartbeat-no-path", "ha.cf", "keepalive 1\n", HA_CF),
    ("heartbeat-single-path", "ha.cf", *pair(HA_CF, "bcast eth0\n", "")),
    ("heartbeat-nodes", "ha.cf", *pair(HA_CF, "node a\nnode b\n", "")),
    ("heartbeat-nodes", "ha.cf", HA_CF.replace("node a\nnode b\n", ""),
     HA_CF.replace("node a\nnode b\n", "autojoin any\n")),
    ("heartbeat-auto-failback", "ha.cf", *pair(HA_CF, "auto_failback off", "auto_failback legacy")),
    ("heartbeat-auto-failback", "ha.cf", *pair(HA_CF, "auto_failback off\n", "")),
    ("heartbeat-auto-failback", "ha.cf", *pair(HA_CF, "auto_failback off", "nice_failback on")),
    ("heartbeat-misspelled", "ha.cf", *pair(HA_CF, "warntime 5", "wartime 5")),
    ("heartbeat-unknown", "ha.cf", HA_CF + "zzz 5\n", HA_CF),
    ("haresources-agent", "haresources", *pair(HARESOURCES, "IPaddr2", "IPAddr2")),
    ("haresources-taken", "haresources", HARESOURCES + "b IPaddr::10.0.0.9\n", HARESOURCES + "b IPaddr::10.0.0.8\n"),
    ("authkeys-auth", "authkeys", *pair(AUTHKEYS, "auth 2", "auth 3")),
    ("authkeys-auth", "authkeys", *pair(AUTHKEYS, "auth 2\n", "")),
    ("authkeys-method", "authkeys", *pair(AUTHKEYS, "2 sha1 ge-heim", "2 ge-heim")),
    ("authkeys-method", "authkeys", *pair(AUTHKEYS, "2 sha1 ge-heim", "2 sha1")),
    ("authkeys-crc", "authkeys", *pair(AUTHKEYS, "auth 2", "auth 1")),
    ("ldirectord-indent", "ldirectord.cf", *pair(LDIRECTORD, "    real=10.0.0.4", "  real=10.0.0.4")),
    ("ldirectord-indent", "ldirectord.cf", *pair(LDIRECTORD, "    service=http", "\n    service=http")),
    ("ldirectord-indent", "ldirectord.cf", *pair(LDIRECTORD, "checkinterval=5", "    checkinterval=5")),
    ("ldirectord-indent", "ldirectord.cf", *pair(LDIRECTORD, "    service=http", "  service")),
    ("ldirectord-quotes", "ldirectord.cf", *pair(LDIRECTORD, '"alive.html"', "alive.html")),
    ("ldirectord-quotes", "ldirectord.cf", *pair(LDIRECTORD, '"alive"', '"a#live"')),
    ("ldirectord-quotes", "ldirectord.cf", *pair(LDIRECTORD, '"local0"', "local0")),
    ("ldirectord-misspelled", "ldirectord.cf", *pair(LDIRECTORD, "scheduler=wlc", "scheduller=wlc")),
    ("ldirectord-unknown", "ldirectord.cf", LDIRECTORD + "    zzz=1\n", LDIRECTORD),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "checkinterval=5", "checkinterval=0")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "autoreload=yes", "autoreload=1")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD.replace("service=http", "service=http\n    httpmethod=get"),
                                                "httpmethod=get", "httpmethod=PUT")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "quiescent=no", "quiescent=0")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "checktype=negotiate", "checktype=maybe")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "protocol=tcp", "protocol=tcp\n    ops=yes")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "virtual=10.0.0.9:80", "virtual=10.0.0.9")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "fallback=127.0.0.1:80", "fallback=::")),
    ("ldirectord-value", "ldirectord.cf", *pair(LDIRECTORD, "autoreload=yes", "emailalert=@")),
    ("ldirectord-real", "ldirectord.cf", *pair(LDIRECTORD, "10.0.0.4:80 gate 1", "10.0.0.4:80 gate -w 1")),
    ("ldirectord-real", "ldirectord.cf", *pair(LDIRECTORD, "10.0.0.4:80 gate 1", "10.0.0.4:81 gate 1")),
    ("ldirectord-real", "ldirectord.cf", *pair(LDIRECTORD, "l:5 u:10", "l:11 u:10")),
    ("ldirectord-no-real", "ldirectord.cf", LDIRECTORD + "virtual=10.0.0.8:80\n", LDIRECTORD),
    ("ldirectord-no-real", "ldirectord.cf", LDIRECTORD + "virtual=www:80\n", LDIRECTORD),
    ("ldirectord-scheduler", "ldirectord.cf", *pair(LDIRECTORD, "scheduler=wlc", "scheduler=twos")),
    ("ldirectord-taken", "ldirectord.cf", LDIRECTORD + LDIRECTORD[LDIRECTORD.index("virtual"):],
     LDIRECTORD + LDIRECTORD[LDIRECTORD.index("virtual"):].replace(":80", ":http").replace("0.9", "0.8")),
    ("ldirectord-taken", "ldirectord.cf", *pair(LDIRECTORD, "10.0.0.5:80", "10.0.0.4:80")),
    ("ldirectord-ignored", "ldirectord.cf", LDIRECTORD + "    checkcommand=/bin/true\n", LDIRECTORD),
    ("ldirectord-ignored", "ldirectord.cf", *pair(LDIRECTORD, "    scheduler=wlc\n", "    scheduler=WLC\n" * 2)),
    ("ldirectord-ignored", "ldirectord.cf", *pair(LDIRECTORD, "checkinterval=5\n", "checkinterval=5\n" * 2)),
    ("ldirectord-request", "ldirectord.cf", *pair(LDIRECTORD, '    request="alive.html"\n', "")),
    ("ldirectord-receive", "ldirectord.cf", *pair(LDIRECTORD, '    receive="alive"\n', "")),
    ("ldirectord-receive", "ldirectord.cf", *pair(LDIRECTORD.replace('    receive="alive"\n', "").replace(
        "gate 1", 'gate 1 "x", "alive"'), '"x", "alive"\n', "\n")),
    ("ldirectord-quiescent", "ldirectord.cf", *pair(LDIRECTORD, "    quiescent=no\n", "")),
    ("ldirectord-fallback", "ldirectord.cf", *pair(LDIRECTORD, "fallback=127.0.0.1:80\n", "")),
    ("ldirectord-mark", "ldirectord.cf", MARK, LDIRECTORD),
    ("ldirectord-ignored", "ldirectord.cf", *pair(LDIRECTORD.replace("checkinterval=5", "fork=yes").replace(
        "protocol=tcp", "checkinterval=5"), "fork=yes\n", "")),
    ("ldirectord-ignored", "ldirectord.cf", LDIRECTORD.replace("service=http", "service=smtp\n    virtualhost=www"),
     LDIRECTORD.replace("service=http", "service=http\n    virtualhost=\"www\"")),
]
SEVERAL_FILES = [
    ("sbd-diskless", {"corosync.conf": COROSYNC, "default/sbd": "#SBD_DEVICE=/dev/sdz\nSBD_PACEMAKER=yes\n"},
     {"corosync.conf": COROSYNC, "default/sbd": 'SBD_DEVICE="/dev/disk/by-id/a"\n'}),
    ("sbd-diskless", {"corosync.conf": COROSYNC, "sysconfig/sbd": 'SBD_DEVICE=""\n'},
     {"corosync.conf": COROSYNC.replace("    two_node: 1\n}\n", DEVICE), "sysconfig/sbd": 'SBD_DEVICE=""\n'}),
    ("corosync-differs", {"a/corosync.conf": COROSYNC, "b/corosync.conf": COROSYNC.replace("3000", "2999")},
     {"a/corosync.conf": COROSYNC, "b/corosync.conf": "# the same\n" + COROSYNC}),
    ("cman-differs", {"a/cluster.conf": CMAN, "b/cluster.conf": CMAN.replace('version="1">', 'version="2">')},
     {"a/cluster.conf": CMAN, "b/cluster.conf": CMAN.replace("  <", "<!-- x --> <")}),
    ("drbd-crm-handler", {"a/etc/drbd.d/r0.res": RES, "a/etc/ha.d/ha.cf": HA_CF},
     {"a/etc/drbd.d/r0.res": RES, "a/etc/ha.d/ha.cf": HA_CF + "crm respawn\n"}),
    ("drbd-crm-handler", {"r0.res": RES, "ha.cf": HA_CF}, {"r0.res": RES}),
    ("drbd-fence-peer", {"drbd.d/global_common.conf": "common { net { fencing dont-care; } }",
                         "drbd.d/r0.res": RES.replace(PEER_9, "")},
     {"drbd.d/global_common.conf": "common {\n" + PEER_9 + "}", "drbd.d/r0.res": RES.replace(PEER_9, "")}),
    ("drbd-include", {"etc/drbd.conf": 'include "/etc/drbd.d/global_common.conf";'},
     {"etc/drbd.conf": 'include "/etc/drbd.d/global_common.conf";', "etc/drbd.d/global_common.conf": ""}),
    ("drbd-include", {"etc/drbd.conf": 'include "drbd.d/r1.res";', "etc/drbd.d/r0.res": RES},
     {"etc/drbd.conf": 'include "drbd.d/r0.res";', "etc/drbd.d/r0.res": RES}),
    ("haresources-node", {"ha.cf": HA_CF, "haresources": HARESOURCES.replace("a drbd", "c drbd")},
     {"ha.cf": HA_CF, "haresources": HARESOURCES.replace("a drbd", "A drbd")}),
    ("haresources-crm", {"ha.cf": HA_CF + "crm on\n", "haresources": HARESOURCES},
     {"ha.cf": HA_CF + "crm off\n", "haresources": HARESOURCES}),
    ("heartbeat-differs", {"a/ha.cf": HA_CF, "b/ha.cf": HA_CF.replace("deadtime 10", "deadtime 9")},
     {"a/ha.cf": HA_CF.replace("ucast eth1 10.0.0.1\n", ""), "b/ha.cf": HA_CF.replace("ucast eth1 10.0.0.2\n", "")}),
    ("heartbeat-differs", {"a/haresources": HARESOURCES, "b/haresources": HARESOURCES + "b Delay::3\n"},
     {"a/haresources": HARESOURCES, "b/haresources": "# a comment\n" + HARESOURCES}),
    ("heartbeat-differs", {"x/a/haresources": HARESOURCES, "x/b/haresources": HARESOURCES + "b Delay::3\n"},
     {"x/a/haresources": HARESOURCES, "y/b/haresources": HARESOURCES + "b Delay::3\n"}),
]


def rules_of(files: dict[str, str]) -> set[str]:
    return {finding.rule for finding in lint.lint_files(files)}


@pytest.mark.parametrize(("rule", "name", "wrong", "right"), ONE_FILE)
def test_a_rule_finds_its_fault_and_not_its_correction(rule, name, wrong, right):
    assert rule in rules_of({name: wrong})
    assert rule not in rules_of({name: right})


@pytest.mark.parametrize(("rule", "wrong", "right"), SEVERAL_FILES)
def test_a_rule_finds_a_fault_between_files(rule, wrong, right):
    assert rule in rules_of(wrong)
    assert rule not in rules_of(right)


def test_the_mode_of_authkeys():
    for mode, expected in ((0o644, {"authkeys-mode"}), (0o600, set())):
        assert {one.rule for one in lint.lint_files({"authkeys": AUTHKEYS}, {"authkeys": mode})} == expected


def test_every_rule_has_a_case():
    assert {case[0] for case in ONE_FILE + SEVERAL_FILES} | {"authkeys-mode", "not-read"} == set(RULES)


@pytest.mark.parametrize("files", [
    {"corosync.conf": COROSYNC}, {"cluster.conf": CMAN}, {"cluster.conf": TWO_NODE}, {"r0.res": RES}, {"r0.res": RES_8},
    {"ha.cf": HA_CF, "haresources": HARESOURCES, "authkeys": AUTHKEYS}, {"ldirectord.cf": LDIRECTORD}])
def test_what_is_right_has_no_finding(files):
    assert [lint.render(one) for one in lint.lint_files(files)
            if one.rule != "cman-single-fence-level"] == []


def test_the_page_of_rules_is_that_of_the_table():
    assert describe_rules() in (ROOT / "docs/lint.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted(path.name for path in FIELD.iterdir()))
def test_files_of_the_field_are_read(folder):
    files = {path.name: path.read_text(encoding="utf-8") for path in (FIELD / folder).iterdir()}
    assert [name for name, text in files.items() if not lint.kind_of(name, text)] == []
    assert "syntax" not in rules_of(files)
