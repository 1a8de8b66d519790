"""The ASGI application: the agents' fast path, then Channels, then Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin_site.config.settings")

from django.core.asgi import get_asgi_application

# Loads the apps, which everything below imports.
django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.urls import path  # noqa: E402

from admin_site.agent_api.consumers import AgentConsumer  # noqa: E402
from admin_site.agent_api.fast_path import FastPath  # noqa: E402
from admin_site.config.body_limit import BodyLimit  # noqa: E402
from admin_site.live.consumers import PageConsumer  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": FastPath(BodyLimit(django_application)),
        "websocket": URLRouter(
            [
                path("agent/v1/socket", AgentConsumer.as_asgi()),
                path(
                    "ws/live/",
                    AllowedHostsOriginValidator(
                        AuthMiddlewareStack(PageConsumer.as_asgi())
                    ),
                ),
            ]
        ),
    }
)
