// Draws the report from the data in the page. Text from the data goes in as text nodes only.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rt = data.rt;
  const MEAN = "\u0000mean";
  const OVERLAY = "\u0000overlay";
  const byId = id => document.getElementById(id);
  const fixed = (value, digits) => value === null || value === undefined ? "" : value.toFixed(digits);
  const signed = (value, digits = 3) => value === null ? "" : (value >= 0 ? "+" : "\u2212") + Math.abs(value).toFixed(digits);
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const redraws = [];

  function element(tag, text, className) {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    if (className) node.className = className;
    return node;
  }

  function hide(section) {
    byId(section).hidden = true;
  }

  function fill(select, options, chosen) {
    for (const [value, label] of options) {
      const option = element("option", label);
      option.value = value;
      option.selected = value === chosen;
      select.append(option);
    }
  }

  function header(table, names) {
    const row = element("tr");
    for (const name of names) row.append(name instanceof Node ? name : element("th", name));
    const head = element("thead");
    head.append(row);
    table.replaceChildren(head);
    const body = element("tbody");
    table.append(body);
    return body;
  }

  // ---- header

  const model = rt.model;
  byId("title").textContent = `rt eval: ${model.name}`;
  const when = data.date ? new Date(data.date * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC" : "";
  byId("about").textContent = [
    `${model.model_type}, ${model.layers} layers, hidden size ${model.hidden_size}, ${model.dtype}, on ${model.device}`,
    `${rt.tasks.length} tasks, seeds ${rt.settings.seeds.join(", ")}, ${rt.settings.draw.shots} shots`,
    data.seconds ? `${data.seconds.toFixed(0)} s of measuring` : "", when,
  ].filter(Boolean).join(" \u00b7 ");

  // ---- summary: tasks by methods

  const plain = rt.rows.filter(row => !row.control && !row.task.includes("\u2190"));
  const means = plain.filter(row => row.task.startsWith("mean of "));
  const perTask = plain.filter(row => !row.task.startsWith("mean of "));
  const columns = [...new Set(perTask.map(row => row.method))].filter(method => !/\(oracle\)|selection-only|demonstrations x/.test(method));
  const taskNames = [...new Set(perTask.map(row => row.task))];
  const find = (task, method) => perTask.find(row => row.task === task && row.method === method);
  const largest = (task, sign) => Math.max(...columns.map(method => {
    const difference = find(task, method)?.difference_from_icl;
    return difference && method !== "zero-shot" ? sign * difference.value : -Infinity;
  }));

  function summaryCell(row) {
    const cell = element("td", null, "cell");
    if (!row) return cell;
    cell.append(element("span", `${fixed(row.accuracy, 3)} `), element("span", row.stderr === null ? "" : `\u00b1 ${fixed(row.stderr, 3)}`, "quiet"));
    if (row.at.length && row.choice !== "fixed") cell.append(element("span", ` @ ${[...new Set(row.at)].join(", ")}`, "quiet"));
    const track = element("div", null, "track");
    const bar = element("div");
    bar.style.width = `${100 * row.accuracy}%`;
    track.append(bar);
    cell.append(track);
    const difference = row.difference_from_icl;
    if (difference) {
      const sure = difference.low !== null && (difference.low > 0 || difference.high < 0);
      cell.append(element("div", `${signed(difference.value)} [${signed(difference.low)}, ${signed(difference.high)}]`,
        "difference" + (sure ? difference.value > 0 ? " up" : " down" : "")));
    }
    return cell;
  }

  function drawSummary() {
    const body = header(byId("summary-table"), ["task", "n", ...columns]);
    const order = byId("sort").value;
    const key = {
      run: () => 0,
      name: null,
      change: task => -Math.max(largest(task, 1), largest(task, -1)),
      gain: task => -largest(task, 1),
      loss: task => -largest(task, -1),
      icl: task => -(find(task, "icl")?.accuracy ?? 0),
    }[order];
    const sorted = key ? [...taskNames].sort((a, b) => key(a) - key(b)) : [...taskNames].sort();
    const add = (name, rows, className) => {
      const line = element("tr", null, className);
      line.append(element("th", name), element("td", rows[0] ? String(rows[0].n) : "", "number"));
      for (const method of columns) line.append(summaryCell(rows.find(row => row.method === method)));
      body.append(line);
    };
    if (means.length) add(means[0].task, means.filter(row => row.task === means[0].task), "mean");
    for (const task of sorted) add(task, perTask.filter(row => row.task === task));
  }

  if (perTask.length) {
    const hasIcl = columns.includes("icl") && columns.length > 1;
    fill(byId("sort"), [
      ...(hasIcl ? [["change", "largest difference from icl"], ["gain", "largest gain over icl"], ["loss", "largest loss against icl"], ["icl", "icl accuracy"]] : []),
      ["run", "order of the run"], ["name", "name"],
    ], hasIcl ? "change" : "run");
    byId("sort").addEventListener("change", drawSummary);
    drawSummary();
  } else hide("summary");

  // ---- plots

  const plots = new Map();

  function draw(id, options, values) {
    const place = byId(id);
    plots.get(id)?.destroy();
    place.replaceChildren();
    const width = Math.max(280, place.clientWidth);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 0.5 }, ticks: { stroke: colour("--line") } };
    const plot = new uPlot({
      width,
      height: options.height ?? 340,
      scales: { x: { time: false, range: options.xRange }, y: { range: options.yRange ?? [0, 1] } },
      axes: [{ ...axis, label: options.x, incrs: options.whole ? [1, 2, 5, 10, 20, 50] : undefined }, { ...axis, label: options.y, size: 60 }],
      cursor: { drag: { x: false, y: false } },
      series: [{ label: options.x }, ...options.series],
      bands: options.bands ?? [],
    }, values, place);
    plots.set(id, plot);
  }

  const styles = [
    ["deep-thinking", null, "--think", "deep-thinking"], ["selection-only", null, "--select", "selection-only (orders, no thinking)"],
    ["deep-thinking", "shuffled-labels", "--shuffle", "deep-thinking, shuffled labels"], ["deep-thinking", "random-weights", "--random", "deep-thinking, random weights"],
    ["task-vector", null, "--vector", "task vector"], ["task-vector", "shuffled-labels", "--shuffle", "task vector, shuffled labels"],
    ["task-vector", "random-weights", "--random", "task vector, random weights"],
  ];

  function curvesOf(task, axes) {
    const chosen = rt.curves.filter(curve => axes.includes(curve.axis) && (task === MEAN ? taskNames.includes(curve.task) : curve.task === task));
    return styles.flatMap(([method, control, stroke, label]) => {
      const own = chosen.filter(curve => curve.method === method && curve.control === control);
      if (!own.length) return [];
      const at = own[0].at;
      return [{
        label, stroke, at,
        accuracy: at.map((_, i) => mean(own.map(curve => curve.accuracy[i]))),
        stderr: at.map((_, i) => Math.sqrt(own.reduce((sum, curve) => sum + (curve.stderr[i] ?? 0) ** 2, 0)) / own.length),
        dev: !control && own.every(curve => curve.dev_accuracy.length) ? at.map((_, i) => mean(own.map(curve => curve.dev_accuracy[i]))) : null,
      }];
    });
  }

  function levels(task) {
    return [["icl", "--icl"], ["zero-shot", "--zero"]].flatMap(([method, stroke]) => {
      const rows = perTask.filter(row => row.method === method && (task === MEAN || row.task === task));
      return rows.length ? [{ label: method, stroke, value: mean(rows.map(row => row.accuracy)) }] : [];
    });
  }

  function drawCurves(id, task, axes, x) {
    if (task === OVERLAY) return drawOverlay(id, axes, x);
    const curves = curvesOf(task, axes);
    const at = curves[0].at;
    const [series, values, bands] = [[], [at], []];
    const show = (_, value) => value === null ? "" : value.toFixed(3);
    for (const curve of curves) {
      const stroke = colour(curve.stroke);
      values.push(curve.accuracy, curve.accuracy.map((value, i) => value + curve.stderr[i]), curve.accuracy.map((value, i) => value - curve.stderr[i]));
      const own = series.length + 1;
      series.push({ label: curve.label, stroke, width: 2.5, points: { size: 6, fill: stroke }, value: show },
        { label: "high", class: "band", stroke: "transparent", points: { show: false } }, { label: "low", class: "band", stroke: "transparent", points: { show: false } });
      bands.push({ series: [own + 1, own + 2], fill: stroke + "26" });
      if (curve.dev) {
        values.push(curve.dev);
        series.push({ label: `${curve.label}: dev`, stroke, width: 1.2, dash: [5, 5], points: { show: false }, value: show });
      }
    }
    for (const level of levels(task)) {
      values.push(at.map(() => level.value));
      series.push({ label: level.label, stroke: colour(level.stroke), width: 1.5, dash: level.label === "icl" ? [10, 4] : [2, 4], points: { show: false }, value: show });
    }
    draw(id, { x, y: "accuracy", series, bands, whole: true }, values);
  }

  function drawOverlay(id, axes, x) {
    const method = axes.includes("step") ? "deep-thinking" : "task-vector";
    const curves = rt.curves.filter(curve => curve.method === method && !curve.control && taskNames.includes(curve.task));
    const show = (_, value) => value === null ? "" : value.toFixed(3);
    const series = curves.map((curve, i) => ({
      label: curve.task, stroke: `hsl(${Math.round(360 * i / curves.length)} 65% ${isDark() ? 65 : 40}%)`, width: 1.3, points: { show: false }, value: show,
    }));
    series.push({ label: "mean of tasks", stroke: colour("--fore"), width: 3.5, points: { show: false }, value: show });
    const at = curves[0].at;
    draw(id, { x, y: "accuracy", series, whole: true, height: 420 }, [at, ...curves.map(curve => curve.accuracy), at.map((_, i) => mean(curves.map(curve => curve.accuracy[i])))]);
  }

  function curveSection(section, select, plot, method, axes, x) {
    const tasks = [...new Set(rt.curves.filter(curve => curve.method === method && taskNames.includes(curve.task)).map(curve => curve.task))];
    if (!tasks.length) return hide(section);
    fill(byId(select), [...(tasks.length > 1 ? [[MEAN, `mean of ${tasks.length} tasks`], [OVERLAY, "all tasks, one line each"]] : []), ...tasks.map(task => [task, task])], MEAN);
    const redraw = () => drawCurves(plot, byId(select).value, axes, x);
    byId(select).addEventListener("change", redraw);
    redraws.push(redraw);
  }

  curveSection("by-step", "step-task", "step-plot", "deep-thinking", ["step", "order"], "step");
  curveSection("by-layer", "layer-task", "layer-plot", "task-vector", ["layer"], "layer");

  // ---- heat maps

  function heat(table, rows, columnNames, rowNames, low, high, digits, corner) {
    const top = [element("th", corner), ...columnNames];
    const body = header(table, top);
    rows.forEach((row, i) => {
      const line = element("tr");
      line.append(element("th", rowNames[i]));
      for (const value of row) {
        const cell = element("td", value === null ? "\u2013" : digits(value), value === null ? "empty" : "");
        if (value !== null) {
          const share = high > low ? (value - low) / (high - low) : 0;
          const [from, to] = ["--heat-low", "--heat-high"].map(name => colour(name).split(" ").map(Number));
          const mixed = from.map((channel, k) => Math.round(channel + (to[k] - channel) * share));
          cell.style.background = `rgb(${mixed.join(" ")})`;
          cell.style.color = 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2] > 140 ? "#10151a" : "#ffffff";
        }
        line.append(cell);
      }
      body.append(line);
    });
  }

  const short = value => value === 0 ? "0" : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(2);

  function drawNorms() {
    const chosen = byId("norm-task").value;
    const own = rt.gradient_norms.filter(norms => chosen === MEAN || norms.task === chosen);
    for (const [id, part] of [["norm-key", "key"], ["norm-value", "value"]]) {
      const steps = own[0][part].length;
      const layers = own[0][part][0].length;
      // Rows are layers, the last on top; columns are steps from the first that has a G.
      const rows = Array.from({ length: layers }, (_, i) => Array.from({ length: steps - 1 }, (_, step) => mean(own.map(norms => norms[part][step + 1][layers - 1 - i]))));
      const values = rows.flat();
      heat(byId(id), rows, Array.from({ length: steps - 1 }, (_, step) => String(step + 2)), rows.map((_, i) => `layer ${layers - 1 - i}`),
        Math.min(...values), Math.max(...values), short, "step");
    }
  }

  if (rt.gradient_norms.length && rt.gradient_norms[0].key.length > 1) {
    const tasks = rt.gradient_norms.map(norms => norms.task);
    fill(byId("norm-task"), [...(tasks.length > 1 ? [[MEAN, `mean of ${tasks.length} tasks`]] : []), ...tasks.map(task => [task, task])], MEAN);
    byId("norm-task").addEventListener("change", drawNorms);
    redraws.push(drawNorms);
  } else hide("norms");

  // ---- similarity

  const similarity = rt.similarity;
  if (similarity) {
    byId("similarity-note").textContent = "Cosine between the vectors of different demonstration sets, of one task (within) and of different tasks (between). "
      + "Raw residual vectors share a large common part, so look at the gap between the two.";
    byId("matrix-title").textContent = `Mean cosine at layer ${similarity.layer} (the layer of best mean accuracy)`;
    redraws.push(() => {
      const finite = similarity.matrix.flat().filter(value => value !== null);
      heat(byId("similarity-matrix"), similarity.matrix, similarity.tasks.map(task => element("th", task, "tilted")), similarity.tasks,
        Math.min(...finite), Math.max(...finite), value => value.toFixed(2), "");
      const show = (_, value) => value === null ? "" : value.toFixed(3);
      const curves = [...similarity.within, ...similarity.between].filter(value => value !== null);
      draw("similarity-plot", {
        x: "layer", y: "mean cosine", whole: true, height: 280, yRange: [Math.min(0, ...curves), 1],
        series: [{ label: "within tasks", stroke: colour("--vector"), width: 2.5, value: show }, { label: "between tasks", stroke: colour("--zero"), width: 2.5, value: show }],
      }, [similarity.within.map((_, layer) => layer), similarity.within, similarity.between]);
      const bins = similarity.within_histogram.length;
      const share = counts => {
        const total = counts.reduce((sum, count) => sum + count, 0);
        return counts.map(count => total ? count / total : null);
      };
      const paths = uPlot.paths.bars({ size: [0.95, 100] });
      draw("histogram-plot", {
        x: "cosine", y: "share of pairs", height: 280, yRange: (_, low, high) => [0, high || 1],
        series: [
          { label: "within tasks", stroke: colour("--vector"), fill: colour("--vector") + "66", paths, points: { show: false }, value: show },
          { label: "between tasks", stroke: colour("--zero"), fill: colour("--zero") + "66", paths, points: { show: false }, value: show },
        ],
      }, [Array.from({ length: bins }, (_, i) => similarity.histogram_from + (1 - similarity.histogram_from) * (i + 0.5) / bins), share(similarity.within_histogram), share(similarity.between_histogram)]);
    });
  } else hide("similarity");

  // ---- top tokens

  function drawTokens() {
    const chosen = byId("token-layer").value;
    const body = header(byId("token-table"), ["task", "layer", "top tokens (logit on hover)"]);
    for (const task of rt.top_tokens) {
      const layer = chosen === "best" ? task.layer : Number(chosen);
      const line = element("tr");
      line.append(element("th", task.task), element("td", `${layer}${layer === task.layer ? "*" : ""}`, "number"));
      const cell = element("td");
      for (const token of task.by_layer[layer]) {
        const chip = element("span", token.token, "token");
        chip.title = fixed(token.logit, 3);
        cell.append(chip, " ");
      }
      line.append(cell);
      body.append(line);
    }
  }

  if (rt.top_tokens.length) {
    fill(byId("token-layer"), [["best", "best of each task"], ...rt.top_tokens[0].by_layer.map((_, layer) => [String(layer), `layer ${layer}`])], "best");
    byId("token-layer").addEventListener("change", drawTokens);
    drawTokens();
  } else hide("tokens");

  // ---- all rows

  const fields = [
    ["task", row => row.task], ["method", row => row.method + (row.at.length && row.choice !== "fixed" ? ` (${row.at.join(", ")})` : "")],
    ["n", row => row.n, 0], ["shots", row => row.shots, 0], ["accuracy", row => row.accuracy, 4], ["stderr", row => row.stderr, 4],
    ["clustered", row => row.stderr_clustered, 4], ["sd over seeds", row => row.sd_over_seeds, 4],
    ["\u2212 icl", row => row.difference_from_icl?.value ?? null, 3], ["low", row => row.difference_from_icl?.low ?? null, 3],
    ["high", row => row.difference_from_icl?.high ?? null, 3], ["resampled", row => row.difference_from_icl?.resampled.replace("demonstration ", "") ?? ""],
    ["tokens", row => row.tokens_per_query, 1], ["ms", row => row.ms_per_query, 2],
  ];
  let sorted = { field: -1, down: false };

  function drawAll() {
    const names = fields.map(([name, , digits], i) => {
      const cell = element("th", null, digits === undefined ? "" : "number");
      const button = element("button", name + (sorted.field === i ? sorted.down ? " \u25be" : " \u25b4" : ""));
      button.type = "button";
      button.addEventListener("click", () => {
        sorted = { field: i, down: sorted.field === i ? !sorted.down : digits !== undefined };
        drawAll();
      });
      cell.append(button);
      return cell;
    });
    const body = header(byId("all-table"), names);
    const wanted = byId("filter").value.toLowerCase();
    let rows = rt.rows.filter(row => `${row.task} ${row.method}`.toLowerCase().includes(wanted));
    if (sorted.field >= 0) {
      const value = fields[sorted.field][1];
      rows = [...rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return (x < y ? -1 : x > y ? 1 : 0) * (sorted.down ? -1 : 1);
      });
    }
    for (const row of rows) {
      const line = element("tr");
      for (const [, value, digits] of fields) line.append(element("td", digits === undefined ? value(row) : fixed(value(row), digits), digits === undefined ? "" : "number"));
      body.append(line);
    }
  }

  byId("filter").addEventListener("input", drawAll);
  drawAll();

  // ---- settings

  const settings = header(byId("settings-table"), ["setting", "value"]);
  const flat = { ...rt.settings, ...Object.fromEntries(Object.entries(rt.settings.draw).map(([name, value]) => [`draw: ${name}`, value])) };
  delete flat.draw;
  for (const [name, value] of Object.entries({ ...flat, "model identity": model.identity, "run fingerprint": rt.fingerprint, version: rt.version })) {
    const line = element("tr");
    line.append(element("td", name.replaceAll("_", " ")), element("td", Array.isArray(value) ? value.join(", ") : String(value)));
    settings.append(line);
  }
  const tasks = header(byId("task-table"), ["task", "group", "source"]);
  for (const task of rt.tasks) {
    const line = element("tr");
    line.append(element("td", task.name), element("td", task.group), element("td", task.source));
    tasks.append(line);
  }

  for (const section of document.querySelectorAll("main > section")) {
    if (section.hidden) continue;
    const link = element("a", section.querySelector("h2").textContent);
    link.href = `#${section.id}`;
    byId("contents").append(link);
  }

  // ---- theme and size

  const system = matchMedia("(prefers-color-scheme: dark)");
  function isDark() {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : system.matches;
  }
  const redrawAll = () => redraws.forEach(redraw => redraw());
  byId("theme").addEventListener("click", () => {
    const next = { auto: "light", light: "dark", dark: "auto" }[document.documentElement.dataset.theme ?? "auto"];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    byId("theme").textContent = `Theme: ${next}`;
    redrawAll();
  });
  system.addEventListener("change", redrawAll);
  let pending = 0;
  let known = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === known) return;
    known = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(redrawAll, 120);
  });
  redrawAll();
  document.documentElement.dataset.ready = String(plots.size);
})();
