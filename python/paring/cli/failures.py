"""How the program ends: an exit code, and for a failure one line on stderr instead of a traceback."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ..errors import printable

__all__ = ["DONE", "FAILED", "INTERRUPTED", "UNUSABLE", "UnfinishedError", "naming", "run_guarded"]

DONE = 0
FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130
TERMINATED = 143
CLOSED_PIPE = 141

# Nothing is wrong with what the user asked for or gave; the machine could not do it.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE)


class UnfinishedError(Exception):
    """What was asked for cannot be done yet; the message says what has to come first."""


def run_guarded(arguments: Sequence[str] | None) -> int:
    """Run the program and return its exit code; only a bug of ours gets through as an exception."""
    from typer import Abort

    from .app import app

    given = sys.argv[1:] if arguments is None else arguments
    if any(not word or (word.startswith("--") and word.endswith("=")) for word in given):
        # As a path it would mean the folder one is in.
        return _complain("got an empty argument: is a variable of the shell not set?", hint=_help_hint(None))
    for stream in (sys.stdout, sys.stderr):
        # A stream that cannot show a letter of ours, or of a weight's name, shows a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with _terminating_in_order():
            code = app(args=arguments, prog_name="paring", standalone_mode=False)
            sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as leaving:
        # How typer answers a broken pipe, with a code that means something else here.
        if isinstance(leaving.__context__, BrokenPipeError):
            return _reader_left()
        raise
    except (KeyboardInterrupt, Abort):
        return _interrupted()
    except MemoryError as error:
        return _complain(f"out of memory{f': {error}' if str(error) else ''}", code=FAILED)
    except UnfinishedError as error:
        return _complain(str(error), code=FAILED)
    except (ValueError, TypeError, OSError, ImportError) as error:
        # What paring's functions raise for bad input, FormatError among them, and for a missing extra. A bug raises
        # these as well now and then; PARING_TRACEBACK=1 shows where.
        if os.environ.get("PARING_TRACEBACK"):
            raise
        failed = isinstance(error, ChildProcessError) or (
            isinstance(error, OSError) and error.errno in MACHINE_ERRORS
        )
        return _complain(_one_line(error), code=FAILED if failed else UNUSABLE)
    except Exception as error:
        # Usage errors are typer's, whose class differs from version to version: they know how to format themselves.
        if not hasattr(error, "format_message"):
            raise
        message = str(error.format_message()).rstrip(".")
        return _complain(message[:1].lower() + message[1:], hint=_help_hint(error))
    if code == INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else DONE


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let a system error that names no file name this one, which the user knows."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _reader_left() -> int:
    """Say nothing: `head` has enough. Python would complain once more when it flushes stdout at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED_PIPE


def _interrupted() -> int:
    print("\nparing: interrupted; no file is half written", file=sys.stderr)
    return INTERRUPTED


def _complain(message: str, hint: str = "", code: int = UNUSABLE) -> int:
    print(f"paring: error: {printable(message)}{hint}", file=sys.stderr)
    return code


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        advice = "; free some space or write elsewhere" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}{advice}"
    return " ".join(str(error).split()) or type(error).__name__


def _help_hint(error: Exception | None) -> str:
    path = getattr(getattr(error, "ctx", None), "command_path", "paring")
    return f" (see {path} --help)"


@contextmanager
def _terminating_in_order() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that a file half written is removed on the way out."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
