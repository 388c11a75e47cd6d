# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read what a time daemon prints about the clock."""
from __future__ import annotations

DOCUMENTATION = r"""
name: ntp_clock
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Read what a time daemon prints about the clock
description:
  - Reads the machine formats of C(chronyc) and C(ntpq) into one shape.
options:
  _input:
    description: Output of C(chronyc -c -n -m tracking sources), or of C(ntpq -n -c rv -c peers).
    type: str
    required: true
  daemon:
    description: The daemon that was asked.
    type: str
    choices: [chrony, ntpsec, ntp]
    required: true
  own_clock:
    description: Whether the daemon may follow the host's own clock, as in a cluster without other time sources.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait until the clock follows a source
  ansible.builtin.command:
    argv: [chronyc, -c, -n, -m, tracking, sources]
  register: answer
  changed_when: false
  until: (answer.stdout | linuxha.cluster.ntp_clock('chrony')).synchronised
"""

RETURN = r"""
_value:
  description:
    - C(synchronised) tells whether the clock follows a source, C(source) which one, and C(offset) how many seconds it
      is off.
    - C(sources) lists all sources with C(address), C(state), C(stratum) and C(reached).
      The latter is the number of answers to the last eight questions.
    - C(summary) says it in one sentence.
  type: dict
"""

from ansible.errors import AnsibleFilterError


def ntp_clock(text: str, daemon: str, own_clock: bool = False) -> dict:
    """Return the state of the clock and of its sources."""
    from ..module_utils._ntp import clock

    if daemon not in clock.PARSERS:
        expected = ", ".join(clock.PARSERS)
        raise AnsibleFilterError(f"ntp_clock: daemon: {daemon} is not valid; expected one of {expected}")
    now = clock.read_clock(daemon, text, own_clock)
    return {"synchronised": bool(now.source), "source": now.source, "offset": now.offset,
            "summary": clock.render_clock(now), "sources": [source._asdict() for source in now.sources]}


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"ntp_clock": ntp_clock}
