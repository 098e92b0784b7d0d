"""A model behind HTTP, in a plain Python service: one process, weights once, every request on a thread of its own.

    pip install starlette uvicorn
    python examples/service.py model.safetensors [--port 8000] [--threads 1]

The file is what ``paring.nn.Model.save`` writes, compressed or not. A request is JSON,
``{"inputs": {"input": [[...]]}}``, and so is the answer, ``{"outputs": {"output": [[...]]}}``;
``GET /`` says which inputs are expected.

A session lets go of Python's lock while it computes, so callers run side by side: give each call one kernel thread
(``--threads 1``) where there are many callers, and more where there is one that waits.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

import paring

MOST_BYTES = 16 << 20  # of a request's body: neither starlette nor uvicorn has a bound


class BadRequestError(Exception):
    """What the caller should know, and the status to say it with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise BadRequestError(f"expected at most {MOST_BYTES:,} bytes", 413)
    return bytes(body)


def parse_inputs(session: paring.Session, body: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays for the session; BadRequestError says what is wrong with the request."""
    try:
        document = json.loads(body)
        given = dict(document["inputs"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadRequestError('expected JSON such as {"inputs": {"input": [[0.5, 1.0]]}}') from None
    arrays = {}
    for value in session.graph.inputs:
        if value.name not in given:
            raise BadRequestError(f"expected an input {value.name!r}")
        try:
            arrays[value.name] = np.asarray(given.pop(value.name), value.dtype)
        except (ValueError, TypeError, OverflowError):
            raise BadRequestError(
                f"input {value.name!r}: expected nested lists of numbers of one shape"
            ) from None
    if given:
        raise BadRequestError(f"unknown inputs: {', '.join(map(repr, given))}")
    return arrays


def predict(session: paring.Session, body: bytes) -> bytes:
    """Answer one request; runs on a thread of its own."""
    try:
        outputs = session.run(parse_inputs(session, body))
    except (ValueError, TypeError) as error:  # shapes that do not fit: the message says which
        raise BadRequestError(str(error)) from error
    return json.dumps({"outputs": {name: array.tolist() for name, array in outputs.items()}}).encode()


def make_app(session: paring.Session) -> Starlette:
    """Return the service around a session."""

    async def describe(request: Request) -> JSONResponse:
        inputs = [
            {"name": value.name, "shape": [-1 if n is None else n for n in value.shape], "dtype": value.dtype}
            for value in session.graph.inputs
        ]
        return JSONResponse({"inputs": inputs, "outputs": list(session.output_names)})

    async def answer(request: Request) -> JSONResponse | PlainTextResponse:
        try:
            body = await run_in_threadpool(predict, session, await read_body(request))
        except BadRequestError as error:
            return JSONResponse({"error": str(error)}, error.status)
        return PlainTextResponse(body, media_type="application/json")

    async def healthy(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[
            Route("/", describe),
            Route("/health", healthy),
            Route("/predict", answer, methods=["POST"]),
        ]
    )


def main() -> None:
    import uvicorn

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a file that paring.nn.Model.save has written")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=1, help="of the kernels, for each call")
    options = parser.parse_args()
    session = paring.Session(options.model, num_threads=options.threads)
    print(f"{options.model}: {session!r}", flush=True)
    uvicorn.run(make_app(session), host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
