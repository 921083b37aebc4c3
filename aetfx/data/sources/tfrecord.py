"""TFRecord of `tf.Example`, plain or gzipped: features of numbers; a shard is a byte range between two records.

A record is a length (8 bytes), its checksum, a payload, and the payload's checksum; both are masked CRC-32C. A record
whose payload fails its checksum, or is no `tf.Example`, is quarantined; behind a damaged length nothing can be found
any more, so that is an error, as is a file that ends inside a record. Opening reads the files once: it checks them,
finds the kind and length of each feature, and where records end.

TensorFlow takes 14 s to import, so it is not asked. Protobuf parses a description of `tf.Example` made here, in which
features stay the bytes that they travel as: a list of numbers is cut out of them without a Python object per number,
and NumPy reads the lists of a whole batch at once.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pyarrow as pa

from aetfx.data.files import open_binary, size_of
from aetfx.data.sources.base import (
    Batch,
    Features,
    Quarantined,
    Shard,
    Source,
    declared,
    flattened,
    select,
    to_batch,
)
from aetfx.data.sources.guards import check_unpacked, check_width, find_twice, printable
from aetfx.errors import DataError

SHARD_BYTES = 16 << 20  # records are dearer to read than arrays: some tenths of a second
MOST_RECORD_BYTES = (1 << 31) - 1  # protobuf's own limit: a longer record is a damaged length
HEAD = struct.Struct("<QI")
FLOATS, INTEGERS, TEXT = "floats", "integers", "bytes"
LIST_TYPES = {
    FLOATS: pa.list_(pa.float32()), INTEGERS: pa.list_(pa.int64()), TEXT: pa.list_(pa.binary()), "": pa.null(),
}  # fmt: skip
MEMBERS = {FLOATS: "float_list", INTEGERS: "int64_list", TEXT: "bytes_list"}
KINDS = {b"\x12": FLOATS, b"\x1a": INTEGERS}  # by the first byte of a Feature, which says what kind of list follows


@dataclass(frozen=True)
class TfrecordSource(Source):
    """One or several TFRecord files of `tf.Example`; every record is a row, numbered from 0 in its file.

    A feature of length 1 is a column of its name, one of length k > 1 the columns "name,0" to "name,k-1"; one single
    feature of length k is a tensor of shape (k,). Columns are in the order of their names, because an Example has no
    order; where `aetfx.data.examples` wrote them, in the order and shape that it kept beside the splits. A feature that
    an Example lacks, or holds an empty list of, is missing (NaN). Integers become float64.

    Under "auto" three kinds of features are left out and named in `skipped_text`: bytes; *ragged* features, whose
    length differs between Examples; and those that hold floats in one Example and integers in another. Asking for
    one by name is an error that says where it was met. The first two kinds can be handed on as lists (`with_others`).
    """

    extensions: ClassVar[tuple[str, ...]] = (".tfrecord", ".tfrecords", ".tfrecord.gz", ".tfrecords.gz")
    columns: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    integers: tuple[bool, ...] = ()
    parts: tuple[Shard, ...] = field(default=(), repr=False)
    n_records: int = 0
    listable: tuple[tuple[str, str], ...] = ()

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> TfrecordSource:
        scan = _Scan()
        parts = tuple(shard for file in files for shard in scan.file(file))
        if not scan.n_examples:
            raise DataError(scan.nothing_read(path))
        layout = _layout(files[0])
        places = {str(name): i for i, name in enumerate(layout.get("columns", []))}
        found = dict(sorted(scan.features.items(), key=lambda item: (places.get(item[0], len(places)), item[0])))
        if isinstance(features, str):
            columns = tuple(name for name, feature in found.items() if not feature.problem)
            skipped = tuple(name for name, feature in found.items() if feature.problem)
        else:
            columns = tuple(list(found)[i] for i in select(list(found), features, files[0]))
            skipped = ()
            for name in columns:
                if found[name].problem:
                    raise DataError(
                        f"{found[name].file}: column '{printable(name)}' {found[name].problem}. {found[name].remedy}"
                    )
        if not columns:
            shown = "; ".join(f"'{printable(name, 40)}' {feature.problem}" for name, feature in list(found.items())[:3])
            raise DataError(
                f"{files[0]}: no feature holds numbers of one length ({shown or 'the Examples are empty'}). "
                "Give data with at least one numeric feature."
            )
        sizes = tuple(found[name].size for name in columns)
        check_width(files[0], sum(sizes))
        shapes = [(size,) if size > 1 else () for size in sizes]
        if list(columns) == layout.get("columns") and int(np.prod(layout.get("shape") or [0])) == sizes[0]:
            shapes = [tuple(layout["shape"])]
        names, shape, tensor = flattened(columns, shapes)
        if (twice := find_twice(names)) is not None:
            raise DataError(f"{files[0]}: two columns would be named '{printable(twice)}'. Rename that feature.")
        integers = tuple(found[name].kind == INTEGERS for name in columns)
        return cls(
            path=path,
            files=files,
            names=names,
            shape=shape,
            declared_shape=declared(features, tensor),
            skipped_text=skipped,
            value_bytes=8 if any(integers) else 4,
            whole=tuple(np.repeat(integers, sizes).tolist()),
            columns=columns,
            sizes=sizes,
            integers=integers,
            parts=parts,
            n_records=scan.n_records,
            listable=tuple((name, f.kind) for name, f in found.items() if name not in columns and not f.is_mixed),
        )

    @property
    def n_rows(self) -> int:
        return self.n_records

    @property
    def column_selection(self) -> list[str] | None:
        return list(self.columns)

    def shards(self) -> list[Shard]:
        return list(self.parts)

    @property
    def tensor_name(self) -> str:
        return self.columns[0] if len(self.columns) == 1 else super().tensor_name

    def with_others(self, names: Sequence[str]) -> TfrecordSource:
        return dataclasses.replace(self, others=tuple(name for name, _ in self.listable if name in names))

    def read(self, shard: Shard) -> Iterator[Batch]:
        rows, bad = _Rows(self), []
        for position, _, payload in _records(shard):
            try:
                rows.add(_example(payload))
            except ValueError as error:
                bad.append(Quarantined(shard.file, position, str(error)))
            if rows.n_rows + len(bad) == self.rows_per_batch:
                yield to_batch(rows.values(), bad, rows.others())
                rows, bad = _Rows(self), []
        if rows.n_rows or bad:
            yield to_batch(rows.values(), bad, rows.others())


def _layout(file: str) -> dict[str, Any]:
    """What `aetfx.data.examples` kept of the order and shape of columns; empty where others wrote the file."""
    folder = os.path.dirname(file)
    if not os.path.basename(folder).startswith("Split-"):
        return {}
    path = os.path.join(os.path.dirname(folder), "examples.json")
    try:
        size_of(path)
        with open_binary(path) as stream:
            found = json.load(stream)
    except (DataError, ValueError):
        return {}
    columns, shape = found.get("columns"), found.get("shape")
    is_shape = shape is None or (isinstance(shape, list) and all(isinstance(n, int) and n > 0 for n in shape))
    return {"columns": columns, "shape": shape} if isinstance(columns, list) and is_shape else {}


@dataclass
class _Feature:
    """What the scan knows of one feature: where it was first met, and what bars it from being a column."""

    file: str
    row: int
    kind: str = ""
    size: int = 0
    problem: str = "holds nothing in any Example"
    remedy: str = "Leave it out of data.features."
    is_mixed: bool = False

    def meet(self, kind: str, size: int, file: str, row: int) -> None:
        """Compares one Example's list (not empty) with those before it."""
        if not self.kind:
            self.file, self.row, self.kind, self.size = file, row, kind, size
            self.problem = f"holds bytes, no numbers (row {row})" if kind == TEXT else ""
            return
        self.is_mixed |= kind != self.kind
        if not self.problem:
            place = f"row {row}" + (f" of '{file}'" if file != self.file else "")
            if kind != self.kind:
                self.problem = f"holds {self.kind} in row {self.row} but {kind} in {place}"
                self.remedy = "Write it with one type, or leave it out of data.features."
            else:
                self.problem = f"is ragged: {self.size} values in row {self.row} but {size} in {place}"
                self.remedy = "Pad it to one length, or leave it out of data.features."


class _Scan:
    """The first reading of all files."""

    def __init__(self) -> None:
        self.features: dict[str, _Feature] = {}
        self.n_records = self.n_examples = 0
        self.first_bad = ""

    def file(self, file: str) -> list[Shard]:
        """Reads one file; returns its shards."""
        shards: list[Shard] = []
        start, first, end, rows = 0, 0, 0, 0
        for row, end, payload in _records(Shard(file, 0, -1)):
            rows = row + 1
            self.n_records += 1
            try:
                self._example(_example(payload), file, row)
                self.n_examples += 1
            except ValueError as error:
                self.first_bad = self.first_bad or f"{file}: row {row}: {error}"
            if end - start >= SHARD_BYTES:
                shards.append(Shard(file, start, end, first))
                start, first = end, rows
        if end > start:
            shards.append(Shard(file, start, end, first))
        return [Shard(file, 0, -1)] if len(shards) > 1 and _is_packed(file) else shards

    def _example(self, features: Mapping[str, bytes], file: str, row: int) -> None:
        for name, raw in features.items():
            known = self.features.get(name)
            if known is None:
                known = self.features[name] = _Feature(file, row)
            elif known.kind == FLOATS and _is_float_list(raw, known.size):
                continue
            kind, _, size = _list(name, raw)
            if size and (kind != known.kind or size != known.size):
                known.meet(kind, size, file, row)

    def nothing_read(self, path: str) -> str:
        if self.first_bad:
            return f"{self.first_bad}, nor is any other record. Write tf.Example records."
        return f"{path}: holds no records. Give data with at least one row."


class _Rows:
    """Collects the lists of some Examples as bytes, for NumPy to read together."""

    def __init__(self, source: TfrecordSource):
        self._plan = tuple(zip(source.columns, source.sizes, source.integers, strict=True))
        self._integers = np.repeat(source.integers, source.sizes)
        self._floats: list[bytes] = []
        self._varints: list[bytes] = []
        self._absent: list[tuple[int, int, int]] = []
        kinds = dict(source.listable)
        self._others: dict[str, tuple[str, list[Any]]] = {name: (kinds[name], []) for name in source.others}
        self.n_rows = 0

    def add(self, features: Mapping[str, bytes]) -> None:
        """Takes one Example.

        Raises:
          ValueError: a list is damaged, or not what the scan found (the file has changed since).
        """
        floats, varints, absent, start = [], [], [], 0
        for name, size, integers in self._plan:
            feature = features.get(name, b"")
            if not integers and _is_float_list(feature, size):
                floats.append(feature[-4 * size :])
                continue
            kind, raw, length = _list(name, feature)
            if not length:
                raw = bytes(size) if integers else _NAN * size
                if integers:
                    absent.append((self.n_rows, start, start + size))
            elif length != size or (kind == INTEGERS) != integers:
                raise ValueError(f"column '{printable(name)}': expected {size} values but got {length} ({kind})")
            (varints if integers else floats).append(raw)
            start += size if integers else 0
        found = [_cells(features.get(name), kind) for name, (kind, _) in self._others.items()]
        for (_, rows), cells in zip(self._others.values(), found, strict=True):
            rows.append(cells)
        self._floats += floats
        self._varints += varints
        self._absent += absent
        self.n_rows += 1

    def others(self) -> dict[str, pa.Array]:
        """The further features: one list per row, null where an Example lacks the feature."""
        return {name: pa.array(rows, LIST_TYPES[kind]) for name, (kind, rows) in self._others.items()}

    def values(self) -> np.ndarray:
        """The numbers, shape (rows, D): float32 where all features are floats, else float64."""
        floats = np.frombuffer(b"".join(self._floats), "<f4").reshape(self.n_rows, np.count_nonzero(~self._integers))
        if not self._integers.any():
            return floats
        whole = decode_varints(b"".join(self._varints)).astype(np.float64)
        whole = whole.reshape(self.n_rows, np.count_nonzero(self._integers))
        for row, start, stop in self._absent:
            whole[row, start:stop] = np.nan
        out = np.empty((self.n_rows, len(self._integers)), np.float64)
        out[:, self._integers], out[:, ~self._integers] = whole, floats
        return out


_NAN = struct.pack("<f", float("nan"))


def decode_varints(raw: bytes) -> np.ndarray:
    """Reads integers of 7 bits per byte, lowest first, each ending at a byte below 128; int64 of shape (n,).

    >>> decode_varints(bytes([5, 0xAC, 0x02])).tolist()
    [5, 300]
    >>> decode_varints(bytes([0xFE] + [0xFF] * 8 + [0x01])).tolist()
    [-2]
    """
    octets = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(octets < 128)
    starts = np.concatenate([[0], ends[:-1] + 1])
    values = (octets[starts] & 127).astype(np.uint64)
    longer = np.arange(len(starts))
    for place in range(1, 10):
        longer = longer[starts[longer] + place <= ends[longer]]
        values[longer] |= (octets[starts[longer] + place] & 127).astype(np.uint64) << np.uint64(7 * place)
    return values.view(np.int64)


def _records(shard: Shard) -> Iterator[tuple[int, int, bytes | None]]:
    """Yields (row, offset behind it, payload) of each record; the payload is None where its checksum is wrong.

    Raises:
      DataError: a length is damaged, or the file ends inside a record; says which.
    """
    file, row, at = shard.file, shard.first, shard.start
    packed = _is_packed(file)
    packed_bytes = size_of(file) if packed else 0
    with open_binary(file, packed) as opened:
        opened.seek(at)
        patient = _Patient(opened)
        stream = io.BufferedReader(patient, 1 << 20)
        while at != shard.stop:
            head = stream.read(HEAD.size)
            if not head and shard.stop < 0 and not patient.error:
                return
            if len(head) < HEAD.size:
                raise DataError(_ends_early(file, row, at, patient.error))
            length, checksum = HEAD.unpack(head)
            if masked_crc(head[:8]) != checksum or length > MOST_RECORD_BYTES:
                raise DataError(_damaged_length(file, row, at))
            if packed:
                check_unpacked(file, packed_bytes, at + length)
            body = stream.read(length + 4)
            if len(body) < length + 4:
                raise DataError(_ends_early(file, row, at, patient.error))
            at += HEAD.size + len(body)
            payload = body[:-4]
            yield row, at, payload if masked_crc(payload) == int.from_bytes(body[-4:], "little") else None
            row += 1


def _is_packed(file: str) -> bool:
    """Whether the file is gzipped: TensorFlow's writers do so under any name."""
    with open_binary(file, packed=False) as stream:
        head = stream.read(HEAD.size)
    is_record = len(head) == HEAD.size and masked_crc(head[:8]) == HEAD.unpack(head)[1]
    return head[:2] == b"\x1f\x8b" and not is_record


class _Patient(io.RawIOBase):
    """Passes bytes on; the error of a damaged `.gz` waits until all bytes before it are read: its place is known."""

    def __init__(self, stream: BinaryIO):
        self._stream, self.error = stream, ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            read = self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        except (OSError, EOFError, zlib.error) as error:
            self.error = printable(str(error), 120)
            return 0
        buffer[: len(read)] = read
        return len(read)


def _ends_early(file: str, row: int, at: int, error: str) -> str:
    if error:
        return f"{file}: cannot be unpacked from record {row} on ({error}). Write it again."
    return f"{file}: the file ends inside record {row} (which starts at byte {at}): it is truncated. Write it again."


def _damaged_length(file: str, row: int, at: int) -> str:
    if not row:
        return f"{file}: not a TFRecord file, or its first record is damaged. Write it again, plain or gzipped."
    return (
        f"{file}: the length of record {row} (at byte {at}) is damaged, so that no record behind it can be found. "
        "Write the file again."
    )


def _example(payload: bytes | None) -> Mapping[str, bytes]:
    """The features of a payload by name.

    Raises:
      ValueError: why the record is no row.
    """
    from google.protobuf.message import DecodeError

    if payload is None:
        raise ValueError("its checksum is wrong: the record is damaged")
    try:
        example = _messages().example.FromString(payload)
    except DecodeError:
        raise ValueError("not a tf.Example") from None
    if example.feature_lists:
        raise ValueError("a tf.SequenceExample, not a tf.Example")
    if payload and not example.HasField("features"):
        raise ValueError("not a tf.Example")
    return example.features.feature


def _list(name: str, feature: bytes) -> tuple[str, bytes, int]:
    """The kind of a feature's list, its packed bytes, and how many values it holds (0: the feature is missing).

    Raises:
      ValueError: the bytes are no list.
    """
    kind = KINDS.get(feature[:1])
    if kind and feature.startswith(head := _head(len(feature)), 1):
        raw = feature[1 + len(head) :]
    else:
        kind, raw = _list_by_protobuf(name, feature)
    if kind == FLOATS:
        size, rest = divmod(len(raw), 4)
        if not rest:
            return FLOATS, raw, size
    elif raw.isascii():  # every integer below 128, and so one byte long
        return kind, raw, len(raw)
    elif raw[-1] < 128:
        return INTEGERS, raw, int(np.count_nonzero(np.frombuffer(raw, np.uint8) < 128))
    raise ValueError(f"column '{printable(name)}': its list of numbers is cut off")


def _is_float_list(feature: bytes, size: int) -> bool:
    """Whether a feature is so many floats in the usual form: a quick look before `_list` takes a closer one."""
    head, length = _float_form(size)
    return len(feature) == length and feature.startswith(head)


@functools.lru_cache
def _float_form(size: int) -> tuple[bytes, int]:
    """How a packed feature of so many floats begins, and its length."""
    values = b"\x0a" + varint(4 * size)
    head = b"\x12" + varint(len(values) + 4 * size) + values
    return head, len(head) + 4 * size


@functools.lru_cache
def _head(feature_bytes: int) -> bytes:
    """What stands between the tag of a Feature and its packed numbers: length of the list, a tag, their length."""
    for outer, inner in itertools.product(range(1, 6), repeat=2):
        list_bytes = feature_bytes - 1 - outer
        values_bytes = list_bytes - 1 - inner
        if values_bytes >= 0 and (len(varint(list_bytes)), len(varint(values_bytes))) == (outer, inner):
            return varint(list_bytes) + b"\x0a" + varint(values_bytes)
    return bytes(feature_bytes)  # longer than what is left: no feature begins with it


def varint(number: int) -> bytes:
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    return bytes([*octets, number])


def _list_by_protobuf(name: str, feature: bytes) -> tuple[str, bytes]:
    """The kind and packed bytes of a list in any form: of text (a byte per value), empty, in parts, or not packed."""
    from google.protobuf.message import DecodeError

    try:
        message = _messages().feature.FromString(feature)
    except DecodeError:
        raise ValueError(f"column '{printable(name)}' is no tf.Feature") from None
    member = message.WhichOneof("kind")
    if member == "bytes_list":
        return TEXT, bytes(len(message.bytes_list.value))
    if member is None:
        return "", b""
    written = getattr(message, member).SerializeToString()  # packed: a tag, a length that ends below 128, the values
    start = next((i for i in range(1, len(written)) if written[i] < 128), 0) + 1
    return (FLOATS if member == "float_list" else INTEGERS), written[start:]


def _cells(feature: bytes | None, kind: str) -> list[Any] | None:
    """The values of a further feature; None where an Example lacks it.

    One that is damaged or of another kind counts as missing: which rows count does not hang on columns left out.
    """
    from google.protobuf.message import DecodeError

    try:
        message = _messages().feature.FromString(feature or b"")
    except DecodeError:
        return None
    member = message.WhichOneof("kind")
    if not kind or member is None:
        return None
    cells = list(getattr(message, member).value)
    return cells if member == MEMBERS[kind] or not cells else None


@dataclass(frozen=True)
class _Messages:
    example: Any
    feature: Any


@functools.cache
def _messages() -> _Messages:
    """Message classes for `tf.Example`, in a pool of their own so that TensorFlow's can live beside them."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="aetfx.proto", package="aetfx", syntax="proto3")

    def message(parent: Any, name: str, fields: Sequence[tuple[str, Any]], many: bool = False) -> Any:
        """Adds a message with fields numbered from 1; a kind is a scalar's number or a message's name."""
        added = parent.add(name=name)
        for number, (field_name, kind) in enumerate(fields, 1):
            one = added.field.add(name=field_name, number=number)
            one.label = kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL
            one.type = kinds.TYPE_MESSAGE if isinstance(kind, str) else kind
            if isinstance(kind, str):
                one.type_name = f".aetfx.{kind}"
        return added

    message(file.message_type, "BytesList", [("value", kinds.TYPE_BYTES)], many=True)
    message(file.message_type, "FloatList", [("value", kinds.TYPE_FLOAT)], many=True)
    message(file.message_type, "Int64List", [("value", kinds.TYPE_INT64)], many=True)
    lists = [("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")]
    feature = message(file.message_type, "Feature", lists)
    feature.oneof_decl.add(name="kind")
    for member in feature.field:
        member.oneof_index = 0
    features = message(file.message_type, "Features", [("feature", "Features.FeatureEntry")], many=True)
    # The value of an entry is a Feature; bytes travel alike, and are cheap to get out.
    entry = message(features.nested_type, "FeatureEntry", [("key", kinds.TYPE_STRING), ("value", kinds.TYPE_BYTES)])
    entry.options.map_entry = True
    # The second field is where a tf.SequenceExample holds what an Example does not have.
    message(file.message_type, "Example", [("features", "Features"), ("feature_lists", kinds.TYPE_BYTES)])
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    example, feature = (pool.FindMessageTypeByName(f"aetfx.{name}") for name in ("Example", "Feature"))
    return _Messages(message_factory.GetMessageClass(example), message_factory.GetMessageClass(feature))


@functools.cache
def _crc() -> Callable[[bytes], int]:
    import google_crc32c

    return google_crc32c.value


def masked_crc(data: bytes) -> int:
    crc = _crc()(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
