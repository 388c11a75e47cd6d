# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema reader: what it accepts, how it reports what it refuses, and that it never fails."""
from __future__ import annotations

import re
import unicodedata
from collections import namedtuple

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import schema
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from hypothesis import example, given, strategies as st

Link = namedtuple("Link", "name port")
WORD = schema.text(re.compile(r"\w+"), "one word")
LINK = schema.Mapping({"name": WORD, "port": schema.PORT.default_to(80)}, ("name",), Link)
LINKS = schema.ListOf(LINK, "a list of links", least=1, most=3, unique=("name",))
LOGIN = schema.Mapping({"user": WORD, "password": schema.text(re.compile(r"\S{8,}"), "8 characters", secret=True)})


def refused(field, raw):
    found, faults = schema.read(field, raw, "x")
    assert found is None and len(faults) == 1, (found, faults)
    return faults[0]


@pytest.mark.parametrize("field, raw, found", [
    (WORD, "Grüße", "Grüße"),
    (schema.text(None, "a text", str.upper), "a", "A"),
    (schema.text(None, "a text", multiline=True), "one\n\ttwo ²\r\n", "one\n\ttwo ²\r\n"),
    (schema.number(0), "007", 7), (schema.number(-1), -1, -1), (schema.number(1, 2, texts=False), 2, 2),
    (schema.decimal(0.5, 2), "1.5", 1.5), (schema.decimal(0, 2), 1, 1),
    (schema.choice("a", "b"), "b", "b"),
    (schema.TRUTH, "on", True), (schema.TRUTH, 0, False), (schema.TRUTH, "False", False), (schema.TRUTH, True, True),
    (schema.BOOLEAN, False, False),
    (schema.SCALAR, True, "1"), (schema.SCALAR, 1.5, "1.5"), (schema.SCALAR, "a b", "a b"), (schema.SCALAR, "", ""),
    (schema.LINE, "a line", "a line"),
    (schema.ADDRESS, "10.0.0.1", "10.0.0.1"), (schema.ADDRESS, "ring1.a", "ring1.a"),
    (schema.ADDRESS, "FD00::1", "fd00::1"), (schema.ADDRESS, "fe80::1%eth0.100", "fe80::1%eth0.100"),
    (schema.GROUP_ADDRESS, "239.192.6.41", "239.192.6.41"), (schema.GROUP_ADDRESS, "ff15::1", "ff15::1"),
    (LINKS, [{"name": "a"}, {"name": "b", "port": "81"}], (Link("a", 80), Link("b", 81))),
    (schema.ListOf(WORD, "words", make=list), [], []),
    (schema.Mapping({"a": WORD}, others=True), {"a": None, "b": 1}, {"a": None}),
    (schema.OPTIONS, {"port": 3, "lanplus": True, "none": None}, (("port", "3"), ("lanplus", "1"))),
    (schema.MappingOf(WORD, WORD, "words", {"port": schema.PORT}), {"a": "b", "port": 1}, {"a": "b", "port": 1}),
])
def test_what_is_valid_is_returned_in_its_right_type(field, raw, found):
    assert schema.read(field, raw, "x") == (found, [])
    assert schema.parse(field, raw, "x") == found


@pytest.mark.parametrize("field, raw, message", [
    (WORD, "a b", "x: 'a b' is not valid; expected one word"),
    (WORD, None, "x: None is not valid; expected one word"),
    (WORD, {"a": "hidden"}, "x: a mapping is not valid; expected one word"),
    (WORD, ["hidden"], "x: a list is not valid; expected one word"),
    (WORD, 5, "x: 5 is not valid; expected one word"),
    (WORD, "a\n", "x: 'a\\n' is not valid; expected one word, without line ends"),
    (WORD, "٦٩٤", "x: '٦٩٤' is not valid; expected one word, without"),
    (schema.LINE, "10 m²", "and digits other than 0-9"),
    (schema.LINE, "a\x00b", "x: 'a\\x00b' is not valid"),
    (schema.LINE, "a\u2028b", "x: 'a\\u2028b' is not valid"),
    (schema.LINE, "", "x: '' is not valid; expected a text of one line"),
    (WORD, "a " * 100, "x: '%s... is not valid" % ("a " * 60)[:-1]),
    (schema.text(None, "a text", multiline=True), "a\x1b[0m", "expected a text, without control characters"),
    (schema.number(1, 255), True, "x: True is not valid; expected a whole number, 1 to 255"),
    (schema.number(1, 255), 256, "x: 256 is not valid"), (schema.number(1), "", "x: '' is not valid"),
    (schema.number(0), "²", "x: '²' is not valid; expected a whole number, 0 or more"),
    (schema.number(0), "٣", "x: '٣' is not valid"), (schema.number(0), "1\n", "x: '1\\n' is not valid"),
    (schema.number(0), 1.0, "x: 1.0 is not valid"), (schema.number(0, texts=False), "1", "x: '1' is not valid"),
    (schema.number(0), 2 ** 70, "is not valid"), (schema.number(0), "9" * 9000, "is not valid"),
    (schema.number(0, expected="seconds"), -1, "x: -1 is not valid; expected seconds"),
    (schema.decimal(0, 2), float("nan"), "x: nan is not valid; expected a number, 0 to 2"),
    (schema.decimal(0, 2), "1.", "x: '1.' is not valid"), (schema.decimal(0, 2), False, "x: False is not valid"),
    (schema.choice("a", "b"), "c", "x: 'c' is not valid; expected one of a, b"),
    (schema.choice("a", "b"), ["a"], "x: a list is not valid"),
    (schema.TRUTH, "maybe", "x: 'maybe' is not valid; expected true or false"), (schema.TRUTH, [], "x: [] is not"),
    (schema.TRUTH, 2, "x: 2 is not valid"), (schema.BOOLEAN, "no", "x: 'no' is not valid; expected true or false"),
    (schema.ADDRESS, "1.2.3", "x: '1.2.3' is not valid; expected an IP address or a name"),
    (schema.ADDRESS, "127.0.0.1", "none of the loopback"), (schema.ADDRESS, "a b", "x: 'a b' is not valid"),
    (schema.GROUP_ADDRESS, "224.0.0.1", "x: '224.0.0.1' is not valid; expected a multicast address"),
    (schema.GROUP_ADDRESS, "10.0.0.1", "x: '10.0.0.1' is not valid"),
    (LINKS, "a", "x: 'a' is not valid; expected a list of links"), (LINKS, [], "x: [] is not valid"),
    (LINKS, [1, 2, 3, 4], "x: a list is not valid"),
    (LINKS, [{"name": "a"}, {"name": "a"}], "x[1].name: 'a' is not valid; expected a value that no other entry has"),
    (LINKS, [{"port": 1}], "x[0].name: is missing; expected one word"),
    (LINKS, [{"name": "a", "prot": 1}], "x[0].prot: there is no such key (did you mean port?); expected one of name, "
                                        "port"),
    (LINKS, [{"name": "a", "colour": 1}], "x[0].colour: there is no such key; expected one of name, port"),
    (LINKS, [{"name": "a", 5: 1}], "x[0].5: there is no such key"),
    (LINKS, [{"name": "a", "a\nb": 1}], "x[0].'a\\nb': there is no such key"),
    (LINKS, [{"name": "a", "port": 0}], "x[0].port: 0 is not valid; expected a whole number, 1 to 65535"),
    (LINKS, [None], "x[0]: None is not valid; expected a mapping with the keys name, port"),
    (schema.ListOf(WORD, "words", unique=True), ["a", "a"],
     "x[1]: 'a' is not valid; expected a value that no other entry has"),
    (schema.ListOf(schema.Mapping({"a": WORD}), "a list", unique=("a",)), [{"a": "b"}, {}, {}, {"a": "b"}],
     "x[3].a: 'b' is not valid; expected a value that no other entry has"),
    (schema.MappingOf(WORD, WORD, "words", nulls=False), {"a": None}, "x.a: None is not valid; expected one word"),
    (schema.MappingOf(WORD, WORD, "words by name"), [], "x: [] is not valid; expected words by name"),
    (schema.ADDRESS, "2001:db8::4%x", "x: '2001:db8::4%x' is not valid; expected an IP address"),
    (schema.ADDRESS, "fe80::1%x y", "x: 'fe80::1%x y' is not valid; expected an IP address"),
    (schema.ADDRESS, "fe80::1%\n", "is not valid; expected an IP address"),
    (schema.GROUP_ADDRESS, "ff15::1%eth0", "x: 'ff15::1%eth0' is not valid"),
    (schema.MappingOf(WORD, WORD, "words by name"), {"a b": "c"}, "x: 'a b' is not valid; expected one word"),
    (schema.OPTIONS, {"a b": 1}, "x: (not shown) is not valid; expected names of options"),
    (schema.OPTIONS, {5: 1}, "x: (not shown) is not valid; expected names of options"),
    (LOGIN, {"pasword": "hidden"}, "x.pasword: there is no such key (did you mean password?)"),
    (LOGIN, {"pasword": None}, "x.pasword: there is no such key (did you mean password?)"),
    (LOGIN, {"password=a": None}, "x.(not shown): there is no such key (did you mean password?)"),
    (LOGIN, {"user": "a", "password hidden": None}, "x.(not shown): there is no such key; expected one of password"),
])
def test_what_is_not_valid_is_named_with_its_path_its_value_and_what_would_be(field, raw, message):
    assert message in refused(field, raw)
    with pytest.raises(schema.SchemaError, match=re.escape(message)):
        schema.parse(field, raw, "x")


def test_a_number_too_long_to_print_is_refused_without_it():
    assert "is not valid; expected one word" in refused(WORD, 10 ** 9000)


def test_all_faults_are_reported_at_once():
    _found, faults = schema.read(LINKS, [{"name": "a b"}, {"port": "x", "colour": 1}], "links")
    assert [message.split(":")[0] for message in faults] == [
        "links[0].name", "links[1].colour", "links[1].name", "links[1].port"]


def test_variables_by_their_names_have_paths_without_a_parent():
    assert schema.read(schema.Mapping({"links": LINKS}, ("links",)), {})[1] == [
        "links: is missing; expected a list of links"]


def test_rules_are_applied_once_the_values_are_right():
    def rules(where, keys):
        return [schema.fault(where + ".port", keys["port"], "443")] if keys["port"] != 443 else []
    field = schema.Mapping({"port": schema.PORT}, rules=rules)
    assert schema.read(field, {"port": "443"}, "x") == ({"port": 443}, [])
    assert refused(field, {"port": "80"}) == "x.port: 80 is not valid; expected 443"
    assert "1 to 65535" in refused(field, {"port": "80x"})


def test_a_converter_may_say_more_exactly_what_is_expected():
    def convert(raw):
        raise schema.Expected("not " + raw)
    assert refused(schema.text(None, "a text", convert), "a") == "x: 'a' is not valid; expected not a"


def test_parse_raises_the_error_of_its_caller():
    class OwnError(HaError):
        pass
    with pytest.raises(OwnError):
        schema.parse(WORD, 5, "x", OwnError)


@pytest.mark.parametrize("raw", [
    {"password": "s3cr3t"}, {"password": ["s3cr3t"]}, {"password": {"s3cr3t": "s3cr3t"}}, "user:s3cr3t", ["s3cr3t"],
    {"user": {"password": "s3cr3t"}}, {"password": "s3cr3t s3cr3t\n"}, {"password=s3cr3t": None},
    {"password:s3cr3t": None}, {"password s3cr3t": "s3cr3t"},
])
def test_a_secret_is_never_printed(raw):
    assert "s3cr3t" not in refused(LOGIN, raw)
    lists = schema.ListOf(LOGIN, "logins", unique=("password",))
    assert "s3cr3t" not in "".join(schema.read(lists, raw, "x")[1] + schema.read(lists, [raw, raw], "x")[1])
    assert "s3cr3t" not in "".join(schema.read(schema.OPTIONS, [raw], "x")[1])
    free = schema.MappingOf(schema.LINE, schema.text(None, "a text", secret=True), "texts by name", nulls=False)
    assert "s3cr3t" not in "".join(schema.read(free, raw, "x")[1])


def test_two_equal_secrets_are_named_without_their_value():
    lists = schema.ListOf(LOGIN, "logins", unique=("password",))
    assert refused(lists, [{"password": "long-s3cr3t"}] * 2) == (
        "x[1].password: (not shown) is not valid; expected a value that no other entry has")


def test_a_reader_reads_values_that_depend_on_each_other():
    reader = schema.Reader()
    assert reader.mapping("x", {"port": "81", "name": None}, ("name", "port")) == {"port": "81"}
    assert reader.value("x.port", "81", schema.PORT) == 81 and reader.value("x.name", None, WORD, "www") == "www"
    assert reader.faults == []
    assert reader.value("x.port", "0", schema.PORT, 80) == 80
    assert reader.mapping("y", "a", ("name",)) == {} and reader.mapping("z", {"nam": 1}, ("name",)) == {}
    assert reader.faults == [
        "x.port: '0' is not valid; expected a whole number, 1 to 65535",
        "y: 'a' is not valid; expected a mapping with the keys name",
        "z.nam: there is no such key (did you mean name?); expected one of name"]


# --- whatever a user writes -----------------------------------------------------------------------------------------

TEXTS = st.text() | st.sampled_from(["a", "name", "10.0.0.1", "٦٩٤", "²", "a\n", "\x00", "eth0", "/dev/sda", "on", "5"])
KEYS = TEXTS | st.sampled_from(["port", "user", "lines", "links"]) | st.integers() | st.booleans() | st.none()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)
EVERYTHING = schema.Mapping({
    "links": LINKS, "login": LOGIN, "options": schema.OPTIONS, "scalar": schema.SCALAR, "truth": schema.TRUTH,
    "address": schema.ADDRESS, "group": schema.GROUP_ADDRESS, "node": schema.NODE_NAME, "line": schema.LINE,
    "device": schema.DEVICE, "count": schema.number(0), "share": schema.decimal(0, 1), "word": schema.choice("a", "b"),
    "texts": schema.ListOf(schema.text(None, "a text"), "texts", unique=True), "strict": schema.BOOLEAN,
    "free": schema.MappingOf(schema.LINE, schema.SCALAR, "texts by name", {"truth": schema.TRUTH}, nulls=False)})


def strings_of(value):
    if isinstance(value, str):
        return [value]
    parts = list(value) + list(value.values()) if isinstance(value, dict) else value
    return [text for part in parts for text in strings_of(part)] if isinstance(parts, (list, tuple)) else []


@given(VALUES | st.fixed_dictionaries({}, optional={key: VALUES for key in EVERYTHING.fields}))
@example({"count": 10 ** 9000, "scalar": 10 ** 9000, "share": 10 ** 9000, "line": 10 ** 9000})
@example({"share": "9" * 9000, "count": "9" * 9000})
def test_every_value_gives_a_result_or_messages_of_one_line(raw):
    found, faults = schema.read(EVERYTHING, raw, "x")
    assert (found is None) == bool(faults)
    assert all(message.startswith("x") and message.isprintable() for message in faults)


@given(st.sampled_from(sorted(EVERYTHING.fields)).flatmap(lambda key: st.tuples(st.just(key), VALUES)))
def test_what_is_accepted_has_no_control_characters_and_no_digits_but_ascii(pair):
    key, raw = pair
    found, faults = schema.read(EVERYTHING.fields[key], raw, key)
    texts = strings_of(found) if not faults else []
    assert not [character for text in texts for character in text
                if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or
                (character.isdigit() and character not in "0123456789")]


@given(TEXTS)
def test_a_string_with_control_characters_or_other_digits_is_never_accepted(raw):
    unclean = any(unicodedata.category(character) in ("Cc", "Zl", "Zp") or
                  (character.isdigit() and not character.isascii()) for character in raw)
    for field in (schema.text(None, "a text"), schema.text(re.compile(r"(?s).*$"), "a text"), schema.SCALAR):
        assert not unclean or schema.read(field, raw, "x")[1]
