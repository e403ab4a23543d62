"""Trains the model of weights/: python3 train.py OUT [--tokens MILLIONS] [--seed S] [--resume STATE] [--task-vectors LAYER]. See README.md."""
import argparse
import json
import os
import tempfile
import time

import numpy
import torch
import torch.distributed as dist
import torch.nn.functional as F

import model
import tasks
import tokens

# Tokens per step and worker; rows are short at first and long at the end.
TOKENS = 1280
SHORT, LONG, LONG_FROM = 128, 256, 0.7
# Share of documents of each kind: at first, from SETTLED of all tokens on, and in a stage that goes on from another. What must be looked up in the
# context comes first: the heads that do so form late or never where facts can be learned instead. Lists and the letters of 834 words are learned last.
SHARES = {
    "copy": (0.2, 0.04, 0.02), "classification": (0.2, 0.1, 0.08), "recall": (0.2, 0.06, 0.04), "naming": (0.15, 0.06, 0.06),
    "list": (0.2, 0.14, 0.22), "rule": (0.05, 0.2, 0.08), "spelling": (0.0, 0.0, 0.2), "any": (0.0, 0.4, 0.3),
}
SETTLED = 0.35


class Batches:
    """Rows packed with documents; a document sees itself only."""

    def __init__(self, seed, encode, progress, resumed):
        self.source, self.encode, self.progress, self.resumed = tasks.Source(seed), encode, progress, resumed

    def shares(self):
        """Of the kinds, at this point of the training."""
        done = min(1.0, self.progress() / SETTLED)
        return [goes_on if self.resumed else first + (settled - first) * done for first, settled, goes_on in SHARES.values()]

    def document(self):
        """Pieces of one document and the weight of each as a target: 1 where the answer can be told from what stands before."""
        r = self.source.random
        kind = r.choices(list(SHARES), self.shares())[0]
        if kind == "copy":
            words = self.source.words()
            body = [r.choice(words) for _ in range(r.randint(3, 24))]
            again = r.choice((1, 1, 2, 3))
            return body * (1 + again) + ["\n"], [0.05] * (len(body) + 1) + [1.0] * (len(body) * again - 1) + [0.05]
        if kind == "naming":
            names = [r.choice(sorted(tasks.LISTS) if r.random() < 0.7 else tasks.NAMES) for _ in range(r.choice((2, 4, 8, 12)))]
            lines = [tasks.naming(name, *self.source.pair(name, "example")) for name in names]
            return [p for line, _ in lines for p in line], [1.0 if i == answer else 0.05 for line, answer in lines for i in range(len(line))]
        form = r.choices(tasks.FORMATS, (0.5, 0.2, 0.15, 0.15))[0]
        count = r.choice((1, 2, 4, 6, 8, 12, 16, 24))
        seen_by = None
        if kind in ("classification", "recall"):
            draw = self.source.classification() if kind == "classification" else self.source.recall()
            name, form, count = kind, "example" if form == "named" else form, max(6, count)
            seen_by = (lambda x, y: y) if kind == "classification" else (lambda x, y: x[0])
        else:
            name = r.choice({"list": sorted(tasks.LISTS), "rule": tasks.RULES, "spelling": tasks.SPELLING, "any": tasks.NAMES}[kind])
            draw = lambda: self.source.pair(name, form)
        pairs = [draw() for _ in range(count)]
        if r.random() < 0.25 and count > 1:
            # A second (third) pass over the same demonstrations, then new ones.
            pairs = pairs[: max(1, count // 2)] * r.choice((2, 3)) + pairs[count // 2:]
        blank = r.random() < 0.15
        pieces, weights, seen = [], [], set()
        for x, y in pairs:
            line, answer = tasks.line(form, name, x, y, blank)
            # An arbitrary answer can be told only from what stood there before.
            told = seen_by is None or seen_by(x, y) in seen
            if seen_by:
                seen.add(seen_by(x, y))
            pieces += line
            weights += [1.0 if i == answer and told else 0.05 for i in range(len(line))]
        return pieces, weights

    def next(self):
        length = LONG if self.resumed or self.progress() >= LONG_FROM else SHORT
        shape = TOKENS // length, length + 1
        ids, documents = numpy.zeros(shape, dtype=numpy.int64), numpy.zeros(shape, dtype=numpy.int64)
        weights = numpy.zeros(shape, dtype=numpy.float32)
        for row in range(shape[0]):
            filled, number = 0, 0
            while filled < length + 1:
                pieces, weight = self.document()
                take = min(len(pieces), length + 1 - filled)
                ids[row, filled:filled + take] = self.encode(pieces[:take])
                weights[row, filled:filled + take] = weight[:take]
                weights[row, filled] = 0
                documents[row, filled:filled + take] = number
                filled, number = filled + take, number + 1
        return torch.from_numpy(ids), torch.from_numpy(weights), torch.from_numpy(documents)


def prompts(source, encode, name, shots, count, hidden):
    """Few-shot prompts of equal shape: demonstrations, the query, its answer."""
    rows, answers, zero = [], [], []
    for _ in range(count):
        x, y = source.pair(name, "example", hidden)
        demos = []
        while len(demos) < shots:
            dx, dy = source.pair(name, "example")
            if dx != x:
                demos += [(dx, dy)]
        pieces = [p for d in demos for p in tasks.line("example", name, *d)[0]]
        rows.append(encode(pieces + ["example", ":", *x, "->"]))
        zero.append(encode(["example", ":", *x, "->"]))
        answers.append(encode([y])[0])
    return rows, answers, zero


@torch.no_grad()
def last_states(net, rows):
    """Residual stream of each row's last token after every block, [rows][layers + 1, width]; rows may differ in length."""
    found = []
    for row in rows:
        x = net.embed(torch.tensor([row]))
        mask = net.causal(x.shape[1])
        states = []
        for layer in range(len(net.blocks)):
            x = net.run(x, mask, layer, layer + 1)
            states.append(x[0, -1])
        found.append(torch.stack(states))
    return found


@torch.no_grad()
def evaluate(net, encode, seed, count=30, shots=5, hidden=True, names=None):
    """Accuracy per task: zero-shot, few-shot, and task vectors at every layer."""
    source = tasks.Source(seed)
    result = {}
    for name in names or tasks.NAMES:
        if name in tasks.TABLES and not source.hidden[name]:
            continue
        rows, answers, zero = prompts(source, encode, name, shots, count, hidden)
        dummies, _, _ = prompts(source, encode, name, shots, count, False)
        few = last_states(net, rows)
        vectors = last_states(net, dummies)
        icl = sum(net.logits(s[-1]).argmax().item() == a for s, a in zip(few, answers)) / count
        base = 0
        by_layer = [0] * len(net.blocks)
        for row, answer, vector in zip(zero, answers, vectors):
            x = net.embed(torch.tensor([row]))
            mask = net.causal(x.shape[1])
            for layer in range(len(net.blocks)):
                x = net.run(x, mask, layer, layer + 1)
                patched = x.clone()
                patched[0, -1] = vector[layer]
                by_layer[layer] += net.logits(net.run(patched, mask, layer + 1)[0, -1]).argmax().item() == answer
            base += net.logits(x[0, -1]).argmax().item() == answer
        result[name] = dict(zero=base / count, few=icl, vector=[n / count for n in by_layer])
    return result


def summary(result):
    layers = len(next(iter(result.values()))["vector"])
    mean = lambda pick: sum(pick(r) for r in result.values()) / len(result)
    return dict(zero=round(mean(lambda r: r["zero"]), 3), few=round(mean(lambda r: r["few"]), 3),
                vector=[round(mean(lambda r: r["vector"][l]), 3) for l in range(layers)])


def padded(encoded):
    """Rows of different lengths as one tensor, and the index of each one's last token: what follows it, nothing before it sees."""
    ids = torch.zeros(len(encoded), max(map(len, encoded)), dtype=torch.int64)
    for row, tokens_of_row in enumerate(encoded):
        ids[row, :len(tokens_of_row)] = torch.tensor(tokens_of_row)
    return ids, torch.tensor([len(e) - 1 for e in encoded])


def task_vector_loss(net, source, encode, layer, count=2, queries=6):
    """Loss of zero-shot prompts whose last token's state after block `layer` is replaced by the mean of that of two few-shot prompts
    of the same task, all of it trained together. After arXiv:2501.09240."""
    dummies, zeros, answers = [], [], []
    for name in source.random.sample(tasks.NAMES, count):
        shots = source.random.choice((3, 4, 5, 6, 8))
        dummies += prompts(source, encode, name, shots, 4, False)[0]
        _, a, z = prompts(source, encode, name, 0, queries, False)
        zeros += z
        answers += a
    ids, last = padded(dummies)
    x = net.run(net.embed(ids), net.causal(ids.shape[1]), 0, layer + 1)
    vectors = x[torch.arange(len(dummies)), last].view(count, 2, 2, -1).mean(2).repeat_interleave(queries // 2, 1).flatten(0, 1)
    ids, last = padded(zeros)
    mask = net.causal(ids.shape[1])
    x = net.run(net.embed(ids), mask, 0, layer + 1)
    rows = torch.arange(len(zeros))
    x = net.run(x.index_put((rows, last), vectors), mask, layer + 1)
    return F.cross_entropy(net.logits(x[rows, last]), torch.tensor(answers))


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are made orthogonal (Jordan et al. 2024), for the matrices within blocks."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["mean"] = torch.zeros_like(p)
                mean = state["mean"].mul_(group["momentum"]).add_(p.grad)
                step = orthogonal(p.grad + group["momentum"] * mean)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(step, alpha=-group["lr"] * max(1.0, p.shape[0] / p.shape[1]) ** 0.5)


def orthogonal(g, steps=5):
    """The nearest half-orthogonal matrix, by a quintic Newton-Schulz iteration."""
    x = g / (g.norm() + 1e-7)
    x = x if g.shape[0] <= g.shape[1] else x.T
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    return x if g.shape[0] <= g.shape[1] else x.T


@torch.no_grad()
def probe(net, encode, documents=24, lines=12):
    """Accuracy on the last half of the lines of documents of shown inputs, where the context alone holds the answer."""
    source = tasks.Source(99)
    result = {}
    makers = {"classification": source.classification, "recall": source.recall}
    for name in [*makers, *sorted(tasks.LISTS), "next_letter", "country_capital"]:
        rows, answers = [], []
        for _ in range(documents):
            draw = makers[name]() if name in makers else lambda: source.pair(name, "example")
            pieces, at, seen = [], [], set()
            for i in range(lines):
                x, y = draw()
                text, answer = tasks.line("example", name, x, y)
                if i >= lines // 2 and (name != "recall" or x[0] in seen):
                    at.append(len(pieces) + answer)
                seen.add(x[0])
                pieces += text
            rows.append(encode(pieces))
            answers.append(at)
        ids, _ = padded(rows)
        best = net.logits(net.run(net.embed(ids), net.causal(ids.shape[1]))).argmax(-1)
        hits = [int(best[r, a - 1] == ids[r, a]) for r, at in enumerate(answers) for a in at]
        result[name] = round(sum(hits) / len(hits), 2)
    return result


def share(tensors):
    """Leaves the mean over all workers in each of the tensors."""
    flat = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        t.copy_(part.view_as(t))


def train(worker, options, meeting):
    """One of the workers, each on one core: equal weights, data of its own, the mean of all gradients."""
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=worker, world_size=options.workers)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    vocabulary, _ = tokens.build()
    encode = tokens.Encoder(vocabulary)
    net = model.Decoder(len(vocabulary))
    if options.resume:
        net.load_state_dict(torch.load(options.resume))
    parameters = list(net.parameters())
    inner = lambda name, p: p.ndim == 2 and name.startswith("blocks")
    of = lambda pick: [p for name, p in net.named_parameters() if pick(name, p)]
    optimizers = [Muon(of(inner), lr=options.muon_rate), torch.optim.AdamW([
        {"params": of(lambda name, p: p.ndim == 2 and not inner(name, p)), "weight_decay": 0.05},
        {"params": of(lambda name, p: p.ndim == 1), "weight_decay": 0.0}], lr=options.rate, betas=(0.9, 0.98))]
    groups = [(group, group["lr"]) for optimizer in optimizers for group in optimizer.param_groups]
    log = open(f"{options.out}/log.jsonl", "a") if worker == 0 else None

    def note(**fields):
        if log:
            log.write(json.dumps(fields) + "\n")
            log.flush()
            print(fields, flush=True)

    start, seen, step = time.time(), 0, 0
    progress = lambda: min(1.0, seen / (1e6 * options.tokens))
    seed = 100 * options.seed + worker
    torch.manual_seed(seed)
    batches = Batches(seed, encode, progress, options.resume is not None)
    note(parameters=sum(p.numel() for p in parameters), vocabulary=net.config["vocabulary"], torch=torch.__version__, **vars(options))
    loss_sum, answer_sum, vector_sum, last = 0.0, 0.0, 0.0, time.time()
    while progress() < 1:
        done = progress()
        rate = min(1.0, (step + 1) / 100) * (1 if done < options.steady else 1 - 0.98 * (done - options.steady) / (1 - options.steady))
        for group, full in groups:
            group["lr"] = full * rate
        ids, weights, documents = batches.next()
        mask = net.causal(ids.shape[1] - 1, documents[:, :-1])
        x = net.run(net.embed(ids[:, :-1]), mask)
        target, weight = ids[:, 1:].reshape(-1), weights[:, 1:].reshape(-1)
        # The head, the dearest product, runs on answers and one in eight of the other tokens.
        chosen = ((weight == 1) | ((weight > 0) & (torch.rand_like(weight) < 0.125))).nonzero()[:, 0]
        losses = F.cross_entropy(net.logits(x.reshape(-1, x.shape[-1])[chosen]), target[chosen], reduction="none")
        worth = torch.where(weight[chosen] == 1, 1.0, 0.4)
        loss = (losses * worth).sum() / worth.sum()
        if options.task_vectors is not None:
            extra = task_vector_loss(net, batches.source, encode, options.task_vectors)
            vector_sum += extra.item()
            loss = loss + extra
        for p in parameters:
            p.grad = None
        loss.backward()
        share([p.grad for p in parameters])
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step, seen = step + 1, seen + TOKENS * options.workers
        loss_sum += loss.item()
        answer_sum += losses[weight[chosen] == 1].mean().item()
        if step % 200 == 0:
            note(step=step, minutes=round((time.time() - start) / 60, 2), tokens=seen, loss=round(loss_sum / 200, 4), answers=round(answer_sum / 200, 4),
                 vectors=round(vector_sum / 200, 4), rate=round(rate, 4), tokens_per_second=round(200 * TOKENS * options.workers / (time.time() - last)))
            loss_sum, answer_sum, vector_sum, last = 0.0, 0.0, 0.0, time.time()
        if step % 400 == 0 and worker == 0:
            note(step=step, context=probe(net, encode))
        if step % 2000 == 0 and worker == 0:
            torch.save(net.state_dict(), f"{options.out}/state.pt")
            note(step=step, held_out=summary(evaluate(net, encode, 7, 8)))
    if worker == 0:
        torch.save(net.state_dict(), f"{options.out}/state.pt")
        net.export(options.out)
        result = evaluate(net, encode, 11, 20)
        note(held_out=summary(result))
        with open(f"{options.out}/accuracy.json", "w") as f:
            json.dump(result, f, indent=1)
    dist.barrier()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--tokens", type=float, default=16, help="millions of tokens")
    parser.add_argument("--steady", type=float, default=0.4, help="share of them at the full rate, before it falls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3e-3, help="of AdamW: embedding, head, norms, biases")
    parser.add_argument("--muon-rate", type=float, default=0.02, help="of Muon: the matrices of the blocks")
    parser.add_argument("--resume")
    parser.add_argument("--task-vectors", type=int, help="adds the task-vector loss at this layer")
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    tokens.write(options.out)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(train, (options, f"{folder}/meeting"), options.workers)


if __name__ == "__main__":
    main()
