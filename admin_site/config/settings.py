"""Django's settings; everything that differs between installations is in env.py."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from admin_site.config import logging as log_configuration
from admin_site.config import security
from admin_site.config.env import load
from admin_site.core.windows import Limit
from client_agent.protocol import limits

ENV = load()
BASE_DIR = Path(__file__).resolve().parents[2]

SECRET_KEY = ENV.secret_key.get_secret_value()
DEBUG = ENV.debug
ORIGINS = ENV.origins
ALLOWED_HOSTS = [urlsplit(origin).hostname or "" for origin in ORIGINS]
CSRF_TRUSTED_ORIGINS = list(ORIGINS)

INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "channels",
    "csp",
    "django_htmx",
    "procrastinate.contrib.django",
    "admin_site.core",
    "admin_site.audit",
    "admin_site.accounts",
    "admin_site.tenancy",
    "admin_site.messaging",
    "admin_site.computers",
    "admin_site.scripts",
    "admin_site.jobs",
    "admin_site.policies",
    "admin_site.desired_state",
    "admin_site.live",
    "admin_site.agent_api",
    "admin_site.portal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "admin_site.core.middleware.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "admin_site.accounts.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "admin_site.core.middleware.CacheDownMiddleware",
]

ROOT_URLCONF = "admin_site.config.urls"
ASGI_APPLICATION = "admin_site.config.asgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "admin_site" / "portal" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "admin_site.portal.context.shell",
            ],
        },
    }
]

_database = urlsplit(str(ENV.database_url))
_query = dict(
    part.split("=", 1) for part in unquote(_database.query).split("&") if "=" in part
)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.path.lstrip("/"),
        "USER": unquote(_database.username or ""),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": _query.pop("host", None) or _database.hostname or "",
        "PORT": str(_database.port or _query.pop("port", "")),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            **_query,
            # Only web processes share connections between threads; the worker's
            # tasks and commands close their own.
            "pool": (
                {"min_size": 1, "max_size": ENV.pool_size, "timeout": 10}
                if ENV.process == "web"
                else False
            ),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENV.redis_url,
        "KEY_PREFIX": "django",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [ENV.redis_url], "prefix": "live"},
    }
}
REDIS_URL = ENV.redis_url
BLOB_DIR = ENV.blob_dir
MASTER_KEY_FILE = ENV.master_key_file
AUDIT_ANCHOR = ENV.audit_anchor
POLL_SECONDS = ENV.poll_seconds

# How often what may be tried; sizes are part of the protocol (its limits.py).
TRUSTED_PROXIES = ENV.trusted_proxies
ENROLMENT_LIMIT = Limit("enrolment", ENV.enrolments_per_minute, 60)
WRONG_TOKEN_LIMIT = Limit("wrong-token", ENV.wrong_tokens_per_hour, 3600)
# A computer that we know waits by asking again, at most once a second (ADR 19).
ENROLMENT_WAIT_LIMIT = Limit("enrolment-wait", 90, 60)
ACCOUNT_FAILURE_LIMIT = Limit("account-failure", ENV.account_failures, 900)
ADDRESS_FAILURE_LIMIT = Limit("address-failure", ENV.address_failures, 900)

LANGUAGE_CODE = "en"
LANGUAGES = [("da", _("Danish")), ("en", _("English")), ("sv", _("Swedish"))]
LOCALE_PATHS = [BASE_DIR / "admin_site" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "build" / "static"
STATICFILES_DIRS = [BASE_DIR / "admin_site" / "frontend" / "dist"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation."
        "UserAttributeSimilarityValidator"
    },
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:home"
ACCOUNT_ADAPTER = "admin_site.accounts.adapter.AccountAdapter"
MFA_ADAPTER = "admin_site.accounts.adapter.MfaAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
# Failures are counted by accounts/failures.py, which knows no raw addresses.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
MFA_FORMS = {
    "authenticate": "admin_site.accounts.forms.AuthenticateForm",
    "reauthenticate": "admin_site.accounts.forms.ReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "CitizenPC"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# In the database, so that people stay signed in while Valkey is away.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ORIGINS[0].startswith("https://")
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if SESSION_COOKIE_SECURE else 0
# Only behind a proxy of ours that sets the header may it be believed.
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if SESSION_COOKIE_SECURE else None
)
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = security.CONTENT_SECURITY_POLICY
DATA_UPLOAD_MAX_MEMORY_SIZE = limits.BODY_BYTES

LOGGING_CONFIG = None
log_configuration.configure(level=ENV.log_level, is_debug=DEBUG)
