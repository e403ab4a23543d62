#!/usr/bin/env python3
"""PyTorch on the shapes that `rt bench kernels -o kernels.json` measured, side by side; and decoding of the same checkpoint.

  python3 gpu_peers.py kernels.json [--checkpoint FOLDER --rt-decode decode.json] [-o peers.json]

Every row is measured as the runtime measures it: runs through several sets of operands captured in one CUDA graph, device events around
graph launches, medians. `eager` is the same code without a graph. Needs torch 2.5 or later and nothing else; safetensors are read here.
With --device cpu it runs slowly and without graphs: a test of the script, not a measurement."""
import argparse, json, math, os, statistics, struct, sys, time

import torch
import torch.nn.functional as F

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
CACHE_BYTES = 256 << 20
MOST_SETS = 16
SAMPLE_MS = 3.0


class Clock:
    """Times work on the device: by events where it has them."""

    def __init__(self, device, samples):
        self.cuda = device == "cuda"
        self.samples = samples

    def once(self, work):
        if not self.cuda:
            start = time.perf_counter()
            work()
            return 1e3 * (time.perf_counter() - start)
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    def median_us(self, work, runs_per_call):
        for _ in range(3):
            work()
        calls = max(1, min(2000, int(SAMPLE_MS / max(self.once(work), 1e-3))))

        def sample():
            for _ in range(calls):
                work()
        return statistics.median(1e3 * self.once(sample) / (calls * runs_per_call) for _ in range(self.samples))

    def graphed(self, work):
        """The work as a graph, or the work itself where there are none."""
        if not self.cuda:
            return work
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay


def sizes_of(text):
    return {name: int(value) for name, value in (part.split("=") for part in text.split(","))}


def operands(op, size, dtype, device):
    """One set of operands and what PyTorch calls on them; None where PyTorch has nothing alike."""
    def randn(*shape, dtype=dtype, scale=1.0):
        return torch.randn(*shape, device=device, dtype=torch.float32).mul_(scale).to(dtype)

    def rows_width():
        return randn(size["rows"], size["width"])

    if op == "MatMul":
        x, w = randn(size["rows"], size["in"]), randn(size["out"], size["in"], scale=size["in"] ** -0.5)
        return lambda: F.linear(x, w)
    if op == "Normalize":
        x, w = rows_width(), randn(size["width"])
        return lambda: F.rms_norm(x, (size["width"],), w, 1e-5)
    if op == "AddNormalize":
        x, y, w = rows_width(), rows_width(), randn(size["width"])
        return lambda: F.rms_norm(x.add_(y), (size["width"],), w, 1e-5)
    if op == "MatMulActivate":
        x, w = randn(size["rows"], size["in"]), randn(2 * size["width"], size["in"], scale=size["in"] ** -0.5)

        def gated():
            gate, up = F.linear(x, w).chunk(2, dim=-1)
            return F.silu(gate) * up
        return gated
    if op == "TopK":
        x = rows_width()
        return lambda: torch.topk(x, size["count"], dim=-1)
    if op == "Gate":
        x, up = rows_width(), rows_width()
        return lambda: F.silu(x) * up
    if op == "Activate":
        x = rows_width()
        return lambda: F.silu(x)
    if op == "Add":
        x, y = rows_width(), rows_width()
        return lambda: torch.add(x, y)
    if op == "Copy":
        x, y = rows_width(), rows_width()
        return lambda: y.copy_(x)
    if op == "SoftCap":
        x = rows_width()
        return lambda: 30 * torch.tanh(x / 30)
    if op == "Embed":
        table = randn(size["vocabulary"], size["width"])
        ids = torch.randint(size["vocabulary"], (size["rows"],), device=device)
        return lambda: F.embedding(ids, table)
    if op in ("GatherRows", "PatchRows"):
        x, y = rows_width(), rows_width()
        ids = torch.randperm(size["rows"], device=device)
        return (lambda: torch.index_select(x, 0, ids)) if op == "GatherRows" else (lambda: x.index_copy_(0, ids, y))
    if op == "ArgMax":
        x = rows_width()
        return lambda: torch.argmax(x, dim=-1)
    if op == "LogProbabilities":
        x, w = randn(size["rows"], size["in"]), randn(size["vocabulary"], size["in"], scale=size["in"] ** -0.5)
        ids = torch.randint(size["vocabulary"], (size["rows"], 2), device=device)
        return lambda: torch.log_softmax(F.linear(x, w).float(), dim=-1).gather(1, ids)
    if op == "Attention":
        return attention(size, randn, device)
    if op == "AccumulateMetaGradient":
        return update(size, randn)
    return None


def attention(size, randn, device):
    """Rows see the prefix, what was there, and themselves causally. Prefix and own entries lie in one cache, as a PyTorch user has them."""
    batch, rows, past = size["sequences"], size["rows"], size["start"] + size["prefix"]
    heads, kv_heads, dim = size["heads"], size["kv_heads"], size["head_dim"]
    query = randn(batch, heads, rows, dim)
    key, value = randn(batch, kv_heads, past + rows, dim), randn(batch, kv_heads, past + rows, dim)
    shared = {"enable_gqa": True} if heads != kv_heads else {}
    if past == 0:
        return lambda: F.scaled_dot_product_attention(query, key, value, is_causal=True, **shared)
    if rows == 1:
        return lambda: F.scaled_dot_product_attention(query, key, value, **shared)
    mask = torch.ones(rows, past + rows, dtype=torch.bool, device=device).tril(past)
    return lambda: F.scaled_dot_product_attention(query, key, value, attn_mask=mask, **shared)


def update(size, randn):
    """The update as it is written with tensors: F32 masters, a copy in the storage dtype where that is narrower."""
    shape = (size["kv_heads"], size["length"], size["head_dim"])
    sides = []
    for _ in range(2):
        current = randn(*shape)
        sides.append((current, randn(*shape, dtype=torch.float32), randn(*shape, dtype=torch.float32), torch.empty_like(current)))

    def step():
        for current, kept, velocity, copy in sides:
            gradient = current.float() - kept
            velocity.mul_(0.9).add_(gradient)
            kept.add_(velocity, alpha=0.01)
            if copy.dtype != torch.float32:
                copy.copy_(kept)
    return step


def measure(row, device, clock):
    size, dtype = sizes_of(row["sizes"]), TYPES[row["dtype"]]
    sets = max(1, min(MOST_SETS, CACHE_BYTES // max(1, row["bytes"]) + 1)) if device == "cuda" else 1
    works = [operands(row["op"], size, dtype, device) for _ in range(sets)]
    if works[0] is None:
        return None

    def all_sets():
        for work in works:
            work()
    eager = clock.median_us(all_sets, sets)
    return {"eager_us": eager, "graph_us": clock.median_us(clock.graphed(all_sets), sets) if clock.cuda else eager}


def read_safetensors(folder, device):
    """All tensors of a folder's safetensors files."""
    types = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".safetensors"):
            continue
        with open(os.path.join(folder, name), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            start = file.tell()
            for key, entry in header.items():
                if key == "__metadata__":
                    continue
                begin, end = entry["data_offsets"]
                file.seek(start + begin)
                data = bytearray(file.read(end - begin))
                tensors[key] = torch.frombuffer(data, dtype=types[entry["dtype"]]).view(entry["shape"]).to(device)
    return tensors


class Llama:
    """A plain LLaMA with a static cache: one token at a time, greedy, everything on the device so that a graph can hold a step."""

    def __init__(self, folder, device, capacity):
        with open(os.path.join(folder, "config.json")) as file:
            config = json.load(file)
        if config["model_type"] != "llama":
            sys.exit(f"{folder}: expected a llama checkpoint, found {config['model_type']}")
        self.w = read_safetensors(folder, device)
        self.layers, self.eps = config["num_hidden_layers"], config["rms_norm_eps"]
        self.heads = config["num_attention_heads"]
        self.kv_heads = config.get("num_key_value_heads", self.heads)
        self.dim = config.get("head_dim") or config["hidden_size"] // self.heads
        embedding = self.w["model.embed_tokens.weight"]
        self.head = self.w.get("lm_head.weight", embedding)
        theta = config.get("rope_theta", 10000.0)
        frequencies = theta ** (-torch.arange(0, self.dim, 2, dtype=torch.float64) / self.dim)
        angles = torch.outer(torch.arange(capacity, dtype=torch.float64), frequencies)
        self.cos, self.sin = angles.cos().to(device, embedding.dtype), angles.sin().to(device, embedding.dtype)
        shape = (self.layers, 1, self.kv_heads, capacity, self.dim)
        self.keys, self.values = torch.zeros(shape, device=device, dtype=embedding.dtype), torch.zeros(shape, device=device, dtype=embedding.dtype)
        self.token = torch.zeros(1, dtype=torch.long, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        self.places = torch.arange(capacity, device=device)
        # The projections of a layer side by side, as the runtime and vLLM have them.
        self.qkv = [torch.cat([self.w[f"model.layers.{i}.self_attn.{n}_proj.weight"] for n in "qkv"]) for i in range(self.layers)]
        self.up = [torch.cat([self.w[f"model.layers.{i}.mlp.{n}_proj.weight"] for n in ("gate", "up")]) for i in range(self.layers)]

    def rotate(self, x):
        cos, sin = self.cos[self.position], self.sin[self.position]
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    def step(self):
        x = F.embedding(self.token, self.w["model.embed_tokens.weight"])
        mask = (self.places <= self.position).view(1, 1, 1, -1)
        for i in range(self.layers):
            p = f"model.layers.{i}."
            h = F.rms_norm(x, (x.shape[-1],), self.w[p + "input_layernorm.weight"], self.eps)
            query, key, value = F.linear(h, self.qkv[i]).view(1, -1, self.dim).split([self.heads, self.kv_heads, self.kv_heads], dim=1)
            self.keys[i].index_copy_(2, self.position, self.rotate(key).view(1, self.kv_heads, 1, self.dim))
            self.values[i].index_copy_(2, self.position, value.reshape(1, self.kv_heads, 1, self.dim))
            query = self.rotate(query).view(1, self.heads, 1, self.dim)
            mixed = F.scaled_dot_product_attention(query, self.keys[i], self.values[i], attn_mask=mask, enable_gqa=self.heads != self.kv_heads)
            x = x + F.linear(mixed.reshape(1, -1), self.w[p + "self_attn.o_proj.weight"])
            h = F.rms_norm(x, (x.shape[-1],), self.w[p + "post_attention_layernorm.weight"], self.eps)
            gate, up = F.linear(h, self.up[i]).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, self.w[p + "mlp.down_proj.weight"])
        logits = F.linear(F.rms_norm(x, (x.shape[-1],), self.w["model.norm.weight"], self.eps), self.head)
        self.token.copy_(logits.argmax(dim=-1))
        self.position.add_(1)


def decode(folder, device, clock, tokens=128, depth=128):
    """Tokens per second of `tg128@d128`: eager, and with the step in a graph."""
    with torch.inference_mode():
        model = Llama(folder, device, depth + tokens + 16)
        result = {}
        for name, step in (("eager", model.step), ("graph", clock.graphed(model.step) if clock.cuda else None)):
            if step is None:
                continue
            rates = []
            for _ in range(5):
                model.position.zero_()
                for _ in range(depth):
                    step()

                def run():
                    for _ in range(tokens):
                        step()
                rates.append(1e3 * tokens / clock.once(run))
            result[name] = statistics.median(rates)
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", help="written by rt bench kernels -o")
    parser.add_argument("--checkpoint", help="folder of a llama checkpoint")
    parser.add_argument("--rt-decode", help="written by rt bench FOLDER --tests tg128@d128 -o json")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("-o", "--output", help="also as JSON")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU")
    torch.manual_seed(0)
    clock = Clock(options.device, options.samples)
    with open(options.kernels) as file:
        report = json.load(file)
    name = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    print(f"PyTorch {torch.__version__} on {name}; runtime: {report['device']['description']}\n")
    print("| op | sizes | dtype | rt us | PyTorch graph us | PyTorch eager us | rt / graph |")
    print("|---|---|---|---:|---:|---:|---:|")
    rows = []
    with torch.inference_mode():
        for row in report["rows"]:
            found = measure(row, options.device, clock)
            if found is None:
                continue
            ratio = row["us"] / found["graph_us"]
            rows.append({**{key: row[key] for key in ("op", "sizes", "dtype", "us")}, **found, "ratio": ratio})
            print(f"| {row['op']} | {row['sizes']} | {row['dtype']} | {row['us']:.2f} | {found['graph_us']:.2f} | {found['eager_us']:.2f} | {ratio:.2f} |", flush=True)
    result = {"torch": torch.__version__, "device": name, "rows": rows}
    if rows:
        mean = math.exp(statistics.fmean(math.log(row["ratio"]) for row in rows))
        print(f"\nGeometric mean of rt / PyTorch graph over n = {len(rows)} rows: {mean:.2f} (below 1 the runtime is faster)")
        result["geometric_mean"] = mean
    if options.checkpoint:
        result["decode"] = decode(options.checkpoint, options.device, clock)
        print(f"\nDecode of {options.checkpoint}, 128 tokens at 128, batch 1, tok/s:")
        for kind, rate in result["decode"].items():
            print(f"  PyTorch {kind}: {rate:.1f}")
        if options.rt_decode:
            with open(options.rt_decode) as file:
                tests = json.load(file)["tests"]
            for test in tests:
                print(f"  runtime {test['test']}: {statistics.median(test['values']):.1f}")
    if options.output:
        with open(options.output, "w") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
