"""A byte-level BPE in which every word of the lists is one token; written as tokenizer.json in the layout of GPT-2's."""
import collections
import json

import facts
import tasks


def alphabet():
    """The printable stand-in of each byte (Radford et al. 2019)."""
    kept = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {}, 0
    for b in range(256):
        if b in kept:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + extra)
            extra += 1
    return table


BYTES = alphabet()


def spell(word):
    return tuple(BYTES[b] for b in word.encode("utf-8"))


def merges_of(words):
    """Merges, most frequent pair first, until every word is one token; ties by the pair's text."""
    pieces = {word: list(spell(word)) for word in words}
    merges = []
    while True:
        count = collections.Counter()
        for piece in pieces.values():
            for pair in zip(piece, piece[1:]):
                count[pair] += 1
        if not count:
            return merges
        best = min(count, key=lambda pair: (-count[pair], pair))
        merges.append(best)
        for word, piece in pieces.items():
            i, joined = 0, []
            while i < len(piece):
                if i + 1 < len(piece) and (piece[i], piece[i + 1]) == best:
                    joined.append(piece[i] + piece[i + 1])
                    i += 2
                else:
                    joined.append(piece[i])
                    i += 1
            pieces[word] = joined


def build():
    words = sorted(tasks.vocabulary())
    merges = merges_of(words)
    vocabulary = {"<|endoftext|>": 0}
    for b in range(256):
        vocabulary[BYTES[b]] = len(vocabulary)
    for a, b in merges:
        vocabulary.setdefault(a + b, len(vocabulary))
    return vocabulary, merges


def write(folder):
    vocabulary, merges = build()
    added = [{"id": 0, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    with open(f"{folder}/tokenizer.json", "w", encoding="utf-8") as f:
        json.dump({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocabulary, "merges": [f"{a} {b}" for a, b in merges]},
        }, f, ensure_ascii=False, indent=0)
        f.write("\n")
    with open(f"{folder}/tokenizer_config.json", "w", encoding="utf-8") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "bos_token": None,
                   "add_bos_token": False, "add_eos_token": False, "model_max_length": 512}, f, indent=2)
        f.write("\n")
    return vocabulary


class Encoder:
    """Ids of the pieces that prompts are made of; every piece is one token, or is split into single ones beforehand."""

    def __init__(self, vocabulary):
        self.ids = {}
        for token in tasks.vocabulary():
            self.ids[token] = vocabulary["".join(spell(token))]

    def __call__(self, pieces):
        return [self.ids[piece] for piece in pieces]
