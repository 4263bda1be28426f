from django.apps import AppConfig


class ApiAppConfig(AppConfig):
    name = "docmill.api"
    label = "api"
