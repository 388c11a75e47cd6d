# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans for IPVS, carried out on a model of it that refuses what the kernel refuses."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ipvs, ipvs_plan
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs import Daemon, Key, Server, Service, State
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs_plan import Restore, WaitDrained
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs_settings import Desired, DesiredService, Sync
from hypothesis import given, strategies as st

WEB = Key("tcp", "192.168.0.3", 80, 4)
DNS = Key("udp", "2001:db8::3", 53, 6)
MARK = Key("fwmark", "", 7, 4)


class Kernel:
    """IPVS as it answers to lines of ipvsadm. Written from ipvsadm's manual, without the code that is tested."""

    def __init__(self, state: State) -> None:
        self.table: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = {}
        self.daemons: set[str] = set()
        for line in ipvs.render_state(state).splitlines():
            self.obey(line)

    def obey(self, line: str) -> None:
        command, *words = line.split()
        if command == "--set":
            return
        if command in ("--start-daemon", "--stop-daemon"):
            assert (words[0] in self.daemons) == (command == "--stop-daemon"), line
            (self.daemons.remove if command == "--stop-daemon" else self.daemons.add)(words[0])
            return
        end = 3 if words[2:3] == ["-6"] else 2
        name, rest = " ".join(words[:end]), words[end:]
        if command == "-A":
            assert name not in self.table, line
            self.table[name] = (tuple(rest), {})
        elif command == "-E":
            self.table[name] = (tuple(rest), self.table[name][1])
        elif command == "-D":
            del self.table[name]
        else:
            servers = self.table[name][1]
            assert rest[0] == "-r"
            assert (rest[1] in servers) == (command in ("-e", "-d")), line
            if command == "-d":
                del servers[rest[1]]
            else:
                servers[rest[1]] = tuple(rest[2:])

    def serving(self) -> set[str]:
        """Return the services with a server that takes new connections."""
        return {name for name, (_words, servers) in self.table.items()
                if any(words[2] != "0" for words in servers.values())}


def lines_of(actions: Any) -> list[str]:
    return [line for action in actions if isinstance(action, Restore) for line in action.lines]


def wanting(services: dict[Key, Service], **values: Any) -> Desired:
    all_services = {key: DesiredService(service, purge=True) for key, service in services.items()}
    return Desired(all_services, purge=True, **values)


def farms() -> st.SearchStrategy[dict[Key, Service]]:
    """Few keys and few values, so that two farms have much in common."""
    server = st.builds(Server, st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), st.just(80),
                       st.sampled_from(["gate", "ipip"]), st.sampled_from([0, 1, 10]), st.sampled_from([0, 5]),
                       st.just(0), st.just(""))
    servers = st.lists(server, max_size=3).map(lambda found: {each[:2]: each for each in found})
    service = st.builds(Service, st.sampled_from(["rr", "wlc"]), st.just(()), st.sampled_from([0, 300]), st.just(""),
                        st.just(""), st.booleans(), servers)
    return st.dictionaries(st.sampled_from([WEB, DNS, MARK, MARK._replace(family=6)]), service)


@given(farms())
def test_a_converged_table_has_no_actions(farm):
    state = State(farm, ipvs.Timeouts(1, 2, 3), (Daemon("master", "eth0", 1),))
    sync = Sync(("master",), "eth0", 1)
    plan = ipvs_plan.plan_table(state, wanting(farm, timeouts=ipvs.Timeouts(1, 0, 3), sync=sync))
    assert plan == ((), state)
    assert ipvs_plan.difference(state, plan.predicted) == ("", "")


@given(farms(), farms())
def test_a_plan_leads_to_the_desired_table_and_never_leaves_a_service_without_servers(before, after):
    state = State(before)
    plan = ipvs_plan.plan_table(state, wanting(after))
    assert plan.predicted.services == after
    kernel, end = Kernel(state), Kernel(State(after))
    always = kernel.serving() & end.serving()
    for line in lines_of(plan.actions):
        kernel.obey(line)
        assert kernel.serving() >= always, line
    assert kernel.table == end.table


@given(farms(), farms(), st.booleans(), st.sampled_from(["", "keep_weights", "keep_quiesced"]), st.booleans())
def test_the_predicted_table_needs_no_second_run(before, after, purge, keep, wait):
    services = {}
    for key, service in after.items():
        names = list(service.servers)
        staying = dict(list(service.servers.items())[2:])
        services[key] = DesiredService(service._replace(servers=staying), True, tuple(names[:1]), tuple(names[1:2]))
    desired = Desired(services, purge=purge, wait=wait, **{keep: True} if keep else {})
    state = State(before, active={(key, name): 3 for key, have in before.items() for name in have.servers})
    plan = ipvs_plan.plan_table(state, desired)
    assert ipvs_plan.plan_table(plan.predicted, desired).actions == ()
    kernel = Kernel(state)
    for line in lines_of(plan.actions):
        kernel.obey(line)
    assert kernel.table == Kernel(plan.predicted).table


FARM = Service("wlc", (), 0, "", "", False, {
    ("10.0.0.1", 80): Server("10.0.0.1", 80), ("10.0.0.2", 80): Server("10.0.0.2", 80, "gate", 5, 100, 50)})


def plan_web(service: Service, have: Service = FARM, active: Any = None, **values: Any) -> Any:
    names = ("keep_weights", "keep_quiesced", "wait", "drain_limit", "purge")
    options = {name: values.pop(name) for name in names if name in values}
    return ipvs_plan.plan_table(State({WEB: have}, active=active or {}),
                                Desired({WEB: DesiredService(service, **values)}, **options))


def with_servers(*servers: Server) -> Service:
    return FARM._replace(servers={server[:2]: server for server in servers})


def test_one_changed_weight_is_one_line():
    plan = plan_web(with_servers(Server("10.0.0.2", 80, "gate", 50, None, None)))
    assert lines_of(plan.actions) == ["-e -t 192.168.0.3:80 -r 10.0.0.2:80 -g -w 50 -x 100 -y 50"]
    assert plan.actions[0].sentence == "change server 10.0.0.2:80 of tcp 192.168.0.3:80: weight 50 (was 5)"


def test_weights_that_a_monitor_owns_stay_but_new_servers_get_theirs():
    plan = plan_web(with_servers(Server("10.0.0.2", 80, "gate", 50, None, None), Server("10.0.0.3", 80, weight=7)),
                    keep_weights=True)
    assert lines_of(plan.actions) == ["-a -t 192.168.0.3:80 -r 10.0.0.3:80 -g -w 7"]


def test_a_server_that_a_monitor_found_dead_stays_so_and_the_others_get_their_weights():
    have = with_servers(Server("10.0.0.1", 80, weight=0), Server("10.0.0.2", 80, weight=5))
    plan = plan_web(with_servers(Server("10.0.0.1", 80, weight=3), Server("10.0.0.2", 80, weight=0)), have,
                    keep_quiesced=True)
    assert lines_of(plan.actions) == ["-e -t 192.168.0.3:80 -r 10.0.0.2:80 -g -w 0"]


def test_servers_that_are_not_named_stay_without_purge():
    assert plan_web(with_servers()).actions == ()
    assert lines_of(plan_web(with_servers(), purge=False, absent=(("10.0.0.1", 80),)).actions) == [
        "-d -t 192.168.0.3:80 -r 10.0.0.1:80"]


def test_a_service_is_changed_in_place():
    plan = plan_web(FARM._replace(scheduler="sh", flags=("sh-port",), timeout=300))
    assert lines_of(plan.actions) == ["-E -t 192.168.0.3:80 -s sh -p 300 -b sh-port"]
    assert plan.actions[0].sentence == ("change service tcp 192.168.0.3:80: scheduler sh (was wlc), flags sh-port (was "
                                        "none), timeout 300 (was 0)")


def test_a_tunnel_of_another_kind_stays_as_it_was_set():
    gue = Server("10.0.0.9", 80, "ipip", 1, 0, 0, "--tun-type gue --tun-port 6080")
    have = with_servers(gue)
    assert lines_of(plan_web(with_servers(gue._replace(weight=2, tunnel="")), have).actions) == [
        "-e -t 192.168.0.3:80 -r 10.0.0.9:80 -i -w 2 --tun-type gue --tun-port 6080"]
    assert lines_of(plan_web(with_servers(gue._replace(forward="gate", tunnel="")), have).actions) == [
        "-e -t 192.168.0.3:80 -r 10.0.0.9:80 -g -w 1"]


def test_a_drained_server_gets_weight_0_is_waited_for_and_removed():
    plan = plan_web(with_servers(), drained=(("10.0.0.2", 80), ("10.0.0.7", 80)), drain_limit=60)
    drained = (WEB, ("10.0.0.2", 80))
    assert plan.actions == (
        Restore("change server 10.0.0.2:80 of tcp 192.168.0.3:80: weight 0 (was 5)",
                ("-e -t 192.168.0.3:80 -r 10.0.0.2:80 -g -w 0 -x 100 -y 50",)),
        WaitDrained("wait at most 60 s for the connections of server 10.0.0.2:80 of tcp 192.168.0.3:80 to end",
                    (drained,), 60),
        Restore("remove server 10.0.0.2:80 of tcp 192.168.0.3:80", ("-d -t 192.168.0.3:80 -r 10.0.0.2:80",)))
    assert list(plan.predicted.services[WEB].servers) == [("10.0.0.1", 80)]


def test_draining_goes_on_where_an_earlier_run_was_stopped():
    idle = with_servers(Server("10.0.0.2", 80, weight=0))
    name = ("10.0.0.2", 80)
    busy = plan_web(with_servers(), idle, active={(WEB, name): 2}, drained=(name,))
    assert [type(action) for action in busy.actions] == [WaitDrained, Restore]
    assert [type(action) for action in plan_web(with_servers(), idle, drained=(name,)).actions] == [Restore]


def test_without_waiting_a_drained_server_stays_until_it_is_idle():
    name = ("10.0.0.2", 80)
    first = plan_web(with_servers(), drained=(name,), wait=False)
    assert len(first.actions) == 1
    assert first.predicted.services[WEB].servers[name].weight == 0
    still = plan_web(with_servers(), with_servers(Server(*name, weight=0)), active={(WEB, name): 1}, drained=(name,),
                     wait=False)
    assert still.actions == ()
    assert ipvs_plan.count_active(State({}, active={(WEB, name): 1}), ((WEB, name), (DNS, name))) == {(WEB, name): 1}


def test_services_are_removed_by_name_or_by_purge_but_not_those_that_ldirectord_keeps():
    state = State({WEB: FARM, DNS: FARM, MARK: FARM})
    plan = ipvs_plan.plan_table(state, Desired({DNS: DesiredService(FARM, present=False)}))
    assert lines_of(plan.actions) == ["-D -u [2001:db8::3]:53"]
    assert ipvs_plan.plan_table(plan.predicted, Desired({DNS: DesiredService(FARM, present=False)})).actions == ()
    assert lines_of(ipvs_plan.plan_table(state, Desired({}, purge=True, spared=frozenset([MARK]))).actions) == [
        "-D -t 192.168.0.3:80", "-D -u [2001:db8::3]:53"]


def test_timeouts_are_set_without_touching_those_that_are_not_given():
    plan = ipvs_plan.plan_table(State({}), Desired({}, ipvs.Timeouts(0, 0, 60)))
    assert lines_of(plan.actions) == ["--set 900 120 60"]
    assert plan.actions[0].sentence == "set the timeouts: udp 60 s (was 300 s)"
    assert ipvs_plan.plan_table(plan.predicted, Desired({}, ipvs.Timeouts(0, 0, 60))).actions == ()


def test_daemons_are_started_stopped_and_restarted():
    both = Sync(("master", "backup"), "eth0", 1)
    fresh = ipvs_plan.plan_table(State({}), Desired({}, sync=both))
    assert lines_of(fresh.actions) == ["--start-daemon master --mcast-interface eth0 --syncid 1",
                                       "--start-daemon backup --mcast-interface eth0 --syncid 1"]
    assert fresh.predicted.daemons[0] == Daemon("master", "eth0", 1, None, "224.0.0.81", 8848, 1)
    other = ipvs_plan.plan_table(fresh.predicted, Desired({}, sync=Sync(("master",), "eth0", 1, ttl=2)))
    assert lines_of(other.actions) == ["--stop-daemon master", "--stop-daemon backup",
                                       "--start-daemon master --mcast-interface eth0 --syncid 1 --mcast-ttl 2"]
    assert ipvs_plan.plan_table(State({}), Desired({}, sync=Sync(()))).actions == ()


def test_the_difference_shows_only_what_changes():
    state = State({WEB: FARM, DNS: FARM}, ipvs.Timeouts(900, 120, 300), (Daemon("master", "eth0", 1),))
    plan = ipvs_plan.plan_table(state, Desired({
        WEB: DesiredService(with_servers(Server("10.0.0.1", 80, weight=3))), MARK: DesiredService(with_servers())}))
    before, after = ipvs_plan.difference(state, plan.predicted)
    assert before.splitlines() == [
        "-A -t 192.168.0.3:80 -s wlc", "-a -t 192.168.0.3:80 -r 10.0.0.1:80 -g -w 1",
        "-a -t 192.168.0.3:80 -r 10.0.0.2:80 -g -w 5 -x 100 -y 50"]
    assert after == before.replace("-w 1", "-w 3") + "-A -f 7 -s wlc\n"
    plan = ipvs_plan.plan_table(state, Desired({}, ipvs.Timeouts(0, 0, 60), Sync(())))
    assert ipvs_plan.difference(state, plan.predicted) == (
        "--set 900 120 300\n--start-daemon master --mcast-interface eth0 --syncid 1\n", "--set 900 120 60\n")


@pytest.mark.parametrize(("servers", "needed"), [
    ((Server("10.0.0.1", 80, upper=None, lower=None),), False),
    ((Server("10.0.0.1", 80, weight=2, upper=None, lower=None),), True),
    ((Server("10.0.0.1", 80, upper=5),), True),
    ((Server("10.0.0.3", 80, upper=None, lower=None),), False)])
def test_thresholds_are_read_only_when_they_matter(servers, needed):
    desired = Desired({WEB: DesiredService(with_servers(*servers))})
    assert ipvs_plan.needs_details(ipvs_plan.plan_table(State({WEB: FARM}), desired), desired) == needed


@pytest.mark.parametrize(("key", "service", "plain"), [
    (WEB, FARM, False), (WEB, with_servers(Server("10.0.0.1", 80, upper=None, lower=None)), True),
    (WEB, with_servers()._replace(scheduler="sh"), False), (WEB, with_servers()._replace(flags=("flag-1",)), False),
    (WEB, with_servers()._replace(timeout=300), False), (MARK, with_servers(), False)])
def test_only_what_the_kernel_prints_is_compared_with_its_own_table(key, service, plain):
    assert ipvs_plan.is_plain(Desired({key: DesiredService(service)})) == plain


def test_removing_an_idle_server_asks_for_its_connections_first():
    desired = Desired({WEB: DesiredService(with_servers(), drained=(("10.0.0.1", 80),))})
    idle = State({WEB: with_servers(Server("10.0.0.1", 80, weight=0))})
    assert ipvs_plan.needs_details(ipvs_plan.plan_table(idle, desired), desired)


def test_many_changes_are_shortened_and_planned_quickly():
    services = {Key("tcp", "10.1.%d.%d" % divmod(number, 250), 80, 4): FARM for number in range(3000)}
    plan = ipvs_plan.plan_table(State({}), wanting(services))
    assert len(plan.actions[0].lines) == 9000
    assert plan.actions[0].sentence.endswith("; and 2980 more")
