# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The project is written in the words of the manuals of this field. Those of a private dialect must not return."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A letter in brackets keeps the word itself out of this file.
WORDS = {
    r"(thinking )?roo[m]s?": "module, package",
    r"fron[t] doors?": "entry point",
    r"hallwa[y]s?": "reconcile loop",
    r"workshops?": "command runner",
    r"darkrooms?": "image I/O",
    r"furnitur\w*|furnish\w*": "lab-only, provision",
    r"looks?( (at|for|like|again|before|up|into))?|looked( (at|for))?": "read, gather, check, facts",
    r"wanted": "desired",
    r"settled": "up to date, converged",
    r"anew": "again; reboot",
    r"lean(s|ed)? on": "depend on",
    r"cannot be meant": "validate",
    r"be sure (of|that)": "verify",
    r"(take|takes|taken|took) (it|them|(its |their |the )?files) over": "reload, apply",
    r"(is|are|was|were) told": "configure, pass",
    r"speaks? of": "support, report",
    r"(is|be|stay|stays|was) whole": "healthy",
    r"foretell\w*|foretold|forecast\w*|foreseen": "predict",
    r"hand(s|ed)? over|let(s)? go|g(i|a)ve(s)? back": "drain, release, fail back",
}
PATTERN = re.compile("|".join(rf"\b(?:{word})\b" for word in WORDS), re.IGNORECASE)
# This list, the licence, recorded output of programs, and identifiers of other projects.
EXEMPT = re.compile(r"^(LICENSE|tests/unit/test_words\.py|tests/unit/fixtures/.*|.*\.(svg|gz))$")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\n") if name and not EXEMPT.match(name) and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", tracked())
def test_words_are_those_of_the_field(name):
    text = re.sub(r"[_-]", " ", (ROOT / name).read_text(encoding="utf-8", errors="replace"))
    found = [f"{number}: {match.group(0)}" for number, line in enumerate(text.splitlines(), 1)
             for match in PATTERN.finditer(line)]
    assert found == []


@pytest.mark.parametrize("sentence", ["ask_for_wanted", "it boots anew", "Look at the host"])
def test_a_forbidden_word_is_found(sentence):
    assert PATTERN.search(sentence.replace("_", " "))
