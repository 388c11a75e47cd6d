#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Upgrade packages, and report whether the host must reboot."""

DOCUMENTATION = r"""
module: package_upgrade
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Upgrade installed packages, and report whether the host must reboot
description:
  - Reads from the repositories which newer versions there are, and installs them with their new dependencies. It never
    removes a package. Hosts of the Debian family only.
  - Configuration files that were changed on the host are kept, and reported.
  - What an interrupted run of dpkg left unfinished is finished first.
  - Reports why the host must reboot before all that is installed is in use - a newer kernel is installed, a package
    requires it, or a process still uses programs or libraries that have been replaced.
options:
  names:
    description: Names of packages. Without any, all of them. One that is not installed is skipped.
    type: list
    elements: str
    default: []
  restart:
    description:
      - Whether packages may stop and start their services. With V(false) running services stay in their old version. A
        node needs that whose watchdog resets it when the cluster manager stops.
    type: bool
    default: true
  finish_only:
    description:
      - Only finish what an interrupted run of dpkg, or a broken package, left unfinished. O(names) is ignored.
      - Where there is a newer version of such a package, that one is installed.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reads the repositories, and does not change the package lists of the host.
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
"""

EXAMPLES = r"""
- name: Check which newer packages there are, and whether the host must reboot
  linuxha.cluster.package_upgrade:
  check_mode: true
  register: newer

- name: Upgrade heartbeat
  linuxha.cluster.package_upgrade:
    names: [heartbeat]
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: always
  type: list
  elements: str
upgrades:
  description: Packages that got another version (would get in check mode). C(old) is empty for a new dependency.
  returned: success
  type: list
  elements: dict
  sample: [{name: heartbeat, old: "1:3.0.6-13", new: "1:3.0.6-14"}]
words:
  description: The same, a line for each.
  returned: success
  type: list
  elements: str
  sample: ["heartbeat 1:3.0.6-13 -> 1:3.0.6-14"]
kept_files:
  description: Configuration files that were kept although the package has a new version of them.
  returned: success
  type: list
  elements: str
installed:
  description: Which of the named packages are installed.
  returned: success
  type: list
  elements: str
held:
  description: Packages that an administrator holds at their version (apt-mark hold), of those to upgrade.
  returned: success
  type: list
  elements: str
unfinished:
  description: What dpkg has begun and not finished.
  returned: success
  type: list
  elements: str
reboot:
  description: Why the host must reboot before all that is installed is in use; empty when it need not.
  returned: success
  type: list
  elements: str
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import packages as _packages
from ..module_utils._core.plan import Command, HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner

FLAG = "/run/reboot-required"


class Host:
    """Runs apt and dpkg on this host. ``lists``: a temporary directory for package lists."""

    def __init__(self, runner, desired, lists):
        self.runner, self.desired, self.lists = runner, desired, lists
        self.upgrades, self.output = None, ""

    def read(self):
        """Return the current state: what is installed, and which newer versions there are."""
        if not self.runner.has("apt-get"):
            raise HaError("cannot upgrade packages: apt-get is not installed; expected a host of the Debian family")
        if self.upgrades is None:
            self.runner.run(_packages.WAIT_ONLY, accepted=(0, 100), seconds=700)  # 100: something is broken, see below
        packages = _packages.parse_installed(self.runner.run(_packages.INSTALLED).out)
        newer, removals = self.simulate(packages)
        if self.upgrades is None:
            self.upgrades = newer
        return _packages.State(
            packages, newer, removals, bool(glob.glob("/var/lib/dpkg/updates/*")),
            self.runner.read_file(_packages.POLICY), self.reasons(packages))

    def simulate(self, packages):
        """Return what apt would do, by temporary package lists: check mode does not change those of the host."""
        desired = _packages.asked_of(self.desired, packages)
        if (self.desired.names or self.desired.finish_only) and not desired.names:
            return (), ()
        own = ("-o", "Dir::State::Lists=" + self.lists, "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
               "-o", "APT::Sandbox::User=root")
        if not os.path.isdir(self.lists):
            os.makedirs(self.lists + "/partial")
            self.runner.run(_packages.REFRESH[:1] + own + _packages.REFRESH[1:], seconds=600)
        half = any(package.status in _packages.UNFINISHED for package in packages.values())
        simulated = self.runner.run(("apt-get", "-q", "--simulate") + own + _packages.apt_words(desired),
                                    accepted=(0, 100) if half else (0,), seconds=600)
        return _packages.parse_simulation(simulated.out)

    def reasons(self, packages):
        """Return why the host must reboot."""
        flag = (self.runner.read_file(FLAG + ".pkgs") or "") if os.path.exists(FLAG) else None
        return _packages.reboot_reasons(
            flag, (self.runner.read_file("/proc/sys/kernel/osrelease") or "").strip(),
            self.runner.read_file("/proc/version") or "", packages, self.processes(), os.getpid())

    @staticmethod
    def processes():
        """Return the running processes; those that end meanwhile are skipped."""
        found = []
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                texts = {}
                for name in ("stat", "maps"):
                    with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                        texts[name] = file.read()
            except OSError:
                continue
            name, _bracket, rest = texts["stat"].partition("(")[2].rpartition(")")
            found.append(_packages.Process(int(os.path.basename(folder)), int(rest.split()[1]), name, texts["maps"]))
        return found

    def perform(self, action):
        """Carry out one action, and keep the output, which names the kept configuration files."""
        if isinstance(action, Command):
            done = self.runner.run(action.argv, action.accepted, action.seconds)
            self.output += done.out + "\n" + done.err  # dpkg prints its decisions on the latter
        else:
            self.runner.perform(action)


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "names": {"type": "list", "elements": "str", "default": []}, "restart": {"type": "bool", "default": True},
        "finish_only": {"type": "bool", "default": False}})
    desired = _packages.Desired(tuple(module.params["names"]), module.params["restart"], module.params["finish_only"])
    try:
        _packages.check_desired(desired)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(Runner(module), desired, os.path.join(module.tmpdir, "lists"))
    reconcile(module, read=host.read,
              plan=lambda state: _packages.plan_upgrade(state, _packages.asked_of(desired, state.packages)),
              perform=host.perform, describe=_packages.describe,
              report=lambda state: dict(
                  _packages.report(state, desired), kept_files=_packages.kept_files(host.output),
                  upgrades=[dict(upgrade._asdict()) for upgrade in host.upgrades],
                  words=[_packages.render_upgrade(upgrade) for upgrade in host.upgrades]))


if __name__ == "__main__":
    main()
