# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every module of the collection promises."""
from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments: ``linuxha.cluster.attributes`` and ``linuxha.cluster.attributes.facts``."""

    # A module that changes things, in check mode and diff mode alike.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Predicts exactly what would be done, and does nothing.
  diff_mode:
    support: full
    description: Shows the state before and after, in the words of the tool it drives.
"""

    # A module that only reads.
    FACTS = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Only reads, so it does the same in check mode.
  diff_mode:
    support: N/A
    description: Changes nothing, so there is no difference to show.
"""
