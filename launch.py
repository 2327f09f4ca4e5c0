#!/usr/bin/env python3
"""Walk through worlds: command line to settings to sub-command; the only place that exits."""

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.settings import Bench, Doctor, Serve, Worlds

DONE, USERS_MISTAKE, INTERRUPTED = 0, 2, 130
DESCRIPTION = (
    "Walk through worlds that a video model invents while you hold a key. "
    "Without a sub-command the flags are those of `serve`."
)


def main(words: Sequence[str]) -> int:
    """Run the command line; returns its exit code. A bug of ours passes through: Python's 1."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for room in ("app", "model"):
        logging.getLogger(room).setLevel(logging.INFO)
    try:
        return run(parse(words))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("app", "model"):
            raise
        remedy = f"{sys.executable} -m pip install -r requirements.txt"
        return complain(f"The package {package} is not installed for this Python. Run: {remedy}")
    except KeyboardInterrupt:
        return INTERRUPTED


def parse(words: Sequence[str]) -> "Serve | Bench | Worlds | Doctor":
    """Settings from the words after the program's name; tyro answers --help and wrong usage."""
    import tyro

    from app.settings import Bench, Doctor, Serve, Worlds

    first = words[0] if words else "--"
    if first.startswith("-") and first not in ("-h", "--help"):
        words = ["serve", *words]
    return tyro.cli(
        Serve | Bench | Worlds | Doctor, args=words, prog="launch.py", description=DESCRIPTION
    )


def run(settings: "Serve | Bench | Worlds | Doctor") -> int:
    """Do what the settings say; a ``WorldError`` becomes one line and the exit code 2."""
    # What is slow to import comes late, so that --help and usage errors answer at once.
    from app.messages import explain
    from app.settings import Bench, Doctor, Serve
    from model import WorldError

    try:
        if isinstance(settings, Serve):
            from app.server import serve

            serve(settings)
        elif isinstance(settings, Bench):
            from app.bench import bench

            show(bench(settings), settings.json)
        elif isinstance(settings, Doctor):
            from app.doctor import examine

            show(examine(), settings.json)
        else:
            from app.catalogue import catalogue

            show(catalogue(), settings.json)
    except WorldError as error:
        return complain(explain(error))
    return DONE


def show(report: object, as_json: bool) -> None:
    """Print a report for people and, if asked, as one JSON object in the last line."""
    print(report)
    if as_json:
        import msgspec

        print(msgspec.json.encode(report).decode())


def complain(words: str) -> int:
    """One line to the user about their mistake."""
    print(words, file=sys.stderr)
    return USERS_MISTAKE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
