"""Write what is measured in docs/recipe.md from the files that the experiments beside this one have kept.

    python bench/recipe/report.py FOLDER [--write]

FOLDER holds pruning*.json, distillation*.json, quantization.json, layerwise.json and batch_norm.json. Without
``--write`` the text goes to the terminal.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments import Spread, gap

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipe.md"
MARK = "<!-- all below is written by bench/recipe/report.py -->"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])


def prose(text: str) -> str:
    """Return the paragraphs of a text filled to the width of the page; tables and lists stay."""
    parts = text.split("\n\n")
    return "\n\n".join(
        part
        if part.startswith(("|", "#", "- "))
        else textwrap.fill(" ".join(part.split()), 120, break_long_words=False, break_on_hyphens=False)
        for part in parts
    )


def spread(values: Sequence[float]) -> str:
    return str(Spread(tuple(values)))


def difference(values: Sequence[float], others: Sequence[float]) -> str:
    """Return the mean difference in points; below two standard errors it is none."""
    mean, error = gap(values, others)
    text = f"{mean * 100:+.2f} ± {error * 100:.2f}"
    return text if abs(mean) >= 2 * error else f"{text}: no gap"


def pruning(documents: Sequence[dict[str, Any]]) -> str:
    nets = [net for document in documents for net in document["nets"]]
    rows, sweeps = [], []
    for net in nets:
        dense = net["test"]["dense"]
        what = {"dense": "dense, trained as long", "required": "92 %, as in Deep Compression"}
        what |= {
            "no loss": "the most with no loss on the held images",
            "half a point": "the most within half a point",
        }
        for label, name in net["picks"].items():
            gone = "-" if name == "dense" else name
            against = "" if name == "dense" else difference(net["test"][name], dense)
            rows.append([net["net"], what[label], gone, spread(net["test"][name]), against])
        found = ", ".join(f"{name} {Spread(tuple(values)).mean:.2%}" for name, values in net["held"].items())
        sweeps.append(f"- {net['net']}, {net['epochs']} epochs, then {net['epochs']} more: {found}.")
    first = documents[0]
    return f"""## Pruning: LeNet-300-100 and LeNet-5 (Caffe's shapes) on Fashion-MNIST

AdamW, a cosine from {first["rate"]} to 0, weight decay {first["decay"]}; all matrices ranked together, gradual pruning
over the first 30 % of the second half of training (`bench/recipe/pruning.py`).

{table(["network", "which", "zeros", "test images", "against dense, points"], rows)}

Means on the held images, by which the rows were chosen:

{chr(10).join(sweeps)}"""


def distillation(documents: Sequence[dict[str, Any]]) -> str:
    rows = []
    for one in (one for document in documents for one in document["sets"]):
        test = one["test"]
        rows.append([one["data"], "teacher, 2 x 1200, dropout 0.3", "", spread(test["teacher"]), "", ""])
        for name, heat in one["temperatures"].items():
            alone, taught = test[f"{name}, alone"], test[f"{name}, distilled"]
            rows.append([one["data"], f"{name}, alone", "", spread(alone), "", ""])
            wide, error = gap(test["teacher"], alone)
            closed = "no gap to close" if wide < 2 * error else f"{gap(taught, alone)[0] / wide:.0%}"
            rows.append(
                [
                    one["data"],
                    f"{name}, distilled",
                    f"{heat:g}",
                    spread(taught),
                    difference(taught, alone),
                    closed,
                ]
            )
    epochs = "; ".join(
        f"{one['data']} "
        + ", ".join(f"{count} for {name}" for name, count in one["epochs"].items())
        + f" and {one['teacher_epochs']} for the teacher"
        + (f", who saw images moved by up to {one['teacher_pixels']} pixels" if one["teacher_pixels"] else "")
        for document in documents
        for one in document["sets"]
    )
    header = ["data", "network", "T", "test images", "against alone, points", "of the gap to the teacher"]
    return f"""## Distillation: Hinton's setting

Students alone and distilled from the same start, on the same batches, as long. Epochs: {epochs}. hard_weight
{documents[0]["hard_weight"]}, soft_weight {documents[0]["soft_weight"]}, the temperature chosen with the first seed on
the held images (`bench/recipe/distillation.py`). MNIST-5k has 1,000 test images, so one of them is 0.1 points.

{table(header, rows)}"""


def quantization(document: dict[str, Any]) -> str:
    test = document["test"]
    rows = [
        [name, spread(values), "" if name == "float32" else difference(values, test["float32"])]
        for name, values in test.items()
    ]
    taught_by = {True: "the float32 net as a teacher beside the labels", False: "labels alone"}
    chosen = "; ".join(
        f"{bits} bits: {ranges} ranges, {taught_by[taught]}"
        for bits, (ranges, taught) in document["chosen"].items()
    )
    runs = [(bits, run) for bits, found in document["agreement"].items() for run in found]
    worst = max(run["largest difference"] for _, run in runs)
    differ = [
        f"{bits} bits: image {i}, margin {margin:.4f}"
        for bits, run in runs
        for i, margin in run["other class"]
    ]
    listed = "none" if not differ else "; ".join(differ)
    return f"""## Weights of 2 and 4 bits: LeNet-5 on Fashion-MNIST

All filters and matrices, a scale a channel; {document["epochs"]} epochs in float32, then {document["epochs"]} more, in
float32 or rounded (`bench/recipe/quantization.py`). Chosen on the held images: {chosen}.

{table(["weights", "test images", "against float32, points"], rows)}

The integer session beside the net that was trained, over {len(runs)} nets and 10,000 test images each: the largest
difference of logits is {worst:g} of the row's largest; test images whose class differs: {listed}."""


def layerwise(documents: Sequence[dict[str, Any]]) -> str:
    """Of files that share all settings and have seeds of their own."""
    document = documents[0]
    for other in documents[1:]:
        assert all(
            other[key] == document[key] for key in ("sparsity", "fitted", "sentences", "judges", "passes")
        )
        for what, by_text in other["cosines"].items():
            for text, found in by_text.items():
                own = document["cosines"][what][text]
                own += [pair for pair in found if pair not in own]
        for what, times in other["seconds"].items():
            document["seconds"][what] += times
    names = {
        "pruned": "pruned",
        "fitted": "fitted by least squares (`distill_layers`)",
        "trained": "then trained on the features (`distill`)",
    }
    texts = list(document["judges"])
    rows = []
    for what, name in names.items():
        cells = [name]
        for text in texts:
            found = document["cosines"][what][text]
            means = [mean for mean, _ in found]
            error = f" ± {Spread(tuple(means)).error:.4f}" if len(means) > 1 else ""
            cells.append(
                f"{Spread(tuple(means)).mean:.4f}{error} (least {min(least for _, least in found):.2f})"
            )
        rows.append(cells)
    seconds = {what: sorted(values)[len(values) // 2] for what, values in document["seconds"].items()}
    header = ["", *(f"{text}, {document['judges'][text]} sentences" for text in texts)]
    return f"""## MiniLM from itself, layer by layer

The feed-forward layers of all-MiniLM-L6-v2 with {document["sparsity"]:.0%} of their weights gone; mean cosine of
sentence embeddings to the original's, on sentences that were not used (`bench/recipe/layerwise.py`). Least squares on
{document["fitted"]:,} sentences takes {seconds["fitted"]:.0f} s on one thread, {document["passes"]} passes over
{document["sentences"]:,} sentences of an encyclopedia and news {seconds["trained"] / 60:.0f} min. No label is used.

{table(header, rows)}"""


def batch_norm(document: dict[str, Any]) -> str:
    test = document["test"]
    rows = []
    for name, values in test.items():
        before = name.removesuffix(", statistics again")
        against = "" if name == before else difference(values, test[before])
        rows.append([name, spread(values), against])
    return f"""## Batch-norm statistics after 4-bit quantization

A CNN of three convolutions with batch norms, trained {document["epochs"]} epochs on Fashion-MNIST, rounded to 4 bits;
{document["images"]:,} training images without labels give the statistics (`bench/recipe/batch_norm.py`).

{table(["weights", "test images", "against before, points"], rows)}"""


def described(machine: dict[str, str]) -> str:
    return f"{machine['date']} on {machine['cpu']}, level {machine['level']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()

    def read(pattern: str) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(options.folder.glob(pattern))]

    found = {
        write: read(pattern)
        for write, pattern in (
            (pruning, "pruning*.json"),
            (distillation, "distillation*.json"),
            (layerwise, "layerwise*.json"),
        )
    }
    parts = [write(documents) for write, documents in found.items() if documents]
    documents = [document for own in found.values() for document in own]
    for write, pattern in (
        (quantization, "quantization.json"),
        (batch_norm, "batch_norm.json"),
    ):
        for document in read(pattern):
            parts.append(write(document))
            documents.append(document)
    machines = sorted({described(document["machine"]) for document in documents})
    intro = f"""Measured {"; ".join(machines)}. Three seeds: data cut, start and order are others in each. Means with
their standard error; a difference below two standard errors is reported as no gap. Every choice was made on images cut
from the training split; the test images were looked at once a seed."""
    text = "\n\n".join([MARK, *(prose(part) for part in (intro, *parts))]) + "\n"
    if options.write:
        PAGE.write_text(PAGE.read_text().partition(MARK)[0] + text)
    else:
        print(text)


if __name__ == "__main__":
    main()
