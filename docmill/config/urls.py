"""The addresses of the whole site, and the answers where there is none."""

from django.urls import include, path

urlpatterns = [path("", include("docmill.api.urls"))]
handler400 = "docmill.api.problems.bad_request"
handler404 = "docmill.api.problems.not_found"
handler500 = "docmill.api.problems.server_error"
