"""`efemera publish`: put an exported set into an archive, or verify one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.commands.options import MODELS, JsonOption, ModelOption
from export.errors import InputError
from export.screen import out as screen
from export.screen import print_json, progress_bar, say, say_notes

if TYPE_CHECKING:
    from export.release.publish import ModelSet


def publish(
    place: Annotated[
        str,
        typer.Argument(
            metavar="PLACE",
            help="s3://bucket/prefix or a folder; the set goes into PLACE/VERSION. With --check, the set itself.",
            show_default=False,
        ),
    ],
    model: ModelOption = MODELS,
    check: Annotated[bool, typer.Option("--check", help="Read a published set whole and verify every file.")] = False,
    json: JsonOption = False,
) -> None:
    """Archive an exported set: proven once more, then put file by file, and never over another.

    `PLACE/VERSION/` gets `release.json` first, with the SHA-256 and size of every file, and `manifest.json` last: a set
    that has it is whole. Files that are there with the same content count as done, so an interrupted run is completed
    by running it again. Other content under the same version is refused (exit code 3) and nothing is overwritten.

    Example: `efemera publish s3://bucket/models --model mine`

    Verify what is there, exit code 3 when it is damaged: `efemera publish --check s3://bucket/models/2026.11.25-6b8ce9d3`

    Get it back and prove it again: `aws s3 cp --recursive s3://bucket/models/2026.11.25-6b8ce9d3 back`, then
    `efemera parity --model back`
    """  # fmt: skip
    if not place.strip():
        raise InputError("PLACE is empty; name a folder or s3://bucket/prefix")
    try:
        if check:
            _check(place, json)
        else:
            _publish(place, model, json)
    except KeyboardInterrupt:
        say("interrupted; the files that are put stay: run the same command again to go on")
        raise typer.Exit(130) from None


def _publish(place: str, model: Path, json: bool) -> None:
    """Publish a set; the place is listed before the long proof, so that a refusal comes at once."""
    from export.release.publish import already_there, open_archive, prove, put_set, read_set

    model_set = read_set(model)
    archive = open_archive(place, model_set.model_version)
    with progress_bar() as bar:
        task = bar.add_task("asking what is there", total=len(model_set.contents))
        there = already_there(model_set, archive)
        bar.update(task, description="proving parity")
        prove(model, model_set)

        def on_file(name: str) -> None:
            bar.update(task, description=name, advance=1)

        written = put_set(model_set, archive, there, on_file)
    say_notes(tuple(model_set.warnings()))
    _print_files(archive.uri, model_set, written, json)


def _check(place: str, json: bool) -> None:
    from export.release.publish import check_archived, open_archive

    archive = open_archive(place)
    with progress_bar() as bar:
        task = bar.add_task("listing", total=None)
        model_set = check_archived(archive, lambda name: bar.update(task, description=name))
    say_notes(tuple(model_set.warnings()))
    _print_files(archive.uri, model_set, None, json)


def _print_files(place: str, model_set: ModelSet, written: dict[str, bool] | None, json: bool) -> None:
    """Print a line for each file as `sha256sum` writes it, and how many of a published set are new."""
    from export.release.publish import RELEASE, sha256

    digests = {name: sha256(content) for name, content in model_set.contents.items()}
    if json:
        files = {
            name: {"sha256": digests[name], "size": len(content)} | ({"written": written[name]} if written else {})
            for name, content in model_set.contents.items()
        }
        head = {"place": place, "model_version": model_set.model_version, "model_digest": digests["model.onnx"][:12]}
        print_json({**head, "verdict": model_set.verdict, "files": files})
        return
    for name, digest in digests.items():
        screen.print(f"{digest}  {name}")
    count = f"{len(digests)} files, {sum(map(len, model_set.contents.values())):,} bytes"
    if written is None:
        say(f"verified: {place}: {count}, verdict: {model_set.verdict}")
    else:
        new = sum(written.values())
        say(f"published: {place}: {count}; {new} written, {len(digests) - new} there already")
    say(f"the SHA-256 of {RELEASE} stands for the whole set")
