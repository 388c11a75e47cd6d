# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files: what differs, how the daemon is reloaded, what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import config_files as conf
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import (
    Command,
    HaError,
    MakeFolder,
    RemoveFile,
    WriteFile,
)
from hypothesis import given, strategies as st

SITE = conf.File("/etc/apache/site", "new\n", 0o644, "root", "root")
OLD = conf.Found("file", "old\n", 0o644, "root", "root")
NEW = OLD._replace(content="new\n")
RELOAD = conf.TakeOver(("systemctl", "reload", "apache"))
NOTE = "/var/run/linuxha/pending/apache"


def plan(file: conf.File, found: conf.Found, note: str = "", running: bool = True, **asked: Any) -> Any:
    desired = conf.DesiredFiles(**{"files": (file,), "daemon": "apache", "take_over": RELOAD, **asked})
    return conf.plan_files(conf.State({file.path: found}, note, running), desired)


def kinds(made: Any) -> list[type]:
    return [type(action) for action in made.actions]


def sentences(made: Any) -> list[str]:
    return [action.sentence for action in made.actions]


def test_the_note_is_made_before_the_file_and_goes_after_the_take_over():
    made = plan(SITE, OLD)
    assert kinds(made) == [WriteFile, WriteFile, Command, RemoveFile]
    assert [made.actions[place].path for place in (0, 1, 3)] == [NOTE, SITE.path, NOTE]
    assert (made.actions[0].content, made.actions[0].mode) == (SITE.path + "\n", 0o600)
    assert made.predicted == conf.State({SITE.path: NEW}, "", True, "systemctl reload apache")


def test_nothing_is_done_where_all_is_right():
    assert plan(SITE, NEW) == conf.Plan((), conf.State({SITE.path: NEW}))


def test_a_note_that_was_left_makes_the_daemon_take_over_though_no_file_differs():
    made = plan(SITE, NEW, note=SITE.path + "\n")
    assert sentences(made) == ["reload apache", "remove the record, apache was reloaded"]


def test_a_note_that_was_left_is_not_made_again():
    assert kinds(plan(SITE, OLD, note=SITE.path + "\n")) == [WriteFile, Command, RemoveFile]


def test_further_files_are_added_to_a_note_that_was_left():
    made = plan(SITE, OLD, note="/etc/other\n", take_over=None)
    assert (made.actions[0].content, made.predicted.note) == ("/etc/other\n/etc/apache/site\n",) * 2


def test_after_other_tasks_have_told_the_daemon_only_the_note_goes():
    made = plan(SITE, NEW, note=SITE.path + "\n", take_over=conf.TakeOver(()))
    assert (kinds(made), made.predicted.taken) == ([RemoveFile], "")


def test_a_daemon_that_does_not_run_is_told_nothing():
    made = plan(SITE, OLD, running=False)
    assert kinds(made) == [WriteFile, WriteFile, RemoveFile]
    assert made.actions[-1].sentence == "remove the record, apache does not run and reads the files when it starts"
    assert (made.predicted.note, made.predicted.taken) == ("", "")


def test_without_a_command_the_note_stays_for_a_later_task():
    made = plan(SITE, OLD, take_over=None)
    assert kinds(made) == [WriteFile, WriteFile]
    assert made.predicted.note == SITE.path + "\n"
    assert plan(SITE, NEW, note=SITE.path + "\n", take_over=None).actions == ()


def test_the_later_task_takes_over_what_check_mode_only_predicted():
    made = conf.plan_files(conf.State({}), conf.DesiredFiles((), (), "apache", RELOAD, due=True))
    assert kinds(made) == [Command, RemoveFile]


def test_without_a_daemon_there_is_no_note():
    assert sentences(plan(SITE, OLD, daemon="", take_over=None)) == ["replace /etc/apache/site"]


@pytest.mark.parametrize(
    ("change", "found", "sentence"),
    [
        ({}, conf.Found(), "write /etc/apache/site"),
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
        ({"mount": "/mnt"}, conf.Found("unmounted")),
        ({"content": None}, conf.Found()),
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
        (conf.Folder("/d"), conf.Found(), conf.Found("folder", "", 0o755)),
        (conf.Folder("/d", 0o700, "a", "b"), conf.Found("folder", "", 0o755, "root", "root"),
         conf.Found("folder", "", 0o700, "a", "b")),
        (conf.Folder("/d", None, "a"), conf.Found("folder", "", 0o711, "root", "root"),
         conf.Found("folder", "", 0o711, "a", "root")),
    ],
)
def test_folders_are_made_and_given_what_is_asked(folder, found, after):
    made = conf.plan_files(conf.State({"/d": found}), conf.DesiredFiles((), (folder,)))
    verb = "change" if found.kind else "create"
    assert made.actions == (MakeFolder(verb + " the folder /d", "/d", folder.mode, folder.owner, folder.group),)
    assert made.predicted.found["/d"] == after


def test_a_folder_without_wishes_keeps_what_it_has():
    state = conf.State({"/d": conf.Found("folder", "", 0o711, "a", "b")})
    assert conf.plan_files(state, conf.DesiredFiles((), (conf.Folder("/d"),))).actions == ()


@pytest.mark.parametrize(("kind", "word"), [("folder", "folder"), ("other", "device, socket or pipe")])
def test_what_is_no_file_is_refused(kind, word):
    with pytest.raises(HaError, match="^/etc/apache/site is a %s, expected a file; nothing was changed$" % word):
        plan(SITE, conf.Found(kind))


def test_what_is_no_folder_is_refused():
    with pytest.raises(HaError, match="^/d is not a folder, expected one; nothing was changed$"):
        conf.plan_files(conf.State({"/d": OLD}), conf.DesiredFiles((), (conf.Folder("/d"),)))


@pytest.mark.parametrize(
    ("desired", "words"),
    [
        (conf.DesiredFiles((SITE, SITE)), "/etc/apache/site is named more than once"),
        (conf.DesiredFiles((SITE._replace(path="site"),)), "site is not an absolute path"),
        (conf.DesiredFiles(take_over=RELOAD), "need daemon"),
        (conf.DesiredFiles(due=True), "need daemon"),
    ],
)
def test_senseless_wishes_are_refused(desired, words):
    with pytest.raises(HaError, match=words):
        conf.check_desired(desired)
    conf.check_desired(conf.DesiredFiles((SITE,), (), "apache", RELOAD))


def test_modes_and_names_are_read():
    assert [conf.parse_mode(text, "x") for text in ("0644", "600", "1777")] == [0o644, 0o600, 0o1777]
    for wrong in ("u=rw", "0o644", "9", "420000"):
        with pytest.raises(HaError, match="^x is "):
            conf.parse_mode(wrong, "x")
    for wrong in ("", "../../etc/passwd", "a b", ".."):
        with pytest.raises(HaError, match="^daemon is "):
            conf.note_of(wrong)


def test_the_difference_shows_texts_attributes_and_the_command():
    desired = conf.DesiredFiles((SITE,), (), "apache", RELOAD)
    state = conf.State({SITE.path: OLD._replace(mode=0o600)})
    made = conf.plan_files(state, desired)
    attributes, told = SITE.path + " (kind, mode, owner, group)", "how apache is reloaded"
    assert conf.describe(state, desired) == {SITE.path: "old\n", attributes: "file 0600 root root\n", told: ""}
    assert conf.describe(made.predicted, desired) == {
        SITE.path: "new\n", attributes: "file 0644 root root\n", told: "systemctl reload apache\n"}


def test_a_secret_is_never_shown_but_its_change_is():
    secret = SITE._replace(content="1 sha1 hush\n", secret=True)
    desired = conf.DesiredFiles((secret,))
    state = conf.State({secret.path: OLD._replace(content="1 sha1 shush\n")})
    before, after = conf.describe(state, desired), conf.describe(conf.plan_files(state, desired).predicted, desired)
    assert before[secret.path] != after[secret.path]
    assert "hush" not in str(before) + str(after)


def test_what_is_not_there_is_not_shown():
    assert conf.describe(conf.State({SITE.path: conf.Found()}), conf.DesiredFiles((SITE,))) == {}


NAMES = st.sampled_from(["", "root", "adm"])
FOUND = st.one_of(
    st.just(conf.Found()), st.just(conf.Found("unmounted")),
    st.builds(conf.Found, st.just("file"), st.sampled_from(["a", "b"]), st.sampled_from([0o600, 0o644]), NAMES, NAMES))
FILES = st.builds(
    conf.File, st.sampled_from(["/a", "/b"]), st.sampled_from([None, "a", "b"]), st.sampled_from([0o600, 0o644]),
    NAMES, NAMES, once=st.booleans(), secret=st.booleans())


@given(FILES, FOUND, st.sampled_from(["", "/a\n"]), st.booleans(), st.booleans())
def test_what_was_reached_needs_nothing_more(file, found, note, running, told):
    desired = conf.DesiredFiles((file,), (), "d", RELOAD if told else None)
    made = conf.plan_files(conf.State({file.path: found}, note, running), desired)
    again = conf.plan_files(made.predicted._replace(taken=""), desired)
    assert again.actions == ()
    assert bool(made.predicted.note) == (not told and bool(note or made.actions))


@given(FILES, FOUND, st.sampled_from(["", "/a\n"]))
def test_there_is_a_difference_to_show_whenever_a_file_is_changed(file, found, note):
    desired = conf.DesiredFiles((file,))
    state = conf.State({file.path: found}, note)
    made = conf.plan_files(state, desired)
    same = conf.describe(state, desired) == conf.describe(made.predicted, desired)
    assert same == (not made.actions)


FOLDERS = st.builds(conf.Folder, st.just("/d"), st.sampled_from([None, 0o700, 0o755]), NAMES, NAMES)
PLACES = st.one_of(st.just(conf.Found()), st.builds(conf.Found, st.sampled_from(["folder", "other"]), st.just(""),
                                                    st.sampled_from([0o700, 0o755]), NAMES, NAMES))


def seen(found: dict[str, conf.Found], note: str = "") -> dict[str, Any]:
    """What host_facts tells of them."""
    files = {path: conf.seen_from(each) for path, each in found.items()}
    return {"files": files, "pending": {"d": note} if note else {}}


@given(FILES, FOLDERS, st.one_of(FOUND, PLACES), st.one_of(FOUND, PLACES), st.sampled_from(["", "/a\n"]), st.booleans())
def test_an_earlier_look_shows_whether_there_is_anything_to_do(file, folder, found, place, note, told):
    desired = conf.DesiredFiles((file,), (folder,), "d", RELOAD if told else None)
    state = conf.State({file.path: found, folder.path: place}, note)
    try:
        idle = not conf.plan_files(state, desired).actions and not note
    except HaError:
        idle = False
    assert conf.is_settled(seen(state.found, note), desired) == idle


@pytest.mark.parametrize("content", [None, "", "text"])
def test_texts_are_told_apart_without_being_told(content):
    file = SITE._replace(content=content)
    for there in ("", "text", "text\n# other", "\n# other"):
        found = NEW._replace(content=there)
        assert conf.is_settled(seen({SITE.path: found}), conf.DesiredFiles((file,))) == (content == there)
        assert not there or there not in str(seen({SITE.path: found}))
    assert conf.is_settled(seen({SITE.path: conf.Found()}), conf.DesiredFiles((file,))) == (content is None)


def test_what_was_not_looked_at_or_is_due_is_not_settled():
    desired = conf.DesiredFiles((SITE,), (conf.Folder("/d"),), "d", RELOAD)
    all_right = {SITE.path: NEW, "/d": conf.Found("folder")}
    assert conf.is_settled(seen(all_right), desired)
    assert not conf.is_settled(seen({SITE.path: NEW}), desired)
    assert not conf.is_settled(seen({"/d": all_right["/d"]}), desired)
    assert not conf.is_settled(seen(all_right), desired._replace(due=True))
    assert not conf.is_settled(seen(all_right), desired._replace(files=(SITE._replace(mount="/mnt"),)))
    assert not conf.is_settled(seen(dict(all_right, **{"/d": conf.Found("other")})), desired)
