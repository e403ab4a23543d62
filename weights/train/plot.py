"""Draws ../accuracy.svg: python3 plot.py RESULTS PLAIN, of rt eval's results.json of these weights and of the stage `plain`."""
import json
import os
import sys

WIDTH, HEIGHT, LEFT, TOP = 360, 210, 52, 46
INK, MUTED, GRID = "#24292f", "#6e7781", "#d8dee4"
TUNED, PLAIN = "#0969da", "#bc4c00"


def curve(results, method):
    """Accuracy at every layer or step, mean over tasks."""
    found = [c for c in results["rt"]["curves"] if c["method"] == method and c["control"] is None]
    return found[0]["at"], [sum(c["accuracy"][i] for c in found) / len(found) for i in range(len(found[0]["at"]))]


def accuracy(results, method):
    names = {task["name"] for task in results["rt"]["tasks"]}
    rows = [row["accuracy"] for row in results["rt"]["rows"] if row["task"] in names and row["method"] == method]
    return sum(rows) / len(rows)


def text(x, y, words, colour=INK, size=12, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">{words}</text>'


def panel(x0, title, axis, at, curves, levels):
    """One pair of axes; curves are (name, colour, values), levels are (name, value)."""
    left, right, top, bottom = x0 + LEFT, x0 + LEFT + WIDTH, TOP, TOP + HEIGHT
    x = lambda i: left + 14 + (WIDTH - 28) * i / (len(at) - 1)
    y = lambda value: bottom - HEIGHT * value
    parts = [text(left, top - 20, title, size=14)]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="{GRID}"/>')
        parts.append(text(left - 8, y(tick) + 4, f"{tick:g}", MUTED, anchor="end"))
    for i, value in enumerate(at):
        parts.append(text(x(i), bottom + 18, value, MUTED, anchor="middle"))
    parts.append(text((left + right) / 2, bottom + 38, axis, MUTED, anchor="middle"))
    for name, value in levels:
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{MUTED}" stroke-dasharray="5 4"/>')
        parts.append(text(right, y(value) - 5, f"{name} {value:.2f}", MUTED, anchor="end"))
    for row, (name, colour, values) in enumerate(curves):
        points = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(i):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for i, value in enumerate(values)]
        parts.append(text(right - 4, y(0.78) + 18 * row, name, colour, anchor="end"))
    return parts


def main():
    tuned, plain = (json.load(open(path)) for path in sys.argv[1:3])
    levels = [("few-shot", accuracy(tuned, "icl")), ("zero-shot", accuracy(tuned, "zero-shot"))]
    layers, by_layer = curve(tuned, "task-vector")
    steps, by_step = curve(tuned, "deep-thinking")
    width, height = 2 * (LEFT + WIDTH) + 24, TOP + HEIGHT + 54
    parts = [f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    parts += panel(0, f"Task vectors: accuracy of zero-shot prompts, {len(tuned['rt']['tasks'])} tasks", "layer the vector is written at", layers,
                   [("these weights", TUNED, by_layer), ("before the task-vector loss", PLAIN, curve(plain, "task-vector")[1])], levels)
    parts += panel(LEFT + WIDTH + 12, "Deep-Thinking: accuracy behind kept keys and values", "step T (T = 1 is few-shot)", steps,
                   [("these weights", TUNED, by_step)], levels)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "accuracy.svg"), "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">\n')
        file.write("\n".join(parts) + "\n</svg>\n")


main()
