"""`make bench-check`: how listings and profiles are read, and which differences from the baseline fail."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import paring

BENCH = Path(__file__).parents[1] / "bench"
sys.path.append(str(BENCH))

import check  # noqa: E402
from disassembly import functions_of, innermost_loops, shorten  # noqa: E402
from instructions import COUNT, count_in  # noqa: E402
from loops import BEST, INSTRUCTIONS, STACK, loop_measures  # noqa: E402
from verdicts import Row, compare  # noqa: E402

NESTED = """
f.o:     file format elf64-x86-64

Disassembly of section .text:

0000000000000000 <void (anonymous namespace)::tile<(anonymous namespace)::Bytes, 2, true>(paring::Task const&)>:
   0:\tmov    (%rdi),%rcx
   3:\txor    %eax,%eax
   5:\tvmovdqa64 %zmm1,0x40(%rsp)
   d:\tnopw   0x0(%rax,%rax,1)
  10:\tvmovdqu64 (%rbp,%rax,1),%zmm0
  18:\t{evex} vpdpbusd (%rdx){1to16},%zmm0,%zmm1
  20:\tvpdpbusd 0x40(%rsp),%zmm0,%zmm2
  28:\tvmovdqa64 %zmm2,0x80(%rsp)
  30:\tadd    $0x40,%rax
  34:\tcmp    %rcx,%rax
  37:\tjb     10 <void (anonymous namespace)::tile<(anonymous namespace)::Bytes, 2, true>(paring::Task const&)+0x10>
  39:\tdec    %rsi
  3c:\tjne    3 <void (anonymous namespace)::tile<(anonymous namespace)::Bytes, 2, true>(paring::Task const&)+0x3>
  3e:\tret
"""

# A rare block behind the end jumps back, which makes no loop; the loop holds both branches. %rbp is the frame.
BRANCHES = """
0000000000000100 <paring::entry_avx2(paring::Task const&)>:
 100:\tpush   %rbp
 101:\tmov    %rsp,%rbp
 104:\ttest   %rdi,%rdi
 107:\tje     140 <paring::entry_avx2(paring::Task const&)+0x40>
 109:\tvfmadd231ps -0x30(%rbp),%ymm1,%ymm2
 110:\tcmp    %rax,%rbx
 113:\tje     120 <paring::entry_avx2(paring::Task const&)+0x20>
 115:\tvfmadd231ps (%rbx),%ymm1,%ymm3
 11a:\tnop
 120:\tdec    %rcx
 123:\tjne    109 <paring::entry_avx2(paring::Task const&)+0x9>
 125:\tleave
 126:\tret
 140:\tvfmadd231ps %ymm0,%ymm0,%ymm0
 145:\tjmp    109 <paring::entry_avx2(paring::Task const&)+0x9>
"""


def test_functions_are_named_shortly():
    ((name, instructions),) = functions_of(NESTED)
    assert name == "tile<Bytes, 2, true>"
    assert len(instructions) == 14
    assert shorten("paring::epilogue<(paring::Activation)1>(float*)") == "epilogue<(Activation)1>"
    assert shorten("paring::f(int) [clone .cold]") == "f [clone .cold]"


def test_only_the_innermost_loop_counts():
    ((_, instructions),) = functions_of(NESTED)
    (loop,) = innermost_loops(instructions)
    assert (loop[0].address, loop[-1].address, len(loop)) == (0x10, 0x37, 7)


def test_measures_of_a_loop():
    """%rbp is no stack here: nobody made it the frame."""
    assert dict(loop_measures(NESTED)) == {
        "tile<Bytes, 2, true>": {BEST: 3.5},
        "tile<Bytes, 2, true> x2": {INSTRUCTIONS: 3.5, STACK: 2},
    }


def test_branches_belong_to_the_loop_and_blocks_that_jump_back_do_not():
    assert dict(loop_measures(BRANCHES))["entry_avx2 x2"] == {INSTRUCTIONS: 3.5, STACK: 1}
    assert len(dict(loop_measures(BRANCHES))) == 2


def test_numbers_of_like_loops_stand_in_ascending_order():
    longer = NESTED.replace("  34:", "  32:\tnop\n  34:").replace("%zmm2,0x80(%rsp)", "%zmm2,%zmm3")
    fewer = NESTED.replace("{evex} vpdpbusd", "vpaddd")
    assert dict(loop_measures(longer + fewer + NESTED)) == {
        "tile<Bytes, 2, true>": {BEST: 3.5},
        "tile<Bytes, 2, true> x1": {INSTRUCTIONS: 7.0, STACK: 2},
        "tile<Bytes, 2, true> x2": {INSTRUCTIONS: 3.5, STACK: 1},
        "tile<Bytes, 2, true> x2 (2)": {INSTRUCTIONS: 4.0, STACK: 2},
    }


def test_a_function_without_loops():
    assert (
        dict(loop_measures("0000000000000000 <f()>:\n   0:\tvpdpbusd %zmm0,%zmm0,%zmm1\n   6:\tret\n")) == {}
    )


PROFILE = """
version: 1
part: 5
desc: Trigger: Client Request: int8 M=4
events: Ir
summary: 1000

ob=(1) /usr/lib/libc.so.6
fn=(1) memcpy
30 14
+1 14

ob=(2) /there/numpy/_core/_umath.so
fn=(2) add
0 100
cob=(3) /here/paring/_core.so
cfi=(4) ???
cfn=(5) run
calls=2 0
* 700

ob=(3)
fn=(5)
0 40
-2 2
cob=(1)
cfn=(1)
calls=1 0
* 28
+5 1
"""


def test_only_instructions_of_the_module_count():
    assert count_in(PROFILE.splitlines(), "/here/paring/_core.so") == ("int8 M=4", 43)


def findings(instructions, loops=None, compiler="GCC 12"):
    found = check.Findings(compiler=compiler)
    found.instructions = {"avx2 int8 M=1": {COUNT: instructions}}
    found.loops = {"tile x2": {INSTRUCTIONS: 2.0, STACK: 0.0}} if loops is None else loops
    return found


BASELINE = {
    "compiler": "GCC 12",
    "instructions": {"avx2 int8 M=1": {COUNT: 1000.0}},
    "loops": {"tile x2": {INSTRUCTIONS: 2.0, STACK: 0.0}},
}


@pytest.mark.parametrize(
    ("now", "passes"), [(1000, True), (1090, True), (1110, False), (900, True), (500, True)]
)
def test_more_than_a_tenth_more_instructions_fail(now, passes, capsys):
    assert check.check(BASELINE, findings(float(now)), everything=False) is passes
    out = capsys.readouterr().out
    assert ("WORSE" in out) is not passes
    assert f"{0 if passes else 1} of 3 rows are more than 10% worse" in out


@pytest.mark.parametrize(
    ("measures", "passes"),
    [
        ({INSTRUCTIONS: 2.18, STACK: 0.0}, True),
        ({INSTRUCTIONS: 2.22, STACK: 0.0}, False),
        ({INSTRUCTIONS: 2.0, STACK: 1.0}, False),
    ],
)
def test_worse_loops_fail(measures, passes):
    assert check.check(BASELINE, findings(1000.0, {"tile x2": measures}), everything=False) is passes


def test_rows_that_are_gone_and_new_ones_are_listed(capsys):
    now = findings(1000.0, {"other x2": {INSTRUCTIONS: 2.0, STACK: 0.0}})
    assert check.check(BASELINE, now, everything=True)
    out = capsys.readouterr().out
    assert [line.split()[-1] for line in out.splitlines() if " x2 " in line] == ["gone"] * 2 + ["new"] * 2
    assert check.check(BASELINE, now, everything=False)
    out = capsys.readouterr().out
    assert [line.split()[-1] for line in out.splitlines() if " x2 " in line] == ["gone"] * 2
    assert "2 rows of the baseline are gone" in out
    assert "2 rows are new (1 of instructions a product, 1 of stack accesses); --all shows them" in out


def test_another_compiler_is_not_compared(capsys):
    assert check.check(BASELINE, findings(9999.0, compiler="GCC 13"), everything=False)
    out = capsys.readouterr().out
    assert "not covered, other compiler: the baseline is of GCC 12, this build of GCC 13" in out
    assert all(kernel["name"] in out for kernel in paring.kernel_info()["kernels"])


def test_what_lacks_is_said(monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda tool: None)
    found = check.Findings()
    check.look_at_loops(found)
    check.count_instructions(found)
    assert found.reasons == [
        "loops: not covered, no objdump, nm, readelf here (binutils)",
        "instructions: not covered, no valgrind here",
    ]


def test_kernels_that_nothing_looked_at():
    names = [kernel["name"] for kernel in paring.kernel_info()["kernels"]]
    told = " ".join(check.uncovered({name.rpartition("_")[0] for name in names if name.startswith("gemm")}))
    assert "gemm" not in told
    assert all(name in told for name in names if not name.startswith("gemm"))
    assert check.uncovered(set(names)) == []


def test_ratios_of_rows():
    assert Row("a", "b", 0.0, 0.0).verdict(1.1) == "the same"
    assert Row("a", "b", 0.0, 1.0).verdict(1.1) == "WORSE"
    assert Row("a", "b", 2.0, 1.0).verdict(1.1) == "better"
    assert Row("a", "b", 1e6, 1e6 + 1).verdict(1.1) == "the same"
    assert [row.verdict(1.1) for row in compare({"a": {"b": 1}}, {"c": {"b": 1}})] == ["gone", "new"]


def test_the_baseline_is_whole():
    baseline = json.loads(check.BASELINE.read_text())
    assert baseline.keys() >= {"compiler", "machine", "instructions", "loops"}
    assert {name.split()[0] for name in baseline["instructions"]} == {"scalar", "avx2"}
    assert {name.split("/")[0] for name in baseline["loops"]} >= {"gemm", "sparse"}


def test_a_baseline_is_written_a_row_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "BASELINE", tmp_path / "baseline.json")
    check.write(findings(1000.0), with_ratios=False)
    text = (tmp_path / "baseline.json").read_text()
    assert '\n  "avx2 int8 M=1": {"instructions a call": 1000.0}\n' in text
    written = json.loads(text)
    assert {name: written[name] for name in BASELINE} == BASELINE
    assert "1 workloads, 1 loops and functions" in capsys.readouterr().out
    (tmp_path / "baseline.json").write_text(json.dumps(written | {"ratios": {"cpu": "one", "measures": {}}}))
    check.write(findings(1000.0), with_ratios=False)
    assert json.loads((tmp_path / "baseline.json").read_text())["ratios"]["cpu"] == "one"


def test_every_vector_row_has_loops_in_this_build():
    found = check.Findings()
    try:
        check.look_at_loops(found)
    except FileNotFoundError as lacking:
        pytest.skip(str(lacking))
    if found.reasons:
        pytest.skip(found.reasons[0])
    assert "unknown" not in found.compiler
    lacking = " ".join(check.uncovered(found.covered))
    assert [name for name in re.findall(r"(?:gemm|spmm)_\w+", lacking) if "scalar" not in name] == []


def test_workloads_run_without_valgrind():
    done = subprocess.run(
        [sys.executable, str(BENCH / "workloads.py")], env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(set(told["workloads"])) == len(told["workloads"])
    usable = {kernel["name"] for kernel in paring.kernel_info()["kernels"] if kernel["usable"]}
    assert set(told["kernels"]) <= usable
