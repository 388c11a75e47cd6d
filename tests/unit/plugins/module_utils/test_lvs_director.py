# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Directors: what is refused, what is written and started, and that a right host is left alone."""
from __future__ import annotations

import shutil
import signal
import subprocess

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.host_output import Address
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import director as room, services as lvs_table

WWW = {"name": "www", "virtual": "192.168.0.3:80", "scheduler": "wlc", "checktype": "connect",
       "real": [{"address": "192.168.0.4"}]}
GOOD = {"lvs_director_services": [WWW], "lvs_director_globals": {}, "lvs_director_boot": False,
        "lvs_director_monitor": "ldirectord", "lvs_director_drain_limit": 300,
        "lvs_director_sync": {"syncid": 1, "interface": "eth0", "group": None}, "lvs_director_modules": ["ip_vs_ftp"],
        "lvs_director_sysctls": {"net.ipv4.ip_forward": "1", "net.ipv4.vs.sync_threshold": "3 50"}}
ADDRESSES = (Address("lo", "127.0.0.1", 8, "lo"), Address("eth0", "192.168.0.1", 24, "eth0"))
INSTALLED = {room.PACKAGED_UNIT: {"LoadState": "loaded", "UnitFileState": "disabled"},
             room.IPVSADM_UNIT: {"LoadState": "loaded", "UnitFileState": "generated"}}


def change(**changes):
    return {**GOOD, **{"lvs_director_" + name: value for name, value in changes.items()}}


def host(files=None, units=None, addresses=ADDRESSES):
    return room.Host(files or {}, INSTALLED if units is None else units, addresses)


def after(steps, before):
    """Return the host that the steps lead to."""
    files = {**before.files, **{file.dest: file.content for file in steps.files}}
    for path in steps.remove:
        files.pop(path, None)
    for setting in steps.settings:
        name, value = setting.split("=")
        files["/proc/sys/" + name.replace(".", "/")] = value.replace(" ", "\t") + "\n"
    files[room.LOADED] = files.get(room.LOADED, "") + "".join(name + " 1 0\n" for name in steps.modules)
    started = {name: {"ActiveState": "active", "UnitFileState": "enabled"} for name in steps.start + steps.enable}
    units = {**before.units, **started}
    units = {**units, **{name: {**units[name], "UnitFileState": "disabled"} for name in steps.disable}}
    return before._replace(files=files, units=units)


def plan(settings, where):
    return room.plan_director(room.goal_of(settings), where)


@pytest.mark.parametrize("changes", [{}, {"sync": None}, {"sync": {}}, {"sync": {
    "syncid": 255, "interface": "bond0.7", "states": ["backup"], "group": "ff02::81", "port": 8848, "ttl": 1,
    "maxlen": 1400}}])
def test_good_settings_have_no_problem(changes):
    assert room.check_settings(change(**changes), ["frontal1"]) == []


@pytest.mark.parametrize(("changes", "says"), [
    ({"services": [{**WWW, "virtual": "192.168.0.3:0"}]}, "lvs_director_services[0].virtual has port 0"),
    ({"globals": {"checkinterval": 0}}, "lvs_director_globals.checkinterval is 0"),
    ({"sync": {"syncid": 0, "interface": "eth0"}}, "lvs_director_sync.syncid is 0, which means any farm"),
    ({"sync": {"syncid": 256, "interface": "eth0"}}, "lvs_director_sync.syncid is 256; expected 1 to 255"),
    ({"sync": {"syncid": 1, "interface": "eth 0"}}, "lvs_director_sync.interface is 'eth 0'"),
    ({"sync": {"syncid": 1, "interface": "eth0", "states": []}}, "lvs_director_sync.states is 'empty'"),
    ({"sync": {"syncid": 1, "interface": "eth0", "states": ["slave"]}}, "lvs_director_sync.states is 'slave'"),
    ({"sync": {"syncid": 1, "interface": "eth0", "group": "192.168.0.9"}}, "lvs_director_sync.group is '192.168.0.9'"),
    ({"sync": {"syncid": 1, "interface": "eth0", "group": "all"}}, "lvs_director_sync.group is 'all'"),
    ({"sync": {"syncid": 1, "interface": "eth0", "port": 0}}, "lvs_director_sync.port is 0"),
    ({"sync": {"syncid": 1, "interface": "eth0", "ttl": 256}}, "lvs_director_sync.ttl is 256"),
    ({"sync": {"syncid": 1, "interface": "eth0", "maxlen": 0}}, "lvs_director_sync.maxlen is 0"),
    ({"sysctls": {"ip_forward": "1"}}, "lvs_director_sysctls has 'ip_forward'"),
    ({"sysctls": {"net.ipv4.ip_forward": "yes"}}, "lvs_director_sysctls.net.ipv4.ip_forward is 'yes'"),
    ({"monitor": "static", "services": [{**WWW, "real": [{"address": "reel1"}]}]},
     "lvs_director_services[0].real[0].address is 'reel1'; expected an address"),
    ({"drain_limit": -1}, "lvs_director_drain_limit is -1; expected seconds"),
    ({"services": [{**WWW, "real": [{"address": "192.168.0.4", "state": "drained"}]}]},
     "lvs_director_services[0].real: every state is 'drained'"),
    ({"services": [{**WWW, "real": [{"address": "192.168.0.4"}, {"address": "reel2", "state": "drained"}]}]},
     "lvs_director_services[0].real[1].address is 'reel2' and its state 'drained'; expected an address"),
    ({"modules": ["ip_vs;reboot"]}, "lvs_director_modules has 'ip_vs;reboot'"),
])
def test_a_wrong_value_is_named(changes, says):
    problems = room.check_settings(change(**changes), [])
    assert any(says in problem for problem in problems), problems


def test_a_bare_director_gets_everything_in_one_go():
    steps = plan(GOOD, host(units={}))
    assert steps.missing
    assert [file.dest for file in steps.files] == [room.MODULES_FILE, room.SYSCTL_FILE, room.SYNC_FILE,
                                                   room.RULES_FILE, room.TABLE_FILE, "/etc/ha.d/www.cf",
                                                   room.BOOT_FILE, room.AGENT]
    assert steps.modules == ("ip_vs", "ip_vs_wlc", "ip_vs_ftp")
    assert steps.settings == ("net.ipv4.ip_forward=1", "net.ipv4.vs.sync_threshold=3 50")
    assert steps.start == (room.SYNC_UNIT,)
    assert steps.reload == ()


@pytest.mark.parametrize("changes", [{}, {"boot": True}, {"sync": None}, {"services": [dict(WWW, state="absent")]},
                                     {"monitor": "static"}])
def test_a_host_that_is_right_is_left_alone(changes):
    settings = change(**changes)
    steps = plan(settings, after(plan(settings, host()), host()))
    assert not any(steps._replace(table=())), steps  # the table is the module's


def test_the_synchronisation_runs_both_ways_with_one_syncid():
    text = room.render_sync({"syncid": 1, "interface": "eth0"})
    assert "ExecStart=/sbin/ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1\n" in text
    assert "ExecStart=/sbin/ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1\n" in text
    assert "Wants=network-online.target sys-subsystem-net-devices-eth0.device\n" in text


def test_the_synchronisation_takes_every_option():
    text = room.render_sync({"syncid": 2, "interface": "eth0", "states": ["master"], "maxlen": 1400,
                             "group": "224.0.0.9", "port": 9000, "ttl": 2})
    starts = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert starts == ["ExecStart=/sbin/ipvsadm --start-daemon master --mcast-interface eth0 --syncid 2 --sync-maxlen "
                      "1400 --mcast-group 224.0.0.9 --mcast-port 9000 --mcast-ttl 2"]


def test_a_changed_service_is_taken_over_by_a_running_ldirectord():
    there = after(plan(GOOD, host()), host())
    steps = plan(change(services=[{**WWW, "scheduler": "wrr"}]), there)
    assert steps.reload == ("www",)
    assert steps.modules == ("ip_vs_wrr",)
    assert steps.start == ()


def test_a_service_that_goes_is_stopped_and_its_file_removed():
    there = after(plan(GOOD, host()), host())
    steps = plan(change(services=[{**WWW, "state": "absent"}], sync=None), there)
    assert steps.stop == ("www",)
    assert steps.remove == ("/etc/ha.d/www.cf", room.SYNC_FILE)
    assert steps.stop_sync


def test_a_service_that_goes_leaves_nothing_in_the_kernels_table_of_the_director_that_runs_it():
    steps = plan(change(services=[{**WWW, "state": "absent"}]), running(WWW, GOOD))
    assert steps.stop == ("www",)
    assert steps.table == ({"address": "192.168.0.3", "port": 80, "protocol": "tcp", "state": "absent"},)


def agent(folder, *arguments):
    """Run the agent with another /run and another ldirectord, which fails without its configuration."""
    (folder / "ldirectord").write_text("#!/bin/sh\necho asked; exit 1\n")
    (folder / "ldirectord").chmod(0o755)
    text = room.AGENT_TEXT.replace("/run/", "%s/" % folder).replace("/usr/sbin/", "%s/" % folder)
    done = subprocess.run(["sh", "-c", text, "agent", *arguments], stdout=subprocess.PIPE, check=False)
    return done.stdout, done.returncode


@pytest.mark.parametrize("config", ["second.cf", "/etc/ha.d/second.cf"])
def test_the_agent_stops_ldirectord_without_its_configuration(tmp_path, config):
    with subprocess.Popen(["ldirectord", "60"], executable=shutil.which("sleep")) as running:
        (tmp_path / "ldirectord.second.cf.pid").write_text("%d\n" % running.pid)
        assert agent(tmp_path, config, "stop") == (b"", 0)
        assert running.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("pid", [None, "", "1\n", "999999999\n"])
def test_the_agent_stops_nothing_but_ldirectord(tmp_path, pid):
    if pid is not None:
        (tmp_path / "ldirectord.second.cf.pid").write_text(pid)
    assert agent(tmp_path, "second.cf", "stop") == (b"", 0)
    assert agent(tmp_path, "second.cf", "status") == (b"asked\n", 1)


def test_what_a_check_needs_is_loaded_before_it_can_be_given_up():
    for name in ("HTTP::Config", "URI::http", "LWP::Protocol::http", "HTML::HeadParser", "IO::Uncompress::Gunzip"):
        assert "-M" + name in room.PERL_MODULES
    assert '\nEnvironment="PERL5OPT=%s"\n' % room.PERL_MODULES in room.BOOT_TEXT


def test_the_agent_has_systemd_run_ldirectord_which_starts_it_again_when_it_was_killed(tmp_path):
    (tmp_path / "systemctl").write_text('#!/bin/sh\necho systemctl "$@"\n')
    (tmp_path / "systemctl").chmod(0o755)
    environment = {"PATH": "%s:/usr/bin:/bin" % tmp_path}
    for config in ("www.cf", "/etc/ha.d/www.cf"):
        for verb in ("start", "stop"):
            argv = ["sh", "-c", room.AGENT_TEXT, "agent", config, verb]
            said = subprocess.run(argv, stdout=subprocess.PIPE, env=environment, check=True).stdout.decode()
            assert said == "systemctl %s lvs-ldirectord@www.service\n" % verb
    assert "\nRestart=on-failure\n" in room.BOOT_TEXT


def test_one_director_starts_ldirectord_itself():
    steps = plan(change(boot=True), host())
    assert steps.start == (room.SYNC_UNIT, "lvs-ldirectord@www.service")
    assert room.BOOT_FILE in [file.dest for file in steps.files]
    assert room.AGENT not in [file.dest for file in steps.files]


def test_the_package_s_own_service_is_taken_out_of_boot():
    steps = plan(GOOD, host(units={room.PACKAGED_UNIT: {"LoadState": "loaded", "UnitFileState": "enabled"}}))
    assert steps.disable == (room.PACKAGED_UNIT,)


def test_a_file_with_a_password_is_for_root_only_and_never_shown():
    service = {**WWW, "checktype": "negotiate", "service": "mysql", "request": "select 1", "login": "a", "passwd": "b",
               "database": "c"}
    steps = plan(change(services=[service]), host())
    assert steps.secret == ("/etc/ha.d/www.cf",)
    assert next(file.mode for file in steps.files if file.dest in steps.secret) == "0600"


def test_an_address_of_no_network_is_refused():
    steps = plan(change(services=[{**WWW, "virtual": "10.9.9.9:80"}]), host())
    assert "lvs_director_services[0].virtual is '10.9.9.9:80', which lies in no network" in steps.refusals[0]


def test_what_is_looked_at():
    goal = room.goal_of(GOOD)
    assert {"/etc/ha.d/www.cf", "/proc/sys/net/ipv4/ip_forward", "/proc/modules"} <= set(room.list_files(goal))
    assert room.list_units(goal)[0] == room.SYNC_UNIT
    assert room.list_units(goal)[-1] == "lvs-ldirectord@www.service"


STATIC = [
    {**WWW, "persistent": 60, "netmask": "255.255.255.0", "real": [
        {"address": "192.168.0.4", "to": "192.168.0.5", "weight": 2, "lower": 5, "upper": 9, "port": None}]},
    {"name": "sip", "virtual": "[2001:db8::3]:5060", "protocol": "udp", "ops": True, "scheduler": "sh",
     "schedflags": "sh-port", "persistent": 9, "checktype": "connect", "real": [
         {"address": "2001:db8::4", "port": 5061, "forward": "masq"}]},
    {"name": "mark", "virtual": "7", "checktype": "on", "real": [{"address": "192.168.0.4", "forward": "ipip"}]},
    {"name": "old", "state": "absent", "virtual": "192.168.0.3:81"}, {"name": "older", "state": "absent"},
]


def test_a_static_table_for_the_module():
    table = lvs_table.table_of(STATIC)
    assert table[0]["servers"] == [
        {"address": "192.168.0.%d" % number, "port": 80, "forward": "gate", "weight": 2, "lower_threshold": 5,
         "upper_threshold": 9} for number in (4, 5)]
    assert table[0]["persistence"] == {"timeout": 60, "netmask": "255.255.255.0"}
    assert (table[1]["flags"], table[1]["one_packet"], table[1]["protocol"]) == (["sh-port"], True, "udp")
    assert table[2]["fwmark"] == 7
    assert table[3] == {"address": "192.168.0.3", "port": 81, "protocol": "tcp", "state": "absent"}
    assert len(table) == 4


def test_a_static_table_for_the_next_boot():
    assert lvs_table.render_rules(STATIC).splitlines() == [
        "-A -t 192.168.0.3:80 -s wlc -p 60 -M 255.255.255.0",
        "-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 2 -x 9 -y 5",
        "-a -t 192.168.0.3:80 -r 192.168.0.5:80 -g -w 2 -x 9 -y 5",
        "-A -u [2001:db8::3]:5060 -s sh -b sh-port -p 9 -o",
        "-a -u [2001:db8::3]:5060 -r [2001:db8::4]:5061 -m -w 1",
        "-A -f 7 -s wrr",
        "-a -f 7 -r 192.168.0.4:0 -i -w 1",
    ]


def test_a_static_director_has_no_ldirectord():
    there = after(plan(GOOD, host()), host())
    steps = plan(change(monitor="static"), there)
    assert steps.stop == ("www",)
    assert steps.remove == ("/etc/ha.d/www.cf", room.BOOT_FILE, room.AGENT)
    assert plan(change(monitor="static"), host()).enable == (room.TABLE_UNIT,)


def test_the_table_is_filled_before_ldirectord_takes_over_and_left_to_it_then():
    there = after(plan(GOOD, host()), host())
    assert "    cleanstop = no\n" not in there.files["/etc/ha.d/www.cf"]  # it is a global directive here
    assert "\ncleanstop = no\n" in there.files["/etc/ha.d/www.cf"]
    assert plan(GOOD, there).table[0]["address"] == "192.168.0.3"
    assert plan(GOOD, there._replace(files={**there.files, "/run/ldirectord.www.cf.pid": "77\n"})).table == ()
    assert plan(change(boot=True), there).table == ()


def test_a_table_has_no_names():
    assert plan(change(services=[{**WWW, "real": [{"address": "reel1"}]}]), host()).table == ()


TWO = {**WWW, "real": [{"address": "192.168.0.4", "weight": 3}, {"address": "192.168.0.5", "weight": 2}]}
LEAVING = {**TWO, "real": [TWO["real"][0], {**TWO["real"][1], "state": "drained"}]}


def running(service, settings):
    """Return a director on which ldirectord runs what the settings say."""
    where = host()
    where = after(plan(settings, where), where)
    return where._replace(files={**where.files, room.RUNNING % service["name"]: "4711\n"})


def test_a_drained_server_gets_nothing_new_is_waited_for_and_then_leaves_the_file():
    steps = plan(change(services=[LEAVING]), running(TWO, change(services=[TWO])))
    (calm,) = steps.calm
    (final,) = [file for file in steps.files if file.dest == "/etc/ha.d/www.cf"]
    assert calm.dest == final.dest
    assert "real = 192.168.0.5:80 gate 0" in calm.content
    assert "real = 192.168.0.4:80 gate 3" in calm.content
    assert "192.168.0.5" not in final.content
    assert steps.reload == ("www",)
    assert [(entry["purge"], [server["address"] for server in entry["servers"]]) for entry in steps.drain] == [
        (False, ["192.168.0.5"])]
    assert steps.drain[0]["servers"][0]["state"] == "drained"


def test_what_was_drained_is_left_alone():
    settings = change(services=[LEAVING])
    steps = plan(settings, running(TWO, settings))
    assert (steps.calm, steps.drain, steps.files) == ((), (), ())


@pytest.mark.parametrize("settings", [
    change(services=[TWO]),                                      # nothing is to be drained
    change(services=[{"name": "www", "state": "absent"}]),       # the whole service goes
    change(services=[LEAVING], monitor="static"),                # the module has the whole table
])
def test_nothing_else_is_drained(settings):
    assert plan(settings, running(TWO, change(services=[TWO]))).drain == ()


def test_where_ldirectord_does_not_run_the_table_says_what_is_to_be_drained():
    where = host()
    where = after(plan(change(services=[TWO]), where), where)
    steps = plan(change(services=[LEAVING]), where)
    assert steps.drain == ()
    assert [server.get("state") for server in steps.table[0]["servers"]] == [None, "drained"]


def test_the_table_of_the_next_boot_has_no_drained_server():
    assert "192.168.0.5" not in lvs_table.render_rules([LEAVING])
    assert "192.168.0.4" in lvs_table.render_rules([LEAVING])


def test_what_a_killed_run_left_untold_counts_as_changed():
    there = after(plan(GOOD, host()), host())
    noted = there._replace(files={**there.files, room.NOTE: "/etc/ha.d/www.cf\n" + room.SYNC_FILE + "\n"})
    steps = plan(GOOD, noted)
    assert (steps.noted, steps.files, steps.reload, steps.start) == (True, (), ("www",), (room.SYNC_UNIT,))
