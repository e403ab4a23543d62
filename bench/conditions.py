#!/usr/bin/env python3
"""How `rt bench` holds up: more threads than processors, a busy neighbour, long contexts. Prints one markdown table of medians.

  bench/conditions.py MODEL --rt "dotnet rt.dll" [--llbench PATH --gguf FILE] [--threads 1,2,4,8] [--depths 4096,16000]

Conditions take turns, round after round. The neighbour is a process that computes all the time, left to the scheduler. llama.cpp (a driver as in
compare_peers.py) runs under the same conditions where it is given; it has no test at a depth."""
import argparse, json, os, shlex, statistics, subprocess, sys

from compare_peers import run


def rt(options, threads, tests):
    # No patience: a disturbed repetition is what is asked for here.
    report = json.loads(run([*shlex.split(options.rt), "bench", options.model, "--threads", str(threads), "-r", str(options.repetitions), "--tests", tests,
                             "--patience", "0", "-o", "json"]))
    return {test["test"]: (test["values"], test.get("percent_of_limit")) for test in report["tests"]}


def llama(options, threads):
    result = json.loads(run([options.llbench, options.gguf, str(threads), str(options.repetitions)]).strip().splitlines()[-1])
    return {"pp512": (result["pp512"], None), "tg128@d128": (result["tg"], None)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help="a Hugging Face folder")
    parser.add_argument("--rt", required=True)
    parser.add_argument("--llbench")
    parser.add_argument("--gguf", help="the same weights for --llbench")
    parser.add_argument("--threads", default="1,2,4,8", help="numbers of threads, separated by commas")
    parser.add_argument("--depths", default="", help="tokens before the ones measured, separated by commas")
    parser.add_argument("--repetitions", type=int, default=3, help="of every condition and round")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if (options.llbench is None) != (options.gguf is None):
        parser.error("--llbench and --gguf belong together")
    conditions = [(f"{threads} threads", int(threads), False) for threads in options.threads.split(",")]
    conditions.append((f"{os.cpu_count()} threads, a busy neighbour", os.cpu_count(), True))
    found = {}

    def add(engine, condition, results):
        for test, (values, limit) in results.items():
            entry = found.setdefault((engine, condition, test), ([], []))
            entry[0].extend(values)
            entry[1].extend([] if limit is None else [limit])

    for current in range(options.rounds):
        for name, threads, neighbour in conditions:
            print(f"round {current + 1} of {options.rounds}: {name}", file=sys.stderr)
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if neighbour else None
            try:
                add("rt", name, rt(options, threads, "pp512,tg128@d128"))
                if options.llbench:
                    add("llama.cpp", name, llama(options, threads))
            finally:
                if busy:
                    busy.kill()
                    busy.wait()
        for depth in filter(None, options.depths.split(",")):
            print(f"round {current + 1} of {options.rounds}: depth {depth}", file=sys.stderr)
            add("rt", f"{os.cpu_count()} threads, depth {depth}", rt(options, os.cpu_count(), f"pp512@d{depth},tg32@d{depth}"))
    print("| engine | condition | test | tok/s, median (spread) | % of limit |")
    print("|---|---|---|---|---|")
    for (engine, condition, test), (values, limits) in found.items():
        print(f"| {engine} | {condition} | {test} | {statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f}) | "
              f"{round(statistics.median(limits)) if limits else ''} |")


main()
