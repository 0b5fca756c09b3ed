"""Print the states of a playback as a Mermaid diagram, drawn from the table in the code.

docs/architecture.md holds what this prints; a test compares the two. After a change of
``player.playback.states.TRANSITIONS``: ``.venv/bin/python scripts/state_diagram.py``
"""

from __future__ import annotations

from player.playback.states import TRANSITIONS


def diagram() -> str:
    """The diagram's text, one transition a line, causes of the same arrow on one line."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (before, cause), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(cause)
    lines = [f"  {a} --> {b}: {', '.join(causes)}" for (a, b), causes in arrows.items()]
    first = next(iter(TRANSITIONS))[0]
    return "\n".join(["stateDiagram-v2", f"  [*] --> {first}", *lines, "  ended --> [*]", ""])


if __name__ == "__main__":
    print(diagram(), end="")
