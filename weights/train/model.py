"""A GPT-NeoX-shaped decoder in plain PyTorch: layer norms, partial rotary positions, parallel residual, GELU."""
import json
import math

import torch
import torch.nn.functional as F
from torch import nn

ROTARY_SHARE, ROTARY_BASE = 0.5, 500.0


class Block(nn.Module):
    def __init__(self, width, heads, inner, layers):
        super().__init__()
        self.heads, self.head_dim = heads, width // heads
        self.input_layernorm, self.post_attention_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.dense = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        for m in (self.query_key_value, self.dense, self.up, self.down):
            nn.init.zeros_(m.bias)
            nn.init.normal_(m.weight, std=m.in_features ** -0.5)
        for m in (self.dense, self.down):
            nn.init.zeros_(m.weight)

    def look_back(self, distances, sharpness=38.0):
        """Biases by which head i begins by attending `distances[i]` tokens back: rotated, query and key agree best there."""
        turns = frequencies(self.head_dim)
        half = len(turns)
        weight = self.query_key_value.weight.data.view(self.heads, 3, self.head_dim, -1)
        bias = self.query_key_value.bias.data.view(self.heads, 3, self.head_dim)
        for head, distance in enumerate(distances):
            weight[head, :2] *= 0.25
            bias[head, 0, :half] = sharpness ** 0.5
            bias[head, 1, :half] = sharpness ** 0.5 * (turns * distance).cos()
            bias[head, 1, half:2 * half] = sharpness ** 0.5 * (turns * distance).sin()

    def forward(self, x, cos, sin, mask):
        b, t, w = x.shape
        # Rows of the fused projection lie head by head: query, key, value of one head, then the next head's.
        qkv = self.query_key_value(self.input_layernorm(x)).view(b, t, self.heads, 3, self.head_dim).permute(3, 0, 2, 1, 4)
        q, k, v = qkv.reshape(3, b * self.heads, t, self.head_dim).unbind(0)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=self.head_dim ** -0.5)
        y = torch.bmm(scores.softmax(-1), v).view(b, self.heads, t, self.head_dim).transpose(1, 2).reshape(b, t, w)
        return x + self.dense(y) + self.down(F.gelu(self.up(self.post_attention_layernorm(x))))


def frequencies(head_dim):
    """Radians per position of each rotated pair."""
    half = int(head_dim * ROTARY_SHARE) // 2
    return ROTARY_BASE ** (-torch.arange(half) / half)


def rotate(x, cos, sin):
    half = cos.shape[-1]
    a, b = x[..., :half], x[..., half:2 * half]
    return torch.cat((a * cos - b * sin, b * cos + a * sin, x[..., 2 * half:]), -1)


class Decoder(nn.Module):
    def __init__(self, vocabulary, width=128, layers=8, heads=4, inner=512, positions=512):
        super().__init__()
        self.config = dict(vocabulary=vocabulary, width=width, layers=layers, heads=heads, inner=inner, positions=positions)
        self.embed = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embed.weight, std=0.5)
        self.head = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.head.weight, std=width ** -0.5)
        self.blocks = nn.ModuleList(Block(width, heads, inner, layers) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        angle = torch.arange(positions)[:, None] * frequencies(width // heads)[None]
        self.blocks[0].look_back(range(1, heads + 1))
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def causal(self, t, documents=None):
        """What is added to scores: [1 or batch x heads, t, t]; a document sees itself only."""
        mask = torch.full((t, t), -1e9).triu(1)
        if documents is None:
            return mask[None]
        apart = (documents[:, :, None] != documents[:, None, :]) * -1e9 + mask
        return apart.repeat_interleave(self.config["heads"], 0)

    def run(self, x, mask, first=0, last=None):
        """Blocks first..last-1 over a residual stream x [batch, tokens, width]."""
        t = x.shape[1]
        for block in self.blocks[first:last]:
            x = block(x, self.cos[:t], self.sin[:t], mask)
        return x

    def logits(self, x):
        return self.head(self.norm(x))

    def export(self, folder):
        """config.json and model.safetensors (BF16) in the Hugging Face layout of GPTNeoXForCausalLM."""
        c = self.config
        config = {
            "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_act": "gelu", "hidden_size": c["width"],
            "intermediate_size": c["inner"], "num_hidden_layers": c["layers"], "num_attention_heads": c["heads"],
            "max_position_embeddings": c["positions"], "layer_norm_eps": 1e-5, "rotary_pct": ROTARY_SHARE, "rotary_emb_base": ROTARY_BASE,
            "use_parallel_residual": True, "attention_bias": True, "tie_word_embeddings": False, "vocab_size": c["vocabulary"],
            "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "bfloat16",
        }
        with open(f"{folder}/config.json", "w") as f:
            json.dump(config, f, indent=2)
            f.write("\n")
        tensors = {"gpt_neox.embed_in.weight": self.embed.weight, "embed_out.weight": self.head.weight,
                   "gpt_neox.final_layer_norm.weight": self.norm.weight, "gpt_neox.final_layer_norm.bias": self.norm.bias}
        names = {"input_layernorm": "input_layernorm", "post_attention_layernorm": "post_attention_layernorm", "query_key_value": "attention.query_key_value",
                 "dense": "attention.dense", "up": "mlp.dense_h_to_4h", "down": "mlp.dense_4h_to_h"}
        for i, block in enumerate(self.blocks):
            for own, theirs in names.items():
                module = getattr(block, own)
                tensors[f"gpt_neox.layers.{i}.{theirs}.weight"] = module.weight
                tensors[f"gpt_neox.layers.{i}.{theirs}.bias"] = module.bias
        header, data, offset = {"__metadata__": {"format": "pt"}}, [], 0
        for name in sorted(tensors):
            bits = tensors[name].detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
            header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape), "data_offsets": [offset, offset + len(bits)]}
            data.append(bits)
            offset += len(bits)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(f"{folder}/model.safetensors", "wb") as f:
            f.write(len(text).to_bytes(8, "little") + text + b"".join(data))
