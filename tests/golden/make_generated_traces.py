"""Write the digests that ``tests/unit/abr/test_generators.py`` holds generated traces to.

    python tests/golden/make_generated_traces.py

Run it when a model's figures change, or a model is added; say in the commit why.
A change of digests without such a reason is a change of everybody's traces.
"""

from __future__ import annotations

import json
from pathlib import Path

from abr.files.models import model, names
from abr.generators import KINDS, generate

if __name__ == "__main__":
    digests = {
        name: {
            kind: generate(model(name), seed=7, duration_s=120, kind=kind).digest()
            for kind in KINDS
        }
        for name in names()
    }
    held = json.dumps(digests, indent=2) + "\n"
    Path(__file__).with_name("generated_traces.json").write_text(held, encoding="utf-8")
