"""Print the rules of ``abr inspect`` as the tables of docs/inspect.md.

The page holds what this prints; a test compares the two. After a change of a rule:
``.venv/bin/python scripts/rule_table.py --write``
"""

from __future__ import annotations

import sys
from pathlib import Path

from transcode.inspection.rules import SUBJECTS

PAGE = Path(__file__).parents[1] / "docs" / "inspect.md"
MARK = "<!-- made by scripts/rule_table.py -->"
READS = {
    "playlists": "playlists",
    "sizes": "sizes of files",
    "media": "media",
    "decode": "decoded media",
}


def tables() -> str:
    """One heading and table for each subject."""
    parts = []
    for subject, rules in SUBJECTS.items():
        parts += [f"### {subject}", ""]
        parts += [
            "| rule | written in | severity | reads | what must hold |",
            "|---|---|---|---|---|",
        ]
        parts += [
            f"| `{rule.id}` | {', '.join(rule.clauses)} | {rule.severity} | {READS[rule.needs]} "
            f"| {rule.text} |"
            for rule in rules
        ]
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Print the tables, or write them into the page."""
    if "--write" not in sys.argv:
        print(tables(), end="")
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(f"{MARK}\n\n")
    after = rest.partition(f"{MARK}\n")[2]
    PAGE.write_text(f"{before}{MARK}\n\n{tables()}{MARK}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
