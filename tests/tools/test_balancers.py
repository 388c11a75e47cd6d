# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role lvs_director accepts, ldirectord and keepalived accept, and ldirectord reads it as it was meant."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import test_lvs_keepalived as of_keepalived
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import director_role, ipvs, ldirectord
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import event, given, strategies as st
from real_tools import CASES, ENVIRONMENT, command, folder, inside, run

TEXT = st.one_of(st.sampled_from(["index.html", "I am (alive|well)", '{"a": 1}', 'a "b" c', "a, b", "\\x23"]),
                 st.text(st.sampled_from("/ab z\"',={}[]\\:;#$@%&\t\u00fc"), min_size=1, max_size=10))
REALS = st.fixed_dictionaries({"address": st.sampled_from(["192.168.0.%d", "10.0.0.%d"])}, optional={
    "port": st.sampled_from([80, 8080, 0, 65535]), "forward": st.sampled_from(["gate", "masq", "ipip"]),
    "weight": st.one_of(st.integers(0, 100), st.sampled_from([65535, 65536, -1])), "request": TEXT, "receive": TEXT,
    "lower": st.integers(0, 5), "upper": st.integers(0, 9), "state": st.sampled_from(["enabled", "drained"]),
    "to": st.sampled_from(["192.168.0.%d", "10.0.0.9"])})
SERVICES = st.fixed_dictionaries({"virtual": st.sampled_from([
    "192.168.1.3:80", "192.168.1.3:443", "192.168.1.3:53", "7", "[2001:db8::3]:80"]),
    "checktype": st.sampled_from(["connect", "negotiate", "ping", "on", "off", "external", "3"]),
    "service": st.sampled_from(["http", "https", "smtp", "mysql", "radius", "dns", "none"]),
    "request": TEXT}, optional={
        "receive": TEXT, "protocol": st.sampled_from(["tcp", "udp", "fwm"]), "persistent": st.integers(0, 3000000),
        "netmask": st.sampled_from(["255.255.255.0", "255.0.255.0", "64"]), "ops": st.booleans(), "login": TEXT,
        "passwd": TEXT, "database": TEXT, "secret": TEXT, "virtualhost": TEXT, "checkcommand": st.sampled_from([
            "/bin/true", "/bin/true a b", '/bin/a "b"', "true"]), "checkport": st.integers(0, 65536),
        "checktimeout": st.integers(0, 100), "failurecount": st.integers(0, 9), "quiescent": st.booleans(),
        "cleanstop": st.booleans(), "fallback": st.sampled_from(["127.0.0.1", "127.0.0.1:80", "[::1]:80 masq", "a b"]),
        "fallbackcommand": st.sampled_from(["/bin/true", "/bin/true x"]), "comment": TEXT, "servicename": TEXT,
        "scheduler": of_keepalived.SCHEDULERS, "emailalert": st.lists(st.sampled_from(["root", "a@b.c", "a b"])),
        "httpmethod": st.sampled_from(["GET", "HEAD"]), "smtp": st.sampled_from(["mail.example.org", "a b"]),
        "monitorfile": st.sampled_from(["/var/log/a.log", "a"]), "load": TEXT})
GLOBALS = st.fixed_dictionaries({}, optional={
    "checktimeout": st.integers(1, 60), "logfile": st.sampled_from(["/var/log/l.log", "local0"]),
    "quiescent": st.booleans(), "fallback": st.sampled_from(["127.0.0.1:80", "localhost", "a b"]),
    "autoreload": st.booleans(),
    "emailalertstatus": st.lists(st.sampled_from(["all", "none", "running", "bad"]), max_size=2)})
# The directives that ldirectord keeps under their names, as text.
KEPT = ("checkcommand", "checkport", "checktimeout", "cleanstop", "comment", "database", "failurecount",
        "fallbackcommand", "httpmethod", "load", "login", "monitorfile", "netmask", "ops", "passwd", "persistent",
        "quiescent", "receive", "request", "scheduler", "secret", "service", "servicename", "smtp", "virtualhost")


@pytest.fixture(scope="module", name="place")
def _place() -> Iterator[Path]:
    with folder() as made:
        yield made


@pytest.fixture(scope="module", name="read")
def _read(place: Path) -> Iterator[Callable[[str], str]]:
    """Return a function that has ldirectord read a file, and returns what it read, as JSON, or its error."""
    shutil.copy(Path(__file__).with_name("ldirectord_reader.pl"), place)
    config = place / "www.cf"
    argv = command("perl", f"{inside(place)}/ldirectord_reader.pl")
    with subprocess.Popen(argv, text=True, encoding="utf-8", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=ENVIRONMENT) as reader:
        assert reader.stdin and reader.stdout

        def ask(text: str) -> str:
            config.write_text(text, encoding="utf-8")
            reader.stdin.write(inside(config) + "\n")
            reader.stdin.flush()
            return reader.stdout.readline()

        yield ask
        reader.stdin.close()


def declared(chosen: dict[str, Any]) -> tuple[director_role.Desired, ldirectord.Declared] | None:
    """Return the service as the role reads it; None where it is refused."""
    found, faults = _roles.validate("lvs_director", chosen, ["frontal1"])
    if faults:
        return None
    desired = director_role.desired_of(found)
    return desired, desired.services[0]


@st.composite
def variables(draw: Any) -> dict[str, Any]:
    """Return the variables of the role with one service, some of which are refused."""
    service = draw(SERVICES)
    six = service["virtual"][0] == "["
    reals = [draw(REALS) for _number in range(draw(st.integers(1, 3)))]
    for number, real in enumerate(reals, 4):
        real["address"] = "2001:db8::%d" % number if six else real["address"] % number
        if "%" in real.get("to", ""):
            real["to"] = real["to"] % (number + draw(st.integers(0, 1)))
    service.update({"mysql": {"login": "a", "passwd": "b", "database": "c"}, "radius": {"secret": "d"}}.get(
        service["service"], {}) if draw(st.booleans()) else {})
    if service["checktype"] == "external":
        service.setdefault("checkcommand", "/bin/true")
    for name in draw(st.sets(st.sampled_from(sorted(service)), max_size=2)) - {"virtual"}:
        del service[name]
    return {"lvs_director_services": [{"name": "www", "real": reals, **service}], "lvs_director_globals": draw(GLOBALS)}


FAULT = re.compile(r"lvs_director_(services\[0\]|globals)(?:\.real\[(\d+)\])?(?:\.([a-z]+))?")


def fewer(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the variables without the words that are refused, so that few cases are for nothing."""
    for _attempt in range(8):
        _found, faults = _roles.validate("lvs_director", chosen, ["frontal1"])
        for place, real, word in {match.groups() for match in map(FAULT.match, faults) if match}:
            owner = chosen["lvs_director_globals"] if place == "globals" else chosen["lvs_director_services"][0]
            owner = owner["real"][int(real)] if real else owner
            if word in ("virtual", "address", "real"):
                return chosen
            owner.pop(word, None)
    return chosen


@CASES
@given(chosen=variables())
def test_ldirectord_reads_what_the_role_accepts_as_it_was_meant(
        read: Callable[[str], str], chosen: dict[str, Any]) -> None:
    found = declared(fewer(chosen))
    event("refused" if found is None else "accepted")
    if found is None:
        return
    desired, service = found
    text = ldirectord.render_config(service, desired.common)
    answer = read(text)
    assert answer.startswith("[{"), f"{answer}\n{text}"
    (there,) = json.loads(answer)
    six = service.key.family == 6
    if service.key.protocol == "fwmark":
        assert (there["protocol"], there["fwm"]) == ("fwm", str(service.key.port))
    else:
        endpoint = f"{there['server']}:{there['port']}"
        assert (there["protocol"], endpoint) == (
            service.key.protocol, ipvs.endpoint_of(service.key.address, service.key.port)), text
    for name in KEPT:
        value = service.given.get(name)
        if value is not None:
            expected = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            expected = "/" + expected.lstrip("/") if name == "request" else expected
            kept = str(there[name])
            if name not in ldirectord.QUOTED:
                kept, expected = kept.strip(), expected.strip()
            assert ("/" + kept.lstrip("/") if name == "request" else kept) == expected, f"{name}\n{text}"
    reals = {(real["server"].strip("[]"), int(real["port"] or 0)): real for real in there["real"]}
    expected = service.want.service.servers
    assert set(reals) == set(expected), text
    for place, server in expected.items():
        real = reals[place]
        assert (real["forward"], int(real["weight"])) == (server.forward, server.weight), text
        assert int(real.get("u-threshold") or 0) == (server.upper or 0), text
    assert six is (there["addressfamily"] == 10)


@pytest.mark.parametrize("line", ["virtual = 1.2.3:80", "nonsense = 1", "virtual = 10.0.0.1:80\n    protocol = x",
                                  "virtual = 10.0.0.1:80\n    real = 10.0.0.2:80 gate 1 x"])
def test_ldirectord_refuses_what_is_wrong(place: Path, read: Callable[[str], str], line: str) -> None:
    assert "Error" in read(line + "\n")
    assert run("ldirectord", inside(place / "www.cf"), "stop").code != 0


@CASES
@given(drawn=of_keepalived.services())
def test_keepalived_accepts_what_the_role_accepts(place: Path, drawn: dict[str, Any]) -> None:
    text = of_keepalived.text_of([drawn])
    event("accepted" if text else "refused")
    if text:
        config = place / "keepalived.conf"
        # Only the services: the interfaces of VRRP are not those of this machine.
        config.write_text("global_defs {\n    script_user root\n    enable_script_security\n}\n"
                          + text[text.index("# The service "):], encoding="utf-8")
        done = run("keepalived", "-t", "-C", "-f", inside(config))
        assert (done.code, done.err) == (0, ""), text
