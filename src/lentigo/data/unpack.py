"""Zip archives unpacked file by file, checked, and never outside their folder."""

from __future__ import annotations

import logging
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from lentigo.errors import DownloadError, listed

logger = logging.getLogger(__name__)


def unpack(archive: Path, out: Path) -> dict[str, int]:
    """Unpack a zip; files that are there in their full size are left alone.

    Every file appears whole or not at all, and its checksum (CRC-32) is compared.

    Args:
        archive: The zip file.
        out: The folder it is unpacked into.

    Returns:
        The files that it holds, with their sizes in bytes; names are relative to ``out``.

    Raises:
        DownloadError: It is no zip, a file's checksum is wrong, or a name leads outside.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [each for each in opened.infolist() if _is_wanted(each)]
            _refuse_strange(archive, members)
            for member in members:
                _extract(opened, member, out / PurePosixPath(member.filename))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DownloadError(
            f"{archive.name} is damaged: {error}",
            todo="Run the same command again: the damaged file is deleted.",
        ) from None
    return {member.filename: member.file_size for member in members}


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    # __MACOSX holds what macOS notes about the files, under their names.
    return not member.is_dir() and not member.filename.startswith("__MACOSX/")


def _refuse_strange(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    strange = [each.filename for each in members if _leads_outside(each)]
    if strange:
        raise DownloadError(
            f"{archive.name} holds names that lead outside its folder, or links:\n{listed(strange)}"
        )


def _leads_outside(member: zipfile.ZipInfo) -> bool:
    name = member.filename.replace("\\", "/")
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    return path.is_absolute() or drive or ".." in path.parts or _is_link(member)


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    if target.is_file() and target.stat().st_size == member.file_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not files.atomic_path: syncing each of 33,000 files to the disk takes longer than unpacking.
    part = target.with_name(f".{target.name}.part")
    with opened.open(member) as source, part.open("wb") as stream:
        shutil.copyfileobj(source, stream)
    part.replace(target)
