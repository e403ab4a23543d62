#!/usr/bin/env python3
"""Decoding speed of several engines that take turns of about a second. Prints one markdown table.

  bench/turns.py "rt=Rt.Bench tokens FOLDER" "llama.cpp=./tokens FILE" [--seconds 1.2] [--turns 60]

Each command decodes one token after another for ever and prints, after each, the monotonic clock in nanoseconds on a line of its own
(`Rt.Bench tokens`; for llama.cpp a loop over llama_decode). All are started, one at a time; then one runs while the others are stopped
(SIGSTOP), in an order that rotates. Whole runs in turn are minutes apart, and a machine whose bandwidth wanders favours one by chance; here
neighbouring turns meet the same conditions. The last column divides each turn's rate by that of the first engine in the same round.
The first two tokens of a turn and pauses between sequences (3.5 times the median token) are not counted."""
import argparse, bisect, contextlib, os, shlex, signal, statistics, subprocess, sys, tempfile, time

WARM_TOKENS = 60


def signal_all(process, which):
    os.killpg(process.pid, which)


def start(name, command, output):
    process = subprocess.Popen(shlex.split(command), stdout=output, start_new_session=True)
    while len(stamps(output)) < WARM_TOKENS:
        if process.poll() is not None:
            sys.exit(f"{name}: the command ended before {WARM_TOKENS} tokens: {command}")
        time.sleep(0.2)
    signal_all(process, signal.SIGSTOP)
    return process


def stamps(output):
    with open(output.name) as lines:
        return [int(line) for line in lines if line.endswith("\n") and line.strip().isdigit()]


def rates(turns, times):
    """Tokens per second of each turn; None where too few were seen."""
    taken = []
    for begin, end in turns:
        first, last = bisect.bisect_left(times, begin) + 2, bisect.bisect_right(times, end)
        taken.append([times[i + 1] - times[i] for i in range(first, last - 1)])
    longest = 3.5 * statistics.median([gap for gaps in taken for gap in gaps] or [0])
    kept = [[gap for gap in gaps if gap < longest] for gaps in taken]
    return [1e9 * len(gaps) / sum(gaps) if gaps else None for gaps in kept]


def quartiles(values):
    values = sorted(values)
    return [values[int(part * (len(values) - 1))] for part in (0.25, 0.5, 0.75)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--seconds", type=float, default=1.2, help="of a turn: twenty tokens at least")
    parser.add_argument("--turns", type=int, default=60, help="of each engine")
    options = parser.parse_args()
    if wrong := [engine for engine in options.engines if "=" not in engine]:
        parser.error(f"{wrong[0]}: expected NAME=COMMAND")
    commands = dict(engine.split("=", 1) for engine in options.engines)
    names = list(commands)
    processes, turns = {}, {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: open(os.path.join(folder, str(i)), "wb") for i, name in enumerate(names)}
        try:
            for name in names:
                processes[name] = start(name, commands[name], outputs[name])
            for turn in range(options.turns):
                shift = turn % len(names)
                for name in names[shift:] + names[:shift]:
                    signal_all(processes[name], signal.SIGCONT)
                    begin = time.monotonic_ns()
                    time.sleep(options.seconds)
                    turns[name].append((begin, time.monotonic_ns()))
                    signal_all(processes[name], signal.SIGSTOP)
            found = {name: rates(turns[name], stamps(outputs[name])) for name in names}
            for name in names:
                if processes[name].poll() is not None or not any(found[name]):
                    sys.exit(f"{name}: no tokens timed in its turns: the command ended, prints another clock, or takes longer than a turn for four tokens")
        finally:
            for process in processes.values():
                with contextlib.suppress(ProcessLookupError):
                    signal_all(process, signal.SIGKILL)
    print(f"| engine | turns | tok/s, median (quartiles) | mean | beside {names[0]} (quartiles) |\n|---|---|---|---|---|")
    for name in names:
        seen = [rate for rate in found[name] if rate]
        low, middle, high = quartiles(seen)
        beside = quartiles([rate / first for rate, first in zip(found[name], found[names[0]]) if rate and first])
        print(f"| {name} | {len(seen)} | {middle:.1f} ({low:.1f}-{high:.1f}) | {statistics.mean(seen):.1f} | {beside[1]:.2f} ({beside[0]:.2f}-{beside[2]:.2f}) |")


if __name__ == "__main__":
    main()
