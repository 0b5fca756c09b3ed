"""The key store on a real disk: modes, rotation, damage, and many makers at once."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from abr.errors import AbrError, DiskFullError, KeyStoreError, ResourceError
from origin.signing import signing_key
from origin.tokens.keysets import thumbprint
from origin.tracing.cli import _open_keys
from transcode.files import privatefolder
from transcode.files.keystore import KeyStore, default_keys_dir, is_no_store, notes_of_new


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "data" / "keys"


def files(folder: Path) -> list[Path]:
    """Everything in a store that is a file."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def secrets_of(store: KeyStore, *titles: str) -> dict[str, bytes]:
    """All keys by id."""
    return {kid: store.key(title, kid) for title in titles for kid in store.kids(title)}


def test_a_key_is_made_once_and_stays(folder: Path) -> None:
    """The same period gives the same key, in a store opened later too."""
    store = KeyStore.open(folder)
    first, second = store.key_for("film", 0), store.key_for("film", 1)
    assert first != second
    assert KeyStore.open(folder).key_for("film", 0) == first
    assert KeyStore.open(folder, create=False).key("film", second.kid) == second.key
    assert store.kids("film") == (first.kid, second.kid)
    assert store.kids("other") == ()
    assert store.titles() == ("film",)


def test_nobody_else_may_read_a_store(folder: Path) -> None:
    """Folders 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        store = KeyStore.open(folder)
        store.key_for("film", 0)
        signing_key(store)
        store.rotate_kek()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert modes == {
        "keys": 0o700,
        "titles": 0o700,
        "film.json": 0o600,
        "lock": 0o600,
        "ring.json": 0o600,
        "signing.json": 0o600,
    }


def test_no_key_stands_in_a_file_as_it_is(folder: Path) -> None:
    """Neither the bytes nor their usual texts; nor in any repr."""
    store = KeyStore.open(folder)
    key = store.key_for("film", 0)
    raw = signing_key(store)[1].private_bytes_raw()
    for path in files(folder):
        data = path.read_bytes()
        for secret in (key.key, raw):
            assert secret not in data
            assert secret.hex().encode() not in data.lower()
    assert key.key.hex() not in repr(store) + repr(key)
    assert repr(store) == f"KeyStore({str(folder)!r})"


def test_rotation_encrypts_anew_and_keeps_every_key(folder: Path) -> None:
    """All files change, no key does, and the old KEK is gone."""
    store = KeyStore.open(folder)
    for title, period in (("film", 0), ("film", 1), ("trailer", 0)):
        store.key_for(title, period)
    kid, private = signing_key(store)
    keys = secrets_of(store, "film", "trailer")
    texts = {path: path.read_text() for path in files(folder) if path.suffix == ".json"}
    new = store.rotate_kek().kek
    ring = json.loads((folder / "ring.json").read_text())
    assert list(ring["keks"]) == [new] == [ring["current"]]
    assert all(path.read_text() != text for path, text in texts.items())
    opened = KeyStore.open(folder)
    assert secrets_of(opened, "film", "trailer") == keys
    assert signing_key(opened)[0] == kid
    assert signing_key(opened)[1].private_bytes_raw() == private.private_bytes_raw()


@pytest.mark.parametrize("crash_at", range(5))
def test_a_crash_during_rotation_leaves_a_store_that_opens(
    folder: Path, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    """Cut after any number of files: every key still opens, and rotation can be repeated."""
    store = KeyStore.open(folder)
    store.key_for("film", 0)
    store.key_for("trailer", 0)
    signing_key(store)
    keys = secrets_of(store, "film", "trailer")
    write, count = privatefolder.write_private, 0

    def crashing(path: Path, data: bytes) -> None:
        nonlocal count
        count += 1
        if count > crash_at:
            raise KeyboardInterrupt
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(privatefolder, "write_private", crashing)
        with pytest.raises(KeyboardInterrupt):
            store.rotate_kek()
    assert secrets_of(KeyStore.open(folder), "film", "trailer") == keys
    KeyStore.open(folder).rotate_kek()
    assert secrets_of(KeyStore.open(folder), "film", "trailer") == keys


def test_the_signing_key_is_made_once(folder: Path) -> None:
    """And its public half verifies what it signs."""
    kid, private = signing_key(KeyStore.open(folder))
    again, same = signing_key(KeyStore.open(folder))
    assert kid == again == thumbprint(private.public_key())
    same.public_key().verify(private.sign(b"message"), b"message")


MAKER = """
import sys
from origin.signing import signing_key
from transcode.files.keystore import KeyStore
store = KeyStore.open(sys.argv[1])
print([store.key_for("film", period).kid for period in range(5)], signing_key(store)[0])
"""


def test_processes_that_make_the_same_keys_agree(folder: Path) -> None:
    """Four at once on an empty folder: one ring, one set of keys."""
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKER, str(folder)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    answers = {maker.communicate()[0] for maker in makers}
    assert [maker.returncode for maker in makers] == [0, 0, 0, 0]
    assert len(answers) == 1
    assert not [path for path in files(folder) if path.name.startswith(".")]


OLD_STORE = Path(__file__).parents[1] / "golden" / "keystore-1.0"


def test_a_store_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """Written when the key store itself made the signing key: same files, same keys."""
    folder = tmp_path / "keys"
    shutil.copytree(OLD_STORE, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    expected = json.loads((folder / "expected.json").read_text())
    (folder / "expected.json").unlink()
    for _ in range(2):  # as it was, and after a rotation
        store = KeyStore.open(folder, create=False)
        kid, private = signing_key(store)
        assert [kid, private.private_bytes_raw().hex()] == expected["signing"]
        assert {k: v.hex() for k, v in secrets_of(store, "film").items()} == expected["film"]
        store.rotate_kek()


@pytest.mark.parametrize("name", ["", "ring", "../x", "A", "a" * 33])
def test_a_secret_has_a_plain_name(folder: Path, name: str) -> None:
    """It becomes a file name beside the ring."""
    with pytest.raises(ValueError, match="expected 1 to 32 letters"):
        KeyStore.open(folder).secret(name, lambda: ("id", b"secret"))


def test_an_encrypted_key_moved_to_another_title_does_not_decrypt(folder: Path) -> None:
    """The associated data binds it to title, key id and version."""
    store = KeyStore.open(folder)
    kid = store.key_for("film", 0).kid
    (folder / "titles/other.json").write_bytes((folder / "titles/film.json").read_bytes())
    (folder / "titles/other.json").chmod(0o600)
    with pytest.raises(KeyStoreError, match=r"title other: key .* does not decrypt"):
        store.key("other", kid)


@pytest.mark.parametrize("name", ["ring.json", "titles/film.json", "signing.json"])
@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format": "abrkit keys"}', "\0", "[" * 9000]
)
def test_a_damaged_file_is_our_error(folder: Path, name: str, text: str) -> None:
    """One line that names the file."""
    store = KeyStore.open(folder)
    store.key_for("film", 0)
    signing_key(store)
    (folder / name).write_text(text)
    with pytest.raises(KeyStoreError, match=f"{name}: damaged"):
        touch_everything(store)


def touch_everything(store: KeyStore) -> None:
    """Read every file of a store."""
    store.key_for("film", 0)
    signing_key(store)


def test_every_single_changed_byte_is_noticed_or_harmless(folder: Path) -> None:
    """A flipped byte in a title's file gives the same key or our error, never another key."""
    key = KeyStore.open(folder).key_for("film", 0)
    path = folder / "titles/film.json"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            assert KeyStore.open(folder).key("film", key.kid) == key.key
        except KeyStoreError as exc:
            assert "\n" not in str(exc)


def test_a_later_major_version_is_refused(folder: Path) -> None:
    """The message says which one this program reads."""
    store = KeyStore.open(folder)
    store.key_for("film", 0)
    path = folder / "titles/film.json"
    path.write_text(path.read_text().replace('"1.1"', '"2.0"'))
    with pytest.raises(KeyStoreError, match=r"version 2\.0; this abrkit reads 1\.x"):
        store.kids("film")


def test_a_store_that_others_may_read_is_refused(folder: Path) -> None:
    """Folder or file: the message says which mode and what to run."""
    KeyStore.open(folder)
    (folder / "ring.json").chmod(0o644)
    with pytest.raises(KeyStoreError, match=r"ring\.json: mode 0644.*chmod 600"):
        KeyStore.open(folder)
    folder.chmod(0o750)
    with pytest.raises(KeyStoreError, match=r"keys: mode 0750.*chmod 700"):
        KeyStore.open(folder)


def test_an_empty_folder_is_made_private_and_a_full_one_is_not_touched(tmp_path: Path) -> None:
    """``--keys .`` must not change the mode of somebody's home."""
    empty, full = tmp_path / "empty", tmp_path / "full"
    for path in (empty, full):
        path.mkdir(mode=0o755)
        path.chmod(0o755)
    (full / "letter.txt").write_text("Dear …")
    KeyStore.open(empty)
    assert stat.S_IMODE(empty.stat().st_mode) == 0o700
    with pytest.raises(KeyStoreError, match="mode 0755"):
        KeyStore.open(full)
    assert stat.S_IMODE(full.stat().st_mode) == 0o755
    assert sorted(path.name for path in full.iterdir()) == ["letter.txt"]


def test_a_missing_store_is_not_made_unasked(tmp_path: Path) -> None:
    """``create=False``: missing folder, and a folder without a ring."""
    with pytest.raises(KeyStoreError, match="no such folder"):
        KeyStore.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()
    tmp_path.chmod(0o700)
    with pytest.raises(KeyStoreError, match="no key store"):
        KeyStore.open(tmp_path, create=False)


def test_a_file_in_the_way_is_our_error(tmp_path: Path) -> None:
    """Where the folder, or its parent, is a file."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "keys"):
        with pytest.raises(AbrError, match="file"):
            KeyStore.open(path)


@pytest.mark.parametrize("title", ["", "../etc", "a/b", "A", "#signing", "a" * 129, "a\n"])
def test_a_title_that_is_no_title_reaches_no_file(folder: Path, title: str) -> None:
    """Names come from URLs."""
    store = KeyStore.open(folder)
    for use in (lambda: store.key_for(title, 0), lambda: store.key(title, "0" * 32)):
        with pytest.raises(KeyStoreError, match="expected a-z"):
            use()
    assert [path.name for path in files(folder)] == ["lock", "ring.json"]


@pytest.mark.parametrize("kid", ["", "0" * 31, "G" * 32, "0" * 32])
def test_an_unknown_key_id_is_our_error(folder: Path, kid: str) -> None:
    """Malformed or simply not there."""
    store = KeyStore.open(folder)
    store.key_for("film", 0)
    with pytest.raises(KeyStoreError):
        store.key("film", kid)


def test_the_ring_may_be_a_link_to_safer_storage(folder: Path, tmp_path: Path) -> None:
    """Rotation replaces the file where it lies, and the link stays."""
    store = KeyStore.open(folder)
    key = store.key_for("film", 0)
    safe = tmp_path / "safe.json"
    (folder / "ring.json").rename(safe)
    (folder / "ring.json").symlink_to(safe)
    store.rotate_kek()
    assert (folder / "ring.json").is_symlink()
    assert KeyStore.open(folder).key("film", key.kid) == key.key


def test_a_store_kept_locked_by_another_process_gives_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting has a limit."""
    store = KeyStore.open(folder)
    monkeypatch.setattr(privatefolder, "LOCK_LIMIT_S", 0.05)
    with store._lock(), pytest.raises(ResourceError, match="held by another process"):
        KeyStore.open(folder)


def test_a_full_disk_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing half-written beside it."""
    store = KeyStore.open(folder)
    key = store.key_for("film", 0)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DiskFullError, match=r"film\.json: no room left"):
            store.key_for("film", 1)
    assert store.kids("film") == (key.kid,)
    assert not [path for path in files(folder) if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"ABR_KEYS": "k", "HOME": "/h"}, "k"),
        ({"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/abrkit/keys"),
        ({"XDG_DATA_HOME": "x", "HOME": "/h"}, "/h/.local/share/abrkit/keys"),
        ({"HOME": "/h"}, "/h/.local/share/abrkit/keys"),
    ],
)
def test_the_default_folder_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    """Our variable first, then the XDG data home."""
    assert default_keys_dir(environ) == Path(expected)


def test_without_a_home_a_folder_must_be_named() -> None:
    """The message names the option."""
    with pytest.raises(KeyStoreError, match="--keys DIR"):
        default_keys_dir({})


def test_a_store_that_was_named_and_not_there_is_told_of_once(tmp_path: Path) -> None:
    """And one without a name is made in silence, as it is the first time."""
    named = tmp_path / "kyes"
    assert is_no_store(named)
    assert not is_no_store("")
    (told,) = notes_of_new(KeyStore.open(named), named, {})
    assert told.startswith(f"{named}: no key store was there, so a new one was made; ")
    assert not is_no_store(named)
    assert notes_of_new(KeyStore.open(named), named, {}) == []
    by_environment = KeyStore.open(tmp_path / "other")
    assert len(notes_of_new(by_environment, None, {"ABR_KEYS": str(tmp_path / "other")})) == 1
    assert notes_of_new(KeyStore.open(tmp_path / "third"), None, {}) == []


def test_tracing_makes_no_store_in_a_folder_of_something_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(KeyStoreError, match=r"no key store; expected one with ring\.json in it"):
        _open_keys(str(tmp_path))
    assert not (tmp_path / "ring.json").exists()
