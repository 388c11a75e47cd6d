# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""patch_module_args of ansible-core, which has it from 2.19 on."""
from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:
    from ansible.module_utils import basic

    @contextlib.contextmanager
    def patch_module_args(args: dict[str, Any] | None = None) -> Iterator[None]:
        """Give a module arguments."""
        before = basic._ANSIBLE_ARGS
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": args or {}}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = before

__all__ = ["patch_module_args"]
