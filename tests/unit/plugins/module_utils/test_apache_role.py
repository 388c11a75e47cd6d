# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role apache changes on a host, from its variables and the gathered facts."""
from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._apache import role
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

DEBIAN = {"os_family": "Debian", "distribution": "Debian"}
EL9 = {"os_family": "RedHat", "distribution": "CentOS"}
RUNNING = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
NOTHING = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
FOLDER = dict(NOTHING, kind="folder", mode=0o755, owner="root", group="root")
SITE = "/etc/apache2/sites-enabled/000-cluster.conf"
RELOAD = ["systemctl", "try-reload-or-restart", "apache2.service"]
PAIR = {"document_root": "/mnt/repl", "document_root_mount": "/mnt/repl", "boot": False, "first_page": "<h1>",
        "server_name": "www"}
EXPECTED = """\
# Ansible managed
Listen 127.0.0.1:8080
Listen 81
<IfModule !include_module>
  LoadModule include_module /usr/lib/apache2/modules/mod_include.so
</IfModule>
Ab 1
MaxRequestWorkers 10
ThreadLimit 2
<VirtualHost 127.0.0.1:8080 *:81 *:80>
  ServerName www
  ServerAdmin webmaster@localhost
  DocumentRoot /mnt/repl
  # Pages can show which machine serves them.
  SetEnv SERVED_BY a
  <Directory /mnt/repl>
    Options +Includes -Indexes
    AddOutputFilter INCLUDES .html
    Require all granted
  </Directory>
  ErrorLog /var/log/apache2/error.log
  CustomLog /var/log/apache2/access.log combined
  A b
  C d
</VirtualHost>
"""


def settings(**changes: Any) -> dict[str, Any]:
    valid, problems = _roles.validate("apache", {"apache_" + name: value for name, value in changes.items()}, [])
    assert problems == []
    return valid


def bare(desired: dict[str, Any], system: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the facts of a host without apache."""
    query = role.query(desired)
    return {"os": system or DEBIAN, "pending": {}, "files": {path: dict(NOTHING) for path in query["files"]},
            "mounts": dict.fromkeys(query["mounts"], False), "packages": dict.fromkeys(query["packages"], ""),
            "units": {name: {"LoadState": "not-found"} for name in query["units"]}}


def converged(desired: dict[str, Any], system: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the facts of that host after the plans of the role and of its first page were carried out."""
    facts = bare(desired, system)
    plan = role.plan(desired, {"a": facts}, "a")
    for file in plan["files"]["files"] + role.plan_page(desired, {"a": facts}, "a")["files"]["files"]:
        facts["files"][file["dest"]] = dict(
            FOLDER, kind="file", mode=0o644, content=hashlib.sha256(file["content"].encode()).hexdigest())
    facts["files"][desired["apache_document_root"]] = dict(FOLDER)
    facts["packages"][plan["package"]] = "2.4"
    facts["units"][plan["service"] + ".service"] = dict(RUNNING)
    return facts


def test_a_bare_host_gets_apache_and_the_site():
    plan = role.plan(settings(), {"a": bare(settings())}, "a")
    assert plan["changes"] == [
        "install apache2", "write the state file: apache has to be reloaded", "write " + SITE,
        "reload apache", "remove the state file: apache is reloaded",
        "start apache2 and enable it at boot"]
    assert (plan["package"], plan["installed"], plan["start"]) == ("apache2", False, True)
    assert plan["files"]["take_over"]["argv"] == RELOAD


@pytest.mark.parametrize("system", [DEBIAN, EL9])
@pytest.mark.parametrize("changes", [{}, {"first_page": "x"}, PAIR, {"boot": False}])
def test_a_converged_host_has_no_changes(system, changes):
    facts = converged(settings(**changes), system)
    for plan in (role.plan, role.plan_page):
        assert plan(settings(**changes), {"a": facts}, "a")["changes"] == []


@pytest.mark.parametrize("damage, change", [
    (lambda facts: facts["units"]["apache2.service"].update(ActiveState="inactive"),
     "start apache2 and enable it at boot"),
    (lambda facts: facts["units"]["apache2.service"].update(UnitFileState="disabled"),
     "start apache2 and enable it at boot"),
    (lambda facts: facts["packages"].update(apache2=""), "install apache2"),
    (lambda facts: facts["files"][SITE].update(content="other"), "replace " + SITE),
    (lambda facts: facts["files"].update({SITE: NOTHING}), "write " + SITE),
    (lambda facts: facts["pending"].update(apache=SITE + "\n"), "reload apache"),
])
def test_each_difference_is_a_change(damage, change):
    facts = converged(settings())
    damage(facts)
    assert change in role.plan(settings(), {"a": facts}, "a")["changes"]


def test_where_a_cluster_manager_starts_apache_it_may_be_stopped():
    facts = converged(settings(boot=False))
    facts["units"]["apache2.service"] = {}
    assert role.plan(settings(boot=False), {"a": facts}, "a")["changes"] == []


def test_the_site_is_rendered_as_before():
    desired = settings(listen=["127.0.0.1:8080", "*:81", "*:80"], directives=["A b", "C d"], document_root="/mnt/repl",
                       processes={"ThreadLimit": 2, "MaxRequestWorkers": 10, "Ab": 1}, server_name="www")
    assert role.render_site(desired, role.PLATFORMS["Debian"], "a") == EXPECTED
    assert "ServerName b\n" in role.render_site(settings(), role.PLATFORMS["Debian"], "b")
    red_hat = role.render_site(desired, role.PLATFORMS["RedHat"], "a")
    assert "LoadModule include_module modules/mod_include.so" in red_hat


def test_a_new_site_is_checked_after_the_others_and_a_changed_one_in_place():
    def check(facts: dict[str, Any]) -> list[str]:
        file = role.plan(settings(), {"a": facts}, "a")["files"]["files"][0]
        assert file["check_in_place"]
        return file["check"]

    assert check(bare(settings())) == ["/usr/sbin/apache2ctl", "-t", "-c", "Include %s"]
    assert check(converged(settings())) == ["/usr/sbin/apache2ctl", "-t"]


@pytest.mark.parametrize("name, shown", [("SUSE", "SUSE"), ("", "unknown")])
def test_other_platforms_are_refused(name, shown):
    with pytest.raises(HaError, match="the operating system is %s; expected one of the Debian" % shown):
        role.platform_of({"os_family": "Suse", "distribution": name})


def page(desired: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    return role.plan_page(desired, {"a": facts}, "a")


def test_the_first_page_is_written_only_where_its_filesystem_is_mounted():
    desired = settings(**PAIR)
    facts = bare(desired)
    assert page(desired, facts)["changes"] == []
    facts["mounts"]["/mnt/repl"] = True
    assert page(desired, facts)["changes"] == ["write /mnt/repl/index.html"]
    assert page(desired, facts)["files"]["directories"] == []
    assert page(desired, facts)["files"]["files"][0]["mount"] == "/mnt/repl"
    facts["files"]["/mnt/repl/index.html"] = dict(FOLDER, kind="file", content="other")
    assert page(desired, facts)["changes"] == []                  # a page of any text stays


def test_without_a_mount_point_the_page_gets_its_folder():
    desired = settings(first_page="<h1>", document_root="/srv/www/")
    assert page(desired, bare(desired))["changes"] == ["create the directory /srv/www/", "write /srv/www/index.html"]
    assert page(settings(), bare(settings()))["changes"] == []


def test_removal_stops_apache_and_removes_the_site():
    desired = settings()
    plan = role.plan_remove(desired, {"a": converged(desired)}, "a")
    assert plan["changes"][:2] == [
        "stop apache2 and disable it at boot", "write the state file: apache has to be reloaded"]
    assert ("remove " + SITE in plan["changes"], plan["stop"], plan["service"]) == (True, True, "apache2")
    again = role.plan_remove(desired, {"a": bare(desired)}, "a")
    assert (again["changes"], again["stop"]) == ([], False)
    stopped = converged(desired)
    stopped["units"]["apache2.service"] = {"UnitFileState": "disabled", "ActiveState": "inactive"}
    assert not role.plan_remove(desired, {"a": stopped}, "a")["stop"]
