"""The key store: content keys, encrypted at rest, in a folder.

The only module that writes secrets to disk. Every file has mode 0600, lies in a folder of
mode 0700, and appears whole or not at all. Packages never contain keys; they name them by
key id (kid). ``keyfiles`` holds the text and the encryption.

Folder::

    ring.json             key-encryption keys (KEK) by id, and which one is current
    titles/<title>.json   content keys by period
    <name>.json           a secret that another package keeps here: ``signing``
    lock                  held while a file is read or changed

The ring decrypts everything else. It may be a symbolic link to safer storage.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from abr.errors import DiskFullError, KeyStoreError, ResourceError
from abr.shell import NO_ROOM_ERRORS, reason_of
from abr.userfolders import data_home
from transcode.encryption import KEY_BYTES, ContentKey, is_key_id
from transcode.keyfiles import (
    ALL,
    KEK_BYTES,
    NONCE_BYTES,
    EncryptedKey,
    Ring,
    decrypt_key,
    encrypt_key,
    parse_keys,
    parse_ring,
    print_keys,
    print_ring,
)
from transcode.packaging.layout import MAX_TITLE_CHARS, is_title

_SECRET = re.compile(r"(?!ring$)[a-z]{1,32}")
_RING = "ring.json"
_LOCK_LIMIT_S = 10.0
_LOCK_STEP_S = 0.01


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


class KeyStore:
    """Content keys, and secrets by name, in one folder; processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Use ``open``, which checks the folder."""
        self._folder = folder
        self._known: dict[tuple[str, str], bytes] = {}

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
        _prepare(store._folder, create=create)
        with store._lock():
            if store._path(_RING).exists():
                store._ring()
            elif create:
                store._write(_RING, print_ring(_with_new_kek({})))
            else:
                raise KeyStoreError(f"{folder}: no key store; expected one with ring.json in it")
        return store

    @property
    def folder(self) -> Path:
        """The folder of the store."""
        return self._folder

    def key_for(self, title: str, period: int, group: str = ALL) -> ContentKey:
        """The content key of a period of ``title``; made on first use, then always the same.

        Each group of tracks has keys of its own.

        Raises:
            KeyStoreError: ``title`` cannot be a title, or the file is damaged.
        """
        if period < 0:
            raise ValueError(f"period {period}; expected 0 or more")
        name = _file_of(title)
        with self._lock():
            ring, entries = self._ring(), self._entries(name)
            for entry in entries:
                if (entry.period, entry.group) == (period, group):
                    return ContentKey(entry.kid, self._decrypt(entry, ring, title))
            key = ContentKey(secrets.token_hex(16), secrets.token_bytes(KEY_BYTES))
            made = _encrypt(key.key, ring, title=title, kid=key.kid, period=period, group=group)
            self._write(name, print_keys([*entries, made]))
        return key

    def key(self, title: str, kid: str) -> bytes:
        """The 16 bytes of the key ``kid`` of ``title``.

        Raises:
            KeyStoreError: no such key, or it does not decrypt.
        """
        if not is_key_id(kid):
            raise KeyStoreError(f"{self._folder}: not a key id; expected 32 hexadecimal digits")
        if (title, kid) not in self._known:
            with self._lock():
                entries = [each for each in self._entries(_file_of(title)) if each.kid == kid]
                if not entries:
                    raise KeyStoreError(
                        f"{self._folder}: no key {kid} of title {title!r}; expected the store "
                        "that the package was made with"
                    )
                self._known[title, kid] = self._decrypt(entries[0], self._ring(), title)
        return self._known[title, kid]

    def kids(self, title: str) -> tuple[str, ...]:
        """Key ids of ``title`` by period; empty for a title without keys."""
        with self._lock():
            return tuple(entry.kid for entry in self._entries(_file_of(title)))

    def titles(self) -> tuple[str, ...]:
        """Titles that have keys, in alphabetical order."""
        return tuple(sorted(path.stem for path in self._path("titles").glob("*.json")))

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
        file, scope = f"{name}.json", _scope_of(name)
        with self._lock():
            ring, entries = self._ring(), self._entries(file)
            if entries:
                return entries[-1].kid, self._decrypt(entries[-1], ring, scope)
            kid, data = make()
            self._write(file, print_keys([_encrypt(data, ring, title=scope, kid=kid)]))
        return kid, data

    def rotate_kek(self) -> str:
        """Encrypt every key under a new KEK and drop the old ones; return the id of the new KEK.

        Old KEKs are dropped last, so a crash at any point leaves a store that can be read.
        """
        with self._lock():
            ring = _with_new_kek(self._ring().keks)
            self._write(_RING, print_ring(ring))
            files = {title: _file_of(title) for title in self.titles()}
            files |= {_scope_of(name): f"{name}.json" for name in self._secret_names()}
            for title, name in files.items():
                anew = [
                    _encrypt(
                        self._decrypt(entry, ring, title),
                        ring,
                        title=title,
                        kid=entry.kid,
                        period=entry.period,
                        version=entry.version,
                        group=entry.group,
                    )
                    for entry in self._entries(name)
                ]
                if anew:
                    self._write(name, print_keys(anew))
            only = {ring.current: ring.keks[ring.current]}
            self._write(_RING, print_ring(Ring(current=ring.current, keks=only)))
        return ring.current

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _decrypt(self, entry: EncryptedKey, ring: Ring, title: str) -> bytes:
        where = str(self._folder) if title.startswith("#") else f"{self._folder}: title {title}"
        return decrypt_key(entry, ring, title=title, where=where)

    def _secret_names(self) -> list[str]:
        names = (path.stem for path in self._folder.glob("*.json"))
        return sorted(name for name in names if _SECRET.fullmatch(name))

    def _ring(self) -> Ring:
        path = self._path(_RING)
        return parse_ring(_read_private(path), where=str(path))

    def _entries(self, name: str) -> tuple[EncryptedKey, ...]:
        """Encrypted keys of one file, by period; none when there is no file."""
        path = self._path(name)
        return parse_keys(_read_private(path), where=str(path)) if path.exists() else ()

    def _write(self, name: str, text: str) -> None:
        path = self._path(name)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_private(path, text.encode())
        except OSError as exc:
            raise _error_of(path, exc) from exc

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of the folder against all other processes and threads."""
        path = self._path("lock")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise _error_of(path, exc) from exc
        try:
            _take(handle, path)
            yield
        finally:
            os.close(handle)


def _take(handle: int, path: Path) -> None:
    limit_s = time.monotonic() + _LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                raise _error_of(path, exc) from exc
            if time.monotonic() > limit_s:
                raise ResourceError(
                    f"{path}: held by another process for {_LOCK_LIMIT_S:.0f} s; "
                    "expected it to be free; end that process"
                ) from exc
        time.sleep(_LOCK_STEP_S)


def _prepare(folder: Path, *, create: bool) -> None:
    """Make the folder, or check that nobody else can read it."""
    try:
        if create and not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        if not folder.is_dir():
            raise KeyStoreError(f"{folder}: no such folder; expected a key store")
        if create and not any(folder.iterdir()):
            folder.chmod(0o700)
    except OSError as exc:
        raise _error_of(folder, exc) from exc
    _check_private(folder, "700")


def _check_private(path: Path, wanted: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyStoreError(
            f"{path}: mode {mode:04o}, so others may use it; expected 0{wanted}; "
            f"run chmod {wanted} on it"
        )


def _read_private(path: Path) -> str:
    try:
        _check_private(path, "600")
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError as exc:
        raise _error_of(path, exc) from exc


def _write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` at once: never half-written, never readable by others."""
    target = Path(os.path.realpath(path))  # a symbolic link stays, its target is replaced
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(beside, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _error_of(path: Path, exc: OSError) -> KeyStoreError | ResourceError:
    if exc.errno in NO_ROOM_ERRORS:
        return DiskFullError(f"{path}: no room left; expected a few kilobytes; free some")
    reason = reason_of(exc)
    if exc.errno == errno.ENOENT:
        return KeyStoreError(f"{path}: {reason}; expected a key store")
    return ResourceError(f"{path}: {reason}; expected a folder of your own for keys")


def _file_of(title: str) -> str:
    """The file of a title. Titles come from URLs, so the name is checked before it is a path."""
    if not is_title(title):
        raise KeyStoreError(
            f"title {title[:40]!r}; expected a-z, 0-9, - and _ only, at most {MAX_TITLE_CHARS}"
        )
    return f"titles/{title}.json"


def _scope_of(secret: str) -> str:
    """What replaces the title in the associated data; no title contains ``#``."""
    return f"#{secret}"


def _with_new_kek(keks: Mapping[str, bytes]) -> Ring:
    made = secrets.token_hex(8)
    return Ring(current=made, keks={**keks, made: secrets.token_bytes(KEK_BYTES)})


def _encrypt(
    secret: bytes,
    ring: Ring,
    *,
    title: str,
    kid: str,
    period: int = 0,
    version: int = 1,
    group: str = ALL,
) -> EncryptedKey:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return encrypt_key(
        secret, ring, title=title, kid=kid, nonce=nonce, period=period, version=version, group=group
    )
