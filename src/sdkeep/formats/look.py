"""One reading of a file for everything that follows: scan, identify, convert, show.

`look` never raises because of what a file holds: containers, flaws and unread parts say what is wrong with it. Only a
source that cannot be read raises, and `Stopped`. A remote source that reaches the limit of what a look may cost ends it
there: that is a flaw, and what was found until then is kept.
"""

from __future__ import annotations

from sdkeep.formats import legacy, numpyfile, torchzip
from sdkeep.formats.contents import Container, Contents
from sdkeep.formats.draft import MOST_STACKED, Draft, is_binary_pickle, pickle_at
from sdkeep.formats.magics import STREAMS
from sdkeep.formats.safetensors import read_header
from sdkeep.formats.sniff import told
from sdkeep.formats.tarball import examine as examine_tar
from sdkeep.formats.tensors import Record
from sdkeep.formats.twofold import second_nature
from sdkeep.formats.zipdir import Directory
from sdkeep.ground.errors import FormatError, NotByRanges
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source

_ZIPS = (Container.TORCH_ZIP, Container.TORCHSCRIPT, Container.NUMPY_ZIP, Container.ZIP)


def look(source: Source, *, thorough: bool = True, stop: Stop | None = None) -> Contents:
    """What is in `source`.

    `thorough` reads every local header of an archive, which a remote file is spared: its tensors then have no spans,
    and everything in the directory is still compared.
    """
    draft = Draft(source, thorough, stop, enter=_enter)
    size = source.size
    try:
        container = _enter(draft)
    except NotByRanges as limit:
        container = draft.container
        draft.flaw("budget-ranges", f"more would have to be read than a look may cost: {limit.why}")
        draft.unread.append(f"the rest of {size:,} bytes")
    return draft.contents(container)


def _enter(draft: Draft) -> Container:
    """Look at the source of a draft, which may be a file inside another."""
    draft.check()
    draft.container, directory = told(draft.source)
    container = _zip(draft, directory) if draft.container in _ZIPS else _examine(draft, draft.container)
    return container if container in _ZIPS else second_nature(draft, container)


def _examine(draft: Draft, container: Container) -> Container:
    if container is Container.SAFETENSORS:
        _safetensors(draft)
    elif container is Container.TORCH_LEGACY:
        legacy.examine(draft)
    elif container is Container.PICKLE:
        _bare_pickles(draft)
    elif container is Container.TAR:
        return examine_tar(draft)
    elif container is Container.GGUF:
        from sdkeep.formats import gguf  # rarely met, so loaded when needed

        gguf.examine(draft)
    elif container is Container.NUMPY:
        numpyfile.examine(draft)
    elif container is Container.PNG:
        from sdkeep.formats import pngembed

        pngembed.examine(draft)
    elif container in STREAMS:
        from sdkeep.formats import packed

        packed.examine(draft, container)
    return container


def _zip(draft: Draft, directory: Directory | None) -> Container:
    if directory is None:
        draft.flaw("directory-missing", "the archive has no directory at its end: it is cut short or damaged")
        return draft.container
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
    if len(draft.pickles) > 1 and draft.pickles[1].reading.root == legacy.PROTOCOL:
        draft.flaw("legacy-front", "what torch takes for its magic number is worked out while it is loaded", 0)
    if first.complete:
        draft.take(first.root, dict[str, Record]().get)
