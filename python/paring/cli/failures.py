"""How the program ends: an exit code, and for a failure one line on stderr instead of a traceback."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["DONE", "INTERRUPTED", "TARGET_NOT_MET", "UNUSABLE", "run_guarded"]

DONE = 0
TARGET_NOT_MET = 1
UNUSABLE = 2
INTERRUPTED = 130
TERMINATED = 143
CLOSED_PIPE = 141


def run_guarded(arguments: Sequence[str] | None) -> int:
    """Run the program and return its exit code; only a bug of ours gets through as an exception."""
    from typer import Abort

    from .app import app

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
        return _complain(f"out of memory{f': {error}' if str(error) else ''}")
    except (ValueError, TypeError, OSError) as error:
        # What paring's functions raise for bad input, FormatError among them. A bug raises these as well now and
        # then; PARING_TRACEBACK=1 shows where.
        if os.environ.get("PARING_TRACEBACK"):
            raise
        return _complain(_one_line(error))
    except Exception as error:
        # Usage errors are typer's, whose class differs from version to version: they know how to format themselves.
        if not hasattr(error, "format_message"):
            raise
        message = str(error.format_message()).rstrip(".")
        return _complain(message[:1].lower() + message[1:], hint=_help_hint(error))
    if code == INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else DONE


def _reader_left() -> int:
    """Say nothing: `head` has enough. Python would complain once more when it flushes stdout at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED_PIPE


def _interrupted() -> int:
    print("\nparing: interrupted; no file is half written", file=sys.stderr)
    return INTERRUPTED


def _complain(message: str, hint: str = "") -> int:
    print(f"paring: error: {message}{hint}", file=sys.stderr)
    return UNUSABLE


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _help_hint(error: Exception) -> str:
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
