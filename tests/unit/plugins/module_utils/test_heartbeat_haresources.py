# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""haresources: reading, rendering, adopting, and what a live cluster does with a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import haresources
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat.resources import Token
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from hypothesis import given, strategies as st

ARTICLE = (Path(__file__).parents[2] / "fixtures/heartbeat/3.0.6-article-haresources.txt").read_text(encoding="utf-8")
PATH = "/etc/ha.d/haresources"
FS = {"filesystem": {"device": "/dev/drbd0", "mountpoint": "/mnt/repl", "fstype": "ext3"}}
RESOURCES: list[Any] = [
    {"ip": {"address": "192.168.69.16/24"}},
    {"ip": {"address": "192.168.69.100/24"}},
    {"drbd": {"resource": "repl"}},
    FS,
    {"service": {"name": "apache2"}},
    {"mail": {"to": "admin@example.com"}},
]
WEB_LINE = (
    "# group: web\ndebian1 IPaddr2::192.168.69.16/24 IPaddr2::192.168.69.100/24 drbddisk::repl "
    "Filesystem::/dev/drbd0::/mnt/repl::ext3 apache2 MailTo::admin@example.com\n"
)


def group(name: str = "web", resources: Any = None, nodes: Any = ("debian1", "debian2"), **more: Any) -> dict[str, Any]:
    return {"name": name, "nodes": list(nodes), "resources": RESOURCES if resources is None else resources, **more}


def plan(text: str | None, groups: list[Any], holding: str = "", here: str = "debian1",
         **more: bool) -> haresources.Plan:
    scripts = {"apache2": "/etc/init.d/apache2"}
    return haresources.plan_haresources(
        haresources.State(text, holding), _groups.parse_groups(groups), here, PATH, scripts, **more
    )


def live(text: str, groups: list[Any], holding: str, here: str = "debian1", **more: bool) -> list[str]:
    actions = plan(text, groups, holding, here, **more).actions
    assert isinstance(actions[-1], WriteFile)
    return [action.sentence for action in actions[:-1]]


def test_a_new_group_of_a_node_that_holds_nothing_is_taken_over_there() -> None:
    mail = group("mail", [{"service": {"name": "apache2"}}], ("debian2", "debian1"))
    web = "# group: web\ndebian1 IPaddr2::192.168.69.16/24\n"

    def planned(text: str, holding: str, here: str, *peers: str) -> list[str]:
        return [action.sentence for action in haresources.plan_haresources(
            haresources.State(text, holding, peers), _groups.parse_groups([mail]), here, PATH, {}).actions]

    write, start = f"write {PATH}", "start apache2 of group mail"
    assert planned(web, "all", "debian1", "debian2") == [write]
    assert planned(web, "all", "debian1") == [start, write]  # the other one is down
    assert planned(web, "none", "debian2") == [write, "take over mail, which prefer this node"]
    # others of that node run here, and a takeover would move them
    old = web + "# group: db\ndebian2 IPaddr2::192.168.69.17/24\n"
    assert planned(old, "all", "debian1", "debian2") == [start, write]
    assert planned(old, "none", "debian2") == [write]
    assert planned(web, "local", "debian2") == [start, write]


def with_resources(*resources: Any) -> list[Any]:
    return [group(resources=list(resources))]


def test_a_line_is_read_as_heartbeat_reads_it() -> None:
    (comment, line) = haresources.parse_haresources(ARTICLE)
    assert comment.node == ""
    assert line.node == "debian1"
    assert line.tokens == (
        Token("IPaddr", ("192.168.69.16",)),
        Token("IPaddr", ("192.168.69.100",)),
        Token("drbddisk", ("repl",)),
        Token("Filesystem", ("/dev/drbd0", "/mnt/repl", "ext3")),
        Token("apache2", ()),
        Token("MailTo", ("admin@example.com",)),
    )


def test_continued_lines_and_comments_behind_resources_are_read() -> None:
    lines = haresources.parse_haresources(
        "\ndebian1\tapache2 \\\n  Delay::3\nnode2 x # apache2\n# a \\\nlast 10.0.0.1/8/eth1")
    assert [(line.node, line.tokens) for line in lines if line.node] == [
        ("debian1", (Token("apache2", ()), Token("Delay", ("3",)))),
        ("node2", (Token("x", ()),)),
        ("last", (Token("IPaddr", ("10.0.0.1/8/eth1",)),)),
    ]


def test_a_backslash_at_the_end_of_the_file_continues_nothing() -> None:
    assert haresources.parse_haresources("debian1 apache2 \\")[0].tokens == (Token("apache2", ()),)


@given(st.text(alphabet="ab# \t\\\n:.1/\r", max_size=200))
def test_reading_and_rendering_any_text_gives_it_back(text: str) -> None:
    assert haresources.render_haresources(haresources.parse_haresources(text)) == text


NAMES = st.from_regex(r"\A[a-z][a-z0-9]{0,8}\Z")
KINDS = st.one_of(
    st.ip_addresses(network="2001:db8::/32").map(lambda address: {"ip": {"address": f"{address}/64"}}),
    st.integers(0, 2**32 - 1).map(
        lambda n: {"ip": {"address": "10.%d.%d.%d/8" % (n >> 16 & 255, n >> 8 & 255, 1 + n % 254)}}
    ),
    NAMES.map(lambda name: {"drbd": {"resource": name}}),
    NAMES.map(lambda name: {"service": {"name": "s-" + name}}),
    NAMES.map(lambda name: {"filesystem": {"device": "/dev/" + name, "mountpoint": "/mnt/" + name, "fstype": "ext4"}}),
    NAMES.map(lambda name: {"mail": {"to": name}}),
    NAMES.map(lambda name: {"lvm": {"group": name}}),
    st.lists(NAMES, max_size=3).map(lambda words: {"agent": {"name": "Delay", "arguments": words}}),
)


@st.composite
def several_groups(draw: Any) -> list[Any]:
    resources = draw(st.lists(KINDS, min_size=1, max_size=8, unique_by=str))
    cut = draw(st.integers(0, len(resources)))
    parts = [part for part in (resources[:cut], resources[cut:]) if part]
    return [
        group("g%d" % number, [{"service": {"name": "first%d" % number}}, *part]) for number, part in enumerate(parts)
    ]


@given(several_groups(), st.sampled_from(haresources.HOLDINGS + ("",)))
def test_planning_what_is_there_gives_no_action(groups: list[Any], holding: str) -> None:
    there = plan(None, groups).predicted.text
    assert plan(there, groups, holding).actions == ()
    read = [line for line in haresources.parse_haresources(there) if line.node]
    assert [(line.group, line.tokens) for line in read] == [
        (each.name, haresources.render_line(each).tokens) for each in _groups.parse_groups(groups)
    ]


def test_a_missing_file_is_made() -> None:
    (action,) = plan(None, [group()]).actions
    assert action == WriteFile("write " + PATH, PATH, haresources.HEADER + WEB_LINE)
    assert plan(None, []).predicted.text == haresources.HEADER


def test_a_line_written_by_hand_is_adopted_not_doubled() -> None:
    assert plan(ARTICLE, [group()]).predicted.text == ARTICLE.split("\n", maxsplit=1)[0] + "\n" + WEB_LINE


def test_an_equal_line_without_mark_is_only_marked() -> None:
    line = WEB_LINE.split("\n")[1].replace(" apache2", " \\\n  apache2") + "\n"
    assert plan(line, [group()], "all").actions == (WriteFile("write " + PATH, PATH, "# group: web\n" + line),)


def test_foreign_lines_and_comments_are_kept_byte_for_byte() -> None:
    before, after = "# mine\r\n\n\ndebian2\t10.9.9.9  \\\n  smb\n", "   # end, without line end"
    text = plan(before + WEB_LINE + after, with_resources({"service": {"name": "apache2"}})).predicted.text
    assert text == before + "# group: web\ndebian1 apache2\n" + after
    assert plan(text, [{"name": "web", "state": "absent"}]).predicted.text == before + after


def test_a_group_is_appended_after_a_last_line_without_end() -> None:
    assert plan("debian2 smb", [group()]).predicted.text == "debian2 smb\n" + WEB_LINE


def test_an_unmarked_line_is_removed_when_its_resources_are_named() -> None:
    assert plan(ARTICLE, [group(state="absent")]).predicted.text == ARTICLE.split("\n", maxsplit=1)[0] + "\n"


def test_an_absent_group_that_is_not_there_changes_nothing() -> None:
    assert plan(ARTICLE, [{"name": "old", "state": "absent"}], "all").actions == ()


DELAY = {"agent": {"name": "Delay", "arguments": ["3"]}}
REFUSED_FILES = [
    (WEB_LINE + WEB_LINE, [group()], "2 lines of haresources are its own"),
    ("debian1 apache2\ndebian1 drbddisk::repl\n", [group()], "2 lines of haresources are its own"),
    ("# group: other\ndebian1 x apache2\n", [group()], "apache2 is in another line"),
    ("debian1 192x168.69.16 smb\n", [group(resources=[{"service": {"name": "smb.d"}}])], None),
    ("debian2 Delay::3 smb\n", [group(resources=[{"ip": {"address": "10.0.0.9"}}, DELAY])], "and Delay::3 is in two"),
    ("debian2 smb 10.0.0.7\ndebian2 smb 10.0.0.7\n", [group()], None),  # others' lines are theirs
    ("debian2 x smb-d\n", [group(resources=[{"service": {"name": "smb.d"}}])], "finds groups by their first resource"),
]


@pytest.mark.parametrize(("text", "groups", "said"), REFUSED_FILES)
def test_a_file_that_heartbeat_would_mix_up_is_refused(text: str, groups: list[Any], said: str | None) -> None:
    if said is None:
        assert plan(text, groups).actions
        return
    with pytest.raises(haresources.HaresourcesError) as caught:
        plan(text, groups)
    assert said in str(caught.value)


@pytest.mark.parametrize(("word", "agent"), [("10.0.0.1", "IPaddr"), ("10.0.0.1/8/eth0", "IPaddr"), ("a.b.c.d", None)])
def test_only_what_has_the_form_of_an_address_is_one(word: str, agent: str | None) -> None:
    assert haresources.parse_token(word).agent == (agent or word)


@pytest.mark.parametrize("word", haresources.HOLDINGS)
def test_heartbeats_words_are_read(word: str) -> None:
    assert haresources.parse_holding(word + "\n") == word


def test_another_word_is_refused() -> None:
    with pytest.raises(haresources.HaresourcesError, match="expected one of none, local"):
        haresources.parse_holding("This node is holding all resources.")


LIVE = [
    # heartbeat is stopped, or the other node has the group: only the file
    (WEB_LINE, RESOURCES[:5], "none", "debian1", []),
    (WEB_LINE, RESOURCES[:5], "foreign", "debian1", []),
    (WEB_LINE, RESOURCES[:5], "local", "debian2", []),
    # the holder changes what changed, and only that
    (WEB_LINE, RESOURCES[:5], "local", "debian1", ["stop MailTo::admin@example.com of group web"]),
    (WEB_LINE, RESOURCES[:5], "foreign", "debian2", ["stop MailTo::admin@example.com of group web"]),
    (WEB_LINE, RESOURCES[:5], "all", "debian2", ["stop MailTo::admin@example.com of group web"]),
    (
        WEB_LINE,
        [*RESOURCES[1:4], {"service": {"name": "nginx"}}, {"ip": {"address": "192.168.69.17/24"}}],
        "all",
        "debian1",
        [
            "stop MailTo::admin@example.com of group web",
            "stop apache2 of group web",
            "stop IPaddr2::192.168.69.16/24 of group web",
            "start nginx of group web",
            "start IPaddr2::192.168.69.17/24 of group web",
        ],
    ),
    # an address that gains its prefix, or another agent, is the same address
    (ARTICLE, RESOURCES, "all", "debian1", []),
    (
        "debian1 10.0.0.5/8/eth0 apache2\n",
        [{"ip": {"address": "10.0.0.5/16"}}, RESOURCES[4]],
        "all",
        "debian1",
        ["stop IPaddr::10.0.0.5/8/eth0 of group web", "start IPaddr2::10.0.0.5/16 of group web"],
    ),
    # an IPv6 address is the same one in every spelling
    (
        "debian1 IPv6addr::2001:0db8:0:0:0:0:0:10/64 apache2\n",
        [{"ip": {"address": "2001:DB8::10/64"}}, RESOURCES[4]],
        "all",
        "debian1",
        [],
    ),
    # addresses and letters may be anywhere
    (WEB_LINE, [RESOURCES[5], *RESOURCES[2:5], *RESOURCES[:2]], "all", "debian1", []),
]


@pytest.mark.parametrize(("text", "resources", "holding", "here", "actions"), LIVE)
def test_the_holder_changes_only_what_changed(text: str, resources: Any, holding: str, here: str, actions: Any) -> None:
    assert live(text, with_resources(*resources), holding, here) == actions


def test_agents_run_as_heartbeat_runs_them() -> None:
    actions = plan(WEB_LINE, with_resources(*RESOURCES[:4]), "all").actions
    environment = ("env", "HA_DIR=/etc/ha.d", "HA_FUNCS=/etc/ha.d/shellfuncs", "HA_RESOURCEDIR=/etc/ha.d/resource.d")
    assert actions[0] == Command(
        "stop MailTo::admin@example.com of group web",
        (*environment, "/etc/ha.d/resource.d/MailTo", "admin@example.com", "stop"),
        seconds=300,
    )
    assert actions[1].argv == (*environment, "/etc/init.d/apache2", "stop")


def test_a_new_group_starts_where_its_nodes_groups_are() -> None:
    new = group("new", [{"service": {"name": "smb"}}, {"service": {"name": "cups"}}], nodes=["debian2", "debian1"])
    for holding, here, starts in (
        ("foreign", "debian1", True),
        ("local", "debian1", False),
        ("all", "debian1", True),
        ("local", "debian2", True),
        ("none", "debian1", False),
    ):
        done = live(WEB_LINE, [group(), new], holding, here)
        assert done == (["start smb of group new", "start cups of group new"] if starts else [])


def test_a_removed_group_is_stopped_in_reverse_by_its_holder() -> None:
    gone = [{"name": "web", "state": "absent"}]
    assert live(WEB_LINE, gone, "local")[:2] == [
        "stop MailTo::admin@example.com of group web",
        "stop apache2 of group web",
    ]
    assert len(live(WEB_LINE, gone, "all", "debian2")) == 6
    assert live(WEB_LINE, gone, "foreign") == []


def test_a_resource_that_moves_between_groups_held_here_is_not_touched() -> None:
    groups = [group(resources=RESOURCES[:4]), group("site", RESOURCES[4:])]
    assert live(WEB_LINE, groups, "all") == []
    assert live(WEB_LINE, groups, "local") == []


MOVED_AWAY = [group(resources=RESOURCES[:4]), group("site", RESOURCES[4:], nodes=["debian2", "debian1"])]
DRBD_LAST = [*RESOURCES[:2], RESOURCES[4], RESOURCES[2], FS]
REFUSED_LIVE = [
    (MOVED_AWAY, "local", "cannot come from a group that the other node holds"),
    (MOVED_AWAY, "foreign", "cannot come from a group that the other node holds"),
    ([group(nodes=["debian2", "debian1"])], "local", "its preferred node cannot change while both nodes hold groups"),
    (with_resources(*DRBD_LAST), "all", "without restarting"),
    (
        with_resources(*RESOURCES[:2], RESOURCES[4]),
        "all",
        "drbddisk::repl cannot be changed or moved without restarting apa",
    ),
    (with_resources(*RESOURCES[:4], {"lvm": {"group": "vg"}}, RESOURCES[4]), "all", "LVM::vg cannot be changed"),
    ([group(resources=RESOURCES[:5])], "transition", "heartbeat is moving groups"),
]


@pytest.mark.parametrize(("groups", "holding", "said"), REFUSED_LIVE)
def test_what_would_disturb_the_rest_is_refused(groups: list[Any], holding: str, said: str) -> None:
    with pytest.raises(haresources.HaresourcesError) as caught:
        plan(WEB_LINE, groups, holding)
    assert said in str(caught.value)
    assert plan(WEB_LINE, groups, "").actions


def test_the_preferred_node_may_change_while_one_node_holds_everything() -> None:
    for holding in ("all", "none"):
        assert live(WEB_LINE, [group(nodes=["debian2", "debian1"])], holding) == []


def test_storage_at_the_end_can_change_live() -> None:
    assert live(WEB_LINE, with_resources(*RESOURCES[:5], {"lvm": {"group": "vg"}}), "all") == [
        "stop MailTo::admin@example.com of group web",
        "start LVM::vg of group web",
    ]


def test_a_mark_alone_does_not_wait_for_heartbeat() -> None:
    assert plan(WEB_LINE.split("\n", maxsplit=1)[1], [group()], "transition").actions


NOATIME = {"filesystem": {**FS["filesystem"], "options": "noatime"}}


def test_what_depends_on_a_change_starts_again_where_that_is_allowed() -> None:
    other_mount = [group(resources=[*RESOURCES[:3], NOATIME, *RESOURCES[4:]])]
    old, new = (f"Filesystem::/dev/drbd0::/mnt/repl::ext3{more}" for more in ("", "::noatime"))
    assert live(WEB_LINE, other_mount, "all", restart=True) == [
        "stop MailTo::admin@example.com of group web",
        "stop apache2 of group web",
        f"stop {old} of group web",
        f"start {new} of group web",
        "start apache2 of group web",
        "start MailTo::admin@example.com of group web",
    ]
    assert live(WEB_LINE, other_mount, "none", restart=True) == []


def test_a_restart_is_only_made_where_it_is_needed() -> None:
    more = with_resources(*RESOURCES, {"ip": {"address": "192.168.69.17/24"}})
    assert live(WEB_LINE, more, "all", restart=True) == live(WEB_LINE, more, "all")
    assert live(WEB_LINE, with_resources(*DRBD_LAST), "all", restart=True)[:2] == [
        "stop MailTo::admin@example.com of group web",
        "stop apache2 of group web",
    ]


@given(st.permutations(RESOURCES), st.sets(st.sampled_from(range(6)), min_size=1))
def test_after_any_change_that_may_restart_what_runs_is_what_is_declared(order: list[Any], kept: set[int]) -> None:
    desired = with_resources(*(each for place, each in enumerate(order) if place in kept))
    names = WEB_LINE.split()[4:]
    result = plan(WEB_LINE, desired, "all", restart=True)
    for action in result.actions[:-1]:
        verb, name = action.sentence.split(" of group ")[0].split(" ", 1)
        if verb == "stop":
            names.remove(name)
        else:
            assert name not in names
            names.append(name)
    lines = [line for line in haresources.parse_haresources(result.predicted.text) if line.node]
    assert sorted(names) == sorted(haresources.render_token(token) for token in lines[0].tokens)
