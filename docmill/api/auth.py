"""API keys: the tenant is the key's user, and comes from nowhere else."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from docmill.documents.limits import count_wrong_key
from docmill.documents.models import ApiKey


def key_in_force(header: bytes) -> ApiKey | None:
    """The key that the header `Authorization` holds, with its user; None when it holds none that may be used."""
    scheme, _, secret = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return (
        ApiKey.objects.select_related("user")
        .filter(secret_sha256=ApiKey.fingerprint(secret.strip()), revoked_at=None, user__is_active=True)
        .first()
    )


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <API key>`."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiKey] | None:
        """The key's user and the key; None without a header. Raises AuthenticationFailed for a key not in force."""
        header = get_authorization_header(request)
        if not header.lower().startswith(b"bearer "):
            return None
        key = key_in_force(header)
        if key is None:
            count_wrong_key(request.META.get("REMOTE_ADDR", "unknown"))
            raise AuthenticationFailed
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="docmill"'


def tenant_of(request: Request) -> int:
    """The id of the key's user. Raises Http404 for a request without one."""
    user_id = request.user.pk
    if not user_id:
        raise Http404
    return int(user_id)


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The API key in the description of the interface."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: docmill apikey create"}
