"""`docmill models`: the local models' files, made and verified before anything needs them, as in an image's build."""

import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from docmill.cli.connection import django_ready
from docmill.cli.terminal import HomeOption, app, fail, say
from docmill.pipeline.embed.local import LOCAL_MODELS
from docmill.pipeline.errors import DocmillError


@app.command()
def models(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(LOCAL_MODELS)}; default: all.")] = None,
    home: HomeOption = None,
) -> None:
    """Make the files of local models in DOCMILL_MODELS, and verify those that come ready in packages."""
    if unknown := set(names or ()) - set(LOCAL_MODELS):
        fail(f"there is no local model {', '.join(sorted(unknown))}, only {', '.join(LOCAL_MODELS)}")
    with django_ready(home):
        from django.conf import settings

        for name in names or LOCAL_MODELS:
            began = time.monotonic()
            try:
                folder: Path = import_module(LOCAL_MODELS[name].module).from_settings(settings).prepare()
            except DocmillError as error:
                fail(error.message)
            say(f"{name}: ready in {folder} ({time.monotonic() - began:.1f} s)")
