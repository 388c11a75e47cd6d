"""Quorum disks byte by byte: what the real mkqdisk wrote, what comes back, and what damaged ones are taken for."""
import gzip
import random
import re
import struct
import zlib
from datetime import datetime
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import qdisk_format as form
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rhcs"
REAL = gzip.decompress((FIXTURES / "qdisk_512_magi_qdisk.img.gz").read_bytes())  # made by mkqdisk 3.2.0
LABEL = form.Label("magi_qdisk", "vm", 0x6B0009F8, 512)
OURS = form.render_area(LABEL)
# mkqdisk leaves what its memory held after the NULs of host and label; both CRCs of the label cover it
RUBBISH = [(4, 12), (48 + len("vm") + 1, 176), (176 + len("magi_qdisk") + 1, 296)]


def changed(area, place, content):
    return area[:place] + content + area[place + len(content):]


def signed(envelope, payload):
    """An envelope whose CRCs are right, whatever stands in it: (magic, length, view, time)."""
    magic, length, view, time = envelope
    crc = zlib.crc32(payload[:length])
    head = zlib.crc32(struct.pack("<IIIIQQ", magic, 0, crc, length, view, time))
    return struct.pack("<IIIIQQ", magic, head, crc, length, view, time) + payload


def label_block(magic=form.LABEL_MAGIC, version=form.VERSION_2, created=1284749751, host=b"balthasar",
                name=b"magi_qdisk", sector=512, length=272, envelope=form.ENVELOPE_MAGIC):
    payload = struct.pack(">IIQ128s120sII", magic, version, created, host, name, sector, 0)
    return signed((envelope, length, 0, created), payload.ljust(max(length, 272), b"\0")).ljust(4096, b"\0")


def status_block(number=1, state=5, magic=form.STATUS_MAGIC, length=80, node=None):
    payload = struct.pack(">IIQIIBBHHHIIII8sHHI8s8s", magic, 2, 1284749800, number if node is None else node, 0, state,
                          0, 0, 1, 3, 0, 0, 0, 0, b"\x01" * 8, 0, 0, 0, bytes(8), bytes(8))
    return signed((form.ENVELOPE_MAGIC, length, 0, 1284749800), payload).ljust(4096, b"\0")


# --- the real one ---------------------------------------------------------------------------------------------------

def test_the_real_image_is_read_as_mkqdisk_lists_it():
    disk = form.parse_area(REAL[:form.AREA])
    listed = dict(re.findall(r"^\t([^:]+): +(.*)$", (FIXTURES / "mkqdisk_L.txt").read_text(), re.MULTILINE))
    made = datetime.strptime(listed["Created"], "%a %b %d %H:%M:%S %Y").isoformat() + "Z"
    assert disk.label == LABEL
    assert (disk.label.name, disk.label.host, str(disk.label.sector), form.in_iso(disk.label.created)) == (
        listed["Label"], listed["Host"], listed["Recorded Sector Size"], made)
    assert listed["Magic"] == "%08x" % form.LABEL_MAGIC
    assert [node.id for node in disk.nodes] == list(range(1, 17))
    assert {(node.state, node.updated, node.updated_by, node.fault) for node in disk.nodes} == {
        ("none", 0x6B0009F8, 0, "")}


def test_there_are_as_many_status_blocks_as_mkqdisk_makes():
    said = re.findall(r"status block for node (\d+)", (FIXTURES / "mkqdisk_create.txt").read_text())
    assert [int(number) for number in said] == [node.id for node in form.parse_area(OURS).nodes]
    assert len(REAL) == form.SMALLEST


def test_what_we_write_is_what_mkqdisk_writes_but_for_its_rubbish():
    ours = OURS.ljust(form.SMALLEST, b"\0")
    differing = {place for place in range(form.SMALLEST) if ours[place] != REAL[place]}
    assert differing and differing <= {place for start, end in RUBBISH for place in range(start, end)}
    assert not any(byte for start, end in RUBBISH[1:] for byte in ours[start:end])


@pytest.mark.parametrize("image", [REAL, OURS], ids=["mkqdisk", "ours"])
@pytest.mark.parametrize("number", range(17))
def test_both_crcs_of_every_block_are_right_byte_by_byte(image, number):
    block = image[4096 * number:4096 * number + 512]
    length = 80 if number else 272
    assert block[0:4] == bytes.fromhex("1ebbde00") and block[12:16] == length.to_bytes(4, "little")
    assert block[16:24] == bytes(8) and block[24:32] == (0x6B0009F8).to_bytes(8, "little")
    assert block[4:8] == zlib.crc32(block[:4] + bytes(4) + block[8:32]).to_bytes(4, "little")
    assert block[8:12] == zlib.crc32(block[32:32 + length]).to_bytes(4, "little")
    assert block[32:36] == bytes.fromhex("47bacef8" if number else "eb7a62c2")
    assert not any(block[32 + length:])


@pytest.mark.parametrize("sector", form.SECTORS)
def test_every_sector_size_has_the_same_places(sector):
    area = form.render_area(LABEL._replace(sector=sector))
    assert len(area) == form.AREA and area[296:300] == sector.to_bytes(4, "big")
    assert area[4096:] == OURS[4096:]
    assert form.parse_area(area).label.sector == sector


# --- there and back -------------------------------------------------------------------------------------------------

def texts(longest):
    """What fits into so many bytes: text of any script, or bytes that are no text."""
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=longest // 4)
    data = st.binary(max_size=longest).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
    return text | data


numbers = st.integers(0, 2**64 - 1)
labels = st.builds(form.Label, texts(120), texts(128), numbers, st.integers(0, 2**32 - 1))
nodes = st.builds(
    form.Node, st.integers(1, 16), st.sampled_from(sorted(form.CODES)), numbers, st.integers(0, 2**32 - 1),
    st.integers(0, 65535), st.integers(0, 65535), st.binary(min_size=8, max_size=8), st.just(""))


@given(labels, nodes)
def test_what_is_written_is_read_again(label, node):
    others = form.parse_area(form.render_area(label)).nodes
    disk = form.QuorumDisk(label, others[:node.id - 1] + (node,) + others[node.id:])
    area = form.render_disk(disk)
    assert len(area) == form.AREA
    assert form.parse_area(area) == disk
    assert form.has_blocks(area)


@given(st.binary(max_size=600), st.sampled_from([b"", OURS[:32], OURS[:300], REAL[:4096], REAL]), st.booleans())
def test_random_bytes_raise_nothing_but_the_modules_own_error(data, head, behind):
    area = head + data if behind else data + head[len(data):]
    try:
        disk = form.parse_area(area)
    except form.FormatError as error:
        assert str(error)
    else:
        assert disk is None or len(disk.nodes) == 16
    form.has_blocks(area)
    assert form.parse_node(area[:4096], 1).id == 1


@given(st.integers(0, form.AREA * 8 - 1))
def test_a_flipped_bit_is_noticed_wherever_it_counts(bit):
    area = bytearray(REAL[:form.AREA])
    area[bit // 8] ^= 1 << bit % 8
    number, place = divmod(bit // 8, 4096)
    counts = place < 32 + (80 if number else 272)
    try:
        disk = form.parse_area(bytes(area))
    except form.FormatError:
        assert counts and number == 0
    else:
        assert bool(number and disk.nodes[number - 1].fault) == bool(counts and number)
        assert number or not counts


# --- hostile images -------------------------------------------------------------------------------------------------

NONE = {
    "nothing at all": b"",
    "three bytes": OURS[:3],
    "zeros": bytes(form.AREA),
    "ones": b"\xff" * form.AREA,
    "text": b"This is no quorum disk. " * 200,
    "a partition table": changed(bytes(form.AREA), 510, b"\x55\xaa"),
    "a label one byte further": b"\0" + OURS[:-1],
    "a label in the next sector": bytes(512) + OURS[:-512],
    "magic in the other byte order": changed(OURS, 0, b"\x00\xde\xbb\x1e" + bytes(28) + bytes(4)),
    "random": random.Random(1).randbytes(form.AREA),
}
REFUSED = {
    "cut after the magic": (OURS[:4], "cut short"),
    "cut within the envelope": (OURS[:31], "cut short"),
    "cut within the payload": (OURS[:303], "cut short"),
    "no envelope": (changed(OURS, 0, bytes(32)), "wrong magic"),
    "envelope of something else": (changed(OURS, 0, b"\x7fELF"), "wrong magic"),
    "wrong CRC of the envelope": (changed(OURS, 4, b"\0\0\0\0"), "CRC of its envelope"),
    "time changed": (changed(OURS, 24, b"\1"), "CRC of its envelope"),
    "view changed": (changed(OURS, 16, b"\1"), "CRC of its envelope"),
    "wrong CRC of the payload": (changed(OURS, 176, b"M"), "CRC of its payload"),
    "payload torn in the middle": (changed(OURS, 160, bytes(144)), "CRC of its payload"),
    "rubbish after the NUL changed": (changed(REAL, 60, b"\xff"), "CRC of its payload"),
    "payload of zeros": (changed(OURS, 32, bytes(272)), "CRC of its payload"),
    "length 0": (label_block(length=0), "payload has 0 bytes"),
    "length 271": (label_block(length=271), "payload has 271 bytes"),
    "length of a whole sector": (label_block(length=480), "payload has 480 bytes"),
    "length of 4 GiB": (changed(OURS, 12, b"\xff\xff\xff\xff"), "CRC of its envelope"),
    "length of 4 GiB, signed": (signed((form.ENVELOPE_MAGIC, 2**32 - 1, 0, 0), bytes(272)), "payload has 4294967295"),
    "Red Hat Cluster Suite 3": (label_block(magic=form.OLD_LABEL_MAGIC), "Cluster Suite 3"),
    "Red Hat Cluster Suite 3, other envelope": (label_block(magic=form.OLD_LABEL_MAGIC, envelope=1), "wrong magic"),
    "a status block in its place": (status_block().ljust(form.AREA, b"\0"), "payload has 80 bytes"),
    "something else in an envelope": (label_block(magic=0xF1840DCE), "no label of a quorum disk"),
    "the payload's magic only": (bytes(32) + bytes.fromhex("eb7a62c2") + bytes(4060), "wrong magic"),
}
READ = {
    "nothing behind the label": (OURS[:304], LABEL),
    "only the first sector": (REAL[:512], LABEL),
    "version 1": (label_block(version=0), form.Label("magi_qdisk", "balthasar", 1284749751, None)),
    "version 1, rubbish for a version": (label_block(version=0xFFFFFFFF, sector=0x41424344),
                                         form.Label("magi_qdisk", "balthasar", 1284749751, None)),
    "version 1, 128 bytes of label": (label_block(version=1, name=b"x" * 120, sector=0x78787878),
                                      form.Label("x" * 124, "balthasar", 1284749751, None)),
    "4096-byte sectors": (label_block(sector=4096), form.Label("magi_qdisk", "balthasar", 1284749751, 4096)),
    "absurd sectors": (label_block(sector=2**32 - 1), form.Label("magi_qdisk", "balthasar", 1284749751, 2**32 - 1)),
    "rubbish after the NULs": (label_block(name=b"magi\0\xff\xfeG\0\x7f", host=b"vm\0" + bytes(range(1, 126))),
                               form.Label("magi", "vm", 1284749751, 512)),
    "no NUL at all": (label_block(name=b"n" * 120, host=b"h" * 128),
                      form.Label("n" * 120, "h" * 128, 1284749751, 512)),
    "an empty label": (label_block(name=b"", host=b""), form.Label("", "", 1284749751, 512)),
    "not UTF-8": (label_block(name=b"caf\xe9"), form.Label("caf\udce9", "balthasar", 1284749751, 512)),
    "control characters": (label_block(name=b"a\nb\x1b[2J"), form.Label("a\nb\x1b[2J", "balthasar", 1284749751, 512)),
    "UTF-8": (label_block(name="caf\u00e9".encode()), form.Label("caf\u00e9", "balthasar", 1284749751, 512)),
    "the end of time": (label_block(created=2**64 - 1), form.Label("magi_qdisk", "balthasar", 2**64 - 1, 512)),
    "the beginning of time": (label_block(created=0), form.Label("magi_qdisk", "balthasar", 0, 512)),
}


def test_there_are_enough_hostile_images():
    assert len(NONE) + len(REFUSED) + len(READ) >= 30


@pytest.mark.parametrize("image", NONE.values(), ids=NONE)
def test_something_else_is_no_quorum_disk(image):
    assert form.parse_area(image) is None


@pytest.mark.parametrize("image, words", REFUSED.values(), ids=REFUSED)
def test_a_damaged_quorum_disk_is_an_error_that_says_why(image, words):
    with pytest.raises(form.FormatError, match=words):
        form.parse_area(image)


@pytest.mark.parametrize("image, label", READ.values(), ids=READ)
def test_an_odd_quorum_disk_is_read(image, label):
    disk = form.parse_area(image)
    assert disk.label == label
    assert len(disk.nodes) == 16 and all(node.fault for node in disk.nodes)


@pytest.mark.parametrize("block, expected", [
    (b"", "cut short"), (bytes(4096), "wrong magic"), (status_block(magic=0xF1840DCE), "magic 0xf1840dce"),
    (status_block(node=2), "node 2 in the place of node 1"), (status_block(length=60), "60 bytes"),
    (changed(status_block(), 60, b"\xff"), "CRC of its payload"), (label_block(), "272 bytes")])
def test_a_damaged_status_block_does_not_spoil_the_others(block, expected):
    disk = form.parse_area(changed(OURS, 4096, block.ljust(4096, b"\0")) if block else OURS[:4096])
    assert expected in disk.nodes[0].fault
    assert not block or [node.fault for node in disk.nodes[1:]] == [""] * 15


@pytest.mark.parametrize("code, name", [*form.STATES.items(), (3, "unknown 3"), (255, "unknown 255")])
def test_states_have_names(code, name):
    node = form.parse_node(status_block(state=code), 1)
    assert node == form.Node(1, name, 1284749800, 2, 1, 3, b"\x01" * 8)


# --- small things ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("area, expected", [
    (REAL, True), (bytes(4096) + REAL[4096:], True), (b"", False), (bytes(form.AREA), False),
    (bytes(2048) + OURS[:4] + bytes(4), True), (bytes(2049) + OURS[:4], False)])
def test_even_the_rest_of_a_quorum_disk_is_noticed(area, expected):
    assert form.has_blocks(area) is expected


def test_the_places_that_changed_are_reported():
    assert form.changed_places(OURS, OURS) == ()
    assert form.changed_places(OURS, changed(changed(OURS, 40, b"\xff"), 4096 * 3 - 1, b"\xff")) == (0, 2)
    assert form.changed_places(OURS, OURS[:-1]) == (16,)


@pytest.mark.parametrize("seconds, expected", [
    (0, "1970-01-01T00:00:00Z"), (1284749751, "2010-09-17T18:55:51Z"), (2**31, "2038-01-19T03:14:08Z"),
    (253402300800, None), (2**64 - 1, None)])
def test_times_are_printed_in_utc(seconds, expected):
    assert form.in_iso(seconds) == expected
