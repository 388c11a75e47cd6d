# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Newer packages on Debian: which there are, how they are installed, and whether the host must reboot after.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .plan import Command, HaError, Plan, RemoveFile, WriteFile

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
# Nobody can answer questions, and no tool restarts services by itself.
ENVIRONMENT = ("env", "DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none", "NEEDRESTART_SUSPEND=1",
               "NEEDRESTART_MODE=l", "UCF_FORCE_CONFFOLD=1")
OURS = "--force-confold"
INSTALLED = ("dpkg-query", "--show", "--showformat",
             "${Package}\\t${Version}\\t${db:Status-Want}\\t${db:Status-Status}\\n")
# A run whose controller was killed may still be at it here, or an administrator.
WAIT = ("-o", "DPkg::Lock::Timeout=600")
WAIT_ONLY = ("apt-get", "-q") + WAIT + ("check",)
INSTALL = ENVIRONMENT + ("apt-get", "-q", "-y") + WAIT + ("-o", "Dpkg::Options::=" + OURS)
REFRESH = ("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
POLICY = "/usr/sbin/policy-rc.d"  # packages ask it whether they may start and stop services
POLICY_MARK = "# Managed by Ansible: packages are being upgraded, and restart nothing meanwhile."
POLICY_TEXT = "#!/bin/sh\n%s\nexit 101\n" % POLICY_MARK
UNFINISHED = ("half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")
IMAGE = re.compile(r"linux-image-([0-9][^-]*(?:-[0-9]+)?)-([a-z].*)\Z")
REPLACED = re.compile(r"^\S+ ..x\S+ .*? (/(?:usr|lib|lib32|lib64|bin|sbin|opt)\S*)(?: \(deleted\))$", re.MULTILINE)
LIMIT = 3600


class Desired(NamedTuple):
    """The parameters of package_upgrade. No names: all packages. ``restart``: whether packages restart their services.

    finish_only: nothing but what dpkg has begun and not ended, in a newer version where there is one.
    """

    names: Tuple[str, ...]
    restart: bool = True
    finish_only: bool = False


class Package(NamedTuple):
    """An installed package, as dpkg prints it."""

    version: str
    want: str
    status: str


class Upgrade(NamedTuple):
    """A package that gets another version; ``old`` is empty where it comes along new."""

    name: str
    old: str
    new: str


class Process(NamedTuple):
    """A process, and the kernel's list of the files in its memory."""

    pid: int
    parent: int
    name: str
    maps: str


class State(NamedTuple):
    """The state of a host."""

    packages: Dict[str, Package]
    upgrades: Tuple[Upgrade, ...]
    removals: Tuple[str, ...]
    journal: bool                   # dpkg has records that it did not get to work in
    policy: Optional[str]           # the text of POLICY
    reboot: Tuple[str, ...]         # why the host must reboot


# --- reading --------------------------------------------------------------------------------------------------------

def check_desired(desired: Desired) -> None:
    """Refuse names that no package has."""
    wrong = [name for name in desired.names if not NAME.match(name)]
    if wrong:
        raise HaError("names: %s; expected names of Debian packages, such as heartbeat" % ", ".join(map(repr, wrong)))


def parse_installed(text: str) -> Dict[str, Package]:
    """Read what dpkg-query prints of all packages; those of which only the configuration is left are none."""
    rows = [line.split("\t") for line in text.splitlines()]
    return {row[0]: Package(row[1], row[2], row[3]) for row in rows
            if len(row) == 4 and row[3] not in ("config-files", "not-installed")}


def parse_simulation(text: str) -> Tuple[Tuple[Upgrade, ...], Tuple[str, ...]]:
    """Read what ``apt-get --simulate`` prints: what gets another version, and what would be removed."""
    found = re.findall(r"^Inst (\S+) (?:\[(\S+)\] )?\((\S+)", text, re.MULTILINE)
    return tuple(Upgrade(*row) for row in sorted(found)), tuple(re.findall(r"^Remv (\S+)", text, re.MULTILINE))


def kept_files(text: str) -> List[str]:
    """Return the configuration files of which a package had a new version, and that stayed as they were.

    apt runs dpkg on a terminal, whose lines end otherwise.
    """
    return sorted(set(re.findall(r"^Configuration file '(.*)'$(?:\n ==> .*)*\n ==> (?:Using current old|Keeping old)",
                                 text.replace("\r", ""), re.MULTILINE)))


def unfinished(state: State) -> List[str]:
    """Return what dpkg has begun and not ended."""
    found = sorted(name for name, package in state.packages.items() if package.status in UNFINISHED)
    return found + (["dpkg's own records"] if state.journal else [])


def held(state: State, desired: Desired) -> List[str]:
    """Return the packages that an administrator holds at their version."""
    return sorted(name for name, package in state.packages.items()
                  if package.want == "hold" and (not desired.names or name in desired.names))


# --- whether the host must reboot -------------------------------------------------------------------------------------

def reboot_reasons(flag: Optional[str], release: str, banner: str, packages: Dict[str, Package],
                   processes: Sequence[Process], own: int) -> Tuple[str, ...]:
    """Return why the host must reboot before everything that is installed is in use.

    flag: /run/reboot-required.pkgs, empty where only /run/reboot-required is there, None for neither.
    release, banner: of the running kernel, /proc/sys/kernel/osrelease and /proc/version.
    """
    reasons = []
    if flag is not None:
        names = ", ".join(sorted(set(flag.split())))
        reasons.append("/run/reboot-required is there" + (", for " + names if names else ""))
    reasons += _kernel_reasons(release, banner, packages)
    return tuple(reasons + _replaced_reasons(processes, own))


def _kernel_reasons(release: str, banner: str, packages: Dict[str, Package]) -> List[str]:
    running = IMAGE.match("linux-image-" + release)
    flavour = running.group(2) if running else ""
    images = [match.group(0)[len("linux-image-"):] for match in map(IMAGE.match, packages)
              if match and match.group(2) == flavour and packages[match.group(0)].status == "installed"]
    if not images:  # a kernel of the administrator's own
        return []
    newest = max(images, key=_by_number)
    if _by_number(newest) > _by_number(release):
        return ["the kernel %s runs, %s is installed" % (release, newest)]
    built, package = re.search(r" Debian (\S+)", banner), packages.get("linux-image-" + release)
    if built and package and built.group(1) != package.version:
        return ["the kernel %s of %s runs, that of %s is installed" % (release, built.group(1), package.version)]
    return []


def _by_number(text: str) -> List[Tuple[int, str]]:
    return [(int(number or -1), word) for number, word in re.findall(r"(\d+)|(\D+)", text)]


def _replaced_reasons(processes: Sequence[Process], own: int) -> List[str]:
    """Find who uses programs and libraries that have been replaced; not this very session, which ends by itself."""
    parents = {process.pid: process.parent for process in processes}
    session = {own}
    while parents.get(own, 0) > 1:
        own = parents[own]
        session.add(own)
    users: Dict[str, str] = {}
    for process in processes:
        files = REPLACED.findall(process.maps) if process.pid not in session else []
        if files:
            users.setdefault(process.name, files[0])
    return ["%s still uses the old %s" % pair for pair in sorted(users.items())]


# --- the plan -------------------------------------------------------------------------------------------------------

def apt_words(desired: Desired) -> Tuple[str, ...]:
    """Return the arguments of apt-get. It never removes a package."""
    if desired.names:
        return ("--no-remove", "--only-upgrade", "install") + desired.names
    return ("--no-remove", "--with-new-pkgs", "upgrade")


def asked_of(desired: Desired, packages: Dict[str, Package]) -> Desired:
    """Leave out what is not installed here, or else what is not unfinished."""
    names = desired.names
    if desired.finish_only:
        names = tuple(sorted(name for name, package in packages.items() if package.status in UNFINISHED))
    return desired._replace(names=tuple(name for name in names if name in packages))


def plan_upgrade(state: State, desired: Desired) -> Plan:
    """Finish what was begun, then bring the newer packages; configuration files stay as they are."""
    upgrades = state.upgrades
    blocked = [name for name in held(state, desired) if name in desired.names]
    if blocked and not desired.finish_only:
        raise HaError("names: %s is held at its version; expected packages that may be upgraded (apt-mark unhold %s)"
                      % (", ".join(blocked), " ".join(blocked)))
    if state.removals and upgrades:
        raise HaError("the upgrade would remove %s; expected to keep every package. Nothing was changed."
                      % ", ".join(state.removals))
    work = _finishing(state, (0, 100) if upgrades else (0,)) + _upgrading(upgrades, desired)
    packages = dict(state.packages)
    packages.update({name: Package(new, "install", "installed") for name, _old, new in upgrades})
    packages.update({name: package._replace(status="installed") for name, package in packages.items()
                     if package.status in UNFINISHED})
    ours = POLICY_MARK in (state.policy or "")
    actions: List[Any] = list(work)
    if work and not desired.restart and state.policy is None:
        actions.insert(0, WriteFile("have packages restart nothing", POLICY, POLICY_TEXT, 0o755, False))
        ours = True
    if ours:
        actions.append(RemoveFile("let packages restart their services again", POLICY))
    return Plan(tuple(actions), state._replace(packages=packages, upgrades=(), journal=False,
                                               policy=None if ours else state.policy))


def _finishing(state: State, accepted: Tuple[int, ...]) -> List[Command]:
    """Plan to end what was begun; ``accepted``: 100 where a newer version comes next, which may do what it cannot."""
    begun = unfinished(state)
    if not begun:
        return []
    return [Command("finish what dpkg had begun: " + ", ".join(begun),
                    ENVIRONMENT + ("dpkg", OURS, "--configure", "-a"), (0, 1), LIMIT),  # 1: the rest is the next one's
            Command("mend what is still broken", INSTALL + ("--no-remove", "--fix-broken", "install"), accepted, LIMIT)]


def _upgrading(upgrades: Sequence[Upgrade], desired: Desired) -> List[Command]:
    if not upgrades:
        return []
    return [Command("ask for the lists of packages", ENVIRONMENT + REFRESH, (0,), 600),
            Command("upgrade " + ", ".join(map(render_upgrade, upgrades)), INSTALL + apt_words(desired), (0,), LIMIT)]


# --- texts ----------------------------------------------------------------------------------------------------------

def render_upgrade(upgrade: Upgrade) -> str:
    """Return an upgrade in words."""
    return "%s %s -> %s" % upgrade if upgrade.old else "%s %s (new)" % (upgrade.name, upgrade.new)


def describe(state: State) -> str:
    """Render the packages for --diff."""
    return "".join("%s %s%s\n" % (name, package.version, "" if package.status == "installed" else " " + package.status)
                   for name, package in sorted(state.packages.items()))


def report(state: State, desired: Desired) -> Dict[str, Any]:
    """Return the module's own values but for what changed."""
    return {"installed": sorted(set(desired.names) & set(state.packages)), "held": held(state, desired),
            "unfinished": unfinished(state), "reboot": list(state.reboot)}


# --- an upgrade of one node -------------------------------------------------------------------------------------------

def plan_node(seen: Mapping[str, Any], reboot: str, host: str) -> Dict[str, Any]:
    """Return what a rolling upgrade does with a node, and what it reports.

    seen: the result of package_upgrade; reboot: needed, always or never.
    due: whether it is the node's turn at all; reboots: whether it boots after the packages; reasons: why it boots, or
    must, in words; report: all that the node gets; kept: configuration files that were kept.
    """
    prefix = "must boot, which is left to you: " if reboot == "never" else "boots: "
    reasons = ["boots after that, as asked for"] if reboot == "always" else [prefix + each for each in seen["reboot"]]
    reboots = reboot == "always" or (reboot == "needed" and bool(seen["reboot"]))
    report = list(seen["words"]) or ["nothing newer"]
    if seen["unfinished"]:
        report.append("dpkg has begun and not ended: " + ", ".join(seen["unfinished"]))
    if seen["held"]:
        report.append("held at its version: " + ", ".join(seen["held"]))
    return {"due": bool(seen["upgrades"] or seen["unfinished"]) or reboots, "reboots": reboots, "reasons": reasons,
            "report": report + reasons,
            "kept": ["%s keeps its own %s; the new one of the package is beside it, with the ending .dpkg-dist"
                     % (host, path) for path in seen["kept_files"]]}
