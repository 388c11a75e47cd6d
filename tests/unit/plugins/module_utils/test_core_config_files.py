# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The room of configuration files: what differs, what is told to the daemon, what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import config_files as room
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import (
    Command,
    HaError,
    MakeFolder,
    RemoveFile,
    WriteFile,
)
from hypothesis import given, strategies as st

SITE = room.File("/etc/apache/site", "new\n", 0o644, "root", "root")
OLD = room.Found("file", "old\n", 0o644, "root", "root")
NEW = OLD._replace(content="new\n")
RELOAD = room.TakeOver(("systemctl", "reload", "apache"))
NOTE = "/var/run/linuxha/pending/apache"


def plan(file: room.File, found: room.Found, note: str = "", running: bool = True, **asked: Any) -> Any:
    wanted = room.Wanted(**{"files": (file,), "daemon": "apache", "take_over": RELOAD, **asked})
    return room.plan_files(room.State({file.path: found}, note, running), wanted)


def kinds(made: Any) -> list[type]:
    return [type(action) for action in made.actions]


def sentences(made: Any) -> list[str]:
    return [action.sentence for action in made.actions]


def test_the_note_is_made_before_the_file_and_goes_after_the_take_over():
    made = plan(SITE, OLD)
    assert kinds(made) == [WriteFile, WriteFile, Command, RemoveFile]
    assert [made.actions[place].path for place in (0, 1, 3)] == [NOTE, SITE.path, NOTE]
    assert (made.actions[0].content, made.actions[0].mode) == (SITE.path + "\n", 0o600)
    assert made.predicted == room.State({SITE.path: NEW}, "", True, "systemctl reload apache")


def test_nothing_is_done_where_all_is_right():
    assert plan(SITE, NEW) == room.Plan((), room.State({SITE.path: NEW}))


def test_a_note_that_was_left_makes_the_daemon_take_over_though_no_file_differs():
    made = plan(SITE, NEW, note=SITE.path + "\n")
    assert sentences(made) == ["have apache take changed files over", "remove the note, apache has the files"]


def test_a_note_that_was_left_is_not_made_again():
    assert kinds(plan(SITE, OLD, note=SITE.path + "\n")) == [WriteFile, Command, RemoveFile]


def test_further_files_are_added_to_a_note_that_was_left():
    made = plan(SITE, OLD, note="/etc/other\n", take_over=None)
    assert (made.actions[0].content, made.predicted.note) == ("/etc/other\n/etc/apache/site\n",) * 2


def test_after_other_tasks_have_told_the_daemon_only_the_note_goes():
    made = plan(SITE, NEW, note=SITE.path + "\n", take_over=room.TakeOver(()))
    assert (kinds(made), made.predicted.taken) == ([RemoveFile], "")


def test_a_daemon_that_does_not_run_is_told_nothing():
    made = plan(SITE, OLD, running=False)
    assert kinds(made) == [WriteFile, WriteFile, RemoveFile]
    assert made.actions[-1].sentence == "remove the note, apache does not run and will read the files when it starts"
    assert (made.predicted.note, made.predicted.taken) == ("", "")


def test_without_a_command_the_note_stays_for_a_later_task():
    made = plan(SITE, OLD, take_over=None)
    assert kinds(made) == [WriteFile, WriteFile]
    assert made.predicted.note == SITE.path + "\n"
    assert plan(SITE, NEW, note=SITE.path + "\n", take_over=None).actions == ()


def test_the_later_task_takes_over_what_check_mode_only_predicted():
    made = room.plan_files(room.State({}), room.Wanted((), (), "apache", RELOAD, due=True))
    assert kinds(made) == [Command, RemoveFile]


def test_without_a_daemon_there_is_no_note():
    assert sentences(plan(SITE, OLD, daemon="", take_over=None)) == ["replace /etc/apache/site"]


@pytest.mark.parametrize(
    ("change", "found", "sentence"),
    [
        ({}, room.Found(), "write /etc/apache/site"),
        ({}, NEW._replace(mode=0o600), "set owner and mode of /etc/apache/site"),
        ({}, NEW._replace(group="adm"), "set owner and mode of /etc/apache/site"),
        ({"content": None}, OLD, "remove /etc/apache/site"),
    ],
)
def test_what_differs_is_named(change, found, sentence):
    assert sentences(plan(SITE._replace(**change), found, daemon="", take_over=None)) == [sentence]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"owner": "", "group": ""}, NEW._replace(owner="www", group="adm")),
        ({"once": True}, OLD),
        ({"mount": "/mnt"}, room.Found("unmounted")),
        ({"content": None}, room.Found()),
    ],
)
def test_what_may_stay_stays(change, found):
    assert plan(SITE._replace(**change), found).actions == ()


@pytest.mark.parametrize(("found", "kept"), [(OLD, True), (NEW._replace(mode=0o600), False)])
def test_only_another_text_is_worth_a_copy(found, kept):
    assert plan(SITE._replace(backup=True), found, daemon="", take_over=None).actions[0].backup is kept


@pytest.mark.parametrize(
    ("folder", "found", "after"),
    [
        (room.Folder("/d"), room.Found(), room.Found("folder", "", 0o755)),
        (room.Folder("/d", 0o700, "a", "b"), room.Found("folder", "", 0o755, "root", "root"),
         room.Found("folder", "", 0o700, "a", "b")),
        (room.Folder("/d", None, "a"), room.Found("folder", "", 0o711, "root", "root"),
         room.Found("folder", "", 0o711, "a", "root")),
    ],
)
def test_folders_are_made_and_given_what_is_asked(folder, found, after):
    made = room.plan_files(room.State({"/d": found}), room.Wanted((), (folder,)))
    verb = "change" if found.kind else "make"
    assert made.actions == (MakeFolder(verb + " the folder /d", "/d", folder.mode, folder.owner, folder.group),)
    assert made.predicted.found["/d"] == after


def test_a_folder_without_wishes_keeps_what_it_has():
    state = room.State({"/d": room.Found("folder", "", 0o711, "a", "b")})
    assert room.plan_files(state, room.Wanted((), (room.Folder("/d"),))).actions == ()


@pytest.mark.parametrize(("kind", "word"), [("folder", "folder"), ("other", "device, socket or pipe")])
def test_what_is_no_file_is_refused(kind, word):
    with pytest.raises(HaError, match="^/etc/apache/site is no file but a %s; it was left as it is$" % word):
        plan(SITE, room.Found(kind))


def test_what_is_no_folder_is_refused():
    with pytest.raises(HaError, match="^/d is no folder; it was left as it is$"):
        room.plan_files(room.State({"/d": OLD}), room.Wanted((), (room.Folder("/d"),)))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (room.Wanted((SITE, SITE)), "/etc/apache/site is named more than once"),
        (room.Wanted((SITE._replace(path="site"),)), "site is not an absolute path"),
        (room.Wanted(take_over=RELOAD), "need daemon"),
        (room.Wanted(due=True), "need daemon"),
    ],
)
def test_senseless_wishes_are_refused(wanted, words):
    with pytest.raises(HaError, match=words):
        room.check_wanted(wanted)
    room.check_wanted(room.Wanted((SITE,), (), "apache", RELOAD))


def test_modes_and_names_are_read():
    assert [room.parse_mode(text, "x") for text in ("0644", "600", "1777")] == [0o644, 0o600, 0o1777]
    for wrong in ("u=rw", "0o644", "9", "420000"):
        with pytest.raises(HaError, match="^x is "):
            room.parse_mode(wrong, "x")
    for wrong in ("", "../../etc/passwd", "a b", ".."):
        with pytest.raises(HaError, match="^daemon is "):
            room.note_of(wrong)


def test_the_difference_shows_texts_attributes_and_the_command():
    wanted = room.Wanted((SITE,), (), "apache", RELOAD)
    state = room.State({SITE.path: OLD._replace(mode=0o600)})
    made = room.plan_files(state, wanted)
    attributes, told = SITE.path + " (kind, mode, owner, group)", "what apache is told"
    assert room.describe(state, wanted) == {SITE.path: "old\n", attributes: "file 0600 root root\n", told: ""}
    assert room.describe(made.predicted, wanted) == {
        SITE.path: "new\n", attributes: "file 0644 root root\n", told: "systemctl reload apache\n"}


def test_a_secret_is_never_shown_but_its_change_is():
    secret = SITE._replace(content="1 sha1 hush\n", secret=True)
    wanted = room.Wanted((secret,))
    state = room.State({secret.path: OLD._replace(content="1 sha1 shush\n")})
    before, after = room.describe(state, wanted), room.describe(room.plan_files(state, wanted).predicted, wanted)
    assert before[secret.path] != after[secret.path]
    assert "hush" not in str(before) + str(after)


def test_what_is_not_there_is_not_shown():
    assert room.describe(room.State({SITE.path: room.Found()}), room.Wanted((SITE,))) == {}


NAMES = st.sampled_from(["", "root", "adm"])
FOUND = st.one_of(
    st.just(room.Found()), st.just(room.Found("unmounted")),
    st.builds(room.Found, st.just("file"), st.sampled_from(["a", "b"]), st.sampled_from([0o600, 0o644]), NAMES, NAMES))
FILES = st.builds(
    room.File, st.sampled_from(["/a", "/b"]), st.sampled_from([None, "a", "b"]), st.sampled_from([0o600, 0o644]),
    NAMES, NAMES, once=st.booleans(), secret=st.booleans())


@given(FILES, FOUND, st.sampled_from(["", "/a\n"]), st.booleans(), st.booleans())
def test_what_was_reached_needs_nothing_more(file, found, note, running, told):
    wanted = room.Wanted((file,), (), "d", RELOAD if told else None)
    made = room.plan_files(room.State({file.path: found}, note, running), wanted)
    again = room.plan_files(made.predicted._replace(taken=""), wanted)
    assert again.actions == ()
    assert bool(made.predicted.note) == (not told and bool(note or made.actions))


@given(FILES, FOUND, st.sampled_from(["", "/a\n"]))
def test_there_is_a_difference_to_show_whenever_a_file_is_changed(file, found, note):
    wanted = room.Wanted((file,))
    state = room.State({file.path: found}, note)
    made = room.plan_files(state, wanted)
    same = room.describe(state, wanted) == room.describe(made.predicted, wanted)
    assert same == (not made.actions)


FOLDERS = st.builds(room.Folder, st.just("/d"), st.sampled_from([None, 0o700, 0o755]), NAMES, NAMES)
PLACES = st.one_of(st.just(room.Found()), st.builds(room.Found, st.sampled_from(["folder", "other"]), st.just(""),
                                                    st.sampled_from([0o700, 0o755]), NAMES, NAMES))


def seen(found: dict[str, room.Found], note: str = "") -> dict[str, Any]:
    """What host_facts tells of them."""
    files = {path: room.seen_from(each) for path, each in found.items()}
    return {"files": files, "pending": {"d": note} if note else {}}


@given(FILES, FOLDERS, st.one_of(FOUND, PLACES), st.one_of(FOUND, PLACES), st.sampled_from(["", "/a\n"]), st.booleans())
def test_an_earlier_look_shows_whether_there_is_anything_to_do(file, folder, found, place, note, told):
    wanted = room.Wanted((file,), (folder,), "d", RELOAD if told else None)
    state = room.State({file.path: found, folder.path: place}, note)
    try:
        idle = not room.plan_files(state, wanted).actions and not note
    except HaError:
        idle = False
    assert room.is_settled(seen(state.found, note), wanted) == idle


@pytest.mark.parametrize("content", [None, "", "text"])
def test_texts_are_told_apart_without_being_told(content):
    file = SITE._replace(content=content)
    for there in ("", "text", "text\n# other", "\n# other"):
        found = NEW._replace(content=there)
        assert room.is_settled(seen({SITE.path: found}), room.Wanted((file,))) == (content == there)
        assert not there or there not in str(seen({SITE.path: found}))
    assert room.is_settled(seen({SITE.path: room.Found()}), room.Wanted((file,))) == (content is None)


def test_what_was_not_looked_at_or_is_due_is_not_settled():
    wanted = room.Wanted((SITE,), (room.Folder("/d"),), "d", RELOAD)
    all_right = {SITE.path: NEW, "/d": room.Found("folder")}
    assert room.is_settled(seen(all_right), wanted)
    assert not room.is_settled(seen({SITE.path: NEW}), wanted)
    assert not room.is_settled(seen({"/d": all_right["/d"]}), wanted)
    assert not room.is_settled(seen(all_right), wanted._replace(due=True))
    assert not room.is_settled(seen(all_right), wanted._replace(files=(SITE._replace(mount="/mnt"),)))
    assert not room.is_settled(seen(dict(all_right, **{"/d": room.Found("other")})), wanted)
