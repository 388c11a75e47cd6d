# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role apache: what it gathers, and what it changes on a host. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Dict, List, Mapping, NamedTuple

from .._core.config_files import DesiredFiles, File, Folder, TakeOver, arguments_of, predict_changes
from .._core.plan import HaError
from .settings import check_settings

__all__ = ["check_settings", "plan", "plan_page", "plan_remove", "query"]

Settings = Mapping[str, Any]
Facts = Mapping[str, Any]


class Platform(NamedTuple):
    """How a platform packages apache."""

    package: str   # and its service
    control: str   # the program that checks the configuration
    site: str      # the file of the site; read before those of other sites, so that it is the default one
    modules: str
    logs: str


PLATFORMS = {
    "Debian": Platform("apache2", "/usr/sbin/apache2ctl", "/etc/apache2/sites-enabled/000-cluster.conf",
                       "/usr/lib/apache2/modules", "/var/log/apache2"),
    "RedHat": Platform("httpd", "/usr/sbin/apachectl", "/etc/httpd/conf.d/000-cluster.conf", "modules",
                       "/var/log/httpd"),
}
LISTENS_ALREADY = ("*:80",)  # the packages' own configuration has this line


def query(settings: Settings) -> Dict[str, Any]:
    """Return what to gather on a host, whatever its platform is."""
    root, mount = settings["apache_document_root"], settings["apache_document_root_mount"]
    platforms = sorted(PLATFORMS.values())
    return {"files": [platform.site for platform in platforms] + [root, page_of(root)],
            "packages": [platform.package for platform in platforms],
            "units": [platform.package + ".service" for platform in platforms],
            "mounts": [mount] if mount else []}


def plan(settings: Settings, facts: Facts, node: str) -> Dict[str, Any]:
    """Return what has to change on the host.

    changes: a sentence for each change; package, service: their names; installed: whether apache is installed; start:
    whether the service has to be started and enabled; files: arguments of the module config_files.
    """
    here = facts[node]
    platform = platform_of(here["os"])
    installed, files = is_installed(here, platform), files_of(settings, here, node)
    start = settings["apache_boot"] and not _starts_at_boot(here["units"][platform.package + ".service"])
    changes = [] if installed else ["install " + platform.package]
    changes += predict_changes(here, files)
    changes += ["start %s and enable it at boot" % platform.package] if start else []
    return {"changes": changes, "package": platform.package, "service": platform.package, "installed": installed,
            "packages": [] if installed else [platform.package], "start": start, "files": arguments_of(files)}


def plan_page(settings: Settings, facts: Facts, node: str) -> Dict[str, Any]:
    """Return whether the host gets the first page: where its filesystem moves, only while it is mounted here."""
    root, mount = settings["apache_document_root"], settings["apache_document_root_mount"]
    if not settings["apache_first_page"]:
        return {"changes": [], "files": arguments_of(DesiredFiles())}
    page = File(page_of(root), settings["apache_first_page"], owner="root", group="root", once=True, mount=mount)
    folders = () if mount else (Folder(root, 0o755, "root", "root"),)
    files = DesiredFiles((page,), folders)
    return {"changes": predict_changes(facts[node], files), "files": arguments_of(files)}


def plan_remove(settings: Settings, facts: Facts, node: str) -> Dict[str, Any]:  # pylint: disable=unused-argument
    """Return what takes the site out of service; the package and the pages stay."""
    here = facts[node]
    platform = platform_of(here["os"])
    unit = here["units"][platform.package + ".service"]
    stop = is_installed(here, platform) and (
        unit.get("ActiveState") == "active" or unit.get("UnitFileState") == "enabled")
    files = DesiredFiles((File(platform.site, None),), daemon="apache", take_over=TakeOver(()))
    changes = ["stop %s and disable it at boot" % platform.package] if stop else []
    return {"changes": changes + predict_changes(here, files), "stop": stop, "service": platform.package,
            "files": arguments_of(files)}


def platform_of(system: Mapping[str, str]) -> Platform:
    """Return how the platform packages apache."""
    if system["os_family"] not in PLATFORMS:
        raise HaError("the operating system is %s; expected one of the Debian or Red Hat family"
                      % (system["distribution"] or "unknown"))
    return PLATFORMS[system["os_family"]]


def is_installed(here: Facts, platform: Platform) -> bool:
    """Return whether the package is installed."""
    return bool(here["packages"][platform.package])


def _starts_at_boot(unit: Mapping[str, str]) -> bool:
    return (unit.get("UnitFileState"), unit.get("ActiveState")) == ("enabled", "active")


def page_of(root: str) -> str:
    """Return the path of the first page."""
    return root.rstrip("/") + "/index.html"


def files_of(settings: Settings, here: Facts, node: str) -> DesiredFiles:
    """Return the file of the site, and how apache applies it where it runs.

    Where it does not run it stays stopped: a cluster manager starts it, with the new site. A changed site is checked in
    the place of the old one, since beside that it would listen twice; a new one is included after all others.
    """
    platform = platform_of(here["os"])
    include = () if here["files"][platform.site]["kind"] == "file" else ("-c", "Include %s")
    site = File(platform.site, render_site(settings, platform, node), owner="root", group="root",
                check=(platform.control, "-t") + include, in_place=True)
    return DesiredFiles((site,), daemon="apache",
                        take_over=TakeOver(("systemctl", "try-reload-or-restart", platform.package + ".service")))


def render_site(settings: Settings, platform: Platform, node: str) -> str:
    """Return the virtual host. Pages can show which host serves them, by its inventory name."""
    root = settings["apache_document_root"]
    lines = ["# Ansible managed"]
    lines += ["Listen " + address.replace("*:", "") for address in settings["apache_listen"]
              if address not in LISTENS_ALREADY]
    lines += ["<IfModule !include_module>", "  LoadModule include_module %s/mod_include.so" % platform.modules,
              "</IfModule>"]
    lines += ["%s %s" % (name, value) for name, value in _by_name(settings["apache_processes"])]
    lines += ["<VirtualHost %s>" % " ".join(settings["apache_listen"]),
              "  ServerName " + (settings["apache_server_name"] or node),
              "  ServerAdmin " + settings["apache_server_admin"],
              "  DocumentRoot " + root, "  # Pages can show which machine serves them.",
              "  SetEnv SERVED_BY " + node, "  <Directory %s>" % root, "    Options +Includes -Indexes",
              "    AddOutputFilter INCLUDES .html", "    Require all granted", "  </Directory>",
              "  ErrorLog %s/error.log" % platform.logs, "  CustomLog %s/access.log combined" % platform.logs]
    return "\n".join(lines + ["  " + line for line in settings["apache_directives"]] + ["</VirtualHost>"]) + "\n"


def _by_name(processes: Mapping[str, Any]) -> List[Any]:
    return sorted(processes.items(), key=lambda entry: str(entry[0]).lower())
