"""The iSCSI initiator: only what is declared is touched, and no session is ever ended."""
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import iscsi
from hypothesis import given, strategies as st

RECORDED = Path(__file__).parents[2] / "fixtures" / "iscsiadm"
IQN = "iqn.2010-09.localdomain:iscsi.cluster.c3fa22"
PORTAL = iscsi.Portal("192.168.0.10", 3260)
TARGET = iscsi.parse_target({
    "portal": "192.168.0.10", "iqn": IQN, "startup": "automatic", "timeouts": {"replacement_timeout": 300,
                                                                               "login_timeout": None},
    "chap": {"user": "magi", "password": "secret word", "user_in": None}, "options": {"node.session.queue_depth": 64}})
BASE = "iscsiadm -m node -T %s -p 192.168.0.10:3260" % IQN
DESIRED = iscsi.Desired((TARGET,))
DONE = iscsi.State(True, "iqn.2010-09.x:me", {TARGET.name: (dict(TARGET.settings),)},
                   (iscsi.Session(1, PORTAL, IQN, 300),))


def recorded(name):
    return (RECORDED / name).read_text()


def done(state, desired=DESIRED):
    found = []
    for action in iscsi.plan_sessions(state, desired).actions:
        if isinstance(action, Command):
            found.append(" ".join(action.argv).replace(BASE, "node"))
        elif isinstance(action, iscsi.WriteSecret):
            found.append("write %s %s" % (action.name, action.value))
        else:
            found.append("write " + action.path if isinstance(action, WriteFile) else "ask for " + action.target.iqn)
    return found


SET = ["node -o update -n node.conn[0].startup -v automatic",
       "node -o update -n node.session.auth.authmethod -v CHAP",
       "write node.session.auth.password secret word",
       "node -o update -n node.session.auth.username -v magi",
       "node -o update -n node.session.queue_depth -v 64",
       "node -o update -n node.session.timeo.replacement_timeout -v 300",
       "node -o update -n node.startup -v automatic"]
LOGIN = ["node --login", "udevadm settle --timeout=60"]


def test_what_iscsiadm_prints_is_read():
    (record,) = iscsi.parse_records(recorded("2.1.8-record.txt"))
    assert record["node.name"] == IQN and record["node.session.timeo.replacement_timeout"] == "300"
    assert record["node.session.auth.username"] == ""
    assert iscsi.parse_records("iscsiadm: No records found\na = b\n") == ()
    assert [(each.number, each.iqn) for each in iscsi.parse_sessions(recorded("2.1.8-sessions.txt"))] == [
        (1, IQN), (2, "iqn.2010-09.localdomain:chap")]
    assert iscsi.parse_offered(recorded("2.1.8-discovery.txt")) == (
        ("iqn.2010-09.localdomain:chap", 1), (IQN, 1), ("iqn.2010-09.localdomain:other", 1))
    assert iscsi.parse_initiator("## a\nInitiatorName=iqn.a\n InitiatorName = iqn.b\n") == "iqn.b"
    assert iscsi.parse_initiator(None) == "" == iscsi.parse_initiator("GenerateName=yes\n")


def test_a_session_that_is_printed_otherwise_is_an_error():
    with pytest.raises(iscsi.IscsiError, match="unexpected: something else"):
        iscsi.parse_sessions("something else\n")


def test_what_was_not_said_of_a_target_is_not_set():
    assert iscsi.parse_target({"portal": "192.168.0.10", "iqn": IQN}).settings == ()


@pytest.mark.parametrize("text, portal", [
    ("192.168.0.10", "192.168.0.10:3260"), ("192.168.0.10:860", "192.168.0.10:860"), ("[fd00::1]", "[fd00::1]:3260"),
    ("fd00:0::1", "[fd00::1]:3260"), ("[FD00::1]:860", "[fd00::1]:860")])
def test_portals_are_read_and_written_as_iscsiadm_does(text, portal):
    assert str(iscsi.parse_portal(text)) == portal
    assert iscsi.parse_portal(portal) == iscsi.parse_portal(text)


@pytest.mark.parametrize("text", ["nas", "192.168.0.300", "192.168.0.10:0", "192.168.0.10:70000", "[fd00::1", "",
                                  "a:b"])
def test_what_is_no_portal_is_refused(text):
    with pytest.raises(ValueError):
        iscsi.parse_portal(text)


def test_nothing_is_done_when_all_is_as_declared():
    assert done(DONE) == []
    assert done(DONE._replace(sessions=(DONE.sessions[0]._replace(recovery=None),))) == []


def test_a_target_that_is_not_known_gets_its_own_record_and_no_other_one():
    state = DONE._replace(records={}, sessions=(), offered={PORTAL: ((IQN, 1), ("iqn.2010-09.x:other", 1))})
    assert done(state) == ["iscsiadm -m node -o new -T %s -p 192.168.0.10:3260,1" % IQN] + SET + LOGIN


def test_a_target_that_the_portal_does_not_offer_is_refused():
    state = DONE._replace(records={}, sessions=(), offered={PORTAL: (("iqn.2010-09.x:other", 1),)})
    with pytest.raises(iscsi.IscsiError, match="does not offer %s to this initiator; it offers "
                       "iqn.2010-09.x:other" % IQN):
        done(state)
    with pytest.raises(iscsi.IscsiError, match="offers nothing"):
        done(state._replace(offered={PORTAL: ()}))


def test_without_discovery_the_record_is_made_unasked():
    blind = iscsi.Desired((TARGET._replace(discovery=False, login=False),))
    assert done(DONE._replace(records={}, sessions=()), blind) == ["node -o new"] + SET
    assert not iscsi.asks_first(DONE._replace(records={}), blind, blind.targets[0])


def test_on_a_bare_host_the_portal_is_asked_once_the_initiator_is_there():
    assert done(iscsi.State()) == ["ask for " + IQN] + SET + LOGIN
    assert not iscsi.asks_first(iscsi.State(), DESIRED, TARGET)
    assert iscsi.asks_first(DONE._replace(records={}), DESIRED, TARGET)
    assert not iscsi.asks_first(DONE._replace(records={}), DESIRED._replace(initiator="iqn.2010-09.x:new"), TARGET)


def test_only_what_differs_is_set_and_the_session_goes_on():
    changed = dict(TARGET.settings, **{"node.session.queue_depth": "32"})
    state = DONE._replace(records={TARGET.name: (changed,)})
    assert done(state) == ["node -o update -n node.session.queue_depth -v 64"]
    assert iscsi.pending(state, DESIRED) == [TARGET.name + ": node.session.queue_depth"]
    assert iscsi.pending(state._replace(sessions=()), DESIRED) == [] == iscsi.pending(DONE, DESIRED)


def test_one_of_several_interfaces_that_differs_is_enough():
    other = dict(TARGET.settings, **{"node.startup": "manual"})
    assert done(DONE._replace(records={TARGET.name: (dict(TARGET.settings), other)})) == [SET[-1]]


def test_the_timeout_of_a_running_session_is_set_without_a_new_login():
    state = DONE._replace(sessions=(DONE.sessions[0]._replace(recovery=120), iscsi.Session(2, PORTAL, "iqn.o", 120)))
    (action,) = iscsi.plan_sessions(state, DESIRED).actions
    assert (action.argv, action.stdin) == (("tee", "/sys/class/iscsi_session/session1/recovery_tmo"), "300\n")
    assert iscsi.plan_sessions(state, DESIRED).predicted.sessions[1].recovery == 120


def test_the_initiator_is_only_renamed_while_it_has_no_session():
    wish = DESIRED._replace(initiator="iqn.2010-09.x:new")
    with pytest.raises(iscsi.IscsiError, match="^initiator_name: iqn.2010-09.x:new is not valid; "
                       "expected iqn.2010-09.x:me while the initiator has sessions .%s., " % IQN):
        done(DONE, wish)
    assert done(DONE._replace(sessions=()), wish)[:2] == [
        "write /etc/iscsi/initiatorname.iscsi", "systemctl try-restart iscsid.service"]
    old = DONE._replace(sessions=(), systemd=False)
    assert done(old, wish)[1] == "service iscsid condrestart"
    written = iscsi.plan_sessions(DONE._replace(sessions=()), wish).actions[0]
    assert iscsi.parse_initiator(written.content) == "iqn.2010-09.x:new" and written.mode == 0o600


def test_passwords_are_neither_described_nor_said():
    state = DONE._replace(records={TARGET.name: (dict(TARGET.settings, **{iscsi.SECRETS[0]: "old secret"}),)})
    plan = iscsi.plan_sessions(state, DESIRED._replace(initiator=state.initiator))
    told = iscsi.describe(state, DESIRED) + iscsi.describe(plan.predicted, DESIRED._replace(initiator="x")) + "".join(
        action.sentence for action in plan.actions)
    assert "secret" not in told and "another one" in told and "as declared" in told and "waits 300 s" in told
    assert "initiator: iqn.2010-09.x:me" in told


def test_what_is_not_known_yet_is_described_so():
    assert iscsi.describe(iscsi.State(), DESIRED._replace(initiator="x")) == (
        "initiator: none\ntarget %s: not known\n" % TARGET.name)
    assert "logged in\n" in iscsi.describe(DONE._replace(sessions=(iscsi.Session(1, PORTAL, IQN),)), DESIRED)


def test_all_sessions_are_reported():
    assert iscsi.report(DONE) == {"initiator": "iqn.2010-09.x:me", "sessions": [
        {"number": 1, "portal": "192.168.0.10:3260", "iqn": IQN, "replacement_timeout": 300}]}


SETTINGS = st.dictionaries(st.sampled_from(sorted(dict(TARGET.settings))), st.sampled_from(["", "1", "300", "manual"]))
STATES = st.builds(
    lambda records, recovery, tools: iscsi.State(tools, "iqn.2010-09.x:me", {TARGET.name: tuple(records)}, () if (
        recovery is None) else (iscsi.Session(3, PORTAL, IQN, recovery),), {PORTAL: ((IQN, 1),)}),
    st.lists(SETTINGS, max_size=2), st.sampled_from([None, 120, 300]), st.booleans())


@given(STATES)
def test_after_a_plan_there_is_nothing_left_to_do(state):
    assert iscsi.plan_sessions(iscsi.plan_sessions(state, DESIRED).predicted, DESIRED).actions == ()


@given(STATES)
def test_nothing_ever_logs_out_or_deletes(state):
    for action in iscsi.plan_sessions(state, DESIRED).actions:
        argv = getattr(action, "argv", ())
        assert argv or isinstance(action, iscsi.WriteSecret)
        assert not {"--logout", "delete", "-u"} & set(argv)


@given(STATES)
def test_no_password_is_an_argument_of_a_program(state):
    for action in iscsi.plan_sessions(state, DESIRED).actions:
        assert "secret word" not in " ".join(getattr(action, "argv", ())) + action.sentence


def test_a_password_is_written_as_iscsiadm_writes_it():
    text = recorded("2.1.8-record.txt")
    written = iscsi.with_secret(text, iscsi.SECRETS[0], "a = b#'\"")
    (before,), (after,) = iscsi.parse_records(text), iscsi.parse_records(written)
    assert after == dict(before, **{iscsi.SECRETS[0]: "a = b#'\""})
    assert iscsi.with_secret(written, iscsi.SECRETS[0], "a = b#'\"") == written
    assert written.endswith("node.session.auth.password = a = b#'\"\n# END RECORD\n")


@pytest.mark.parametrize("text, value, message", [
    ("# BEGIN RECORD 2.1.8\n", "s3cret", "its record has no '# END RECORD'. To continue: remove the record"),
    ("# END RECORD\n", "s3cret\nnode.startup = manual", "node.session.auth.password: .not shown. is not valid"),
    ("# END RECORD\n", " s3cret", "expected no blanks around it")])
def test_what_a_record_cannot_hold_is_refused(text, value, message):
    with pytest.raises(iscsi.IscsiError, match=message) as refused:
        iscsi.with_secret(text, iscsi.SECRETS[0], value)
    assert "s3cret" not in str(refused.value)
