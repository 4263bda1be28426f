"""The `docmill` command. Commands on documents speak HTTP; those on users, keys and the index speak to the database."""

from docmill.cli import accounts, documents, index, models, processes, system
from docmill.cli.terminal import app

__all__ = ["accounts", "app", "documents", "index", "main", "models", "processes", "system"]


def main() -> None:
    """Run the command line of this process."""
    app()
