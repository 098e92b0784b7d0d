"""What `--json` prints is what the schemas in the package say, for every command that has it."""

import inspect
import json

import jsonschema
import numpy as np
import pytest

import paring
from paring.cli import answers, main
from paring.cli.answers import print_answer, schema_text
from paring.cli.app import app

COMMANDS = {command.name or command.callback.__name__: command for command in app.registered_commands} | {
    f"{group.name} {command.name or command.callback.__name__}": command
    for group in app.registered_groups
    for command in group.typer_instance.registered_commands
}
WITH_JSON = sorted(
    name for name, command in COMMANDS.items() if "as_json" in inspect.signature(command.callback).parameters
)


@pytest.fixture(autouse=True)
def in_folder(monkeypatch, tmp_path, rng):
    monkeypatch.setattr("paring.benchmark.timing.WARM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.CALM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.MEASURED_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    w = rng.standard_normal((128, 256)).astype(np.float32)
    paring.write(
        "model.npz", {"w": w, "bias": np.zeros(128, np.float32), "text": np.array("a"), "c": np.ones(2, "c8")}
    )
    paring.write("floats.safetensors", {"w": w, "bias": np.zeros(128, np.float32)})
    forms = {
        "q": paring.quantize(w), "g": paring.quantize(w, bits=4, granularity="group", symmetric=False),
        "s": paring.sparsify(paring.prune(w, sparsity=0.9)), "nan": np.full((2, 2), np.nan), "empty": np.zeros((0, 3)),
    }  # fmt: skip
    paring.write("forms.npz", forms)
    header = b'{"odd":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
    (tmp_path / "odd.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")


def answer(capsys, *arguments):
    capsys.readouterr()
    assert main([*arguments, "--json"]) in (0, 1)
    return json.loads(capsys.readouterr().out)


def check(command, document):
    schema = json.loads(schema_text(command))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(document)


@pytest.mark.parametrize(
    "arguments",
    [
        "inspect model.npz",
        "inspect model.npz --no-values",
        "inspect forms.npz",
        "inspect odd.safetensors",
        "compress floats.safetensors -o out.safetensors",
        "compress floats.safetensors -o out.safetensors --bits 2 --skip bias",
        "compress forms.npz -o out.npz --sparsity 0.5 --sparse --skip nan",
        "compress floats.safetensors -o out.npz --preset int4 --dry-run",
        "compress floats.safetensors -o folder",
        "compare model.npz forms.npz",
        "compare model.npz model.npz --max-error 1 --min-sqnr 2",
        "compare forms.npz forms.npz --max-error 0 --min-sqnr -3",
        "compare odd.safetensors floats.safetensors",
        "compare odd.safetensors odd.safetensors",
        "info",
        "demo",
        "demo floats.safetensors --keep kept",
        "plan floats.safetensors -o folder --jobs-file jobs.json",
    ],
)
def test_answers_are_as_described(capsys, arguments):
    check(arguments.split()[0], answer(capsys, *arguments.split()))


def test_answers_of_jobs(capsys):
    answer(capsys, *["plan", "floats.safetensors", "-o", "folder", "--jobs-file", "jobs.json"])
    check("run", answer(capsys, "run", "jobs.json", "--job", "0"))
    check("finish", answer(capsys, "finish", "jobs.json"))


def test_the_answer_of_a_benchmark(capsys):
    options = [
        "--shape",
        "1,64,8",
        "--shape",
        "3,64,8",
        "--bits",
        "4",
        "--bits",
        "32",
        "--rounds",
        "1",
        "--threads",
        "2",
    ]
    document = answer(capsys, "bench", "kernels", *options)
    check("bench kernels", document)
    assert [contest["bits"] for contest in document["contests"]] == [4, 4, 32, 32]
    assert all(contest["entries"][0]["relative"] == 1 for contest in document["contests"])


def test_every_command_with_json_has_a_schema():
    folder = answers.files("paring.cli").joinpath("schemas")
    assert sorted(entry.name for entry in folder.iterdir()) == [f"{name}.json" for name in WITH_JSON]
    assert len(WITH_JSON) == 9


def objects(schema):
    """Every part of a schema that describes an object with named keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


@pytest.mark.parametrize("command", WITH_JSON)
def test_schemas_are_strict(command):
    """All keys are always there, nothing else is, and what is counted says in what."""
    schema = json.loads(schema_text(command))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    tops = [schema] if "properties" in schema else [schema["$defs"][name] for name in ("digits", "file")]
    for top in tops:
        assert top["properties"]["schema_version"]["const"] == 1
        assert top["additionalProperties"] is False
    for part in objects(schema):
        assert sorted(part["required"]) == sorted(part["properties"])
        # The kernels of a family have facts of their own.
        assert part.get("additionalProperties") is False or "chosen" in part["properties"]
    names = {name for part in objects(schema) for name in part["properties"]}
    assert not names & {"time", "duration", "memory", "file_size", "sqnr", "elapsed"}


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ("inspect model.npz", lambda d: d.update(more=1)),
        ("inspect model.npz", lambda d: d.pop("file_bytes")),
        ("inspect model.npz", lambda d: d["weights"][0].update(bytes="4")),
        ("compress floats.safetensors -o out.npz", lambda d: d["rows"][0].update(actions=["none"])),
        ("info", lambda d: d.update(schema_version=2)),
        ("demo floats.safetensors", lambda d: d["rows"][0].update(seconds=1.0)),
    ],
)
def test_a_wrong_answer_would_be_seen(capsys, arguments, change):
    document = answer(capsys, *arguments.split())
    change(document)
    with pytest.raises(jsonschema.ValidationError):
        check(arguments.split()[0], document)


def test_the_schemas_can_be_printed(capsys):
    for command in WITH_JSON:
        assert main(["schema", command]) == 0
        assert json.loads(capsys.readouterr().out)["title"] == f"paring {command} --json"


def test_no_schema(capsys):
    with pytest.raises(ValueError, match=r"expected one of bench kernels, compare, .*, got 'schema'"):
        schema_text("schema")


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="JSON compliant"):
        print_answer({"schema_version": 1, "value": float("nan")})
