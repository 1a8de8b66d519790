"""Addresses below a site."""

from typing import Any

from django.urls import reverse

from admin_site.tenancy.models import Site


def site_url(site: Site, name: str, **kwargs: Any) -> str:
    """Address of the view `name` at `site`, whose organisation has been loaded."""
    return reverse(
        f"portal:{name}",
        kwargs={"organisation": site.organisation.slug, "site": site.code, **kwargs},
    )
