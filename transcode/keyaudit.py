"""What is wrong with a key store, from facts that were read of it; no key is among them.

A *fault* is what keeps something from playing or lets others read; a *note* is what a person may
want to clean up. Shells read the facts: ``files.keylook``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["fault", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """One key as its file has it."""

    title: str
    """Of a content key its title; of another secret its name after ``#``."""
    kid: str
    group: str
    period: int
    version: int
    kek: str
    """Id of the KEK that it is encrypted under."""
    is_retired: bool
    problem: str = ""
    """Why it does not open; empty: it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """A key store."""

    keys: tuple[KeyFacts, ...]
    problems: tuple[str, ...]
    """Files that cannot be read, in words."""
    loose: tuple[str, ...]
    """Files and folders that others may use, with their modes."""
    left_behind: tuple[str, ...]
    """Files that a process was writing when it died."""
    keks: tuple[str, ...]
    """Ids in the ring."""
    current: str
    """Id of the KEK that encrypts; empty where the ring cannot be read."""
    external: tuple[str, ...] = ()
    """Of the KEKs, those that a program holds."""

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles with keys."""
        return tuple(dict.fromkeys(k.title for k in self.keys if not k.title.startswith("#")))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageKeys:
    """Which keys a package names."""

    where: str
    title: str
    kids: tuple[str, ...]
    """Empty: it is clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    severity: Severity
    kind: str
    """Such as ``key-does-not-open``."""
    subject: str
    """A title, a key id, a file or a KEK."""
    text: str
    """What was found, and what to do."""


def audit(store: StoreFacts, packages: Sequence[PackageKeys] | None = None) -> tuple[Finding, ...]:
    """All findings, faults first.

    Args:
        store: What was read.
        packages: All packages that the store serves; None: nobody said which there are, so that
            nothing is known of keys that no package needs.
    """
    found = [*_of_files(store), *_of_keys(store)]
    if packages is not None:
        found += _of_packages(store, packages)
    return tuple(sorted(found, key=lambda each: each.severity))


def _of_files(store: StoreFacts) -> Iterator[Finding]:
    for text in store.problems:
        if text.startswith(store.loose):
            continue  # it was not read because of its mode, which is told below
        yield _fault("unreadable", text.partition(":")[0], text)
    for each in store.loose:
        text = f"{each}: others may use it; expected 0700 for folders and 0600 for files"
        yield _fault("mode", each, f"{text}; run chmod go= on it")
    for path in store.left_behind:
        text = f"{path}: left behind by a process that died; `abr keys rewrap` removes it"
        yield _note("left-behind", path, text)


def _of_keys(store: StoreFacts) -> Iterator[Finding]:
    for key in store.keys:
        if key.problem:
            yield _fault("key-does-not-open", key.kid, key.problem)
    used = {key.kek for key in store.keys}
    for kek in store.keks:
        if kek not in used and kek != store.current:
            text = f"KEK {kek}: nothing is encrypted under it; `abr keys rewrap` drops it"
            yield _note("kek-unused", kek, text)
    stale = [key for key in store.keys if store.current and key.kek != store.current]
    if stale:
        yield _note(
            "not-rewrapped",
            store.current,
            f"{len(stale)} keys of {len({key.title for key in stale})} files are under older KEKs; "
            "`abr keys rewrap` goes on",
        )


def _of_packages(store: StoreFacts, packages: Sequence[PackageKeys]) -> Iterator[Finding]:
    held = {(key.title, key.kid) for key in store.keys}
    needed = {(package.title, kid) for package in packages for kid in package.kids}
    there = {package.title for package in packages}
    for package in packages:
        missing = [kid for kid in package.kids if (package.title, kid) not in held]
        if missing:
            yield _fault(
                "key-missing",
                package.title,
                f"{package.where}: title {package.title} needs key {', '.join(missing)}, which "
                "this store lacks; give the store that it was made with",
            )
    for title in store.titles:
        if title not in there:
            yield _note(
                "no-package",
                title,
                f"title {title}: has keys and no package; remove titles/{title}.json if it is gone "
                "for good",
            )
    for key in store.keys:
        if key.title in there and (key.title, key.kid) not in needed:
            state = "retired" if key.is_retired else "not used yet, or no more"
            yield _note(
                "orphan",
                key.kid,
                f"title {key.title}: no package needs key {key.kid} (group {key.group}, period "
                f"{key.period}; {state})",
            )


def _fault(kind: str, subject: str, text: str) -> Finding:
    return Finding(severity="fault", kind=kind, subject=subject, text=text)


def _note(kind: str, subject: str, text: str) -> Finding:
    return Finding(severity="note", kind=kind, subject=subject, text=text)
