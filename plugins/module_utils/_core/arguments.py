# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Arguments of programs that users may give: none that overwrites what is on a device, however it is written.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Sequence

from .schema import Expected, Field, text

FORCE = ("-f", "-F", "-y", "--force", "--yes")  # of mkfs and LVM: overwrite without asking
WITH_VALUE = "AbCdEegGiIJlLmMNoOrtTUzpsjZ"      # letters that take what follows them as their value


def refused_option(given: str, refused: Sequence[str]) -> str:
    """Return which of the refused options an argument is, or contains (-yff, --forc, --clustered=y); "" for none."""
    if given.startswith("--"):
        name = given.partition("=")[0]
        return next((option for option in refused if len(name) > 2 and option.startswith(name)), "")
    for letter in given[1:] if given.startswith("-") else "":
        if "-" + letter in refused:
            return "-" + letter
        if letter in WITH_VALUE:
            break
    return ""


def argument(refused: Sequence[str]) -> Field:
    """Return a field for one argument of a program, and none of the refused options."""
    def convert(raw: str) -> str:
        option = refused_option(raw, refused)
        if option:
            also = "" if option == raw.partition("=")[0] else " (%s)" % option
            raise Expected("it left out%s: the role decides it, or it would overwrite what is there" % also)
        return raw
    return text(re.compile(r".+"), "one argument", convert)
