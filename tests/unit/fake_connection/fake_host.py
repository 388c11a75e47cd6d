# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A connection to a host that does not exist: every module returns the next of the host's prepared results.

LINUXHA_FAKE_HOSTS is a directory with HOST.json, a list of results; the last one is repeated. Nothing is ever run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: fake_host
short_description: A host that does not exist
description: Every module returns the next of the host's prepared results.
author: The linuxha.cluster maintainers
options:
  host:
    description: Name of the host.
    vars:
      - name: inventory_hostname
      - name: fake_name  # inventory_hostname is that of the task, also where another host is delegated to
"""


class Connection(ConnectionBase):
    """Returns what a file says."""

    transport = "fake_host"
    has_pipelining = True

    def _connect(self):
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Return the next result, or no connection where it is unreachable."""
        path = Path(os.environ["LINUXHA_FAKE_HOSTS"]) / (self.get_option("host") + ".json")
        results = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(results[1:] or results), encoding="utf-8")
        if results[0].get("unreachable"):
            raise AnsibleConnectionFailure(results[0]["msg"])
        return 0, json.dumps(results[0]).encode(), b""

    def put_file(self, in_path, out_path):
        """Take no file."""

    def fetch_file(self, in_path, out_path):
        """Give no file."""

    def close(self):
        """Do nothing."""
