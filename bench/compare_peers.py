#!/usr/bin/env python3
"""Runs `rt bench` and other engines in turn on the same weights and prints one markdown table of medians.

Every engine that is given takes part:
  --rt "dotnet rt.dll" or path     this runtime
  --llbench PATH                   llama.cpp driver: PATH MODEL.gguf THREADS REPS -> one JSON object with pp512, tg and their *_other lists
  --torchbench PATH                PyTorch driver: python PATH HF_FOLDER f32|bf16 THREADS REPS -> the same object
  --thinkbench PATH                PyTorch procedures: python PATH HF_FOLDER f32|bf16 THREADS REPS -> JSON lines with what and s
  --env FILE                       shell file sourced before the Python drivers
MODELS holds <name>/hf-f32, <name>/hf-bf16 (Hugging Face folders) and <name>/<name>-f32.gguf, -bf16.gguf with the same weights.
A measurement during which other processes were busy is dropped where a quiet one exists; else it is kept and marked (*)."""
import argparse, json, os, shlex, statistics, subprocess, sys

BUSY = 0.15
COLUMNS = [("pp512", "prefill 512, tok/s", 1), ("tg128@d128", "decode at 128, tok/s", 1), ("think", "think step, ms", 1), ("update", "update, ms", 2),
           ("score", "scoring, queries/s", 1), ("extract", "extract 50 x 80, ms", 0), ("sweep", "sweep 50 x 12, ms", 0), ("rss", "peak RSS, MiB", 0)]


def run(command, env_file=None):
    if env_file:
        command = ["bash", "-c", f". {shlex.quote(env_file)}; exec " + shlex.join(command)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout


class Table:
    def __init__(self):
        self.values = {}    # (model, dtype, engine) -> column -> [(value, others busy)]

    def add(self, key, column, value, busy):
        self.values.setdefault(key, {}).setdefault(column, []).append((value, busy))

    def cell(self, columns, name, digits):
        found = columns.get(name, [])
        quiet = [value for value, busy in found if busy < BUSY]
        values = quiet or [value for value, _ in found]
        if not values:
            return ""
        spread = f" ({min(values):.{digits}f}-{max(values):.{digits}f})" if len(values) > 1 else ""
        return f"{statistics.median(values):.{digits}f}{spread}{'' if quiet else ' (*)'}"

    def print(self):
        print("| model | weights | engine | " + " | ".join(title for _, title, _ in COLUMNS) + " | % of limit: prefill, decode |")
        print("|---" * (len(COLUMNS) + 4) + "|")
        for key, columns in sorted(self.values.items()):
            limits = ", ".join(self.cell(columns, name, 0) for name in ("pp512%", "tg128@d128%") if name in columns)
            print("| " + " | ".join([*key, *(self.cell(columns, name, digits) for name, _, digits in COLUMNS), limits]) + " |")


def rt(table, key, options, folder, length):
    tests = ["load", "pp512", "tg128@d128"]
    if options.procedures:
        tests += [f"think{length}", f"update{length}", f"score64x16@{length}", "extract50x80", "sweep50x12"]
    report = json.loads(run([*shlex.split(options.rt), "bench", folder, "--threads", str(options.threads), "-r", str(options.repetitions),
                             "--tests", ",".join(tests), "-o", "json"]))
    for test in report["tests"]:
        name = test["test"] if test["test"][:2] in ("pp", "tg") else test["test"].rstrip("0123456789x@")
        if name == "load":
            table.add(key, "rss", test["peak_resident_bytes"] / 2**20, 0)
            continue
        for value, busy in zip(test["values"], test.get("other_processors", [0] * len(test["values"]))):
            table.add(key, name, value, busy)
        if "percent_of_limit" in test:
            table.add(key, name + "%", test["percent_of_limit"], 0)


def driver(table, key, output):
    result = json.loads(output.strip().splitlines()[-1])
    for name, column in (("pp512", "pp512"), ("tg", "tg128@d128")):
        for value, busy in zip(result[name], result[name + "_other"]):
            table.add(key, column, value, busy)
    table.add(key, "rss", result["peak_rss_mib"], 0)


def thinkbench(table, model, dtype, output):
    for line in output.strip().splitlines():
        result = json.loads(line)
        what = result.get("what", "")
        for kind in ("pub", "fair"):
            key = (model, dtype, f"PyTorch ({'as published' if kind == 'pub' else 'without waste'})")
            column, scale = {f"think_step_{kind}": ("think", 1e3), f"extract_{kind}": ("extract", 1e3), f"sweep_{kind}": ("sweep", 1e3),
                             "update": ("update", 1e3), f"prefill_{kind}": ("pp512", None)}.get(what, (None, None))
            if column == "pp512":
                table.add(key, column, result["L"] / result["s"], 0)
            elif column:
                table.add(key, column, result["s"] * scale, 0)
            elif what == f"score_{kind}":
                table.add(key, "score", result["queries_per_s"], 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="MODELS", help="folder with the models")
    parser.add_argument("--rt")
    parser.add_argument("--llbench")
    parser.add_argument("--torchbench")
    parser.add_argument("--thinkbench")
    parser.add_argument("--env")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--names", default="gpt2s,llama160m", help="model names, separated by commas")
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repetitions", type=int, default=3, help="of every engine and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--procedures", action="store_true", help="also think steps, scoring, extraction and sweeps")
    options = parser.parse_args()
    if not (options.rt or options.llbench or options.torchbench or options.thinkbench):
        parser.error("no engine given")
    table = Table()
    common = [str(options.threads), str(options.repetitions)]
    for current in range(options.rounds):
        for model in options.names.split(","):
            for dtype in options.dtypes.split(","):
                print(f"round {current + 1} of {options.rounds}: {model} {dtype}", file=sys.stderr)
                folder = os.path.join(options.models, model, f"hf-{dtype}")
                with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
                    positions = json.load(file)
                # The procedures' length: think passes need twice as many positions, and queries more.
                length = 448 if positions.get("n_positions", 2048) <= 1024 else 512
                if options.rt:
                    rt(table, (model, dtype, "rt"), options, folder, length)
                if options.llbench:
                    gguf = os.path.join(options.models, model, f"{model}-{dtype}.gguf")
                    driver(table, (model, dtype, "llama.cpp"), run([options.llbench, gguf, *common]))
                if options.torchbench:
                    driver(table, (model, dtype, "PyTorch"), run([options.python, options.torchbench, folder, dtype, *common], options.env))
                if options.thinkbench and options.procedures:
                    thinkbench(table, model, dtype, run([options.python, options.thinkbench, folder, dtype, *common], options.env))
    table.print()


if __name__ == "__main__":
    main()
