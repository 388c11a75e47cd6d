# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role pacemaker accepts, the tools of corosync and Pacemaker accept, and read back as it was written."""
from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import PACEMAKER, parse_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._model.resource_groups import parse_groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_fencing,
    cib_plan,
    cib_text,
    corosync_conf,
    crm_tools,
    settings as rules,
)
from fake_pacemaker import EMPTY
from hypothesis import event, given, reject, strategies as st
from real_tools import CASES, folder as new_folder, inside, run

NAMES = ["casper", "melchior", "balthasar", "caspar"]
FIRST = {4: ("192.0.2.1", "127.0.0.1"), 6: ("2001:db8::1", "::1")}  # corosync -t wants one that this host has
HARD = st.text(st.sampled_from("aA0 ~\"'&<>`$\\{}:;#%=|/\u00fc\u65e5\u20ac\t\n"), min_size=1, max_size=12)
SWITCH = st.sampled_from([True, False, "yes", "no", "on", "off", 0, 1])
NUMBER = st.one_of(st.integers(-1, 100), st.integers(500, 20000), st.integers(2 ** 31 - 2, 2 ** 32 + 1))
WORDS = ["none", "aes256", "aes128", "sha256", "md5", "nss", "openssl", "zlib", "lz4", "active", "passive", "ipv4",
         "ipv6", "ipv4-6", "info", "err", "debug", "daemon", "local3", "trace", "hires", "/tmp/corosync.log", "3des",
         "local8"]
VALUE = st.one_of(NUMBER, SWITCH, st.sampled_from(WORDS), HARD)
# A value that is accepted is drawn for each key, and now and then any other.
TOTEM = {"crypto_cipher": ["none", "aes256", "aes192", "aes128"], "crypto_hash": ["none", "md5", "sha1", "sha512"],
         "crypto_model": ["nss", "openssl"], "link_mode": ["passive", "active", "rr"],
         "ip_version": ["ipv4", "ipv6", "ipv4-6", "ipv6-4"], "knet_compression_model": ["zlib", "lz4", "zstd"],
         "block_unlisted_ips": ["yes", False], "cancel_token_hold_on_retransmit": ["no", True]}
LOGGING = {"to_syslog": ["yes", True, "off"], "to_logfile": ["no", False, "on"], "logfile": ["/tmp/corosync-test.log"],
           "debug": [False, "off", "on"], "timestamp": ["hires", True, "off"], "fileline": [False, "off"],
           "function_name": [True, "on"], "syslog_facility": ["daemon", "local7", "user"],
           "syslog_priority": ["info", "err", "error"], "logfile_priority": ["debug", "warning", "emerg"]}


def _settings_of(keys: Any, usual: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    right = {key: st.sampled_from(usual[key]) if key in usual else st.integers(0, 6000) for key in keys}
    pair = st.sampled_from(sorted(keys)).flatmap(lambda key: st.tuples(
        st.just(key), st.one_of(*[right[key]] * 9, VALUE)))
    return st.lists(pair, max_size=5).map(dict)


def _chosen(**variables: Any) -> dict[str, Any]:
    return {"pacemaker_" + name: value for name, value in {
        "cluster_name": "magi", "start_timeout": 300, "groups": [], **variables}.items()}


def _accepted(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without those that the role refuses, so that few cases are for nothing."""
    for _attempt in range(6):
        faults = rules.check_settings(chosen, NAMES)
        if not faults:
            return chosen
        event("some are refused")
        chosen = copy.deepcopy(chosen)
        for name, place, key in {match.groups() for match in map(FAULT.match, faults) if match}:
            if key and isinstance(chosen[name], dict) and key in chosen[name]:
                del chosen[name][key]
            elif place and name == "pacemaker_groups" and int(place) < len(chosen[name]):
                gone = chosen[name].pop(int(place))["name"]
                for group in chosen[name]:
                    group["after"] = None if group["after"] == [gone] else group["after"]
            elif place and name == "pacemaker_nodes":
                chosen[name][int(place)]["fencing"] = []
            elif name in USUAL:
                chosen[name] = copy.deepcopy(USUAL[name])
    return reject()


FAULT = re.compile(r"(pacemaker_[a-z_]+)(?:\[(\d+)\])?(?:\.([a-z_-]+))?")
USUAL: dict[str, Any] = {"pacemaker_" + name: value for name, value in {
    "totem": {}, "logging": {}, "multicast": {}, "quorum_device": None, "groups": [], "properties": {},
    "sbd": {"devices": ["/dev/disk/by-id/x"]}, "two_node": None, "transport": "auto", "without_fencing": False,
    "fence_devices": [
        {"name": "pdu", "agent": "fence_dummy"}, {"name": "ipmi", "agent": "fence_dummy", "options": {}}]}.items()}


# --- corosync -------------------------------------------------------------------------------------------------------

@st.composite
def _memberships(draw: Any) -> dict[str, Any]:
    count, version, links = draw(st.integers(1, 4)), draw(st.sampled_from([4, 4, 6])), draw(st.sampled_from([1, 1, 2]))
    start = FIRST[version][0][:-1]
    nodes = [{"name": NAMES[number - 1], "id": number, "addresses": [f"{start}{number}", f"10.0.0.{number}"][:links]}
             for number in range(1, count + 1)]
    if draw(st.booleans()):
        nodes[-1]["votes"] = draw(st.integers(1, 3))
    heuristics = st.lists(st.fixed_dictionaries({"program": st.one_of(
        st.just("/bin/ping -c1 x: y"), HARD)}), max_size=2)
    device = st.fixed_dictionaries({
        "host": st.sampled_from(["192.0.2.99", "nas.example"]), "algorithm": st.sampled_from(["lms", "ffsplit"]),
        "tls": st.sampled_from(["on", True, "off", "required"]), "heuristics": heuristics,
        "options": _settings_of([*corosync_conf.NET, *corosync_conf.DEVICE], {
            "force_ip_version": [0, 4, 6], "keep_active_partition_tie_breaker": [True, "off"]})})
    multicast = st.fixed_dictionaries({}, optional={
        "address": st.sampled_from(["239.192.6.41", "ff15::41"]), "port": st.sampled_from([5405, 6000]),
        "ttl": st.integers(1, 255)})
    return _chosen(nodes=nodes, without_fencing=True, transport=draw(st.sampled_from(["auto", "knet", "udpu", "udp"])),
                   multicast=draw(st.one_of(st.just({}), multicast)),
                   two_node=draw(st.sampled_from([None, None, False])),
                   quorum_device=draw(st.one_of(st.none(), device)),
                   totem=draw(_settings_of(corosync_conf.TOTEM, TOTEM)),
                   logging=draw(_settings_of(corosync_conf.LOGGING, LOGGING)))


@pytest.fixture(scope="module", name="folder")
def _folder() -> Iterator[Path]:
    with new_folder() as made:
        (made / "key").write_bytes(bytes(range(256)))
        yield made


@CASES
@given(chosen=_memberships())
def test_corosync_accepts_what_the_role_accepts(folder: Path, chosen: dict[str, Any]) -> None:
    chosen = _accepted(chosen)
    text = corosync_conf.render_conf(parse_cluster(chosen, PACEMAKER))
    places = corosync_conf.parse_conf(text)
    for there, here in FIRST.values():
        text = re.sub(r"(ring0_addr: )%s$" % re.escape(there), r"\g<1>" + here, text, flags=re.MULTILINE)
    text = re.sub(r"^(\s*ring1_addr: )10\.0\.0\.1$", r"\g<1>127.0.0.2", text, flags=re.MULTILINE)
    text = text.replace("\tversion: 2\n", f"\tversion: 2\n\tkeyfile: {inside(folder)}/key\n")
    conf = folder / "corosync.conf"
    conf.write_text(f"{text}\nsystem {{\n\tstate_dir: {inside(folder)}\n}}\n", encoding="utf-8")
    code, out, err = run("corosync", "-t", "-c", inside(conf))
    assert code == 0, f"{out}{err}\n{text}"
    for place, value in places.items():
        assert value == value.strip() and value, f"{place} would be read as another text"
    assert {place.split(".")[0] for place in places} <= {"totem", "interface", "node", "quorum", "logging"}


# --- Pacemaker ------------------------------------------------------------------------------------------------------

IDS = st.sampled_from(["web", "db", "web-ha-on-casper", "db-clone", "w.x", "_a", "A1"])
TEXT = st.one_of(st.just("plain"), HARD, st.sampled_from([
    "a & b", 'Ausfall f\u00fcr "web"', "f\u00fcr alle", "1", "10s"]))
PARAMETERS = st.dictionaries(st.sampled_from(["state", "fake", "op_sleep", "\u00fcx", "a&b"]), TEXT, max_size=3)
SECONDS = st.sampled_from([None, 1, 30, 600])


@st.composite
def _resources(draw: Any, number: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(["ip", "filesystem", "service", "mail", "lvm", "agent", "agent"]))
    inner: dict[str, Any] = {
        "ip": {"address": draw(st.sampled_from(["192.0.2.%d/24", "192.0.2.%d", "2001:db8::%d/64"])) % (number + 10)},
        "filesystem": {"device": f"/dev/vg/{number}", "mountpoint": f"/mnt/{number}", "fstype": "ext4",
                       "options": draw(st.sampled_from([None, "noatime,acl", 'a"b', "\u00fc&"])),
                       "force_unmount": draw(st.sampled_from([None, True, False, "safe"]))},
        "service": {"name": f"s{number}@x"}, "mail": {"to": ["root"], "subject": draw(TEXT)},
        "lvm": {"group": f"vg{number}"},
        "agent": {"name": draw(st.sampled_from(["ocf:heartbeat:Dummy", "ocf:pacemaker:Dummy", "ocf:linbit:drbd"])),
                  "parameters": draw(PARAMETERS)}}[kind]
    options = {"name": draw(st.sampled_from([None, None, f"r{number}", "web"])),
               "monitor": {"interval": draw(SECONDS), "timeout": draw(SECONDS)}, "stop": {"timeout": draw(SECONDS)}}
    return {kind: inner, "options": options}


@st.composite
def _groups(draw: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place, name in enumerate(draw(st.lists(IDS, unique=True, max_size=3))):
        everywhere = draw(st.sampled_from([None, None, True]))
        drbd = draw(st.lists(st.sampled_from(["repl", "2nd"]), unique=True))
        nodes = st.permutations(NAMES[:2]) if drbd else st.lists(st.sampled_from(NAMES[:3]), unique=True, min_size=1)
        found.append({
            "name": name, "nodes": draw(nodes), "resources": [
                {"drbd": {"resource": each, "wfc_timeout": len(each)}} for each in drbd] + [
                draw(_resources(10 * place + number)) for number in range(draw(st.integers(1, 3)))],
            "everywhere": None if drbd else everywhere, "restricted": draw(st.sampled_from([None, True])),
            "failback": draw(st.sampled_from([None, True, False])), "restarts": draw(st.sampled_from([None, None, 3])),
            "recovery": draw(st.sampled_from([None, "restart", "relocate", "disable", "fence"])),
            "restart_window": draw(SECONDS), "autostart": draw(st.sampled_from([None, False])),
            "after": [found[0]["name"]] if found and draw(st.booleans()) else None})
    return found


@st.composite
def _clusters(draw: Any) -> dict[str, Any]:
    options = st.dictionaries(st.sampled_from(["ip", "passwd", "pcmk_delay_base", "method"]), TEXT, max_size=3)
    devices = [{"name": name, "agent": "fence_dummy", "options": draw(options)} for name in ("pdu", "ipmi")]
    uses = st.lists(st.fixed_dictionaries({"device": st.sampled_from(["pdu", "ipmi"])}, optional={
        "options": st.dictionaries(st.sampled_from(["port", "plug", "extra"]), TEXT, max_size=2)}),
        min_size=1, max_size=2)
    levels = st.lists(st.fixed_dictionaries({"devices": uses}), max_size=2)
    nodes = [{"name": name, "id": number, "fencing": draw(levels)} for number, name in enumerate(NAMES[:3], 1)]
    sbd = draw(st.sampled_from([{"devices": ["/dev/disk/by-id/y"]}, {"timeouts": {"watchdog": 10}}]))
    properties = st.dictionaries(st.sampled_from([
        "no-quorum-policy", "stonith-timeout", "stonith-action", "site", "maintenance-mode"]), st.one_of(
            st.sampled_from(["freeze", "stop", "ignore", "90s", "2min", "reboot", "off", True]), TEXT), max_size=2)
    return _chosen(nodes=nodes[:draw(st.integers(2, 3))], fence_devices=devices, sbd=sbd, groups=draw(_groups()),
                   properties=draw(properties), without_fencing=False)


def _declared(chosen: dict[str, Any]) -> cib_text.Declared:
    cluster = parse_cluster(chosen, PACEMAKER)
    return cib_text.Declared(
        parse_groups(chosen["pacemaker_groups"]), cib_fencing.parse_fencing(rules.fencing_of(cluster, "RedHat")),
        (("properties", cib_fencing.parse_settings(rules.cluster_properties(cluster), "properties")),))


SCHEMAS = st.sampled_from(["pacemaker-3.0", "pacemaker-3.9"])


@st.composite
def _pairs(draw: Any) -> dict[str, Any]:
    """Return two nodes with groups that use DRBD resources, each several of them and together the same ones."""
    nodes = [{"name": name, "id": number} for number, name in enumerate(NAMES[:2], 1)]
    groups = []
    for name in draw(st.lists(st.sampled_from(["web", "db", "drbd-repl"]), unique=True, min_size=1)):
        used = draw(st.lists(st.sampled_from(["repl", "2nd", "a.b"]), unique=True))
        chain = [{"drbd": {"resource": each, "wfc_timeout": len(each)}} for each in used]
        groups.append({
            "name": name, "nodes": draw(st.permutations(NAMES[:2])), "restricted": draw(st.booleans()),
            "resources": draw(st.permutations([*chain, {"service": {"name": name}}])),
            "failback": draw(st.sampled_from([None, True, False]))})
    return _chosen(nodes=nodes, groups=groups, without_fencing=True, fence_devices=[], sbd=None, properties={})


@CASES
@given(chosen=_pairs(), schema=SCHEMAS)
def test_pacemaker_keeps_drbd_resources_as_they_are_declared(folder: Path, chosen: dict[str, Any], schema: str) -> None:
    assert rules.check_settings(chosen, NAMES) == []
    _check_kept(folder, chosen, schema)


@CASES
@given(chosen=_clusters(), schema=SCHEMAS)
def test_pacemaker_keeps_what_the_role_accepts(folder: Path, chosen: dict[str, Any], schema: str) -> None:
    _check_kept(folder, _accepted(chosen), schema)


def _check_kept(folder: Path, chosen: dict[str, Any], schema: str) -> None:
    """Check that Pacemaker takes the configuration as it is, and that the next run has no changes."""
    empty = cib.parse_cib(EMPTY.replace("pacemaker-3.9", schema))
    cib.set_value(cib.section(empty, "crm_config"), "cluster_property_set", "have-watchdog", "true", "",
                  "cib-bootstrap-options")
    final = cib_plan.apply(empty, _declared(chosen), {})
    code, _out, err = run("crm_verify", "--xml-pipe", "-V", text=cib.render_cib(final))
    errors = [line for line in crm_tools.parse_complaints(err) if line.startswith("error")]
    assert not errors and (not code or "error" not in err), f"{err}\n{cib.render_cib(final)}"
    file = folder / "cib.xml"
    file.write_text(cib.render_cib(empty))
    code, _out, err = run("cibadmin", "--patch", "--xml-pipe", text=cib.make_patch(empty, final), CIB_file=inside(file))
    assert code == 0, err
    code, out, err = run("cibadmin", "--query", CIB_file=inside(file))
    assert code == 0, err
    there = cib.parse_cib(out)
    assert cib.canonical(there.find("configuration")) == cib.canonical(final.find("configuration"))
    assert cib.make_patch(there, cib_plan.apply(there, _declared(chosen), {})) == "", "the next run has no changes"


def _online(root: Any, promotable: str) -> Any:
    """Return a CIB in which both nodes are online, and their DRBD is up to date."""
    root.set("have-quorum", "1")
    root.set("dc-uuid", "1")
    cib.set_value(cib.section(root, "crm_config"), "cluster_property_set", "stonith-enabled", "false", "", "options")
    for number, name in enumerate(NAMES[:2], 1):
        state = cib.ET.SubElement(root.find("status"), "node_state", {
            "id": str(number), "uname": name, "in_ccm": "true", "crmd": "online", "join": "member",
            "expected": "member"})
        known = cib.ET.SubElement(cib.ET.SubElement(state, "transient_attributes", {"id": str(number)}),
                                  "instance_attributes", {"id": f"status-{number}"})
        cib.ET.SubElement(known, "nvpair", {"id": f"status-{number}-score", "name": "master-" + promotable,
                                            "value": "10000"})
        cib.ET.SubElement(cib.ET.SubElement(state, "lrm", {"id": str(number)}), "lrm_resources")
    return root


def _two_online() -> Any:
    return _online(cib.parse_cib(EMPTY.replace('<node id="3" uname="balthasar"/>', "")), "drbd-repl")


def _simulated(root: Any, folder: Path) -> tuple[set[str], Any]:
    """Return what Pacemaker would do in this state, and the state that follows."""
    file = folder / "cib.xml"
    code, out, err = run("crm_simulate", "--xml-pipe", "--simulate", "--output-as=xml", "-O", inside(file),
                         text=cib.render_cib(root), CIB_shadow_dir=inside(folder))
    assert code == 0, err
    return set(crm_tools.parse_simulation(out, {})), cib.parse_cib(file.read_text())


@pytest.mark.parametrize("drbd", [True, False])
@pytest.mark.parametrize("members", [1, 8, 30])
def test_the_commands_of_administrators_move_a_group_that_stays_where_it_is(
        drbd: bool, members: int, folder: Path) -> None:
    dummies = [{"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": f"s{number}"}}}
               for number in range(members)]
    group = {"name": "web", "nodes": NAMES[:2], "failback": False,
             "resources": [{"drbd": {"resource": "repl"}}] * drbd + dummies}
    declared = cib_text.Declared(parse_groups([group]), None, ())

    def move_to(root: Any, node: str) -> tuple[set[str], Any]:
        """Move the group as crm_resource --move does, and clear that."""
        cib.ET.SubElement(cib.section(root, "constraints"), "rsc_location", {
            "id": "cli-prefer-web", "rsc": "web", "role": "Started", "node": node, "score": "INFINITY"})
        done, moved = _simulated(root, folder)
        cib.section(moved, "constraints").remove(cib.find_id(moved, "cli-prefer-web"))
        return done, moved

    _done, root = _simulated(cib_plan.apply(_two_online(), declared, {}), folder)
    done, moved = move_to(root, "melchior")
    assert {line for line in done if line.startswith("move")} == {
        f"move web-Dummy{'' if number == 0 else f'-{number + 1}'} from casper to melchior" for number in range(members)}
    assert _simulated(moved, folder)[0] == set(), "it stays when the constraint is cleared"
    forever = cib.find_group(moved, "web")[0]
    cib.set_value(forever, "meta_attributes", "resource-stickiness", "INFINITY")
    assert _simulated(moved, folder)[0] == set()
    assert _simulated(cib_plan.apply(moved, declared, {}), folder)[0] == set(), "the new stickiness moves nothing"
    done, _back = move_to(moved, "casper")
    assert done == set(), "with INFINITY both nodes have the same score"


@pytest.mark.parametrize("failback", [True, None, False])
@pytest.mark.parametrize("count", [1, 4, 8])
def test_a_group_stays_whatever_the_groups_that_run_with_it_prefer(
        count: int, failback: bool | None, folder: Path) -> None:
    def dummy(name: str, failback: bool | None, after: list[str]) -> dict[str, Any]:
        return {"name": name, "nodes": NAMES[:2], "after": after, "failback": failback,
                "resources": [{"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": name}}}]}

    groups = [dummy("base", False, []), *(dummy(f"with{number}", failback, ["base"]) for number in range(count))]
    declared = cib_text.Declared(parse_groups([
        {key: value for key, value in each.items() if value not in (None, [])} for each in groups]), None, ())
    _done, root = _simulated(cib_plan.apply(_two_online(), declared, {}), folder)
    cib.ET.SubElement(cib.section(root, "constraints"), "rsc_location", {
        "id": "lost", "rsc": "base", "node": NAMES[0], "score": "-INFINITY"})
    done, moved = _simulated(root, folder)
    assert len({line for line in done if line.startswith("move")}) == count + 1
    cib.section(moved, "constraints").remove(cib.find_id(moved, "lost"))
    assert _simulated(moved, folder)[0] == set(), "it stays when its first node is back"
    cib.set_value(cib.find_group(moved, "base")[0], "meta_attributes", "resource-stickiness", "INFINITY")
    assert _simulated(cib_plan.apply(moved, declared, {}), folder)[0] == set(), "and when INFINITY is replaced"


def test_pacemaker_does_with_drbd_resources_what_is_predicted(folder: Path) -> None:
    groups = [{"name": name, "nodes": nodes, "failback": False, "resources": [
        {"drbd": {"resource": "repl"}}, {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": name}}}]}
        for name, nodes in (("web", NAMES[:2]), ("db", NAMES[1::-1]))]
    empty = _two_online()

    def after(root: Any, declared: list[dict[str, Any]], moves: dict[str, str]) -> tuple[set[str], Any]:
        return _simulated(cib_plan.apply(root, cib_text.Declared(parse_groups(declared), None, ()), moves), folder)

    done, root = after(empty, groups, {})
    assert done == {"start and promote drbd-repl on casper", "start drbd-repl on melchior", "start web-Dummy on casper",
                    "start db-Dummy on casper"}
    assert after(root, groups, {})[0] == set()
    done, moved = after(root, [{"name": "db", "state": "enabled", "running_on": "melchior"}], {"db": "melchior"})
    assert done == {"demote drbd-repl on casper", "promote drbd-repl on melchior",
                    "move web-Dummy from casper to melchior", "move db-Dummy from casper to melchior"}
    assert after(moved, groups, {})[0] == set(), "it stays when the constraints are gone"
    stop = cib_plan.stop(moved, cib_text.Declared(parse_groups([
        {"name": name, "state": "absent"} for name in ("web", "db")]), None, ()), {
            "web": ["web-Dummy"], "db": ["db-Dummy"], "drbd-repl-clone": ["drbd-repl"]})
    done, _gone = after(stop, [], {})
    assert {line.split(" (", maxsplit=1)[0] for line in done} == {
        "stop web-Dummy on melchior", "stop db-Dummy on melchior", "demote and stop drbd-repl on melchior",
        "stop drbd-repl on casper"}
