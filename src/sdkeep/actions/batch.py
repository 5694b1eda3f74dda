"""Many references in one command: each is tried, failures are kept beside the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sdkeep.ground.errors import KeepError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """One reference that did not work out, and the error that says why."""

    ref: str
    error: KeepError


@dataclass(slots=True)
class Batch(Generic[T]):
    """The answers that came, in the order asked, and the failures."""

    done: list[T] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """0 when all went well, 1 when part failed, the highest status of the failures when all did."""
        if not self.failed:
            return 0
        return 1 if self.done else max(failure.error.status for failure in self.failed)


def each(refs: Iterable[str], act: Callable[[str], T]) -> Batch[T]:
    """`act` on every reference; an error of ours is kept and the rest go on, anything else is a bug and flies."""
    batch: Batch[T] = Batch()
    for ref in refs:
        try:
            batch.done.append(act(ref))
        except KeepError as error:
            batch.failed.append(Failure(ref, error))
    return batch
