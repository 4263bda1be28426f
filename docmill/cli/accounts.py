"""`docmill user` and `docmill apikey`: tenants and their keys."""

from typing import Annotated

import typer
from rich.table import Table

from docmill.cli.connection import django_ready
from docmill.cli.terminal import HomeOption, app, err, fail, out, say

users = typer.Typer(help="Users: each is a tenant.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(users, name="user")
app.add_typer(keys, name="apikey")


@users.command("create")
def create_user(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    staff: Annotated[bool, typer.Option("--staff", help="May see the whole installation.")] = False,
    home: HomeOption = None,
) -> None:
    """Create a user."""
    with django_ready(home):
        from django.contrib.auth import get_user_model
        from django.core.exceptions import ValidationError

        user = get_user_model()(username=name, is_staff=staff)
        user.set_unusable_password()
        try:
            user.full_clean()
        except ValidationError as error:
            fail("; ".join(error.messages))
        user.save()
    err.print(f"user {name} created", highlight=False)


@keys.command("create")
def create_key(
    user: Annotated[str, typer.Option(help="Whose key it is to be.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    home: HomeOption = None,
) -> None:
    """Create an API key and print it, alone, on stdout. It cannot be shown again."""
    with django_ready(home):
        from django.contrib.auth import get_user_model

        from docmill.documents.models import ApiKey

        owner = get_user_model().objects.filter(username=user).first()
        if owner is None:
            fail(f"there is no user {user}: create it with 'docmill user create {user}'")
        _, secret = ApiKey.create(owner, name)
    say(secret)


@keys.command("list")
def list_keys(home: HomeOption = None) -> None:
    """Show all keys by their first characters."""
    with django_ready(home):
        from docmill.documents.models import ApiKey

        table = Table("key", "user", "name", "created", "revoked")
        for key in ApiKey.objects.select_related("user").order_by("created_at"):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(f"{key.prefix}…", str(key.user), key.name, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    out.print(table)


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key, or its first characters as 'apikey list' shows them.")],
    home: HomeOption = None,
) -> None:
    """Make a key useless at once."""
    with django_ready(home):
        from django.utils import timezone

        from docmill.documents.models import ApiKey

        beginning = key.rstrip("…")
        chosen = ApiKey.objects.filter(secret_sha256=ApiKey.fingerprint(key))
        if not chosen.exists() and len(beginning) >= 6:
            chosen = ApiKey.objects.filter(prefix__startswith=beginning)
        if chosen.count() != 1:
            fail(f"{chosen.count()} keys begin like that: see 'docmill apikey list'")
        chosen.filter(revoked_at=None).update(revoked_at=timezone.now())
    err.print("revoked", highlight=False)
