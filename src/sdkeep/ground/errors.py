"""Every error sdkeep raises on purpose, drawn as one tree.

    KeepError
    ├── UsageError                    2  the command or a value in it makes no sense
    │   ├── BadReference
    │   ├── BadSetting
    │   ├── NotFoundHere              a name, path or UI that is not in the catalogue or on the disk
    │   ├── Ambiguous                 one word, several candidates
    │   └── NeedsAnswer               a question that nobody is there to answer
    ├── HubError                      3  the hub or the network, after retries
    │   ├── NotOnHub                  2  the hub answers, and has no such thing
    │   ├── RateLimited
    │   ├── HubDown
    │   ├── HubGarbled                an answer that cannot be read
    │   ├── NotByRanges               a remote file that cannot be looked into piece by piece
    │   └── RegionBlocked             4
    ├── AccessError                   4
    │   ├── NeedsLogin
    │   ├── EarlyAccess
    │   ├── Gated                     a licence to accept on the hub's page
    │   └── DownloadDisabled
    ├── TransferError                 3
    │   ├── NotAModel                 a web page or an error body where a model should be
    │   ├── Truncated
    │   ├── Stalled
    │   └── DigestMismatch            1
    ├── FormatError                   2  broken input
    │   ├── CannotConvert
    │   ├── WrongFamily               an adapter or a model that was made for another architecture
    │   └── PartialMatch              an adapter that only part of finds its place, where all of it was asked for
    ├── UnsafeFile                    1  our verdict forbids placing it
    ├── StoreError                    2
    │   ├── DiskFull
    │   ├── NotWritable
    │   ├── InUse                     another process holds the lock
    │   └── WouldOverwrite            something that we did not make is in the way
    ├── CatalogueError                2
    │   ├── CatalogueTooNew
    │   ├── CatalogueLocked
    │   └── CatalogueBroken
    └── LayoutError                   2
        ├── UnknownUi
        └── NotPlaceable              this UI has no place for this kind or extension

Each class owns a stable kebab-case `code` and an exit `status`; each instance says what went wrong, why, and what to
do next as a command that can be pasted. Messages carry no secrets.
"""

from __future__ import annotations

from typing import ClassVar


class KeepError(Exception):
    """The root: `what` in the user's words, `why`, and `next`, a command or an instruction."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 2

    def __init__(self, what: str, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next


class UsageError(KeepError):
    """The command, or a value in it, makes no sense."""

    code = "usage"


class BadReference(UsageError):
    """A reference that breaks the grammar."""

    code = "bad-reference"

    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"`{text}` is no reference", why, "`sdkeep get --help` lists the forms; a file is written `path:FILE`"
        )
        self.text = text


class BadSetting(UsageError):
    """A setting with an unknown name, a value of the wrong type, or in a file that may not set it."""

    code = "bad-setting"


class NotFoundHere(UsageError):
    """A name, path or interface that is neither in the catalogue nor on the disk."""

    code = "not-found-here"


class Ambiguous(UsageError):
    """One word with several candidates; `candidates` are references that each name one of them."""

    code = "ambiguous"

    def __init__(self, what: str, candidates: tuple[str, ...], why: str = "") -> None:
        super().__init__(what, why or "it fits " + ", ".join(candidates[:8]), "name one of them in full")
        self.candidates = candidates


class NeedsAnswer(UsageError):
    """A confirmation is needed and nobody can give it."""

    code = "needs-answer"


class HubError(KeepError):
    """The hub or the network, after retries. `url` is redacted."""

    code = "hub"
    status = 3

    def __init__(self, what: str, why: str = "", next: str = "", *, url: str = "", http: int | None = None) -> None:
        super().__init__(what, why, next)
        self.url = url
        self.http = http


class NotOnHub(HubError):
    """The hub answers and has no such thing; for a model known before, that does not mean it was deleted."""

    code = "not-on-hub"
    status = 2


class RateLimited(HubError):
    """The hub asks to slow down for longer than we wait; `after` is in seconds when it said so."""

    code = "rate-limited"

    def __init__(
        self,
        what: str,
        why: str = "",
        next: str = "",
        *,
        url: str = "",
        http: int | None = 429,
        after: float | None = None,
    ) -> None:
        super().__init__(what, why, next, url=url, http=http)
        self.after = after


class HubDown(HubError):
    """No connection, a server error, or a maintenance page."""

    code = "hub-down"


class HubGarbled(HubError):
    """An answer that cannot be read as what was asked for."""

    code = "hub-garbled"


class NotByRanges(HubError):
    """The server sends no parts of this file, or too many would be needed to look into it."""

    code = "not-by-ranges"


class RegionBlocked(HubError):
    """The hub refuses this region (451)."""

    code = "region-blocked"
    status = 4


class AccessError(HubError):
    """Something stands between this account and the bytes."""

    code = "access"
    status = 4


class NeedsLogin(AccessError):
    """No token, or one the hub refuses."""

    code = "needs-login"


class EarlyAccess(AccessError):
    """Paid or early access; `until` is when it ends, if it does."""

    code = "early-access"

    def __init__(
        self, what: str, why: str = "", next: str = "", *, url: str = "", http: int | None = 403, until: str = ""
    ) -> None:
        super().__init__(what, why, next, url=url, http=http)
        self.until = until


class Gated(AccessError):
    """A licence or a request form on the hub's page comes first."""

    code = "gated"


class DownloadDisabled(AccessError):
    """The publisher has switched downloads off, or the file is archived."""

    code = "download-disabled"


class TransferError(KeepError):
    """A download that did not end with the promised bytes. What arrived is kept for the next try."""

    code = "transfer"
    status = 3


class NotAModel(TransferError):
    """A web page, JSON or other text arrived where a model was promised."""

    code = "not-a-model"


class Truncated(TransferError):
    """Fewer or more bytes than promised, after retries."""

    code = "truncated"


class Stalled(TransferError):
    """Nothing arrived for too long."""

    code = "stalled"


class DigestMismatch(TransferError):
    """The bytes are not the published ones."""

    code = "digest-mismatch"
    status = 1

    def __init__(self, what: str, expected: str, found: str, next: str = "") -> None:
        super().__init__(what, f"published {expected}, received {found}", next)
        self.expected = expected
        self.found = found


class FormatError(KeepError):
    """Broken input: the bytes are not what their form promises. `rule` is a stable id for reports."""

    code = "format"

    def __init__(self, what: str, why: str = "", next: str = "", *, rule: str = "", offset: int | None = None) -> None:
        super().__init__(what, why, next)
        self.rule = rule
        self.offset = offset


class CannotConvert(FormatError):
    """Readable, but not expressible in the wanted form; names the key."""

    code = "cannot-convert"


class WrongFamily(FormatError):
    """Made for another architecture, or nothing in it has a place here."""

    code = "wrong-family"


class PartialMatch(FormatError):
    """Some layers have no place here and `--strict` was given; `names` are theirs, as written."""

    code = "partial-match"

    def __init__(self, what: str, why: str = "", next: str = "", *, names: tuple[str, ...] = ()) -> None:
        super().__init__(what, why, next)
        self.names = names


class UnsafeFile(KeepError):
    """Our verdict forbids placing this file."""

    code = "unsafe-file"
    status = 1


class StoreError(KeepError):
    """The disk said no."""

    code = "store"


class DiskFull(StoreError):
    """Not enough room; sizes in bytes."""

    code = "disk-full"

    def __init__(self, what: str, needed: int, free: int, next: str = "") -> None:
        super().__init__(
            what, f"{needed:,} bytes are needed and {free:,} are free", next or "`sdkeep gc` frees what nothing uses"
        )
        self.needed = needed
        self.free = free


class NotWritable(StoreError):
    """A folder or file that we may not write."""

    code = "not-writable"


class InUse(StoreError):
    """Another process holds the lock."""

    code = "in-use"


class WouldOverwrite(StoreError):
    """Something that we cannot prove we made is in the way."""

    code = "would-overwrite"


class CatalogueError(KeepError):
    """The catalogue cannot be used."""

    code = "catalogue"


class CatalogueTooNew(CatalogueError):
    """Written by a newer sdkeep."""

    code = "catalogue-too-new"


class CatalogueLocked(CatalogueError):
    """Another process kept the catalogue busy for too long."""

    code = "catalogue-locked"


class CatalogueBroken(CatalogueError):
    """Damaged, or no catalogue of ours."""

    code = "catalogue-broken"


class LayoutError(KeepError):
    """A WebUI or its layout."""

    code = "layout"


class UnknownUi(LayoutError):
    """No such WebUI is registered, or its folder is not what it claims."""

    code = "unknown-ui"


class NotPlaceable(LayoutError):
    """This WebUI has no place for this kind of file or does not list this extension; `needs` is one it would list."""

    code = "not-placeable"

    def __init__(self, what: str, why: str = "", next: str = "", *, needs: str = "") -> None:
        super().__init__(what, why, next)
        self.needs = needs


def tree(root: type[KeepError] = KeepError) -> list[type[KeepError]]:
    """Every error class, each parent before its children."""
    found = [root]
    for child in root.__subclasses__():
        found.extend(tree(child))
    return found
