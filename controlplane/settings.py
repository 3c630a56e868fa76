"""Marina's settings: each from the environment, with a type and a default that works. docs/settings.md lists them."""

import sys
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from clusters.freezing import GATEWAYS_KNOW_SECONDS, MIGRATING_KNOWN_SECONDS

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DJANGO_DEBUG", default=False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "DJANGO_SECRET_KEY is not set. Put a long random text there "
        '(python -c "import secrets; print(secrets.token_urlsafe(50))"); `make demo` makes one by itself.'
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
PUBLIC_URL = env.str("MARINA_PUBLIC_URL", default="http://127.0.0.1:8000")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "clusters",
    "provisioning",
    "controlplane",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "controlplane.request_id.RequestIdMiddleware",
    "accounts.api.rates.RateHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.ui.middleware.PageMiddleware",
    "accounts.ui.middleware.SessionMiddleware",
]

ROOT_URLCONF = "controlplane.urls"
WSGI_APPLICATION = "controlplane.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database and broker --------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default="postgres://marina@localhost/marina")}
DATABASES["default"].setdefault("CONN_MAX_AGE", 600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "connect_timeout": env.int("DATABASE_CONNECT_TIMEOUT_SECONDS", default=5),
        # a database behind a network that swallows packets is given up within seconds, not after hours
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
)
# Migrations run as the owner of the tables. Marina itself, as another role, can then only add to the audit log.
if _owner_url := env.str("DATABASE_OWNER_URL", default=""):
    DATABASES["owner"] = {**DATABASES["default"], **environ.Env.db_url_config(_owner_url), "CONN_MAX_AGE": 0}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = env.str("BROKER_URL", default="redis://localhost:6379/0")
if CELERY_BROKER_URL.startswith("redis://"):
    CELERY_BROKER_TRANSPORT = "provisioning.broker_transport:Transport"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "operations"
CELERY_TASK_ROUTES = {
    "provisioning.operation_run": {"queue": "operations"},
    "provisioning.hosts_probe": {"queue": "probes"},
    "provisioning.hosts_survey": {"queue": "probes"},
    "provisioning.changes_survey": {"queue": "probes"},
    "provisioning.*": {"queue": "housekeeping"},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# a publisher gives up soon: the row is the truth and the waker publishes again
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "max_retries": 1,
    "interval_start": 0.1,  # seconds before that one retry; 2 unless said otherwise
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Celery would close the database connection before and after each task; provisioning/signals.py keeps it instead
CELERY_DB_REUSE_MAX = sys.maxsize

PROBE_SECONDS = env.float("PROBE_SECONDS", default=30.0)
SURVEY_SECONDS = env.float("SURVEY_SECONDS", default=60.0)
# whether virtual clusters are used: how often who wrote inside is looked at, in how many objects at most
CHANGE_SURVEY_SECONDS = env.float("CHANGE_SURVEY_SECONDS", default=600.0)
CHANGE_SURVEY_OBJECTS = env.int("CHANGE_SURVEY_OBJECTS", default=20_000)
IDLE_CPU_MILLICORES = env.int("IDLE_CPU_MILLICORES", default=50)
# what is due at a tick stands in provisioning/schedules.py, and when it was done last in the database
CELERY_BEAT_SCHEDULE = {"tick": {"task": "provisioning.schedules_tick", "schedule": 1.0, "options": {"expires": 5}}}

# --- people and access ----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
GUARDIAN_RAISE_403 = False
ANONYMOUS_USER_NAME = None  # guardian's own anonymous user is not wanted: nothing is public
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# tries of one handle from one address, and of all handles from one address
SIGN_IN_RATE = env.str("SIGN_IN_RATE", default="20/min")
SIGN_IN_ADDRESS_RATE = env.str("SIGN_IN_ADDRESS_RATE", default="60/min")
MFA_REQUIRED_FOR_STAFF = env.bool("MFA_REQUIRED_FOR_STAFF", default=False)
DEVICE_LOGIN_SECONDS = env.int("DEVICE_LOGIN_SECONDS", default=600)
# OpenID Connect: one issuer, and more in a JSON list (docs/sign-in.md)
OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME = env.str("OIDC_NAME", default="single sign-on")
OIDC_SCOPES = env.list("OIDC_SCOPES", default=["openid", "profile", "email"])
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", default="groups")
OIDC_STAFF_GROUP = env.str("OIDC_STAFF_GROUP", default="")
OIDC_TRUST_EMAIL = env.bool("OIDC_TRUST_EMAIL", default=False)
OIDC_SECOND_FACTOR = env.bool("OIDC_SECOND_FACTOR", default=False)
OIDC_MORE_ISSUERS = env.str("OIDC_MORE_ISSUERS", default="")
# allauth: nobody signs up by themselves, its mails are off, and tries are counted by accounts/sign_in.py instead
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = "handle"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
SESSION_COOKIE_AGE = env.int("SESSION_SECONDS", default=14 * 86400)
SOCIALACCOUNT_ADAPTER = "accounts.oidc.adapter.OidcAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"provider_class": "accounts.oidc.provider.OidcProvider"}}
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # steps of 30 s by which a phone's clock may be off
# Counted by all web processes together on the broker's server. Never clear() it: Redis would empty the whole broker.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}},
    "sign_in": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CELERY_BROKER_URL,
        "KEY_PREFIX": "marina:sign-in",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1, "retry": Retry(NoBackoff(), 0)},
    },
}
# whom refusals tell people to ask
PLATFORM_CONTACT = env.str("PLATFORM_CONTACT", default="your platform team")
ACCESS_TOKEN_DEFAULT_SECONDS = env.int("ACCESS_TOKEN_DEFAULT_SECONDS", default=30 * 86400)
ACCESS_TOKEN_MAXIMUM_SECONDS = env.int("ACCESS_TOKEN_MAXIMUM_SECONDS", default=365 * 86400)
# tokens of other issuers that one address may send, and whether issuers may be inside our own network
FEDERATION_RATE = env.str("FEDERATION_RATE", default="60/min")
FEDERATION_ALLOW_PRIVATE_ISSUERS = env.bool("FEDERATION_ALLOW_PRIVATE_ISSUERS", default=False)

# --- the audit log ------------------------------------------------------------------------------------------------
AUDIT_RETENTION_DAYS = env.int("AUDIT_RETENTION_DAYS", default=400)  # 0: for ever

# --- secrets at rest ------------------------------------------------------------------------------------------------
# Fernet keys, comma separated: the first encrypts, all decrypt. `./manage.py rotate_encryption_keys` writes all anew.
MARINA_ENCRYPTION_KEYS = env.list("MARINA_ENCRYPTION_KEYS", default=[])

# --- mail and webhooks ----------------------------------------------------------------------------------------------
EMAIL_HOST = env.str("EMAIL_HOST", default="")  # empty: no mail is sent
EMAIL_PORT = env.int("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=True)
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_SECONDS", default=10)
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="marina@localhost")
NOTIFICATION_DAYS = env.int("NOTIFICATION_DAYS", default=180)
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=10.0)
WEBHOOK_RETRY_SECONDS = env.int("WEBHOOK_RETRY_SECONDS", default=24 * 3600)
WEBHOOK_DISABLE_SECONDS = env.int("WEBHOOK_DISABLE_SECONDS", default=5 * 86400)
WEBHOOK_DISABLE_EVENTS = env.int("WEBHOOK_DISABLE_EVENTS", default=20)
WEBHOOK_DELIVERY_DAYS = env.int("WEBHOOK_DELIVERY_DAYS", default=30)

# --- vcluster's chart -----------------------------------------------------------------------------------------------
CHART_REPOSITORY = env.str("CHART_REPOSITORY", default="https://charts.loft.sh")
CHART_VERSION = env.str("CHART_VERSION", default="0.36.1")
# further versions on the way from older ones, and the minors that they run: 0.34.2=1.31-1.34,0.35.1=1.31-1.35
CHART_VERSIONS = env.dict("CHART_VERSIONS", default={})
CHART_FOLDER = env.str("CHART_FOLDER", default="")  # a local chart folder, instead of the repository
VCLUSTER_IMAGE_REGISTRY = env.str("VCLUSTER_IMAGE_REGISTRY", default="ghcr.io")
VCLUSTER_IMAGE_REPOSITORY = env.str("VCLUSTER_IMAGE_REPOSITORY", default="loft-sh/vcluster-oss")
VCLUSTER_IMAGE_TAG = env.str("VCLUSTER_IMAGE_TAG", default="")  # empty: the chart's version
KUBERNETES_IMAGE_REGISTRY = env.str("KUBERNETES_IMAGE_REGISTRY", default="ghcr.io")
KUBERNETES_IMAGE_REPOSITORY = env.str("KUBERNETES_IMAGE_REPOSITORY", default="loft-sh/kubernetes")
DEFAULT_IMAGE_REGISTRY = env.str("DEFAULT_IMAGE_REGISTRY", default="")  # replaces every registry, as in the chart
# the oldest and the newest minor that this version of the chart runs
CHART_KUBERNETES_VERSIONS = env.str("CHART_KUBERNETES_VERSIONS", default="1.32-1.36")
# by minor version the first day without support, such as 1.33=2026-06-28: then it is upgraded, after two warnings
KUBERNETES_END_OF_SUPPORT = env.list("KUBERNETES_END_OF_SUPPORT", default=[])
UPGRADE_WARN_BEFORE_SECONDS = [
    int(each) for each in env.list("UPGRADE_WARN_BEFORE_SECONDS", default=["2592000", "604800", "86400"])
]
AUTO_UPGRADES_AT_ONCE = env.int("AUTO_UPGRADES_AT_ONCE", default=20)
KUBERNETES_VERSIONS = env.list("KUBERNETES_VERSIONS", default=["1.36.3", "1.35.4"])

# --- the worker half ------------------------------------------------------------------------------------------------
STATE_FOLDER = Path(env.str("MARINA_STATE_FOLDER", default=str(BASE_DIR / ".marina" / "state")))
HELM_BINARY = env.str("HELM_BINARY", default="helm")
LEASE_SECONDS = env.float("LEASE_SECONDS", default=30.0)
HEARTBEAT_SECONDS = env.float("HEARTBEAT_SECONDS", default=10.0)
UNCLAIMED_SECONDS = env.float("UNCLAIMED_SECONDS", default=15.0)
STOP_GRACE_SECONDS = env.float("STOP_GRACE_SECONDS", default=20.0)
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=2)
ATTEMPT_LIMIT = env.int("ATTEMPT_LIMIT", default=10)
RETRY_BASE_SECONDS = env.float("RETRY_BASE_SECONDS", default=1.0)
RETRY_CAP_SECONDS = env.float("RETRY_CAP_SECONDS", default=300.0)
STEP_DEADLINE_SECONDS = env.float("STEP_DEADLINE_SECONDS", default=600.0)
IMAGE_PULL_PATIENCE_SECONDS = env.float("IMAGE_PULL_PATIENCE_SECONDS", default=60.0)
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=10)
HOST_CONNECT_TIMEOUT_SECONDS = env.float("HOST_CONNECT_TIMEOUT_SECONDS", default=3.0)
HOST_READ_TIMEOUT_SECONDS = env.float("HOST_READ_TIMEOUT_SECONDS", default=10.0)

# --- exports --------------------------------------------------------------------------------------------------------
EXPORT_FOLDER = env.str("EXPORT_FOLDER", default=str(STATE_FOLDER / "exports"))  # of workers and web processes alike
EXPORT_S3_BUCKET = env.str("EXPORT_S3_BUCKET", default="")  # takes the place of the folder
EXPORT_S3_ENDPOINT = env.str("EXPORT_S3_ENDPOINT", default="")  # empty: Amazon's
EXPORT_S3_REGION = env.str("EXPORT_S3_REGION", default="")
EXPORT_S3_PREFIX = env.str("EXPORT_S3_PREFIX", default="")
EXPORT_S3_ACCESS_KEY = env.str("EXPORT_S3_ACCESS_KEY", default="")
EXPORT_S3_SECRET_KEY = env.str("EXPORT_S3_SECRET_KEY", default="")
EXPORT_DAYS = env.int("EXPORT_DAYS", default=30)
EXPORT_DELETED_DAYS = env.int("EXPORT_DELETED_DAYS", default=30)  # of a cluster that was deleted

# --- sleep and cleanup of what nobody uses; 0: never ------------------------------------------------------------------
# by how much a moved cluster's resourceVersions are brought past the old ones: what those may still count meanwhile
MOVE_REVISIONS_AHEAD = env.int("MOVE_REVISIONS_AHEAD", default=500)
# what gateways need to know of a move and of its freeze; see clusters/freezing.py before you change them
MOVE_KNOWN_SECONDS = env.float("MOVE_KNOWN_SECONDS", default=MIGRATING_KNOWN_SECONDS)
MOVE_GATEWAYS_KNOW_SECONDS = env.float("MOVE_GATEWAYS_KNOW_SECONDS", default=GATEWAYS_KNOW_SECONDS)
MOVE_RETAINED_SECONDS = env.int("MOVE_RETAINED_SECONDS", default=7 * 86400)
CLEANUP_SWEEP_SECONDS = env.float("CLEANUP_SWEEP_SECONDS", default=3600.0)
CLEANUP_SLEEP_AFTER_SECONDS = env.int("CLEANUP_SLEEP_AFTER_SECONDS", default=7 * 86400)
CLEANUP_DELETE_AFTER_SECONDS = env.int("CLEANUP_DELETE_AFTER_SECONDS", default=90 * 86400)
CLEANUP_PERSONAL_SLEEP_AFTER_SECONDS = env.int("CLEANUP_PERSONAL_SLEEP_AFTER_SECONDS", default=2 * 86400)
CLEANUP_PERSONAL_DELETE_AFTER_SECONDS = env.int("CLEANUP_PERSONAL_DELETE_AFTER_SECONDS", default=45 * 86400)
CLEANUP_CI_SLEEP_AFTER_SECONDS = env.int("CLEANUP_CI_SLEEP_AFTER_SECONDS", default=6 * 3600)
CLEANUP_CI_DELETE_AFTER_SECONDS = env.int("CLEANUP_CI_DELETE_AFTER_SECONDS", default=14 * 86400)
CLEANUP_WARN_BEFORE_SECONDS = [
    int(each) for each in env.list("CLEANUP_WARN_BEFORE_SECONDS", default=["604800", "86400"])
]
CLEANUP_EXTENSION_MAXIMUM_SECONDS = env.int("CLEANUP_EXTENSION_MAXIMUM_SECONDS", default=30 * 86400)
CLEANUP_DELETIONS_PER_RUN = env.int("CLEANUP_DELETIONS_PER_RUN", default=20)
CLEANUP_SLEEPS_PER_RUN = env.int("CLEANUP_SLEEPS_PER_RUN", default=100)
CLEANUP_REPORT_DAYS = env.int("CLEANUP_REPORT_DAYS", default=180)

# --- kubeconfigs ----------------------------------------------------------------------------------------------------
KUBECONFIG_MINIMUM_SECONDS = 600  # the least that TokenRequest grants (facts: 300 s is refused)
KUBECONFIG_DEFAULT_SECONDS = env.int("KUBECONFIG_DEFAULT_SECONDS", default=3600)
KUBECONFIG_MAXIMUM_SECONDS = env.int("KUBECONFIG_MAXIMUM_SECONDS", default=24 * 3600)
SEALED_RESULT_SECONDS = env.int("SEALED_RESULT_SECONDS", default=60)

# --- the gateway ----------------------------------------------------------------------------------------------------
GATEWAY_URL = env.str("GATEWAY_URL", default="")  # empty: there is none
GATEWAY_URLS = env.str("GATEWAY_URLS", default="")  # JSON, by region: those that have a gateway of their own
GATEWAY_CA_FILE = env.str("GATEWAY_CA_FILE", default="")
GATEWAY_TOKEN_SECONDS = env.int("GATEWAY_TOKEN_SECONDS", default=600)
GATEWAY_BIND = env.str("GATEWAY_BIND", default="127.0.0.1:8443")
GATEWAY_TLS_CERT = env.str("GATEWAY_TLS_CERT", default="")  # a PEM file; empty: a proxy before it ends TLS
GATEWAY_TLS_KEY = env.str("GATEWAY_TLS_KEY", default="")
GATEWAY_CLUSTER_DOMAIN = env.str("GATEWAY_CLUSTER_DOMAIN", default="")  # such as clusters.marina.example
GATEWAY_METRICS_BIND = env.str("GATEWAY_METRICS_BIND", default="")
GATEWAY_CONNECTIONS = env.int("GATEWAY_CONNECTIONS", default=8192)
GATEWAY_NEWCOMERS = env.int("GATEWAY_NEWCOMERS", default=512)
GATEWAY_RATE = env.float("GATEWAY_RATE", default=200.0)  # of one person and cluster, requests a second
GATEWAY_STREAMS = env.int("GATEWAY_STREAMS", default=500)  # of one person and cluster, open at once
GATEWAY_DATABASE_THREADS = env.int("GATEWAY_DATABASE_THREADS", default=4)
# so long after a move, resourceVersions of where the cluster was before are told from those of where it is
GATEWAY_REVISIONS_SECONDS = env.float("GATEWAY_REVISIONS_SECONDS", default=3600.0)
REQUEST_AUDIT_DAYS = env.int("REQUEST_AUDIT_DAYS", default=90)  # 0: for ever
# by User-Agent: whose requests wake a cluster that is asleep, and whose never do
GATEWAY_WAKES = env.str("GATEWAY_WAKES", default=r"^(kubectl|Helm|helm)\b")
GATEWAY_NEVER_WAKES = env.str("GATEWAY_NEVER_WAKES", default=r"(?i)k9s|lens|argocd|argo-cd|flux|prometheus|headlamp")

# --- the API --------------------------------------------------------------------------------------------------------
# of one access token (or session, or address where nobody signed in): all requests, and those that change something
API_RATE = env.str("API_RATE", default="1200/min")
API_WRITE_RATE = env.str("API_WRITE_RATE", default="300/min")
REST_FRAMEWORK = {
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.rates.RateThrottle"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.AccessTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "accounts.api.pagination.CreatedCursorPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "accounts.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,  # `Accept` says it; with ?format= what is there would be answered as if it were not
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Marina",
    "DESCRIPTION": "Virtual Kubernetes clusters on demand, across many host clusters.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.api.document.document_complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "OperationKind": "clusters.models.OperationKind",
        "OperationState": "clusters.models.OperationState",
        "StepState": ["waiting", "current", "done", "failed"],
        "OwnerKind": ["user", "team", "service-account"],
        "BreakGlassRole": ["viewer", "developer"],
        "ExportState": "clusters.models.ExportState",
        "DeliveryState": "accounts.models.DeliveryState",
        "JoinState": "accounts.models.JoinState",
        "InvitationState": ["open", "used", "revoked", "expired"],
        "KubeconfigCeiling": "accounts.models.KubeconfigCeiling",
        "PlacementRole": "clusters.models.PlacementRole",
        "CleanupAction": "clusters.models.CleanupAction",
        "RolloutAction": "clusters.models.RolloutAction",
        "UpgradeChannel": "clusters.models.UpgradeChannel",
        "RolloutState": "clusters.models.RolloutState",
        "RolloutMemberState": "clusters.models.RolloutMemberState",
        "Verdict": "clusters.models.Verdict",
        "VerdictGiven": ["person", "ci", "inside", "steady"],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024  # one over 1 MiB must arrive to be refused by name

# --- pages ----------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    "exports": {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": EXPORT_FOLDER}},
}
if EXPORT_S3_BUCKET:
    STORAGES["exports"] = {
        "BACKEND": "clusters.exports.bucket.ExportBucket",
        "OPTIONS": {
            "bucket_name": EXPORT_S3_BUCKET,
            "endpoint_url": EXPORT_S3_ENDPOINT,
            "region_name": EXPORT_S3_REGION,
            "location": EXPORT_S3_PREFIX,
            "access_key": EXPORT_S3_ACCESS_KEY,
            "secret_key": EXPORT_S3_SECRET_KEY,
        },
    }
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "start"
UNFOLD = {
    "SITE_TITLE": "Marina",
    "SITE_HEADER": "Marina",
    "SITE_URL": "/api/v1/docs",
}

# --- browser security: safe by default, loosened only for the loopback demo -----------------------------------------
_https = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=_https)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31536000 if _https else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
# both speak for names that are not Marina's, and browsers keep them for a year: the domain's owner decides that
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

LOGGING_CONFIG = "controlplane.logs.configure"
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="json")  # json or console
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
