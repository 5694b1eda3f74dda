"""One reading of a file for everything that follows: scan, identify, convert, show.

`look` never raises because of what a file holds: containers, flaws and unread parts say what is wrong with it. Only a
source that cannot be read raises, and `Stopped`.
"""

from __future__ import annotations

from sdkeep.formats import gguf, legacy, numpyfile, torchzip
from sdkeep.formats.contents import Container, Contents
from sdkeep.formats.draft import MOST_STACKED, Draft, is_binary_pickle, pickle_at
from sdkeep.formats.extract import extract
from sdkeep.formats.safetensors import read_header
from sdkeep.formats.sniff import sniff
from sdkeep.formats.tarball import examine as examine_tar
from sdkeep.formats.tensors import Record
from sdkeep.formats.zipdir import read_directory
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source

_ZIPS = (Container.TORCH_ZIP, Container.TORCHSCRIPT, Container.NUMPY_ZIP, Container.ZIP)
_SMALLEST_ZIP = 22


def look(source: Source, *, thorough: bool = True, stop: Stop | None = None) -> Contents:
    """What is in `source`.

    `thorough` reads every local header of an archive, which a remote file is spared: its tensors then have no spans,
    and everything in the directory is still compared.
    """
    draft = Draft(source, thorough, stop)
    draft.check()
    container = sniff(source)
    container = _examine(draft, container)
    if container not in _ZIPS:
        container = _second_nature(draft, container)
    return draft.contents(container)


def _examine(draft: Draft, container: Container) -> Container:
    if container in _ZIPS:
        return _zip(draft, container)
    if container is Container.SAFETENSORS:
        _safetensors(draft)
    elif container is Container.TORCH_LEGACY:
        legacy.examine(draft)
    elif container is Container.PICKLE:
        _bare_pickles(draft)
    elif container is Container.TAR:
        return examine_tar(draft)
    elif container is Container.GGUF:
        gguf.examine(draft)
    elif container is Container.NUMPY:
        numpyfile.examine(draft)
    return container


def _zip(draft: Draft, container: Container) -> Container:
    directory = read_directory(draft.source)
    if directory is None:
        draft.flaw("directory-missing", "the archive has no directory at its end: it is cut short or damaged")
        return container
    return torchzip.examine(draft, directory)


def _safetensors(draft: Draft) -> None:
    try:
        header = read_header(draft.source)
    except FormatError as error:
        draft.flaw(error.rule or "header-unreadable", error.why, error.offset or 0)
        return
    draft.tensors.extend(header.tensors)
    draft.metadata.update(header.metadata)
    draft.flaws.extend(header.flaws)


def _bare_pickles(draft: Draft) -> None:
    """Pickles one after the other, as `pickle.dump` writes them; the first one's values are the file's."""
    first = reading = pickle_at(draft, 0)
    at = reading.end
    for _ in range(MOST_STACKED):
        if not reading.complete or at >= draft.source.size or draft.is_spent():
            break
        if not is_binary_pickle(draft.source.read_at(at, 2)):
            draft.flaw("bytes-after-pickle", f"{draft.source.size - at:,} bytes follow the pickle", at)
            break
        reading = pickle_at(draft, at)
        at += reading.end
    else:
        draft.flaw("too-many-pickles", f"more than {MOST_STACKED} pickles follow each other; the rest was not read", at)
        draft.unread.append(f"everything after byte {at:,}")
    if first.complete:
        draft.take(extract(first.root, dict[str, Record]().get))


def _second_nature(draft: Draft, container: Container) -> Container:
    """A zip at the end of something else: Python's zip reader opens it, torch reads the front."""
    if draft.source.size < _SMALLEST_ZIP or container in (Container.EMPTY, Container.LFS_POINTER):
        return container
    directory = read_directory(draft.source)
    if directory is None or not directory.entries:
        return container
    draft.flaw("two-containers", f"it reads as {container} from its front and as a zip from its end", directory.start)
    tensors = list(draft.tensors)
    found = torchzip.examine(draft, directory)
    if container is Container.UNKNOWN:
        return found
    draft.tensors[:] = tensors
    return container
