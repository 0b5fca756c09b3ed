"""Plans to start from, as `abr bench plan` prints them."""

from __future__ import annotations

EXAMPLE = """\
# Which algorithm for phones on the move? Run with:
#   abr bench run plan.toml --out results
#   abr bench report results --html report.html

[plan]
name = "phones on the move"
preset = "abrkit"        # simulator: abrkit, sabre or pensieve
seeds = [0]              # each seed draws other networks and starts files elsewhere
# block = 50             # networks per job
# engine = "auto"        # compiled or plain Python; auto: compiled from 300 sessions on

# Algorithms: names of `abr algorithms`, with parameters and what to call them; or one of
# your own, such as "rules/mine.py:Mine".
[[algorithm]]
name = "throughput"

[[algorithm]]
name = "bola-sabre"

[[algorithm]]
name = "bola-sabre"
label = "bola, patient"
params = { gp = 10 }

[[algorithm]]
name = "bba-0"

# Networks: draws from a model of `abr traces list`, or files.
[[traces]]
generate = "3g-commute"
count = 20
duration_s = 320

[[traces]]
generate = "lte-driving"
count = 20
duration_s = 320

# [[traces]]
# files = ["traces/train/", "more/*.csv"]   # folders, patterns, profile:NAME
# class = "train"
# limit = 50                                # at most so many, evenly picked
# columns = "time=1:ms,rate=2:kbit"         # of tables in no known format, or in other units
# cluster = 'trace_(?P<household>\\d+)_'     # what is independent: here what the group matches,
#                                           # else "file", "trace", "folder", "homes.csv:household"

# What is played: vbr-6, vbr-10, a package of `abr transcode`, or a movie file of Sabre's.
[[presentation]]
builtin = "vbr-6"

# [[presentation]]
# path = "packages/film"

# What results are judged by, each in a table of its own; QoE_lin when none is named. Nothing is
# played again when these change, and `abr bench report --qoe` takes others.
[[qoe]]
name = "qoe_lin"            # as published for a ladder up to 4.3 Mbit/s

[[qoe]]
name = "log"

# [[qoe]]
# name = "linear"           # the stall weight is the top rung's rate, or what params say;
# params = { stall_weight = 20 }            # also hd, vmaf, ssim, sabre, p1203
# label = "QoE, stalls at 20"

# [[qoe]]
# name = "mine.py:score"    # a function of your own

# Settings of the simulated player; `abr config show` lists them.
[player]
# like = "hlsjs-chromium"   # or shaka-chromium, dashjs-chromium, ideal
max_buffer_s = 30.0
"""

QUICK = """\
[plan]
name = "quick"

[[algorithm]]
name = "throughput"

[[algorithm]]
name = "bba-0"

[[algorithm]]
name = "bola-sabre"

[[traces]]
generate = "3g-commute"
count = 10
duration_s = 320

[[traces]]
generate = "lte-driving"
count = 10
duration_s = 320

[[presentation]]
builtin = "vbr-6"
"""
