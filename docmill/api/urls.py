"""The addresses of the HTTP interface."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from docmill.api import health, search, views

urlpatterns = [
    path(
        "api/ingest", views.IngestView.as_view(schema=None)
    ),  # clients do not repeat a POST when they are sent elsewhere
    path("api/ingest/", views.IngestView.as_view(), name="ingest"),
    path("api/documents/", views.DocumentListView.as_view(), name="documents"),
    path("api/documents/<uuid:document_id>/", views.DocumentView.as_view(), name="document"),
    path("api/documents/<uuid:document_id>/chunks/", views.ChunkListView.as_view(), name="chunks"),
    path("api/documents/<uuid:document_id>/content/", views.ContentView.as_view(), name="content"),
    path("api/documents/<uuid:document_id>/retry/", views.RetryView.as_view(), name="retry"),
    path("api/tasks/<uuid:task_id>/", views.TaskView.as_view(), name="task"),
    path("api/search/", search.SearchView.as_view(), name="search"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
