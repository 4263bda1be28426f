"""Settings. Every one is read from an environment variable of the same name; parts are named by URL only."""

import os
import tempfile
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping


def is_writable(folder: Path) -> bool:
    """Whether this process may write there, or make the folder where it is missing."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return os.access(nearest, os.W_OK)


class _Variables(FileAwareMapping):  # type: ignore[misc]
    """Values without the line end that editors put at the end of a secret's file."""

    def __getitem__(self, name: str) -> str:
        value: str = super().__getitem__(name)
        return value.rstrip("\r\n")


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """The environment; a number that is none is an error that names the variable. `NAME_FILE` names a file that holds
    the value of `NAME`, as secrets are given to containers."""

    ENVIRON = _Variables()

    def get_value(self, var: str, *arguments: Any, **options: Any) -> Any:
        try:
            return super().get_value(var, *arguments, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} must be a number, not {self.ENVIRON.get(var)!r}.") from error


env = Environment()
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "FLOWER_BASIC_AUTH"):
    if f"{name}_FILE" in os.environ:  # boto3 and Flower read the environment themselves
        os.environ.setdefault(name, env.str(name))

# --- Django ----------------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY", "insecure-only-for-development")
DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
ROOT_URLCONF = "docmill.config.urls"
ASGI_APPLICATION = "docmill.api.asgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "docmill.documents",
]
MIDDLEWARE = [
    "docmill.api.headers.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "docmill.api.throttling.address_limit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # cross-site requests: no cookie says who asks, each request carries its key
    "security.W004",  # strict transport security and
    "security.W008",  # the redirect to HTTPS are the proxy's, where TLS ends (docs/production.md)
]
WHITENOISE_USE_FINDERS = True  # the files of the installed packages, found once at the start
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

# --- the database ----------------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/docmill")
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
if "ENGINE" not in DATABASES["default"]:
    raise ImproperlyConfigured("DATABASE_URL must look like postgresql://user:password@host:5432/name.")
# Of the role that owns the tables, where the service runs as another (docs/production.md).
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", "") or DATABASE_URL
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
if env.int("DATABASE_POOL", 0):
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": env.int("DATABASE_POOL"), "timeout": 10}

# --- the broker and the result backend -------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379").rstrip("/")
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 2.0)
TIDY_SECONDS = env.float("TIDY_SECONDS", 3600.0)
# How long a worker reads pages of a long scan before it gives way to documents that wait.
SCAN_TURN_SECONDS = env.float("SCAN_TURN_SECONDS", 5.0)
BROKER_URL = f"{REDIS_URL}/0"
RESULTS_URL = f"{REDIS_URL}/1"
# How long the broker keeps a message that was taken and not acknowledged, seconds.
BROKER_VISIBILITY_SECONDS = env.int("BROKER_VISIBILITY_SECONDS", 3600)

# --- workers ---------------------------------------------------------------------------------------------------------
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", 4)
WORKER_MAX_TASKS_PER_CHILD = env.int("WORKER_MAX_TASKS_PER_CHILD", 200)
WORKER_MAX_MEMORY_PER_CHILD = env.int("WORKER_MAX_MEMORY_PER_CHILD", 1_500_000)  # kilobytes
# A worker with an idle child that takes none of the waiting messages for so long ends itself; 0: never.
WORKER_WATCHDOG_SECONDS = env.float("WORKER_WATCHDOG_SECONDS", 60.0)

# --- the originals ---------------------------------------------------------------------------------------------------
S3_BUCKET = env.str("S3_BUCKET", "docmill")
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", "") or None
S3_REGION = env.str("AWS_REGION", env.str("AWS_DEFAULT_REGION", "us-east-1"))
S3_SERVER_SIDE_ENCRYPTION = env.str("S3_SERVER_SIDE_ENCRYPTION", "") or None  # AES256 or aws:kms
S3_KMS_KEY_ID = env.str("S3_KMS_KEY_ID", "") or None

# --- embeddings and vectors ------------------------------------------------------------------------------------------
EMBEDDER = env.str("EMBEDDER", "local")
LOCAL_MODEL = env.str("LOCAL_MODEL", "")  # "" is the one of the index in use, else the default
# Where models are kept that are made at the first start: for all homes of a user, else in the home.
_CACHE = Path(env.str("XDG_CACHE_HOME", "") or "~/.cache").expanduser()
_MODELS = _CACHE if is_writable(_CACHE) else Path(env.str("DOCMILL_HOME", "") or "~/.docmill").expanduser()
MODELS_DIR = Path(env.str("DOCMILL_MODELS", "") or _MODELS / "docmill" / "models").absolute()
EMBEDDING_DIMENSIONS = env.int("EMBEDDING_DIMENSIONS", 768)  # Gemini only; the local models have 384
GEMINI_API_KEY = env.str("GEMINI_API_KEY", "")
GEMINI_BASE_URL = env.str("GEMINI_BASE_URL", "") or None
GEMINI_REQUESTS_PER_MINUTE = env.int("GEMINI_REQUESTS_PER_MINUTE", 3000)
GEMINI_TOKENS_PER_MINUTE = env.int("GEMINI_TOKENS_PER_MINUTE", 1_000_000)
RERANKER = env.str("RERANKER", "")  # "local", or "" for none
VECTOR_STORE = env.str("VECTOR_STORE", "pgvector")
PINECONE_API_KEY = env.str("PINECONE_API_KEY", "")
PINECONE_INDEX = env.str("PINECONE_INDEX", "docmill")
PINECONE_CONTROLLER_HOST = env.str("PINECONE_CONTROLLER_HOST", "") or None
PINECONE_CLOUD = env.str("PINECONE_CLOUD", "aws")
PINECONE_REGION = env.str("PINECONE_REGION", "us-east-1")

# --- chunks: 0 means the default of the embedding model --------------------------------------------------------------
CHUNK_TARGET_TOKENS = env.int("CHUNK_TARGET_TOKENS", 0)
CHUNK_MAX_TOKENS = env.int("CHUNK_MAX_TOKENS", 0)
CHUNK_OVERLAP = env.int("CHUNK_OVERLAP", -1)

# --- time limits of the stages, seconds: soft, and hard a margin later (docs/reliability.md) --------------------------
STAGE_SECONDS = {
    "downloading": env.float("DOWNLOADING_SECONDS", 600.0),
    "extracting": env.float("EXTRACTING_SECONDS", 7200.0),
    "chunking": env.float("CHUNKING_SECONDS", 600.0),
    "embedding": env.float("EMBEDDING_SECONDS", 7200.0),
    "indexing": env.float("INDEXING_SECONDS", 600.0),
}
STAGE_MARGIN_SECONDS = env.float("STAGE_MARGIN_SECONDS", 60.0)

# --- uploads and the sandbox -----------------------------------------------------------------------------------------
DOCMILL_ASYNC = env.bool("DOCMILL_ASYNC", True)
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", 100 * 1024 * 1024)
TEMP_DIR = Path(env.str("DOCMILL_TEMP_DIR", tempfile.gettempdir()))
# Whether documents are read where the system does not allow an essential wall of the sandbox: `required` says no, and
# is the default but for `docmill up`, which a person watches. `docmill doctor` names the walls.
SANDBOX = env.str("SANDBOX", "best-effort" if env.str("DOCMILL_SUPERVISED_HOME", "") else "required")
if SANDBOX not in ("required", "best-effort"):
    raise ImproperlyConfigured(f"SANDBOX must be required or best-effort, not {SANDBOX!r}.")
tempfile.tempdir = str(TEMP_DIR)  # for libraries, and for the sandbox
EXTRACT_PAGE_SECONDS = env.float("EXTRACT_PAGE_SECONDS", 120.0)
EXTRACT_TOTAL_SECONDS = env.float("EXTRACT_TOTAL_SECONDS", 3600.0)
EXTRACT_MEMORY_BYTES = env.int("EXTRACT_MEMORY_BYTES", 2 * 1024**3)
EXTRACT_MAX_PAGES = env.int("EXTRACT_MAX_PAGES", 10_000)
EXTRACT_MAX_CHARACTERS = env.int("EXTRACT_MAX_CHARACTERS", 50_000_000)
OCR_ENGINE = env.str("DOCMILL_OCR", "rapidocr")
OCR_THREADS = env.int("DOCMILL_OCR_THREADS", 1)
OCR_LANGUAGES = env.str("DOCMILL_OCR_LANGUAGES", "eng")  # tesseract's, as its option -l
FILE_UPLOAD_TEMP_DIR = str(TEMP_DIR)
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
# A body that sends nothing for so long, or after ten seconds of waiting less than this, is given up.
BODY_IDLE_SECONDS = env.float("BODY_IDLE_SECONDS", 30.0)
BODY_BYTES_PER_SECOND = env.int("BODY_BYTES_PER_SECOND", 10_000)
# --- limits for everyone (docs/limits.md); 0: none ---
LIMIT_REQUESTS_PER_MINUTE = env.int("LIMIT_REQUESTS_PER_MINUTE", 6_000)  # a key
LIMIT_ADDRESS_REQUESTS_PER_MINUTE = env.int("LIMIT_ADDRESS_REQUESTS_PER_MINUTE", 30_000)
LIMIT_WRONG_KEYS_PER_MINUTE = env.int("LIMIT_WRONG_KEYS_PER_MINUTE", 60)  # an address
LIMIT_DOCUMENTS_PER_DAY = env.int("LIMIT_DOCUMENTS_PER_DAY", 100_000)  # this and the following a tenant
LIMIT_BYTES_PER_DAY = env.int("LIMIT_BYTES_PER_DAY", 100 * 1024**3)
LIMIT_PAGES_PER_DAY = env.int("LIMIT_PAGES_PER_DAY", 1_000_000)
LIMIT_TOKENS_PER_DAY = env.int("LIMIT_TOKENS_PER_DAY", 1_000_000_000)  # that were embedded anew
# Whether uploads are taken while Redis, which counts them, is away.
UPLOADS_WITHOUT_LIMITS = env.bool("UPLOADS_WITHOUT_LIMITS", False)
# Uploads that one key may send at once to one web process.
LIMIT_UPLOADS_AT_ONCE = env.int("LIMIT_UPLOADS_AT_ONCE", 16)
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # the form's other fields, bytes

# --- the HTTP interface ----------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["docmill.api.auth.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["docmill.api.uploads.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "docmill.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "docmill",
    "DESCRIPTION": "Documents in, vectors out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
# --- errors and logs -------------------------------------------------------------------------------------------------
SENTRY_DSN = env.str("SENTRY_DSN", "")
SENTRY_ENVIRONMENT = env.str("SENTRY_ENVIRONMENT", "production")
# What is struck from every event: keys, and URLs for their passwords.
SECRETS = [SECRET_KEY, DATABASE_URL, DATABASE_OWNER_URL, REDIS_URL, GEMINI_API_KEY, PINECONE_API_KEY]
SECRETS += [env.str("AWS_SECRET_ACCESS_KEY", ""), env.str("AWS_SESSION_TOKEN", "")]
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOGGING_CONFIG = "docmill.config.logging.configure"
LOGGING = {"level": LOG_LEVEL, "json": env.bool("LOG_JSON", False)}
