# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role drbd_failover accepts, drbdadm accepts for the driver that runs, and reads as it was meant."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import resource as drbd, role, settings, texts
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import event, given, strategies as st
from real_tools import CASES, folder, inside, run

NODES = ["debian1", "debian2"]
DRIVERS = ["8.4.11", "9.1.23", "9.2.13"]
# Options of DRBD 9.2 and 9.3 that this drbdadm (9.22) does not know yet; it says so before a file is replaced.
NEWER = {"disk": ["block-size", "discard-granularity", "max-bio-size", "peer-tiebreaker", "resync-without-replication"],
         "net": ["load-balance-paths", "tls", "tls-keyring", "tls-privkey", "tls-certificate", "rdma-ctrl-rcvbuf-size",
                 "rdma-ctrl-sndbuf-size"], "options": ["drbd8-api-compatibility"]}
ELSEWHERE = ["resync-after"]  # it names another resource of the host
TEXT = st.one_of(st.sampled_from(["a b", "sha1", "/usr/lib/drbd/x.sh --all", 'a"b', "a\\b", "yes", "10",
                                  "a;b", "{", "#a"]),
                 st.text(st.sampled_from("aZ09 ;{}#'\\/_.-=$%\u00fc\t"), min_size=1, max_size=10))


def value_of(option: str) -> st.SearchStrategy[Any]:
    """Return values of an option, most of which are accepted."""
    if option in settings.CHOICES:
        return st.sampled_from([*settings.CHOICES[option], "nonsense"])
    if option in settings.NUMBERS:
        low, high = settings.NUMBERS[option]
        return st.one_of(st.integers(low, high), st.sampled_from([low - 1, high + 1, low, high, str(low)]))
    if option in settings.SIZES:
        low, high, unit = settings.SIZES[option]
        return st.one_of(st.sampled_from([low, high, high + 1, "1M", "4k", "100M", "1G"]),
                         st.integers(low, high), st.integers(0, 2 ** 30).map(lambda number: f"{number // unit}k"))
    if option in settings.SWITCHES:
        return st.sampled_from([True, False, "yes", "no", "maybe"])
    if option in ("quorum", "quorum-minimum-redundancy"):
        return st.sampled_from(["off", False, 1, "majority"])
    return TEXT


def section(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return a section of some options."""
    options = [option for option in settings.SECTIONS[name].split() if option not in ELSEWHERE + NEWER.get(name, [])]
    return st.lists(st.sampled_from(options).flatmap(lambda option: st.tuples(
        st.sampled_from([option, option.replace("-", "_")]), value_of(option))), max_size=3).map(dict)


@st.composite
def resources(draw: Any) -> dict[str, Any]:
    """Return a resource, some of whose values are refused."""
    six = draw(st.booleans())
    nodes = [{"name": name, "disk": draw(st.sampled_from(["/dev/sdb", "/dev/disk/by-id/scsi-3600:1@x", "/dev/vg/a+b"])),
              "address": f"2001:db8::{number}" if six else f"10.0.0.{number}",
              **draw(st.sampled_from([{}, {}, {"meta_disk": "/dev/sdc[1]"}, {"meta_disk": "/dev/sdc"}]))}
             for number, name in enumerate(NODES, 1)]
    return {"name": draw(st.sampled_from(["repl", "r.0", "2nd", "a-b_c", "repl", "repl", "all"])), "nodes": nodes,
            "device": draw(st.sampled_from(["/dev/drbd0", "/dev/drbd17"])), "port": draw(st.integers(1, 65535)),
            "initial_sync": {"from": "debian1"},
            **draw(st.fixed_dictionaries({}, optional={
                "protocol": st.sampled_from(["A", "B", "C"]),
                "fencing": st.sampled_from(["dont-care", "resource-only"]),
                "resync_rate": st.sampled_from(["100M", "300k", "1G"]),
                **{name: section(name) for name in settings.SECTIONS}}))}


def accepted(resource: dict[str, Any]) -> dict[str, Any] | None:
    """Return the resource as the role reads it, without the options that it refuses; None where it is refused."""
    for _attempt in range(8):
        found, faults = _roles.validate("drbd_failover", {
            "drbd_failover_resources": [resource], "drbd_failover_accept_data_loss": [resource["name"]]}, NODES)
        if not faults:
            return found["drbd_failover_resources"][0]
        for fault in faults:
            place = fault.split(": ")[0].split(".")
            if place[1:] == ["handlers", "fence_peer"]:
                resource.pop("fencing", None)
            elif len(place) < 3 or place[1] not in resource:
                return None
            for spelling in (place[2], place[2].replace("_", "-")):
                resource.get(place[1], {}).pop(spelling, None)
    return None


@pytest.fixture(scope="module", name="place")
def _place() -> Iterator[Path]:
    with folder() as made:
        yield made


def dump(place: Path, text: str, driver: str) -> Any:
    """Have drbdadm read a file as if the driver were loaded."""
    config = place / "drbd.conf"
    config.write_text("global { usage-count no; }\n" + text, encoding="utf-8")
    return run("drbdadm", "-c", inside(config), "dump-xml", DRBD_DRIVER_VERSION_OVERRIDE=driver)


@CASES
@given(drawn=resources(), driver=st.sampled_from(DRIVERS))
def test_drbdadm_accepts_what_the_role_accepts(place: Path, drawn: dict[str, Any], driver: str) -> None:
    resource = accepted(drawn)
    event("refused" if resource is None else "accepted")
    if resource is None:
        return
    try:
        role.check_driver({"drbd_failover_resources": [resource], "drbd_failover_cluster_manager": ""},
                          {"texts": {role.DRIVER: driver}}, "debian1")
    except HaError:
        event("refused for the driver")
        return
    text = texts.render_resource(resource, driver)
    done = dump(place, text, driver)
    assert (done.code, done.err) == (0, ""), f"{driver}\n{text}"
    found = drbd.parse_dump_xml(done.out, resource["name"], "debian1")
    assert (found.device, found.disk, found.peer) == (
        resource["device"], resource["nodes"][0]["disk"], "debian2"), text
    there = {(each.get("name"), option.get("name")): option.get("value")
             for each in ElementTree.fromstring(done.out).iterfind("resource/section") for option in each}
    for name in settings.SECTIONS:
        for option, value in texts.options_of(resource, name).items():
            no = "off" if option.startswith("quorum") else "no"
            expected = ("yes" if value else no) if isinstance(value, bool) else str(value)
            assert there[name, option] == expected, f"{name}.{option}\n{text}\n{done.out}"


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, options in NEWER.items() for option in options])
def test_drbdadm_refuses_options_that_it_does_not_know(place: Path, name: str, option: str) -> None:
    nodes = [{"name": node, "disk": "/dev/sdb", "address": f"10.0.0.{number}"} for number, node in enumerate(NODES, 1)]
    resource = {"name": "repl", "nodes": nodes, "device": "/dev/drbd0", "port": 7788, name: {option: "1"}}
    done = dump(place, texts.render_resource(resource, DRIVERS[-1]), DRIVERS[-1])
    assert done.code != 0 and "Parse error" in done.err
