"""The module iscsi_sessions, on a pretended initiator."""
from collections import namedtuple

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import iscsi, iscsi_host
from ansible_collections.linuxha.cluster.plugins.modules import iscsi_sessions as module_under_test

Output = namedtuple("Output", "code out err")
IQN, OTHER = "iqn.2010-09.localdomain:disks", "iqn.2010-09.localdomain:other"
TARGET = {"portal": "192.168.0.10", "iqn": IQN, "startup": "automatic", "chap": None, "timeouts": {
    "replacement_timeout": 300}, "options": None, "discovery": True, "login": True}
FRESH = {"node.startup": "manual", "node.conn[0].startup": "manual", "node.session.timeo.replacement_timeout": "120"}


class Ended(Exception):
    """The module ended; carries its results."""


class Initiator:
    """A host with open-iscsi, and storage that serves two targets. One of them is in use already."""

    def __init__(self):
        self.installed = True
        self.files = {iscsi.NAME_FILE: "InitiatorName=iqn.2010-09.x:me\n"}
        self.records = {OTHER: dict(FRESH)}
        self.sessions = {7: OTHER}
        self.recovery = {7: "120"}
        self.offered = [IQN, OTHER]
        self.devices = set()
        self.ran = []

    def has(self, program):
        return self.installed

    def read_file(self, path):
        numbers = [number for number in self.sessions if path == iscsi.RECOVERY % number]
        return self.recovery[numbers[0]] if numbers else self.files.get(path)

    def is_block_device(self, path):
        return path in self.devices

    def run(self, argv, accepted=(0,), seconds=120, stdin=None):
        if argv[2] == "discovery":
            assert argv[-1] == "nonpersistent"
            return Output(0, "".join("192.168.0.10:3260,1 %s\n" % iqn for iqn in self.offered), "")
        if argv[2] == "session":
            lines = "".join("tcp: [%d] 192.168.0.10:3260,1 %s (non-flash)\n" % pair for pair in self.sessions.items())
            return Output(0 if lines else 21, lines or "", "")
        assert argv[-1] == "-S"
        record = self.records.get(argv[4])
        text = "".join("%s = %s\n" % pair for pair in (record or {}).items())
        return Output(0 if record else 21, "# BEGIN RECORD 2.1.8\n" + text if record else "", "")

    def perform(self, action):
        if isinstance(action, WriteFile):
            self.files[action.path] = action.content
            if action.path != iscsi.NAME_FILE:
                self.records[IQN].update(line.split(" = ") for line in action.content.splitlines() if " = " in line)
            return
        argv = action.argv
        self.ran.append(" ".join(argv))
        if "new" in argv:
            self.records[argv[argv.index("-T") + 1]] = dict(FRESH)
        elif "update" in argv:
            self.records[argv[4]][argv[argv.index("-n") + 1]] = argv[-1]
        elif "--login" in argv:
            self.sessions[8] = argv[4]
            self.recovery[8] = self.records[argv[4]][iscsi.REPLACEMENT]
            self.devices.add("/dev/disk/by-id/a")
        elif argv[0] == "tee":
            self.recovery[8] = action.stdin


@pytest.fixture(name="go")
def fixture_go(monkeypatch):
    monkeypatch.setattr(iscsi_host.time, "sleep", lambda seconds: None)

    def go(host, check_mode=False, **params):
        class Module:
            _diff = True  # as with --diff

            def __init__(self):
                self.params = {key: entry.get("default") for key, entry in module_under_test.argument_spec().items()}
                self.params.update({"targets": [TARGET]}, **params)
                self.check_mode = check_mode

            def exit_json(self, **results):
                raise Ended(results)

            def fail_json(self, **results):
                raise Ended(dict(results, failed=True))

        monkeypatch.setattr(module_under_test, "AnsibleModule", lambda **kwargs: Module())
        monkeypatch.setattr(module_under_test, "Runner", lambda module: host)
        with pytest.raises(Ended) as ended:
            module_under_test.main()
        return ended.value.args[0]
    return go


def test_a_target_is_reached_and_the_other_one_is_left_alone(go):
    host = Initiator()
    first = go(host, devices=["/dev/disk/by-id/a"])
    assert first["changed"] and [each["iqn"] for each in first["sessions"]] == [OTHER, IQN]
    assert first["sessions"][1]["replacement_timeout"] == 300 and first["pending"] == []
    assert host.records[OTHER] == FRESH and host.recovery[7] == "120" and not any(OTHER in line for line in host.ran)
    assert go(host)["changed"] is False


@pytest.mark.parametrize("files", [
    ["192.168.0.10,3260"], ["192.168.0.10,3260,1/default", "192.168.0.10,3260,1/eth1"]])
def test_a_password_is_written_to_all_files_of_the_record_and_to_no_process_list(go, monkeypatch, tmp_path, files):
    folder = tmp_path / "nodes" / IQN
    paths = [folder / name for name in [*files, "192.168.0.10,32601"]]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(iscsi, "RECORDS", (str(tmp_path / "nodes"), "/nonexistent"))
    host = Initiator()
    host.files.update({str(path): "# BEGIN RECORD 2.1.8\n# END RECORD\n" for path in paths})
    wish = dict(TARGET, chap={"user": "magi", "password": "s3cret", "user_in": None, "password_in": None})
    left = go(host, targets=[wish])
    assert left["changed"] and "s3cret" not in str(left) + " ".join(host.ran)
    assert [host.files[str(path)] for path in paths[:-1]] == [
        "# BEGIN RECORD 2.1.8\nnode.session.auth.password = s3cret\n# END RECORD\n"] * len(files)
    assert "s3cret" not in host.files[str(paths[-1])]
    assert go(host, targets=[wish])["changed"] is False


def test_a_record_whose_file_is_somewhere_else_is_an_error(go, monkeypatch):
    monkeypatch.setattr(iscsi, "RECORDS", ("/nonexistent",))
    left = go(Initiator(), targets=[dict(TARGET, chap={"user": "magi", "password": "s3cret"})])
    assert left["failed"] and left["msg"].startswith("CANNOT set node.session.auth.password of " + IQN)
    assert "s3cret" not in str(left)


def test_a_host_with_something_to_do_is_not_idle(go):
    host = Initiator()
    params = {key: entry.get("default") for key, entry in iscsi_host.argument_spec().items()}
    asked = {**params, "targets": [TARGET], "devices": ["/dev/disk/by-id/a"]}
    assert not iscsi_host.is_idle(host, asked)
    go(host, devices=asked["devices"])
    assert iscsi_host.is_idle(host, asked)
    host.devices.clear()
    assert not iscsi_host.is_idle(host, asked)


def test_check_mode_predicts_the_same_and_changes_nothing(go):
    host = Initiator()
    predicted = go(host, check_mode=True, devices=["/dev/disk/by-id/a"])
    assert host.ran == [] and IQN not in host.records
    done = go(host)
    assert (done["actions"], done["diff"]["before"]) == (predicted["actions"], predicted["diff"]["before"])


def test_a_target_that_is_not_offered_is_refused_before_anything_is_done(go):
    host = Initiator()
    host.offered = [OTHER]
    left = go(host)
    assert left["failed"] and "does not offer %s" % IQN in left["msg"] and host.ran == []


def test_on_a_bare_host_everything_is_predicted_and_asked_later(go):
    host = Initiator()
    host.installed, host.sessions = False, {}
    assert go(host, check_mode=True)["changed"]
    host.installed = True
    left = go(host, initiator_name="iqn.2010-09.x:new")
    assert left["changed"] and left["initiator"] == "iqn.2010-09.x:new" and IQN in host.records
    assert go(host, initiator_name="iqn.2010-09.x:new")["changed"] is False


def test_a_running_session_takes_its_timeout_at_once_and_the_rest_later(go):
    host = Initiator()
    go(host)
    host.ran.clear()
    wish = dict(TARGET, timeouts={"replacement_timeout": 600, "login_timeout": 9})
    left = go(host, targets=[wish])
    assert host.recovery[8] == "600\n" and not any("--login" in line or "--logout" in line for line in host.ran)
    assert left["pending"] == ["%s at 192.168.0.10:3260: node.conn[0].timeo.login_timeout" % IQN]


def test_devices_that_do_not_come_are_named(go):
    left = go(Initiator(), devices=["/dev/disk/by-id/a", "/dev/disk/by-id/b"], timeout=0)
    assert left["failed"] and left["msg"].startswith("cannot use /dev/disk/by-id/b: no such device appeared within 0 s")
    assert left["changed"]


def test_devices_are_waited_for(go, monkeypatch):
    host = Initiator()
    monkeypatch.setattr(iscsi_host.time, "sleep", lambda seconds: host.devices.add("/dev/disk/by-id/b"))
    assert "failed" not in go(host, devices=["/dev/disk/by-id/b"])


def test_a_timeout_that_the_kernel_does_not_tell_is_not_compared(go):
    host = Initiator()
    go(host)
    host.recovery[8] = ""
    assert go(host)["changed"] is False


def test_a_portal_that_is_none_is_refused(go):
    assert "expected a portal such as" in go(Initiator(), targets=[dict(TARGET, portal="nas")])["msg"]
