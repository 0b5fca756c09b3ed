"""Files of learned policies: the bundled one, and the user's."""

from __future__ import annotations

import contextlib
import os
from importlib.resources import files
from pathlib import Path

from abr.arguments import as_path, expect
from abr.errors import AlgorithmError
from abr.policytext import Policy, read_arrays, read_policy, write_policy

BUNDLED = "abrkit-policy.json"


def read_bundled_policy() -> Policy:
    """Read the policy that is bundled with the package."""
    text = (files("abr") / "policies" / BUNDLED).read_text(encoding="utf-8")
    return read_policy(text, name=BUNDLED)


def read_policy_file(path: str | os.PathLike[str]) -> Policy:
    """Read a policy from a file: ``.npz`` arrays, or JSON.

    Raises:
        AlgorithmError: the file is missing, cannot be read, or does not contain a policy.
    """
    path = as_path(path, "read_policy_file(path=...)")
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise AlgorithmError(f"{path}: no such file; expected a policy") from exc
    except (OSError, ValueError) as exc:
        raise AlgorithmError(f"{path}: cannot be read ({exc}); expected a policy") from exc
    if str(path).endswith(".npz"):
        return read_arrays(data, name=str(path))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise AlgorithmError(
            f"{path}: not UTF-8 text; expected JSON, or a name ending in .npz"
        ) from exc
    return read_policy(text, name=str(path))


def write_policy_file(policy: Policy, path: str | os.PathLike[str]) -> None:
    """Write a policy as JSON; the file appears complete or not at all.

    Raises:
        AlgorithmError: the file cannot be written.
    """
    expect(policy, Policy, "write_policy_file(policy=...)", "a Policy")
    path = as_path(path, "write_policy_file(path=...)")
    partial = Path(f"{path}.part")
    try:
        partial.write_text(write_policy(policy), encoding="utf-8")
        partial.replace(path)
    except (OSError, ValueError) as exc:
        with contextlib.suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise AlgorithmError(f"{path}: cannot be written ({why}); choose another path") from exc
