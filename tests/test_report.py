import json
import math

import ml_dtypes
import numpy as np
import pytest

import paring
from paring.compression.loss import LOSS_BOUND_DB, measure_loss, zero_share
from paring.compression.report import Report, ReportRow

F32 = np.float32


def row(name="w", **changed):
    values = {
        "name": name,
        "shape": (4, 8),
        "dtype": "float32",
        "form": "int8 channel",
        "actions": ("quantized",),
        "reason": "",
        "bytes_before": 128,
        "bytes_after": 48,
        "sparsity": 0.25,
        "max_error": 0.5,
        "mean_error": 0.125,
        "sqnr_db": 40.0,
    }
    return ReportRow(**{**values, **changed})


def kept(name="b", **changed):
    same = {"form": "float32", "actions": ("kept",), "reason": "1 axis", "bytes_after": 128}
    return row(name, **{**same, "max_error": 0.0, "mean_error": 0.0, "sqnr_db": math.inf, **changed})


class TestMeasureLoss:
    @pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, F32, np.float64, ">f4"], ids=str)
    @pytest.mark.parametrize("shape", [(3, 5), (300, 701), (2, 3, 4)], ids=str)
    def test_against_numpy(self, dtype, shape, rng):
        w = rng.standard_normal(shape).astype(dtype)
        dense = paring.quantize(w, 4).dense()
        loss = measure_loss(w, dense)
        exact = w.astype(np.float64)
        error = np.abs(exact - dense)
        assert loss.max_error == error.max()
        assert loss.mean_error == pytest.approx(error.mean(), rel=1e-12)
        assert loss.sqnr_db == pytest.approx(10 * np.log10((exact**2).sum() / (error**2).sum()), rel=1e-12)

    def test_layout_does_not_matter(self, rng):
        w = rng.standard_normal((50, 70)).astype(F32)
        q = paring.quantize(w, axis=1)
        assert not q.dense().flags.c_contiguous
        assert measure_loss(w, q.dense()) == measure_loss(w, np.ascontiguousarray(q.dense()))

    def test_exact(self):
        w = np.eye(4, dtype=F32)
        assert measure_loss(w, w) == measure_loss(w, w.astype(np.float64))
        assert measure_loss(w, w).sqnr_db == math.inf
        assert measure_loss(np.zeros((0, 3)), np.zeros((0, 3))).mean_error == 0

    def test_denormal_channel_that_went_to_zero(self):
        loss = measure_loss(np.full((1, 4), 1e-45, F32), np.zeros((1, 4), F32))
        assert 0 < loss.max_error < 2e-45
        assert loss.sqnr_db == 0

    def test_sums_beyond_float64(self):
        huge = np.array([[1e200, 1]])
        for dense in ([[1e200, 0]], [[0.0, 1]]):
            assert math.isnan(measure_loss(huge, np.array(dense)).sqnr_db)
        assert measure_loss(huge, huge).sqnr_db == math.inf
        assert measure_loss(np.array([[1.0]]), np.array([[np.inf]])).sqnr_db == -math.inf


class TestZeroShare:
    @pytest.mark.parametrize(
        "dtype", [bool, np.int8, np.uint64, F32, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, "c8"]
    )
    def test_numbers(self, dtype):
        assert zero_share(np.array([[0, 1], [0, 0]]).astype(dtype)) == 0.75

    def test_others(self):
        assert zero_share(np.array(["a", ""])) is None
        assert zero_share(np.zeros((0, 3))) is None
        assert zero_share(np.array(0.0)) == 1


class TestRow:
    def test_derived(self):
        assert row().size == 32
        assert row().bits_per_weight == 12
        assert row(shape=(0, 3)).bits_per_weight == 0
        assert kept().kept
        assert not row().kept

    @pytest.mark.parametrize(
        ("sqnr_db", "expected"),
        [
            (LOSS_BOUND_DB, False),
            (19.99, True),
            (-math.inf, True),
            (math.nan, True),
            (math.inf, False),
            (None, False),
        ],
    )
    def test_loses_much(self, sqnr_db, expected):
        assert row(sqnr_db=sqnr_db).loses_much is expected

    def test_to_dict_is_json(self):
        for sqnr_db in (math.inf, math.nan, None):
            entry = row(sqnr_db=sqnr_db, sparsity=None).to_dict()
            assert json.loads(json.dumps(entry, allow_nan=False))["sqnr_db"] is None
        entry = row().to_dict()
        assert entry["shape"] == [4, 8]
        assert entry["actions"] == ["quantized"]
        assert entry["rules"] == []
        assert row(rules=("steps[0] quantize '*'",)).to_dict()["rules"] == ["steps[0] quantize '*'"]
        assert (entry["bits_per_weight"], entry["sqnr_db"], entry["loses_much"]) == (12, 40, False)


class TestReport:
    def test_totals(self):
        report = Report([row(), kept()])
        assert (report.size, report.bytes_before, report.bytes_after) == (64, 256, 176)
        assert report.ratio == 256 / 176
        assert report.bits_per_weight == 8 * 176 / 64
        assert report["b"].reason == "1 axis"
        with pytest.raises(KeyError, match="'c'"):
            report["c"]

    def test_empty(self):
        report = Report(())
        assert (report.ratio, report.bits_per_weight, report.worst(), report.losses) == (1, 0, [], ())
        assert str(report).splitlines() == [
            "No weight was changed.",
            "",
            "Total: 0 weights with 0 numbers, 0 -> 0 bytes (no smaller, 0.00 bits a number)",
        ]

    def test_worst_first(self):
        values = {"a": 30.0, "b": 5.0, "c": math.inf, "d": None, "e": math.nan, "f": 15.0, "g": 25.0}
        report = Report([row(name, sqnr_db=value) for name, value in values.items()])
        assert [r.name for r in report.worst(3)] == ["e", "b", "f"]
        assert [r.name for r in report.worst(99)] == ["e", "b", "f", "g", "a"]
        assert [r.name for r in report.losses] == ["e", "b", "f"]

    def test_to_dict(self):
        report = Report([row("a", sqnr_db=5.0), kept()])
        document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert document["schema_version"] == 1
        assert document["totals"] == {
            "weights": 2,
            "size": 64,
            "bytes_before": 256,
            "bytes_after": 176,
            "ratio": 256 / 176,
            "bits_per_weight": 22,
        }
        assert document["loss_bound_db"] == 20
        assert document["loses_much"] == ["a"]
        assert [r["name"] for r in document["rows"]] == ["a", "b"]


class TestText:
    def test_whole(self):
        rows = [
            row("layer.weight"),
            row(
                "head.weight",
                form="csr float32",
                actions=("pruned", "sparsified"),
                sqnr_db=30.25,
                sparsity=None,
            ),
            kept("norm", shape=(8,)),
            kept("bias", shape=(8,)),
            kept("ids", dtype="int64", reason="int64: only floats"),
        ]
        assert str(Report(rows)) == "\n".join(
            [
                "weight        shape  was      now           "
                "    bytes  bits/weight  zeros  max error  mean error  SQNR dB",
                "-" * 105,
                "layer.weight  4x8    float32  int8 channel  "
                "128 -> 48        12.00  25.0%   5.00e-01    1.25e-01     40.0",
                "head.weight   4x8    float32  csr float32   "
                "128 -> 48        12.00      -   5.00e-01    1.25e-01     30.2",
                "",
                "Kept as they were: 3 weights of 384 bytes",
                "  2 weights (norm, bias): 1 axis",
                "  1 weight (ids): int64: only floats",
                "",
                "Total: 5 weights with 112 numbers, 640 -> 480 bytes (1.33 times smaller, 34.29 bits a number)",
                "",
                "Loss: of the 2 changed weights, head.weight (30.2 dB) loses most; those under 20 dB would be "
                "warned of here.",
            ]
        )

    def test_warning_comes_last_and_says_what_to_try(self):
        rows = [row(f"w{i}", form="int4 channel", sqnr_db=10.0 + i) for i in range(5)] + [row("good")]
        last = str(Report(rows)).splitlines()[-1]
        assert last == (
            "WARNING: 5 of the 6 changed weights lose much: their SQNR is under 20 dB, an error of more than a tenth "
            "of the weight itself: w0 (10.0 dB), w1 (11.0 dB), w2 (12.0 dB), and 2 more. Look at the model's answers "
            "before you use it. What helps: granularity 'group' with group_size 32, or 8 bits."
        )

    @pytest.mark.parametrize(
        ("form", "actions", "advice"),
        [
            ("int8 tensor", ("quantized",), "granularity 'channel' instead of 'tensor'."),
            ("int3 group 32", ("quantized",), "more bits, or a smaller group_size."),
            ("csr int8", ("quantized", "sparsified"), "granularity 'group' with group_size 32, or 8 bits."),
            ("float32", ("pruned",), "a lower sparsity or threshold, or training again after pruning."),
            (
                "int4 channel",
                ("pruned", "quantized"),
                "a lower sparsity or threshold, or training again after pruning; granularity 'group' with group_size "
                "32, or 8 bits.",
            ),
        ],
    )
    def test_advice(self, form, actions, advice):
        text = str(Report([row(form=form, actions=actions, sqnr_db=3.0)]))
        assert text.endswith(f"What helps: {advice}")

    def test_exact_and_unknown(self):
        exact = row(max_error=0.0, sqnr_db=math.inf)
        assert str(Report([exact])).splitlines()[2].endswith(" exact")
        assert str(Report([exact])).endswith("Loss: none, every number is what it was.")
        assert "one number" in str(Report([row(shape=())]))

    @pytest.mark.parametrize(
        "rules",
        [
            (),
            ("steps[0] quantize '*'",),
            ("steps[0] prune '*'", "steps[1] quantize '*'", "steps[2] sparsify '*'"),
            ("skip[0] 'w*'",),
        ],
        ids=str,
    )
    def test_rules_that_say_nothing_new_are_not_shown(self, rules):
        assert str(Report([row(rules=rules), kept()])) == str(Report([row(), kept()]))

    def test_rules_of_one_kind(self):
        rows = [
            row("b", rules=("steps[10] quantize '*'",)),
            row("a", rules=("steps[0] prune '*'", "steps[2] quantize '*'")),
            kept("c", rules=("steps[0] prune '*'", "steps[2] quantize '*'")),
            kept("d", rules=("skip[0] 'd'",)),
        ]
        assert str(Report(rows)).split("\n\n")[1].splitlines() == [
            "Which step took which weights (of each kind the last that matches a weight counts)",
            "  steps[0] prune '*': 2 weights (a, c)",
            "  steps[2] quantize '*': 2 weights (a, c)",
            "  steps[10] quantize '*': 1 weight (b)",
        ]

    def test_rules_with_a_pattern(self):
        rows = [row(f"w{i}", rules=("steps[1] sparsify 'w *'",)) for i in range(5)]
        assert str(Report(rows)).split("\n\n")[1].splitlines()[1:] == [
            "  steps[1] sparsify 'w *': 5 weights (w0, w1, w2, and 2 more)"
        ]

    def test_notes(self):
        text = str(Report([row(reason="csr would take 9 bytes")]))
        assert "\n\nNotes\n  w: csr would take 9 bytes\n\n" in text
