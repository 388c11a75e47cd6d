"""The module on a pretended pair of hosts: from nothing to running, killed anywhere, and every day after."""
import json
from collections import namedtuple

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, HaError, RemoveFile, WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import BlockDevice, CommandError
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import (
    host as reader,
    plan as drbd_plan,
    resource as drbd_resource,
)
from ansible_collections.linuxha.cluster.plugins.modules import drbd_resource as entry_point

Output = namedtuple("Output", "code out err")
RES = "/etc/drbd.d/repl.res"
NOTE = "/var/lib/linuxha/drbd/repl.json"
XML = """<config><resource name="repl">
<host name="debian1"><volume vnr="0"><device minor="0">/dev/drbd0</device><disk>/dev/sdb</disk>
<meta-disk>internal</meta-disk></volume><address family="ipv4" port="7788">10.0.0.1</address></host>
<host name="debian2"><volume vnr="0"><device minor="0">/dev/drbd0</device><disk>/dev/sdb</disk>
<meta-disk>internal</meta-disk></volume><address family="ipv4" port="7788">10.0.0.2</address></host>
</resource></config>"""
FRESH = "0000000000000004:0000000000000000:0000000000000000:0000000000000000:0:0:0:0:0:0:0\n"
WRITTEN = FRESH.replace("4", "A")
PEER = {"node": "debian2", "generation": FRESH.strip(), "blank": True, "size_kib": 16344}


class Killed(Exception):
    """The run was killed."""


class Ended(Exception):
    """The module ended; carries its results."""


class PretendedHost:
    """debian1, as far as the module sees it. The other side behaves well and is as blank as ``blank`` says."""

    def __init__(self):
        self.files = {"/sys/module/drbd/version": "8.4.11\n", "/proc/self/mountinfo": "", "/proc/swaps": "x\n"}
        self.signatures = []
        self.generation = ""
        self.live = None
        self.first_byte = None
        self.programs = {"drbdadm"}
        self.described = True
        self.pending = ""
        self.held = False
        self.holders = ()
        self.xml = XML
        self.steps = None                       # how many actions are done before the run is killed
        self.ran = []
        self.enabled = "enabled"
        self.blocks = (BlockDevice("sdb", "8:16", 1 << 30, ("/dev/disk/by-id/ata-1", "/dev/sdb"), (), False),)
        self.refuses = None                     # what `drbdadm adjust` prints when it refuses the file

    def has(self, program):
        return program in self.programs

    def read_file(self, path):
        return self.files.get(path)

    def is_block_device(self, path):
        return path in ("/dev/sdb", "/dev/drbd0")

    def block_devices(self):
        return self.blocks

    def is_held(self, path):
        return self.held

    def size_of(self, path):
        return 16 << 20

    def number_of(self, path):
        return "8:16"

    def holders_of(self, number):
        return self.holders

    def forget_cached(self, path):
        pass

    def first_nonzero(self, path, start, end):
        return self.first_byte

    def run(self, argv, accepted=(0,), seconds=120, stdin=None):
        argv = tuple(argv)
        if argv[0] == "wipefs" and "--no-act" in argv:
            rows = [{"type": kind, "label": None, "uuid": None, "offset": "0x0"} for kind in self.signatures
                    if argv[-1] == "/dev/sdb" or kind != "drbd"]
            return Output(0, json.dumps({"signatures": rows}), "")
        if argv[:2] == ("drbdadm", "dump-xml"):
            return Output(0, self.xml, "") if self.described else Output(1, "", "not defined")
        if argv[:2] == ("drbdadm", "get-gi"):
            return Output(0 if self.generation else 1, self.generation, "")
        if argv[:3] == ("drbdadm", "--dry-run", "adjust"):
            return Output(0, self.pending, "")
        if argv == ("systemctl", "is-enabled", "drbd@repl.target"):
            return Output(0, self.enabled + "\n", "")
        if argv == ("drbdadm", "adjust", "repl"):
            self.ran.append(" ".join(argv))
            self.change(argv)
        else:
            assert argv[:2] == ("drbdsetup", "events2"), argv
        return Output(0, self.events(), "")

    def prove(self, content, argv, path):
        """Run a program that finds the file of the resource as it is about to be."""
        assert (argv, path) == (("drbdadm", "--dry-run", "adjust", "repl"), "/etc/drbd.d/repl.res")
        return Output(0, self.pending + content, "")

    def events(self):
        if not self.live:
            return "exists -\n"
        return ("exists resource name:repl role:{role} suspended:no\n"
                "exists connection name:repl connection:{connection} role:Secondary\n"
                "exists device name:repl volume:0 minor:0 disk:{disk} size:16344\n"
                "exists peer-device name:repl volume:0 replication:{replication} peer-disk:{peer} out-of-sync:0\n"
                "exists -\n").format(**self.live)

    def perform(self, action):
        if self.steps is not None and not self.steps:
            raise Killed
        if isinstance(action, WriteFile):
            self.files[action.path] = action.content
        elif isinstance(action, RemoveFile):
            del self.files[action.path]
            self.described = False
        else:
            assert isinstance(action, Command)
            self.ran.append(" ".join(action.argv))
            self.change(action.argv)
        if self.steps is not None:
            self.steps -= 1

    def change(self, argv):
        words = " ".join(argv)
        if words == "drbdadm create-md --force repl":
            assert self.signatures == []
            self.signatures, self.generation = ["drbd"], FRESH
        elif words == "drbdadm adjust repl":
            assert self.generation
            if self.refuses and self.files.get(RES) == "new":
                raise CommandError("'drbdadm adjust repl' ended with exit code 10: " + self.refuses)
            self.pending = ""
            self.live = self.live or {"role": "Secondary", "connection": "Connected", "disk": "Inconsistent",
                                      "replication": "Established", "peer": "Inconsistent"}
        elif words in ("drbdadm new-current-uuid --clear-bitmap repl", "drbdadm primary --force repl"):
            assert self.generation == FRESH
            self.generation = WRITTEN
            self.live.update(disk="UpToDate", peer="UpToDate", role="Primary" if "primary" in words else "Secondary")
        elif argv[:2] in (("drbdadm", "primary"), ("drbdadm", "secondary")):
            self.live["role"] = argv[1].capitalize()
        elif argv[0] == "mkfs":
            assert self.live["role"] == "Primary" and "ext4" not in self.signatures
            self.signatures.append("ext4")
        elif argv[0] == "wipefs":
            self.signatures, self.generation = [], ""
        elif words == "drbdsetup down repl":
            self.live = None
        elif words == "systemctl disable --now drbd@repl.target":
            self.enabled = "disabled"
        else:
            raise AssertionError(words)


class PretendedModule:
    """What reconcile and main use of AnsibleModule."""

    _diff = True  # as with --diff

    def __init__(self, params, check_mode=False):
        self.params = {key: entry.get("default") for key, entry in entry_point.argument_spec().items()}
        self.params.update({"name": "repl", "node": "debian1"}, **params)
        self.check_mode = check_mode

    def exit_json(self, **results):
        raise Ended(results)

    def fail_json(self, **results):
        raise Ended(dict(results, failed=True))


@pytest.fixture(name="go")
def fixture_go(monkeypatch):
    monkeypatch.setattr(reader.time, "sleep", lambda seconds: None)

    def go(host, check_mode=False, **params):
        monkeypatch.setattr(entry_point, "AnsibleModule", lambda **kwargs: PretendedModule(params, check_mode))
        monkeypatch.setattr(entry_point, "Runner", lambda module: host)
        with pytest.raises(Ended) as ended:
            entry_point.main()
        return ended.value.args[0]
    return go


SYNC = {"from": "debian1", "skip_if_blank": True}
FIRST = {"initial_sync": SYNC, "filesystem": {"type": "ext4", "options": []}, "wait": "connected"}
SECOND = dict(FIRST, peers=[PEER], wait="uptodate", timeout=0)


def test_two_steps_lead_from_nothing_to_a_converged_pair(go):
    host = PretendedHost()
    first = go(host, **FIRST)
    assert first["changed"] and first["evidence"] == dict(PEER, node="debian1", generation=FRESH[:67])
    second = go(host, **SECOND)
    assert second["up_to_date"] and second["role"] == "Secondary" and second["filesystem"] == "ext4"
    assert not any("--force" in line and "primary" in line for line in host.ran)
    for step in (FIRST, SECOND):
        assert go(host, **step)["changed"] is False


def test_a_side_that_is_not_blank_is_synced(go):
    host = PretendedHost()
    go(host, **FIRST)
    go(host, **dict(SECOND, peers=[dict(PEER, blank=False)]))
    assert "drbdadm primary --force repl" in host.ran and host.live["role"] == "Secondary"


@pytest.mark.parametrize("blank", [True, False])
@pytest.mark.parametrize("steps", range(13))
def test_a_run_killed_after_any_action_is_continued_by_the_next(go, steps, blank):
    host = PretendedHost()
    second = dict(SECOND, peers=[dict(PEER, blank=blank)])
    host.steps = steps
    try:
        go(host, **FIRST)
        go(host, **second)
    except Killed:
        pass
    host.steps = None
    assert "failed" not in go(host, **FIRST)
    assert go(host, **second)["up_to_date"] and host.live["role"] == "Secondary"
    assert host.ran.count("mkfs -t ext4 /dev/drbd0") == 1 == sum("create-md" in line for line in host.ran)
    assert go(host, **second)["changed"] is False


def test_check_mode_predicts_the_same_and_changes_nothing(go):
    host = PretendedHost()
    predicted = go(host, check_mode=True, **FIRST)
    assert host.ran == [] and NOTE not in host.files
    assert go(host, **FIRST)["actions"] == predicted["actions"]


def test_check_mode_runs_through_where_nothing_is_installed(go):
    host = PretendedHost()
    host.programs, host.described = set(), False
    host.files.pop("/sys/module/drbd/version")
    predicted = go(host, check_mode=True, disk="/dev/sdb", **SECOND)
    assert predicted["changed"] and "failed" not in predicted
    assert "drbdadm is not installed" in go(host, disk="/dev/sdb", **FIRST)["msg"]
    host.signatures = ["LVM2_member"]
    assert "LVM" in go(host, check_mode=True, disk="/dev/sdb", **FIRST)["msg"]


def test_a_device_that_holds_something_is_refused_and_given_up_only_by_name(go):
    host = PretendedHost()
    host.signatures = ["ext4"]
    told = go(host, **FIRST)
    assert told["failed"] and "/dev/sdb" in told["msg"] and "ext4" in told["msg"] and host.ran == []
    assert go(host, destroy=["/dev/sdb"], **FIRST)["changed"]
    assert host.ran[0] == "wipefs --all /dev/sdb"


def test_something_that_appears_before_the_creation_stops_it(go):
    host = PretendedHost()
    read, reads = host.run, []

    def run(argv, **more):
        if argv[0] == "wipefs":
            reads.append(argv)
            host.signatures = ["xfs"] if len(reads) > 1 else []
        return read(argv, **more)
    host.run = run
    told = go(host, **FIRST)
    assert "xfs" in told["msg"] and host.ran == []


def test_a_filesystem_seen_only_through_drbd_is_not_overwritten(go):
    host = PretendedHost()
    go(host, **FIRST)
    host.live["role"] = "Secondary"
    original_read = reader.read_device

    def read_device(runner, path, start=0):
        device = original_read(runner, path, start)
        kind = drbd_plan.Signature("xfs", "", "", 0)
        return device._replace(signatures=(kind,)) if path == "/dev/drbd0" else device
    reader.read_device = read_device
    try:
        assert "xfs" in go(host, **SECOND)["msg"]
    finally:
        reader.read_device = original_read
    assert not any(line.startswith("mkfs") for line in host.ran)


def running():
    host = PretendedHost()
    host.signatures, host.generation = ["drbd", "ext4"], WRITTEN
    host.files[NOTE] = '{"disk": "/dev/sdb", "meta_disk": "internal", "step": "synced"}'
    host.live = {"role": "Secondary", "connection": "Connected", "disk": "UpToDate", "replication": "Established",
                 "peer": "UpToDate"}
    return host


def predicted(host, **more):
    asked = dict({"name": "repl", "initial_sync": SYNC, "filesystem": {"type": "ext4"},
                  "nodes": {"debian1": {"disk": "/dev/sdb", "destroy": [], "disks": ["/dev/sdb", "/dev/md0"]}}}, **more)
    return reader.predict(host, asked, "debian1")


def test_facts_tell_what_the_module_would_change(go):
    host = running()
    known = {"known": True, "unstable": {"/dev/sdb": "/dev/disk/by-id/ata-1"}}
    up_to_date = dict(known, changes=[], up_to_date=True, running=True)
    assert predicted(host) == up_to_date
    assert not go(host, **FIRST)["changed"] and host.ran == []
    host.pending = "drbdsetup-84 disk-options 0 --resync-rate=10M"
    assert predicted(host)["changes"] == ["apply the options of the file to the running repl"]
    host.pending = ""
    assert "xfs is declared" in predicted(host, filesystem={"type": "xfs"})["changes"][0]
    host.files["/etc/fstab"] = "/dev/drbd0 /mnt/repl ext4 defaults 0 0\n"
    refused = predicted(host)
    assert "/etc/fstab mounts /dev/drbd0 at boot" in refused["changes"][0]
    assert (refused["up_to_date"], refused["running"]) == (False, True)
    del host.files["/etc/fstab"]
    host.live.update(replication="SyncSource", peer="Inconsistent")
    assert predicted(host) == dict(known, changes=[], up_to_date=False, running=True)  # there is something to wait for
    host.live.update(connection="StandAlone", replication="Off", peer="DUnknown")
    host.pending = "drbdsetup-84 connect repl"
    assert "StandAlone" in predicted(host, initial_sync=None, filesystem=None)["changes"][0]
    bare = predicted(PretendedHost())
    assert bare["changes"][-1].startswith("bring repl up") and not bare["running"] and bare["known"]
    without_file = PretendedHost()
    without_file.described = False
    assert not predicted(without_file)["known"]
    without_file.blocks = ()
    assert predicted(without_file)["unstable"] == {"/dev/sdb": ""}
    assert host.ran == []


def test_a_resource_that_cannot_be_read_is_known_to_run(go):
    host = running()
    host.files[NOTE] = "damaged"
    assert predicted(host)["running"] and "damaged" in predicted(host)["changes"][0]
    host.files.pop("/sys/module/drbd/version")
    assert not predicted(host)["running"]


@pytest.mark.parametrize("systemd", [True, False])
def test_absent_leaves_nothing_that_starts_at_boot(go, systemd):
    host = running()
    host.programs |= {"systemctl"} if systemd else set()
    host.files["/etc/drbd.d/repl.res"] = "resource repl {}"
    assert go(host, True, state="absent")["changed"] and "/etc/drbd.d/repl.res" in host.files
    assert go(host, state="absent")["changed"]
    assert "/etc/drbd.d/repl.res" not in host.files and host.live is None
    assert ("systemctl disable --now drbd@repl.target" in host.ran) is systemd
    assert NOTE in host.files                                    # so that the role finds its metadata again
    assert not go(host, state="absent")["changed"]


def test_a_split_brain_is_an_error_or_a_report_and_changes_nothing(go):
    host = running()
    host.live.update(connection="StandAlone", replication="Off", peer="DUnknown")
    host.pending = "drbdsetup-84 connect repl"
    told = go(host, **FIRST)
    assert "discard-my-data" in told["msg"]
    assert go(host, on_standalone="report", **FIRST)["connection"] == "StandAlone"
    assert host.ran == []


def test_a_connection_that_was_given_up_for_a_moment_only_is_waited_for(go):
    host = running()
    seen = iter(["Connecting", "StandAlone"])
    read = host.events

    def events():
        connection = next(seen, "Connected")
        host.live.update(connection=connection, replication="Established" if connection == "Connected" else "Off")
        return read()
    host.events = events
    assert go(host, **FIRST)["connection"] == "Connected"


@pytest.mark.parametrize("how", ["fail", "report"])
def test_a_connection_given_up_while_waiting_ends_the_wait(go, how):
    host = running()
    host.live.update(connection="Connecting", replication="Off")
    calls = []
    read = host.events

    def events():
        calls.append(1)
        if len(calls) > 1:
            host.live.update(connection="StandAlone")
        return read()
    host.events = events
    told = go(host, on_standalone=how, **FIRST)
    assert ("discard-my-data" in told.get("msg", "")) is (how == "fail")


def test_a_wait_is_bounded_and_may_be_reported(go):
    host = running()
    host.live.update(replication="SyncSource", peer="Inconsistent")
    assert "was not uptodate within 0 s" in go(host, **SECOND)["msg"]
    assert go(host, on_timeout="report", **SECOND)["up_to_date"] is False


def test_a_wait_goes_on_until_the_state_is_there(go):
    host = running()
    host.live.update(connection="Connecting", replication="Off")
    read, calls = host.events, []

    def events():
        calls.append(1)
        if len(calls) > 3:
            host.live.update(connection="Connected", replication="Established")
        return read()
    host.events = events
    assert go(host, timeout=60, **FIRST)["up_to_date"]


def test_options_are_adjusted_and_shown_without_the_secret(go):
    host = running()
    host.pending = "drbdsetup-84 net-options x --shared-secret=s3cret\n"
    told = go(host, **FIRST)
    assert "--shared-secret=***" in told["diff"]["before"] and host.ran == ["drbdadm adjust repl"]


REFUSED = "Command 'drbdsetup net-options repl 1 --shared-secret=s3cret --tls=yes' terminated with exit code 10"


def test_a_file_that_drbd_refuses_is_put_back_as_it_was(go):
    host = running()
    host.files.update({RES: "new", RES + ".1~": "old"})
    host.pending, host.refuses = "drbdsetup net-options repl 1 --tls=yes\n", REFUSED
    told = go(host, backup=RES + ".1~", **FIRST)
    assert told["msg"].startswith("CANNOT APPLY /etc/drbd.d/repl.res TO repl ON debian1: 'drbdadm adjust repl' ended")
    assert told["msg"].endswith("The file is as it was before. To continue: correct the options of the resource")
    assert "--shared-secret=***" in told["msg"] and "s3cret" not in str(told)
    assert host.files[RES] == "old" and host.ran == ["drbdadm adjust repl"] * 2


def test_facts_do_not_hold_the_secret_that_drbdadm_prints(go):
    host = running()

    usual = host.run

    def run(argv, **more):
        if "get-gi" in argv:
            raise CommandError("'%s' ended with exit code 11: %s" % (" ".join(argv), REFUSED))
        return usual(argv, **more)
    host.run = run
    told = predicted(host)["changes"][0]
    assert "--shared-secret=***" in told and "s3cret" not in told


@pytest.mark.parametrize("text", [
    "--shared-secret='s3 cret'", '--shared-secret="s3cret"', "--shared-secret=s3\\ cret", 'shared-secret "s3cret";',
    'shared-secret\ts3cret;', '<option name="shared-secret" value="s3cret"/>'])
def test_the_secret_is_hidden_however_it_is_printed(text):
    shown = drbd_resource.without_secret("Command '%s' terminated" % text)
    assert "***" in shown and "cret" not in shown.replace("shared-secret", "") and shown.endswith("terminated")


def test_a_first_file_that_drbd_refuses_stays(go):
    host = running()
    host.files[RES] = "new"
    host.pending, host.refuses = "drbdsetup net-options repl 1 --tls=yes\n", REFUSED
    told = go(host, **FIRST)
    assert told["failed"] and "--shared-secret=***" in told["msg"] and "s3cret" not in str(told)
    assert host.files[RES] == "new"


def test_what_the_coming_file_changes_is_predicted_and_refused_before_it_is_written(go):
    host = running()
    coming = "drbdsetup-84 disk-options 0 --resync-rate=10M\n"
    assert not go(host, True, description=coming)["actions"]  # the file is somewhere else: the old one is asked
    host.files["/etc/drbd.d/repl.res"] = "old"
    checked = go(host, True, description=coming)
    assert checked["actions"] and "resync-rate" in checked["diff"]["before"]
    refused = go(host, True, description="drbdsetup-84 detach 0\n")
    assert refused["failed"] and "takes its disk away" in refused["msg"]
    assert host.ran == []


def test_who_uses_a_device_is_named(go):
    host = PretendedHost()
    host.held = True
    assert "held by the kernel" in go(host, **FIRST)["msg"]
    host.files["/proc/swaps"] = "Filename\n/dev/sdb partition\n"
    host.holders = ("dm-0",)
    assert "used as swap, held by dm-0" in go(host, **FIRST)["msg"]


def test_metadata_of_another_resource_is_refused_by_its_name(go):
    host = PretendedHost()
    host.signatures, host.generation = ["drbd"], WRITTEN
    told = go(host, **FIRST)
    assert "DRBD metadata" in told["msg"] and host.ran == []


def test_a_missing_device_and_a_file_are_distinguished(go, tmp_path):
    host = PretendedHost()
    host.is_block_device = lambda path: False
    host.described = False
    (tmp_path / "image").write_text("")
    assert "absent does not exist" in go(host, disk=str(tmp_path / "absent"), **FIRST)["msg"]
    assert "image is not a block device" in go(host, disk=str(tmp_path / "image"), **FIRST)["msg"]


def test_an_external_meta_disk_is_read_at_its_index(go):
    host = PretendedHost()
    host.is_block_device = lambda path: True
    host.xml = XML.replace("<meta-disk>internal", '<meta-disk index="1">/dev/sdc')
    read = []
    host.first_nonzero = lambda path, start, end: read.append((path, start))
    assert go(host, check_mode=True, **FIRST)["changed"]
    assert read == [("/dev/sdb", 0), ("/dev/sdc", 128 << 20)]


def test_down_does_not_read_devices(go):
    host = running()
    host.live = None
    assert go(host, state="down")["changed"] is False


def test_damaged_evidence_is_an_error(go):
    assert "no generation" in go(running(), **dict(SECOND, peers=[dict(PEER, generation="x")]))["msg"]
    assert issubclass(entry_point.HaError, HaError)


@pytest.mark.parametrize(("note", "there", "moved"), [
    ("8388608\t/dev/sdb\n", 8388608, True), ("8388608\t/dev/sdb\n", None, False), ("16777216\t/dev/sdb\n", 7, False),
    ("8388608\t/dev/sdc\n", 7, False), ("nonsense\n", 7, False), (None, 7, False)])
@pytest.mark.parametrize("described", [True, False])
def test_metadata_is_searched_for_where_the_disk_ended_before_it_grew(
        go, monkeypatch, tmp_path, note, there, moved, described):
    host, asked = PretendedHost(), []
    go(host, **FIRST)
    go(host, **SECOND)
    host.live, host.generation, host.signatures = None, "", ["ext4"]
    host.described = described
    monkeypatch.setattr(reader, "STATE_FILES", str(tmp_path / "none" if note is None else tmp_path))
    (tmp_path / "drbd-minor-0.lkbd").touch()
    (tmp_path / "other").touch()
    host.files[str(tmp_path / "drbd-minor-0.lkbd")] = note

    def first_nonzero(path, start, end):
        asked.append((start, end))
        return there if start else None
    host.first_nonzero = first_nonzero
    told = go(host, check_mode=True, disk="/dev/sdb", **FIRST)
    assert ("bring repl up: attach the disk, connect" in told["actions"]) == moved
    assert ("ext4" in told.get("msg", "")) != moved
    assert ((8388608 - 4096, 8388608) in asked) == (note == "8388608\t/dev/sdb\n")
