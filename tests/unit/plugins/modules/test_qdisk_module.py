"""The module from end to end. Files stand in for disks: they are really read, written and examined by wipefs."""
import gzip
import os
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import qdisk_format as form
from ansible_collections.linuxha.cluster.plugins.module_utils._core import runner
from ansible_collections.linuxha.cluster.plugins.modules import qdisk as door

REAL = gzip.decompress(
    (Path(__file__).parents[2] / "fixtures/rhcs/qdisk_512_magi_qdisk.img.gz").read_bytes())
SIZE = 1 << 20


class Ended(Exception):
    """The module ended; carries its results."""


class Killed(Exception):
    """The run was killed."""


class PretendedModule:
    """What reconcile and main use of AnsibleModule."""

    _diff = True  # as with --diff

    def __init__(self, params, check_mode, spec):
        self.params = {key: entry.get("default") for key, entry in spec.items()}
        self.params.update(params)
        self.check_mode = check_mode

    def exit_json(self, **results):
        raise Ended(results)

    def fail_json(self, **results):
        raise Ended(dict(results, failed=True))


class PretendedHost(runner.Runner):
    """A real runner on a host whose disks are files: sda, sdb and so on, each with another name beneath it."""

    def __init__(self, folder):
        super().__init__(None)
        self.folder = folder
        self.sectors, self.holders, self.md, self.files = {}, {}, set(), {}
        self.hidden, self.broken = set(), set()
        self.steps = None                       # how many actions are done before the run is killed

    def add(self, name, content=b"", size=SIZE, sector=512):
        path = self.folder / name
        path.write_bytes(content + bytes(size - len(content)))
        (self.folder / ("by-id-" + name)).symlink_to(name)
        self.sectors[name] = sector
        return str(path)

    def number_of(self, path):
        return "8:%d" % sorted(self.sectors).index(Path(path).resolve().name)

    def is_block_device(self, path):
        return Path(path).resolve().name in self.sectors

    def sector_size(self, path):
        return self.sectors[Path(path).resolve().name]

    def holders_of(self, number):
        return self.holders.get(sorted(self.sectors)[int(number.split(":")[1])], ())

    def is_held(self, path):
        super().is_held(path)
        return bool(self.holders_of(self.number_of(path)))

    def read_file(self, path):
        return self.files.get(path)

    def read_bytes(self, path, start, count):
        if Path(path).resolve().name in self.broken:
            raise runner.CommandError("%s cannot be read: No medium found" % path)
        return super().read_bytes(path, start, count)

    def block_devices(self):
        return tuple(runner.BlockDevice(
            name, self.number_of(str(self.folder / name)), (self.folder / name).stat().st_size,
            (str(self.folder / ("by-id-" + name)), str(self.folder / name)), tuple(self.holders.get(name, ())),
            name in self.md) for name in sorted(set(self.sectors) - self.hidden))

    def perform(self, action):
        if self.steps is not None:
            if not self.steps:
                raise Killed
            self.steps -= 1
        super().perform(action)


@pytest.fixture(name="host")
def fixture_host(tmp_path):
    return PretendedHost(tmp_path)


@pytest.fixture(name="go")
def fixture_go(monkeypatch, host):
    naps = []

    def go(check_mode=False, during=lambda: None, **params):
        def sleep(seconds):
            naps.append(seconds)
            during()
        monkeypatch.setattr(door, "time", SimpleNamespace(sleep=sleep, time=time.time))  # only the module's own
        monkeypatch.setattr(door, "AnsibleModule", lambda argument_spec, **more: PretendedModule(
            params, check_mode, argument_spec))
        monkeypatch.setattr(door, "Runner", lambda module: host)
        with pytest.raises(Ended) as ended:
            door.main()
        return ended.value.args[0]
    go.naps = naps
    return go


def swap_space():
    """What mkswap leaves, as far as it matters to wipefs."""
    return bytes(1024) + struct.pack("<III", 1, 200, 0) + bytes(4086 - 1036) + b"SWAPSPACE2"


def content(path):
    return Path(path).read_bytes()


def one_more_write(path, number=2, state="running"):
    """What a qdiskd does each interval."""
    area = content(path)[:form.AREA].ljust(form.AREA, b"\0")
    disk = form.parse_area(area) or form.parse_area(form.render_area(form.Label("x", "h", 0, 512)))
    node = form.Node(number, state, updated=int(time.time()), updated_by=number)
    made = form.render_disk(disk._replace(nodes=disk.nodes[:number - 1] + (node,) + disk.nodes[number:]))
    with open(path, "r+b") as file:
        file.seek(form.PLACE * number)
        file.write(made[form.PLACE * number:form.PLACE * (number + 1)])


# --- looking --------------------------------------------------------------------------------------------------------

def test_the_real_quorum_disk_is_found_with_all_its_names(go, host):
    host.add("sda")
    path = host.add("sdb", REAL)
    found = go(state="listed")
    assert found["changed"] is False and found["disk"] is None and found["faulty"] == []
    assert [(disk["path"], disk["label"], disk["host"], disk["created"]) for disk in found["disks"]] == [
        ("/dev/sdb", "magi_qdisk", "vm", "2026-11-20T08:51:04Z")]
    assert found["disks"][0]["paths"] == [os.path.dirname(path) + "/by-id-sdb", path]
    assert {node["state"] for node in found["disks"][0]["nodes"]} == {"none"}
    assert content(path)[:len(REAL)] == REAL and go.naps == []


@pytest.mark.parametrize("params, expected", [
    ({"label": "magi_qdisk"}, ["/dev/sdb"]), ({"label": "nerv"}, []), ({"device": "by-id-sdb"}, ["/dev/sdb"]),
    ({"device": "sda"}, [])])
def test_a_label_or_a_device_can_be_searched_for(go, host, params, expected):
    host.add("sda")
    host.add("sdb", REAL)
    if "device" in params:
        params = {"device": str(host.folder / params["device"])}
    found = go(state="listed", **params)
    assert [disk["path"] for disk in found["disks"]] == expected and not found["changed"]


def test_devices_that_qdiskd_does_not_scan_are_not_scanned(go, host):
    for name in ("dm-0", "md0", "sdb"):
        host.add(name, REAL)
    host.add("sdc", REAL[:form.AREA], size=form.AREA)       # smaller than qdiskd wants it
    host.holders, host.md = {"sdb": ("dm-0",)}, {"md0"}
    assert [disk["path"] for disk in go(state="listed")["disks"]] == ["/dev/dm-0"]


def test_a_device_that_cannot_be_read_does_not_hide_the_others(go, host):
    host.add("sda", REAL)
    host.add("sr0")
    host.broken = {"sr0"}
    found = go(state="listed")
    assert [disk["path"] for disk in found["disks"]] == ["/dev/sda"]
    assert [(disk["path"], disk["fault"].split(": ")[1]) for disk in found["faulty"]] == [
        ("/dev/sr0", "No medium found")]


# --- making ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sector", [512, 4096])
def test_check_mode_predicts_what_is_then_done_once(go, host, sector):
    host.add("sda", REAL)
    path = host.add("sdb", sector=sector)
    predicted = go(check_mode=True, device=path, label="nerv")
    assert content(path) == bytes(SIZE)
    done = go(device=path, label="nerv")
    times = {disk["created"] for told in (predicted, done) for disk in told["disks"]}
    for told in (predicted, done):                      # but for the time, if the clock has moved on
        text = repr(told)
        for moment in times - {"2026-11-20T08:51:04Z"}:
            text = text.replace(moment, "now")
        told["text"] = text
    assert predicted["text"] == done["text"]
    assert done["changed"] and done["disk"]["label"] == "nerv" and done["disk"]["sector_size"] == sector
    assert [disk["label"] for disk in done["disks"]] == ["magi_qdisk", "nerv"]
    assert form.parse_area(content(path)[:form.AREA]).label.host == os.uname().nodename[:127]
    assert content(path)[form.AREA:] == bytes(SIZE - form.AREA) and go.naps == []
    before = content(path)
    again = go(device=path, label="nerv")
    assert again["changed"] is False and again["actions"] == [] and content(path) == before
    assert again["diff"]["before"] == again["diff"]["after"] == done["diff"]["after"]


def test_the_label_is_refused_when_another_disk_has_it(go, host):
    host.add("sda", REAL)
    path = host.add("sdb")
    assert "/dev/sda already has the label" in go(device=path, label="magi_qdisk")["msg"]
    assert content(path) == bytes(SIZE)


@pytest.mark.parametrize("place, words", [
    (None, "swap space (type swap, at byte 4086)"), (0, "byte 0 is not zero"), (100_000, "byte 100000 is not zero"),
    (SIZE - 1, f"byte {SIZE - 1} is not zero")])
def test_a_disk_that_holds_anything_is_refused_unless_it_is_named(go, host, place, words):
    path = host.add("sdb", swap_space() if place is None else bytes(place) + b"x")
    before = content(path)
    for check_mode in (True, False):
        told = go(check_mode=check_mode, device=path, label="nerv")
        assert told["failed"] and words in told["msg"] and told["actions"] == []
    assert content(path) == before
    told = go(device=path, label="nerv", destroy=[path])
    assert told["changed"] and told["disk"]["label"] == "nerv"
    assert content(path)[form.AREA:] == before[form.AREA:]      # what is beyond the format is not our business
    assert go(device=path, label="nerv", destroy=[path])["changed"] is False


def test_without_wipefs_content_is_noticed_all_the_same(go, host, monkeypatch):
    path = host.add("sdb", swap_space())
    monkeypatch.setattr(host, "has", lambda program: program != "wipefs")
    assert "byte 1024 is not zero" in go(device=path, label="nerv")["msg"]


def test_files_and_names_of_nothing_are_refused(go, host, tmp_path):
    (tmp_path / "image").write_bytes(bytes(SIZE))
    assert "image is not a block device" in go(device=str(tmp_path / "image"), label="nerv")["msg"]
    assert "absent does not exist" in go(device=str(tmp_path / "absent"), label="nerv")["msg"]
    path = host.add("sdb")
    host.hidden = {"sdb"}
    assert "does not exist for the kernel" in go(device=path, label="nerv")["msg"]
    assert content(path) == content(tmp_path / "image") == bytes(SIZE)


def test_a_disk_in_use_is_refused_by_its_users(go, host):
    path = host.add("sdb")
    host.holders = {"sdb": ("dm-0",)}
    assert "held by dm-0" in go(device=path, label="nerv", destroy=[path])["msg"]
    host.files = {"/proc/self/mountinfo": "30 22 8:0 / /srv rw - ext4 /dev/sdb rw\n"}
    assert "mounted on /srv, held by dm-0" in go(device=path, label="nerv", destroy=[path])["msg"]
    assert content(path) == bytes(SIZE)


def test_software_raid_is_refused(go, host):
    path = host.add("md0")
    host.md = {"md0"}
    assert "is a software RAID" in go(device=path, label="nerv")["msg"]


def test_a_disk_that_cannot_be_read_is_not_taken_for_an_empty_one(go, host):
    path = host.add("sdb")
    host.broken = {"sdb"}
    assert "No medium found" in go(device=path, label="nerv", destroy=[path])["msg"]
    assert content(path) == bytes(SIZE)


@pytest.mark.parametrize("params, words", [
    ({"label": "x" * 119}, "119 bytes"), ({"label": "nerv", "interval": 0}, "interval: 0")])
def test_what_is_asked_for_is_checked_first(go, host, params, words):
    path = host.add("sdb")
    host.block_devices = None                           # would be called, if anything was read
    assert words in go(device=path, **params)["msg"]


# --- relabelling and removing ---------------------------------------------------------------------------------------

def test_a_quorum_disk_is_relabelled_only_when_its_label_is_named(go, host):
    path = host.add("sdb", REAL)
    assert "set replaces: 'magi_qdisk'" in go(device=path, label="nerv", destroy=[path])["msg"]
    assert content(path)[:len(REAL)] == REAL and go.naps == []
    predicted = go(check_mode=True, device=path, label="nerv", replaces="magi_qdisk", interval=2)
    assert predicted["changed"] and content(path)[:len(REAL)] == REAL and go.naps == [4]
    told = go(device=path, label="nerv", replaces="magi_qdisk", interval=2)
    assert [disk["label"] for disk in told["disks"]] == ["nerv"] and go.naps == [4, 4]
    assert go(device=path, label="nerv", replaces="magi_qdisk")["changed"] is False


def test_a_quorum_disk_is_removed_only_by_its_label(go, host):
    path = host.add("sdb", REAL)
    assert "it is the quorum disk 'magi_qdisk'" in go(state="absent", device=path, label="nerv", destroy=[path])["msg"]
    told = go(state="absent", device=path, label="magi_qdisk")
    assert told["changed"] and told["disks"] == [] and told["disk"] is None
    assert content(path) == bytes(SIZE)
    assert go(state="absent", device=path, label="magi_qdisk")["changed"] is False


def test_swap_space_is_no_quorum_disk_to_be_removed(go, host):
    path = host.add("sdb", swap_space())
    assert go(state="absent", device=path, label="nerv", destroy=[path])["changed"] is False
    assert content(path).startswith(swap_space())


# --- a qdiskd that runs ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("params", [
    {"label": "nerv", "replaces": "magi_qdisk"}, {"label": "magi_qdisk", "state": "absent"}])
@pytest.mark.parametrize("state", ["running", "none"])
def test_a_disk_that_is_written_to_is_never_touched(go, host, params, state):
    path = host.add("sdb", REAL)
    told = go(device=path, destroy=[path], during=lambda: one_more_write(path, state=state), **params)
    assert "written to while it was watched for 6 s (the block of node 2; " in told["msg"]
    assert form.parse_area(content(path)[:form.AREA]).label.name == "magi_qdisk"


def test_a_running_qdiskd_whose_label_was_lost_is_noticed(go, host):
    path = host.add("sdb", bytes(4096) + REAL[4096:])
    told = go(device=path, label="nerv", destroy=[path], during=lambda: one_more_write(path))
    assert "so a qdiskd uses it" in told["msg"] and not any(content(path)[:4096])


def test_a_node_that_ran_just_now_counts_as_running(go, host):
    path = host.add("sdb", REAL)
    one_more_write(path, 16, "master")
    told = go(device=path, label="nerv", replaces="magi_qdisk")
    assert "node 16 master" in told["msg"]


def test_the_right_label_is_left_alone_while_it_is_used(go, host):
    path = host.add("sdb", REAL)
    one_more_write(path)
    told = go(device=path, label="magi_qdisk", replaces="old", destroy=[path])
    assert told["changed"] is False and told["disk"]["nodes"][1]["state"] == "running" and go.naps == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_qdiskd_that_starts_after_the_facts_were_read_stops_the_run(go, host, monkeypatch, number):
    path, real = host.add("sdb", REAL), host.perform

    def start_first(action):
        if not number or action.offset == 0:        # before the first action, or between the two
            one_more_write(path, 3) if action.offset else Path(path).write_bytes(b"x" + content(path)[1:])
        real(action)
    monkeypatch.setattr(host, "perform", start_first)
    told = go(device=path, label="nerv", replaces="magi_qdisk")
    assert "changed while it was read" in told["msg"] and len(told["actions"]) == number
    assert b"nerv" not in content(path)


# --- a run that is killed -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("before, params", [
    (b"", {"label": "nerv"}), (REAL, {"label": "nerv", "replaces": "magi_qdisk"}),
    (swap_space(), {"label": "nerv", "destroy": True}), (b"x", {"label": "nerv", "destroy": True}),
    (REAL, {"label": "magi_qdisk", "state": "absent"})], ids=["new", "relabel", "swap", "data", "remove"])
def test_a_run_killed_after_any_action_is_finished_by_the_next(go, host, before, params, steps):
    path = host.add("sdb", before)
    params = dict(params, device=path, **({"destroy": [path]} if "destroy" in params else {}))
    host.steps = steps
    try:
        go(**params)
    except Killed:
        labels = [disk["label"] for disk in go(state="listed")["disks"]]
        assert labels == (["magi_qdisk"] if before == REAL else [])     # the old one or none, never half a one
    host.steps = None
    assert "failed" not in go(**params)
    assert [disk["label"] for disk in go(state="listed")["disks"]] == ([] if "state" in params else ["nerv"])
    assert go(**params)["changed"] is False
