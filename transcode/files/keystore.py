"""The key store: content keys, encrypted at rest, in a folder.

The only module that writes secrets to disk. Every file has mode 0600, lies in a folder of
mode 0700, and appears whole or not at all. Packages never contain keys; they name them by
key id (kid). ``keyfiles`` holds the text and the encryption.

Folder::

    ring.json             key-encryption keys (KEK) by id, and which one is current
    titles/<title>.json   content keys by group and period
    <name>.json           a secret that another package keeps here: ``signing``
    lock                  held while a file is read or changed

The ring decrypts everything else. It may be a symbolic link to safer storage.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from abr.errors import KeyStoreError
from abr.userfolders import data_home
from transcode.encryption import KEY_BYTES, ContentKey, is_key_id
from transcode.files.kekcommand import ask_command
from transcode.files.privatefolder import PrivateFolder
from transcode.keyfiles import (
    ALL,
    KEK_BYTES,
    NONCE_BYTES,
    EncryptedKey,
    ExternalKek,
    Plain,
    Ring,
    parse_keys,
    parse_ring,
    print_keys,
    print_ring,
    seal,
    unseal,
)
from transcode.packaging.layout import MAX_TITLE_CHARS, is_title

_SECRET = re.compile(r"(?!ring$)[a-z]{1,32}")
RING = "ring.json"
TITLES = "titles"


def default_keys_dir(environ: Mapping[str, str]) -> Path:
    """``$ABR_KEYS``, else ``abrkit/keys`` under the XDG data home.

    Raises:
        KeyStoreError: the environment names no home.
    """
    if given := environ.get("ABR_KEYS"):
        return Path(given)
    home = data_home(environ)
    if home is None:
        raise KeyStoreError("key store: neither ABR_KEYS nor HOME is set; give --keys DIR")
    return home / "abrkit" / "keys"


def is_no_store(folder: str | Path | None) -> bool:
    """Whether a folder is named and no key store is in it."""
    return bool(folder) and not (Path(str(folder)) / RING).exists()


def notes_of_new(store: KeyStore, given: object, environ: Mapping[str, str]) -> list[str]:
    """What to say of a store that was named, and made because it was not there: a typing error?

    Args:
        store: As opened.
        given: What the command line names; falsy where it names none.
        environ: Where ``ABR_KEYS`` may name it.
    """
    if not store.is_new or not (given or environ.get("ABR_KEYS")):
        return []
    told = "tokens signed with another are not valid here, nor can titles of another be opened"
    return [f"{store.folder}: no key store was there, so a new one was made; {told}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """What re-wrapping did."""

    kek: str
    """Id of the KEK that everything is encrypted under now."""
    files: int
    """Files that were encrypted anew; the others were already."""
    keys: int
    dropped: tuple[str, ...]
    """KEKs that nothing is encrypted under any more, and that are gone."""


class KeyStore:
    """Content keys, and secrets by name, in one folder; processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Use ``open``, which checks the folder."""
        self._folder = folder
        self._files = PrivateFolder(folder)
        self._known: dict[tuple[str, str], bytes] = {}
        self._is_new = False

    def __repr__(self) -> str:
        return f"KeyStore({str(self._folder)!r})"

    @classmethod
    def open(cls, folder: str | Path, *, create: bool = True) -> KeyStore:
        """Open the store in ``folder``, which is made if it is missing and ``create`` is true.

        Raises:
            KeyStoreError: it is missing, damaged, or others may read it.
            ResourceError: it cannot be made, or another process holds its lock.
            DiskFullError: no room to make it.
        """
        store = cls(Path(folder))
        store._files.prepare(create=create)
        with store._lock():
            if (store._folder / RING).exists():
                store.ring()
            elif create:
                store._files.write(RING, print_ring(_with_new_kek({})))
                store._is_new = True
            else:
                raise KeyStoreError(f"{folder}: no key store; expected one with ring.json in it")
        return store

    @property
    def folder(self) -> Path:
        """The folder of the store."""
        return self._folder

    @property
    def is_new(self) -> bool:
        """Whether it was made when it was opened."""
        return self._is_new

    def key_for(self, title: str, period: int, group: str = ALL) -> ContentKey:
        """The content key of a period of ``title``; made on first use, then always the same.

        Each group of tracks has keys of its own. A key that was retired is followed by another.

        Raises:
            KeyStoreError: ``title`` cannot be a title, or the file is damaged.
        """
        if period < 0:
            raise ValueError(f"period {period}; expected 0 or more")
        name = _file_of(title)
        with self._lock():
            ring, entries = self.ring(), self.entries(name)
            same = [each for each in entries if (each.period, each.group) == (period, group)]
            for entry in same:
                if not entry.is_retired:
                    (found,) = self.open_entries([entry], ring, title)
                    return ContentKey(entry.kid, found.secret)
            made = Plain(
                kid=secrets.token_hex(16),
                secret=secrets.token_bytes(KEY_BYTES),
                period=period,
                version=1 + max((each.version for each in same), default=0),
                group=group,
            )
            self._write(name, [*entries, *_sealed([made], ring, title)])
        return ContentKey(made.kid, made.secret)

    def key(self, title: str, kid: str) -> bytes:
        """The 16 bytes of the key ``kid`` of ``title``.

        Raises:
            KeyStoreError: no such key, or it does not decrypt.
        """
        if not is_key_id(kid):
            raise KeyStoreError(f"{self._folder}: not a key id; expected 32 hexadecimal digits")
        if (title, kid) not in self._known:
            with self._lock():
                entries = [each for each in self.entries(_file_of(title)) if each.kid == kid]
                if not entries:
                    raise KeyStoreError(
                        f"{self._folder}: no key {kid} of title {title!r}; expected the store "
                        "that the package was made with"
                    )
                (found,) = self.open_entries(entries[:1], self.ring(), title)
                self._known[title, kid] = found.secret
        return self._known[title, kid]

    def kids(self, title: str) -> tuple[str, ...]:
        """Key ids of ``title`` by period; empty for a title without keys."""
        with self._lock():
            return tuple(entry.kid for entry in self.entries(_file_of(title)))

    def titles(self) -> tuple[str, ...]:
        """Titles that have keys, in alphabetical order."""
        return tuple(sorted(path.stem for path in (self._folder / TITLES).glob("*.json")))

    def retire(self, title: str) -> tuple[str, ...]:
        """Have the next package of ``title`` made with new keys; return the ids that end.

        Packages that were made with the old ones still open.

        Raises:
            KeyStoreError: ``title`` has no keys, or its file is damaged.
        """
        name = _file_of(title)
        with self._lock():
            entries = self.entries(name)
            if not entries:
                raise KeyStoreError(f"{self._folder}: title {title!r} has no keys to retire")
            ended = tuple(each.kid for each in entries if not each.is_retired)
            if ended:
                self._write(name, [replace(each, is_retired=True) for each in entries])
        return ended

    def secret(self, name: str, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
        """Key id and bytes of a secret that another package keeps in ``<name>.json``.

        Args:
            name: Lower-case letters, not ``ring``.
            make: Called on first use, for the key id and the bytes to keep.

        Raises:
            KeyStoreError: the file is damaged.
        """
        if not _SECRET.fullmatch(name):
            raise ValueError(f"secret {name!r}; expected 1 to 32 letters of a-z, and not ring")
        file, scope = f"{name}.json", scope_of(name)
        with self._lock():
            ring, entries = self.ring(), self.entries(file)
            if entries:
                (found,) = self.open_entries(entries[-1:], ring, scope)
                return found.kid, found.secret
            kid, data = make()
            self._write(file, _sealed([Plain(kid, data)], ring, scope))
        return kid, data

    def secret_stamp(self, name: str) -> object:
        """What differs after a secret was changed; to read it may take a program."""
        try:
            state = (self._folder / f"{name}.json").stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_ino, state.st_size

    def change_secret(
        self, name: str, change: Callable[[str, bytes], tuple[str, bytes]]
    ) -> tuple[str, bytes]:
        """Replace a secret that another package keeps by another; nobody reads or writes between.

        Args:
            name: As for ``secret``.
            change: Given key id and bytes, returns those to keep.

        Raises:
            KeyStoreError: there is no such secret, or its file is damaged.
        """
        file, scope = f"{name}.json", scope_of(name)
        with self._lock():
            ring, entries = self.ring(), self.entries(file)
            if not entries:
                raise KeyStoreError(f"{self._folder}: no secret {name!r}; expected {file}")
            (found,) = self.open_entries(entries[-1:], ring, scope)
            kid, data = change(found.kid, found.secret)
            self._write(file, _sealed([Plain(kid, data)], ring, scope))
        return kid, data

    def rotate_kek(self, external: ExternalKek | None = None) -> Rewrapped:
        """Encrypt every key under a new KEK and drop the old ones.

        Args:
            external: A KEK that a program holds; None: a random one, kept in the ring.

        Old KEKs are dropped last, so a crash at any point leaves a store that can be read, and
        ``rewrap`` goes on.

        Raises:
            KeyStoreError: the program does not wrap keys; nothing was changed then.
        """
        with self._lock():
            ring = _with_new_kek(self.ring().keks, external)
            probe = Plain("probe", secrets.token_bytes(KEY_BYTES))
            _sealed([probe], ring, scope_of("probe"))
            text = print_ring(ring)
            parse_ring(text, where="the new ring")  # what cannot be read would lock everything
            self._files.write(RING, text)
        return self.rewrap()

    def rewrap(self, on_file: Callable[[str], None] = lambda _name: None) -> Rewrapped:
        """Encrypt under the current KEK what is still under another; media are not touched.

        It can end at any instant and be run again; whoever uses the store meanwhile waits for one
        file at the most.

        Args:
            on_file: Told the name of each file when it is done.

        Raises:
            KeyStoreError: a file is damaged or cannot be decrypted; what was done stays.
        """
        files = keys = 0
        with self._lock():
            self._files.sweep()
            names = self.files()
        for title, name in names.items():
            with self._lock():
                done = self._rewrap_file(title, name, self.ring())
            files, keys = files + bool(done), keys + done
            on_file(name)
        with self._lock():
            ring = self.ring()
            used = {each.kek for name in self.files().values() for each in self.entries(name)}
            kept = {
                kek_id: kek for kek_id, kek in ring.keks.items() if kek_id in used | {ring.current}
            }
            dropped = tuple(kek_id for kek_id in ring.keks if kek_id not in kept)
            if dropped:
                self._files.write(RING, print_ring(Ring(current=ring.current, keks=kept)))
        return Rewrapped(kek=ring.current, files=files, keys=keys, dropped=dropped)

    def _rewrap_file(self, title: str, name: str, ring: Ring) -> int:
        """How many keys of a file were encrypted anew."""
        entries = self.entries(name)
        stale = [each for each in entries if each.kek != ring.current]
        if stale:
            anew = iter(_sealed(self.open_entries(stale, ring, title), ring, title))
            self._write(name, [e if e.kek == ring.current else next(anew) for e in entries])
        return len(stale)

    # What an audit reads, under the lock.

    def ring(self) -> Ring:
        """The key-encryption keys."""
        return parse_ring(self._files.read(RING), where=str(self._folder / RING))

    def files(self) -> dict[str, str]:
        """Files of keys by what they belong to: a title, or a secret's scope."""
        found = {title: _file_of(title) for title in self.titles()}
        names = sorted(path.stem for path in self._folder.glob("*.json"))
        secret_names = (name for name in names if _SECRET.fullmatch(name))
        return found | {scope_of(name): f"{name}.json" for name in secret_names}

    def entries(self, name: str) -> tuple[EncryptedKey, ...]:
        """Encrypted keys of one file, by period; none when there is no file."""
        path = self._folder / name
        return parse_keys(self._files.read(name), where=str(path)) if path.exists() else ()

    def open_entries(self, entries: Sequence[EncryptedKey], ring: Ring, title: str) -> list[Plain]:
        """The secrets of ``entries``, which are never shown."""
        where = str(self._folder) if title.startswith("#") else f"{self._folder}: title {title}"
        return unseal(entries, ring, title=title, where=where, ask=ask_command)

    def _write(self, name: str, entries: Sequence[EncryptedKey]) -> None:
        self._files.write(name, print_keys(entries))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of the folder against all other processes and threads."""
        with self._files.lock():
            yield


def _file_of(title: str) -> str:
    """The file of a title. Titles come from URLs, so the name is checked before it is a path."""
    if not is_title(title):
        raise KeyStoreError(
            f"title {title[:40]!r}; expected a-z, 0-9, - and _ only, at most {MAX_TITLE_CHARS}"
        )
    return f"{TITLES}/{title}.json"


def scope_of(secret: str) -> str:
    """What replaces the title in the associated data; no title contains ``#``."""
    return f"#{secret}"


def _with_new_kek(
    keks: Mapping[str, bytes | ExternalKek], external: ExternalKek | None = None
) -> Ring:
    made = secrets.token_hex(8)
    return Ring(current=made, keks={**keks, made: external or secrets.token_bytes(KEK_BYTES)})


def _sealed(plain: Sequence[Plain], ring: Ring, title: str) -> list[EncryptedKey]:
    nonces = [secrets.token_bytes(NONCE_BYTES) for _ in plain]
    return seal(plain, ring, title=title, nonces=nonces, ask=ask_command)
