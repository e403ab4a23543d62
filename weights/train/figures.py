"""Prints the tables of ../README.md: python3 figures.py RESULTS [FOLDER...], of rt eval's results.json and of training folders."""
import json
import math
import os
import sys

METHODS = ("zero-shot", "icl", "deep-thinking, step 5", "deep-thinking, step by dev", "task-vector, layer 3", "task-vector, layer by dev")
GROUPS = ("algorithmic", "linguistic", "knowledge", "translation", "classification", "classification, unseen words")


def mean(rows):
    """Mean over tasks, each counting the same, and its standard error."""
    value = sum(row["accuracy"] for row in rows) / len(rows)
    return f"{value:.3f} ± {math.sqrt(sum(row['stderr'] ** 2 for row in rows)) / len(rows):.3f}"


def groups(results):
    group = {task["name"]: task["group"] + (", unseen words" if task["name"].endswith("_unseen") else "") for task in results["rt"]["tasks"]}
    rows = {(row["task"], row["method"]): row for row in results["rt"]["rows"] if row["task"] in group}
    for name in (*GROUPS, "all"):
        tasks = [task for task in group if name in ("all", group[task])]
        cells = [mean([rows[task, method] for task in tasks]) for method in METHODS]
        count = sum(rows[task, METHODS[0]]["n"] for task in tasks)
        print(f"| {name} | {len(tasks)} | {count} | {' | '.join(cells)} |")


def stage(folder):
    log = [json.loads(line) for line in open(os.path.join(folder, "log.jsonl"))]
    last = [line for line in log if "tokens_per_second" in line][-1]
    found = [line["held_out"] for line in log if "held_out" in line][-1]
    print(f"| {os.path.basename(folder.rstrip('/'))} | {last['tokens'] / 1e6:.1f} M | {last['minutes']:.0f} | {found['few']:.3f} | {found['vector'][3]:.3f} |")


if __name__ == "__main__":
    groups(json.load(open(sys.argv[1])))
    for path in sys.argv[2:]:
        stage(path)
