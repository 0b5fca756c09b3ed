"""Train a neural network with stable-baselines3's PPO, and play it like any algorithm.

Needs the extra ``learn-sb3`` (``pip install 'abrkit[learn-sb3]'``; it brings PyTorch). 64
copies of our own player learn on generated traces of 3G and of slow home lines, seeds 0 to
63; what came of it is compared on seeds from 10,000 on, trace by trace, with chance, with
``bba-0`` and with ``robust-mpc``. With ``--full`` it trains for two minutes; without, for some
seconds, to show that it works, and learns next to nothing.

    python examples/learn_with_sb3.py --full --out ppo.json
    abr simulate packages/film --trace train.csv --algorithm policy:ppo.json

The network is for ladders of as many rungs as the one that it was trained on. It sees the
features of ``abr.neural`` and is written as plain numbers: playing it needs no PyTorch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from abr import registry
from abr.decision import Algorithm, Decision, Observation
from abr.files import models
from abr.files.policies import read_policy_file, write_policy_file
from abr.generators import generate
from abr.media import FloatArray
from abr.neural import build_layers
from abr.policytext import Policy
from abr.qoe import linear
from abr.trace import Trace
from bench.experiments.presentations import builtin
from player.batch.abrkit.simulator import ABRKIT
from player.batch.run.batch import Engine, run_batch
from player.batch.run.environment import UNLIMITED, AbrVectorEnv
from player.batch.run.environment.stable import StableVecEnv

CLASSES = ("3g-commute", "fcc-home")
SHOWN = builtin("vbr-6")
STALL_WEIGHT = float(SHOWN.bitrates_bps[-1]) / 1e6
"""A second of stall costs as much as the top rung has Mbit/s."""


class Chance:
    """Any rung."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def choose(self, seen: Observation) -> Decision:
        """Any rung."""
        return Decision(int(self._rng.integers(len(seen.ladder_bps))))


class UntilTime(BaseCallback):  # type: ignore[misc]  # of an optional package
    """Ends training when its time is over."""

    def __init__(self, limit_s: float) -> None:
        super().__init__()
        self._until_s = time.monotonic() + limit_s

    def _on_step(self) -> bool:
        return time.monotonic() < self._until_s


def make_traces(seeds: Sequence[int]) -> list[Trace]:
    """Traces of every class, class by class."""
    chosen = [models.model(name) for name in CLASSES]
    return [generate(model, seed=seed, duration_s=400.0) for model in chosen for seed in seeds]


def train(traces: Sequence[Trace], *, limit_s: float, steps: int, seed: int) -> PPO:
    """Train for so long or so many steps, whichever is over first."""
    # Threads wait for each other longer than networks this small take: measured on busy cores,
    # one thread makes six times the steps of two.
    torch.set_num_threads(1)
    env = AbrVectorEnv(
        [SHOWN],
        traces,
        copies=64,
        order="shuffled",
        reward=linear(),
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    # Returns of this score have long tails; the library's wrapper scales rewards by them.
    scaled = VecNormalize(StableVecEnv(env), norm_obs=False, gamma=0.97)
    learner = PPO(
        "MlpPolicy",
        scaled,
        n_steps=32,
        batch_size=512,
        n_epochs=4,
        gamma=0.97,
        ent_coef=0.005,
        learning_rate=lambda left: 1e-3 * left + 1e-4,
        policy_kwargs={"net_arch": [64, 64]},
        seed=seed,
        device="cpu",
    )
    return learner.learn(steps, callback=UntilTime(limit_s))


def network_of(learner: PPO) -> Policy:
    """The network that scores rungs, as plain numbers."""
    policy = learner.policy
    hidden = [each for each in policy.mlp_extractor.policy_net if hasattr(each, "weight")]
    parts = [
        (each.weight.detach().numpy(), each.bias.detach().numpy(), activation)
        for each, activation in zip(
            [*hidden, policy.action_net], ["tanh"] * len(hidden) + ["none"], strict=True
        )
    ]
    return Policy(layers=build_layers(parts))


def score(algorithm: Algorithm, traces: Sequence[Trace]) -> FloatArray:
    """Mean reward per segment, one number per trace."""
    # Compiling takes longer than a few sessions do.
    engine: Engine = "auto" if len(traces) > 20 else "plain"
    batch = run_batch(ABRKIT, SHOWN, traces, algorithm, options=UNLIMITED, engine=engine)
    mbps = SHOWN.bitrates_bps[batch.rungs.astype(np.int64)] / 1e6
    changes = np.abs(np.diff(mbps, axis=1)).sum(axis=1)
    total = mbps.sum(axis=1) - STALL_WEIGHT * batch.total("stall_s") - changes
    return np.asarray(total / SHOWN.segments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the network, and compare it."""
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    ask.add_argument("--out", type=Path, default=Path("ppo.json"))
    ask.add_argument("--full", action="store_true", help="train and compare properly")
    ask.add_argument("--seconds", type=float, default=120.0, help="to train at most")
    ask.add_argument("--seed", type=int, default=1)
    given = ask.parse_args(arguments)
    steps, traces = (5_000_000, 100) if given.full else (4_096, 4)
    learner = train(
        make_traces(range(64 if given.full else 4)),
        limit_s=given.seconds,
        steps=steps,
        seed=given.seed,
    )
    write_policy_file(network_of(learner), given.out)
    print(f"{given.out}: {learner.num_timesteps:,} steps")
    held_out = make_traces(range(10_000, 10_000 + traces))
    mine = score(read_policy_file(given.out).build_rule("ppo"), held_out)
    print(f"ppo {mine.mean():.3f}")
    rivals: dict[str, Algorithm] = {
        "chance": Chance,
        "bba-0": registry.load("bba-0"),
        "robust-mpc": registry.load("robust-mpc", stall_weight=STALL_WEIGHT),
    }
    for name, rival in rivals.items():
        theirs = score(rival, held_out)
        lead = mine - theirs
        error = 1.96 * lead.std(ddof=1) / np.sqrt(len(lead))
        print(f"{name} {theirs.mean():.3f}, ppo leads by {lead.mean():+.3f} ± {error:.3f}")


if __name__ == "__main__":
    main()
