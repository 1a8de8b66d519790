from django.apps import AppConfig


class AgentApiConfig(AppConfig):
    name = "admin_site.agent_api"
    label = "agent_api"
