"""lvm.conf: what is asked for is set, every other byte stays."""
import re

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import lvm_conf
from hypothesis import given, strategies as st

# as the package brings it: nearly everything is a comment, and comments have braces and quotes of their own
PACKAGED = '''# Configuration section devices {
devices {

\t# Accept every block device:
\t# filter = [ "a|.*|" ]
\t# Reject the cdrom drive:
\t# filter = [ "r|/dev/cdrom|" ]
\t#
\t# This configuration option has an automatic default value.
\t# filter = [ "a|.*|" ]

\tdir = "/dev"    # { not a section
}
global {
\tumask = 077
\t# use_lvmlockd = 0
\t# Configuration option global/use_lvmpolld: doesn't matter
}
activation/raid_region_size = 2048
'''
EVERYTHING = {"devices/filter": ["a|^/dev/x$|", "r|.*|"], "global/use_lvmlockd": 1, "log/prefix": "a \"b\" \\"}


def test_a_setting_comes_after_the_last_comment_that_tells_of_it():
    text = lvm_conf.set_values(PACKAGED, {"devices/filter": ["r|.*|"]})
    assert text == PACKAGED.replace('value.\n\t# filter = [ "a|.*|" ]\n',
                                    'value.\n\t# filter = [ "a|.*|" ]\n\tfilter = [ "r|.*|" ]\n')


def test_a_setting_that_no_comment_tells_of_comes_first_in_its_section():
    assert "global {\n\tlocking_type = 3\n\tumask" in lvm_conf.set_values(PACKAGED, {"global/locking_type": 3})


def test_a_section_that_is_not_there_comes_last():
    assert lvm_conf.set_values("", {"global/x": True}) == "global {\n\tx = 1\n}\n"
    assert lvm_conf.set_values("a { }", {"global/x": 1}) == "a { }\nglobal {\n\tx = 1\n}\n"


def test_a_value_is_replaced_where_it_is_wherever_that_is():
    text = 'devices { filter = [ "a|b|", # why\n "r|.*|" ] dir = "/dev" }\ndevices/filter = []\n'
    assert lvm_conf.set_values(text, {"devices/filter": ["r|x|"]}) == (
        'devices { filter = [ "r|x|" ] dir = "/dev" }\ndevices/filter = [ "r|x|" ]\n')


def test_what_has_the_value_already_is_not_touched_however_it_is_written():
    text = "devices { filter=['a|b|','r|.*|'] }\nglobal { a = 1 b=word }"
    values = {"devices/filter": ["a|b|", "r|.*|"], "global/a": True, "global/b": "word"}
    assert lvm_conf.set_values(text, values) == text


def test_a_comment_in_another_section_is_no_place():
    text = "a {\n}\nb {\n# x = 1\n}\n"
    assert lvm_conf.set_values(text, {"a/x": 2}) == "a {\n\tx = 2\n}\nb {\n# x = 1\n}\n"
    assert lvm_conf.set_values("# x = 1\n" + text, {"a/x": 2}).startswith("# x = 1\na {\n\tx = 2\n")


def test_all_settings_are_read():
    assert lvm_conf.parse_settings(PACKAGED) == {
        "devices/dir": "/dev", "global/umask": 77, "activation/raid_region_size": 2048}


def test_empty_lists_and_quotes_survive():
    assert lvm_conf.render_value([]) == "[]"
    for value in EVERYTHING.values():
        assert lvm_conf.parse_settings("x = " + lvm_conf.render_value(value))["x"] == value


@pytest.mark.parametrize("text, word", [
    ("devices {\n filter = \n}", "line 3"), ("devices { x = [ 1, 2", "line 1"), ("}", "line 1"), ("a { b", "line 1"),
    ("x = \"open", "line 1"), ("a {", "the section a is not valid; expected a closing }"),
    ("x =", "line 1"), ("{", "line 1"),
    ("x = 'y", "line 1")])
def test_a_file_that_lvm_could_not_read_is_refused_and_says_where(text, word):
    with pytest.raises(lvm_conf.LvmConfError, match=re.escape(word)):
        lvm_conf.set_values(text, {"devices/filter": []})


KEYS = st.from_regex(r"[a-z]{1,6}/[a-z_]{1,6}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
VALUES = st.one_of(st.integers(-9, 10 ** 6), TEXTS, st.lists(TEXTS, max_size=3))


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_what_was_set_is_read_back_and_setting_it_again_changes_nothing(settings):
    text = lvm_conf.set_values(PACKAGED, settings)
    found = lvm_conf.parse_settings(text)
    assert {name: found[name] for name in settings} == settings
    assert lvm_conf.set_values(text, settings) == text
    others = {name: value for name, value in lvm_conf.parse_settings(PACKAGED).items() if name not in settings}
    assert {name: found[name] for name in others} == others


def test_a_filter_accepts_the_devices_by_their_whole_name_and_nothing_else():
    values = lvm_conf.render_filter(["/dev/disk/by-id/a.b"], ["^/dev/mapper/"])
    assert values == [r"a|^/dev/disk/by-id/a\.b$|", "a|^/dev/mapper/|", "r|.*|"]
    assert not lvm_conf.is_hidden(["/dev/sda", "/dev/disk/by-id/a.b"], values)
    assert not lvm_conf.is_hidden(["/dev/mapper/x"], values)
    assert lvm_conf.is_hidden(["/dev/sda", "/dev/disk/by-id/aXb"], values)
    assert not lvm_conf.is_hidden(["/dev/sda"], ["r/cdrom/", "nonsense"])
