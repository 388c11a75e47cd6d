# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of all unit tests."""

from __future__ import annotations

from hypothesis import settings

# A loaded machine must not fail a test of what is right: none of the properties is about time.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
