"""Looking after a key store: rotation that is killed, external KEKs, retired keys, audits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abr.errors import KeyStoreError
from tests.fakes.packages import write_package
from transcode.cli.keys import keys as keys_command
from transcode.files.keylook import look, packages_in
from transcode.files.keystore import KeyStore
from transcode.keyaudit import audit
from transcode.keyfiles import ExternalKek
from transcode.packaging.index import Encryption
from transcode.packaging.indexfile import print_index

PROGRAM = Path(__file__).parents[1] / "fakes" / "kek_program.py"
TITLES = ("film", "other", "trailer")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with keys of three titles, in groups, and a secret."""
    store = KeyStore.open(tmp_path / "keys")
    for title in TITLES:
        for group in ("audio", "sd"):
            store.key_for(title, 0, group)
    store.secret("signing", lambda: ("id", b"a secret of 24 bytes ...."))
    return tmp_path / "keys"


def opened(folder: Path) -> dict[str, bytes]:
    """Everything in a store, opened anew."""
    store = KeyStore.open(folder, create=False)
    found = {kid: store.key(title, kid) for title in TITLES for kid in store.kids(title)}
    return found | {"signing": store.secret("signing", _never)[1]}


def _never() -> tuple[str, bytes]:
    raise AssertionError("the secret is there already")


KILLER = """
import os, signal, sys
from transcode.files.keystore import KeyStore

folder, operation = sys.argv[1:]
left = None

def hook(event, arguments):
    global left
    if left is not None and event in ("open", "os.rename", "os.remove", "os.mkdir"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
for point in range(1000):
    child = os.fork()
    if not child:
        store = KeyStore(__import__("pathlib").Path(folder))
        left = point
        getattr(store, operation)()
        left = None
        os._exit(0)
    _, status = os.waitpid(child, 0)
    store = KeyStore.open(folder, create=False)
    keys = [store.key(title, kid).hex() for title in store.titles() for kid in store.kids(title)]
    secret = store.secret("signing", None)[1].hex()
    print(point, os.WIFSIGNALED(status), ",".join(sorted(keys)), secret)
    if not os.WIFSIGNALED(status):
        sys.exit()
"""


@pytest.mark.parametrize("operation", ["rotate_kek", "rewrap"])
def test_killed_at_every_file_that_it_touches_everything_opens(
    folder: Path, operation: str
) -> None:
    """One process more for each file opened, renamed or removed: kill -9 just before that.

    A rotation that was killed leaves two KEKs, so that re-wrapping has work to do.
    """
    before = opened(folder)
    keys = ",".join(sorted(key.hex() for kid, key in before.items() if kid != "signing"))
    if operation == "rewrap":
        _kill_rotation_midway(folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(folder), operation],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    lines = [line.split(" ") for line in done.stdout.splitlines()]
    assert len(lines) > 8
    assert {line[2] for line in lines} == {keys}
    assert {line[3] for line in lines} == {before["signing"].hex()}
    assert [line[1] for line in lines] == ["True"] * (len(lines) - 1) + ["False"]
    KeyStore.open(folder).rewrap()
    facts = look(folder)
    assert (audit(facts), len(facts.keks)) == ((), 1)


def _kill_rotation_midway(folder: Path) -> None:
    """Leave a store in which one file of several is under the new KEK."""
    store = KeyStore.open(folder)
    files = store.files()

    def kill(_name: str) -> None:
        raise KeyboardInterrupt

    rewrap = store.rewrap
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "rewrap", lambda: rewrap(kill))
        with pytest.raises(KeyboardInterrupt):
            store.rotate_kek()
    facts = look(folder)
    assert len(facts.keks) == 2
    assert 0 < sum(key.kek == facts.current for key in facts.keys) < len(facts.keys)
    assert len(files) == 4


def test_what_is_left_behind_is_found_and_removed(folder: Path) -> None:
    """A file half written, beside a title's and beside the ring."""
    for name in (".ring.json.0123abcd", "titles/.film.json.89abcdef"):
        (folder / name).write_text("half")
        (folder / name).chmod(0o600)
    assert [each.kind for each in audit(look(folder))] == ["left-behind", "left-behind"]
    KeyStore.open(folder).rewrap()
    assert audit(look(folder)) == ()


def program(tmp_path: Path, *behaviour: str, limit_s: float = 10.0) -> ExternalKek:
    """A KEK in another program."""
    key = tmp_path / "kek"
    if not key.exists():
        key.write_bytes(os.urandom(32))
    command = (sys.executable, str(PROGRAM), str(key), *behaviour)
    return ExternalKek(command=command, limit_s=limit_s)


def test_a_program_may_hold_the_kek(folder: Path, tmp_path: Path) -> None:
    """Everything is wrapped by it, and by nothing else; and back to a ring of our own."""
    before = opened(folder)
    done = KeyStore.open(folder).rotate_kek(program(tmp_path))
    assert (done.files, done.keys) == (4, 7)
    ring = json.loads((folder / "ring.json").read_text())
    assert ring["keks"] == {}
    assert list(ring["external"]) == [ring["current"]]
    assert opened(folder) == before
    KeyStore.open(folder).key_for("new", 0)
    facts = look(folder)
    assert {key.kek for key in facts.keys} == {facts.current} == set(facts.external)
    assert audit(facts) == ()
    (tmp_path / "kek").write_bytes(bytes(32))
    found = audit(look(folder))
    assert {each.kind for each in found} == {"key-does-not-open"}
    assert len(found) == 8


def test_back_from_a_program(folder: Path, tmp_path: Path) -> None:
    store = KeyStore.open(folder)
    before = opened(folder)
    store.rotate_kek(program(tmp_path))
    store.rotate_kek()
    (tmp_path / "kek").unlink()
    assert opened(folder) == before


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("fail", "ended with code 3: slot 2: not logged in; expected 0"),
        ("hang", "no answer within 0.5 s"),
        ("garbage", 'another answer than {"items"'),
        ("short", "one item for each"),
        ("echo", "does not wrap at all; nothing was written"),
        ("forget", "does not unwrap what it wrapped"),
    ],
)
def test_a_program_that_fails_changes_nothing(
    folder: Path, tmp_path: Path, behaviour: str, said: str
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    limit_s = 0.5 if behaviour == "hang" else 10.0
    began_s = time.monotonic()
    with pytest.raises(KeyStoreError) as caught:
        KeyStore.open(folder).rotate_kek(program(tmp_path, behaviour, limit_s=limit_s))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began_s < 20
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before


def test_no_shell_reads_the_command(folder: Path, tmp_path: Path) -> None:
    """What a shell would run is the name of a program that does not exist."""
    trap = f"touch {tmp_path}/trap;"
    with pytest.raises(KeyStoreError, match="expected a program that wraps keys"):
        KeyStore.open(folder).rotate_kek(ExternalKek(command=(trap,)))
    assert not (tmp_path / "trap").exists()


def test_a_retired_key_still_opens_and_the_next_package_has_another(folder: Path) -> None:
    store = KeyStore.open(folder)
    old = store.key_for("film", 0, "sd")
    assert set(store.retire("film")) == set(store.kids("film"))
    new = store.key_for("film", 0, "sd")
    assert new != old
    assert KeyStore.open(folder).key("film", old.kid) == old.key
    assert KeyStore.open(folder).key_for("film", 0, "sd") == new
    (entry,) = (each for each in store.entries("titles/film.json") if each.kid == new.kid)
    assert (entry.version, entry.is_retired) == (2, False)
    with pytest.raises(KeyStoreError, match="'none' has no keys to retire"):
        store.retire("none")


def run(*words: str) -> Result:
    """``abr`` with these words."""
    return CliRunner().invoke(keys_command, list(words[1:]))


def package(folder: Path, title: str, *kids: str) -> None:
    """A package that needs these keys."""
    index = write_package(folder / title, title=title)
    if kids:
        encryption = Encryption(method="AES-128", kids=kids, rotate_every=1)
        index = replace(index, encryption=encryption)
        (folder / title / "presentation.json").write_text(print_index(index))


def test_an_audit_knows_what_packages_need(folder: Path, tmp_path: Path) -> None:
    """A key that is missing is a fault; keys that nobody needs are noted, and so is the title."""
    store = KeyStore.open(folder)
    sound, sd = store.kids("film")
    package(tmp_path / "packages", "film", sound, "f" * 32)
    package(tmp_path / "packages", "other")
    done = run(
        "keys", "audit", "--keys", str(folder), "--packages", str(tmp_path / "packages"), "--json"
    )
    assert done.exit_code == 1
    said = json.loads(done.output)
    assert (said["titles"], said["keys"], said["keys_that_open"]) == (3, 7, 7)
    found = {(each["severity"], each["kind"], each["subject"]) for each in said["findings"]}
    assert found == {
        ("fault", "key-missing", "film"),
        ("note", "orphan", sd),
        *(("note", "orphan", kid) for kid in store.kids("other")),
        ("note", "no-package", "trailer"),
    }
    assert run("keys", "audit", "--keys", str(folder)).exit_code == 0


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lambda folder: (folder / "titles/film.json").chmod(0o640), "mode"),
        (lambda folder: folder.chmod(0o755), "mode"),
        (lambda folder: (folder / "titles/film.json").write_text("{"), "unreadable"),
        (lambda folder: (folder / "ring.json").write_text("{"), "unreadable"),
        (
            lambda folder: (folder / "titles/film.json").write_bytes(
                (folder / "titles/other.json").read_bytes()
            ),
            "key-does-not-open",
        ),
    ],
)
def test_an_audit_finds_what_keeps_a_title_from_playing(
    folder: Path, harm: Callable[[Path], object], kind: str
) -> None:
    harm(folder)
    found = audit(look(folder))
    assert kind in {each.kind for each in found if each.severity == "fault"}
    done = run("keys", "audit", "--keys", str(folder))
    assert done.exit_code == 1
    assert "fault: " in done.output


def test_an_audit_tells_a_loose_mode_once_and_how_to_mend_it(folder: Path) -> None:
    (folder / "titles/film.json").chmod(0o644)
    (folder / "titles").chmod(0o755)
    faults = [each.text for each in audit(look(folder)) if each.severity == "fault"]
    assert len({text.partition(":")[0] for text in faults}) == len(faults) == 2
    assert all("run chmod " in text and text.endswith(" on it") for text in faults)


def test_no_command_prints_a_key(folder: Path, tmp_path: Path) -> None:
    """In words or in JSON, whatever is asked."""
    where = ("--keys", str(folder))
    package(tmp_path / "packages", "film")
    secrets = list(opened(folder).values())
    output = "".join(
        run("keys", *words, *where, *form).output
        for form in ((), ("--json",))
        for words in (
            ("create", "fresh", "--groups", "audio,hd", "--periods", "2"), ("list",),
            ("list", "film"), ("rotate",), ("rotate", "film"), ("rewrap",),
            ("audit", "--packages", str(tmp_path / "packages")),
        )
    )  # fmt: skip
    store = KeyStore.open(folder)
    assert len(store.kids("fresh")) == 4
    assert all(kid in output for kid in store.kids("fresh"))
    secrets += [store.key("fresh", kid) for kid in store.kids("fresh")]
    ring = json.loads((folder / "ring.json").read_text())
    assert not [kek for kek in ring["keks"].values() if kek in output]
    assert not [key for key in secrets if key.hex() in output]


def test_commands_say_what_they_expect(folder: Path, tmp_path: Path) -> None:
    where = ("--keys", str(folder))
    for words, said in (
        (("create", "film", "--groups", "hq"), "expected some of all, audio"),
        (("rotate", "film", "--external", "x"), "expected one or the other"),
        (("rotate", "--external", "'"), "expected PROGRAM ARGUMENT"),
        (("audit", "--packages", str(tmp_path / "none")), "no such folder"),
    ):
        done = run("keys", *words, *where)
        assert done.exit_code != 0
        assert said in done.output + str(done.exception)
    assert run("keys", "list", "--keys", str(tmp_path / "none")).exit_code != 0
    assert packages_in([]) == []
