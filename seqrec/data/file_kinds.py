"""Tell what a file is by its first bytes, whatever its name says."""

HEAD_BYTES = 512
"""Bytes to look at; the mark of a tar archive comes after 257."""

COMPRESSIONS = ("gzip", "bzip2", "xz", "Zstandard", "zip")
"""Kinds that are unpacked while they are read."""

_STARTS = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"]\0\0": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PAR1": "Parquet",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel workbook",
    b"SQLite format 3\0": "an SQLite database",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"ARROW1\0\0": "an Arrow (Feather) file",
    b"Obj\x01": "an Avro file",
    b"%PDF-": "a PDF document",
    b"\xff\xfe\0\0": "text in UTF-32",
    b"\0\0\xfe\xff": "text in UTF-32",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}


def kind_of(head: bytes) -> str:
    """Name the kind of a file that starts with `head`; empty for text in UTF-8 and the unknown."""
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bzip2"
    if head[257:262] == b"ustar":
        return "a tar archive"
    # Without a byte order mark: every other byte of ASCII characters is zero.
    for nulls, others in ((head[1::2], head[::2]), (head[::2], head[1::2])):
        if len(nulls) > 3 and 2 * nulls.count(0) > len(nulls) and not others.count(0):
            return "text in UTF-16"
    return ""


def remedy_for(kind: str) -> str:
    """Return what to do with a file of a kind that holds no lines of text."""
    if kind in COMPRESSIONS:
        return "Unpack it by hand and give the file inside."
    if kind == "a tar archive":
        return "Unpack it (tar -xf) and give the file inside that holds the interactions."
    if kind == "Parquet":
        return "Write 'kind: parquet' under 'format' in the dataset's YAML."
    if kind.startswith("text in "):
        return f"Convert it: iconv -f {kind.removeprefix('text in ').lower()} -t utf-8 OLD > NEW"
    return "Save the interactions as CSV, JSON Lines or Parquet."
