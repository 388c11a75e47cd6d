# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the CIB, and the patch from one to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import cib as _cib
from fake_pacemaker import EMPTY, apply_patch
from hypothesis import given, settings, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures/pacemaker"


def cib(inside: str, epoch: int = 5) -> Any:
    text = f'<cib admin_epoch="1" epoch="{epoch}"><configuration>{inside}</configuration></cib>'
    return _cib.parse_cib(text)


@pytest.mark.parametrize("text", ["", "no xml", "<cib/>", "<other/>"])
def test_what_is_no_cib_is_refused(text: str) -> None:
    with pytest.raises(HaError, match="cibadmin --query printed"):
        _cib.parse_cib(text)


def test_a_live_configuration_comes_out_as_it_went_in() -> None:
    root = _cib.parse_cib((FIXTURES / "cibadmin-2.1.5-query.xml").read_text(encoding="utf-8"))
    assert _cib.canonical(_cib.parse_cib(_cib.render_cib(root))) == _cib.canonical(root)
    assert _cib.make_patch(root, root) == ""
    assert [_cib.agent_of(each) for each in _cib.resources_of(root) if each.tag == "primitive"][:2] == [
        "ocf:heartbeat:IPaddr2",
        "ocf:heartbeat:Filesystem",
    ]


def test_comments_and_texts_are_kept() -> None:
    root = cib("<resources><!-- mine --><primitive id='a'/></resources>")
    assert "<!-- mine -->" in _cib.render_cib(root)
    assert _cib.render_cib(root).count("\n") == 0


def test_a_patch_names_the_configuration_it_is_for() -> None:
    old, new = cib("<resources/>"), cib("<resources><primitive id='a' class='ocf'/></resources>")
    assert '<source admin_epoch="1" epoch="5" /><target admin_epoch="1" epoch="6" />' in _cib.make_patch(old, new)
    with pytest.raises(HaError, match="older"):
        apply_patch(cib("<resources/>", epoch=6), _cib.make_patch(old, new))


def test_a_patch_touches_only_what_differs() -> None:
    old = cib("<resources><!-- c --><group id='g'><primitive id='a'/><primitive id='b' x='1'/></group></resources>")
    new = cib("<resources><!-- c --><group id='g'><primitive id='a'/><primitive id='b' y='1'/></group></resources>")
    patch = _cib.make_patch(old, new)
    assert patch.count("<change ") == 1
    assert 'operation="modify" path="/cib/configuration/resources/group[@id=\'g\']/primitive[@id=\'b\']"' in patch
    assert '<change-attr name="x" operation="unset" />' in patch


@st.composite
def trees(draw: Any) -> Any:
    """Configurations of groups with primitives in any order, with attributes, comments and sections that may lack."""
    names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)
    parts = []
    for section in draw(st.lists(st.sampled_from(["resources", "constraints", "rsc_defaults"]), unique=True)):
        groups = []
        for group in draw(st.lists(st.sampled_from("XYZ"), unique=True)):
            members = [
                f"<primitive id='{section}{group}{name}' v='{draw(st.integers(0, 1))}'/>" for name in draw(names)
            ]
            groups.append(f"<group id='{section}{group}'>{''.join(members)}</group>")
        comment = "<!-- kept -->" if draw(st.booleans()) else ""
        parts.append(f"<{section}>{comment}{''.join(groups)}</{section}>")
    return parts


@settings(deadline=None)
@given(trees(), trees())
def test_a_patch_leads_from_any_configuration_to_any_other(before: list[str], after: list[str]) -> None:
    old, new = cib("".join(before)), cib("".join(after).replace("<!-- kept -->", ""))
    old = _cib.parse_cib(_cib.render_cib(old).replace("<!-- kept -->", ""))
    patch = _cib.make_patch(old, new)
    if not patch:
        assert _cib.canonical(old) == _cib.canonical(new)
        return
    done = apply_patch(old, patch)
    assert _cib.canonical(done.find("configuration")) == _cib.canonical(new.find("configuration"))


@settings(deadline=None)
@given(trees())
def test_nothing_to_do_is_no_patch(parts: list[str]) -> None:
    assert _cib.make_patch(cib("".join(parts)), cib("".join(parts))) == ""


def test_groups_are_found_inside_of_clones() -> None:
    root = cib("<resources><!-- c --><clone id='g-clone'><group id='g'/></clone><group id='h'/></resources>")
    assert [None if each is None else each.get("id") for each in _cib.find_group(root, "g")] == ["g", "g-clone"]
    assert _cib.find_group(root, "h")[1] is None
    assert _cib.find_group(root, "i") == (None, None)
    assert _cib.find_group(cib(""), "i") == (None, None)


def test_settings_are_set_where_they_are_and_only_own_ones_are_taken_away() -> None:
    root = _cib.parse_cib(EMPTY)
    group = _cib.ET.SubElement(_cib.section(root, "resources"), "group", {"id": "g"})
    _cib.set_value(group, "meta_attributes", "target-role", "Stopped")
    _cib.own_value(group, "meta_attributes", "failure-timeout", "60s")
    _cib.own_value(group, "meta_attributes", "failure-timeout", "90s")
    pairs = {pair.get("id"): pair.get("value") for pair in _cib.pairs_of(group, "meta_attributes")}
    assert pairs == {"g-meta_attributes-target-role": "Stopped", "g-ha-failure-timeout": "90s"}
    _cib.own_value(group, "meta_attributes", "target-role", None)
    _cib.own_value(group, "meta_attributes", "failure-timeout", None)
    assert _cib.get_value(group, "meta_attributes", "failure-timeout") is None
    assert _cib.get_value(group, "meta_attributes", "target-role") == "Stopped"
    _cib.drop_value(group, "meta_attributes", "target-role")
    assert list(group) == []


def test_a_reference_to_a_set_elsewhere_is_no_empty_set() -> None:
    group = cib("<resources><group id='g'><meta_attributes id-ref='x'/></group></resources>").find(".//group")
    _cib.drop_value(group, "meta_attributes", "target-role")
    assert len(group) == 1


# As Pacemaker 2.1.5 reads back what it wrote (cibadmin --patch, then --query); it keeps ">".
@pytest.mark.parametrize(("value", "kept"), [
    ('a < "b" & c > d', True), ("f\u00fcr", True), ('"web": f\u00fcr', True), ("f\u00fcr 'web' 100 %", True),
    ("a\\b", True),
    ('f\u00fcr "web"', False), ("f\u00fcr <b>", False), ("\u00fc & b", False), ("\u00fc > b", False),
    ("a\tb", False), ("a\nb", False), ("a\x01b", False)])
def test_what_pacemaker_reads_back_as_it_was_written(value: str, kept: bool):
    assert _cib.is_kept(value) is kept
