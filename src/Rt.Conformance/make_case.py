"""Makes a reference case (inputs and expected values of a checkpoint) with Hugging Face transformers.

    python3 make_case.py MODEL OUT [--dtype float64] [--text "..."] [--ids 1,2,3] [--lengths 5 11 23] [--files copy|link|none]

MODEL is a folder or a hub id. OUT receives config.json and the weights, expected.safetensors and expected.json, which
`rt verify OUT` compares on any device. Needs torch, transformers (4.30 to 5.x) and safetensors; the model is held in memory
in float32 and in float64 (12 bytes per weight).
"""
import argparse
import contextlib
import json
import pathlib
import random
import shutil
import sys

import torch


@contextlib.contextmanager
def float32_means_float64():
    """Modelling code computes rotary tables, norms and softmax in float32 whatever the weights are; here it uses float64."""
    saved = torch.float32, torch.float, torch.Tensor.float, torch.get_default_dtype()
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved[:3]
        torch.set_default_dtype(saved[3])


def with_eager_attention(build, *arguments, **options):
    try:
        return build(*arguments, attn_implementation="eager", **options)
    except (TypeError, ValueError):
        return build(*arguments, **options)  # older releases have no such option, and nothing but eager attention


def load_single(name, revision):
    """The checkpoint in float32 (stored values widened, which is exact)."""
    from transformers import AutoModelForCausalLM
    options = {"revision": revision} if revision else {}
    return with_eager_attention(AutoModelForCausalLM.from_pretrained, name, **options).float().eval()


def in_double(single):
    """The same model built again while float32 means float64, so that its tables are exact too. Run it in the same way."""
    from transformers import AutoModelForCausalLM
    with float32_means_float64():
        model = with_eager_attention(AutoModelForCausalLM.from_config, single.config).to(torch.float64)
        # Parameters only: buffers are tables that this construction has just computed in float64.
        weights = dict(single.named_parameters())
        model.load_state_dict(weights, strict=False)
        for name, parameter in model.named_parameters():
            if name not in weights or not torch.equal(parameter, weights[name].double()):
                raise SystemExit(f"model: parameter {name} was not carried over to float64")
        return model.eval()


def cache_layers(past):
    """[(k, v)] per layer, each [kv_heads, T, head_dim], from a tuple of tuples or any generation of Cache object."""
    if hasattr(past, "key_cache"):
        pairs = list(zip(past.key_cache, past.value_cache))
    elif hasattr(past, "layers"):
        pairs = [(layer.keys, layer.values) for layer in past.layers]
    elif hasattr(past, "to_legacy_cache"):
        pairs = [pair[:2] for pair in past.to_legacy_cache()]
    elif isinstance(past, (tuple, list)) and past:
        pairs = [pair[:2] for pair in past]
    else:
        raise SystemExit(f"cache: expected a tuple or a Cache, found {type(past).__name__}")
    return [heads_first(k, v) for k, v in pairs]


def heads_first(k, v):
    if k.dim() == 4:
        return k[0], v[0]
    if k.dim() == 3:
        return k.transpose(1, 2), v  # BLOOM before 4.47: keys [heads, head_dim, T], values [heads, T, head_dim]
    raise SystemExit(f"cache: expected keys of 3 or 4 axes, found shape {tuple(k.shape)}")


def last_block(model, count):
    """The last of the model's `count` blocks: the block list is the module list of that length."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module) == count]
    if not lists:
        raise SystemExit(f"model: expected a list of {count} blocks, found none")
    return lists[0][-1]


def empty_cache(model):
    """A cache that keeps every position of every layer, where this release and family take one; a model's own may crop to
    its window. Families that still hand out tuples say so by _supports_cache_class, which later releases dropped."""
    try:
        from transformers import DynamicCache
    except ImportError:
        return None
    return DynamicCache() if getattr(model, "_supports_cache_class", True) else None


@torch.no_grad()
def forward(model, ids, past=None, hidden=False):
    return model(input_ids=torch.tensor([ids]), past_key_values=past, use_cache=True, output_hidden_states=hidden,
                 return_dict=True)


def greedy(model, ids, steps, recompute):
    """`steps` argmax tokens (the end token does not stop) and the logits each was taken from."""
    ids, tokens, rows = list(ids), [], []
    out = forward(model, ids, empty_cache(model))
    while True:
        rows.append(out.logits[0, -1])
        tokens.append(int(rows[-1].argmax()))
        if len(tokens) == steps:
            return torch.tensor(tokens), torch.stack(rows)
        out = forward(model, ids + tokens, empty_cache(model)) if recompute else forward(model, tokens[-1:], out.past_key_values)


def measure(model, ids, steps):
    """Every quantity of one prompt by its name in the file."""
    caught = []
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    hook = last_block(model, config.num_hidden_layers).register_forward_hook(
        lambda module, inputs, output: caught.append(output[0] if isinstance(output, (tuple, list)) else output))
    try:
        out = forward(model, ids, empty_cache(model), hidden=True)
    finally:
        hook.remove()
    values = {"logits": out.logits[0], "last_block_out": caught[0].reshape(len(ids), -1)}
    for i, state in enumerate(out.hidden_states):
        values[f"hidden.{i}"] = state[0]
    for layer, (k, v) in enumerate(cache_layers(out.past_key_values)):
        if k.shape[1] != len(ids):
            raise SystemExit(f"cache of layer {layer}: expected {len(ids)} positions, found {k.shape[1]}")
        values[f"k.{layer}"], values[f"v.{layer}"] = k.clone(), v.clone()
    values["greedy"], values["greedy_logits"] = greedy(model, ids, steps, recompute=False)
    values["greedy_recompute"], values["greedy_recompute_logits"] = greedy(model, ids, steps, recompute=True)
    return values


def differences(exact, single):
    """Largest difference per kind of quantity; greedy logits up to the first token chosen otherwise."""
    worst = {}
    for name, value in exact.items():
        if not value.is_floating_point():
            continue
        other = single[name].double()
        if name.startswith("greedy"):
            tokens = name[:-len("_logits")]
            same = int((exact[tokens] == single[tokens]).long().cumprod(0).sum()) + 1
            value, other = value[:same], other[:same]
        kind = name.split(".")[0]
        worst[kind] = max(worst.get(kind, 0.0), float((value.double() - other).abs().max()))
    return worst


def smallest_gap(rows):
    top = rows.topk(2).values
    return float((top[:, 0] - top[:, 1]).min())


def prompts_of(options, vocabulary):
    """Token ids per prompt: --ids and --text as given, else random ones of the lengths asked for."""
    prompts = [[int(part) for part in text.split(",")] for text in options.ids]
    if options.text:
        from transformers import AutoTokenizer
        tokenizer = AutoTokenizer.from_pretrained(options.model, **({"revision": options.revision} if options.revision else {}))
        prompts += [list(tokenizer(text)["input_ids"]) for text in options.text]
    if not prompts:
        chance = random.Random(options.seed)
        prompts = [[chance.randrange(vocabulary) for _ in range(length)] for length in options.lengths]
    for ids in prompts:
        if not ids or min(ids) < 0 or max(ids) >= vocabulary:
            raise SystemExit(f"prompt: expected token ids of 0..{vocabulary - 1}, found {ids}")
    return prompts


def place_weights(options, model, out):
    """config.json and safetensors weights beside the expected values; converted when the checkpoint has none."""
    if options.files == "none":
        return
    source = pathlib.Path(options.model)
    if not source.is_dir():
        from huggingface_hub import snapshot_download
        source = pathlib.Path(snapshot_download(options.model, revision=options.revision,
                                                allow_patterns=["config.json", "*.safetensors", "*.safetensors.index.json"]))
    index = source / "model.safetensors.index.json"
    if index.exists():
        names = [index, *(source / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values())))]
    elif (source / "model.safetensors").exists():
        names = [source / "model.safetensors"]
    else:
        model.save_pretrained(out, safe_serialization=True)
        return
    for name in [source / "config.json", *names]:
        target = out / name.name
        if target.exists() and target.samefile(name):
            continue
        target.unlink(missing_ok=True)
        if options.files == "link":
            target.symlink_to(name.resolve())
        else:
            shutil.copyfile(name, target)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--revision")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--ids", action="append", default=[], help="token ids, separated by commas")
    parser.add_argument("--lengths", type=int, nargs="+", default=[5, 11, 23])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--files", choices=("copy", "link", "none"), default="copy")
    options = parser.parse_args(arguments)
    import transformers
    from safetensors.torch import save_file

    single = load_single(options.model, options.revision)
    prompts = prompts_of(options, single.get_input_embeddings().num_embeddings)
    rough = [measure(single, ids, options.steps) for ids in prompts]
    double = in_double(single)
    with float32_means_float64():
        exact = [measure(double, ids, options.steps) for ids in prompts]
    worst = {}
    for pair in zip(exact, rough):
        for kind, value in differences(*pair).items():
            worst[kind] = max(worst.get(kind, 0.0), value)
    stale = max(float((e["greedy_logits"] - e["greedy_recompute_logits"]).abs().max()) for e in exact)
    chosen = exact if options.dtype == "float64" else rough
    stored, described = {}, {}
    for i, (ids, values) in enumerate(zip(prompts, chosen)):
        stored[f"p{i}.input_ids"] = torch.tensor(ids)
        for name, value in values.items():
            if "recompute" not in name or stale > 1e-9:
                stored[f"p{i}.{name}"] = value.to(torch.float32 if value.is_floating_point() else torch.int64).contiguous().clone()
        described[f"p{i}"] = {"length": len(ids), "input_ids": ids, "greedy": values["greedy"].tolist(),
                              "greedy_min_gap_top1_top2": round(smallest_gap(values["greedy_logits"]), 4)}
    options.out.mkdir(parents=True, exist_ok=True)
    place_weights(options, single, options.out)
    expected = options.out / "expected.safetensors"
    expected.unlink(missing_ok=True)
    save_file(stored, str(expected))
    report = {
        "family": single.config.model_type, "about": options.model, "model_type": single.config.model_type,
        "prompts": described, "layers": sum(1 for name in chosen[0] if name.startswith("k.")),
        "computed": f"transformers {transformers.__version__}, torch {torch.__version__}, {options.dtype}, eager attention, "
                    "weights = the stored values widened; results rounded to float32",
        "float32_vs_float64_max_abs": {kind: float(f"{value:.3g}") for kind, value in worst.items()},
        "suggested_abs_tolerance": float(f"{8 * max(worst.values()):.3g}"),
        "cached_decode_vs_full_recompute": stale,
        "notes": [] if stale <= 1e-9 else ["Decoding on the cache and running everything again differ: pX.greedy is on the cache, "
                                           "pX.greedy_recompute is not."],
    }
    (options.out / "expected.json").write_text(json.dumps(report, indent=1) + "\n")
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
