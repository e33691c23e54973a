"""Image files in a folder, in a zip that is never unpacked, or in one zip a split: one interface over all."""

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from adversaria.errors import UserError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
_FILE_BYTES = 512 * 1024**2
_ENTRIES = 1_000_000
_ENTRY_BYTES = 256
"""In the directory of a zip, more than an entry takes on average."""
_END_BYTES = 65_536 + 128
_WIDE_END = 76
"""Where zip64's end record stands, counted back from the plain one."""
_RATIO = 100
_SMALL_BYTES = 1024**2
_TOTAL_BYTES = 2 * 1024**4
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Unreadable(Exception):
    """One file can't be used; the message is the reason, in a few words."""


class Files(Protocol):
    """Image files under relative names with forward slashes, in sorted order."""

    names: list[str]
    ignored: int
    """Files that are no images by name, and so were left alone."""

    def read(self, number: int) -> bytes:
        """The content of `names[number]`; safe in many threads at once. Raises Unreadable."""
        ...

    def stamp(self) -> str:
        """Changes when a name, a size, a time of change or the place changes."""
        ...


def _is_image(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


class Folder:
    """The images below a folder; links are followed, a folder that is met again is not."""

    def __init__(self, root: Path):
        self.root = root
        self.ignored = 0
        self.names: list[str] = []
        waiting, seen = [""], set()
        while waiting:
            prefix = waiting.pop()
            folder = root / prefix
            try:
                status = folder.stat()
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    with os.scandir(folder) as entries:
                        waiting += self._sorted_out(prefix, entries)
            except OSError as error:
                raise UserError(f"{folder} can't be listed ({error.strerror}); mend its permissions") from error
        self.names.sort()

    def _sorted_out(self, prefix: str, entries: Iterable[os.DirEntry[str]]) -> list[str]:
        """Notes the images among the entries of a folder and returns its folders."""
        folders = []
        for entry in entries:
            if _hidden(entry.name):
                continue
            if _is_folder(entry):
                folders.append(f"{prefix}{entry.name}/")
            elif _is_image(entry.name):
                self.names.append(prefix + entry.name)
            else:
                self.ignored += 1
        return folders

    def read(self, number: int) -> bytes:
        """The content of `names[number]`."""
        path = self.root / self.names[number]
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file")
            if status.st_size > _FILE_BYTES:
                raise Unreadable(f"over {_FILE_BYTES // 1024**2} MiB")
            return path.read_bytes()
        except OSError as error:
            raise Unreadable(error.strerror or "can't be read") from error

    def stamp(self) -> str:
        """Changes when a name, a size, a time of change or the place changes."""
        state = hashlib.sha256(os.fsencode(self.root.resolve()))
        for name in self.names:
            state.update(name.encode("utf-8", "surrogateescape"))
            try:
                status = (self.root / name).stat()
                state.update(struct.pack("<qq", status.st_size, status.st_mtime_ns))
            except OSError:
                state.update(b"unreadable")
        return state.hexdigest()


class Zip:
    """The images in a zip: read in place, each checked against its size and CRC.

    Raises UserError for an archive that is damaged, or made to do harm: entries that point outside, links,
    encrypted or overlapping entries, over a million of them, or ones that open to over 100 times their size.
    """

    def __init__(self, path: Path):
        self.path = path
        self.ignored = 0
        try:
            self._refuse_crowds()
            with zipfile.ZipFile(path) as archive:
                entries = self._checked(archive)
        except UserError:
            raise
        except Exception as error:  # zipfile raises a dozen kinds on hostile bytes
            raise UserError(f"{path} is no readable zip ({error}); make or download it again") from error
        entries.sort(key=lambda entry: entry.filename)
        self.names = [entry.filename for entry in entries]
        self._table = np.array(
            [(e.header_offset, e.compress_size, e.file_size, e.CRC, e.compress_type) for e in entries],
            np.int64,
        ).reshape(-1, 5)
        self._file = path.open("rb")

    def _refuse_crowds(self) -> None:
        """Looks at the end record alone, since zipfile makes an object of every entry on opening."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - _END_BYTES))
            tail = file.read()
        end = tail.rfind(b"PK\5\6")
        count, length = struct.unpack_from("<HI", tail, end + 10) if end >= 0 else (0, 0)
        wide = end - _WIDE_END
        if wide >= 0 and tail[wide : wide + 4] == b"PK\6\6":
            count, length = struct.unpack_from("<QQ", tail, wide + 32)
        if count > _ENTRIES or length > _ENTRIES * _ENTRY_BYTES:
            raise UserError(f"{self.path} has {count:,} entries; {_ENTRIES:,} at most: split it in several")

    def _checked(self, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        entries = archive.infolist()
        if len(entries) > _ENTRIES:
            raise UserError(f"{self.path} has {len(entries):,} entries; {_ENTRIES:,} at most: split it in several")
        images = []
        for entry in entries:
            if reason := _harmful(entry):
                raise UserError(f"{self.path} is refused: {entry.filename!r} {reason}; make the zip anew")
            if entry.is_dir() or _hidden(entry.filename):
                continue
            if _is_image(entry.filename):
                images.append(entry)
            else:
                self.ignored += 1
        size = self.path.stat().st_size
        if sum(e.compress_size for e in images) > size or sum(e.file_size for e in images) > _TOTAL_BYTES:
            raise UserError(f"{self.path} is refused: its entries overlap or open to over 2 TiB; make the zip anew")
        return images

    def read(self, number: int) -> bytes:
        """The content of `names[number]`."""
        offset, packed, size, crc, method = self._table[number].tolist()
        if size > _FILE_BYTES:
            raise Unreadable(f"over {_FILE_BYTES // 1024**2} MiB")
        file = self._file.fileno()
        head = os.pread(file, _LOCAL_HEADER.size, offset) if offset >= 0 else b""
        if len(head) < _LOCAL_HEADER.size or head[:4] != b"PK\3\4":
            raise Unreadable("no zip entry where the directory says")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
        data = os.pread(file, packed, offset + _LOCAL_HEADER.size + name_length + extra_length)
        if method == zipfile.ZIP_DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, size + 1)
            except zlib.error as error:
                raise Unreadable("damaged in the zip") from error
        elif method != zipfile.ZIP_STORED:
            raise Unreadable(f"zip compression method {method} (deflate and stored are known)")
        if len(data) != size or zlib.crc32(data) != crc:
            raise Unreadable("size or CRC differs from the zip's directory")
        return data

    def stamp(self) -> str:
        """Changes when the zip does, or its place."""
        status = self.path.stat()
        state = hashlib.sha256(os.fsencode(self.path.resolve()))
        state.update(struct.pack("<qq", status.st_size, status.st_mtime_ns))
        return state.hexdigest()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _harmful(entry: zipfile.ZipInfo) -> str:
    parts = PurePosixPath(entry.filename)
    if parts.is_absolute() or ".." in parts.parts or "\\" in entry.filename or entry.filename[1:2] == ":":
        return "points outside the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a symbolic link"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.file_size > _SMALL_BYTES and entry.file_size > _RATIO * entry.compress_size:
        return f"opens to more than {_RATIO} times its size"
    return ""


class Joined:
    """Several sources as one, each below a folder of its own name."""

    def __init__(self, parts: dict[str, Files]):
        self._parts = list(parts.values())
        self.names = [f"{name}/{inner}" for name, files in parts.items() for inner in files.names]
        self.ignored = sum(files.ignored for files in self._parts)
        self._ends = np.cumsum([len(files.names) for files in self._parts])

    def read(self, number: int) -> bytes:
        """The content of `names[number]`."""
        part = int(np.searchsorted(self._ends, number, side="right"))
        files = self._parts[part]
        return files.read(number - int(self._ends[part]) + len(files.names))

    def stamp(self) -> str:
        """Changes when one of the parts does."""
        return hashlib.sha256("".join(files.stamp() for files in self._parts).encode()).hexdigest()
