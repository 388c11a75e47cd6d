#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Front door for newer packages."""

DOCUMENTATION = r"""
module: package_upgrade
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "0.1.0"
short_description: Bring newer versions of installed packages, and say whether the host must boot
description:
  - Asks the repositories which newer versions there are, and brings them. It never installs what nothing asks for, and
    never removes a package. Hosts of the Debian family only.
  - Configuration files that were changed on the host stay as they are, and are named.
  - What an interrupted run of dpkg left half-way is finished first.
  - Says why the host must boot before all that is installed is in use, be it that a newer kernel is there, that
    a package asks for it, or that something still uses programs or libraries that have been replaced.
options:
  names:
    description: The packages. Without any, all of them. One that is not installed is passed over.
    type: list
    elements: str
    default: []
  restart:
    description:
      - Whether packages may stop and start their services. With V(false) what runs goes on in its old version, which is
        what a node needs that a watchdog resets when its cluster manager stops.
    type: bool
    default: true
  finish_only:
    description:
      - Only finish what an interrupted run of dpkg, or a package that broke, left half-way. O(names) has no meaning
        then.
      - Where there is a newer version of such a package, that one comes.
    type: bool
    default: false
attributes:
  check_mode:
    description: Asks the repositories, and keeps the host's own lists of packages as they are.
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
"""

EXAMPLES = r"""
- name: See which newer packages there are, and whether the host must boot
  linuxha.cluster.package_upgrade:
  check_mode: true
  register: newer

- name: Bring a newer heartbeat
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
  description: What got another version (would get in check mode). C(old) is empty for a package that came along new.
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
  description: Configuration files that stayed as they are, while the package had a new version of them.
  returned: success
  type: list
  elements: str
installed:
  description: Which of the named packages are installed.
  returned: success
  type: list
  elements: str
held:
  description: Packages that an administrator holds at their version, of those that are meant.
  returned: success
  type: list
  elements: str
unfinished:
  description: What dpkg has begun and not ended.
  returned: success
  type: list
  elements: str
reboot:
  description: Why the host must boot before all that is installed is in use; empty when it need not.
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
    """How to ask apt and dpkg; all thinking is done elsewhere."""

    def __init__(self, runner, desired, lists):
        self.runner, self.desired, self.lists = runner, desired, lists
        self.upgrades, self.said = None, ""

    def read(self):
        """Return what is installed, and what newer versions there are."""
        if not self.runner.has("apt-get"):
            raise HaError("apt-get is not installed on this host; expected one of the Debian family")
        if self.upgrades is None:
            self.runner.run(_packages.WAIT_ONLY, accepted=(0, 100), seconds=700)  # 100: something is broken, as is seen
        packages = _packages.parse_installed(self.runner.run(_packages.INSTALLED).out)
        newer, removals = self.simulate(packages)
        if self.upgrades is None:
            self.upgrades = newer
        return _packages.State(
            packages, newer, removals, bool(glob.glob("/var/lib/dpkg/updates/*")),
            self.runner.read_file(_packages.POLICY), self.reasons(packages))

    def simulate(self, packages):
        """Ask apt what it would do, by lists of our own: check mode leaves those of the host as they are."""
        desired = _packages.asked_of(self.desired, packages)
        if (self.desired.names or self.desired.finish_only) and not desired.names:
            return (), ()
        own = ("-o", "Dir::State::Lists=" + self.lists, "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
               "-o", "APT::Sandbox::User=root")
        if not os.path.isdir(self.lists):
            os.makedirs(self.lists + "/partial")
            self.runner.run(_packages.REFRESH[:1] + own + _packages.REFRESH[1:], seconds=600)
        half = any(package.status in _packages.UNFINISHED for package in packages.values())
        said = self.runner.run(("apt-get", "-q", "--simulate") + own + _packages.apt_words(desired),
                               accepted=(0, 100) if half else (0,), seconds=600)
        return _packages.parse_simulation(said.out)

    def reasons(self, packages):
        """Return why the host must boot."""
        flag = (self.runner.read_file(FLAG + ".pkgs") or "") if os.path.exists(FLAG) else None
        return _packages.reboot_reasons(
            flag, (self.runner.read_file("/proc/sys/kernel/osrelease") or "").strip(),
            self.runner.read_file("/proc/version") or "", packages, self.processes(), os.getpid())

    @staticmethod
    def processes():
        """Return what the kernel says of each process; those that end meanwhile are passed over."""
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
        """Carry out one action, and keep what dpkg says of configuration files."""
        if isinstance(action, Command):
            said = self.runner.run(action.argv, action.accepted, action.seconds)
            self.said += said.out + "\n" + said.err  # dpkg asks, and says what it decided, on the latter
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
                  _packages.report(state, desired), kept_files=_packages.kept_files(host.said),
                  upgrades=[dict(upgrade._asdict()) for upgrade in host.upgrades],
                  words=[_packages.render_upgrade(upgrade) for upgrade in host.upgrades]))


if __name__ == "__main__":
    main()
