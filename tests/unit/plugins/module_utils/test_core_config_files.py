# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files: what differs, whether the daemon is reloaded, what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import config_files as core
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import (
    Command,
    HaError,
    MakeFolder,
    RemoveFile,
    WriteFile,
)
from hypothesis import given, strategies as st

SITE = core.File("/etc/apache/site", "new\n", 0o644, "root", "root")
OLD = core.Found("file", "old\n", 0o644, "root", "root")
NEW = OLD._replace(content="new\n")
RELOAD = core.TakeOver(("systemctl", "reload", "apache"))
STATE_FILE = "/var/run/linuxha/pending/apache"


def plan(file: core.File, found: core.Found, pending: str = "", running: bool = True, **asked: Any) -> Any:
    desired = core.DesiredFiles(**{"files": (file,), "daemon": "apache", "take_over": RELOAD, **asked})
    return core.plan_files(core.State({file.path: found}, pending, running), desired)


def kinds(made: Any) -> list[type]:
    return [type(action) for action in made.actions]


def sentences(made: Any) -> list[str]:
    return [action.sentence for action in made.actions]


def test_the_state_file_is_written_before_the_file_and_removed_after_the_reload():
    made = plan(SITE, OLD)
    assert kinds(made) == [WriteFile, WriteFile, Command, RemoveFile]
    assert [made.actions[place].path for place in (0, 1, 3)] == [STATE_FILE, SITE.path, STATE_FILE]
    assert (made.actions[0].content, made.actions[0].mode) == (SITE.path + "\n", 0o600)
    assert made.predicted == core.State({SITE.path: NEW}, "", True, "systemctl reload apache")


def test_an_up_to_date_file_needs_no_action():
    assert plan(SITE, NEW) == core.Plan((), core.State({SITE.path: NEW}))


def test_a_state_file_that_was_left_reloads_the_daemon_though_no_file_differs():
    made = plan(SITE, NEW, pending=SITE.path + "\n")
    assert sentences(made) == ["reload apache", "remove the state file: apache is reloaded"]


def test_a_state_file_that_was_left_is_not_written_again():
    assert kinds(plan(SITE, OLD, pending=SITE.path + "\n")) == [WriteFile, Command, RemoveFile]


def test_further_files_are_added_to_a_state_file_that_was_left():
    made = plan(SITE, OLD, pending="/etc/other\n", take_over=None)
    assert (made.actions[0].content, made.predicted.pending) == ("/etc/other\n/etc/apache/site\n",) * 2


def test_after_other_tasks_have_reloaded_the_daemon_only_the_state_file_is_removed():
    made = plan(SITE, NEW, pending=SITE.path + "\n", take_over=core.TakeOver(()))
    assert (kinds(made), made.predicted.reloaded) == ([RemoveFile], "")


def test_a_daemon_that_does_not_run_is_not_reloaded():
    made = plan(SITE, OLD, running=False)
    assert kinds(made) == [WriteFile, WriteFile, RemoveFile]
    assert made.actions[-1].sentence == "remove the state file: apache does not run, it reads its files when it starts"
    assert (made.predicted.pending, made.predicted.reloaded) == ("", "")


def test_without_a_command_the_state_file_stays_for_a_later_task():
    made = plan(SITE, OLD, take_over=None)
    assert kinds(made) == [WriteFile, WriteFile]
    assert made.predicted.pending == SITE.path + "\n"
    assert plan(SITE, NEW, pending=SITE.path + "\n", take_over=None).actions == ()


def test_the_later_task_reloads_after_what_check_mode_only_predicted():
    made = core.plan_files(core.State({}), core.DesiredFiles((), (), "apache", RELOAD, due=True))
    assert kinds(made) == [Command, RemoveFile]


def test_without_a_daemon_there_is_no_state_file():
    assert sentences(plan(SITE, OLD, daemon="", take_over=None)) == ["replace /etc/apache/site"]


@pytest.mark.parametrize(
    ("change", "found", "sentence"),
    [
        ({}, core.Found(), "write /etc/apache/site"),
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
        ({"mount": "/mnt"}, core.Found("unmounted")),
        ({"content": None}, core.Found()),
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
        (core.Folder("/d"), core.Found(), core.Found("folder", "", 0o755)),
        (core.Folder("/d", 0o700, "a", "b"), core.Found("folder", "", 0o755, "root", "root"),
         core.Found("folder", "", 0o700, "a", "b")),
        (core.Folder("/d", None, "a"), core.Found("folder", "", 0o711, "root", "root"),
         core.Found("folder", "", 0o711, "a", "root")),
    ],
)
def test_directories_are_created_with_the_desired_attributes(folder, found, after):
    made = core.plan_files(core.State({"/d": found}), core.DesiredFiles((), (folder,)))
    verb = "change" if found.kind else "create"
    assert made.actions == (MakeFolder(verb + " the directory /d", "/d", folder.mode, folder.owner, folder.group),)
    assert made.predicted.found["/d"] == after


def test_a_directory_without_desired_attributes_is_kept():
    state = core.State({"/d": core.Found("folder", "", 0o711, "a", "b")})
    assert core.plan_files(state, core.DesiredFiles((), (core.Folder("/d"),))).actions == ()


@pytest.mark.parametrize(("kind", "word"), [("folder", "directory"), ("other", "device, socket or pipe")])
def test_what_is_not_a_file_is_refused(kind, word):
    with pytest.raises(HaError, match="^/etc/apache/site is a %s; expected a file. Nothing was changed.$" % word):
        plan(SITE, core.Found(kind))


def test_what_is_not_a_directory_is_refused():
    with pytest.raises(HaError, match="^/d is a file or device; expected a directory. Nothing was changed.$"):
        core.plan_files(core.State({"/d": OLD}), core.DesiredFiles((), (core.Folder("/d"),)))


@pytest.mark.parametrize(
    ("desired", "words"),
    [
        (core.DesiredFiles((SITE, SITE)), "^files: /etc/apache/site is not valid; expected each path once$"),
        (core.DesiredFiles((SITE._replace(path="site"),)), "^files: site is not valid; expected an absolute path$"),
        (core.DesiredFiles(take_over=RELOAD), "^daemon: '' is not valid; expected the name of the daemon"),
        (core.DesiredFiles(due=True), "^daemon: '' is not valid; expected the name of the daemon"),
    ],
)
def test_arguments_are_validated(desired, words):
    with pytest.raises(HaError, match=words):
        core.check_desired(desired)
    core.check_desired(core.DesiredFiles((SITE,), (), "apache", RELOAD))


def test_modes_and_names_are_read():
    assert [core.parse_mode(text, "x") for text in ("0644", "600", "1777")] == [0o644, 0o600, 0o1777]
    for wrong in ("u=rw", "0o644", "9", "420000"):
        with pytest.raises(HaError, match="^x: .* is not valid; expected an octal number"):
            core.parse_mode(wrong, "x")
    for wrong in ("", "../../etc/passwd", "a b", ".."):
        with pytest.raises(HaError, match="^daemon: .* is not valid; expected a name"):
            core.state_file_of(wrong)


def test_the_difference_shows_texts_attributes_and_the_command():
    desired = core.DesiredFiles((SITE,), (), "apache", RELOAD)
    state = core.State({SITE.path: OLD._replace(mode=0o600)})
    made = core.plan_files(state, desired)
    attributes, reload = SITE.path + " (kind, mode, owner, group)", "reload of apache"
    assert core.describe(state, desired) == {SITE.path: "old\n", attributes: "file 0600 root root\n", reload: ""}
    assert core.describe(made.predicted, desired) == {
        SITE.path: "new\n", attributes: "file 0644 root root\n", reload: "systemctl reload apache\n"}


def test_a_secret_is_never_shown_but_its_change_is():
    secret = SITE._replace(content="1 sha1 hush\n", secret=True)
    desired = core.DesiredFiles((secret,))
    state = core.State({secret.path: OLD._replace(content="1 sha1 shush\n")})
    before, after = core.describe(state, desired), core.describe(core.plan_files(state, desired).predicted, desired)
    assert before[secret.path] != after[secret.path]
    assert "hush" not in str(before) + str(after)


def test_what_is_not_there_is_not_shown():
    assert core.describe(core.State({SITE.path: core.Found()}), core.DesiredFiles((SITE,))) == {}


NAMES = st.sampled_from(["", "root", "adm"])
FOUND = st.one_of(
    st.just(core.Found()), st.just(core.Found("unmounted")),
    st.builds(core.Found, st.just("file"), st.sampled_from(["a", "b"]), st.sampled_from([0o600, 0o644]), NAMES, NAMES))
FILES = st.builds(
    core.File, st.sampled_from(["/a", "/b"]), st.sampled_from([None, "a", "b"]), st.sampled_from([0o600, 0o644]),
    NAMES, NAMES, once=st.booleans(), secret=st.booleans(), mount=st.just(""))


@given(FILES, FOUND, st.sampled_from(["", "/a\n"]), st.booleans(), st.booleans())
def test_a_second_plan_is_empty(file, found, pending, running, reload):
    desired = core.DesiredFiles((file,), (), "d", RELOAD if reload else None)
    made = core.plan_files(core.State({file.path: found}, pending, running), desired)
    again = core.plan_files(made.predicted._replace(reloaded=""), desired)
    assert again.actions == ()
    assert bool(made.predicted.pending) == (not reload and bool(pending or made.actions))


@given(FILES, FOUND, st.sampled_from(["", "/a\n"]))
def test_there_is_a_difference_to_show_whenever_a_file_is_changed(file, found, pending):
    desired = core.DesiredFiles((file,))
    state = core.State({file.path: found}, pending)
    made = core.plan_files(state, desired)
    same = core.describe(state, desired) == core.describe(made.predicted, desired)
    assert same == (not made.actions)


FOLDERS = st.builds(core.Folder, st.just("/d"), st.sampled_from([None, 0o700, 0o755]), NAMES, NAMES)
PLACES = st.one_of(st.just(core.Found()), st.builds(core.Found, st.sampled_from(["folder", "other"]), st.just(""),
                                                    st.sampled_from([0o700, 0o755]), NAMES, NAMES))


def facts_of(found: dict[str, core.Found], pending: str = "") -> dict[str, Any]:
    """What host_facts returns of them."""
    files = {path: core.seen_from(each) for path, each in found.items()}
    mounts = {"/mnt": not any(each.kind == "unmounted" for each in found.values())}
    return {"files": files, "pending": {"d": pending} if pending else {}, "mounts": mounts}


@given(FILES, FOLDERS, st.one_of(FOUND, PLACES), st.one_of(FOUND, PLACES), st.sampled_from(["", "/a\n"]), st.booleans())
def test_the_facts_show_whether_anything_has_to_change(file, folder, found, place, pending, reload):
    desired = core.DesiredFiles((file,), (folder,), "d", RELOAD if reload else None)
    state = core.State({file.path: found, folder.path: place}, pending)
    try:
        expected = [action.sentence for action in core.plan_files(state, desired).actions]
    except HaError:
        with pytest.raises(HaError):
            core.predict_changes(facts_of(state.found, pending), desired)
        return
    assert core.predict_changes(facts_of(state.found, pending), desired) == expected


@pytest.mark.parametrize("content", [None, "", "text"])
def test_the_facts_distinguish_texts_without_holding_them(content):
    file = SITE._replace(content=content)
    for there in ("", "text", "text\n# other", "\n# other"):
        found = NEW._replace(content=there)
        made = core.predict_changes(facts_of({SITE.path: found}), core.DesiredFiles((file,)))
        assert (not made) == (content == there)
        assert not there or there not in str(facts_of({SITE.path: found}))
    made = core.predict_changes(facts_of({SITE.path: core.Found()}), core.DesiredFiles((file,)))
    assert (not made) == (content is None)


def test_what_is_due_is_a_change_and_what_is_unmounted_is_none():
    desired = core.DesiredFiles((SITE,), (core.Folder("/d"),), "d", RELOAD)
    all_right = facts_of({SITE.path: NEW, "/d": core.Found("folder")})
    assert core.predict_changes(all_right, desired) == []
    assert core.predict_changes(all_right, desired._replace(due=True))[0] == "reload d"
    other = core.DesiredFiles((SITE._replace(content="other", mount="/mnt"),))
    assert core.predict_changes(dict(all_right, mounts={"/mnt": False}), other) == []
    assert core.predict_changes(dict(all_right, mounts={"/mnt": True}), other) == ["replace " + SITE.path]
    with pytest.raises(HaError):
        core.predict_changes(facts_of({SITE.path: NEW, "/d": core.Found("other")}), desired)
