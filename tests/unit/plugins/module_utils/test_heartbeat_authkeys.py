# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys are read as heartbeat reads them, and at no moment of a rotation is a node deaf to the other one."""
from __future__ import annotations

import itertools

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.authkeys_choice import FilterModule as ChoiceFilter
from ansible_collections.linuxha.cluster.plugins.filter.authkeys_rotation import FilterModule as RotationFilter
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import authkeys

OLD, NEW, NEWER = (authkeys.Key("sha1", secret) for secret in ("old-secret", "new-secret", "newer-secret"))
choice_of = ChoiceFilter().filters()["authkeys_choice"]
rotation_of = RotationFilter().filters()["authkeys_rotation"]
START = {node: authkeys.Keys(1, ((1, OLD),)) for node in "ab"}


@pytest.mark.parametrize(
    ("text", "number", "key"),
    [
        ("", 0, None),
        ("# nothing\n", 0, None),
        ("auth 1\n1 sha1 hello\n", 1, authkeys.Key("sha1", "hello")),
        ("auth 2\n1 md5 old\n2 sha1 new", 2, authkeys.Key("sha1", "new")),
        ("auth 1\n1 crc\n", 1, authkeys.Key("crc", "")),
        ('auth 1\n1 md5 "two words"\n', 1, authkeys.Key("md5", '"two')),
        ("1 md5 unused\n", 0, None),
    ],
)
def test_the_key_in_use_is_read_as_heartbeat_reads_it(text: str, number: int, key: authkeys.Key | None) -> None:
    keys = authkeys.parse_keys(text)
    assert (keys.used, authkeys.signing_key(keys)) == (number, key)
    chosen = authkeys.choose_keys(keys, "sha1", "", "fresh-one")
    secret = (key.secret if key else "") or "fresh-one"
    assert chosen == authkeys.Keys(number or 1, ((number or 1, authkeys.Key("sha1", secret)),))
    assert choice_of(text, "sha1", "", "fresh-one") == authkeys.render_keys(chosen)
    for method, used in (("md5", "given-one"), ("crc", "")):
        chosen = authkeys.choose_keys(keys, method, "given-one", "fresh-one")
        assert authkeys.signing_key(chosen) == authkeys.Key(method, used)


def test_keys_that_are_given_in_full_are_written() -> None:
    keys = [{"number": 1, "method": "md5", "secret": '"vive'}, {"number": 2, "method": "crc", "secret": None}]
    text = choice_of("auth 1\n1 sha1 old\n", "sha1", "", "fresh", keys, 2)
    assert text == 'auth 2\n1 md5 "vive\n2 crc \n'
    assert authkeys.parse_keys(text) == authkeys.parse_keys('auth 2\n1 md5 "vive ipvs"\n2 crc\n')


@pytest.mark.parametrize("text", ["auth 2\n1 md5 s3cret\n", "s3cret\n", "auth\n", "auth s3cret\n"])
def test_a_broken_authkeys_is_refused_without_saying_what_is_in_it(text: str) -> None:
    with pytest.raises(authkeys.SecretError) as caught:
        authkeys.parse_keys(text)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(Exception, match="authkeys"):
        choice_of(text, "sha1", "", "fresh")
    told = rotation_of({"a": text}, "sha1", "", "fresh")["problem"]
    assert "authkeys" in told and "s3cret" not in told


def hears(one: authkeys.Keys, other: authkeys.Keys) -> bool:
    return dict(one.known).get(other.used) == authkeys.signing_key(other)


def states(rotation: authkeys.Rotation, start: dict[str, authkeys.Keys]) -> list[dict[str, authkeys.Keys]]:
    """Return every state of two nodes on the way: within a step, one may be ahead of the other."""
    found = [start]
    for step in rotation:
        before = found[-1]
        found += [{"a": step["a"], "b": before["b"]}, {"a": before["a"], "b": step["b"]}, step]
    return found


def hear_each_other(state: dict[str, authkeys.Keys]) -> bool:
    return hears(state["a"], state["b"]) and hears(state["b"], state["a"])


def test_the_nodes_hear_each_other_all_the_way_and_end_with_the_new_key_alone() -> None:
    rotation = authkeys.plan_rotation(START, None, NEW)
    assert all(hear_each_other(state) for state in states(rotation, START))
    assert rotation.drop == {node: authkeys.Keys(2, ((2, NEW),)) for node in "ab"}


@pytest.mark.parametrize("given", [None, NEWER])
def test_a_rotation_that_was_killed_anywhere_goes_on_and_ends(given: authkeys.Key | None) -> None:
    for state in states(authkeys.plan_rotation(START, None, NEW), START)[1:]:
        again = authkeys.plan_rotation(state, given, NEWER)
        assert all(hear_each_other(each) for each in states(again, state))
        begun = given or (NEW if any(len(keys.known) > 1 for keys in state.values()) else NEWER)
        assert {authkeys.signing_key(keys) for keys in again.drop.values()} == {begun}
        assert {len(keys.known) for keys in again.drop.values()} == {1}


def test_a_secret_that_all_have_already_changes_nothing() -> None:
    assert all(step == START for step in authkeys.plan_rotation(START, OLD, NEW))


def test_numbers_take_turns() -> None:
    state, numbers = START, []
    for _turn in range(4):
        state = authkeys.plan_rotation(state, None, authkeys.Key("sha1", "secret%d" % len(numbers))).drop
        numbers.append(state["a"].used)
    assert numbers == [2, 1, 2, 1]


def test_what_is_written_is_read_again() -> None:
    for keys in itertools.chain.from_iterable(step.values() for step in authkeys.plan_rotation(START, None, NEW)):
        assert authkeys.parse_keys(authkeys.render_keys(keys)) == keys


def test_the_filter_returns_texts_by_step_and_node() -> None:
    texts = dict.fromkeys("ab", "auth 1\n1 sha1 old-secret\n")
    steps = rotation_of(texts, "sha1", "given-secret", "fresh")
    assert steps["problem"] == ""
    assert steps["add"]["a"] == "auth 1\n1 sha1 old-secret\n2 sha1 given-secret\n"
    assert steps["sign"]["b"] == "auth 2\n1 sha1 old-secret\n2 sha1 given-secret\n"
    assert steps["drop"] == dict.fromkeys("ab", "auth 2\n2 sha1 given-secret\n")
    assert rotation_of(texts, "sha1", "", "fresh")["drop"]["a"] == "auth 2\n2 sha1 fresh\n"


@pytest.mark.parametrize(("texts", "told"), [
    ({"a": "auth 1\n1 sha1 s3cret\n", "b": ""}, "b has no key; expected"),
    ({"a": "auth 1\n1 sha1 s3cret\n", "b": "auth 1\n1 sha1 other\n"}, "key 1 is not the same on all nodes; expected"),
])
def test_nodes_that_do_not_hear_each_other_are_refused(texts: dict[str, str], told: str) -> None:
    problem = rotation_of(texts, "sha1", "", "fresh")["problem"]
    assert told in problem and "s3cret" not in problem
