# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The on-disk format of a quorum disk of Red Hat Cluster Suite (qdiskd, mkqdisk).

A quorum disk has 17 places of 4096 bytes: the label, then the status block of each node, 1 to 16. What counts is at the
beginning of a place, within one sector: an envelope of 32 bytes (little-endian: magic, CRC of the envelope, CRC of the
payload, length of the payload, view, time) and the payload (big-endian). The CRC is that of zlib.

Text ends at its first NUL. mkqdisk leaves whatever its memory held after it, and the CRC of the payload covers that.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import datetime
import struct
import zlib
from typing import NamedTuple, Optional, Tuple

from .._core.plan import HaError

PLACE = 4096                     # bytes from one block to the next, for sectors of up to this size
NODES = 16                       # nodes have the numbers 1 to 16
AREA = PLACE * (NODES + 1)       # bytes that the format uses
SMALLEST = AREA + PLACE          # bytes that mkqdisk and qdiskd want a device to have
LONGEST_LABEL = 118              # bytes; mkqdisk cuts longer ones without a word
LONGEST_HOST = 127
SECTORS = (512, 1024, 2048, 4096)

ENVELOPE = struct.Struct("<IIIIQQ")
LABEL_V1 = struct.Struct(">IIQ128s128s")
LABEL_V2 = struct.Struct(">IIQ128s120sII")
STATUS = struct.Struct(">IIQIIBBHHHIIII8sHHI8s8s")

ENVELOPE_MAGIC = 0x00DEBB1E
LABEL_MAGIC = 0xEB7A62C2
OLD_LABEL_MAGIC = 0x39119FCD     # Red Hat Cluster Suite 3, which had another layout
STATUS_MAGIC = 0x47BACEF8
VERSION_2 = 0x389FABC4           # anything else is version 1, which has no sector size

STATES = {0: "none", 1: "evicted", 2: "initializing", 5: "running", 6: "master", 7: "exit"}
CODES = {name: code for code, name in STATES.items()}
ACTIVE = ("initializing", "running", "master")   # the state that a node reports while its qdiskd runs


class FormatError(HaError):
    """A block is not valid. The text is the reason, without the name of the device."""


class Label(NamedTuple):
    """Block 0. Text that is not UTF-8 is kept with surrogate escapes."""

    name: str
    host: str                    # where it was created
    created: int                 # seconds since 1970, UTC
    sector: Optional[int]        # sector size of the device when it was created; None in version 1


class Node(NamedTuple):
    """The status block of one node. ``fault`` is why it cannot be read; the rest is then without meaning."""

    id: int
    state: str = "none"          # one of STATES, or "unknown 9"
    updated: int = 0             # seconds since 1970, UTC
    updated_by: int = 0          # the node that wrote it; 0 is mkqdisk
    score: int = 0
    score_max: int = 0
    incarnation: bytes = bytes(8)
    fault: str = ""


class QuorumDisk(NamedTuple):
    """What a quorum disk holds; ``nodes`` has NODES entries."""

    label: Label
    nodes: Tuple[Node, ...]


# --- reading --------------------------------------------------------------------------------------------------------

def parse_area(area: bytes) -> Optional[QuorumDisk]:
    """Read the first AREA bytes of a device; None when it is no quorum disk, FormatError when it is a damaged one."""
    label = parse_label(area[:PLACE])
    if label is None:
        return None
    return QuorumDisk(label, tuple(parse_node(area[PLACE * number:PLACE * (number + 1)], number)
                                   for number in range(1, NODES + 1)))


def parse_label(block: bytes) -> Optional[Label]:
    """Read block 0, whole or only its first sector; None when it is not one of a quorum disk."""
    if _number_at(block, 0, "<") != ENVELOPE_MAGIC and _number_at(block, ENVELOPE.size, ">") not in (
            LABEL_MAGIC, OLD_LABEL_MAGIC):
        return None
    payload = _open_envelope(block, LABEL_V2.size)
    magic, version, created, host, name, sector, _unused = LABEL_V2.unpack(payload)
    if magic == OLD_LABEL_MAGIC:
        raise FormatError("label of Red Hat Cluster Suite 3 (magic 0x%08x), which no qdiskd reads" % magic)
    if magic != LABEL_MAGIC:
        raise FormatError("shared state of a cluster manager, but no label of a quorum disk: magic 0x%08x, expected "
                          "0x%08x" % (magic, LABEL_MAGIC))
    if version != VERSION_2:
        return Label(_text(LABEL_V1.unpack(payload)[4]), _text(host), created, None)
    return Label(_text(name), _text(host), created, sector)


def parse_node(block: bytes, number: int) -> Node:
    """Read the status block of node ``number``; its fault is in the result."""
    try:
        fields = STATUS.unpack(_open_envelope(block, STATUS.size))
        if fields[0] != STATUS_MAGIC:
            raise FormatError("no status block: magic 0x%08x, expected 0x%08x" % (fields[0], STATUS_MAGIC))
        if fields[3] != number:
            raise FormatError("status block of node %d in the place of node %d" % (fields[3], number))
    except FormatError as error:
        return Node(number, fault=str(error))
    return Node(number, STATES.get(fields[5], "unknown %d" % fields[5]), updated=fields[2], updated_by=fields[1],
                score=fields[8], score_max=fields[9], incarnation=fields[14])


def has_blocks(area: bytes) -> bool:
    """Whether anything in ``area``, even a damaged rest, was written by qdiskd."""
    magic = struct.pack("<I", ENVELOPE_MAGIC)
    return any(area[place:place + 4] == magic for place in range(0, len(area), min(SECTORS)))


def is_unfinished(area: bytes) -> bool:
    """Whether ``area`` is what render_area makes, but for the label, which is written last."""
    node = parse_node(area[PLACE:2 * PLACE], 1)
    return not node.fault and area == bytes(PLACE) + render_area(Label("", "", node.updated, min(SECTORS)))[PLACE:]


def changed_places(before: bytes, after: bytes) -> Tuple[int, ...]:
    """Return the numbers of the places (0: label, 1 to 16: nodes) that differ."""
    return tuple(number for number in range(NODES + 1)
                 if before[PLACE * number:PLACE * (number + 1)] != after[PLACE * number:PLACE * (number + 1)])


def _open_envelope(block: bytes, length: int) -> bytes:
    """Check the envelope of a block whose payload is to have ``length`` bytes, and return the payload."""
    if len(block) < ENVELOPE.size + length:
        raise FormatError("cut short: %d bytes, expected at least %d" % (len(block), ENVELOPE.size + length))
    magic, envelope_crc, payload_crc, said, view, time = ENVELOPE.unpack(block[:ENVELOPE.size])
    if magic != ENVELOPE_MAGIC:
        raise FormatError("wrong magic 0x%08x, expected 0x%08x" % (magic, ENVELOPE_MAGIC))
    crc = _crc(ENVELOPE.pack(magic, 0, payload_crc, said, view, time))
    if envelope_crc != crc:
        raise FormatError("damaged: the CRC of its envelope is 0x%08x, expected 0x%08x" % (envelope_crc, crc))
    if said != length:
        raise FormatError("its payload has %d bytes, expected %d" % (said, length))
    payload = block[ENVELOPE.size:ENVELOPE.size + length]
    if payload_crc != _crc(payload):
        raise FormatError("damaged: the CRC of its payload is 0x%08x, expected 0x%08x" % (payload_crc, _crc(payload)))
    return payload


def _crc(data: bytes) -> int:
    return zlib.crc32(data) & 0xFFFFFFFF


def _number_at(block: bytes, place: int, order: str) -> Optional[int]:
    piece = block[place:place + 4]
    return int(struct.unpack(order + "I", piece)[0]) if len(piece) == 4 else None


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "surrogateescape")


# --- writing --------------------------------------------------------------------------------------------------------

def render_area(label: Label) -> bytes:
    """Return the AREA bytes of a new quorum disk, no node of which has ever run.

    As mkqdisk writes them, but with zeros where it leaves what its memory held (after the NUL of host and label).
    """
    return render_disk(QuorumDisk(label, tuple(
        Node(number, updated=label.created) for number in range(1, NODES + 1))))


def render_disk(disk: QuorumDisk) -> bytes:
    """Return the AREA bytes of a quorum disk of version 2; undoes parse_area."""
    label, time = disk.label, disk.label.created
    blocks = [_envelope(LABEL_V2.pack(LABEL_MAGIC, VERSION_2, time, bytes_of(label.host), bytes_of(label.name),
                                      label.sector, 0), time)]
    for node in disk.nodes:
        blocks.append(_envelope(STATUS.pack(
            STATUS_MAGIC, node.updated_by, node.updated, node.id, 0, CODES[node.state], 0, 0, node.score,
            node.score_max, 0, 0, 0, 0, node.incarnation, 0, 0, 0, bytes(8), bytes(8)), node.updated))
    return b"".join(block.ljust(PLACE, b"\0") for block in blocks)


def _envelope(payload: bytes, time: int) -> bytes:
    """Put a payload in its envelope."""
    unsigned = ENVELOPE.pack(ENVELOPE_MAGIC, 0, _crc(payload), len(payload), 0, time)
    return ENVELOPE.pack(ENVELOPE_MAGIC, _crc(unsigned), _crc(payload), len(payload), 0, time) + payload


def bytes_of(text: str) -> bytes:
    """Return the bytes of a label or host as they are on the disk."""
    return text.encode("utf-8", "surrogateescape")


def in_iso(seconds: int) -> Optional[str]:
    """Return a time as "2010-09-17T20:55:51Z"; None when it is no time that a calendar knows."""
    try:
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).isoformat() + "Z"
    except OverflowError:
        return None
