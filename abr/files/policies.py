"""Files of learned policies: the one that comes along, and one's own."""

from __future__ import annotations

import contextlib
from importlib.resources import files
from pathlib import Path

from abr.errors import AlgorithmError
from abr.policytext import Policy, read_arrays, read_policy, write_policy

BUNDLED = "abrkit-policy.json"


def read_bundled_policy() -> Policy:
    """The policy that comes along."""
    text = (files("abr") / "policies" / BUNDLED).read_text(encoding="utf-8")
    return read_policy(text, name=BUNDLED)


def read_policy_file(path: str | Path) -> Policy:
    """A policy from a file: ``.npz`` arrays, or JSON.

    Raises:
        AlgorithmError: the file is missing, cannot be read, or holds no policy.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as exc:
        raise AlgorithmError(f"{path}: no such file; expected a policy") from exc
    except (OSError, ValueError) as exc:
        raise AlgorithmError(f"{path}: cannot be read ({exc}); expected a policy") from exc
    if str(path).endswith(".npz"):
        return read_arrays(data, name=str(path))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise AlgorithmError(f"{path}: no text, and its name does not end in .npz") from exc
    return read_policy(text, name=str(path))


def write_policy_file(policy: Policy, path: str | Path) -> None:
    """Write a policy as JSON, where ``read_policy_file`` finds it.

    Raises:
        AlgorithmError: the place cannot be written.
    """
    partial = Path(f"{path}.part")
    try:
        partial.write_text(write_policy(policy), encoding="utf-8")
        partial.replace(path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise AlgorithmError(f"{path}: cannot be written ({exc.strerror}); choose another") from exc
