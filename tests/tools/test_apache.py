# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role apache accepts, apache accepts, and reads it as the virtual host that was meant."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._apache import role
from hypothesis import event, given, strategies as st
from real_tools import CASES, accepted, folder, inside, run

HARD = st.text(st.sampled_from("aZ09./-_:@ \"'\\<>*?[]${}%#\t\n\u00fc&;,"), min_size=1, max_size=12)
PATHS = st.one_of(st.just("/var/www/html"), HARD.map("/".__add__), HARD.map("/a#".__add__))
LISTEN = st.one_of(st.sampled_from(["*:80", "127.0.0.1:8080", "[::1]:81", "localhost:82", "*:0", "80", "*:65536",
                                    "[zz]:80", "1.2.3.4.5:80", "-:80", "[::ffff:127.0.0.1]:83",
                                    "[127.0.0.1]:84", "[1::2::3]:80"]),
                  st.text(st.sampled_from("*:[]0129. \n"), min_size=1, max_size=12))
PROCESSES = st.dictionaries(st.sampled_from(["MaxRequestWorkers", "StartServers", "Timeout", "ServerLimit"]),
                            st.one_of(st.integers(0, 500), st.integers(-1, 10 ** 12)), max_size=3)
VARIABLES = st.fixed_dictionaries({"server_name": st.one_of(st.just("www.example.com"), HARD)}, optional={
    "listen": st.lists(LISTEN, max_size=3, unique=True), "server_admin": st.one_of(st.just("root@localhost"), HARD),
    "document_root": PATHS, "processes": PROCESSES})
MODULES = ["mpm_prefork", "authz_core", "authz_host", "env", "alias", "dir", "filter", "mime"]
# What Debian's configuration has before the sites, as far as a site depends on it.
AROUND = """ServerRoot /etc/apache2
ServerName localhost
PidFile {place}/pid
DefaultRuntimeDir {place}
ErrorLog {place}/error.log
TypesConfig /dev/null
Listen 80
{modules}
LogFormat "%h" combined
"""
DEBIAN = role.PLATFORMS["Debian"]


@pytest.fixture(scope="module", name="place")
def _place() -> Iterator[Path]:
    with folder() as made:
        yield made


def read(place: Path, site: str) -> Any:
    """Have apache read a site; -S makes it print the virtual hosts."""
    modules = "\n".join(f"LoadModule {name}_module {DEBIAN.modules}/mod_{name}.so" for name in MODULES)
    config = place / "apache2.conf"
    config.write_text(AROUND.format(place=inside(place), modules=modules) + site, encoding="utf-8")
    return run("apache2", "-t", "-S", "-f", inside(config))


@CASES
@given(chosen=VARIABLES)
def test_apache_accepts_what_the_role_accepts(place: Path, chosen: dict[str, Any]) -> None:
    settings = accepted("apache", chosen)
    event("refused" if settings is None else "accepted")
    if settings is not None:
        site = role.render_site(settings, DEBIAN, "debian1")
        done = read(place, site)
        assert done.code == 0, f"{done.err}\n{site}"
        if not settings["apache_server_name"].startswith(("http:", "https:")):
            name = re.sub(r"^[a-z]+://|:[0-9]+$", "", settings["apache_server_name"])
            assert name in done.out, f"{done.out}\n{site}"


@pytest.mark.parametrize("line", ["Listen 127.0.0.1:0x", "<VirtualHost *:80>", "Nonsense 1", "<Directory /a b>"])
def test_apache_refuses_what_is_wrong(place: Path, line: str) -> None:
    assert read(place, line + "\n").code != 0
