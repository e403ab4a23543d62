"""Trains the model of weights/: python3 train.py OUT [--tokens MILLIONS] [--seed S] [--resume STATE] [--task-vectors LAYER]. See README.md."""
import argparse
import json
import math
import os
import time

import numpy
import torch
import torch.nn.functional as F

import model
import tasks
import tokens

# Tokens per step; rows are short at first and long at the end.
TOKENS = 6144
SHORT, LONG, LONG_FROM = 128, 256, 0.7


class Batches:
    """Rows packed with documents; a document sees itself only."""

    def __init__(self, seed, encode, progress, lists=0.0):
        self.source, self.encode, self.progress, self.lists = tasks.Source(seed), encode, progress, lists
        self.easy = sorted(tasks.LISTS) + list(tasks.RULES)

    def document(self):
        """Lines of one task, perhaps repeated: pieces and the weight of each as a target."""
        r = self.source.random
        kind = r.random()
        focus = self.lists > 0 and r.random() < self.lists
        form = r.choices(tasks.FORMATS, (0.5, 0.2, 0.15, 0.15))[0]
        if kind < (0.3 if focus else 0.12):
            draw, name = self.source.classification(), "classification"
            form = "example" if form == "named" else form
        elif not focus and kind < 0.2:
            draw, name = self.source.recall(), "recall"
            form = "example" if form == "named" else form
        else:
            # Rules first, facts after: facts outnumber rules and need many more repetitions.
            easy = r.random() < max(0.15, 0.7 - 1.2 * self.progress())
            name = r.choice(sorted(tasks.LISTS) if focus else self.easy if easy else tasks.NAMES)
            draw = lambda: self.source.pair(name, form)
        count = r.choice((1, 2, 4, 6, 8, 12, 16, 24))
        blank = r.random() < 0.15
        lines = [tasks.line(form, name, *draw(), blank) for _ in range(count)]
        if r.random() < 0.25 and count > 1:
            # A second (third) pass over the same demonstrations, then new ones.
            lines = lines[: max(1, count // 2)] * r.choice((2, 3)) + lines[count // 2:]
        pieces, weights = [], []
        for text, answer in lines:
            pieces += text
            weights += [1.0 if i == answer else 0.05 for i in range(len(text))]
        return pieces, weights

    def next(self):
        length = LONG if self.progress() >= LONG_FROM else SHORT
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


def task_vector_loss(net, source, encode, layer, count=4, queries=6):
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--tokens", type=float, default=36, help="millions of tokens")
    parser.add_argument("--until", type=float, help="stops after so many millions of tokens, in the middle of the schedule")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--resume")
    parser.add_argument("--task-vectors", type=int, help="adds the task-vector loss at this layer")
    parser.add_argument("--lists", type=float, default=0.0, help="share of documents on lists and arbitrary labels, which are learned last")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    os.makedirs(options.out, exist_ok=True)
    encode = tokens.Encoder(tokens.write(options.out))
    size = len(json.load(open(f"{options.out}/tokenizer.json"))["model"]["vocab"])
    net = model.Decoder(size, options.width, options.layers, options.width // 32, 4 * options.width)
    if options.resume:
        net.load_state_dict(torch.load(options.resume))
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.05)
    log = open(f"{options.out}/log.jsonl", "a")

    def note(**fields):
        log.write(json.dumps(fields) + "\n")
        log.flush()
        print(fields, flush=True)

    start, seen, step = time.time(), 0, 0
    progress = lambda: min(1.0, seen / (1e6 * options.tokens))
    batches = Batches(options.seed if not options.resume else options.seed + 1000, encode, (lambda: 1.0) if options.resume else progress, options.lists)
    note(parameters=sum(p.numel() for p in net.parameters()), vocabulary=size, torch=torch.__version__, **vars(options))
    total, answer_loss, vector_loss, last = 0.0, 0.0, 0.0, time.time()
    while progress() < 1 and (options.until is None or seen < 1e6 * options.until):
        done = progress()
        warm = min(1.0, (step + 1) / 100)
        rate = options.rate * warm * (1 if done < 0.3 else 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * (done - 0.3) / 0.7)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids, weights, documents = batches.next()
        mask = net.causal(ids.shape[1] - 1, documents[:, :-1])
        x = net.run(net.embed(ids[:, :-1]), mask)
        target, weight = ids[:, 1:].reshape(-1), weights[:, 1:].reshape(-1)
        # The head, the dearest product, runs on answers and one in eight of the other tokens.
        chosen = ((weight == 1) | ((weight > 0) & (torch.rand_like(weight) < 0.125))).nonzero()[:, 0]
        losses = F.cross_entropy(net.logits(x.reshape(-1, x.shape[-1])[chosen]), target[chosen], reduction="none")
        share = torch.where(weight[chosen] == 1, 1.0, 0.4)
        loss = (losses * share).sum() / share.sum()
        if options.task_vectors is not None:
            extra = task_vector_loss(net, batches.source, encode, options.task_vectors)
            vector_loss += extra.item()
            loss = loss + extra
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step, seen = step + 1, seen + TOKENS
        total += loss.item()
        answer_loss += losses[weight[chosen] == 1].mean().item()
        if step % 100 == 0:
            note(step=step, minutes=round((time.time() - start) / 60, 2), tokens=seen, loss=round(total / 100, 4), answers=round(answer_loss / 100, 4),
                 vectors=round(vector_loss / 100, 4), rate=round(rate, 6), tokens_per_second=round(100 * TOKENS / (time.time() - last)))
            total, answer_loss, vector_loss, last = 0.0, 0.0, 0.0, time.time()
        if options.lists and step % 100 == 0:
            note(step=step, lists=summary(evaluate(net, encode, 7, 12, names=sorted(tasks.LISTS))))
            last = time.time()
        if step % 500 == 0:
            torch.save(net.state_dict(), f"{options.out}/state.pt")
            note(step=step, held_out=summary(evaluate(net, encode, 7, 8)))
            last = time.time()
    torch.save(net.state_dict(), f"{options.out}/state.pt")
    net.export(options.out)
    result = evaluate(net, encode, 11, 20)
    note(held_out=summary(result))
    with open(f"{options.out}/accuracy.json", "w") as f:
        json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
