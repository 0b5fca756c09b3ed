#!/bin/sh
# One would guess: a vector environment of n copies returns n transitions for each call
# of `step`, and every one of them is a transition of some episode.
#
# What happens: by default a copy whose episode ended is reset by the NEXT call of
# `step`. That call ignores the copy's action, returns the first observation of the new
# episode, a reward of 0 and terminated = truncated = False, so the tuple (observation,
# action, reward, next observation) joins the end of one episode to the start of another.
# Nothing in it marks the row as one to be left out.
#
# Why it matters: one row per episode of the training data is invented. ABR episodes are
# short (a video of 50 to 100 segments), so that is 1 to 2 % of the rows, and each of them
# says that an empty buffer follows from the last rung. Mask the rows after `terminated`,
# or use AutoresetMode.SAME_STEP and read `final_obs`.
#
# Seen with gymnasium 1.4.0, numpy 2.4.6, CPython 3.11, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet gymnasium==1.4.0 numpy==2.4.6

cat > steps.py <<'PY'
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import SyncVectorEnv

seen_actions = []

class ThreeSteps(gymnasium.Env):
    """Counts up to 3; every step is worth 1."""

    observation_space = Box(0, 3, (1,), np.float32)
    action_space = Discrete(10)

    def reset(self, *, seed=None, options=None):
        self.count = 0
        return np.array([0], np.float32), {}

    def step(self, action):
        seen_actions.append(int(action))
        self.count += 1
        return np.array([self.count], np.float32), 1.0, self.count == 3, False, {}

many = SyncVectorEnv([ThreeSteps])
many.reset(seed=1)
rows = []
for action in (1, 2, 3, 4, 5):
    observation, reward, terminated, truncated, _ = many.step(np.array([action]))
    rows.append((int(observation[0, 0]), float(reward[0]), bool(terminated[0] or truncated[0])))
    print(f"action {action}: observation {rows[-1][0]}, reward {rows[-1][1]}, over {rows[-1][2]}")
print("actions that reached the environment:", seen_actions)
expected = [(1, 1.0, False), (2, 1.0, False), (3, 1.0, True), (0, 0.0, False), (1, 1.0, False)]
raise SystemExit(0 if rows == expected and seen_actions == [1, 2, 3, 5] else 1)
PY

if venv/bin/python steps.py; then
  echo "PASS: the step after the end only resets: its action is ignored, its reward is 0"
else
  echo "CHANGED: expected action 4 to be ignored and to return (0, 0.0, False)"
  exit 1
fi
